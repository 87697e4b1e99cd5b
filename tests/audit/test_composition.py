"""Random compositions whose smoothness is known: the audit never claims more than is true.

The truth comes from the construction, or from values alone: at each point where a part switches, a
polynomial is fitted to either side in float64, and values and derivatives are compared.
"""

from collections.abc import Callable
from dataclasses import dataclass
from itertools import cycle

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from expected import CLASSES
from hypothesis import HealthCheck, assume, event, given, settings
from hypothesis import strategies as st

from landscape.audit import audit

few = settings(
    max_examples=12,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
)
INTEGERS = tuple(range(-30, 31))
HALVES = tuple(n + 0.5 for n in INTEGERS)


@dataclass(frozen=True)
class Part:
    """A scalar function, its class, and the arguments at which it is not smooth."""

    name: str
    function: Callable
    smoothness: str
    switches: tuple[float, ...] = ()

    def __repr__(self) -> str:
        return self.name


def huber(x):
    size = jnp.abs(x)
    inner = jnp.minimum(size, 1.0)
    return 0.5 * inner**2 + (size - inner)


SMOOTH = (
    Part("tanh", jnp.tanh, "smooth"),
    Part("sin", jnp.sin, "smooth"),
    Part("square", jnp.square, "smooth"),
    Part("softplus", jax.nn.softplus, "smooth"),
    Part("sigmoid", jax.nn.sigmoid, "smooth"),
    Part("exp(sin)", lambda x: jnp.exp(jnp.sin(x)), "smooth"),
    Part("exp(tanh)", lambda x: jnp.exp(jnp.tanh(x)), "smooth"),
    Part("1.5 x - 0.4", lambda x: 1.5 * x - 0.4, "smooth"),
    Part("0.7 - 2 x", lambda x: 0.7 - 2 * x, "smooth"),
)
KINKED = (
    Part("|x|^3", lambda x: jnp.abs(x) ** 3, "C2", (0,)),
    Part("relu^3", lambda x: jax.nn.relu(x) ** 3, "C2", (0,)),
    Part("huber", huber, "C1", (-1, 1)),
    Part("elu", jax.nn.elu, "C1", (0,)),
    Part("x |x|", lambda x: x * jnp.abs(x), "C1", (0,)),
    Part("abs", jnp.abs, "C0", (0,)),
    Part("relu", jax.nn.relu, "C0", (0,)),
    Part("clip", lambda x: jnp.clip(x, -1.0, 1.0), "C0", (-1, 1)),
    Part("max(x, 2 x)", lambda x: jnp.maximum(x, 2 * x), "C0", (0,)),
)
STEPPED = (
    Part("sign", jnp.sign, "discontinuous", (0,)),
    Part("round", jnp.round, "discontinuous", HALVES),
    Part("floor", jnp.floor, "discontinuous", INTEGERS),
)
ROUGH = KINKED + STEPPED
# Each part once, with factors and offsets in turn.
SCALES = (-3.0, -1.0, -0.6, 0.4, 1.0, 2.5)
SHIFTS = (-0.8, -0.3, 0.0, 0.25, 0.9)
LINES = list(zip(ROUGH, cycle(SCALES), cycle(SHIFTS), strict=False))
SUMS = [(smooth, *line) for smooth, line in zip(cycle(SMOOTH), LINES, strict=False)]
# Each smooth part once as the first, as the second and as the last.
CHAINS = list(zip(SMOOTH, SMOOTH[2:] + SMOOTH[:2], SMOOTH[5:] + SMOOTH[:5], strict=True))


def composed(parts):
    def function(x):
        for part in parts:
            x = part.function(x)
        return x

    return function


def claimed(function, **rest):
    with jax.numpy_rank_promotion("allow"), jax.numpy_dtype_promotion("standard"):
        found = audit(function, name="composed", **{"kind": "activation", **rest})
    return found.properties["smoothness"].value


def at_most(claim, truth):
    return CLASSES.index(claim) <= CLASSES.index(truth)


@pytest.mark.parametrize(("part", "scale", "shift"), LINES, ids=repr)
def test_after_a_line_a_part_keeps_its_class(part, scale, shift):
    # Some switch of every part lies between -1 and 1, so its preimage lies near the origin.
    assert claimed(lambda x: part.function(scale * x + shift)) == part.smoothness


@pytest.mark.parametrize(("smooth", "rough", "scale", "shift"), SUMS, ids=repr)
def test_a_sum_with_something_smooth_has_the_class_of_the_rough_term(smooth, rough, scale, shift):
    def function(x):
        return smooth.function(x) + 0.7 * rough.function(scale * x + shift)

    assert claimed(function) == rough.smoothness


@pytest.mark.parametrize("parts", CHAINS, ids=repr)
def test_smooth_parts_compose_to_something_smooth(parts):
    assert claimed(composed(parts)) == "smooth"


@few
@given(
    inner=st.lists(st.sampled_from(SMOOTH), max_size=2),
    rough=st.sampled_from(ROUGH),
    outer=st.lists(st.sampled_from(SMOOTH + ROUGH), max_size=2),
)
def test_a_composition_is_never_called_smoother_than_it_is(inner, rough, outer):
    parts = [*inner, rough, *outer][:3]
    points = candidates(parts)
    assume(separated(points))
    truth = measured_class(composed(parts), points)
    assume(truth is not None)
    event(truth)
    assert at_most(claimed(composed(parts)), truth)


# Brute force. Width of the one-sided fits, and how far from the origin to look for switches.
WIDTH, REACH = 0.02, 4.0
# Jumps of value and derivatives, relative to what they jump from: clear, or none.
CLEAR = np.array([1e-3, 1e-3, 1e-2, 5e-2])
NONE = np.array([1e-9, 1e-7, 1e-5, 1e-3])


def evaluate(function, points):
    with jax.enable_x64(True):
        return np.asarray(jax.vmap(function)(jnp.asarray(points, jnp.float64)))


def candidates(parts):
    """Points at which some part is given one of its switching arguments, ascending."""
    # The odd offset keeps the grid itself off the switches.
    grid = np.linspace(-REACH, REACH, 4001) + 1e-5 * np.sqrt(2)
    found = []
    for depth, part in enumerate(parts):
        argument = composed(parts[:depth])
        given_to_it = evaluate(argument, grid)
        for switch in part.switches:
            sides = given_to_it > switch
            found += [
                bisected(argument, switch, grid[index], grid[index + 1])
                for index in np.flatnonzero(sides[1:] != sides[:-1])
            ]
    return np.unique(np.round(found, 12))


def bisected(function, level, low, high):
    above = evaluate(function, [low])[0] > level
    for _ in range(50):
        middle = (low + high) / 2
        same = (evaluate(function, [middle])[0] > level) == above
        low, high = (middle, high) if same else (low, middle)
    return (low + high) / 2


def separated(points):
    """Some point to look at, not too many, and each far enough from the others to be fitted."""
    return 0 < len(points) <= 60 and (np.diff(points) > 2 * WIDTH).all()


def measured_class(function, points):
    """The class by one-sided fits, `None` where a jump is neither clear nor absent."""
    worst = len(CLEAR)
    for point in points:
        left, right = one_sided(function, point, -1), one_sided(function, point, 1)
        jumps = np.abs(right - left) / (1 + np.abs(left) + np.abs(right))
        if ((jumps > NONE) & (jumps < CLEAR))[: worst + 1].any():
            return None
        worst = min([worst, *np.flatnonzero(jumps >= CLEAR)])
    return CLASSES[worst]


def one_sided(function, point, side):
    """Value and three derivatives at a point, from a polynomial fitted to one side of it."""
    nodes = (1 + np.cos(np.pi * (np.arange(24) + 0.5) / 24)) / 2
    places = point + side * WIDTH * nodes
    fit = np.polynomial.Chebyshev.fit(places, evaluate(function, places), 8)
    return np.array([fit.deriv(order)(point) if order else fit(point) for order in range(4)])


@pytest.mark.parametrize("part", SMOOTH + ROUGH, ids=repr)
def test_brute_force_knows_each_part(part):
    points = candidates([part]) if part.switches else np.array([-1.3, 0, 0.7])
    assert measured_class(part.function, points) == part.smoothness


CANCELLED = {
    "relu(x) - relu(-x) is x": (lambda x: jax.nn.relu(x) - jax.nn.relu(-x), "smooth"),
    "abs squared is the square": (lambda x: jnp.abs(x) ** 2, "smooth"),
    "abs times sign is x": (lambda x: jnp.abs(x) * jnp.sign(x), "smooth"),
    "a clip and its two tails are x": (
        lambda x: jnp.clip(x, -1.0, 1.0) + jax.nn.relu(x - 1) - jax.nn.relu(-x - 1),
        "smooth",
    ),
    "both branches are the same": (lambda x: jnp.where(x > 0, x, x), "smooth"),
    "the larger and the smaller add up": (
        lambda x: jnp.maximum(x, 1.0) + jnp.minimum(x, 1.0),
        "smooth",
    ),
    "floor and remainder add up to x": (lambda x: jnp.floor(x) + (x - jnp.floor(x)), "smooth"),
    "abs of what is positive": (lambda x: jnp.abs(1 + x**2), "smooth"),
    "a branch that is never taken": (lambda x: jnp.where(x**2 < -1, jnp.round(x), x), "smooth"),
    "a logsumexp": (lambda x: jnp.logaddexp(x, -x), "smooth"),
    "sqrt away from zero": (lambda x: jnp.sqrt(1 + x**2), "smooth"),
    "steep, but no jump": (lambda x: jnp.tanh(200 * x), "smooth"),
    "kinks that cancel to the first order": (
        lambda x: jnp.where(x > 0, x**2, jnp.zeros_like(x)),
        "C1",
    ),
    "kinks that cancel to the second order": (
        lambda x: x**2 + jnp.where(x > 0, x**3, jnp.zeros_like(x)),
        "C2",
    ),
    "maximum(x, -x) is abs": (lambda x: jnp.maximum(x, -x), "C0"),
    "sqrt of a square is abs": (lambda x: jnp.sqrt(x**2), "C0"),
    "only half of a kink cancels": (
        lambda x: jax.nn.relu(x) - 0.5 * jax.nn.relu(-x),
        "C0",
    ),
    "a small kink on a large bowl": (lambda x: x**2 + 1e-2 * jnp.abs(x), "C0"),
    "a kink away from zero": (lambda x: x**2 + jnp.abs(x - 2.345), "C0"),
    "a jump between two slopes": (lambda x: jnp.where(x > 0.3, x + 1, x), "discontinuous"),
    "a small jump": (lambda x: x**2 + 1e-2 * jnp.sign(x - 0.7), "discontinuous"),
}


@pytest.mark.parametrize("name", CANCELLED)
def test_suspects_that_cancel_and_that_do_not(name):
    function, truth = CANCELLED[name]
    assert claimed(function) == truth


OF_TARGETS = {
    "a rounded target": (lambda p, t: (p - jnp.round(t)) ** 2, "smooth"),
    "a weight by the sign of the target": (
        lambda p, t: jnp.where(t > 0, 2.0, 1.0) * (p - t) ** 2,
        "smooth",
    ),
    "the size of the target": (lambda p, t: jnp.abs(t) * (p - t) ** 2 + p**2, "smooth"),
    "a kink for some targets only": (
        lambda p, t: jnp.where(t > 0, jnp.abs(p - t), (p - t) ** 2),
        "C0",
    ),
    "a jump for some targets only": (
        lambda p, t: jnp.where(t > 0, (p > 0.5).astype(p.dtype), (p - t) ** 2),
        "discontinuous",
    ),
}


@pytest.mark.parametrize("name", OF_TARGETS)
def test_a_switch_on_the_target_alone_is_none(name):
    function, truth = OF_TARGETS[name]
    assert claimed(function, kind="loss", task="regression") == truth
