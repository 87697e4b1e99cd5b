"""Checks the claims of the rules about whole programs against brute force.

Each program of the table was, or could be, taken for something better than it is. A witness shows
what it really is: a point with a kink, three points that are not convex, a value out of a range.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax
from jax.lax import stop_gradient as stopped
from quick import run
from truth import POSITIVE, REAL, UNIT, read

from landscape.audit.static import intervals as iv
from landscape.audit.static import reader
from landscape.audit.static.target_tests import target_tests

INF = math.inf
X = np.array([0.25, -1.5, 0.75, 2.0])


def value(function, *arguments):
    """Returns the value in float64."""
    return float(run(function, *(np.asarray(a, np.float64) for a in arguments)))


@dataclass(frozen=True)
class Program:
    """A program, with counterexamples to the properties that it lacks.

    `kink`: a point and a direction along which the slope jumps; `chord`: two points between which
    the value lies above the chord; `values`: points whose values must lie in the range. `exact` is
    the same function in a form that float64 computes well.
    """

    function: Callable
    kink: tuple | None = None
    chord: tuple | None = None
    values: tuple = ()
    bounds: tuple = REAL
    target: tuple | None = None
    given: tuple = ()
    exact: Callable | None = None


E1, ONES, ZERO = np.eye(4)[0], np.ones(4), np.zeros(4)


def by_hand(x, constant=jnp.max, times=1):
    """logsumexp, if the constant is added back once."""
    top = stopped(constant(x))
    found = jnp.log(jnp.sum(jnp.exp(x - top)))
    for _ in range(abs(times)):
        found = found + top if times > 0 else found - top
    return found


@jax.custom_jvp
def logaddexp(a, b):
    """A user function with the name of one of the library."""
    return jnp.maximum(a, b)


logaddexp.defjvp(lambda primals, tangents: (logaddexp(*primals), tangents[0]))


@jax.custom_vjp
def straight(x):
    return jnp.abs(x)


straight.defvjp(lambda x: (x, None), lambda _, g: (g,))


def table(x):
    """x_i + 2 x_j."""
    return x[:, None] + 2 * x[None, :]


def rows_for_columns(x):
    top = stopped(jnp.max(table(x) * x[:, None], axis=0))
    return jnp.sum((table(x) - top[None, :] + top[:, None])[0])


def sum_over_the_constant(x):
    size = stopped(jnp.abs(x))
    return jnp.sum(jnp.log(jnp.sum(jnp.exp(x - size))) + size)


def difference_of_sums(x):
    size = stopped(jnp.abs(x))
    return jnp.log(jnp.sum(jnp.exp(x - size))) - jnp.log(jnp.sum(jnp.exp(2 * x - size)))


def two_constants(x):
    first, second = (x - stopped(jnp.max(x)), 2 * x - stopped(jnp.min(x)))
    return jnp.log(jnp.sum(jnp.exp(first))) - jnp.log(jnp.sum(jnp.exp(second)))


def shifted_carry(x):
    top = stopped(jnp.max(x))
    turns = lax.scan(lambda v, _: (v + top, jnp.sum(v + top)), x - top, None, length=3)[1]
    return jnp.sum(turns)


def normalized_the_wrong_way(x):
    weights = jnp.exp(table(x) - stopped(jnp.max(table(x))))
    return jnp.sum(weights / jnp.sum(weights, axis=0)[:, None])


def differences(x):
    shifted = (x + 1.0) - stopped(jnp.max(x))
    rows, columns = (jnp.broadcast_to(shifted.reshape(s), (4, 4)) for s in ((4, 1), (1, 4)))
    return jnp.sum(jnp.abs(rows - columns))


def equal_carries(x):
    def body(carry, _):
        a, b = carry
        return (b, 2 * b), jnp.abs(a - b)

    start = x + 1.0
    return jnp.sum(lax.scan(body, (start, start), None, length=3)[1])


def register(x):
    def body(carry, _):
        return (x, *carry[:-1]), jnp.abs(carry[-1])

    return jnp.sum(lax.scan(body, (jnp.zeros_like(x),) * 7, None, length=12)[1])


def growing_carry(x):
    total, sizes = lax.scan(lambda c, v: (2 * c + v, jnp.abs(c)), jnp.zeros_like(x[0]), x)
    return total + jnp.sum(sizes)


def late_branch(x):
    return jnp.sum(lax.fori_loop(0, 30, lambda i, v: jnp.where(i == 20, jnp.abs(v), v), x))


def counted(x):
    """Counts up to the prediction."""
    return lax.while_loop(lambda n: n < x[0], lambda n: n + 1, jnp.zeros_like(x[0]))


def written(x):
    place = jax.new_ref(jnp.zeros_like(x))
    place[...] = jnp.abs(x)
    return jnp.sum(place[...])


def exponentials(x):
    """log(e^x + e^-x - 1): convex only without the -1."""
    return jnp.log(jnp.sum(jnp.stack([jnp.exp(x[0]), jnp.exp(-x[0]), -jnp.ones_like(x[0])])))


def inverse_of_joined(x):
    found = jnp.where(jnp.arange(4) < 2, jax.nn.sigmoid(x), -2.0)
    return jnp.sum(1 / (found * jax.nn.sigmoid(x)))


def added_sigmoids(x):
    steps = jax.nn.sigmoid(jnp.stack([x[0] + 20, x[0] - 20]))
    return -jnp.log(jnp.zeros_like(x[:1]).at[jnp.array([0, 0])].add(steps))[0]


def chosen_place(x):
    start = jnp.zeros_like(x)
    return jnp.sum(lax.dynamic_update_slice(start, jnp.ones_like(x[:1]), (jnp.argmax(x),)) * x)


def chosen_sum(x):
    return jnp.sum(
        jnp.zeros_like(x).at[jnp.argmax(x)].add(1.0) * jnp.arange(1.0, 5.0).astype(x.dtype)
    )


def halves(x, t):
    return jnp.sum(jnp.where(lax.div((t > 0).astype(int) + 1, 2) > 0, x**2, -(x**2)))


def wrapped(x, t):
    small = t.astype(jnp.uint8) - jnp.uint8(1)
    return jnp.sum(jnp.where(small > 2, -(x**2), x**2))


def finite_or_zero(x):
    return jnp.sum(jnp.where(jnp.isfinite(jnp.log(x)), -jnp.log(x), 0.0))


def weighted(x, t):
    return jnp.sum(jnp.where(jnp.isfinite(jnp.log(t)), -jnp.log(t), -5.0) * x**2)


def complex_square(x):
    z = lax.complex(x, 2 * x)
    return jnp.sum(jnp.real(z * z))


def filled(x):
    return jnp.sum(jnp.exp(x).at[jnp.array([7])].get(mode="fill", fill_value=-5.0))


FAR = 50 * ONES
PROGRAMS = {
    "added back twice": Program(lambda x: by_hand(x, times=2), kink=(ZERO, E1)),
    "taken away again": Program(lambda x: by_hand(x, times=-1), kink=(ZERO, E1)),
    "added back unstopped": Program(
        lambda x: by_hand(x, times=0) + jnp.max(x) + stopped(jnp.min(x)), kink=(ZERO, E1)
    ),
    "another maximum": Program(
        lambda x: by_hand(x, times=0) + stopped(jnp.max(2 * x)), kink=(ZERO, E1)
    ),
    "its size added back": Program(
        lambda x: by_hand(x, times=0) + jnp.abs(stopped(jnp.max(x))), kink=(E1 - ONES, E1)
    ),
    "rows for columns": Program(rows_for_columns, kink=(np.array([2, 2, -1, 0.5]), E1)),
    "a sum over the constant": Program(sum_over_the_constant, kink=(E1 - ONES, E1)),
    "no number at all, clipped": Program(
        lambda x: jnp.sum(jnp.minimum(lax.rsqrt(x), 1.0)), bounds=(-1.0, 0.5), values=(0.25 * ONES,)
    ),
    "a difference of two such sums": Program(difference_of_sums, kink=(E1 - ONES, E1)),
    "a difference of sums shifted by two constants": Program(two_constants, kink=(ZERO, E1)),
    "a constant added back at each turn": Program(shifted_carry, kink=(ZERO, E1)),
    "normalized the wrong way": Program(
        normalized_the_wrong_way, values=(X, np.array([-3, 0, 0, 3]))
    ),
    "differences of one shifted vector": Program(differences, kink=(ZERO, E1)),
    "a user's logaddexp": Program(lambda x: logaddexp(x[0], 2 * x[0]), kink=(ZERO, E1)),
    "behind custom_vjp": Program(lambda x: jnp.sum(straight(x)), kink=(ZERO, E1)),
    "behind jit": Program(lambda x: jax.jit(lambda v: jnp.sum(jnp.abs(v)))(x), kink=(ZERO, E1)),
    "behind remat": Program(
        lambda x: jax.checkpoint(lambda v: jnp.sum(jnp.abs(v)))(x), kink=(ZERO, E1)
    ),
    "behind vmap": Program(lambda x: jnp.sum(jax.vmap(jnp.abs)(x)), kink=(ZERO, E1)),
    "behind lax.map": Program(lambda x: jnp.sum(lax.map(jnp.abs, x)), kink=(ZERO, E1)),
    "the second of a barrier": Program(
        lambda x: jnp.sum(lax.optimization_barrier((x, jnp.abs(x)))[1]), kink=(ZERO, E1)
    ),
    "carries that start equal": Program(equal_carries, kink=(-E1, E1)),
    "a shift register": Program(register, kink=(ZERO, E1)),
    "a carry that grows": Program(growing_carry, kink=(ZERO, E1)),
    "a late turn of a loop": Program(late_branch, kink=(ZERO, E1)),
    "a moving condition": Program(counted, kink=(E1, E1)),
    "a branch on a prediction": Program(
        lambda x: lax.cond(x[0] > 0, jnp.sum, lambda v: -jnp.sum(v), x), kink=(ZERO, ONES)
    ),
    "a mutable array": Program(written, kink=(ZERO, E1)),
    "a place chosen by argmax": Program(chosen_place, kink=(ZERO, E1)),
    "a sum at argmax": Program(chosen_sum, kink=(ZERO, np.arange(4.0))),
    "tan": Program(lambda x: jnp.sum(jnp.tan(x)), kink=(0.5 * np.pi * E1, E1)),
    "cancellation": Program(
        lambda x: jnp.sum(jnp.abs((x - 0.5) + 1e17 - 1e17)),
        bounds=UNIT,
        kink=(0.5 * ONES, E1),
        exact=lambda x: jnp.sum(jnp.abs(x - 0.5)),
    ),
    "a negative constant among exponentials": Program(exponentials, chord=(E1, 4 * E1)),
    "joined with a negative constant": Program(
        inverse_of_joined, chord=(ZERO, np.array([0, 0, 5, 5]))
    ),
    "a sum of sigmoids": Program(added_sigmoids, chord=(10 * E1, 20 * E1), values=(FAR, -FAR)),
    "two sigmoids": Program(
        lambda x: -jnp.log(jax.nn.sigmoid(x[0] + 20) + jax.nn.sigmoid(x[0] - 20)),
        chord=(10 * E1, 20 * E1),
    ),
    "an exponential and what falls": Program(
        lambda x: jnp.log(jnp.exp(x[0]) + 10 * jax.nn.relu(-x[0]) + 1), chord=(-9 * E1, -1 * E1)
    ),
    "a logarithm of something convex": Program(
        lambda x: -jnp.log(1 + x[0] ** 2), chord=(-3 * E1, 3 * E1)
    ),
    "an exponential of something concave": Program(
        lambda x: jnp.expm1(-(x[0] ** 2)), chord=(-0.5 * E1, 0.5 * E1)
    ),
    "the inverse of something convex": Program(
        lambda x: 1 / (1 + x[0] ** 2), chord=(-0.5 * E1, 0.5 * E1)
    ),
    "a whole quotient": Program(
        halves, target=POSITIVE, given=(ZERO,), chord=(-ONES, ONES), values=(3 * ONES,)
    ),
    "whole numbers that wrap": Program(
        wrapped, target=UNIT, given=(ZERO,), chord=(-ONES, ONES), values=(3 * ONES,)
    ),
    "zero where it is infinite": Program(finite_or_zero, bounds=UNIT, chord=(ZERO, ONES)),
    "a weight where the target is infinite": Program(
        weighted, target=UNIT, given=(ZERO,), chord=(-ONES, ONES), values=(3 * ONES,)
    ),
    "the square of a complex number": Program(complex_square, values=(ONES,)),
    "a value for what is out of bounds": Program(filled, values=(ZERO,)),
    "the other side of a sigmoid": Program(
        lambda x: jnp.sum(1 / (1 - jax.nn.sigmoid(x))),
        values=(FAR, -FAR),
        exact=lambda x: jnp.sum(1 + jnp.exp(x)),
    ),
    "the logarithm of the other side": Program(
        lambda x: jnp.sum(jnp.log1p(-jax.nn.sigmoid(x))),
        values=(14 * FAR, -14 * FAR),
        exact=lambda x: -jnp.sum(jnp.logaddexp(x, 0.0)),
    ),
    "the inverse of a small logarithm": Program(
        lambda x: jnp.sum(-1 / jnp.log(jax.nn.sigmoid(x))),
        values=(FAR, -FAR),
        exact=lambda x: jnp.sum(1 / jnp.log1p(jnp.exp(-x))),
    ),
    "the root of an exponential": Program(
        lambda x: jnp.sum(1 / jnp.sqrt(jnp.exp(x))),
        values=(14 * FAR, -24 * FAR),
        exact=lambda x: jnp.sum(jnp.exp(-x / 2)),
    ),
    "x times -x": Program(lambda x: jnp.sum(x * -x), chord=(-ONES, ONES), values=(X,)),
}


def is_kinked(function, point, direction, given):
    """Whether the slope along a direction jumps at a point: its change does not shrink."""

    def jump(step):
        ends = [value(function, point + s * step * direction, *given) for s in (-1, 0, 1)]
        return abs(ends[0] - 2 * ends[1] + ends[2]) / step

    return jump(1e-6) > max(0.01, 0.5 * jump(1e-3))


def is_bent(function, a, b, given):
    ends = value(function, a, *given), value(function, b, *given)
    return value(function, (a + b) / 2, *given) > sum(ends) / 2 + 1e-6


@pytest.mark.parametrize("name", PROGRAMS)
def test_no_claim_is_false(name):
    program = PROGRAMS[name]
    (found,) = read(program.function, program.bounds, program.target).outputs
    truth = program.exact or program.function
    assert found.varies
    if program.kink is not None:
        assert is_kinked(truth, *program.kink, program.given), "it is no witness"
        assert not found.smooth
    if program.chord is not None:
        assert is_bent(truth, *program.chord, program.given), "it is no witness"
        assert not iv.is_convex(found.convexity)
    for point in program.values:
        assert found.range[0] <= value(truth, point, *program.given) <= found.range[1]
    assert program.kink or program.chord or program.values


def logsumexp(x):
    return jax.nn.logsumexp(x)


def safe_log(x):
    """The double `where`: log gets 1 if the target selects the other branch."""
    return jnp.log(jnp.where(jnp.arange(4) < 2, 1 + x**2, 1.0))


# Proved smooth, and convex if so marked.
PROVED = {
    "logsumexp by hand": (by_hand, True),
    "logsumexp": (logsumexp, True),
    "logsumexp of a table's columns": (
        lambda x: jnp.sum(jax.nn.logsumexp(x.reshape(2, 2), axis=0)),
        True,
    ),
    "logsumexp that keeps its axes": (
        lambda x: jnp.sum(jax.nn.logsumexp(x.reshape(2, 2), axis=1, keepdims=True)),
        True,
    ),
    "shifted by the minimum": (lambda x: by_hand(x, jnp.min), True),
    "shifted by its own size": (lambda x: by_hand(x, jnp.linalg.norm), True),
    "softmax": (lambda x: jnp.sum(jax.nn.softmax(x) ** 2), False),
    "log_softmax": (lambda x: -jax.nn.log_softmax(x)[0], True),
    "log_softmax of a row": (lambda x: -jnp.sum(jax.nn.log_softmax(x.reshape(2, 2))[:, 0]), True),
    "logaddexp": (lambda x: jnp.sum(jnp.logaddexp(x, -x)), True),
    "softplus": (lambda x: jnp.sum(jax.nn.softplus(x)), True),
    "a logarithm of a softmax": (lambda x: jnp.sum(-jnp.log(jax.nn.softmax(x))), False),
    "a sigmoid by hand": (lambda x: jnp.sum(jnp.log(1 / (1 + jnp.exp(-x)))), False),
    "x - x": (lambda x: jnp.sum(jnp.abs(x - x)), True),
    "x * x": (lambda x: jnp.sum(x * x), True),
    "the root of 1 + x * x": (lambda x: jnp.sum(jnp.sqrt(1 + x * x)), False),
    "abs of what is positive": (lambda x: jnp.sum(jnp.abs(jnp.exp(x))), True),
    "a shift that is taken back": (lambda x: jnp.sum((x - stopped(jnp.max(x))) + 0.0), False),
    "scan that sums": (
        lambda x: lax.scan(lambda c, v: (c + v**2, None), jnp.zeros_like(x[0]), x)[0],
        True,
    ),
    "a loop of fixed turns": (
        lambda x: jnp.sum(lax.fori_loop(0, 30, lambda i, v: jnp.tanh(v), x)),
        False,
    ),
    "remat, jit and vmap": (
        lambda x: jax.checkpoint(jax.jit(lambda v: jnp.sum(jax.vmap(jnp.exp)(v))))(x),
        True,
    ),
    "a safe logarithm": (lambda x: jnp.sum(safe_log(x)), False),
}


@pytest.mark.parametrize("name", PROVED)
def test_true_claims_are_proved(name):
    function, convex = PROVED[name]
    (found,) = read(function).outputs
    smooth = name != "a shift that is taken back"
    assert found.smooth is smooth
    assert iv.is_convex(found.convexity) is convex
    if smooth:
        assert not [site for site in read(function).sites if site.status == reader.OPEN]


ON_TARGETS = {
    "a weight": (lambda x, t: jnp.sum(jnp.where(t > 0, 2.0, 1.0) * (x - t) ** 2), True),
    "either of two bowls": (lambda x, t: jnp.sum(jnp.where(t > 0, x**2, (x - t) ** 2)), True),
    "either sign": (lambda x, t: jnp.sum(jnp.where(t > 0, x**2, -(x**2))), False),
    "a branch": (lambda x, t: lax.cond(t[0] > 0, jnp.sum, lambda v: jnp.sum(v**2), x), True),
    "as many turns": (
        lambda x, t: lax.fori_loop(0, t[0].astype(int), lambda i, v: 2.0 * v, jnp.sum(x)),
        True,
    ),
}


@pytest.mark.parametrize("name", ON_TARGETS)
def test_a_switch_on_the_target_leaves_the_prediction_smooth(name):
    function, convex = ON_TARGETS[name]
    reading = read(function, target=REAL)
    (found,) = reading.outputs
    assert found.smooth and iv.is_convex(found.convexity) is convex
    assert {site.status for site in reading.sites} <= {reader.TARGET_ONLY, reader.UNREACHABLE}


def test_the_shift_of_a_softmax_is_recognized_as_harmless():
    reading = read(by_hand)
    (number,) = reading.softmax_shifts
    assert {s.number: s.operation for s in reading.sites}[number] == "reduce_max"
    assert not read(lambda x: jnp.max(x) + jnp.sum(jnp.exp(x))).softmax_shifts


def test_equations_that_depend_on_the_prediction_are_recorded():
    def function(x, t):
        return jnp.sum(jnp.exp(t) * jnp.sin(x))

    closed = jax.make_jaxpr(function)(jnp.zeros(4), jnp.zeros(4))
    names = [
        closed.jaxpr.eqns[n].primitive.name for n in sorted(read(function, target=REAL).varying)
    ]
    assert names == ["sin", "mul", "reduce_sum"]


def test_targets_may_be_compared_with_a_constant_array_of_one_element():
    def loss(predictions, targets):
        return jnp.where(targets == np.float32([-1.0]), 0.0, jnp.square(predictions - targets))

    zeros = jnp.zeros(3)
    assert target_tests(jax.make_jaxpr(loss)(zeros, zeros)).constants == (-1.0,)
