"""What a config may name as a model, and what is refused with which advice."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import linen, nnx

from landscape.errors import UserError
from landscape.parts.models import Model, ModelShapes, as_model

SHAPES = ModelShapes((4,), 1, ())
KEY = jax.random.key(0)


def axes_of(model):
    return model.filter_axes(jax.eval_shape(model.init, KEY))


def pair_init(key, inputs):
    return {"w": jax.random.normal(key, (inputs.shape[1], 1)), "b": jnp.zeros((1, 1))}


def pair_apply(params, rng, inputs):
    return inputs @ params["w"] + params["b"]


def test_an_instance_of_equinox_keeps_its_weights_for_every_seed():
    instance = eqx.nn.MLP(4, 1, 3, 1, key=jax.random.key(7))
    model = as_model(instance, {}, SHAPES)
    for seed in (0, 1):
        params = model.init(jax.random.key(seed))
        np.testing.assert_array_equal(params.layers[0].weight, instance.layers[0].weight)
    assert axes_of(model).layers[1].weight == 0


def test_a_function_gets_shapes_by_position_or_by_name_and_keys_by_name():
    calls = {}

    def net(shape, count, *, output_shape, key, width=2):
        calls.update(shape=shape, count=count, output_shape=output_shape, width=width)
        return eqx.nn.MLP(shape[0], count, width, 1, key=key)

    model = as_model(net, {"width": 5}, SHAPES)
    assert calls == {"shape": (4,), "count": 1, "output_shape": (), "width": 5}
    one, other = (model.init(jax.random.key(seed)).layers[0].weight for seed in (0, 1))
    assert one.shape == (5, 4)
    assert bool(jnp.any(one != other))


class DropoutByKey(eqx.Module):
    """Reads a missing key as evaluation, as modules with an optional key may."""

    layer: eqx.nn.Linear

    def __init__(self, *, key):
        self.layer = eqx.nn.Linear(4, 1, key=key)

    def __call__(self, x, key=None):
        return self.layer(x if key is None else 2 * x)


def test_a_module_with_an_optional_key_gets_none_in_evaluation():
    model = as_model(DropoutByKey, {}, SHAPES)
    params, x = model.init(KEY), np.ones((3, 4), np.float32)
    weight, bias = np.asarray(params.layer.weight), np.asarray(params.layer.bias)
    np.testing.assert_allclose(model.predict(params, x, ()), (x @ weight.T + bias)[:, 0], rtol=1e-6)
    trained, _ = model.training.apply(params, x, (), KEY)
    np.testing.assert_allclose(trained, (2 * x @ weight.T + bias)[:, 0], rtol=1e-6)


def test_a_pair_is_called_with_the_arguments_that_it_names():
    model = as_model((pair_init, pair_apply), {}, SHAPES, "last")
    params = model.init(KEY)
    x = np.ones((3, 4), np.float32)
    expected = x @ np.asarray(params["w"])[:, 0]
    np.testing.assert_allclose(model.predict(params, x, ()), expected, rtol=1e-6)
    assert axes_of(model) == {"w": 1, "b": 1}


def test_flax_and_keras_get_images_with_channels_last():
    class Mean(linen.Module):
        @linen.compact
        def __call__(self, x):
            return linen.Dense(2)(jnp.mean(x, axis=(1, 2)))

    model = as_model(Mean(), {}, ModelShapes((3, 5, 6), 2, (2,)))
    params = jax.eval_shape(model.init, KEY)
    assert params["Dense_0"]["kernel"].shape == (3, 2)
    x = jax.ShapeDtypeStruct((7, 3, 5, 6), jnp.float32)
    assert jax.eval_shape(model.predict, params, x).shape == (7, 2)


class Unknown(linen.Module):
    @linen.compact
    def __call__(self, x):
        table = self.param("table", linen.initializers.ones, (4, 3))
        return linen.Dense(1)(x @ table)


@pytest.mark.parametrize(
    ("choice", "axis"), [("first", 0), ("last", 1), (lambda p: jax.tree.map(lambda _: -1, p), 1)]
)
def test_the_axis_of_an_unknown_weight_is_the_one_that_is_stated(choice, axis):
    axes = axes_of(as_model(Unknown, {}, SHAPES, choice))
    assert axes["table"] == axis
    assert axes["Dense_0"]["kernel"] == 1


class Blind(linen.Module):
    @linen.compact
    def __call__(self, x):
        return linen.BatchNorm(use_running_average=False)(x)


class TwoAxes(eqx.Module):
    first: eqx.nn.BatchNorm
    second: eqx.nn.BatchNorm

    def __init__(self):
        self.first, self.second = (
            eqx.nn.BatchNorm(4, name, mode="batch") for name in ("batch", "rows")
        )

    def __call__(self, x, state):
        return x, state


def stateful_without_state():
    return eqx.nn.make_with_state(TwoAxes)()[0]


@pytest.mark.parametrize(
    ("value", "choice", "message", "hint"),
    [
        (lambda: 3, None, "returns int, expected a Model", "Equinox, Flax or Keras"),
        (Unknown, None, r"not known for `table` \(4, 3\)", "filter_axes: last"),
        (Unknown, lambda p: {"table": 0}, "not return a tree like the parameters", "jax.tree.map"),
        (
            Unknown,
            lambda p: jax.tree.map(lambda _: 2, p),
            "returns 2 for `Dense_0/bias`",
            "one of its axes",
        ),
        ((pair_init, pair_apply), None, r"not known for `b` \(1, 1\), `w`", "filter_axes"),
        (lambda: Model(None, None, None), "last", "states the axes", "remove `filter_axes`"),
        (Blind, None, "cannot tell training from evaluation", "train: bool"),
        (TwoAxes, None, "name 2 axes", "one `axis_name`"),
        (stateful_without_state, None, "took its initial state away", "pair"),
    ],
)
def test_a_model_that_does_not_fit_is_refused_with_advice(value, choice, message, hint):
    with pytest.raises(UserError, match=message) as raised:
        as_model(value, {}, SHAPES, choice)
    assert hint in raised.value.hint


def test_an_nnx_module_without_dropout_and_statistics_has_no_training_mode():
    model = as_model(nnx.Linear, {"in_features": 4, "out_features": 1}, SHAPES)
    assert model.training is None
    assert axes_of(model) == {"bias": None, "kernel": 1}
