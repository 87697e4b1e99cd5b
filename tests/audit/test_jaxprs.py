"""Checks the interpreter against the functions, and the places of operations in test sources.

A program traced in float32 and evaluated in float64 is what the function computes when it is given
float64. Arguments and constants are numbers that float32 holds exactly.
"""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax
from quick import run

from landscape.audit.static import interpreter
from landscape.audit.static.equations import count, equations
from landscape.audit.static.source import calls_directly, locate
from landscape.catalog.user_code import load_file
from landscape.numerics.compiling import compile_once

V = np.array([0.25, -1.5, 0.75, 2.0, -0.125, 3.5], np.float32)
POSITIVE = np.array([0.25, 1.5, 0.75, 2.0, 0.125, 3.5], np.float32)
INSIDE = np.array([0.25, -0.5, 0.75, 0.0, -0.125, 0.875], np.float32)
M = np.arange(12, dtype=np.float32).reshape(3, 4) / 4 - 1
SQUARE = np.array([[2.0, 0.5, -1.0], [0.25, 3.0, 0.75], [-0.5, 1.0, 2.5]], np.float32)
IMAGE = np.linspace(-2, 2, 2 * 6 * 5 * 3).astype(np.float16).astype(np.float32).reshape(2, 6, 5, 3)
KERNEL = np.array([0.5, -0.25, 1.0, 2.0] * 9, np.float32).reshape(2, 2, 3, 3)
INDEX = np.array([2, 0, 2], np.int32)


def elementwise(argument, names):
    return {name: (getattr(lax, name), argument) for name in names.split()}


OPERATIONS = {
    **elementwise(
        V, "abs asinh atan cbrt ceil cos cosh erf erfc exp exp2 expm1 floor is_finite neg"
    ),
    **elementwise(V, "logistic round sign sin sinh square tan tanh bessel_i0e bessel_i1e"),
    **elementwise(POSITIVE, "digamma lgamma log log1p reciprocal rsqrt sqrt"),
    **elementwise(INSIDE, "acos asin atanh erf_inv"),
    "acosh": (lambda x: lax.acosh(x + 1.5), POSITIVE),
    "integer_pow": (lambda x: x**3 + x**-2, V),
    "pow": (lambda x: x**0.75 + 2.0**x + x**x, POSITIVE),
    "arithmetic": (lambda x: (x + 0.5) * (x - x[0]) / (x + 8.0) - x, V),
    "extremes": (lambda x: lax.max(x, -x) + lax.min(x, 0 * x + 0.5), V),
    "clamp": (lambda x: lax.clamp(-1.0, x, 1.5), V),
    "atan2 and rem": (lambda x: lax.atan2(x, x[::-1]) + lax.rem(x, 0 * x + 0.375), V),
    "igamma": (lambda x: lax.igamma(x, x[::-1]) + lax.igammac(x[::-1], x), POSITIVE),
    "polygamma": (lambda x: lax.polygamma(0 * x + 1.0, x) + lax.zeta(x + 1.5, x), POSITIVE),
    "comparisons": (
        lambda x: [f(x, x[::-1]) for f in (lax.lt, lax.le, lax.gt, lax.ge, lax.eq, lax.ne)],
        V,
    ),
    "select": (lambda x: jnp.where(x > 0.5, x * 2, jnp.where(x < 0, -x, x)), V),
    "select of three": (lambda x: lax.select_n(jnp.arange(6) % 3, x, 2 * x, x * x), V),
    "dot": (lambda m: (m @ m.T, jnp.dot(m[0], m[1]), jnp.einsum("ij,ik->jk", m, m)), M),
    "batched dot": (lambda m: jnp.einsum("bij,bjk->bik", m[:, :, None], m[:, None, :]), M),
    "asked precision": (
        lambda m: jnp.matmul(m, m.T, precision="highest", preferred_element_type=m.dtype),
        M,
    ),
    "conv": (
        lambda i, k: lax.conv_general_dilated(
            i, k, (1, 2), "SAME", rhs_dilation=(2, 1), dimension_numbers=("NHWC", "HWIO", "NHWC")
        ),
        IMAGE,
        KERNEL,
    ),
    "convolve": (lambda x: jnp.convolve(x, x, mode="same"), V),
    "reductions": (lambda m: [f(m, 1) for f in (jnp.sum, jnp.max, jnp.min, jnp.prod)], M),
    "statistics": (lambda m: (jnp.mean(m, 0), jnp.var(m), jnp.std(m, 1), jnp.median(m)), M),
    "logic": (lambda x: (jnp.any(x > 3), jnp.all(x > -2), ~(x > 0) & (x < 1) | (x == 2)), V),
    "argmax": (lambda m: (jnp.argmax(m, 1), jnp.argmin(m, 0), jnp.argmax(-m)), M),
    "sort": (lambda m: (jnp.sort(m * (1 - m)), jnp.argsort(-m, axis=0)), M),
    "sort by two keys": (lambda x: lax.sort((jnp.floor(x), x), num_keys=2), V),
    "top_k": (lambda x: lax.top_k(x, 3), V),
    "running": (
        lambda x: [f(x) for f in (lax.cumsum, lax.cumprod, lax.cummax, lax.cummin)],
        V,
    ),
    "running backward": (lambda x: (lax.cumsum(x, reverse=True), lax.cumlogsumexp(x)), V),
    "gather": (lambda m: (m[INDEX], m[:, INDEX], m[INDEX, INDEX], jnp.take(m, INDEX, 1)), M),
    "gather filled": (lambda x: x.at[INDEX + 5].get(mode="fill", fill_value=7.0), V),
    "gather clipped": (lambda x: x.at[INDEX + 5].get(mode="clip"), V),
    "gather along": (lambda m: jnp.take_along_axis(m, jnp.argsort(-m, 1), 1), M),
    **{
        f"scatter {name}": (
            lambda m, name=name: getattr(m.at[INDEX, 1:3], name)(0.5 * m[:, :2] + 0.125),
            M,
        )
        for name in ("set", "add", "multiply", "divide", "min", "max")
    },
    "scatter dropped": (lambda x: x.at[INDEX + 4].add(x[:3], mode="drop"), V),
    "segments": (
        lambda x: (
            jax.ops.segment_sum(x, np.array([0, 0, 1, 1, 2, 0]), 3),
            jax.ops.segment_max(x, np.array([0, 0, 1, 1, 2, 0]), 3),
        ),
        V,
    ),
    "slices": (
        lambda m: (
            lax.dynamic_slice(m, (jnp.argmax(m[:, 0]), 1), (2, 2)),
            lax.dynamic_update_slice(m, 2 * m[:1, :2], (1, jnp.argmin(m[0]))),
            m[::-1, 1::2],
        ),
        M,
    ),
    "pad": (lambda m: (lax.pad(m, m[0, 0], [(1, -1, 2), (0, 3, 0)]), jnp.pad(m, 1, "edge")), M),
    "shapes": (
        lambda m: [
            jnp.concatenate([m, m[:1]]),
            jnp.tile(m, 2),
            jnp.roll(m, 1, 1),
            jnp.stack(jnp.split(m, 2, 1)),
            m.T.reshape(2, 6).squeeze()[None],
        ],
        M,
    ),
    "windows": (
        lambda i: [
            lax.reduce_window(i, -jnp.inf, lax.max, (1, 2, 2, 1), (1, 2, 1, 1), "VALID"),
            lax.reduce_window(i, jnp.inf, lax.min, (1, 2, 2, 1), (1, 2, 1, 1), "SAME"),
            lax.reduce_window(i, 0.0, lax.add, (1, 3, 3, 1), (1, 1, 1, 1), "SAME"),
        ],
        IMAGE,
    ),
    "gradient of a pool": (
        jax.grad(
            lambda i: jnp.sum(
                lax.reduce_window(i, -jnp.inf, lax.max, (1, 2, 2, 1), (1, 2, 2, 1), "VALID") ** 2
            )
        ),
        IMAGE,
    ),
    "whole numbers": (
        lambda x: (
            (x * 4).astype(int) // 3,
            (x * 4).astype(int) % 3,
            (x * 4).astype(int) & 5 | 2,
            jnp.left_shift((x * x).astype(int), 2),
            lax.population_count((x * x).astype(int)),
            (x > 0).astype(x.dtype) * x,
        ),
        V,
    ),
    "narrow floats": (lambda x: x.astype(jnp.float16).astype(x.dtype) * x, V),
    "made from nothing": (
        lambda x: jnp.arange(6) * x.astype(int) + jnp.eye(6)[2].astype(int) + jnp.full(6, 3),
        V,
    ),
    "floats from nothing": (lambda x: lax.iota(x.dtype, 6) * x + jnp.ones_like(x) / 8, V),
    "one_hot": (lambda x: jax.nn.one_hot(jnp.argmax(x), 6, dtype=x.dtype) * x, V),
    "buckets": (lambda x: jnp.searchsorted(jnp.arange(-2.0, 3.0).astype(x.dtype), x), V),
    "scan": (
        lambda x: lax.scan(lambda c, v: (c * 0.5 + v, jnp.sin(c) * v), x[0], x),
        V,
    ),
    "scan backward with constants": (
        lambda m: lax.scan(lambda c, v: (c + m[0] * v, c.sum()), 0 * m[0], m, reverse=True),
        M,
    ),
    "scan in scan": (
        lambda m: lax.scan(lambda c, r: lax.scan(lambda d, v: (d + v * c, d), c, r), m[0, 0], m),
        M,
    ),
    "map": (lambda x: lax.map(lambda v: jnp.tanh(v) ** 2, x), V),
    "associative scan": (lambda x: lax.associative_scan(jnp.multiply, x), V),
    "fori_loop": (lambda x: lax.fori_loop(0, 7, lambda i, v: v * 0.5 + i.astype(v.dtype), x), V),
    "while_loop": (
        lambda x: lax.while_loop(
            lambda c: jnp.sum(c[0]) < 50, lambda c: (c[0] * 1.25 + 0.5, c[1] + 1), (x, 0)
        ),
        V,
    ),
    "turns by the argument": (
        lambda x: lax.fori_loop(0, x[3].astype(int) * 3, lambda i, v: jnp.sin(v), x),
        V,
    ),
    "cond": (lambda x: [lax.cond(x[i] > 0, jnp.sin, jnp.cos, x) for i in (0, 1)], V),
    "switch": (
        lambda x: [
            lax.switch(i, [jnp.sin, jnp.cos, jnp.tanh, jnp.negative], x) for i in (-1, 2, 9)
        ],
        V,
    ),
    "switch by the argument": (
        lambda x: lax.switch(x[3].astype(jnp.int32), [jnp.sin, jnp.cos, jnp.tanh], x),
        V,
    ),
    "custom_jvp": (lambda x: (jax.nn.relu(x), jax.nn.silu(x), jnp.logaddexp(x, x[::-1])), V),
    "custom_vjp": (lambda x: scaled(x) * 2, V),
    "gradient of custom_vjp": (jax.grad(lambda x: jnp.sum(scaled(x) ** 2)), V),
    "remat": (lambda x: jax.checkpoint(lambda v: jnp.exp(jnp.sin(v)))(x), V),
    "gradient of remat": (jax.grad(lambda x: jnp.sum(jax.checkpoint(jnp.sin)(x) ** 3)), V),
    "nested jit": (
        lambda x: jax.jit(lambda v: jax.jit(jnp.sin)(v) + jax.jit(jnp.sin)(2 * v))(x),
        V,
    ),
    "vmap": (lambda m: jax.vmap(lambda r: jnp.sort(r)[0] * jnp.cumsum(r))(m), M),
    "activations": (
        lambda x: [f(x) for f in (jax.nn.relu6, jax.nn.elu, jax.nn.softplus, jax.nn.log_sigmoid)],
        V,
    ),
    "softmax": (lambda m: (jax.nn.softmax(m), jax.nn.log_softmax(m, 0), jax.nn.logsumexp(m, 1)), M),
    "barrier and stop": (lambda x: lax.optimization_barrier((x, lax.stop_gradient(x * 3))), V),
    "decompositions": (
        lambda m: (
            jnp.linalg.cholesky(m @ m.T),
            jnp.abs(jnp.linalg.qr(m)[1]),
            jnp.linalg.svd(m, compute_uv=False),
            jnp.linalg.eigvalsh(m + m.T),
        ),
        SQUARE,
    ),
    "complex": (
        lambda x: (
            jnp.abs(lax.complex(x, 2 * x)),
            jnp.real(lax.complex(x, x) * lax.complex(x, 1 - x)),
        ),
        V,
    ),
    "fft": (lambda x: (jnp.abs(jnp.fft.fft(x)), jnp.fft.irfft(jnp.fft.rfft(x) * 2)), V),
    "second derivatives": (
        lambda x: jax.jvp(jax.grad(lambda v: jnp.sum(jnp.sin(v) * jax.nn.softmax(v))), (x,), (x,)),
        V,
    ),
}


@jax.custom_vjp
def scaled(x):
    return x * x[0]


scaled.defvjp(lambda x: (scaled(x), x), lambda x, g: (g * x / 3,))


def traced(name):
    function, *arguments = OPERATIONS[name]
    return jax.make_jaxpr(function)(*arguments)


@functools.cache
def computed(dtype):
    """Returns the result of each operation in a dtype, evaluated and direct, or its exception.

    All of them are one program, since compiling is what takes the time.
    """
    wide = dtype == "float64"
    failed = {}

    def everything(given):
        found = {}
        for name, (function, *_) in OPERATIONS.items():
            try:
                evaluated, seen = interpreter.evaluate(programs[name], given[name], wide=wide)
                assert seen == []
            except Exception as error:
                failed[name] = error
                continue
            found[name] = evaluated, jax.tree.leaves(function(*given[name]))
        return found

    programs = {name: traced(name) for name in OPERATIONS}
    with jax.enable_x64(wide):
        given = {
            name: [jnp.asarray(a.astype(dtype)) for a in arguments]
            for name, (_, *arguments) in OPERATIONS.items()
        }
        lowered = jax.jit(everything).lower(given)
        return {**compile_once(lowered)(given), **failed}


def result_of(name, dtype):
    found = computed(dtype)[name]
    if isinstance(found, Exception):
        raise found
    return found


@pytest.mark.parametrize("name", OPERATIONS)
def test_wide_evaluation_equals_the_function_in_float64(name):
    found, true = result_of(name, "float64")
    assert len(found) == len(true) > 0
    for a, b in zip(found, true, strict=True):
        assert a.dtype.kind not in "fc" or a.dtype == b.dtype
        np.testing.assert_allclose(a, b, rtol=1e-12, atol=1e-13)


@pytest.mark.parametrize("name", OPERATIONS)
def test_evaluation_as_traced_equals_the_function_in_float32(name):
    found, true = result_of(name, "float32")
    for a, b in zip(found, true, strict=True):
        assert a.dtype == b.dtype
        if a.dtype.kind == "f":
            np.testing.assert_array_max_ulp(np.asarray(a), np.asarray(b), 1)
        else:
            np.testing.assert_array_equal(a, b)


# Programs with parts that are bound to the dtype or the constants of their trace.
DIFFICULT = {
    "scatter with a function": lambda m: jnp.sin(m).at[INDEX].apply(jnp.cos),
    "scatter that subtracts": lambda m: m.at[INDEX].subtract(jnp.sin(m)),
    "indices of NumPy": lambda m: jnp.sin(m)[np.array([2, -1])],
    "constants of NumPy": lambda m: jnp.sin(m) * np.array([[0.5, 0.25, 1.0, 2.0]]).astype(m.dtype),
    "a linear solve": lambda m: jnp.linalg.solve(m[:, :3] + 2 * jnp.eye(3, dtype=m.dtype), m[:, 3]),
    "a reduction of one's own": lambda m: lax.reduce(jnp.sin(m), 1.0, lambda a, b: a * b, (0,)),
}


# Programs inside an operation are evaluated in float32, as traced.
AS_TRACED = ("scatter with a function", "a linear solve", "a reduction of one's own")


@pytest.mark.parametrize("name", DIFFICULT)
def test_operations_bound_to_a_dtype_are_evaluated(name):
    closed = jax.make_jaxpr(DIFFICULT[name])(M)
    found = run(lambda m: interpreter.evaluate(closed, [m])[0][0], M.astype(float))
    true = run(DIFFICULT[name], M.astype(float))
    assert found.dtype == true.dtype
    near = {"rtol": 1e-6, "atol": 1e-7} if name in AS_TRACED else {"rtol": 1e-12}
    np.testing.assert_allclose(found, true, **near)


def nested(x):
    """Has an operation in each kind of nested program, and one after it."""
    y = jax.jit(lambda v: jnp.sin(v) * jax.nn.relu(v))(x)
    y = lax.scan(lambda c, v: (c + jnp.cos(v), jnp.tanh(c)), y[0], y)[1]
    y = lax.cond(y[0] > 0, lambda v: jnp.exp(v), lambda v: jnp.log1p(v * v) + v, y)
    y = jax.checkpoint(lambda v: jax.vmap(jnp.arctan)(v) + 1)(y)
    y = lax.fori_loop(0, 3, lambda i, v: scaled(v) * 0.5, y)
    return jnp.sinh(y)


def test_equations_and_observations_have_the_same_numbers():
    closed = jax.make_jaxpr(nested)(V)
    listed = {number: eqn for number, eqn, _ in equations(closed)}
    assert list(listed) == list(range(len(listed))) == list(range(count(closed)))
    seen = {}

    def observe(number, eqn, inputs, outputs):
        assert number not in seen
        seen[number] = eqn
        assert [v.aval.shape for v in eqn.outvars] == [jnp.shape(o) for o in outputs]
        assert [v.aval.shape for v in eqn.invars] == [jnp.shape(i) for i in inputs]
        return []

    run(lambda v: interpreter.evaluate(closed, [v], observe)[0], V.astype(float))
    assert seen.keys() == listed.keys()
    assert all(seen[number] is eqn for number, eqn in listed.items())


def test_the_calls_around_an_equation_are_outermost_first():
    def function(x):
        turn = jax.jit(lambda c, v: (lax.cond(v > 0, jnp.sin, jnp.cos, c), v))
        return lax.scan(turn, x[0], x)[0]

    for _, eqn, calls in equations(jax.make_jaxpr(function)(V)):
        if eqn.primitive.name == "sin":
            assert [outer.primitive.name for outer in calls] == ["scan", "jit", "cond"]
    around = {
        eqn.primitive.name: [outer.primitive.name for outer in calls]
        for _, eqn, calls in equations(jax.make_jaxpr(nested)(V))
    }
    assert around["sin"] == ["jit"]
    assert around["tanh"] == around["cos"] == ["scan"]
    assert around["exp"] == around["log1p"] == ["cond"]
    assert around["atan"][0] == "remat2"
    assert around["sinh"] == []
    assert around["max"][0] == "jit" and "custom_jvp_call" in around["max"]


def test_numbers_continue_after_a_loop_that_is_not_observed():
    def function(x):
        y = lax.while_loop(lambda v: v[0] < 4, lambda v: v + jnp.exp(v), x)
        return jnp.sinh(y)

    closed = jax.make_jaxpr(function)(V)
    listed = {eqn.primitive.name: number for number, eqn, _ in equations(closed)}
    seen = {}
    interpreter.evaluate(
        closed,
        [jnp.asarray(V)],
        lambda number, eqn, *_: seen.update({eqn.primitive.name: number}) or [],
        wide=False,
    )
    assert seen == {name: listed[name] for name in ("while", "sinh")}


def test_observations_of_a_loop_have_one_row_per_iteration():
    def function(x):
        y = lax.scan(lambda c, v: (c + v, c * v), 0 * x[0], x)[1]
        return lax.cond(x[0] > 0, jnp.sin, jax.jit(lambda v: jnp.cos(v) - 1), x) + y

    def observe(number, eqn, inputs, outputs):
        return [outputs[0]] if eqn.primitive.name in ("sin", "add", "cos", "mul", "jit") else []

    closed = jax.make_jaxpr(function)(V)
    seen = run(lambda v: interpreter.evaluate(closed, [v], observe)[1], V.astype(float))
    carry = np.concatenate([[0], np.cumsum(V.astype(float))[:-1]])
    wide = V.astype(float)
    # Of the start, each iteration, both branches (the jit after its body), the sum.
    both = [np.cos(wide), np.cos(wide) - 1, np.sin(wide)]
    expected = [0.0, carry + wide, carry * wide, *both, np.sin(wide) + carry * wide]
    assert len(seen) == len(expected)
    for a, b in zip(seen, expected, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-12, atol=1e-15)


@pytest.mark.parametrize("wide", [True, False])
def test_an_operation_is_replaced_at_any_depth(wide):
    closed = jax.make_jaxpr(nested)(V)
    numbers = {eqn.primitive.name: n for n, eqn, _ in equations(closed)}
    replacements = {
        numbers["tanh"]: lambda inputs: [0 * inputs[0] + 0.5],
        numbers["sinh"]: lambda inputs: [2 * inputs[0]],
    }

    def other(x):
        y = jnp.full_like(x, 0.5)
        y = jnp.exp(y)
        y = jnp.arctan(y) + 1
        for _ in range(3):
            y = scaled(y) * 0.5
        return 2 * y

    given = V.astype(np.float64 if wide else np.float32)
    found = run(
        lambda v: interpreter.evaluate(closed, [v], wide=wide, replacements=replacements)[0][0],
        given,
    )
    np.testing.assert_allclose(found, run(other, given), rtol=1e-12 if wide else 1e-6)


def test_all_branches_of_a_cond_are_observed():
    def function(x):
        return lax.switch(x[0].astype(jnp.int32), [jnp.sin, jnp.cos, jnp.exp], x)

    names = []
    closed = jax.make_jaxpr(function)(V)
    run(
        lambda v: interpreter.evaluate(
            closed, [v], lambda n, eqn, *_: names.append(eqn.primitive.name) or []
        )[0],
        V.astype(float),
    )
    assert {"sin", "cos", "exp"} <= set(names)


LOSSES = """\
import jax
import jax.numpy as jnp

from helpers import distance


def loss(p, t):
    first = jax.nn.relu(p - t)
    second = 2 * jax.nn.relu(
        t - p,
    )
    third = jnp.clip(p, 0, 1) + jnp.clip(t, -1, 1)
    rows = jax.vmap(lambda v: jnp.abs(v) ** 3)(p)
    far = distance(p, t) + jax.vmap(distance)(p, t) + jax.nn.logsumexp(p)

    def inner(v):
        return jnp.where(v > 0.25, v, jnp.round(v))

    @jax.jit
    def compiled(v):
        return jnp.sign(v)

    return first + second + third + rows + far + inner(p) + compiled(p) + jax.jit(inner)(t)
"""
HELPERS = """\
import jax.numpy as jnp


def distance(a, b):
    return jnp.sqrt(
        (a - b) ** 2) + jnp.floor(a)
"""


@pytest.fixture
def source(tmp_path, monkeypatch):
    """Writes a file with losses and one with their helpers."""
    (tmp_path / "helpers.py").write_text(HELPERS)
    (tmp_path / "losses.py").write_text(LOSSES)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(__import__("sys").modules, "helpers", raising=False)
    yield tmp_path / "losses.py"


def places(file, names):
    """Returns (operation, file, line, marked text) of the operations in order."""
    with jax.numpy_dtype_promotion("standard"):
        closed = jax.make_jaxpr(load_file(file).loss)(V, V)
    found = []
    for _, eqn, around in equations(closed):
        if eqn.primitive.name in names:
            where = locate(eqn, around, str(file))
            found.append((eqn, around, where))
    return found


def test_places_are_lines_and_columns_of_user_code(source):
    def shown(where):
        text = where.text[where.column - 1 : where.end_column - 1] if where.column else None
        return where.file.rpartition("/")[2], where.line, text

    names = ("max", "min", "abs", "sqrt", "floor", "round", "gt", "sign", "select_n")
    found = {}
    for eqn, _, where in places(source, names):
        found.setdefault(eqn.primitive.name, []).append(shown(where))
    relu = ("losses.py", 8, "jax.nn.relu(p - t)")
    clips = [("losses.py", 12, "jnp.clip(p, 0, 1)"), ("losses.py", 12, "jnp.clip(t, -1, 1)")]
    assert found["max"][0] == relu
    assert found["max"][1] == ("losses.py", 9, None)  # it continues on the next line
    assert found["max"][2:4] == found["min"] == clips
    assert found["abs"][0] == ("losses.py", 13, "jnp.abs(v)")
    assert found["sqrt"] == [("helpers.py", 5, None)] * 2
    assert found["floor"] == [("helpers.py", 6, "jnp.floor(a)")] * 2
    assert found["round"] == [("losses.py", 17, "jnp.round(v)")] * 2
    assert found["gt"] == [("losses.py", 17, "v > 0.25")] * 2
    assert found["select_n"][-2:] == [("losses.py", 17, "jnp.where(v > 0.25, v, jnp.round(v))")] * 2
    assert found["sign"][-1] == ("losses.py", 21, "jnp.sign(v)")


def test_user_operations_are_distinguished_from_those_of_library_functions(source):
    told = {}
    for eqn, _, where in places(source, ("max", "gt", "abs", "floor", "reduce_max")):
        told.setdefault((eqn.primitive.name, where.line), set()).add(
            calls_directly(eqn, str(source))
        )
    assert told[("gt", 17)] == told[("abs", 13)] == told[("floor", 6)] == {True}
    assert told[("max", 8)] == told[("max", 9)] == told[("reduce_max", 14)] == {False}


def test_an_expression_over_several_lines_has_no_columns(tmp_path):
    file = tmp_path / "long.py"
    file.write_text(
        "import jax.numpy as jnp\n\n\ndef loss(p, t):\n"
        "    return jnp.sin(p * p + t * t + p * t + 1.0 - p +\n"
        "                   t * t + p)\n"
    )
    ((_, _, where),) = places(file, ("sin",))
    assert (where.line, where.column, where.end_column) == (5, None, None)


def test_a_library_file_is_user_code_if_it_is_audited(source):
    called = [found for found in places(source, ("max",)) if found[2].line == 8]
    (eqn, around, _), *_ = called
    library = next(
        code.co_filename
        for code in eqn.source_info.traceback.raw_frames()[0]
        if code.co_filename.endswith("functions.py")
    )
    assert locate(eqn, around, library).file == library
    assert calls_directly(eqn, library)
