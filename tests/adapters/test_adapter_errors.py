"""What the adapters reject, with what to pass instead."""

import builtins

import equinox as eqx
import haiku as hk
import jax
import jax.numpy as jnp
import keras
import numpy as np
import one_cnn
import pytest
from flax import linen, nnx

from landscape import adapters
from landscape.errors import UserError

KEY = jax.random.key(0)
VECTORS = np.ones((2, 4), np.float32)


class Table(linen.Module):
    @linen.compact
    def __call__(self, x):
        table = self.param("table", linen.initializers.ones, (4, 3))
        return linen.Dense(1)(x @ table)


class EquinoxTable(eqx.Module):
    table: jax.Array

    def __call__(self, x):
        return x @ self.table


class Noisy(linen.Module):
    training: bool = True

    @linen.compact
    def __call__(self, x):
        return linen.Dropout(0.5, deterministic=not self.training)(linen.Dense(2)(x))


class Normalized(linen.Module):
    @linen.compact
    def __call__(self, x):
        return linen.BatchNorm(use_running_average=False)(x)


def dense_variables():
    return linen.Dense(2).init(KEY, VECTORS)


def applied(module, variables):
    model = adapters.flax(module, variables)
    return model.apply(model.params, VECTORS)


def unbound():
    return nnx.eval_shape(lambda: nnx.Linear(4, 2, rngs=nnx.Rngs(0)))


def replaced_state():
    module, state = one_cnn.equinox_module()
    state.set(module.norm.ema_first_time_index, jnp.asarray(False))
    return module, state


def stateful():
    return hk.transform_with_state(one_cnn.haiku_net)


def stateless(params):
    transformed = hk.transform(lambda x: hk.Linear(2)(x))
    model = adapters.haiku(transformed, params)
    return model.apply(model.params, VECTORS)


@pytest.mark.parametrize(
    ("call", "message", "hint"),
    [
        (lambda: adapters.flax(linen.Dense, {}), "not its class Dense", "flax(Net(), variables)"),
        (lambda: adapters.flax(3, {}), "takes a Module, not int", "flax(Net(), variables)"),
        (
            lambda: adapters.flax(nnx.Linear(4, 2, rngs=nnx.Rngs(0)), {}),
            "this is one of nnx",
            "adapters.nnx",
        ),
        (
            lambda: adapters.flax(linen.Dense(2), dense_variables()["params"]),
            "`variables` is a dict of `bias`, `kernel`, expected the collection `params`",
            '{"params": params',
        ),
        (
            lambda: applied(linen.Dense(3), dense_variables()),
            "the variables do not fit the module: ScopeParamShapeError",
            "the options that it was trained with",
        ),
        (
            lambda: applied(linen.Dense(2), {"params": {"bias": np.ones(2)}}),
            "the variables do not fit the module: ScopeParamNotFoundError",
            "the options that it was trained with",
        ),
        (
            lambda: applied(Noisy(), Noisy(training=False).init(KEY, VECTORS)),
            "draws random numbers in evaluation",
            "deterministic=not train",
        ),
        (
            lambda: applied(Normalized(), Normalized().init(KEY, VECTORS)),
            "changes its state in evaluation",
            "use_running_average=not train",
        ),
        (
            lambda: adapters.flax(Table(), Table().init(KEY, VECTORS)),
            r"the axis of the output units is not known for `table` \(4, 3\)",
            'pass `filter_axes="last"`',
        ),
        (
            lambda: adapters.flax(linen.Dense(2), dense_variables(), filter_axes="rows"),
            "`filter_axes` is 'rows', expected `first`, `last` or a function",
            'filter_axes="last"',
        ),
        (lambda: adapters.nnx(nnx.Linear), "not its class Linear", "nnx.Rngs"),
        (lambda: adapters.nnx(linen.Dense(2)), "this is one of flax.linen", "adapters.flax"),
        (
            lambda: adapters.nnx(nnx.graphdef(nnx.Linear(4, 2, rngs=nnx.Rngs(0)))),
            "not GraphDef",
            "nnx.merge",
        ),
        (lambda: adapters.nnx(unbound()), "`bias` of the module is a shape", "nnx.update"),
        (lambda: adapters.equinox(eqx.nn.Linear), "not its class Linear", "Net(key=key)"),
        (
            lambda: adapters.equinox(one_cnn.equinox_module()[0]),
            "has layers with a state",
            "equinox(module, state)",
        ),
        (
            lambda: adapters.equinox(one_cnn.equinox_module()[0], {"mean": 0}),
            "`state` is dict, expected the `eqx.nn.State`",
            "equinox(module, state)",
        ),
        (lambda: adapters.equinox(*replaced_state()), "the state is an old one", "last call"),
        (
            lambda: adapters.equinox(EquinoxTable(jnp.ones((4, 3)))),
            r"not known for `table` \(4, 3\)",
            'filter_axes="last"',
        ),
        (
            lambda: adapters.equinox(eqx.nn.Dropout(0.5)),
            "equinox Dropout has no floating-point parameters",
            None,
        ),
        (lambda: adapters.haiku(hk.Linear, {}), "not `Linear`", "hk.transform(function)"),
        (
            lambda: adapters.haiku(stateful(), one_cnn.haiku_params(one_cnn.WEIGHTS)),
            "the function has a state",
            "haiku(transformed, params, state)",
        ),
        (lambda: stateless({"w": VECTORS}), "`params` is dict, expected a dict of", "init"),
        (
            lambda: stateless({"linear": {"w": np.ones((4, 2), np.float32)}}),
            "the parameters do not fit the function: Unable to retrieve parameter 'b'",
            "the options of its training",
        ),
        (
            lambda: adapters.keras(keras.Sequential),
            "not its class Sequential",
            "Sequential(layers)",
        ),
        (
            lambda: adapters.keras(keras.Sequential([keras.layers.Dense(2)], name="net")),
            "the model `net` has no weights yet",
            "call it once with a batch",
        ),
        (
            lambda: one_cnn.adapted("flax").with_batch_statistics("fresh"),
            "`batch_statistics` is 'fresh', expected `frozen` or `recomputed`",
            None,
        ),
    ],
)
def test_a_model_that_does_not_fit_is_rejected_with_advice(call, message, hint):
    with pytest.raises(UserError, match=message) as raised:
        call()
    assert hint is None or hint in raised.value.hint


@pytest.mark.parametrize(
    ("call", "package", "extra"),
    [
        (lambda: adapters.flax(None, {}), "flax", "flax"),
        (lambda: adapters.nnx(None), "flax", "flax"),
        (lambda: adapters.keras(None), "keras", "keras"),
    ],
)
def test_a_missing_library_is_named_with_its_extra(call, package, extra, monkeypatch):
    load = builtins.__import__

    def without(name, *arguments, **keywords):
        if name.partition(".")[0] == package:
            raise ImportError(name)
        return load(name, *arguments, **keywords)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(UserError, match=f"needs the package {package}") as raised:
        call()
    assert f"pip install 'landscape[{extra}]'" in raised.value.hint
