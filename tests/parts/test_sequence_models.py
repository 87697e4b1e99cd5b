"""Models of series and tokens against NumPy in float64."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from model_cases import arrays_of, inputs_of, perturbed, predict
from scipy.special import softmax

from landscape.errors import UserError
from landscape.parts.models.cnn1d import cnn1d
from landscape.parts.models.dense import mlp
from landscape.parts.models.transformer import transformer

TIME, VOCABULARY = 6, 5


def tokens(batch=3):
    return jnp.asarray(np.random.default_rng(0).integers(0, VOCABULARY, (batch, TIME)), jnp.int32)


def _affine(p, path, x):
    return x @ p[f"{path}/weight"].T + p[f"{path}/bias"]


def _normalize(p, path, x):
    y = (x - x.mean(-1, keepdims=True)) / np.sqrt(x.var(-1, keepdims=True) + 1e-5)
    return p[f"{path}/weight"] * y + p[f"{path}/bias"]


def _embedded(p, x):
    if "tokens/weight" not in p:
        return np.asarray(x, np.float64)
    return np.stack([np.sqrt(VOCABULARY) * p["tokens/weight"][:, token] for token in x])


def _attention(p, path, x, heads, causal):
    query, key, value = (_affine(p, f"{path}/{name}", x) for name in ("query", "key", "value"))
    size = x.shape[1] // heads
    mixed = np.zeros_like(x)
    for head in range(heads):
        columns = slice(head * size, (head + 1) * size)
        for i in range(len(x)):
            seen = i + 1 if causal else len(x)
            scores = key[:seen, columns] @ query[i, columns] / np.sqrt(size)
            mixed[i, columns] = softmax(scores) @ value[:seen, columns]
    return _affine(p, f"{path}/attended", mixed)


def _transformer(p, x, heads, causal, pooled):
    x = _embedded(p, x)
    x = _affine(p, "series", x) if "series/weight" in p else x
    for i in range(len(x)):
        for j in range(x.shape[1]):
            angle = i / 10000 ** (2 * (j // 2) / x.shape[1])
            x[i, j] += np.sin(angle) if j % 2 == 0 else np.cos(angle)
    x = x + _attention(p, "blocks/0", _normalize(p, "blocks/0/first_norm", x), heads, causal)
    hidden = _affine(p, "blocks/0/expand", _normalize(p, "blocks/0/second_norm", x))
    x = x + _affine(p, "blocks/0/contract", np.maximum(hidden, 0))
    x = _normalize(p, "norm", x)
    return _affine(p, "output", x.mean(0) if pooled else x)


def _cnn1d(p, x, pooled):
    x = _embedded(p, x)
    for layer in ("convolutions/0", "convolutions/1"):
        weight, kernel = p[f"{layer}/weight"], p[f"{layer}/weight"].shape[-1]
        before = kernel // 2 if pooled else kernel - 1
        padded = np.pad(x, ((before, kernel), (0, 0)))
        windows = (padded[i : i + kernel] for i in range(len(x)))
        x = np.stack([np.einsum("kc,ock->o", w, weight) + p[f"{layer}/bias"] for w in windows])
        x = np.maximum(x, 0)
    return _affine(p, "output", x.mean(0) if pooled else x)


FORWARD = {
    "transformer": lambda p, x, pooled: _transformer(p, x, 2, not pooled, pooled),
    "cnn1d": _cnn1d,
}
FACTORIES = {
    "transformer": lambda *shapes, **options: transformer(
        *shapes, depth=1, width=4, heads=2, activation="relu", **options
    ),
    "cnn1d": lambda *shapes, **options: cnn1d(*shapes, channels=(4, 3), kernel=3, **options),
}


@pytest.mark.parametrize("pooled", [True, False])
@pytest.mark.parametrize("name", FACTORIES)
def test_predictions_equal_numpy(name, pooled):
    # Series as a whole, and tokens for each position without those after it.
    if pooled:
        shape, x, output_shape, options = (TIME, 2), inputs_of((TIME, 2), batch=3), (3,), {}
    else:
        shape, x, output_shape, options = (TIME,), tokens(), (TIME, 3), {"vocabulary": VOCABULARY}
        options |= {"causal": True}
    model = FACTORIES[name](shape, 3, output_shape=output_shape, **options)
    params = perturbed(model.init(jax.random.key(0)))
    p = arrays_of(params)
    expected = [FORWARD[name](p, row, pooled) for row in np.asarray(x)]
    np.testing.assert_allclose(predict(model, params, x), expected, rtol=1e-4, atol=1e-4)


def test_the_first_values_of_tokens_have_variance_one():
    model = transformer((TIME,), 3, vocabulary=50, width=64)
    weight = arrays_of(model.init(jax.random.key(0)))["tokens/weight"]
    assert weight.shape == (64, 50)
    np.testing.assert_allclose(np.var(np.sqrt(50) * weight), 1.0, rtol=0.1)


def test_a_head_of_any_shape_holds_its_outputs_in_order():
    flat, shaped = mlp((4,), 6), mlp((4,), 6, output_shape=(2, 3))
    params = flat.init(jax.random.key(0))
    x = inputs_of((4,))
    found = predict(shaped, shaped.init(jax.random.key(0)), x)
    np.testing.assert_array_equal(found, np.reshape(predict(flat, params, x), (4, 2, 3)))


@pytest.mark.parametrize("factory", [cnn1d, transformer])
@pytest.mark.parametrize(("shape", "vocabulary"), [((1, 8, 8), None), ((8,), None), ((8, 2), 5)])
def test_other_inputs_than_series_and_tokens_are_rejected(factory, shape, vocabulary):
    with pytest.raises(UserError, match=r"takes series .time, channels. or tokens"):
        factory(shape, 2, vocabulary=vocabulary)


def test_heads_that_do_not_divide_the_width_are_rejected():
    with pytest.raises(UserError, match="multiple of `heads`"):
        transformer((8, 2), 2, width=6, heads=4)
