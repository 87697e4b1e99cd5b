"""Rescaling law of Li et al. 2018 for each layer of each library.

If the filters of a layer before a ReLU are multiplied by positive numbers, and the next layer is
divided by them, the network stays the same function, and so do its filter-normalized slices. Here
the layer stands alone, so that its outputs are multiplied. An axis that does not count the filters
fails, as does a normalization of the bias.
"""

import os

os.environ.setdefault("KERAS_BACKEND", "jax")

import equinox as eqx
import haiku as hk
import jax
import jax.numpy as jnp
import keras
import numpy as np
import pytest
from flax import linen, nnx

from landscape import adapters
from landscape.parts.directions import Point, random

KEY = jax.random.key(0)
UNITS = 3
IMAGES = np.random.default_rng(0).normal(size=(2, 5, 5, 2)).astype(np.float32)
VECTORS = np.random.default_rng(1).normal(size=(4, 6)).astype(np.float32)
SEQUENCES = np.random.default_rng(2).normal(size=(2, 4, 6)).astype(np.float32)
TOKENS = np.asarray([[0, 2, 1, 4], [3, 3, 1, 0]], np.int32)
FIRST = IMAGES.transpose(0, 3, 1, 2)  # channels first


def flax(layer):
    def adapt(inputs):
        variables = layer.init(KEY, inputs)
        return adapters.flax(layer, variables), adapters.flax(layer, variables, inputs)

    return adapt


def nnx_layer(build):
    return lambda inputs: (adapters.nnx(build(nnx.Rngs(0))),)


def equinox(build):
    return lambda inputs: (adapters.equinox(build(KEY)),)


def haiku(layer):
    def adapt(inputs):
        transformed = hk.transform(lambda x: layer()(x))
        return (adapters.haiku(transformed, transformed.init(KEY, inputs)),)

    return adapt


def keras_layer(build):
    def adapt(inputs):
        model = keras.Sequential([build()])
        model(inputs)
        return (adapters.keras(model),)

    return adapt


class Tokens(eqx.Module):
    table: eqx.nn.Embedding

    def __call__(self, x):
        return jax.vmap(self.table)(x)


# By name: the adapter, inputs, and the axis of the units in the predictions.
LAYERS = {
    "flax dense": (flax(linen.Dense(UNITS)), VECTORS, -1),
    "flax conv": (flax(linen.Conv(UNITS, (3, 3))), IMAGES, -1),
    "flax transposed": (flax(linen.ConvTranspose(UNITS, (2, 2))), IMAGES, -1),
    "flax depthwise": (flax(linen.Conv(4, (3, 3), feature_group_count=2)), IMAGES, -1),
    "flax embedding": (flax(linen.Embed(5, UNITS)), TOKENS, -1),
    "nnx dense": (nnx_layer(lambda r: nnx.Linear(6, UNITS, rngs=r)), VECTORS, -1),
    "nnx heads": (nnx_layer(lambda r: nnx.LinearGeneral(6, (UNITS, 2), rngs=r)), VECTORS, 1),
    "nnx conv": (nnx_layer(lambda r: nnx.Conv(2, UNITS, (3, 3), rngs=r)), IMAGES, -1),
    "nnx depthwise": (
        nnx_layer(lambda r: nnx.Conv(2, 4, (3, 3), feature_group_count=2, rngs=r)),
        IMAGES,
        -1,
    ),
    "nnx transposed": (nnx_layer(lambda r: nnx.ConvTranspose(2, 3, (2, 2), rngs=r)), IMAGES, -1),
    "nnx embedding": (nnx_layer(lambda r: nnx.Embed(5, UNITS, rngs=r)), TOKENS, -1),
    "equinox dense": (equinox(lambda k: eqx.nn.Linear(6, UNITS, key=k)), VECTORS, 1),
    "equinox conv": (equinox(lambda k: eqx.nn.Conv2d(2, UNITS, 3, key=k)), FIRST, 1),
    "equinox depthwise": (equinox(lambda k: eqx.nn.Conv2d(2, 4, 3, groups=2, key=k)), FIRST, 1),
    "equinox transposed": (equinox(lambda k: eqx.nn.ConvTranspose2d(2, 3, 2, key=k)), FIRST, 1),
    "equinox embedding": (equinox(lambda k: Tokens(eqx.nn.Embedding(5, 3, key=k))), TOKENS, -1),
    "haiku dense": (haiku(lambda: hk.Linear(UNITS)), VECTORS, -1),
    "haiku conv": (haiku(lambda: hk.Conv2D(UNITS, 3)), IMAGES, -1),
    "haiku depthwise": (haiku(lambda: hk.DepthwiseConv2D(2, 3)), IMAGES, -1),
    "haiku transposed": (haiku(lambda: hk.Conv2DTranspose(UNITS, 2)), IMAGES, -1),
    "haiku embedding": (haiku(lambda: hk.Embed(5, UNITS)), TOKENS, -1),
    "keras dense": (keras_layer(lambda: keras.layers.Dense(UNITS)), VECTORS, -1),
    "keras heads": (
        keras_layer(lambda: keras.layers.EinsumDense("ab,bcd->acd", (UNITS, 2), bias_axes="cd")),
        VECTORS,
        1,
    ),
    "keras conv": (keras_layer(lambda: keras.layers.Conv2D(UNITS, 3)), IMAGES, -1),
    "keras depthwise": (keras_layer(lambda: keras.layers.DepthwiseConv2D(3)), IMAGES, -1),
    "keras transposed": (keras_layer(lambda: keras.layers.Conv2DTranspose(3, 2)), IMAGES, -1),
    "keras embedding": (keras_layer(lambda: keras.layers.Embedding(5, UNITS)), TOKENS, -1),
}


def scaled_along(array, axis, factors):
    shape = [1] * array.ndim
    shape[axis] = -1
    return array * np.reshape(factors, shape)


def slice_of(adapted, params, inputs):
    direction = random()(jax.random.key(3), Point(params, adapted.filter_axes))
    points = [jax.tree.map(lambda p, d, c=c: p + c * d, params, direction) for c in (-0.7, 0.4)]
    return np.stack([np.maximum(adapted.apply(p, inputs), 0) for p in points])


@pytest.mark.parametrize("name", LAYERS)
def test_rescaled_filters_rescale_the_filter_normalized_slice(name):
    adapt, inputs, output_axis = LAYERS[name]
    for adapted in adapt(inputs):
        params = jax.tree.map(lambda leaf: leaf + 0.3, adapted.params)  # no bias is zero
        leaves, structure = jax.tree.flatten(params)
        axes = structure.flatten_up_to(adapted.filter_axes)
        before = slice_of(adapted, params, inputs)
        factors = 2.0 ** np.arange(before[0].shape[output_axis])
        rescaled = []
        for leaf, axis in zip(leaves, axes, strict=True):
            bias_axis = next((n for n in range(leaf.ndim) if leaf.shape[n] == factors.size), 0)
            rescaled.append(scaled_along(leaf, bias_axis if axis is None else axis, factors))
        after = slice_of(adapted, jax.tree.unflatten(structure, rescaled), inputs)
        axis = output_axis % before[0].ndim + 1
        np.testing.assert_allclose(after, scaled_along(before, axis, factors), rtol=1e-4, atol=1e-4)
        assert sum(axis is not None for axis in axes) == 1
        assert np.std(before) > 0.05


class EquinoxAttention(eqx.Module):
    attention: eqx.nn.MultiheadAttention

    def __call__(self, x):
        return self.attention(x, x, x)


class KerasAttention(keras.Model):
    def __init__(self):
        super().__init__()
        self.attention = keras.layers.MultiHeadAttention(2, 3)

    def call(self, x):
        return self.attention(x, x)


def haiku_attention(x):
    initializer = hk.initializers.VarianceScaling()
    return hk.MultiHeadAttention(2, 3, w_init=initializer)(x, x, x)


def attention(library):
    if library == "flax":
        module = linen.MultiHeadDotProductAttention(2)
        return adapters.flax(module, module.init(KEY, SEQUENCES))
    if library == "flax by layer":
        module = linen.MultiHeadDotProductAttention(2)
        return adapters.flax(module, module.init(KEY, SEQUENCES), SEQUENCES)
    if library == "nnx":
        return adapters.nnx(nnx.MultiHeadAttention(2, 6, decode=False, rngs=nnx.Rngs(0)))
    if library == "equinox":
        return adapters.equinox(EquinoxAttention(eqx.nn.MultiheadAttention(2, 6, key=KEY)))
    if library == "haiku":
        transformed = hk.transform(haiku_attention)
        return adapters.haiku(transformed, transformed.init(KEY, SEQUENCES))
    model = KerasAttention()
    model(SEQUENCES)
    return adapters.keras(model)


@pytest.mark.parametrize("library", ["flax", "flax by layer", "nnx", "equinox", "haiku", "keras"])
def test_rescaled_heads_of_an_attention_change_no_slice(library):
    """Queries of a head times c, its keys divided by c: the scores are the same."""
    adapted = attention(library)
    leaves, structure = jax.tree_util.tree_flatten_with_path(adapted.params)
    axes = structure.flatten_up_to(adapted.filter_axes)
    paths = [jax.tree_util.keystr(path) for path, _ in leaves]
    weights = [n for n, axis in enumerate(axes) if axis is not None]
    if library == "keras":  # kernels in the order of their layers: query, key, value, output
        query, key = weights[:2]
    else:
        query, key = (next(n for n in weights if word in paths[n]) for word in ("query", "key"))
    rescaled = [leaf for _, leaf in leaves]
    for number, factors in ((query, [3.0, 0.5]), (key, [1 / 3, 2.0])):
        axis = axes[number]
        per_filter = np.repeat(factors, rescaled[number].shape[axis] // 2)
        rescaled[number] = scaled_along(rescaled[number], axis, per_filter)
    before = slice_of(adapted, adapted.params, SEQUENCES)
    after = slice_of(adapted, jax.tree.unflatten(structure, rescaled), SEQUENCES)
    np.testing.assert_allclose(after, before, rtol=1e-4, atol=1e-5)
    assert np.std(before) > 0.05


def test_cells_have_a_filter_per_gate_and_normalization_has_none():
    class Recurrent(linen.Module):
        @linen.compact
        def __call__(self, x):
            return linen.LayerNorm()(linen.RNN(linen.OptimizedLSTMCell(5))(x))

    variables = Recurrent().init(KEY, SEQUENCES)
    for inputs in (None, SEQUENCES):
        axes = adapters.flax(Recurrent(), variables, inputs).filter_axes
        assert axes["LayerNorm_0"] == {"scale": None, "bias": None}
        cell = axes["OptimizedLSTMCell_0"]
        assert {name: gate["kernel"] for name, gate in cell.items()} == dict.fromkeys(cell, 1)
    cell = adapters.equinox(
        EquinoxCell(eqx.nn.LSTMCell(6, 5, key=KEY), eqx.nn.LayerNorm(5))
    ).filter_axes
    assert (cell.cell.weight_ih, cell.cell.weight_hh, cell.cell.bias) == (0, 0, None)
    assert (cell.norm.weight, cell.norm.bias) == (None, None)
    model = keras.Sequential([keras.layers.LSTM(5), keras.layers.BatchNormalization()])
    model(SEQUENCES)
    assert list(adapters.keras(model).filter_axes.values()) == [1, 1, None, None, None]


class EquinoxCell(eqx.Module):
    cell: eqx.nn.LSTMCell
    norm: eqx.nn.LayerNorm

    def __call__(self, x):
        state = (jnp.zeros(5), jnp.zeros(5))
        state, _ = jax.lax.scan(lambda state, row: (self.cell(row, state), None), state, x)
        return self.norm(state[0])
