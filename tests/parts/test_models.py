import functools
import importlib
import inspect
import math
import pkgutil
import re
from itertools import pairwise
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.integrate import quad
from scipy.signal import correlate2d
from scipy.stats import norm

from landscape.errors import UserError
from landscape.parts import activations, models
from landscape.parts.models.cnn import cnn
from landscape.parts.models.dense import linear, mlp
from landscape.parts.models.resnet import resnet
from landscape.parts.models.unet import unet


def _public_functions(module):
    return {
        name: function
        for name, function in vars(module).items()
        if not name.startswith("_")
        and callable(function)
        and not inspect.isclass(function)
        and getattr(function, "__module__", None) == module.__name__
    }


def _menu():
    found = {}
    for module in pkgutil.iter_modules([str(Path(models.__file__).parent)]):
        if not module.name.startswith("_"):
            found |= _public_functions(importlib.import_module(f"{models.__name__}.{module.name}"))
    return found


ACTIVATIONS = _public_functions(activations)
# Small and odd on purpose: name -> (factory, input shape, options, outputs for shape (batch, …)).
CASES = {
    "linear": (linear, (5,), {}, 3),
    "mlp": (mlp, (5,), {"widths": (7, 6)}, 3),
    "cnn": (cnn, (2, 9, 6), {"channels": (4, 5), "widths": (6,)}, 3),
    "resnet": (resnet, (2, 9, 6), {"width": 4}, 3),
    "unet": (unet, (2, 9, 6), {"channels": 3}, 1),
}
WITH_ACTIVATION = [name for name in CASES if name != "linear"]


def _case(name, **options):
    factory, shape, defaults, outputs = CASES[name]
    return factory(shape, outputs, **defaults | options), shape, outputs


@functools.cache
def _params(name):
    return _case(name)[0].init(jax.random.key(0))


def _inputs(shape, batch=4, seed=0):
    return jnp.asarray(np.random.default_rng(seed).normal(size=(batch, *shape)), jnp.float32)


def _predictions_shape(name, batch, outputs):
    if name == "unet":
        return (batch, 9, 6)
    return (batch,) if outputs == 1 else (batch, outputs)


def _predict(model, params, inputs):
    return jax.jit(model.apply)(params, inputs)


def _count(params):
    return sum(leaf.size for leaf in jax.tree.leaves(params))


def _paths(params):
    leaves = jax.tree_util.tree_leaves_with_path(params)
    return {jax.tree_util.keystr(path, simple=True, separator="/"): leaf for path, leaf in leaves}


def _perturbed(params, seed=1):
    # Away from initialization, so that biases and normalization count in a comparison.
    rng = np.random.default_rng(seed)
    return jax.tree.map(
        lambda leaf: leaf + jnp.asarray(0.3 * rng.normal(size=leaf.shape), jnp.float32), params
    )


# Plain NumPy in float64, one example at a time.


def _arrays(params):
    return {path: np.asarray(leaf, np.float64) for path, leaf in _paths(params).items()}


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


# Laws over the menu.


def test_every_model_is_a_case():
    assert set(_menu()) == set(CASES)


@pytest.mark.parametrize("name", CASES)
def test_init_depends_only_on_the_key(name):
    model, _, _ = _case(name)
    one, same, other = (model.init(jax.random.key(seed)) for seed in (0, 0, 1))
    for path, leaf in _paths(one).items():
        np.testing.assert_array_equal(leaf, _paths(same)[path])
        drawn = path.endswith("weight") and leaf.ndim > 1
        assert bool(jnp.any(leaf != _paths(other)[path])) == drawn
        assert leaf.dtype == jnp.float32
        assert not leaf.weak_type


@pytest.mark.parametrize("name", CASES)
def test_no_two_weights_start_alike(name):
    params = _paths(_params(name))
    weights = [w for path, w in params.items() if path.endswith("weight") and w.ndim > 1]
    numbers = np.concatenate([np.asarray(w).ravel() * math.sqrt(w[0].size) for w in weights])
    # A gain of 2 must not hide a repetition either.
    numbers = np.concatenate([numbers, numbers / math.sqrt(2)])
    assert len(set(np.round(numbers, 6))) > 0.99 * len(numbers)


@pytest.mark.parametrize("outputs", [1, 3])
@pytest.mark.parametrize("name", CASES)
def test_predictions_have_the_shape_of_the_task(name, outputs):
    factory, shape, options, _ = CASES[name]
    if name == "unet" and outputs != 1:
        pytest.skip("one mask")
    model = factory(shape, outputs, **options)
    for batch in (1, 4):
        params = jax.eval_shape(model.init, jax.random.key(0))
        found = jax.eval_shape(model.apply, params, _inputs(shape, batch))
        assert found.shape == _predictions_shape(name, batch, outputs)
        assert found.dtype == jnp.float32


@functools.cache
def _predictions_and_gradients(name):
    # Compiled once for all activations, the one to use chosen by its number.
    chosen = [jnp.int32(0)]
    switch = list(ACTIVATIONS.values())
    model, shape, _ = _case(name, activation=lambda x: jax.lax.switch(chosen[0], switch, x))

    def run(params, number):
        chosen[0] = number
        predictions, pull = jax.vjp(lambda p: model.apply(p, _inputs(shape)), params)
        return predictions, pull(2 * predictions)[0]

    return jax.jit(run, compiler_options={"xla_backend_optimization_level": 0})


@pytest.mark.parametrize("activation", ACTIVATIONS)
@pytest.mark.parametrize("name", WITH_ACTIVATION)
def test_every_activation_predicts_and_differentiates(name, activation):
    model, shape, outputs = _case(name, activation=activation)
    params = _params(name)
    shaped = jax.eval_shape(model.apply, params, _inputs(shape))
    number = list(ACTIVATIONS).index(activation)
    predictions, gradients = _predictions_and_gradients(name)(params, number)
    assert shaped.shape == predictions.shape == _predictions_shape(name, 4, outputs)
    assert shaped.dtype == predictions.dtype == jnp.float32
    assert bool(jnp.all(jnp.isfinite(predictions)))
    assert len(set(np.asarray(predictions).ravel().round(5))) > 1
    assert jax.tree.structure(gradients) == jax.tree.structure(params)
    for leaf in jax.tree.leaves(gradients):
        assert bool(jnp.all(jnp.isfinite(leaf)))
    assert bool(jnp.any(list(_paths(gradients).values())[-2] != 0))


@pytest.mark.parametrize("name", CASES)
def test_a_row_does_not_depend_on_its_batch(name):
    model, shape, _ = _case(name)
    params = _perturbed(_params(name))
    inputs, others = _inputs(shape), _inputs(shape, seed=1)
    predict = jax.jit(model.apply)
    together = predict(params, inputs)
    for row in range(len(inputs)):
        found = predict(params, others.at[row].set(inputs[row]))[row]
        np.testing.assert_allclose(found, together[row], rtol=1e-5, atol=1e-6)
    alone = predict(params, inputs[:1])
    np.testing.assert_allclose(alone[0], together[0], rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("name", WITH_ACTIVATION)
def test_a_user_defined_activation_is_used_unchanged(name):
    named, shape, _ = _case(name, activation="leaky_relu")
    own, _, _ = _case(name, activation=lambda x: ACTIVATIONS["leaky_relu"](x))
    params = _params(name)
    found, expected = (_predict(model, params, _inputs(shape)) for model in (own, named))
    np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize("name", CASES)
def test_filter_axes_have_the_structure_of_the_parameters(name):
    model, _, _ = _case(name)
    params = _params(name)
    axes = {}
    jax.tree.map(
        lambda leaf, axis: axes.setdefault(id(leaf), axis), params, model.filter_axes(params)
    )
    sizes = _paths(params)
    for path, leaf in sizes.items():
        axis = axes[id(leaf)]
        if path.endswith("bias") or leaf.ndim == 1:
            assert axis is None
        else:
            assert type(axis) is int
            bias = sizes.get(path.removesuffix("weight") + "bias")
            assert bias is None or leaf.shape[axis] == bias.size


def _scale_along(array, axis, unit, factor):
    moved = np.moveaxis(np.array(array), axis, 0)
    moved[unit] *= factor
    return jnp.asarray(np.moveaxis(moved, 0, axis))


@pytest.mark.parametrize("name", ["linear", "mlp", "cnn", "resnet"])
def test_one_filter_of_the_output_determines_one_prediction(name):
    model, shape, _ = _case(name)
    params = _params(name)
    inputs = _inputs(shape)
    axes = model.filter_axes(params)
    head = (lambda p: p.dense.output) if name == "cnn" else (lambda p: p.output)
    changed = _scale_along(head(params).weight, head(axes).weight, 1, 3.0)
    leaves, structure = jax.tree.flatten(params)
    leaves = [changed if leaf is head(params).weight else leaf for leaf in leaves]
    before = _predict(model, params, inputs)
    after = _predict(model, jax.tree.unflatten(structure, leaves), inputs)
    expected = before * jnp.array([[1.0, 3.0, 1.0]] * 4)
    np.testing.assert_allclose(after, expected, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize(
    ("name", "layer", "following"),
    [
        ("mlp", "layers/0", "layers/1"),
        ("mlp", "layers/1", "output"),
        ("cnn", "convolutions/0", "convolutions/1"),
        ("unet", "down/0/first", "down/0/second"),
        ("unet", "up/1/second", "output"),
    ],
)
def test_rescaling_a_relu_unit_along_its_filter_axis_changes_nothing(name, layer, following):
    model, shape, _ = _case(name)
    params = _perturbed(_params(name))
    unit, factor = 2, 5.0

    def rescale(path, leaf, axis):
        path = jax.tree_util.keystr(path, simple=True, separator="/")
        if path == f"{layer}/weight":
            return _scale_along(leaf, axis, unit, factor)
        if path == f"{layer}/bias":
            return _scale_along(leaf, 0, unit, factor)
        if path == f"{following}/weight":
            assert axis == 0
            return _scale_along(leaf, 1, unit, 1 / factor)
        return leaf

    axes = model.filter_axes(params)
    rescaled = jax.tree_util.tree_map_with_path(rescale, params, axes)
    before, after = (_predict(model, p, _inputs(shape)) for p in (params, rescaled))
    assert float(jnp.std(before)) > 1e-3
    np.testing.assert_allclose(after, before, rtol=1e-4, atol=1e-5)


# Values against NumPy and scipy.


def test_linear_is_a_matrix_product():
    model = linear((2, 3, 2), 4)
    params = _perturbed(model.init(jax.random.key(0)))
    p, inputs = _arrays(params), _inputs((2, 3, 2))
    expected = np.asarray(inputs, np.float64).reshape(4, 12) @ p["output/weight"].T
    found = _predict(model, params, inputs)
    np.testing.assert_allclose(found, expected + p["output/bias"], rtol=1e-5, atol=1e-6)


def test_mlp_is_its_layers_in_order():
    model = mlp((3, 2), 2, widths=(7, 5), activation="tanh")
    params = _perturbed(model.init(jax.random.key(0)))
    p, inputs = _arrays(params), _inputs((3, 2))
    x = np.asarray(inputs, np.float64).reshape(4, 6)
    for layer in ("layers/0", "layers/1"):
        x = np.tanh(x @ p[f"{layer}/weight"].T + p[f"{layer}/bias"])
    expected = x @ p["output/weight"].T + p["output/bias"]
    np.testing.assert_allclose(_predict(model, params, inputs), expected, rtol=1e-5, atol=1e-6)


def test_mlp_without_widths_is_linear():
    one, other = mlp((4,), 2, widths=()), linear((4,), 2)
    params = one.init(jax.random.key(3))
    np.testing.assert_array_equal(
        _predict(one, params, _inputs((4,))),
        _predict(other, other.init(jax.random.key(3)), _inputs((4,))),
    )


@pytest.mark.parametrize(("kernel", "stride"), [(3, 2), (5, 2), (3, 1), (1, 3)])
@pytest.mark.parametrize("shape", [(2, 9, 6), (1, 8, 8)])
def test_cnn_is_convolutions_then_dense(shape, kernel, stride):
    options = {"channels": (3, 4), "kernel": kernel, "stride": stride, "widths": (5,)}
    if stride == 3:
        options["channels"] = (3,)
    model = cnn(shape, 2, **options)
    params = _perturbed(model.init(jax.random.key(0)))
    p, inputs = _arrays(params), _inputs(shape, batch=2)
    for row, x in zip(_predict(model, params, inputs), np.asarray(inputs, np.float64), strict=True):
        for i in range(len(options["channels"])):
            x = _relu(_convolve(p, f"convolutions/{i}", x, stride))
        x = _relu(p["dense/layers/0/weight"] @ x.ravel() + p["dense/layers/0/bias"])
        expected = p["dense/output/weight"] @ x + p["dense/output/bias"]
        np.testing.assert_allclose(row, expected, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize(("depth", "blocks", "skip"), [(8, 3, True), (8, 3, False), (14, 6, True)])
def test_resnet_is_its_published_forward(depth, blocks, skip):
    model = resnet((2, 9, 6), 3, depth=depth, width=4, skip=skip)
    params = _perturbed(model.init(jax.random.key(0)))
    p, inputs = _arrays(params), _inputs((2, 9, 6), batch=2)
    for row, x in zip(_predict(model, params, inputs), np.asarray(inputs, np.float64), strict=True):
        expected = _resnet_forward(p, x, skip, blocks)
        np.testing.assert_allclose(row, expected, rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize(("size", "depth"), [((9, 7), 2), ((8, 8), 1), ((13, 9), 3)])
def test_unet_is_its_published_forward_on_any_size(size, depth):
    model = unet((2, *size), 1, depth=depth, channels=3)
    params = _perturbed(model.init(jax.random.key(0)))
    p, inputs = _arrays(params), _inputs((2, *size), batch=2)
    found = _predict(model, params, inputs)
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
    params = jax.tree_util.tree_map_with_path(
        silence, _perturbed(with_skip.init(jax.random.key(0)))
    )
    p, inputs = _arrays(params), _inputs((1, 8, 8), batch=2)
    for row, x in zip(_predict(with_skip, params, inputs), np.asarray(inputs, float), strict=True):
        stem = _convolve(p, "stem/convolution", x)
        stem = _relu(_normalize(p, "stem/normalization", stem, groups=4))
        mean = np.zeros(16)
        mean[:4] = stem[:, ::4, ::4].mean((1, 2))
        expected = p["output/weight"] @ mean + p["output/bias"]
        np.testing.assert_allclose(row, expected, rtol=1e-4, atol=1e-5)
    cut = _predict(without, params, inputs)
    np.testing.assert_allclose(cut, np.tile(p["output/bias"], (2, 1)), rtol=1e-6)


# Counts and names.


def _resnet_count(channels, width, blocks, outputs):
    total = 9 * channels * width + 2 * width
    sizes = [width] + [width * factor for factor in (1, 2, 4) for _ in range(blocks)]
    for n, m in pairwise(sizes):
        total += 9 * n * m + 9 * m * m + 4 * m
    return total + sizes[-1] * outputs + outputs


@pytest.mark.parametrize(
    ("model", "expected"),
    [
        (linear((30,), 1), 31),
        (linear((1, 8, 8), 10), 650),
        (mlp((1, 8, 8), 10), 65 * 64 + 65 * 10),
        (mlp((13,), 3, widths=(20, 7)), 14 * 20 + 21 * 7 + 8 * 3),
        (cnn((1, 8, 8), 10), 10 * 16 + 145 * 32 + (32 * 2 * 2 + 1) * 64 + 65 * 10),
        (cnn((1, 28, 28), 10), 10 * 16 + 145 * 32 + (32 * 7 * 7 + 1) * 64 + 65 * 10),
        (cnn((3, 7, 5), 1, channels=(4,), kernel=5, widths=()), 76 * 4 + 4 * 4 * 3 + 1),
        (resnet((1, 8, 8), 10), _resnet_count(1, 16, 1, 10)),
        (resnet((3, 32, 32), 10, depth=20, skip=False), _resnet_count(3, 16, 3, 10)),
        (
            unet((1, 28, 28), 1, channels=4, depth=1),
            (9 + 1) * 4 + 37 * 4 + 37 * 8 + 73 * 8 + (9 * 12 + 1) * 4 + 37 * 4 + 5,
        ),
    ],
)
def test_the_number_of_parameters_matches_its_formula(model, expected):
    assert _count(jax.eval_shape(model.init, jax.random.key(0))) == expected


def test_resnet_20_has_the_size_that_was_published():
    # He et al. 2016, table 6: 0.27 million.
    params = jax.eval_shape(resnet((3, 32, 32), 10, depth=20).init, jax.random.key(0))
    assert round(_count(params) / 1e6, 2) == 0.27


@pytest.mark.parametrize(
    ("name", "path"),
    [
        ("linear", "output/weight"),
        ("mlp", "layers/0/weight"),
        ("cnn", "convolutions/1/bias"),
        ("cnn", "dense/layers/0/weight"),
        ("resnet", "blocks/2/second/normalization/weight"),
        ("unet", "up/1/first/weight"),
    ],
)
def test_paths_read_well(name, path):
    assert path in _paths(_params(name))


# Initialization.


@pytest.mark.parametrize(
    ("activation", "gain"),
    [
        ("relu", 2.0),
        ("identity", 1.0),
        ("selu", 1.0),
        ("step", 2.0),
        ("tanh", 1 / quad(lambda z: np.tanh(z) ** 2 * norm.pdf(z), -9, 9)[0]),
    ],
)
def test_weights_have_the_variance_that_suits_the_activation(activation, gain):
    params = mlp((400,), 300, widths=(500, 500), activation=activation).init(jax.random.key(0))
    for path, expected in [("layers/0", 1.0), ("layers/1", gain), ("output", 1.0)]:
        weight = _arrays(params)[f"{path}/weight"]
        assert abs(weight.mean()) < 5 / math.sqrt(weight.size * weight.shape[1])
        np.testing.assert_allclose(weight.var() * weight.shape[1], expected, rtol=0.02)
        assert not np.any(_arrays(params)[f"{path}/bias"])


def test_convolutions_count_every_input_of_a_filter():
    p = _arrays(cnn((3, 8, 8), 2, channels=(64, 128), kernel=5).init(jax.random.key(0)))
    np.testing.assert_allclose(p["convolutions/1/weight"].var(), 2 / (64 * 25), rtol=0.02)


@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_a_deep_network_keeps_the_scale_of_its_signal(activation):
    model = mlp((256,), 128, widths=(256,) * 10, activation=activation)
    predictions = _predict(model, model.init(jax.random.key(0)), _inputs((256,), batch=32))
    # The output layer has gain 1, so it hands on the mean square of the last hidden layer.
    z = np.random.default_rng(0).normal(size=100_000)
    expected = np.mean(np.square(ACTIVATIONS[activation](jnp.asarray(z, jnp.float32))))
    assert 0.2 < np.mean(np.square(predictions)) / expected < 5


# What does not fit.


@pytest.mark.parametrize("factory", [cnn, resnet, unet])
@pytest.mark.parametrize("shape", [(30,), (8, 8)])
def test_a_table_is_refused_with_a_hint_at_other_models(factory, shape):
    with pytest.raises(UserError, match="takes images") as caught:
        factory(shape, 1)
    assert "mlp" in str(caught.value)


@pytest.mark.parametrize(
    ("factory", "fits", "too_small", "options"),
    [
        (cnn, (1, 4, 4), (1, 4, 3), {}),
        (cnn, (1, 8, 8), (1, 7, 8), {"channels": (2, 2, 2)}),
        (cnn, (1, 1, 1), None, {"stride": 1}),
        (resnet, (1, 5, 5), (1, 8, 4), {}),
        (unet, (1, 4, 5), (1, 3, 8), {}),
        (unet, (1, 8, 8), (1, 7, 8), {"depth": 3}),
    ],
)
def test_an_image_too_small_is_refused_and_the_smallest_is_not(factory, fits, too_small, options):
    model = factory(fits, 1, **options)
    params = jax.eval_shape(model.init, jax.random.key(0))
    assert jax.eval_shape(model.apply, params, _inputs(fits)).shape[0] == 4
    if too_small is not None:
        with pytest.raises(UserError, match="pixels"):
            factory(too_small, 1, **options)


@pytest.mark.parametrize("name", WITH_ACTIVATION)
def test_an_unknown_activation_suggests_the_nearest(name):
    with pytest.raises(UserError, match="no activation is named 'rleu'") as caught:
        _case(name, activation="rleu")
    assert "`relu`" in str(caught.value)


@pytest.mark.parametrize("activation", ["jnp", "_relu", "sine", "", None, ["relu"]])
def test_only_the_menu_of_activations_has_names(activation, monkeypatch):
    monkeypatch.setattr(activations, "sine", jnp.sin, raising=False)
    with pytest.raises(UserError, match="no activation"):
        mlp((3,), 1, activation=activation)


@pytest.mark.parametrize(
    "activation", [lambda x: 0 * x, lambda x: x / 0.0, lambda x: jnp.sum(x), jnp.exp2]
)
def test_an_activation_that_cannot_be_rescaled_is_refused(activation):
    if activation is jnp.exp2:
        assert mlp((3,), 1, activation=activation)
        return
    with pytest.raises(UserError, match="activation"):
        mlp((3,), 1, activation=activation)


@pytest.mark.parametrize(
    ("factory", "shape", "options", "message"),
    [
        (mlp, (3,), {"widths": 64}, r"is 64; expected a list .*\n.*\[64\]"),
        (mlp, (3,), {"widths": (8, 0)}, r"`widths\[1\]` is 0; expected"),
        (mlp, (3,), {"widths": (-8,)}, r"`widths\[0\]` is -8; expected"),
        (mlp, (3,), {"widths": (8.0,)}, r"`widths\[0\]` is 8.0; expected"),
        (mlp, (3,), {"widths": (True,)}, r"`widths\[0\]` is True; expected"),
        (mlp, (3,), {"widths": "64"}, "is '64'; expected a list"),
        (cnn, (1, 8, 8), {"channels": ()}, "`channels` is empty"),
        (cnn, (1, 8, 8), {"kernel": 4}, "odd"),
        (cnn, (1, 8, 8), {"stride": 0}, "`stride`"),
        (resnet, (1, 8, 8), {"depth": 10}, r"is 10; expected 6 n \+ 2 .*\n.*use 8"),
        (resnet, (1, 8, 8), {"depth": 2}, r"is 2; expected 6 n \+ 2 .*\n.*use 8"),
        (resnet, (1, 8, 8), {"depth": 18}, r"is 18; .*\n.*use 20"),
        (resnet, (1, 8, 8), {"width": 0}, "`width`"),
        (resnet, (1, 8, 8), {"skip": "no"}, "`skip`"),
        (unet, (1, 8, 8), {"depth": 0}, "`depth`"),
        (unet, (1, 8, 8), {"channels": 1.5}, "`channels`"),
    ],
)
def test_a_bad_option_is_refused(factory, shape, options, message):
    with pytest.raises(UserError) as caught:
        factory(shape, 1, **options)
    assert re.search(message, str(caught.value))


def test_unet_predicts_one_mask():
    with pytest.raises(UserError, match="one mask, the dataset has 10 outputs"):
        unet((1, 8, 8), 10)


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
