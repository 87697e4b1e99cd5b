"""Predictions and derivatives of models against NumPy and scipy."""

import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from model_cases import arrays_of, inputs_of, perturbed, predict
from scipy.signal import correlate2d

from landscape.errors import UserError
from landscape.parts.models.cnn import cnn
from landscape.parts.models.dense import linear, mlp
from landscape.parts.models.resnet import resnet
from landscape.parts.models.unet import unet

# Plain NumPy in float64, one example at a time.


def _relu(x):
    return np.maximum(x, 0)


def _convolve(p, path, x, stride=1):
    weight = p[f"{path}/weight"]
    pad = weight.shape[-1] // 2
    padded = np.pad(x, ((0, 0), (pad, pad), (pad, pad)))
    out = [sum(correlate2d(c, k, "valid") for c, k in zip(padded, f, strict=True)) for f in weight]
    return np.stack(out)[:, ::stride, ::stride] + p.get(f"{path}/bias", 0.0)


def _normalize(p, path, x, groups):
    y = x.reshape(groups, -1)
    y = (y - y.mean(1, keepdims=True)) / np.sqrt(y.var(1, keepdims=True) + 1e-5)
    scale, shift = (p[f"{path}/{name}"][:, None, None] for name in ("weight", "bias"))
    return scale * y.reshape(x.shape) + shift


def _resnet_forward(p, x, skip, blocks=3):
    def layer(path, x, stride=1):
        y = _convolve(p, f"{path}/convolution", x, stride)
        return _normalize(p, f"{path}/normalization", y, groups=math.gcd(len(y), 8))

    x = _relu(layer("stem", x))
    for i in range(blocks):
        stride = 2 if i * 3 // blocks > 0 and i % (blocks // 3) == 0 else 1
        y = layer(f"blocks/{i}/second", _relu(layer(f"blocks/{i}/first", x, stride)))
        if skip:
            shortcut = np.zeros_like(y)
            shortcut[: len(x)] = x[:, ::stride, ::stride]
            y = y + shortcut
        x = _relu(y)
    return p["output/weight"] @ x.mean((1, 2)) + p["output/bias"]


def _unet_forward(p, x, depth):
    def pair(path, x, stride=1):
        return _relu(
            _convolve(p, f"{path}/second", _relu(_convolve(p, f"{path}/first", x, stride)))
        )

    kept = [pair("down/0", x)]
    for level in range(depth):
        kept.append(pair(f"down/{level + 1}", kept[-1], 2))
    x = kept.pop()
    for level in range(depth):
        other = kept.pop()
        height, width = other.shape[1:]
        rows, columns = np.arange(height) // 2, np.arange(width) // 2
        x = pair(f"up/{level}", np.concatenate([other, x[:, rows][:, :, columns]]))
    return _convolve(p, "output", x)[0]


# Values against NumPy and scipy.


def test_linear_is_a_matrix_product():
    model = linear((2, 3, 2), 4)
    params = perturbed(model.init(jax.random.key(0)))
    p, inputs = arrays_of(params), inputs_of((2, 3, 2))
    expected = np.asarray(inputs, np.float64).reshape(4, 12) @ p["output/weight"].T
    found = predict(model, params, inputs)
    np.testing.assert_allclose(found, expected + p["output/bias"], rtol=1e-5, atol=1e-6)


def test_mlp_is_its_layers_in_order():
    model = mlp((3, 2), 2, widths=(7, 5), activation="tanh")
    params = perturbed(model.init(jax.random.key(0)))
    p, inputs = arrays_of(params), inputs_of((3, 2))
    x = np.asarray(inputs, np.float64).reshape(4, 6)
    for layer in ("layers/0", "layers/1"):
        x = np.tanh(x @ p[f"{layer}/weight"].T + p[f"{layer}/bias"])
    expected = x @ p["output/weight"].T + p["output/bias"]
    np.testing.assert_allclose(predict(model, params, inputs), expected, rtol=1e-5, atol=1e-6)


def test_mlp_without_widths_is_linear():
    one, other = mlp((4,), 2, widths=()), linear((4,), 2)
    params = one.init(jax.random.key(3))
    np.testing.assert_array_equal(
        predict(one, params, inputs_of((4,))),
        predict(other, other.init(jax.random.key(3)), inputs_of((4,))),
    )


@pytest.mark.parametrize(("kernel", "stride"), [(3, 2), (5, 2), (3, 1), (1, 3)])
@pytest.mark.parametrize("shape", [(2, 9, 6), (1, 8, 8)])
def test_cnn_is_convolutions_then_dense(shape, kernel, stride):
    options = {"channels": (3, 4), "kernel": kernel, "stride": stride, "widths": (5,)}
    if stride == 3:
        options["channels"] = (3,)
    model = cnn(shape, 2, **options)
    params = perturbed(model.init(jax.random.key(0)))
    p, inputs = arrays_of(params), inputs_of(shape, batch=2)
    for row, x in zip(predict(model, params, inputs), np.asarray(inputs, np.float64), strict=True):
        for i in range(len(options["channels"])):
            x = _relu(_convolve(p, f"convolutions/{i}", x, stride))
        x = _relu(p["dense/layers/0/weight"] @ x.ravel() + p["dense/layers/0/bias"])
        expected = p["dense/output/weight"] @ x + p["dense/output/bias"]
        np.testing.assert_allclose(row, expected, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize(("depth", "blocks", "skip"), [(8, 3, True), (8, 3, False), (14, 6, True)])
def test_resnet_is_its_published_forward(depth, blocks, skip):
    model = resnet((2, 9, 6), 3, depth=depth, width=4, skip=skip)
    params = perturbed(model.init(jax.random.key(0)))
    p, inputs = arrays_of(params), inputs_of((2, 9, 6), batch=2)
    for row, x in zip(predict(model, params, inputs), np.asarray(inputs, np.float64), strict=True):
        expected = _resnet_forward(p, x, skip, blocks)
        np.testing.assert_allclose(row, expected, rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize(("size", "depth"), [((9, 7), 2), ((8, 8), 1), ((13, 9), 3)])
def test_unet_is_its_published_forward_on_any_size(size, depth):
    model = unet((2, *size), 1, depth=depth, channels=3)
    params = perturbed(model.init(jax.random.key(0)))
    p, inputs = arrays_of(params), inputs_of((2, *size), batch=2)
    found = predict(model, params, inputs)
    assert found.shape == (2, *size)
    for row, x in zip(found, np.asarray(inputs, np.float64), strict=True):
        expected = _unet_forward(p, x, depth)
        np.testing.assert_allclose(row, expected, rtol=1e-3, atol=1e-3 * np.abs(expected).max())


def test_shortcuts_have_no_parameters_and_keep_the_initialization():
    with_skip, without = (resnet((1, 8, 8), 10, width=4, skip=skip) for skip in (True, False))
    one, other = with_skip.init(jax.random.key(0)), without.init(jax.random.key(0))
    assert jax.tree.structure(one) == jax.tree.structure(other)
    jax.tree.map(np.testing.assert_array_equal, one, other)


def test_without_its_residual_branch_a_block_is_the_identity():
    def silence(path, leaf):
        path = jax.tree_util.keystr(path, simple=True, separator="/")
        return 0 * leaf if "/second/normalization/" in path else leaf

    with_skip, without = (resnet((1, 8, 8), 3, width=4, skip=skip) for skip in (True, False))
    params = jax.tree_util.tree_map_with_path(silence, perturbed(with_skip.init(jax.random.key(0))))
    p, inputs = arrays_of(params), inputs_of((1, 8, 8), batch=2)
    for row, x in zip(predict(with_skip, params, inputs), np.asarray(inputs, float), strict=True):
        stem = _convolve(p, "stem/convolution", x)
        stem = _relu(_normalize(p, "stem/normalization", stem, groups=4))
        mean = np.zeros(16)
        mean[:4] = stem[:, ::4, ::4].mean((1, 2))
        expected = p["output/weight"] @ mean + p["output/bias"]
        np.testing.assert_allclose(row, expected, rtol=1e-4, atol=1e-5)
    cut = predict(without, params, inputs)
    np.testing.assert_allclose(cut, np.tile(p["output/bias"], (2, 1)), rtol=1e-6)


def test_a_class_of_unet_is_the_unet_of_its_mask():
    one, three = (unet((1, 4, 6), classes, depth=1, channels=2) for classes in (1, 3))
    params = perturbed(three.init(jax.random.key(0)))
    inputs = inputs_of((1, 4, 6), batch=2)
    logits = predict(three, params, inputs)
    assert logits.shape == (2, 4, 6, 3)
    leaves = jax.tree.leaves(params)
    like = jax.tree.leaves(jax.eval_shape(one.init, jax.random.key(0)))
    second = [a if a.shape == b.shape else a[1:2] for a, b in zip(leaves, like, strict=True)]
    of_class = jax.tree.unflatten(jax.tree.structure(one.init(jax.random.key(0))), second)
    found = predict(one, of_class, inputs)
    np.testing.assert_allclose(found, logits[..., 1], rtol=1e-5, atol=1e-5)


def test_unet_rejects_predictions_that_are_no_masks():
    with pytest.raises(UserError, match=r"predicts each of 8 x 8 pixels; .* shape \(10,\)"):
        unet((1, 8, 8), 10, output_shape=(10,))


def test_derivatives_of_a_linear_model_follow_the_formulas():
    """Of sum(c * (x W^T + b)): c^T x, the sum of c, c W; and of the mixed derivative."""
    rng = np.random.default_rng(4)
    x, c = rng.normal(size=(9, 5)).astype(np.float32), rng.normal(size=(9, 3)).astype(np.float32)
    model = linear((5,), 3)
    params = model.init(jax.random.key(0))

    def weighted(params, inputs):
        return jnp.sum(c * model.apply(params, inputs))

    by_params, by_inputs = jax.jit(jax.grad(weighted, (0, 1)))(params, x)
    np.testing.assert_allclose(by_params.output.weight, c.T @ x, rtol=1e-5, atol=1e-5)
    np.testing.assert_allclose(by_params.output.bias, c.sum(0), rtol=1e-5)
    weight = np.asarray(params.output.weight)
    np.testing.assert_allclose(by_inputs, c @ weight, rtol=1e-5, atol=1e-5)
    step = rng.normal(size=x.shape).astype(np.float32)
    mixed = jax.jvp(lambda inputs: jax.grad(weighted)(params, inputs), (x,), (step,))[1]
    np.testing.assert_allclose(mixed.output.weight, c.T @ step, rtol=1e-5, atol=1e-5)
