"""Models of Equinox, Flax and Keras against NumPy, and against each other."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from library_models import BUILDERS, FEATURES, MOMENTUM, WIDTH, numbers

from landscape.numerics.loss import Loss, Targets
from landscape.numerics.risk import Examples
from landscape.numerics.slices import PointMeasure, slicer
from landscape.parts.models import ModelShapes, as_model

SHAPES = ModelShapes((FEATURES,), 1, ())
LIBRARIES = list(BUILDERS)
EPSILON = 1e-5


@pytest.fixture(autouse=True)
def _promotion_of_the_libraries():
    with jax.numpy_dtype_promotion("standard"), jax.numpy_rank_promotion("allow"):
        yield


@functools.cache
def case(library, rate=0.0):
    model = as_model(BUILDERS[library], {"rate": rate}, SHAPES)
    key = jax.random.key(1)
    return model, model.init(key), model.init_state(key)


def inputs(seed=5, count=16):
    random = np.random.default_rng(seed)
    return jnp.asarray(random.normal(0.5, 2.0, (count, FEATURES)), jnp.float32)


def forward(weights, x, mean, var):
    """The network in float64 with these statistics of the hidden units."""
    kernel, bias, scale, shift, output, offset, _, _ = weights
    hidden = np.asarray(x, np.float64) @ kernel + bias
    hidden = scale * (hidden - mean) / np.sqrt(var + EPSILON) + shift
    return (np.maximum(hidden, 0) @ output + offset)[:, 0]


def statistics(weights, x):
    hidden = np.asarray(x, np.float64) @ weights[0] + weights[1]
    return hidden.mean(0), hidden.var(0)


@pytest.mark.parametrize("library", LIBRARIES)
def test_training_updates_the_statistics_that_evaluation_uses(library):
    model, params, state = case(library)
    weights, x = numbers(library, params, state), inputs()
    mean, var = statistics(weights, x)
    predictions, updated = model.training.apply(params, x, state, jax.random.key(0))
    np.testing.assert_allclose(predictions, forward(weights, x, mean, var), rtol=1e-4, atol=1e-5)
    expected = np.stack([(1 - MOMENTUM) * mean, MOMENTUM + (1 - MOMENTUM) * var])
    if library == "equinox":  # which divides averages by 1 - momentum^steps
        expected /= 1 - MOMENTUM
    stored = numbers(library, params, updated)[-2:]
    np.testing.assert_allclose(stored, expected, rtol=1e-4, atol=1e-5)
    evaluated = model.predict(params, x, updated)
    np.testing.assert_allclose(evaluated, forward(weights, x, *stored), rtol=1e-4, atol=1e-5)
    recomputed = model.training.recompute(params, x, updated)
    np.testing.assert_allclose(recomputed, forward(weights, x, mean, var), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("library", LIBRARIES)
def test_dropout_depends_on_the_key_in_training_alone(library):
    model, params, state = case(library, rate=0.5)
    x = inputs()
    one, same, other = (
        np.asarray(model.training.apply(params, x, state, jax.random.key(n))[0]) for n in (0, 0, 1)
    )
    np.testing.assert_array_equal(one, same)
    assert np.mean(one != other) > 0.5
    plain, _, plain_state = case(library)
    for apply in (lambda m: m.predict, lambda m: m.training.recompute):
        pairs = (model, state), (plain, plain_state)
        np.testing.assert_array_equal(*(apply(m)(params, x, s) for m, s in pairs))


@pytest.mark.parametrize("library", LIBRARIES)
def test_init_depends_only_on_the_key(library):
    model, params, _ = case(library)
    shapes = jax.eval_shape(model.init, jax.random.key(1))
    again, other = model.init(jax.random.key(1)), model.init(jax.random.key(2))
    for leaf, shape, same, different in zip(
        *map(jax.tree.leaves, (params, shapes, again, other)), strict=True
    ):
        np.testing.assert_array_equal(leaf, same)
        assert (leaf.shape, leaf.dtype) == (shape.shape, shape.dtype)
        assert leaf.ndim < 2 or bool(jnp.any(leaf != different))


@pytest.mark.parametrize("library", LIBRARIES)
def test_scaling_a_filter_before_batch_normalization_changes_nothing(library):
    # Along its filter axis: Li et al. 2018, section 4.
    model, params, state = case(library)
    axes = jax.tree.structure(params).flatten_up_to(model.filter_axes(params))
    leaves, structure = jax.tree.flatten(params)
    chosen = [n for n, leaf in enumerate(leaves) if leaf.ndim == 2 and WIDTH in leaf.shape]
    hidden = next(n for n in chosen if FEATURES in leaves[n].shape)
    assert [axis is not None for axis in axes] == [n in chosen for n in range(len(leaves))]
    moved = np.moveaxis(np.array(leaves[hidden]), axes[hidden], 0)
    moved[2] *= 3.0
    leaves[hidden] = jnp.asarray(np.moveaxis(moved, 0, axes[hidden]))
    scaled = jax.tree.unflatten(structure, leaves)
    before, after = (model.training.recompute(p, inputs(), state) for p in (params, scaled))
    np.testing.assert_allclose(after, before, rtol=1e-3, atol=1e-3)
    assert not np.allclose(model.predict(scaled, inputs(), state), before, atol=1e-2)


def test_the_same_weights_give_the_same_slice_in_equinox_and_flax():
    examples = Examples(inputs(), Targets(jnp.sign(inputs(6)[:, 0])))
    loss = Loss(lambda predictions, targets: jnp.square(predictions - targets))
    coordinates = np.linspace(-1, 1, 7, dtype=np.float32)[:, None]
    (flax, params, state), (equinox, like, equinox_state) = case("linen"), case("equinox")
    direction = jax.tree.map(lambda a: jnp.cos(jnp.arange(a.size)).reshape(a.shape), params)

    def risks(model, state, *trees):
        measure = slicer(PointMeasure(model, [], 10, gradients=False))
        at = examples._replace(state=state)
        return measure(loss, trees[0], [(trees[1],)], coordinates, at)["risk"]

    in_flax = risks(flax, state, params, direction)
    trees = (_as_equinox(like, tree) for tree in (params, direction))
    in_equinox = risks(equinox, equinox_state, *trees)
    assert np.ptp(in_flax) > 0.1
    np.testing.assert_allclose(in_equinox, in_flax, rtol=1e-5)


def _as_equinox(like, tree):
    hidden, norm, output = (tree[name] for name in ("Dense_0", "BatchNorm_0", "Dense_1"))
    leaves = [hidden["kernel"].T, hidden["bias"], norm["scale"], norm["bias"]]
    leaves += [output["kernel"].T, output["bias"]]
    return jax.tree.unflatten(jax.tree.structure(like), leaves)
