"""Checks crossings with closed forms: the point, the order and the height of the jump."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from landscape.audit.measure import domains
from landscape.audit.measure.crossings import (
    EDGE,
    JUMP,
    KINK,
    SECOND,
    SMOOTH,
    STEPS,
    THIRD,
    Candidate,
    Scale,
    classify,
    find_crossings,
    typical_scale,
)
from landscape.audit.measure.domains import Target
from landscape.audit.measure.probes import Derivatives, Probe
from landscape.audit.measure.subject import Subject
from landscape.audit.measure.walks import Line
from landscape.audit.static import intervals as iv
from landscape.audit.static import reader
from landscape.audit.static.abstract import AbstractValue

INF = np.inf
STEADY = Scale(np.ones(4))
LOW, HIGH = -3.1, 3.3


def huber(x):
    inner = jnp.minimum(jnp.abs(x), 1.0)
    return 0.5 * inner**2 + (jnp.abs(x) - inner)


def smallest(x):
    return jnp.sort(jnp.stack([x, 0 * x + 0.75]))[0]


# Functions of a number with all of their switches: the point, the lowest derivative that jumps, and
# the height of the jump from left to right.
FUNCTIONS = {
    "|x - 3/8|": (lambda x: jnp.abs(x - 0.375), [(0.375, KINK, 2)]),
    "|x^2 - 2|": (
        lambda x: jnp.abs(x * x - 2),
        [(s * np.sqrt(2), KINK, 4 * np.sqrt(2)) for s in (-1, 1)],
    ),
    "huber": (huber, [(-1, SECOND, 1), (0, SMOOTH, 0), (1, SECOND, -1)]),
    "floor": (jnp.floor, [(n, JUMP, 1) for n in (0, 1)]),
    "round": (lambda x: jnp.round(x / 3), [(s * 1.5, JUMP, 1) for s in (-1, 1)]),
    "sign": (lambda x: 0.5 * jnp.sign(x - 0.5), [(0.5, JUMP, 1)]),
    "clip": (lambda x: jnp.clip(x, -1.0, 1.5), [(-1, KINK, 1), (1.5, KINK, -1)]),
    "two lines": (lambda x: jnp.maximum(2 * x - 1, 0.5 * x + 0.25), [(5 / 6, KINK, 1.5)]),
    "the smallest by sorting": (smallest, [(0.75, KINK, -1)]),
    "|x|^1.5": (lambda x: jnp.abs(x) ** 1.5, [(0, SECOND, INF)]),
    "x |x|": (lambda x: x * jnp.abs(x), [(0, SECOND, 4)]),
    "|x|^3": (lambda x: jnp.abs(x) ** 3, [(0, THIRD, 12)]),
    "|x|^2": (lambda x: jnp.abs(x) ** 2, [(0, SMOOTH, 0)]),
    "sqrt |x|": (lambda x: jnp.sqrt(jnp.abs(x)), [(0, KINK, INF)]),
    "one value alone": (lambda x: jnp.where(x == 0.5, 3.0, x), [(0.5, JUMP, 2.5)]),
    "a small kink": (lambda x: x**2 + 1e-3 * jnp.abs(x - 0.3), [(np.float32(0.3), KINK, 2e-3)]),
    "a small jump": (lambda x: x**2 + jnp.where(x > 0.25, 1e-3, 0.0), [(0.25, JUMP, 1e-3)]),
    "far out": (lambda x: jnp.abs(x - 1000.125) / 1000, [(1000.125, KINK, 2e-3)]),
    "relu - relu": (lambda x: jax.nn.relu(x - 1) - jax.nn.relu(1 - x), [(1, SMOOTH, 0)]),
}


def probed(function, shape):
    """Returns the probe of a function of an array."""
    subject = Subject(
        name="f",
        kind="function",
        domain=domains.domain("real", shape, centered=False),
        shape=shape,
        targets=[Target("", np.zeros(()), np.ones(shape))],
        row=lambda x, t: function(x),
        batched=lambda x, t: function(x),
        function=function,
    )
    inputs = [AbstractValue(range=(-INF, INF), varies=True, convexity=iv.AFFINE), AbstractValue()]
    return Probe(subject, reader.read(subject.value, inputs).sites)


def line(probe, base, direction, steps):
    (target,) = probe.subject.targets
    return Line(target, np.asarray(base, float), np.asarray(direction, float), steps)


@functools.cache
def sum_of_functions():
    """Returns the sum of all functions, each of another element, so that all compile at once."""
    functions = [function for function, _ in FUNCTIONS.values()]
    return probed(lambda x: sum(f(x[i]) for i, f in enumerate(functions)), (len(functions),))


@functools.cache
def crossings_of(name, trusted=True):
    """Returns the crossings of a function along its axis, with their points on it."""
    probe, number = sum_of_functions(), list(FUNCTIONS).index(name)
    base, direction = np.full(len(FUNCTIONS), 0.6180339887), np.eye(len(FUNCTIONS))[number]
    base[number] = 0.0
    steps = np.concatenate([np.linspace(LOW, HIGH, 41), [500.0, 2000.0]])
    found, _ = find_crossings(probe, [line(probe, base, direction, steps)], STEADY, trusted=trusted)
    return [(c.point[number], c) for c in found]


@pytest.mark.parametrize("name", FUNCTIONS)
def test_switches_are_found_at_their_points(name):
    found = crossings_of(name)
    for point, order, size in FUNCTIONS[name][1]:
        near = [c for x, c in found if abs(x - point) <= 1e-12 * max(1, abs(point))]
        assert near, [x for x, _ in found]
        best = min(near, key=lambda c: c.order)
        assert best.order == order
        assert abs(best.size) == abs(size) or best.size == pytest.approx(size, rel=1e-3)


@pytest.mark.parametrize("name", FUNCTIONS)
def test_no_switch_is_found_elsewhere(name):
    points = [point for point, *_ in FUNCTIONS[name][1]]
    if name == "floor":
        points = list(range(-3, 4)) + list(range(500, 2001))
    if name == "round":
        points = list(3 * np.arange(-2, 700) + 1.5)
    rough = [(x, c) for x, c in crossings_of(name) if c.order < SMOOTH]
    assert all(np.min(np.abs(np.array(points) - x)) < 1e-9 for x, _ in rough)


@pytest.mark.parametrize("name", FUNCTIONS)
def test_from_values_alone_jumps_and_kinks_are_the_same(name):
    """Without trusted gradients; higher derivatives cannot be compared then."""
    found = crossings_of(name, trusted=False)
    for point, order, size in FUNCTIONS[name][1]:
        orders = [c.order for x, c in found if abs(x - point) <= 1e-12 * max(1, abs(point))]
        assert order in orders if order <= KINK else not {JUMP, KINK} & set(orders)
        sizes = [c.size for x, c in found if c.order == order and abs(x - point) < 1e-9]
        if order <= KINK and np.isfinite(size):
            assert sizes[0] == pytest.approx(size, rel=2e-3)


@pytest.mark.parametrize("name", ["|x - 3/8|", "huber", "clip", "sign", "one value alone"])
def test_points_met_exactly_are_ties(name):
    points = {point for point, order, _ in FUNCTIONS[name][1] if order < SMOOTH}
    exact = {float(x) for x, c in crossings_of(name) if c.tie and c.order < SMOOTH}
    assert exact == points


def test_points_between_two_numbers_are_not_ties():
    assert not any(c.tie for _, c in crossings_of("|x^2 - 2|"))


def test_both_sides_are_those_of_the_function():
    ((_, found),) = crossings_of("|x - 3/8|")
    values = found.left[0] - found.center[0], found.right[0] - found.center[0]
    np.testing.assert_allclose(values, [STEPS, STEPS], rtol=1e-5)
    assert np.all(found.left[1] == -1) and np.all(found.right[1] == 1)
    ((_, found),) = crossings_of("x |x|")
    np.testing.assert_allclose(found.left[2], -2)
    np.testing.assert_allclose(found.right[2], 2)
    ((_, found),) = [pair for pair in crossings_of("|x|^3") if pair[1].order == THIRD]
    np.testing.assert_allclose(found.right[1], 3 * STEPS**2, rtol=1e-6)
    np.testing.assert_allclose(found.right[3], 6)


def test_a_crossing_names_all_sites_that_switch_with_it():
    """Both of relu(x - 1) - relu(1 - x) switch at the same point."""
    found = [c for _, c in crossings_of("relu - relu")]
    assert {c.switched for c in found} == {frozenset(c.site for c in found)}
    assert len({c.site for c in found}) == 2


A, B = np.array([1.0, -0.5, 0.25, 2.0]), np.array([-0.5, 0.75, 1.5, 0.125])


def test_two_planes_in_four_dimensions():
    probe = probed(lambda x: jnp.maximum(x @ A.astype(x.dtype), x @ B.astype(x.dtype) + 0.5), (4,))
    rng = np.random.default_rng(0)
    bases, directions = rng.normal(size=(2, 8, 4))
    lines = [
        line(probe, b, d, np.linspace(-40, 41, 60)) for b, d in zip(bases, directions, strict=True)
    ]
    found, moved = find_crossings(probe, lines, STEADY, trusted=True)
    where = (0.5 - bases @ (A - B)) / (directions @ (A - B))
    expected = {
        tuple(np.round(b + s * d, 9)): abs((A - B) @ d) / np.linalg.norm(d)
        for b, d, s in zip(bases, directions, where, strict=True)
        if -40 < s < 41
    }
    met = {tuple(np.round(c.point, 9)): c for c in found}
    # At most three crossings per line and six per target are examined.
    assert len(met) == min(len(expected), 6) and met.keys() <= expected.keys()
    assert moved == {0}
    for point, crossing in met.items():
        assert abs(crossing.point @ (A - B) - 0.5) < 1e-12 * max(1, np.abs(crossing.point).max())
        assert crossing.order == KINK
        assert crossing.size == pytest.approx(expected[point], rel=1e-6)


def test_sorting_in_four_dimensions():
    weights = np.array([1.0, 2.0, 4.0, 8.0], np.float32)
    probe = probed(lambda x: jnp.sort(x) @ weights.astype(x.dtype), (4,))
    base, direction = np.array([0.0, 1.0, 3.0, 6.0]), np.array([1.0, 0.0, 0.0, 0.0])
    found, _ = find_crossings(
        probe, [line(probe, base, direction, np.linspace(-0.8, 8, 23))], STEADY, trusted=True
    )
    met = {round(float(c.point[0]), 9): c for c in found}
    # x_0 has the weight of its rank, which rises as it passes another element.
    expected = {1.0: 1.0, 3.0: 2.0, 6.0: 4.0}
    assert met.keys() == expected.keys()
    for point, crossing in met.items():
        assert abs(crossing.point[0] - point) < 1e-12 and crossing.order == KINK
        assert crossing.size == pytest.approx(expected[point], rel=1e-6)


def steep(width):
    """Returns a function that rises by 1 within a width, without a jump."""
    return lambda x: jnp.clip(x / width, 0.0, 1.0) + 0 * jnp.abs(x)


@pytest.mark.parametrize("width", [1e-2, 1e-4, 1e-6, 1e-7])
def test_a_steep_slope_is_not_a_jump(width):
    probe = probed(lambda x: jnp.sum(steep(width)(x)), (1,))
    found, _ = find_crossings(
        probe, [line(probe, [0], [1], np.linspace(-3.1, 3.3, 40))], STEADY, trusted=True
    )
    assert found
    assert all(crossing.order != JUMP for crossing in found)
    assert any(crossing.order == KINK for crossing in found)


def test_a_side_that_is_not_finite_is_an_edge():
    probe = probed(lambda x: jnp.sum(jnp.log(x)), (1,))
    found, moved = find_crossings(
        probe, [line(probe, [0], [1], np.linspace(-1.05, 2, 30))], STEADY, trusted=True
    )
    assert [c.order for c in found] == [EDGE] and moved == {0}


def test_a_pole_runs_to_infinity():
    probe = probed(lambda x: jnp.sum(1 / (x - 0.5)), (1,))
    found, _ = find_crossings(
        probe, [line(probe, [0], [1], np.linspace(-1.05, 2, 30))], STEADY, trusted=True
    )
    assert found and {c.order for c in found} == {JUMP}
    assert all(abs(c.point[0] - 0.5) < 1e-12 and np.isinf(c.size) for c in found)


def test_a_site_that_never_switches_has_no_crossing():
    probe = probed(lambda x: jnp.sum(jnp.abs(x - 5)), (1,))
    found, moved = find_crossings(
        probe, [line(probe, [0], [1], np.linspace(-3.1, 3.3, 40))], STEADY, trusted=True
    )
    assert not found and not moved


def test_a_singular_point_is_classified():
    """A norm at zero: a kink along lines through it, smooth along all others."""
    probe = probed(lambda x: jnp.sqrt(jnp.sum(x**2)), (3,))
    (target,) = probe.subject.targets
    units = np.array([[1.0, 0, 0], [0.6, 0, 0.8]])
    candidates = [Candidate(0, np.zeros(3), True, unit) for unit in units]
    for crossing in classify(probe, target, candidates, STEADY, trusted=True):
        assert crossing.order == KINK and crossing.size == pytest.approx(2)


def test_the_typical_scale_consists_of_medians():
    rng = np.random.default_rng(1)
    value = np.concatenate([rng.normal(size=101) * 3 + 100, [INF, np.nan]])
    slopes = [np.concatenate([c * (1 + rng.uniform(size=101)), [1e9, np.nan]]) for c in (1, 2, 4)]
    found = typical_scale(Derivatives(value, value, *slopes))
    finite = value[:101]
    assert found.levels[0] == pytest.approx(np.median(np.abs(finite - np.median(finite))))
    assert np.all(found.levels[1:] >= [1, 2, 4]) and np.all(found.levels[1:] <= [2, 4, 8])
    assert found.level(0) == found.levels[0] and found.level(3) == max(
        found.levels[3], found.levels[1]
    )
    assert Scale(np.array([1.0, 5.0, 0.0, 0.0])).level(2) == 5.0
