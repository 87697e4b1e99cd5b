"""Kinks of lines with known jumps of slope, and of smooth lines, which have none."""

import numpy as np
import pytest

from landscape.numerics.geometry.kinks import kinks, slope_jumps

X = np.linspace(-1, 1, 41)
H = X[1] - X[0]


def test_an_absolute_value_has_one_kink_at_every_position():
    places = np.linspace(-0.9 + H, 0.9 - H, 301)
    numbers = slope_jumps([np.abs(X - place) for place in places])
    assert (numbers.number == 1).all()
    # Slopes run from -1 to 1, so the jump is all of their range.
    assert numbers.largest == pytest.approx(np.ones(301))


def test_largest_is_the_jump_over_the_range_of_slopes():
    # Slopes of |x| + x^2 run from -3 to 3, between samples by an interval less; the jump is 2.
    for points in (41, 401):
        x = np.linspace(-1, 1, points)
        number, largest = slope_jumps([np.abs(x) + x**2])
        assert number == [1] and largest == pytest.approx([2 / (6 - 2 * (x[1] - x[0]))])


def test_no_jump_exceeds_the_range_of_slopes():
    # Slopes 0, -0.1, 0.9, 0.8: the bend falls on both sides of the kink.
    slopes = np.array([0, 0, 0, 0, -0.1, 0.9, 0.9, 0.8, 0.8, 0.8, 0.8])
    number, largest = slope_jumps([slopes.cumsum()])
    assert number == [1] and largest == [1]


@pytest.mark.parametrize("place", [0.0, 0.5 * H, 0.3 * H])
def test_a_kink_stands_out_from_the_curvature_around_it(place):
    # The jump in units of what curvature changes within an interval: seen from 3 upwards.
    for jump, number in ((2.7, 0), (3.3, 1)):
        line = X**2 / 2 + jump * H / 2 * np.abs(X - place)
        assert kinks([line]) == [number]


def test_corners_five_samples_apart_are_distinguished():
    for shift in np.linspace(0, 1, 11):
        corners = (np.arange(-15, 16, 5) + shift) * H
        line = sum((-1) ** i * np.abs(X - c) for i, c in enumerate(corners))
        assert kinks([line]) == [7]


@pytest.mark.parametrize("count", range(1, 6))
def test_a_polyline_has_as_many_kinks_as_corners(count):
    rng = np.random.default_rng(count)
    x = np.linspace(-1, 1, 61)
    for _ in range(50):
        corners = np.linspace(-0.8, 0.8, count) + rng.uniform(-0.02, 0.02, count)
        jumps = rng.choice([-1, 1], count) * rng.uniform(0.2, 3, count)
        line = 0.3 * x + sum(j * np.maximum(0, x - c) for j, c in zip(jumps, corners, strict=True))
        number, largest = slope_jumps([line.astype(np.float32)])
        assert number == [count]
        slopes = 0.3 + np.concatenate([[0], np.cumsum(jumps)])
        assert largest == pytest.approx([np.abs(jumps).max() / np.ptp(slopes)], rel=1e-2)


@pytest.mark.parametrize("points", [41, 101])
def test_smooth_curves_have_no_kinks(points):
    x = np.linspace(-1, 1, points)
    h = x[1] - x[0]
    phases = np.linspace(0, 2 * np.pi, 24)
    shifts = np.linspace(-h, h, 21)
    curves = [
        *(np.polyval([3, 1, 2][:d], x) for d in (1, 2, 3)),
        *(np.cos(2 * np.pi * x / (n * h) + p) for n in np.linspace(2, 50, 60) for p in phases),
        *(1 / (1 + np.exp(-s * (x - c) / h)) for s in (0.1, 0.5, 1) for c in shifts),
        *(np.logaddexp(0, s * (x - c) / h) for s in (0.1, 0.5, 1.2) for c in shifts),
        *(np.exp(-0.5 * ((x - c) / (s * h)) ** 2) for s in (2, 3, 6) for c in shifts),
        *(np.exp(s * x) for s in (1, 5, 20)),
        *(x**n for n in range(1, 30)),
        *(np.sqrt((x - c) ** 2 + (2 * h) ** 2) for c in shifts),
    ]
    numbers = slope_jumps(np.array(curves).astype(np.float32))
    assert not numbers.number.any() and not numbers.largest.any()


def test_sums_of_waves_have_no_kinks():
    rng = np.random.default_rng(0)
    periods, phases = rng.uniform(10, 60, (2000, 4, 1)), rng.uniform(0, 7, (2000, 4, 1))
    waves = rng.normal(size=(2000, 4, 1)) * np.cos(2 * np.pi * X / (periods * H) + phases)
    assert not kinks(waves.sum(axis=1)).any()


def test_a_jump_of_curvature_is_not_a_kink():
    # Huber: the curvature jumps, the slope does not.
    for width in (4 * H, 0.3, 0.5):
        line = np.where(np.abs(X) < width, X**2 / 2, width * np.abs(X) - width**2 / 2)
        assert kinks([line]) == [0]


def test_a_finer_grid_resolves_bends_and_weak_kinks():
    def number(points, curve):
        x = np.linspace(-1, 1, points)
        return kinks([curve(x)])[0]

    # A bend within a hundredth looks like a corner until there are samples in it.
    assert [number(p, lambda x: np.hypot(x, 0.01)) for p in (41, 1001)] == [1, 0]
    # A corner drowns in the curvature around it until the intervals are short.
    assert [number(p, lambda x: 40 * x**2 + 2 * np.abs(x)) for p in (41, 1001)] == [0, 1]


def test_a_jump_of_the_value_is_two_kinks():
    assert kinks([(X > 0.01) * 1.0, (X > 0.01) * 1.0 + X**2]).tolist() == [2, 2]


def test_slight_kinks_are_not_counted():
    line = np.abs(X) + 0.01 * np.abs(X - 0.51)
    assert [kinks([line], share=share)[0] for share in (1e-3, 0.02)] == [2, 1]
