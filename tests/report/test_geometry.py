"""Relative rise and roughness against closed forms, and their invariances."""

import numpy as np
import pytest

from landscape.geometry import relative_rise, roughness

X = np.linspace(-1, 1, 41)
SHAPES = {
    "parabola": 3 * X**2,
    "tilted": X**2 + 0.3 * X,
    "cubic": X**3,
    "sine": np.sin(4 * np.pi * X),
    "rippled": X**2 + 0.2 * np.cos(20 * X),
    "step": np.round(2 * X**2),
}


def test_relative_rise_of_a_parabola_is_the_rise_over_the_drop():
    # Ends at 3, center at 0, training fell from 2 to 0: the ends lie 1.5 drops up.
    assert relative_rise([3 * X**2], center=0.0, initial=2.0) == pytest.approx([1.5])


def test_relative_rise_is_the_mean_of_both_ends():
    lines = [[5.0, 1.0, 2.0], [1.0, 1.0, 0.0]]
    assert relative_rise(lines, center=1.0, initial=2.0) == pytest.approx([2.5, -0.5])


@pytest.mark.parametrize("initial", [1.0, 0.5, 1.0 + 1e-9, np.nan, np.inf])
def test_without_a_drop_there_is_no_relative_rise(initial):
    assert np.isnan(relative_rise([[2.0, 1.0, 2.0]], center=1.0, initial=initial)).all()


def test_ends_that_are_not_finite_stay_so():
    lines = [[np.inf, 0.0, 1.0], [np.nan, 0.0, 1.0], [1.0, 0.0, 1.0]]
    result = relative_rise(lines, center=0.0, initial=1.0)
    assert np.isposinf(result[0]) and np.isnan(result[1]) and result[2] == 1.0


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize(("scale", "offset"), [(10.0, 0.0), (1.0, -7.0), (0.01, 3.0)])
def test_neither_scale_nor_offset_matters(shape, scale, offset):
    line = SHAPES[shape]
    moved = scale * line + offset
    center, initial = line[20], line[20] + 2.0
    assert relative_rise([moved], scale * center + offset, scale * initial + offset) == (
        pytest.approx(relative_rise([line], center, initial))
    )
    assert roughness([moved]) == pytest.approx(roughness([line]), abs=1e-9)


@pytest.mark.parametrize("shape", ["parabola", "tilted", "cubic"])
def test_a_single_valley_or_a_monotone_line_is_smooth(shape):
    assert roughness([SHAPES[shape], SHAPES[shape][::-1]]) == pytest.approx([0, 0], abs=1e-12)


def test_roughness_counts_twice_the_depth_of_each_further_dip():
    # Down to 0, up to 3, down to 2, up to 4: one further dip of depth 1 in a range of 4.
    assert roughness([[4.0, 0.0, 3.0, 2.0, 4.0]]) == pytest.approx([2 * 1 / 4])


def test_roughness_of_a_hill_is_two():
    assert roughness([-(X**2)]) == pytest.approx([2.0])


def test_roughness_of_a_sine():
    # k periods from 0 to 0: total variation 4 k, the first valley takes 2, the range is 2.
    for periods in (1, 2, 5):
        x = np.linspace(0, 1, 80 * periods + 1)
        assert roughness([np.sin(2 * np.pi * periods * x)]) == pytest.approx([2 * periods - 1])


def test_a_constant_line_has_no_roughness():
    noise = np.random.default_rng(0).normal(size=41)
    assert roughness([np.full(41, 0.9), np.zeros(41), 0.9 + 1e-8 * noise]).tolist() == [0, 0, 0]


def test_a_line_that_is_not_finite_has_no_roughness():
    bad = [[1.0, np.inf, 1.0], [1.0, np.nan, 1.0], [1.0, 0.0, 1.0]]
    assert np.isnan(roughness(bad)).tolist() == [True, True, False]
    assert np.isnan(roughness(bad[:2])).all()


@pytest.mark.parametrize("shape", SHAPES)
def test_a_line_drawn_with_more_points_is_as_rough(shape):
    fine = np.interp(np.linspace(-1, 1, 401), X, SHAPES[shape])
    assert roughness([fine]) == pytest.approx(roughness([SHAPES[shape]]), abs=1e-9)


def test_a_finer_grid_approaches_the_smooth_curve():
    def at(points):
        x = np.linspace(-1, 1, points)
        return roughness([x**2 + 0.2 * np.cos(20 * x)])[0]

    limit = at(200_001)
    errors = [abs(at(points) - limit) for points in (41, 401, 4001)]
    assert errors[0] > errors[1] > errors[2] and errors[2] < 1e-4
