"""The numbers of lines against closed forms, and what they do and do not depend on."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from landscape.numerics.geometry import describe_lines
from landscape.numerics.geometry.barriers import barrier_height
from landscape.numerics.geometry.basin import (
    achieved_drop,
    asymmetry,
    basin,
    basin_bounded,
    basin_width,
    relative_rise,
)
from landscape.numerics.geometry.definitions import DEFINITIONS, LINE_NUMBERS
from landscape.numerics.geometry.kinks import kinks, largest_kink
from landscape.numerics.geometry.minima import local_minima, smad
from landscape.numerics.geometry.negative_curvature import negative_curvature_share
from landscape.numerics.geometry.variation import (
    normalized_variation,
    plateau_share,
    roughness,
    second_difference_energy,
)

X = np.linspace(-1, 1, 41)
H = X[1] - X[0]

# Twice differentiable, with few enough bends that 81 points show them all.
SMOOTH = {
    "parabola": lambda x: 3 * x**2,
    "tilted": lambda x: x**2 + 0.3 * x,
    "cubic": lambda x: x**3 + x,
    "cosine": lambda x: 1 - np.cos(3 * np.pi * x),
    "rippled": lambda x: x**2 + 0.2 * np.sin(9 * x + 1),
    "wells": lambda x: (2.2 * x**2 - 1) ** 2 + 0.2 * x,
    "hill": lambda x: -(x**2) + 0.1 * x**3,
    "steep": lambda x: np.exp(3 * x),
    "softplus": lambda x: np.logaddexp(0, 8 * (x - 0.13)),
}
KINKED = {
    "absolute": lambda x: np.abs(x),
    "polyline": lambda x: np.abs(x) + 2 * np.abs(x - 0.413) - 0.7 * np.abs(x + 0.52),
    "hinge": lambda x: np.maximum(0, x - 0.207),
    "clipped": lambda x: np.clip(2 * x**2, 0.3, 1.1),
}
ROUGH = {
    "step": lambda x: np.round(2 * x**2),
    "jump": lambda x: np.where(x > 0.013, 1 + 3 * x, 0.0),
    "constant": lambda x: np.full_like(x, 0.7),
    "noise": lambda x: np.random.default_rng(3).normal(size=x.shape),
    "walk": lambda x: np.random.default_rng(4).normal(size=x.shape).cumsum(),
}
MENU = SMOOTH | KINKED | ROUGH

# What leaves a number unchanged. Its definition claims the same.
EVERYTHING = {"scale", "offset", "grid", "axis", "reversal"}
UNCHANGED = {
    "relative_rise": EVERYTHING,
    "basin_width": EVERYTHING - {"axis"},
    "basin_bounded": EVERYTHING,
    "asymmetry": EVERYTHING,
    "roughness": EVERYTHING,
    "normalized_variation": EVERYTHING,
    "second_difference_energy": EVERYTHING - {"grid"},
    "smad": EVERYTHING,
    "local_minima": EVERYTHING,
    "negative_curvature_share": EVERYTHING,
    "kinks": EVERYTHING,
    "largest_kink": EVERYTHING,
    "plateau_share": EVERYTHING,
}
SHARES = {
    "basin_bounded",
    "asymmetry",
    "negative_curvature_share",
    "largest_kink",
    "plateau_share",
    "smad",
}


def describe(line, x=X, initial=None, zero_gradient=None):
    center = line[len(line) // 2]
    initial = center + 2.0 if initial is None else initial
    gradients = None if zero_gradient is None else [zero_gradient]
    numbers = describe_lines([line], x, center, initial, gradients)
    return {key: float(value[0]) for key, value in numbers.items()}


def assert_same(numbers, expected, **tolerance):
    for key, value in expected.items():
        assert numbers[key] == pytest.approx(value, nan_ok=True, **tolerance), key


def test_every_number_has_laws():
    assert describe(X**2).keys() == UNCHANGED.keys()
    assert all(value.dtype == np.float64 for value in describe_lines([X], X, 0, 1).values())


def test_describe_lines_returns_every_number():
    lines = np.stack([shape(X) for shape in MENU.values()])
    expected = {
        "relative_rise": relative_rise(lines, 0.1, 2.0),
        "basin_width": basin_width(lines, X, 0.1, 2.0, level=0.1),
        "basin_bounded": basin_bounded(lines, X, 0.1, 2.0, level=0.1),
        "asymmetry": asymmetry(lines, X),
        "roughness": roughness(lines),
        "normalized_variation": normalized_variation(lines),
        "second_difference_energy": second_difference_energy(lines),
        "smad": smad(lines),
        "local_minima": local_minima(lines, share=1e-3),
        "negative_curvature_share": negative_curvature_share(lines),
        "kinks": kinks(lines, share=1e-3),
        "largest_kink": largest_kink(lines, share=1e-3),
        "plateau_share": plateau_share(lines, lines > 0.5),
    }
    numbers = describe_lines(lines, X, 0.1, 2.0, lines > 0.5)
    assert_same(numbers, expected, rel=0, abs=0)


# Laws over every number


@pytest.mark.parametrize("name", MENU)
@pytest.mark.parametrize(("scale", "offset"), [(10.0, 0.0), (1.0, -7.0), (0.5, 3.0), (1e30, 0.0)])
def test_the_unit_of_the_loss_does_not_matter(name, scale, offset):
    line = MENU[name](X)
    flat = np.gradient(line) == 0
    initial = line[20] + 2.0
    for zero_gradient in (None, flat):
        numbers = describe(scale * line + offset, X, scale * initial + offset, zero_gradient)
        assert_same(numbers, describe(line, X, initial, zero_gradient), rel=1e-6, abs=1e-9)


@pytest.mark.parametrize("name", MENU)
def test_a_line_walked_backwards_is_the_same(name):
    line = MENU[name](X)
    flat = np.diff(line, prepend=5) == 0
    assert_same(describe(line[::-1], zero_gradient=flat[::-1]), describe(line, zero_gradient=flat))
    assert_same(describe(line[::-1]), describe(line), rel=1e-9, abs=1e-12)


@pytest.mark.parametrize("name", MENU)
def test_stretching_the_axis_stretches_the_width_and_nothing_else(name):
    line = MENU[name](X)
    for factor in (4, 1e-9, 1e9):
        expected = describe(line)
        expected["basin_width"] *= factor
        assert_same(describe(line, factor * X), expected, rel=1e-9, abs=1e-15)


@pytest.mark.parametrize("name", SMOOTH | KINKED)
def test_a_finer_grid_changes_little(name):
    coarse, fine = np.linspace(-1, 1, 81), np.linspace(-1, 1, 161)
    functions = SMOOTH | KINKED
    numbers, expected = (
        describe(functions[name](fine), fine),
        describe(functions[name](coarse), coarse),
    )
    if name in KINKED:
        del expected["second_difference_energy"]
    # Shares of points move by two points of 81; other numbers by a few percent of their value.
    assert_same(numbers, expected, rel=0.06, abs=0.03)
    assert numbers["kinks"] == expected["kinks"]
    assert numbers["local_minima"] == expected["local_minima"]


@pytest.mark.parametrize(
    "line", [np.abs, lambda x: np.maximum(0, x - 0.2), lambda x: np.abs(x) + np.abs(x - 0.5)]
)
def test_at_a_kink_twice_the_points_give_twice_the_energy(line):
    # With its corner on a sample of every grid: what lies between samples is spread over two.
    def energy(points):
        x = np.linspace(-1, 1, points)
        return second_difference_energy([line(x)])[0]

    for points in (41, 81, 161):
        assert energy(2 * points - 1) / energy(points) == pytest.approx(2, rel=0.03)


lines_of_floats = st.integers(0, 12).flatmap(
    lambda half: st.lists(
        st.floats(-1e6, 1e6, width=32) | st.sampled_from([np.nan, np.inf, -np.inf, 0.0]),
        min_size=2 * half + 1,
        max_size=2 * half + 1,
    )
)


@settings(max_examples=300, deadline=None)
@given(lines_of_floats, st.sampled_from([1.0, 0.5, -3.0, np.nan, np.inf]))
def test_any_line_has_numbers_and_none_of_them_depends_on_its_unit(values, initial):
    line = np.array(values)
    x = np.linspace(-1, 1, len(line)) if len(line) > 1 else np.zeros(1)
    numbers = describe_lines([line, line[::-1]], x, line[len(line) // 2], initial)
    # Doubling is exact in binary, so nothing may differ at all.
    again = describe_lines([2 * line], x, 2 * line[len(line) // 2], 2 * initial)
    for key, value in numbers.items():
        assert value.shape == (2,), key
        np.testing.assert_allclose(value[0], value[1], rtol=1e-7, atol=1e-9, err_msg=key)
        assert np.array_equal(value[:1], again[key], equal_nan=True), key
        assert key not in SHARES or not np.any((value < 0) | (value > 1)), key
        assert key in ("relative_rise",) or not np.any(value < 0), key


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("place", [0, 7, 20, 40])
def test_a_value_that_is_not_finite_takes_its_line_alone(bad, place):
    lines = np.stack([X**2, X**2])
    lines[0, place] = bad
    numbers, whole = describe_lines(lines, X, 0.0, 2.0), describe(X**2)
    for key, value in numbers.items():
        assert value[1] == whole[key], key
        if key not in ("relative_rise", "basin_width", "basin_bounded"):
            assert np.isnan(value[0]), key


@pytest.mark.parametrize("points", [1, 2, 3, 4, 5, 6])
def test_few_points_are_no_crash(points):
    x = np.linspace(-1, 1, points) if points > 1 else np.zeros(1)
    numbers = describe_lines([x, 0 * x, x + 1e300, np.full(points, np.nan)], x, 0.0, 1.0)
    assert all(value.shape == (4,) for value in numbers.values())
    assert describe_lines(np.empty((0, points)), x, 0.0, 1.0)["kinks"].shape == (0,)
    assert np.isnan(numbers["kinks"][0]) == (points < 6)
    assert np.isnan(numbers["second_difference_energy"][0]) == (points < 3)


def test_huge_values_raise_no_warning():
    lines = [1e300 * X, 1.7e308 * (-1.0) ** np.arange(41)]
    assert [*describe_lines(lines, X, -1.7e308, 1.7e308)] == list(UNCHANGED)


def test_a_constant_line_has_no_shape():
    noise = np.random.default_rng(0).normal(size=41)
    for line in (np.full(41, 0.9), np.zeros(41), 0.9 + 1e-8 * noise):
        numbers = describe(line)
        assert numbers.pop("plateau_share") == 1
        assert numbers.pop("basin_width") == 2
        assert_same(numbers, dict.fromkeys(numbers, 0.0), abs=1e-6)


def test_lines_and_coordinates_must_fit():
    for number in (
        lambda: basin_width([X], X[1:], 0, 1),
        lambda: asymmetry([X], X[1:]),
        lambda: relative_rise([X], 0, 1, coordinates=X[1:], radius=0.5),
        lambda: barrier_height(X, X[1:]),
    ):
        with pytest.raises(ValueError, match="coordinates"):
            number()


# The drop and the rise


@pytest.mark.parametrize("initial", [1.0, 0.5, 1.0 + 1e-9, np.nan, np.inf, -np.inf])
def test_without_a_drop_there_is_no_height(initial):
    assert np.isnan(achieved_drop(1.0, initial))
    assert np.isnan(relative_rise([[2.0, 1.0, 2.0]], center=1.0, initial=initial)).all()
    width, bounded = basin([[2.0, 1.0, 2.0]], [-1, 0, 1], center=1.0, initial=initial)
    assert np.isnan(width).all() and not bounded.any()
    assert np.isnan(describe_lines([X**2], X, 1.0, initial)["basin_bounded"]).all()


def test_the_drop_is_a_difference():
    assert achieved_drop(-3.0, 1.5) == 4.5
    assert np.isnan([achieved_drop(center, 1e308) for center in (np.nan, -np.inf, -1e308)]).all()


def test_relative_rise_of_a_parabola_is_the_rise_over_the_drop():
    # Ends at 3, center at 0, training fell from 2 to 0: the ends lie 1.5 drops up.
    assert relative_rise([3 * X**2], center=0.0, initial=2.0) == pytest.approx([1.5])


def test_relative_rise_is_the_mean_of_both_ends():
    lines = [[5.0, 1.0, 2.0], [1.0, 1.0, 0.0]]
    assert relative_rise(lines, center=1.0, initial=2.0) == pytest.approx([2.5, -0.5])


def test_ends_that_are_not_finite_stay_so():
    lines = [[np.inf, 0.0, 1.0], [np.nan, 0.0, 1.0], [1.0, 0.0, 1.0]]
    result = relative_rise(lines, center=0.0, initial=1.0)
    assert np.isposinf(result[0]) and np.isnan(result[1]) and result[2] == 1.0


@pytest.mark.parametrize("radius", [0.0, 0.02, 0.3, 0.31, 0.777, 1.0])
def test_a_rise_inside_the_line_is_the_mean_of_both_sides(radius):
    lines = np.stack([np.exp(X), X**3 - X, np.abs(X)])
    numbers = relative_rise(lines, 0.5, 2.5, coordinates=X.astype(np.float32), radius=radius)
    sides = [np.mean(np.interp([-radius, radius], X, line)) for line in lines]
    assert numbers == pytest.approx((np.array(sides) - 0.5) / 2, rel=1e-6)


def test_a_rise_at_the_end_of_the_line_is_that_of_the_ends():
    lines = [np.exp(X), X**3]
    at_end = relative_rise(lines, 0, 1, coordinates=X, radius=1.0)
    assert at_end.tolist() == relative_rise(lines, 0, 1).tolist()


def test_a_rise_beyond_the_line_is_not_known():
    assert np.isnan(relative_rise([X**2], 0, 1, coordinates=X, radius=1.1)).all()
    with pytest.raises(ValueError, match="coordinates"):
        relative_rise([X**2], 0, 1, radius=0.5)


def test_a_rise_on_a_sample_does_not_see_its_neighbors():
    line = X**2
    line[[9, 11]] = np.inf
    at = abs(X[10]) + 1e-9
    assert relative_rise([line], 0, 1, coordinates=X, radius=at) == pytest.approx([X[10] ** 2])
    assert np.isposinf(relative_rise([line], 0, 1, coordinates=X, radius=0.47)).all()


# The width of the basin


@pytest.mark.parametrize("steepness", [0.6, 1.0, 7.0])
@pytest.mark.parametrize("level", [0.1, 0.25])
def test_the_width_of_a_parabola(steepness, level):
    reach = np.sqrt(level * 2 / steepness)
    width, bounded = basin([1 + steepness * X**2], X, 1.0, 3.0, level)
    assert bounded.all()
    # A chord lies above the parabola, so the basin looks narrower, by at most this.
    assert 0 <= 2 * reach - width[0] <= 2 * H**2 / (8 * (reach - H))


def test_each_side_is_measured_on_its_own():
    line = np.where(X > 0, 2 * X, -0.5 * X)
    width, bounded = basin([line], X, 0.0, 1.0, level=0.1)
    assert width == pytest.approx([0.05 + 0.2]) and bounded.all()


def test_a_side_that_never_rises_counts_up_to_the_end():
    width, bounded = basin([X, -X, 0.01 * X**2], X, 0.0, 1.0)
    assert width == pytest.approx([1.1, 1.1, 2.0]) and not bounded.any()


def test_the_width_is_measured_from_the_center():
    # Down to -1 at 0.5, then up: on the right the level is met where 4 (x - 0.5)^2 = 1.1.
    line = 4 * (X - 0.5) ** 2 - 1
    width, bounded = basin([line], X, 0.0, 1.0)
    right, left = 0.5 + np.sqrt(1.1) / 2, np.sqrt(1.1) / 2 - 0.5
    assert right > 1 and not bounded.any()
    assert width == pytest.approx([1 + left], abs=1e-3)


def test_the_walk_ends_at_the_first_exit():
    line = np.minimum(np.abs(X), 0.4 * np.abs(np.abs(X) - 1))
    assert basin_width([line], X, 0.0, 1.0) == pytest.approx([0.2])


def test_what_lies_beyond_the_basin_does_not_matter_and_infinity_is_high():
    line = np.abs(X)
    line[[0, 1, 40]] = np.nan
    assert basin_width([line], X, 0.0, 1.0) == pytest.approx([0.2])
    wall = np.where(np.abs(X) > 0.33, np.inf, 0.0)
    width, bounded = basin([wall], X, 0.0, 1.0)
    assert width == pytest.approx([0.6]) and bounded.all()
    line[21] = np.nan
    width, bounded = basin([line], X, 0.0, 1.0)
    assert np.isnan(width).all() and not bounded.any()


# Asymmetry


@pytest.mark.parametrize(("left", "right"), [(1.0, 1.0), (1.0, 3.0), (5.0, 0.1), (0.0, 2.0)])
def test_asymmetry_of_a_bent_line_is_that_of_its_slopes(left, right):
    line = np.where(X < 0, -left * X, right * X)
    assert asymmetry([line], X) == pytest.approx([abs(left - right) / (left + right)])


def test_asymmetry_of_even_and_odd_lines():
    lines = [X**2, np.cos(9 * X), X, X**3, np.sin(2 * np.pi * X)]
    assert asymmetry(lines, X) == pytest.approx([0, 0, 1, 1, 0], abs=1e-12)


def test_asymmetry_approaches_the_integrals():
    # Mean rises e - 2 and 1 / e of exp(x) - 1 on [0, 1] and, falling, on [-1, 0].
    x = np.linspace(-1, 1, 4001)
    assert asymmetry([np.exp(x) - x], x) == pytest.approx(
        [abs((np.e - 2.5) - (0.5 - 1 / np.e)) / ((np.e - 2.5) + (0.5 - 1 / np.e))], rel=1e-5
    )


# Roughness and variation


@pytest.mark.parametrize("shape", ["parabola", "tilted", "cubic", "steep"])
def test_a_single_valley_or_a_monotone_line_is_smooth(shape):
    line = SMOOTH[shape](X)
    assert roughness([line, line[::-1]]) == pytest.approx([0, 0], abs=1e-12)


def test_roughness_is_never_negative():
    # The sums of a monotone line are equal, but for rounding of either sign.
    lines = np.random.default_rng(0).random((200, 41)).cumsum(axis=1)
    assert (roughness(lines) >= 0).all() and roughness(lines).max() < 1e-12


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


@pytest.mark.parametrize("name", MENU)
def test_added_points_do_not_change_roughness(name):
    fine = np.interp(np.linspace(-1, 1, 401), X, MENU[name](X))
    for number in (roughness, normalized_variation, smad, local_minima):
        assert number([fine]) == pytest.approx(number([MENU[name](X)]), abs=1e-9)


@pytest.mark.parametrize("number", [roughness, normalized_variation, smad])
def test_a_finer_grid_approaches_the_smooth_curve(number):
    def at(points):
        x = np.linspace(-1, 1, points)
        return number([x**2 + 0.2 * np.cos(20 * x)])[0]

    limit = at(20_001)
    errors = [abs(at(points) - limit) for points in (41, 401, 4001)]
    assert errors[0] > errors[1] > errors[2] and errors[2] < 1e-4


@pytest.mark.parametrize("periods", [1, 2, 5])
def test_variation_of_a_cosine(periods):
    x = np.linspace(0, 1, 40 * periods + 1)
    assert normalized_variation([np.cos(2 * np.pi * periods * x)]) == pytest.approx([2 * periods])


def test_variation_of_a_valley_and_of_monotone_lines():
    lines = [X**2, X, np.exp(X), -(X**3)]
    assert normalized_variation(lines) == pytest.approx([2, 1, 1, 1])


# Second differences


@pytest.mark.parametrize("points", [3, 5, 41, 400])
def test_energy_of_a_parabola_is_exact(points):
    x = np.linspace(0, 1, points)
    both = np.linspace(-1, 1, points if points % 2 else points + 1)
    assert second_difference_energy([5 - 3 * x**2]) == pytest.approx([4])
    assert second_difference_energy([2 * both**2 - 9]) == pytest.approx([64])
    assert second_difference_energy([x]) == pytest.approx([0], abs=1e-9)


@pytest.mark.parametrize("periods", [1, 2])
def test_energy_of_a_cosine(periods):
    def error(points):
        line = np.cos(2 * np.pi * periods * np.linspace(0, 1, points))
        return abs(second_difference_energy([line])[0] / (2 * (periods * np.pi) ** 4) - 1)

    assert error(41) > error(161) > error(641)
    assert error(641) < 0.01


def test_energy_of_a_kink_is_its_jump():
    # One second difference of J h over an interval of h: J^2 / h, times 2^3, over the range 1.
    line = np.abs(X)
    expected = 8 * 2**2 / H * (2 / H) / (2 / H - 1)
    assert second_difference_energy([line]) == pytest.approx([expected])


def test_negative_curvature_of_known_lines():
    lines = [X**2, np.exp(X), X, -(X**2), np.abs(X), -np.abs(X)]
    assert negative_curvature_share(lines) == pytest.approx([0, 0, 0, 1, 0, 1 / 39])


def test_a_wave_is_concave_on_half_of_its_length():
    x = np.linspace(0, 1, 2001)
    waves = [np.sin(2 * np.pi * x), np.cos(6 * np.pi * x), (2 * x - 1) ** 3]
    assert negative_curvature_share(waves) == pytest.approx([0.5] * 3, abs=2e-3)


def test_rounding_is_not_curvature():
    straight = (1000 + 0.01 * X).astype(np.float32)
    assert np.any(np.diff(straight.astype(float), 2) < 0)
    assert negative_curvature_share([straight]) == [0]


# Minima


def test_smad_is_the_mean_climb_out_of_the_lesser_minima():
    # Global minimum 0; 1 climbs 1 to the pass at 2, 0.5 climbs 3.5 to the one at 4; range 5.
    assert smad([[3, 0, 2, 1, 4, 0.5, 5]]) == pytest.approx([(1 + 3.5) / 2 / 5])
    assert smad([X**2, X, np.full(41, 2.0)]) == pytest.approx([0, 0, 0])


def test_two_wells_are_separated_by_their_barrier():
    # (x^2 - 1)^2 on [-2, 2]: minima 0 at -1 and 1, barrier 1, range 9.
    x = np.linspace(-2, 2, 41)
    assert smad([(x**2 - 1) ** 2]) == pytest.approx([1 / 9])
    assert local_minima([(x**2 - 1) ** 2]) == [2]


@pytest.mark.parametrize("periods", [1, 3, 6])
def test_a_cosine_has_one_minimum_per_period(periods):
    x = np.linspace(0, 1, 20 * periods + 1)
    assert local_minima([np.cos(2 * np.pi * periods * x)]) == [periods]
    # From a crest of -cos at either end: the ends are minima as well.
    assert local_minima([-np.cos(2 * np.pi * periods * x)]) == [periods + 1]


def test_shallow_minima_are_not_counted():
    line = [1.0, 0.0, 0.01, 0.005, 1.0]
    assert local_minima([line]) == [2]
    assert local_minima([line], share=0.004) == [2]
    assert local_minima([line], share=0.006) == [1]
    assert local_minima([1000 + 1e-4 * np.array(line)]) == [0]


def test_every_line_that_is_not_constant_has_a_minimum():
    assert local_minima([X, -X, X**2, -(X**2), 0 * X]).tolist() == [1, 1, 1, 2, 0]


# Plateaus


def test_a_plateau_is_a_level_part_of_the_line():
    hinge = np.maximum(0, X)
    numbers = plateau_share([hinge, hinge + 100, X, -X, 0 * X])
    assert numbers == pytest.approx([0.5, 0.5, 0, 0, 1])


def test_measured_gradients_decide():
    zero = np.stack([X < 0, X > 2, X < 2])
    lines = np.stack([X, 0 * X, np.full(41, np.nan)])
    assert plateau_share(lines, zero) == pytest.approx([20 / 41, 0, 1])


def test_rounding_differences_are_level():
    assert plateau_share([1 + 1e-7 * X, 1 + 1e-4 * X]).tolist() == [1, 0]


# Barriers


def test_the_barrier_of_two_wells_is_known():
    t = np.linspace(0, 1, 41)
    x = 2 * t - 1
    assert barrier_height((x**2 - 1) ** 2, t) == pytest.approx(1)
    assert barrier_height((x**2 - 1) ** 2, t).shape == ()


def test_a_tilt_is_not_a_barrier():
    t = np.linspace(0, 1, 41)
    wells = ((2 * t - 1) ** 2 - 1) ** 2
    lines = np.stack([wells, wells + 5 * t - 3, 3 * wells, wells[::-1], 5 * t, t**2, -(t**2)])
    # -(t^2) lies above its chord by at most 1/4.
    expected = [1, 1, 3, 1, 0, 0, 0.25]
    assert barrier_height(lines, t) == pytest.approx(expected, abs=1e-12)
    assert barrier_height(lines, 7 * t) == pytest.approx(expected, abs=1e-12)
    assert (barrier_height(lines, t) >= 0).all()


def test_a_barrier_in_drops():
    t = np.linspace(0, 1, 41)
    wells = np.stack([((2 * t - 1) ** 2 - 1) ** 2] * 4)
    numbers = barrier_height(wells, t, drop=[2.0, 0.0, -1.0, np.nan])
    assert numbers[0] == pytest.approx(0.5) and np.isnan(numbers[1:]).all()
    assert barrier_height(wells[0], t, drop=4.0) == pytest.approx(0.25)


def test_barriers_of_values_that_are_not_finite():
    lines = [[0, np.inf, 0], [np.inf, 0, 0], [0, 0, np.nan], [0, np.nan, 0], [0, -np.inf, 0]]
    numbers = barrier_height(lines, [0, 0.5, 1])
    assert np.isposinf(numbers[0]) and np.isnan(numbers[1:4]).all() and numbers[4] == 0
    assert np.isnan(barrier_height([1.0], [0.0]))


def test_every_number_of_lines_is_defined():
    assert [number.__name__ for number in LINE_NUMBERS] == list(UNCHANGED)


@pytest.mark.parametrize("name", UNCHANGED)
def test_definitions_claim_what_the_laws_test(name):
    assert set(DEFINITIONS[name].unchanged_by.split(", ")) == UNCHANGED[name]
