"""Checks the rules of single operations against NumPy: ranges, curvature, smoothness, switches.

Each operation is traced once; then ranges of its arguments are drawn, and points inside them.
Whole programs are in `test_static_programs`.
"""

import functools
import itertools
import math
from collections.abc import Callable
from dataclasses import dataclass

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.special
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from jax import lax
from truth import bends_as_claimed

from landscape.audit.static import intervals as iv
from landscape.audit.static import reader, rules
from landscape.audit.static.abstract import AbstractValue, NonFinite
from landscape.audit.static.switches import SWITCHES

laws = settings(
    max_examples=30,
    deadline=None,
    derandomize=True,
    suppress_health_check=list(HealthCheck),
)
N = 3
INF = math.inf
F32 = jax.ShapeDtypeStruct((N,), jnp.float32)
INDEX = jnp.array([2, 0])


@dataclass(frozen=True)
class Case:
    """An operation on vectors of three elements, in JAX and in NumPy.

    `broken(*ranges)`: whether some point of the ranges is one where the function is known not to be
    infinitely differentiable. `more` marks a second case of the same primitive.
    """

    primitive: str
    function: Callable
    truth: Callable
    broken: Callable = lambda *ranges: False
    arity: int = 1
    more: str = ""

    def __str__(self) -> str:
        return self.primitive + self.more


def one(primitive, function, truth, broken=lambda a: False, more=""):
    return Case(primitive, function, truth, broken, 1, more)


def two(primitive, function, truth, broken=lambda a, b: False, more=""):
    return Case(primitive, function, truth, broken, 2, more)


def inside(*points):
    """A kink or jump at these points; an end of the range has only one side."""
    return lambda a: any(a[0] < point < a[1] for point in points)


def reaches(limit):
    """Undefined, or with an infinite slope, at this point and below."""
    return lambda a: a[0] <= limit


def crossing(a, b):
    """The two arguments change their order."""
    return a[0] < b[1] and b[0] < a[1]


def holds_zero(a):
    return a[0] <= 0 <= a[1]


def holds_whole(a):
    return math.isinf(a[0]) or math.isinf(a[1]) or a[1] - a[0] > 1


def whole_power(n):
    return one(
        "integer_pow",
        lambda x: lax.integer_pow(x, n),
        lambda x: x**n,
        holds_zero if n < 0 else inside(),
        f" {n}",
    )


def fixed_power(y):
    return one(
        "pow",
        lambda x: lax.pow(x, jnp.full_like(x, y)),
        lambda x: np.power(x, y),
        inside() if y in (0, 2, 3) else holds_zero if y == -2 else reaches(0.0),
        f" {y}",
    )


def stepped(name, truth):
    return one(name, getattr(lax, name), truth, holds_whole)


def compared(name, truth):
    return two(name, getattr(lax, name), truth, crossing)


def kept(name, function, truth):
    return one(name, function, truth)


def cast(x):
    return lax.convert_element_type(x, jnp.int32)


MASK = np.array([True, False, True])
WEIGHTS = np.array([0.5, -2.0, 1.0], np.float32)
CASES = [
    two("add", lax.add, np.add),
    two("sub", lax.sub, np.subtract),
    two("mul", lax.mul, np.multiply),
    two("div", lax.div, np.divide, lambda a, b: holds_zero(b)),
    two("pow", lax.pow, np.power, lambda a, b: a[0] <= 0, " of two"),
    one("neg", lax.neg, np.negative),
    one("square", lax.square, np.square),
    *map(whole_power, (0, 1, 2, 3, 4, 7, -1, -2, -3)),
    *map(fixed_power, (0.0, 0.5, 1.5, 2.0, 3.0, -0.5, -2.0)),
    one("exp", jnp.exp, np.exp),
    one("exp2", lax.exp2, np.exp2),
    one("expm1", jnp.expm1, np.expm1),
    one("log", jnp.log, np.log, reaches(0.0)),
    one("log1p", jnp.log1p, np.log1p, reaches(-1.0)),
    one("sqrt", jnp.sqrt, np.sqrt, reaches(0.0)),
    one("rsqrt", lax.rsqrt, lambda x: 1 / np.sqrt(x), reaches(0.0)),
    one("logistic", lax.logistic, scipy.special.expit),
    one("tanh", jnp.tanh, np.tanh),
    one("erf", lax.erf, scipy.special.erf),
    one("erfc", lax.erfc, scipy.special.erfc),
    one("atan", lax.atan, np.arctan),
    one("asinh", lax.asinh, np.arcsinh),
    one("sinh", lax.sinh, np.sinh),
    one("cosh", lax.cosh, np.cosh),
    one("sin", lax.sin, np.sin),
    one("cos", lax.cos, np.cos),
    one("abs", lax.abs, np.abs, inside(0.0)),
    one("sign", lax.sign, np.sign, inside(0.0)),
    stepped("floor", np.floor),
    stepped("ceil", np.ceil),
    stepped("round", lambda x: np.trunc(x + np.copysign(0.5, x))),
    one(
        "reduce_precision",
        lambda x: lax.reduce_precision(x, 5, 10),
        lambda x: x.astype(np.float16),
        holds_whole,
    ),
    one("is_finite", lax.is_finite, np.isfinite),
    one("convert_element_type", cast, np.trunc, holds_whole, " to whole numbers"),
    one("convert_element_type", lambda x: x.astype(bool), lambda x: x != 0, inside(0), " to bool"),
    one("convert_element_type", lambda x: x.astype(jnp.float16), lambda x: x, more=" to float16"),
    two("max", lax.max, np.maximum, crossing),
    two("min", lax.min, np.minimum, crossing),
    one(
        "clamp",
        lambda x: lax.clamp(-jnp.abs(WEIGHTS), x, jnp.ones(N)),
        lambda x: np.minimum(np.maximum(x, -np.abs(WEIGHTS)), 1),
        inside(-2.0, -0.5, 1.0),
    ),
    compared("lt", np.less),
    compared("le", np.less_equal),
    compared("gt", np.greater),
    compared("ge", np.greater_equal),
    compared("eq", np.equal),
    compared("ne", np.not_equal),
    two("select_n", lambda x, y: lax.select_n(MASK, x, y), lambda x, y: np.where(MASK, y, x)),
    one("reduce_sum", jnp.sum, np.sum),
    one("reduce_max", jnp.max, np.max, inside(*np.linspace(-60, 60, 2001))),
    one("reduce_min", jnp.min, np.min, inside(*np.linspace(-60, 60, 2001))),
    one("cumsum", lax.cumsum, np.cumsum),
    one("dot_general", lambda x: jnp.dot(x, WEIGHTS), lambda x: x @ WEIGHTS.astype(float)),
    two("dot_general", jnp.dot, np.dot, more=" of two"),
    one("gather", lambda x: x[INDEX], lambda x: x[np.array(INDEX)]),
    one(
        "gather",
        lambda x: x.at[jnp.array([0, 9])].get(mode="fill", fill_value=-7.0),
        lambda x: np.array([x[0], -7.0]),
        more=" filled",
    ),
    one("dynamic_slice", lambda x: lax.dynamic_slice(x, (1,), (2,)), lambda x: x[1:]),
    two(
        "dynamic_update_slice",
        lambda x, y: lax.dynamic_update_slice(x, y[:2], (1,)),
        lambda x, y: np.concatenate([x[:1], y[:2]]),
    ),
    two(
        "scatter-add",
        lambda x, y: x.at[jnp.array([0, 0, 2])].add(y),
        lambda x, y: x + np.array([y[0] + y[1], 0, y[2]]),
    ),
    two("concatenate", lambda x, y: jnp.concatenate([x, y]), lambda x, y: np.concatenate([x, y])),
    two(
        "pad",
        lambda x, y: lax.pad(x, y[0], [(1, 0, 1)]),
        lambda x, y: np.array([y[0], x[0], y[0], x[1], y[0], x[2]]),
    ),
    kept("broadcast_in_dim", lambda x: lax.broadcast(x, (2,)), lambda x: np.tile(x, (2, 1))),
    kept("reshape", lambda x: lax.reshape(x, (1, N)), lambda x: x),
    kept("squeeze", lambda x: lax.squeeze(lax.reshape(x, (1, N)), (0,)), lambda x: x),
    kept("transpose", lambda x: lax.transpose(lax.reshape(x, (1, N)), (1, 0)), lambda x: x),
    kept("rev", lambda x: lax.rev(x, (0,)), lambda x: x[::-1]),
    kept("slice", lambda x: x[1:], lambda x: x[1:]),
    kept("copy", lambda x: jnp.array(x, copy=True), lambda x: x),
    kept("optimization_barrier", lambda x: lax.optimization_barrier(x), lambda x: x),
]
# Rules whose operands are not one or two floats, and aliases of operations above.
NOT_DRIVEN = {"iota", "add_any", "stack", "expand_dims", "copy_p", "real"}
NOT_DRIVEN |= {"sharding_constraint"}


def test_every_rule_has_a_case():
    assert {case.primitive for case in CASES} == rules.RULES.keys() - NOT_DRIVEN


@functools.cache
def traced(case):
    closed = jax.make_jaxpr(case.function)(*[F32] * case.arity)
    assert case.primitive in [eqn.primitive.name for eqn in closed.jaxpr.eqns]
    return closed


# Open ends are those that the rules produce: above 0 and -1 from below, below 0 and 1 from above.
small = st.integers(-5000, 5000).map(lambda n: n / 100)
anywhere = st.sampled_from([-1e30, -8.0, -1.0, 0.0, 1e-4, 0.5, 1.0, 8.0, 41.0]) | small
lows = st.sampled_from([-INF, -iv.BELOW_ONE, iv.ABOVE_ZERO]) | anywhere
highs = st.sampled_from([INF, -iv.ABOVE_ZERO, iv.BELOW_ONE, 1e30]) | anywhere
ranges = st.tuples(lows, highs).filter(lambda ends: ends[0] < ends[1])
# Positions of points in a range: its ends, its middle, near its ends, at random.
SHARES = np.random.default_rng(3).choice(
    [0, 1, 0.5, 1e-9, 1 - 1e-9, *np.linspace(0, 1, 16)], (24, 2, N)
)


def within(bounds, share):
    """Numbers of a range, not so small that their inverse overflows."""
    low = max(bounds[0], min(-60.0, 2 * bounds[1]))
    high = min(bounds[1], max(60.0, 2 * low))
    low, high = {iv.ABOVE_ZERO: 1e-4}.get(low, low), {-iv.ABOVE_ZERO: -1e-4}.get(high, high)
    return np.clip(low + share * (high - low), low, high)


def points(bounds, shares):
    return [within(b, s) for b, s in zip(bounds, shares, strict=True)]


def varying(bounds):
    return AbstractValue(range=bounds, varies=True, convexity=iv.AFFINE)


@laws
@given(bounds=st.tuples(ranges, ranges))
def test_the_true_value_lies_in_the_claimed_range(bounds):
    for case in CASES:
        found, value = claim(case, bounds), values(case, bounds)
        low, high = found.range
        room = 1e-13 * np.abs(value, where=np.isfinite(value), out=np.zeros_like(value)) + 1e-300
        held = (low - room <= value) & (value <= high + room) | np.isnan(value)
        assert held.all(), (str(case), found.range)
        assert not found.smooth or np.isfinite(value).all(), str(case)


@laws
@given(bounds=st.tuples(ranges, ranges), fixed=st.booleans())
def test_midpoints_confirm_the_claimed_curvature(bounds, fixed):
    """`fixed`: the second argument is a target and does not vary."""
    for case in CASES:
        found = claim(case, bounds, fixed)
        assert bends_as_claimed(found.convexity, *ends_and_middle(case, bounds, fixed)), str(case)


@laws
@given(bounds=st.tuples(ranges, ranges))
def test_only_smooth_functions_are_claimed_smooth(bounds):
    for case in CASES:
        if case.broken(*bounds[: case.arity]):
            found = claim(case, bounds)
            assert found.varies and not found.smooth, str(case)


def claim(case, bounds, fixed=False):
    """Returns the claims about an operation on affine values in these ranges."""
    inputs = [varying(b) for b in bounds]
    if fixed:
        inputs[1] = AbstractValue(range=bounds[1], uses_target=True)
    (found,) = reader.read(traced(case), inputs[: case.arity]).outputs
    return found


def values(case, bounds):
    """Returns the true values at points of the ranges."""
    rows = [at(case, points(bounds, shares)) for shares in SHARES]
    return np.array(rows, float)


def ends_and_middle(case, bounds, fixed):
    """Returns the true values at pairs of points and at their midpoints."""
    found = []
    for first, second in itertools.pairwise(SHARES):
        a, b = points(bounds, first), points(bounds, second)
        if fixed:
            b[1] = a[1]
        middle = [(x + y) / 2 for x, y in zip(a, b, strict=True)]
        found.append([at(case, p) for p in (a, b, middle)])
    return np.moveaxis(np.array(found, float), 1, 0)


def at(case, arguments):
    with np.errstate(all="ignore"):
        return case.truth(*arguments[: case.arity])


@pytest.mark.parametrize("case", CASES, ids=str)
def test_each_case_is_claimed_smooth_on_some_range(case):
    """Far from its switches, each operation is proved smooth."""
    found = claim(case, ((3.25, 3.5), (7.25, 7.5)))
    never = ("reduce_max", "reduce_min", "floor", "ceil", "round", "reduce_precision")
    jumps = case.primitive in never or str(case).endswith(("whole numbers", "to bool"))
    assert found.smooth is not jumps


# Whether the ranges hold a switch of the operation, in general position.
HOLDS = {
    "abs": (jnp.abs, inside(0.0)),
    "sign": (jnp.sign, inside(0.0)),
    "max": (lax.max, crossing),
    "min": (lax.min, crossing),
    "clamp": (
        lambda x, y: lax.clamp(jnp.zeros_like(x), x, jnp.abs(y) + 1),
        lambda a, b: a[0] < 0 < a[1] or crossing(a, (1 + least(b), 1 + max(-b[0], b[1]))),
    ),
    **{
        name: (function, lambda a: True)
        for name, function in {
            "reduce_max": jnp.max,
            "reduce_min": jnp.min,
            "argmax": jnp.argmax,
            "argmin": jnp.argmin,
            "sort": jnp.sort,
            "cummax": lax.cummax,
            "cummin": lax.cummin,
            "top_k": lambda x: lax.top_k(x, 2)[0],
            "reduce_window_max": lambda x: lax.reduce_window(x, -INF, lax.max, (2,), (1,), "SAME"),
            "reduce_window_min": lambda x: lax.reduce_window(x, INF, lax.min, (2,), (1,), "SAME"),
        }.items()
    },
    "reduce_precision": (lambda x: lax.reduce_precision(x, 5, 10), holds_whole),
    "floor": (lax.floor, holds_whole),
    "ceil": (lax.ceil, holds_whole),
    "round": (lax.round, holds_whole),
    "rem": (lax.rem, lambda a, b: crossing(a, b) and holds_whole(a)),
    **{name: (getattr(lax, name), crossing) for name in ("lt", "le", "gt", "ge", "eq", "ne")},
    "convert_element_type": (cast, holds_whole),
    "is_finite": (lambda x: lax.is_finite(jnp.log(x)), reaches(0.0)),
    "sqrt": (lax.sqrt, reaches(0.0)),
    "rsqrt": (lax.rsqrt, reaches(0.0)),
    "log": (lax.log, reaches(0.0)),
    "lgamma": (lax.lgamma, reaches(0.0)),
    "digamma": (lax.digamma, reaches(0.0)),
    "log1p": (lax.log1p, reaches(-1.0)),
    "div": (lax.div, lambda a, b: holds_zero(b)),
    "pow": (lax.pow, lambda a, b: a[0] <= 0),
    "integer_pow": (lambda x: lax.integer_pow(x, -3), holds_zero),
    "cbrt": (lax.cbrt, inside(0.0)),
    **{
        name: (getattr(lax, name), lambda a: a[0] <= -1 or a[1] >= 1)
        for name in ("erf_inv", "atanh", "asin", "acos")
    },
    "acosh": (lax.acosh, reaches(1.0)),
    "atan2": (lax.atan2, lambda a, b: holds_zero(a) and b[0] < 0),
}


def least(bounds):
    return max(bounds[0], -bounds[1], 0.0)


def test_every_switch_has_a_case():
    assert HOLDS.keys() == SWITCHES.keys()


@laws
@given(bounds=st.tuples(ranges, ranges))
def test_no_switch_is_missed(bounds):
    for name, (_, holds) in HOLDS.items():
        arity = holds.__code__.co_argcount
        reading = reader.read(switching(name, arity), list(map(varying, bounds))[:arity])
        told = {site.operation for site in reading.sites if site.status == reader.OPEN}
        assert name in told or not holds(*bounds[:arity]), name


@functools.cache
def switching(name, arity):
    return jax.make_jaxpr(HOLDS[name][0])(*[F32] * arity)


def test_a_switch_of_the_target_has_the_status_target_only():
    read = functools.partial(reader.read, traced(next(c for c in CASES if str(c) == "abs")))
    (site,) = read([AbstractValue(range=(-INF, INF), uses_target=True)]).sites
    assert site.status == reader.TARGET_ONLY
    (site,) = read([varying((0.0, INF))]).sites
    assert site.status == reader.UNREACHABLE


@laws
@given(a=ranges, b=ranges)
def test_the_order_of_intervals_is_that_of_their_numbers(a, b):
    x, y = within(a, SHARES[:, 0]), within(b, SHARES[:, 1])
    if iv.below(a, b):
        assert np.max(x) < np.min(y) or {a[1], b[0]} & {iv.ABOVE_ZERO, -iv.ABOVE_ZERO, iv.BELOW_ONE}
    if iv.not_above(a, b):
        assert np.max(x) <= np.min(y)


def test_open_ends_stay_open_and_closed_ends_closed():
    positive, share = (iv.ABOVE_ZERO, INF), (iv.ABOVE_ZERO, iv.BELOW_ONE)
    assert iv.add(positive, positive)[0] == iv.ABOVE_ZERO
    assert iv.multiply(positive, (5.0, 5.0))[0] == iv.ABOVE_ZERO
    assert iv.add((1.0, 1.0), iv.negate(share)) == share
    assert iv.reciprocal(share) == (1.0, INF)
    assert iv.image(share, math.log, -INF, INF) == (-INF, -iv.ABOVE_ZERO)
    assert iv.image(positive, math.sqrt, 0.0, INF)[0] == iv.ABOVE_ZERO
    assert iv.multiply(share, share) == share
    assert iv.power(share, 3) == share
    assert iv.multiply((0.0, 1.0), positive)[0] == 0.0
    assert iv.below(share, (1.0, 2.0)) and not iv.below((0.0, 1.0), (1.0, 2.0))
    # Beyond 40 a sigmoid is above BELOW_ONE, so the order of two of them is unknown.
    high = iv.image((40.0, INF), lambda x: 1 / (1 + math.exp(-x)), iv.ABOVE_ZERO, iv.BELOW_ONE)
    assert not iv.not_above(share, high)


def test_rounding_never_makes_a_range_narrower():
    far = iv.add((-0.5, 0.5), (1e17, 1e17))
    assert far[0] <= 1e17 - 8 and far[1] >= 1e17 + 8
    back = iv.add(far, (-1e17, -1e17))
    assert back[0] <= -0.5 and back[1] >= 0.5
    assert iv.add((0.1, 0.1), (0.2, 0.2))[0] < 0.1 + 0.2
    assert iv.add((0.5, 1.0), (0.25, 0.25)) == (0.75, 1.25)
    assert iv.multiply((1e200, 1e300), (1e200, 1e300))[0] < INF
    assert iv.power((1e200, 1e300), -2)[1] > 0
    assert iv.image((800.0, 900.0), math.exp, iv.ABOVE_ZERO, INF)[0] < INF


def test_is_finite_holds_only_inside_the_domain():
    def told(function):
        return reader.read(jax.make_jaxpr(function)(F32), [varying((0.0, 1.0))]).outputs[0]

    assert told(lambda x: lax.is_finite(jnp.exp(x))).range == (1.0, 1.0)
    assert told(lambda x: lax.is_finite(jnp.log(x))).varies
    assert told(lambda x: lax.is_finite(x / (x - 0.5))).varies
    masked = jnp.array([0.0, -jnp.inf, 0.0])
    assert not told(lambda x: lax.is_finite(x + masked)).varies
    assert told(lambda x: jnp.log(x)).nonfinite == NonFinite.BY_PREDICTION
    assert told(lambda x: jnp.log(x + 1)).nonfinite == NonFinite.NEVER
