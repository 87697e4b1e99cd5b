"""Hoisting moves computations out of the loop over points and preserves all values."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax

from landscape import catalog
from landscape.config import ModelPart
from landscape.numerics import hoist
from landscape.numerics.compiling import jit_once

RNG = np.random.default_rng(4)
MODELS = {
    "linear": ("linear", {}, (5,)),
    "mlp": ("mlp", {"widths": [6, 4]}, (2, 3)),
    "mlp of smooth units": ("mlp", {"widths": [6, 4], "activation": "gelu"}, (5,)),
    "cnn": ("cnn", {"channels": [3, 4], "widths": [5]}, (2, 8, 8)),
    "cnn without strides": ("cnn", {"channels": [3], "stride": 1, "kernel": 5}, (1, 6, 6)),
    "resnet": ("resnet", {"width": 4}, (1, 8, 8)),
    "resnet without shortcuts": ("resnet", {"width": 4, "skip": False}, (1, 8, 8)),
    "unet": ("unet", {"depth": 1, "channels": 3}, (1, 8, 8)),
    "cnn1d": ("cnn1d", {"channels": [3, 4], "kernel": 3}, (6, 2)),
    "transformer": ("transformer", {"width": 4, "depth": 1, "heads": 2}, (5, 2)),
}


def built(name):
    menu, options, shape = MODELS[name]
    make = catalog.build("models", ModelPart(name=menu, options=options), folder=".")
    return make(shape, 1 if menu == "unet" else 3), shape


@functools.cache
def drawn(name):
    """Returns three sets of parameters of a model: a point and two directions."""
    init = jit_once(built(name)[0].init)
    return [jax.tree.map(np.asarray, init(jax.random.key(i))) for i in range(3)]


def test_every_model_of_the_menu_is_tested():
    assert {menu for menu, _, _ in MODELS.values()} == set(catalog.menu("models"))


def plain(function, params, directions, coordinates, *constants):
    """The definition, in NumPy: the parameters at the point, then the function."""

    def move(leaf, *sides):
        leaf = np.asarray(leaf)
        for c, side in zip(coordinates, sides, strict=True):
            leaf = leaf + (c * np.asarray(side)).astype(leaf.dtype)
        return jnp.asarray(leaf)

    return function(jax.tree.map(move, params, *directions), *constants)


def assert_same_as_plain(function, params, directions, constants, tolerance=1e-11):
    # Two programs, since compiling operation by operation takes most of the time.
    defined = jit_once(function)

    @jit_once
    def hoisted(params, directions, coordinates, *constants):
        return hoist.evaluator(function, params, directions, *constants)(coordinates)

    for coordinates in (RNG.normal(size=len(directions)), np.zeros(len(directions))):
        expected = plain(defined, params, directions, coordinates, *constants)
        computed = hoisted(params, directions, jnp.asarray(coordinates), *constants)
        assert jax.tree.structure(computed) == jax.tree.structure(expected)
        for f, w in zip(jax.tree.leaves(computed), jax.tree.leaves(expected), strict=True):
            assert f.dtype == w.dtype and f.shape == w.shape
            f, w = np.asarray(f), np.asarray(w)
            scale = np.max(np.abs(w), where=np.isfinite(w), initial=1.0)
            np.testing.assert_allclose(f, w, rtol=tolerance, atol=tolerance * scale)


def wide(tree):
    return jax.tree.map(lambda a: jnp.asarray(np.asarray(a), jnp.float64), tree)


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize("count", [1, 2])
def test_models_and_their_gradients_are_equal_to_the_plain_evaluation(name, count):
    model, shape = built(name)

    def with_gradient(params, inputs):
        predictions, pull = jax.vjp(lambda p: model.apply(p, inputs), params)
        return predictions, pull(jnp.ones_like(predictions)), jnp.mean(predictions**2)

    with jax.enable_x64(True):
        params, *directions = map(wide, drawn(name)[: count + 1])
        inputs = jnp.asarray(RNG.normal(size=(3, *shape)))
        assert_same_as_plain(model.apply, params, directions, (inputs,))
        assert_same_as_plain(with_gradient, params, directions, (inputs,))


@pytest.mark.parametrize("name", MODELS)
def test_in_float32_the_difference_is_rounding(name):
    model, shape = built(name)
    params, *directions = drawn(name)
    inputs = jnp.asarray(RNG.normal(size=(7, *shape)), jnp.float32)
    assert_same_as_plain(model.apply, params, directions, (inputs,), tolerance=2e-5)


def operations(at, count):
    """Returns the operations of one point, including those inside calls."""
    names = []

    def walk(jaxpr):
        for eqn in jaxpr.eqns:
            names.append(eqn.primitive.name)
            for value in eqn.params.values():
                if hasattr(value, "jaxpr"):
                    walk(value.jaxpr)

    walk(jax.make_jaxpr(at)(jnp.zeros(count)).jaxpr)
    return names


def operations_left(function, params, directions, *constants):
    """Returns the operations of one point after hoisting; nothing is computed."""
    names = []

    def trace():
        at = hoist.evaluator(function, params, directions, *constants)
        names.extend(operations(at, len(directions)))

    jax.eval_shape(trace)
    return names


@pytest.mark.parametrize(
    ("name", "heavy", "plainly", "left"),
    [
        ("linear", "dot_general", 1, 0),
        ("mlp", "dot_general", 3, 2),
        ("cnn", "conv_general_dilated", 2, 1),
        ("resnet", "conv_general_dilated", 7, 6),
    ],
)
def test_the_first_layer_leaves_the_loop(name, heavy, plainly, left):
    model, shape = built(name)
    params, *directions = drawn(name)
    inputs = jnp.ones((2, *shape))
    assert operations_left(model.apply, params, directions, inputs).count(heavy) == left
    whole = operations(lambda c: plain(model.apply, params, directions, c, inputs), 2)
    assert whole.count(heavy) == plainly


W = RNG.normal(size=(4, 6))
X = RNG.normal(size=(6, 3))
MASK = RNG.normal(size=(4, 6)) > 0
# Each is linear in the parameters, and costs more than combining coefficients.
LINEAR = {
    "dot": lambda w: w @ X,
    "dot from the left": lambda w: X.T @ w.T,
    "sum": lambda w: jnp.sum(w, axis=1),
    "mean": lambda w: jnp.mean(w, axis=0),
    "negative": lambda w: (-w) @ X,
    "product": lambda w: (w * W) @ X,
    "quotient": lambda w: (w / 3.0) @ X,
    "constant added": lambda w: (w + W) @ X,
    "constant subtracted": lambda w: (W - w) @ X,
    "sum of two": lambda w: (w + 2 * w) @ X,
    "reshape": lambda w: w.reshape(4, 2, 3)[:, 0] @ X[:3],
    "transpose": lambda w: w.T @ X.T[:, :4].T,
    "broadcast": lambda w: jnp.broadcast_to(w, (5, 4, 6)) @ X,
    "slice": lambda w: w[1:3, ::2] @ X[:3],
    "gather": lambda w: w[jnp.array([3, 0, 0])] @ X,
    "dynamic slice": lambda w: lax.dynamic_slice(w, (1, 0), (2, 6)) @ X,
    "written into": lambda w: jnp.asarray(W).at[1].set(w[0]) @ X,
    "added into": lambda w: jnp.asarray(W).at[jnp.array([1, 1, 2])].add(w[:3]) @ X,
    "reversed": lambda w: w[::-1] @ X,
    "joined": lambda w: jnp.concatenate([w, jnp.asarray(W)]) @ X,
    "padded": lambda w: jnp.pad(w, ((1, 0), (0, 0)), constant_values=7.0) @ X,
    "chosen": lambda w: jnp.where(MASK, w, W) @ X,
    "cumulated": lambda w: jnp.cumsum(w, axis=0) @ X,
    "widened": lambda w: w.astype(jnp.float32).astype(jnp.float64) @ X,
    "window sums": lambda w: lax.reduce_window(w, 0.0, lax.add, (3, 3), (1, 1), "VALID"),
    "split": lambda w: jnp.split(w, 2)[1] @ X,
    "called": lambda w: jax.jit(lambda v: v @ X)(w),
    "remembered": lambda w: jax.checkpoint(lambda v: v @ X)(w),
}
# None of these is linear: they must stay in the loop.
OTHERS = {
    "square": lambda w: (w**2) @ X,
    "product of two": lambda w: w @ w.T,
    "product of itself": lambda w: (w * w) @ X,
    "divisor": lambda w: W / w,
    "chosen by itself": lambda w: jnp.where(w > 0, w, W) @ X,
    "indexed by itself": lambda w: jnp.asarray(W)[jnp.argmax(w, axis=0) % 4] @ X,
    "maximum": lambda w: jnp.max(w, axis=0),
    "sorted": lambda w: jnp.sort(w, axis=0) @ X,
    "rounded": lambda w: jnp.round(w) @ X,
    "sine": lambda w: jnp.sin(w) @ X,
    "scan": lambda w: lax.scan(lambda c, row: (c * 0.5 + row, c @ X), w[0], w)[1],
    "while": lambda w: lax.while_loop(lambda v: jnp.sum(v**2) > 1, lambda v: v / 2, w),
    "cond": lambda w: lax.cond(jnp.sum(w) > 0, lambda v: v @ X, lambda v: -v @ X, w),
    "integers": lambda w: w.astype(jnp.int32) @ jnp.ones((6, 2), jnp.int32),
    "applied in place": lambda w: jnp.asarray(w).at[jnp.array([0, 2])].apply(jnp.exp) @ X,
    "filled": lambda w: w.at[jnp.array([0, 9])].get(mode="fill", fill_value=2.0) @ X,
    "taken and filled": lambda w: (
        jnp.take(w, jnp.array([9, 1]), 0, mode="fill", fill_value=1.0) @ X
    ),
    "an exception to its derivative": lambda w: jax.nn.relu(w @ X),
}


@pytest.fixture(params=[hoist._COMBINATION_COST, -1.0], ids=["where it pays", "always"])
def combining(request, monkeypatch):
    """Small arrays would leave most rules unused, so the second case combines every coefficient."""
    monkeypatch.setattr(hoist, "_COMBINATION_COST", request.param)


@pytest.mark.parametrize("name", LINEAR)
def test_linear_operations_leave_the_loop_with_their_values(name):
    with jax.enable_x64(True):
        params, *directions = (jnp.asarray(RNG.normal(size=(4, 6))) for _ in range(3))
        tolerance = 1e-6 if name == "widened" else 1e-12
        assert_same_as_plain(lambda w: LINEAR[name](w), params, directions, (), tolerance)
        if name == "widened":
            return
        left = set(operations_left(lambda w: LINEAR[name](w), params, directions))
        left -= {"slice", "squeeze", "mul", "add", "convert_element_type"}
        left -= {"broadcast_in_dim", "dynamic_slice", "reshape"}
        assert not left, f"{left} are performed at every point"


@pytest.mark.parametrize("name", OTHERS)
def test_all_other_operations_keep_their_values(name, combining):
    with jax.enable_x64(True):
        params, *directions = (jnp.asarray(RNG.normal(size=(4, 6))) for _ in range(3))
        assert_same_as_plain(lambda w: OTHERS[name](w), params, directions, ())


@pytest.mark.parametrize("seed", range(30))
def test_random_programs_keep_their_values(seed, combining):
    """Ten operations, linear and nonlinear, on values that were computed before."""
    rng = np.random.default_rng(seed)
    fixed = [rng.normal(size=(4, 4)) for _ in range(2)]
    menu = [
        lambda a, b: a + b,
        lambda a, b: a - 2 * b,
        lambda a, b: a @ b,
        lambda a, b: a * b,
        lambda a, b: a.T,
        lambda a, b: a / 3.0,
        lambda a, b: jnp.tanh(a),
        lambda a, b: jnp.where(jnp.asarray(fixed[0]) > 0, a, b),
        lambda a, b: jnp.concatenate([a[:2], b[2:]]),
        lambda a, b: jnp.sum(a, axis=0, keepdims=True) + b,
        lambda a, b: jax.nn.relu(a),
        lambda a, b: jnp.cumsum(a, axis=1) / 4.0,
    ]
    steps = [(rng.integers(len(menu)), *rng.integers(0, 100, 2)) for _ in range(10)]

    def program(params, constant):
        values = [params["a"], params["b"], constant, jnp.asarray(fixed[1])]
        for operation, first, second in steps:
            values.append(
                menu[operation](values[first % len(values)], values[second % len(values)])
            )
        return values[-1], jnp.sum(values[-2]), values[-3]

    with jax.enable_x64(True):
        params, *directions = (
            {"a": jnp.asarray(rng.normal(size=(4, 4))), "b": jnp.asarray(rng.normal(size=(4, 4)))}
            for _ in range(3)
        )
        assert_same_as_plain(program, params, directions, (jnp.asarray(fixed[0]),), 1e-9)


def test_infinite_constants_beside_parameters_stay_infinite():
    mask = jnp.where(jnp.asarray([True, False, True]), 0.0, -jnp.inf)
    narrow, weights = jnp.asarray(X, jnp.float32), jnp.asarray(W, jnp.float32)
    assert_same_as_plain(lambda w: w @ narrow + mask[None], weights, [weights], (), 1e-5)


def test_a_program_with_effects_is_not_hoisted():
    seen = []

    def loud(w):
        jax.debug.callback(lambda value: seen.append(float(value)), jnp.sum(w))
        return jnp.sum(w)

    at = hoist.evaluator(loud, jnp.ones(3), [jnp.ones(3)])
    assert float(at(jnp.asarray([1.0]))) == 6.0
    jax.effects_barrier()
    assert seen == [6.0]


def test_cheap_operations_stay_in_the_loop():
    """A bias added to every example would be read from a large array instead of a small one."""
    bias = jnp.ones(6)
    at = hoist.evaluator(lambda b: jnp.tanh(jnp.broadcast_to(b, (50, 6))), bias, [bias])
    constants = jax.make_jaxpr(at)(jnp.zeros(1)).jaxpr.constvars
    assert [v.aval.shape for v in constants] == [(6,), (6,)]


@pytest.mark.parametrize("dtype", [jnp.bfloat16, jnp.float16])
def test_half_precision_is_not_hoisted(dtype, combining):
    narrow, weights = jnp.asarray(X, dtype), jnp.asarray(W, jnp.float32)

    def inside(w):
        return (w.astype(dtype) @ narrow).astype(jnp.float32)

    def kept(w):
        return jnp.tanh(w @ narrow)

    with jax.numpy_dtype_promotion("standard"):
        for function, params in ((inside, weights), (kept, weights.astype(dtype))):
            directions = [params * 0.3, params[::-1]]
            at = jax.jit(hoist.evaluator(function, params, directions))
            plainly = jax.jit(
                lambda c, f=function, p=params, d=directions: f(hoist.displace(p, d, c))
            )
            point = jnp.asarray([0.7, -0.4])
            assert at(point).dtype == plainly(point).dtype
            np.testing.assert_array_equal(at(point), plainly(point))
