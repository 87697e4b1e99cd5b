"""Trained modules of Flax, Equinox, Haiku and Keras as functions, against NumPy."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import one_cnn
import pytest
from flax import linen, nnx
from one_cnn import IMAGES, LABELS, LIBRARIES, WEIGHTS, images_for, in_numpy, params_for

from landscape import adapters
from landscape.errors import UserError
from landscape.numerics.loss import Loss, Targets
from landscape.numerics.risk import Examples
from landscape.numerics.slices import PointMeasure, slicer

KEY = jax.random.key(0)
adapted = functools.cache(one_cnn.adapted)


def filter_normalized(axes, seed=1):
    """A Gaussian direction with the norm of every filter, by the axes of the layout of Flax."""
    random = np.random.default_rng(seed)
    direction = {}
    for name, weight in WEIGHTS.items():
        drawn = random.normal(size=weight.shape)
        axis = axes[name]
        others = tuple(n for n in range(weight.ndim) if n != axis)
        norms = [np.sqrt((v**2).sum(axis=others, keepdims=True)) for v in (weight, drawn)]
        direction[name] = 0 * drawn if axis is None else drawn * norms[0] / norms[1]
    return {name: value.astype(np.float32) for name, value in direction.items()}


def cross_entropy(logits, labels):
    shifted = logits - logits.max(axis=1, keepdims=True)
    return np.log(np.exp(shifted).sum(1)) - shifted[np.arange(len(labels)), labels]


AXES = dict.fromkeys(WEIGHTS) | {"kernel": 3, "dense": 1}
DIRECTION = filter_normalized(AXES)
COORDINATES = np.linspace(-1, 1, 5)


# Dropout of Haiku is a function, which cannot be switched off for recomputed statistics.
MODES = [(library, "frozen") for library in LIBRARIES]
MODES += [(library, "recomputed") for library in LIBRARIES if library != "haiku"]


@pytest.mark.parametrize(("library", "statistics"), MODES)
def test_the_same_weights_give_the_slice_of_numpy(library, statistics):
    model = adapted(library).with_batch_statistics(statistics)
    assert model.description.endswith(f"evaluation mode, batch statistics {statistics}")
    onehot = np.eye(one_cnn.CLASSES, dtype=np.float32)[LABELS]
    loss = Loss(lambda predictions, t: -jnp.sum(t * jax.nn.log_softmax(predictions), axis=1))
    examples = Examples(jnp.asarray(images_for(library)), Targets(jnp.asarray(onehot)))
    direction = params_for(library, DIRECTION, model.params)
    direction = jax.tree.map(jnp.asarray, direction)
    measure = slicer(PointMeasure(model.model, [], len(IMAGES), gradients=False))
    at = examples._replace(state=model.state)
    coordinates = COORDINATES.astype(np.float32)[:, None]
    risks = measure(loss, model.params, [(direction,)], coordinates, at)["risk"]
    expected = [
        cross_entropy(
            in_numpy(
                {n: WEIGHTS[n] + c * DIRECTION[n].astype(float) for n in WEIGHTS},
                IMAGES,
                statistics == "recomputed",
            ),
            LABELS,
        ).mean()
        for c in COORDINATES
    ]
    assert np.ptp(expected) > 0.1
    np.testing.assert_allclose(np.ravel(risks), expected, rtol=1e-5)


@pytest.mark.parametrize("library", LIBRARIES)
def test_only_convolution_and_dense_layer_have_filters(library):
    model = adapted(library)
    leaves, structure = jax.tree.flatten(model.params)
    axes = structure.flatten_up_to(model.filter_axes)
    weights = [(leaf, axis) for leaf, axis in zip(leaves, axes, strict=True) if axis is not None]
    filters = sorted((leaf.size, leaf.shape[axis]) for leaf, axis in weights)
    assert filters == [(WEIGHTS["dense"].size, one_cnn.CLASSES), (WEIGHTS["kernel"].size, 4)]


@pytest.mark.parametrize("library", LIBRARIES)
def test_training_mode_has_dropout_and_updates_the_statistics(library):
    model = adapted(library)
    images = images_for(library)
    state = model.training.init(KEY)
    one, other = (
        model.training.apply(model.params, images, state, jax.random.key(n)) for n in (0, 1)
    )
    assert np.abs(one[0] - other[0]).max() > 1e-3
    before, after = (jax.tree.leaves(tree) for tree in (state, one[1]))
    assert any(np.any(np.asarray(a) != np.asarray(b)) for a, b in zip(before, after, strict=True))
    frozen = model.apply(model.params, images)
    np.testing.assert_allclose(frozen, in_numpy(WEIGHTS, IMAGES), rtol=1e-4, atol=1e-5)
    np.testing.assert_array_equal(model.apply(model.params, images, model.state), frozen)


def test_an_nnx_module_stays_in_its_mode_with_its_variables():
    module = one_cnn.nnx_module()
    module.train()
    before = jax.tree.map(np.array, nnx.to_pure_dict(nnx.state(module, nnx.Not(nnx.RngState))))
    model = adapters.nnx(module)
    model.training.apply(model.params, IMAGES, model.state, KEY)
    assert module.norm.use_running_average is False and module.dropout.deterministic is False
    after = nnx.to_pure_dict(nnx.state(module, nnx.Not(nnx.RngState)))
    jax.tree.map(np.testing.assert_array_equal, before, after)


def test_arrays_of_numpy_are_copied():
    variables = one_cnn.linen_variables()
    kernel = np.array(variables["params"]["Dense_0"]["kernel"])
    variables["params"]["Dense_0"]["kernel"] = kernel
    model = adapters.flax(one_cnn.LinenNet(), variables)
    kernel += 100
    np.testing.assert_array_equal(model.params["Dense_0"]["kernel"], WEIGHTS["dense"])


class Scaled(linen.Module):
    @linen.compact
    def __call__(self, x):
        step = self.param("step", lambda key: jnp.asarray([2, 3], jnp.int32))
        return linen.Dense(1)(x * step)


def test_integers_among_the_parameters_are_constants():
    x = np.ones((3, 2), np.float32)
    variables = Scaled().init(KEY, x)
    model = adapters.flax(Scaled(), variables)
    assert {leaf.dtype for leaf in jax.tree.leaves(model.params)} == {np.dtype(np.float32)}
    assert (model.training, model.state) == (None, None)
    kernel = np.asarray(variables["params"]["Dense_0"]["kernel"])
    np.testing.assert_allclose(model.apply(model.params, x)[0], [2, 3] @ kernel, rtol=1e-6)


class Table(linen.Module):
    @linen.compact
    def __call__(self, x):
        table = self.param("table", linen.initializers.ones, (4, 3))
        return linen.Dense(1)(x @ table)


VECTORS = np.ones((2, 4), np.float32)


@pytest.mark.parametrize(
    ("choice", "axis"), [("first", 0), ("last", 1), (lambda p: jax.tree.map(lambda _: -1, p), 1)]
)
def test_the_axis_of_an_unknown_weight_is_the_one_that_is_stated(choice, axis):
    model = adapters.flax(Table(), Table().init(KEY, VECTORS), filter_axes=choice)
    assert model.filter_axes["table"] == axis


class Custom(linen.Module):
    """Its kernel has the outputs first, which only its class shows."""

    @linen.compact
    def __call__(self, x):
        return x @ self.param("kernel", linen.initializers.ones, (3, 4)).T


def test_example_inputs_recognize_layers_by_class():
    variables = Custom().init(KEY, VECTORS)
    assert adapters.flax(Custom(), variables).filter_axes == {"kernel": 1}
    with pytest.raises(UserError, match=r"not known for `kernel` \(3, 4\)"):
        adapters.flax(Custom(), variables, VECTORS)
