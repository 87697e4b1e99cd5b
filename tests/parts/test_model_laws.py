"""Laws that hold for every model of the menu."""

import functools
import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from model_cases import (
    ACTIVATIONS,
    CASES,
    WITH_ACTIVATION,
    case,
    inputs_of,
    menu_of_models,
    params_of,
    paths_of,
    perturbed,
    predict,
    predictions_shape,
)

from landscape.parts.models import scale_weights

# Laws over the menu.


def test_every_model_is_a_case():
    assert set(menu_of_models()) == set(CASES)


@pytest.mark.parametrize("name", CASES)
def test_init_depends_only_on_the_key(name):
    model, _, _ = case(name)
    one, same, other = (model.init(jax.random.key(seed)) for seed in (0, 0, 1))
    for path, leaf in paths_of(one).items():
        np.testing.assert_array_equal(leaf, paths_of(same)[path])
        drawn = path.endswith("weight") and leaf.ndim > 1
        assert bool(jnp.any(leaf != paths_of(other)[path])) == drawn
        assert leaf.dtype == jnp.float32
        assert not leaf.weak_type


@pytest.mark.parametrize("name", CASES)
def test_no_two_weights_start_alike(name):
    params = paths_of(params_of(name))
    weights = [w for path, w in params.items() if path.endswith("weight") and w.ndim > 1]
    numbers = np.concatenate([np.asarray(w).ravel() * math.sqrt(w[0].size) for w in weights])
    # A gain of 2 must not hide a repetition either.
    numbers = np.concatenate([numbers, numbers / math.sqrt(2)])
    assert len(set(np.round(numbers, 6))) > 0.99 * len(numbers)


@pytest.mark.parametrize("outputs", [1, 3])
@pytest.mark.parametrize("name", CASES)
def test_predictions_have_the_shape_of_the_task(name, outputs):
    factory, shape, options, _ = CASES[name]
    model = factory(shape, outputs, **options)
    for batch in (1, 4):
        params = jax.eval_shape(model.init, jax.random.key(0))
        found = jax.eval_shape(model.apply, params, inputs_of(shape, batch))
        assert found.shape == predictions_shape(name, batch, outputs)
        assert found.dtype == jnp.float32


@functools.cache
def _predictions_and_gradients(name, activations):
    # Compiled once for all these activations, the one to use chosen by its number.
    chosen = [jnp.int32(0)]
    switch = [ACTIVATIONS[activation] for activation in activations]
    model, shape, _ = case(name, activation=lambda x: jax.lax.switch(chosen[0], switch, x))

    def run(params, number):
        chosen[0] = number
        predictions, pull = jax.vjp(lambda p: model.apply(p, inputs_of(shape)), params)
        return predictions, pull(2 * predictions)[0]

    return jax.jit(run, compiler_options={"xla_backend_optimization_level": 0})


def _selected(request, name):
    """Returns the activations with which the session tests a model: the first tier has a few."""
    same = (item for item in request.session.items if item.path == request.node.path)
    cases = (
        item.callspec.params for item in same if item.originalname == request.function.__name__
    )
    return tuple(params["activation"] for params in cases if params["name"] == name)


@pytest.mark.parametrize("activation", ACTIVATIONS)
@pytest.mark.parametrize("name", WITH_ACTIVATION)
def test_every_activation_predicts_and_differentiates(name, activation, request):
    model, shape, outputs = case(name, activation=activation)
    params = params_of(name)
    shaped = jax.eval_shape(model.apply, params, inputs_of(shape))
    activations = _selected(request, name)
    number = activations.index(activation)
    predictions, gradients = _predictions_and_gradients(name, activations)(params, number)
    assert shaped.shape == predictions.shape == predictions_shape(name, 4, outputs)
    assert shaped.dtype == predictions.dtype == jnp.float32
    assert bool(jnp.all(jnp.isfinite(predictions)))
    assert len(set(np.asarray(predictions).ravel().round(5))) > 1
    assert jax.tree.structure(gradients) == jax.tree.structure(params)
    for leaf in jax.tree.leaves(gradients):
        assert bool(jnp.all(jnp.isfinite(leaf)))
    assert bool(jnp.any(list(paths_of(gradients).values())[-2] != 0))


@pytest.mark.parametrize("name", CASES)
def test_a_row_does_not_depend_on_its_batch(name):
    model, shape, _ = case(name)
    params = perturbed(params_of(name))
    inputs, others = inputs_of(shape), inputs_of(shape, seed=1)
    predict = jax.jit(model.apply)
    together = predict(params, inputs)
    for row in range(len(inputs)):
        found = predict(params, others.at[row].set(inputs[row]))[row]
        np.testing.assert_allclose(found, together[row], rtol=1e-5, atol=1e-6)
    alone = predict(params, inputs[:1])
    np.testing.assert_allclose(alone[0], together[0], rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("name", WITH_ACTIVATION)
def test_a_user_defined_activation_is_used_unchanged(name):
    named, shape, _ = case(name, activation="leaky_relu")
    own, _, _ = case(name, activation=lambda x: ACTIVATIONS["leaky_relu"](x))
    params = params_of(name)
    found, expected = (predict(model, params, inputs_of(shape)) for model in (own, named))
    np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize("name", CASES)
def test_filter_axes_have_the_structure_of_the_parameters(name):
    model, _, _ = case(name)
    params = params_of(name)
    axes = {}
    jax.tree.map(
        lambda leaf, axis: axes.setdefault(id(leaf), axis), params, model.filter_axes(params)
    )
    sizes = paths_of(params)
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
    model, shape, _ = case(name)
    params = params_of(name)
    inputs = inputs_of(shape)
    axes = model.filter_axes(params)
    head = (lambda p: p.dense.output) if name == "cnn" else (lambda p: p.output)
    changed = _scale_along(head(params).weight, head(axes).weight, 1, 3.0)
    leaves, structure = jax.tree.flatten(params)
    leaves = [changed if leaf is head(params).weight else leaf for leaf in leaves]
    before = predict(model, params, inputs)
    after = predict(model, jax.tree.unflatten(structure, leaves), inputs)
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
        ("cnn1d", "convolutions/0", "convolutions/1"),
        ("cnn1d", "convolutions/1", "output"),
    ],
)
def test_rescaling_a_relu_unit_along_its_filter_axis_changes_nothing(name, layer, following):
    model, shape, _ = case(name)
    params = perturbed(params_of(name))
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
    before, after = (predict(model, p, inputs_of(shape)) for p in (params, rescaled))
    assert float(jnp.std(before)) > 1e-3
    np.testing.assert_allclose(after, before, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("name", CASES)
def test_initialization_scales_every_weight_and_nothing_else(name):
    model, _, _ = case(name)
    params = perturbed(params_of(name))
    scaled = paths_of(scale_weights(model, params, 0.3))
    for path, leaf in paths_of(params).items():
        is_weight = path.endswith("weight") and leaf.ndim > 1
        expected = np.asarray(leaf) * np.float32(0.3) if is_weight else leaf
        np.testing.assert_array_equal(scaled[path], expected, err_msg=path)
