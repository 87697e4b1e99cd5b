"""Self-attention over series and tokens."""

import math
from collections.abc import Callable

import equinox as eqx
import jax
import jax.numpy as jnp

from landscape.errors import UserError
from landscape.parts._options import check_whole
from landscape.parts.models._build import (
    Activation,
    Model,
    assemble,
    find_activation,
    head_shape,
)
from landscape.parts.models._positions import (
    Tokens,
    check_series,
    head_size,
    per_position,
    sinusoids,
)

# Layers whose inputs are normalized, or sums of normalized values, not results of activations.
_LINEAR = ("query", "key", "value", "attended", "expand")


def transformer(
    input_shape: tuple[int, ...],
    outputs: int,
    *,
    output_shape: tuple[int, ...] | None = None,
    vocabulary: int | None = None,
    depth: int = 2,
    width: int = 32,
    heads: int = 4,
    causal: bool = False,
    activation: str | Callable = "gelu",
) -> Model:
    """Blocks x + attention(norm(x)), x + dense(norm(x)) with `width` numbers per position.

    Series are (batch, time, channels), tokens (batch, time) integers. Positions are added as
    sinusoids; the dense layers of a block have 4 `width` units. A prediction for each position is
    linear in its normalized numbers, one for the whole series in their mean over time. `causal`: a
    position sees itself and earlier ones only, as for the next token. Source: Vaswani et al. 2017,
    with the normalization before each layer (Xiong et al. 2020). Choose it for relations between
    distant positions.
    """
    function = find_activation(activation)
    check_series("transformer", input_shape, vocabulary)
    check_whole(1, 100, depth=depth)
    check_whole(1, width=width, heads=heads)
    if width % heads != 0:
        raise UserError(f"`width` is {width}; expected a multiple of `heads`, which is {heads}")
    if not isinstance(causal, bool):
        raise UserError(f"`causal` is {causal!r}; expected true or false")
    shape = head_shape(outputs, output_shape)
    size, pooled = head_size(input_shape, shape), not per_position(input_shape, shape)

    def build(key: jax.Array) -> _Transformer:
        tokens = None if vocabulary is None else Tokens(vocabulary, width)
        series = eqx.nn.Linear(input_shape[1], width, key=key) if tokens is None else None
        blocks = tuple(_Block(width, key) for _ in range(depth))
        output = eqx.nn.Linear(width, size, key=key)
        return _Transformer(tokens, series, blocks, eqx.nn.LayerNorm(width), output)

    fixed = {"heads": heads, "causal": causal, "pooled": pooled}
    return assemble(build, function, shape, linear=_LINEAR, **fixed)


class _Block(eqx.Module):
    first_norm: eqx.nn.LayerNorm
    query: eqx.nn.Linear
    key: eqx.nn.Linear
    value: eqx.nn.Linear
    attended: eqx.nn.Linear
    second_norm: eqx.nn.LayerNorm
    expand: eqx.nn.Linear
    contract: eqx.nn.Linear

    def __init__(self, width: int, key: jax.Array):
        self.first_norm, self.second_norm = eqx.nn.LayerNorm(width), eqx.nn.LayerNorm(width)
        self.query, self.key, self.value, self.attended = (
            eqx.nn.Linear(width, width, key=key) for _ in range(4)
        )
        self.expand = eqx.nn.Linear(width, 4 * width, key=key)
        self.contract = eqx.nn.Linear(4 * width, width, key=key)

    def __call__(self, x: jax.Array, activation: Activation, heads: int, causal: bool) -> jax.Array:
        x = x + self._attention(jax.vmap(self.first_norm)(x), heads, causal)
        hidden = activation(jax.vmap(self.expand)(jax.vmap(self.second_norm)(x)))
        return x + jax.vmap(self.contract)(hidden)

    def _attention(self, x: jax.Array, heads: int, causal: bool) -> jax.Array:
        query, key, value = (
            jax.vmap(layer)(x).reshape(len(x), heads, -1)
            for layer in (self.query, self.key, self.value)
        )
        scores = jnp.einsum("ihd,jhd->hij", query, key) / math.sqrt(query.shape[-1])
        if causal:
            visible = jnp.tril(jnp.ones((1, len(x), len(x)), bool))
            scores = jnp.where(visible, scores, -jnp.inf)
        mixed = jnp.einsum("hij,jhd->ihd", jax.nn.softmax(scores, axis=-1), value)
        return jax.vmap(self.attended)(mixed.reshape(x.shape))


class _Transformer(eqx.Module):
    tokens: Tokens | None
    series: eqx.nn.Linear | None
    blocks: tuple[_Block, ...]
    norm: eqx.nn.LayerNorm
    output: eqx.nn.Linear

    def __call__(
        self, x: jax.Array, activation: Activation, heads: int, causal: bool, pooled: bool
    ) -> jax.Array:
        if self.tokens is not None:
            x = self.tokens(x)
        elif self.series is not None:
            x = jax.vmap(self.series)(x)
        x = x + sinusoids(*x.shape).astype(x.dtype)
        for block in self.blocks:
            x = block(x, activation, heads, causal)
        x = jax.vmap(self.norm)(x)
        return self.output(jnp.mean(x, axis=0)) if pooled else jax.vmap(self.output)(x)
