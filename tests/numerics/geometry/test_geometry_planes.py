"""Persistence against floods of every level, the numbers of planes against closed forms."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage

from landscape.numerics.geometry import describe_plane
from landscape.numerics.geometry.basin import basin_share, border_rise
from landscape.numerics.geometry.definitions import DEFINITIONS, PLANE_NUMBERS
from landscape.numerics.geometry.minima import (
    local_minima,
    plane_local_minima,
    plane_smad,
    smad,
    total_persistence,
)
from landscape.numerics.geometry.negative_curvature import eigenvalue_ratios, nonconvex_share
from landscape.numerics.geometry.persistence import persistence


def plane(function, points=31, radius=1.5):
    x = np.linspace(-radius, radius, points)
    return function(*np.meshgrid(x, x))


SMOOTH = {
    "bowl": lambda x, y: x**2 + 2 * y**2,
    "valley": lambda x, y: (x - y) ** 2 + 0.05 * x,
    "saddle": lambda x, y: x**2 - y**2 + 0.3 * x,
    "two wells": lambda x, y: (x**2 - 1) ** 2 + y**2 + 0.1 * x,
    "four wells": lambda x, y: (x**2 - 1) ** 2 + (y**2 - 1) ** 2 + 0.1 * x + 0.05 * y,
    "waves": lambda x, y: np.cos(4 * x + 1) + np.cos(3 * y) + 0.5 * x**2,
}


def rough(x, y):
    return np.random.default_rng(5).normal(size=x.shape)


def with_walls(x, y):
    values = rough(x, y)
    values[np.random.default_rng(6).random(x.shape) < 0.1] = np.nan
    values[3, 3] = np.inf
    values[len(values) // 2, len(values) // 2] = 0.0
    return values


MENU = SMOOTH | {"rough": rough, "walls": with_walls, "constant": lambda x, y: 0 * x + 0.7}


def eigenvalues(values):
    """Returns numbers like eigenvalues, which are flipped together with the plane."""
    smallest = np.where(np.isfinite(values), values, 0.0) - 0.3
    return smallest, np.abs(smallest) + 1


def describe(values, initial=3.1416, scale=1.0, around=None):
    center = values[len(values) // 2, len(values) // 2]
    smallest, largest = around or eigenvalues(values)
    return describe_plane(values, center, center + initial, scale * smallest, scale * largest)


def assert_same(numbers, expected, **tolerance):
    assert numbers.keys() == expected.keys()
    for key, value in expected.items():
        assert numbers[key] == pytest.approx(value, nan_ok=True, **tolerance), key


def levels_between(values):
    """Counts pools born by one level that are still separate at a later one, for all pairs."""
    values = np.asarray(values, dtype=float)
    thresholds = np.unique(values[np.isfinite(values)])
    touching = np.ones((3,) * values.ndim)
    values = np.where(np.isfinite(values), values, np.inf)
    for later in thresholds[:-1]:
        pools, _ = ndimage.label(values <= later, structure=touching)
        for earlier in thresholds[thresholds <= later]:
            yield earlier, later, len(np.unique(pools[values <= earlier]))


def assert_is_diagram(values):
    pairs = persistence(values)
    births, deaths = pairs.T
    finite = values[np.isfinite(values)]
    # These counts for all pairs of levels determine a diagram; only what dies last is left.
    for earlier, later, count in levels_between(values):
        assert np.sum((births <= earlier) & (deaths > later)) == count
    assert np.isin(pairs, finite).all() and (deaths >= births).all()
    heights = deaths - births
    assert (np.diff(heights) <= 0).all() and (heights[1:] > 0).all()
    assert births[0] == finite.min() and deaths[0] == finite.max()


# Persistence


@pytest.mark.parametrize("seed", range(40))
def test_persistence_of_random_planes_is_that_of_floods(seed):
    rng = np.random.default_rng(seed)
    shape = rng.integers(1, 8, 2)
    values = rng.normal(size=shape) if seed % 2 else rng.integers(0, 5, shape).astype(float)
    values[rng.random(shape) < 0.15 * (seed % 4)] = rng.choice([np.nan, np.inf, -np.inf])
    if np.isfinite(values).any():
        assert_is_diagram(values)


cells = st.integers(0, 5).map(float) | st.floats(-10, 10, width=32)


@settings(max_examples=150, deadline=None)
@given(st.data(), st.integers(1, 6), st.integers(0, 5))
def test_persistence_is_that_of_floods(data, columns, rows):
    """On lines (no rows) and planes, with equal values and walls."""
    shape = (rows, columns) if rows else (4 * columns,)
    count = int(np.prod(shape))
    drawn = data.draw(
        st.lists(cells | st.sampled_from([np.nan, np.inf]), min_size=count, max_size=count)
    )
    values = np.array(drawn).reshape(shape)
    if not np.isfinite(values).any():
        assert persistence(values).shape == (0, 2)
        return
    assert_is_diagram(values)
    turned = [values[::-1], values.T, -values[..., ::-1] * -1]
    for other in turned:
        np.testing.assert_array_equal(persistence(other), persistence(values))


def test_persistence_of_a_line_with_known_climbs():
    # 1 climbs to 2, 0.5 to 4, and the global minimum to the top.
    assert persistence([3, 0, 2, 1, 4, 0.5, 5]).tolist() == [[0, 5], [0.5, 4], [1, 2]]


def test_cells_touch_over_corners():
    values = np.array([[0.0, 9.0], [9.0, 1.0]])
    assert persistence(values).tolist() == [[0, 9]]
    assert persistence([[0.0, 9, 1]]).tolist() == [[0, 9], [1, 9]]


def test_a_pool_behind_a_wall_ends_at_the_maximum():
    values = [[0.0, np.nan, 3, 2], [4.0, np.inf, 3, 5]]
    assert persistence(values).tolist() == [[0, 5], [2, 5]]


def test_a_flat_array_has_one_pool_without_height():
    assert persistence(np.full((3, 4), 2.0)).tolist() == [[2, 2]]
    assert persistence([]).shape == (0, 2)
    assert persistence(np.full((2, 2), np.nan)).shape == (0, 2)


def test_other_shapes_have_no_persistence():
    with pytest.raises(ValueError, match="shape"):
        persistence(np.zeros((2, 2, 2)))


def test_numbers_of_lines_and_planes_agree():
    rng = np.random.default_rng(2)
    for line in rng.normal(size=(20, 30)):
        assert plane_smad([line]) == smad([line])[0]
        assert plane_local_minima([line]) == local_minima([line])[0]


# Closed forms


def test_two_wells_are_separated_by_their_barrier():
    # Minima 0 at x = -1 and 1, the saddle between them at height 1, the corners at the maximum.
    wells = plane(lambda x, y: (x**2 - 1) ** 2 + y**2)
    top = (1.5**2 - 1) ** 2 + 1.5**2
    assert persistence(wells) == pytest.approx(np.array([[0, top], [0, 1]]), abs=1e-12)
    assert plane_smad(wells) == pytest.approx(1 / top)
    assert total_persistence(wells) == pytest.approx(1 / top)
    assert plane_local_minima(wells) == 2


def test_total_persistence_adds_where_smad_averages():
    # Four wells, three of which climb to a saddle of height 1.
    wells = plane(lambda x, y: (x**2 - 1) ** 2 + (y**2 - 1) ** 2)
    top = 2 * (1.5**2 - 1) ** 2
    assert plane_smad(wells) == pytest.approx(1 / top)
    assert total_persistence(wells) == pytest.approx(3 / top)
    assert plane_local_minima(wells) == 4


def test_a_bowl_has_one_basin():
    numbers = describe(plane(SMOOTH["bowl"]))
    assert numbers["plane_smad"] == numbers["total_persistence"] == 0
    assert numbers["plane_local_minima"] == 1


def test_shallow_and_rounded_minima_are_not_counted():
    ripple = plane(lambda x, y: x**2 + y**2)
    ripple[5, 5] -= 0.6
    depth = persistence(ripple)[1] @ [-1, 1] / np.ptp(ripple)
    assert 0 < depth < 0.1
    assert plane_local_minima(ripple, share=0.9 * depth) == 2
    assert plane_local_minima(ripple, share=1.1 * depth) == 1
    assert describe(1e6 + 0.1 * ripple)["plane_smad"] == 0
    assert describe(1e6 + 1e-2 * ripple)["plane_local_minima"] == 0


def test_the_border_of_a_bowl():
    # The mean of x^2 + y^2 on the border of [-1, 1]^2 is 4/3.
    for points, close in ((11, 0.02), (101, 2e-4)):
        bowl = plane(lambda x, y: 1 + x**2 + y**2, points, 1.0)
        assert border_rise(bowl, 1.0, 3.0) == pytest.approx((4 / 3) / 2, rel=close)
    # Only the border enters.
    bowl[1:-1, 1:-1] = np.nan
    assert np.isfinite(border_rise(bowl, 1.0, 3.0))


def test_each_cell_of_the_border_counts_once():
    values = np.zeros((3, 5))
    values[0], values[-1], values[1, 0], values[1, -1] = 1, 2, 4, 8
    assert border_rise(values, 0.0, 1.0) == pytest.approx((5 + 10 + 4 + 8) / 12)


def test_the_basin_of_a_bowl_is_a_disc():
    # x^2 + y^2 <= 0.1 * 4 in a square of 2 by 2.
    bowl = plane(lambda x, y: x**2 + y**2, 401, 1.0)
    assert basin_share(bowl, 0.0, 4.0) == pytest.approx(np.pi * 0.4 / 4, rel=0.01)
    assert basin_share(bowl, 0.0, 4.0, level=0.2) == pytest.approx(np.pi * 0.8 / 4, rel=0.01)


def test_the_basin_is_connected_to_the_center():
    values = np.array([[0, 9, 0, 0, 0], [0, 9, 0, 9, 9], [0, np.nan, 9, 0, -np.inf]], dtype=float)
    # From the center (1, 2): three above, not the column on the left, nor (2, 3) but over a corner.
    assert basin_share(values, 0.0, 10.0) == pytest.approx(5 / 15)
    assert basin_share(values, 0.0, 10.0, level=0.9) == pytest.approx(13 / 15)
    assert basin_share(values, -5.0, 10.0) == 0
    assert np.isnan(basin_share(values.T[::-1][:, :1] * np.nan, 0.0, 10.0))


def test_without_a_drop_only_the_heights_are_missing():
    values = plane(SMOOTH["two wells"])
    numbers = describe(values, initial=-1.0)
    assert np.isnan(numbers["border_rise"]) and np.isnan(numbers["basin_share"])
    assert numbers["plane_local_minima"] == 2


# Convexity


def test_the_ratio_of_eigenvalues():
    smallest = [-1.0, -2.0, 0.0, 3.0, -3.0, -1.0, np.nan, -np.inf, 1.0, 0.0]
    largest = [4.0, 2.0, 1.0, 6.0, -1.0, 0.0, 1.0, 1.0, np.inf, 0.0]
    expected = [0.25, 1.0, 0.0, 0.0, 3.0, np.inf, np.nan, np.nan, np.nan, 0.0]
    np.testing.assert_array_equal(eigenvalue_ratios(smallest, largest), expected)
    # Of the seven known cells four lie above a hundredth.
    assert nonconvex_share(smallest, largest) == pytest.approx(4 / 7)
    assert nonconvex_share(smallest, largest, threshold=0.5) == pytest.approx(3 / 7)
    assert np.isnan(nonconvex_share([np.nan], [1.0]))


def test_the_ratio_of_a_saddle_is_that_of_its_hessian():
    # Hessians of a random quadratic and of its negative, by NumPy.
    rng = np.random.default_rng(0)
    for _ in range(20):
        matrix = rng.normal(size=(5, 5))
        values = np.linalg.eigvalsh(matrix + matrix.T)
        ratio = eigenvalue_ratios(values[0], values[-1])
        assert ratio == pytest.approx(max(-values[0], 0) / values[-1])
        assert eigenvalue_ratios(-values[-1], -values[0]) == pytest.approx(1 / ratio)
        assert eigenvalue_ratios(*np.linalg.eigvalsh(matrix @ matrix.T + np.eye(5))[[0, -1]]) == 0


def test_the_convexity_ratio_is_a_median_over_cells():
    smallest = np.array([[-1.0, -2.0, np.nan], [5.0, -40.0, -np.inf]])
    numbers = describe_plane(np.ones((2, 3)), 0, 1, smallest, np.full((2, 3), 4.0))
    assert numbers["convexity_ratio"] == pytest.approx((0.25 + 0.5) / 2)
    assert numbers["nonconvex_share"] == pytest.approx(3 / 4)


def test_eigenvalues_of_different_shapes_are_rejected():
    with pytest.raises(ValueError, match="shape"):
        eigenvalue_ratios([-1.0, 2.0], [1.0])


def test_without_eigenvalues_their_numbers_are_missing():
    numbers = describe_plane(plane(SMOOTH["bowl"]), 0.0, 1.0)
    assert np.isnan([numbers["convexity_ratio"], numbers["nonconvex_share"]]).all()
    assert numbers.keys() == describe(plane(SMOOTH["bowl"])).keys()


# Laws over every number


@pytest.mark.parametrize("name", MENU)
@pytest.mark.parametrize(("scale", "offset"), [(10.0, 0.0), (1.0, -7.0), (0.5, 3.0), (1e30, 0.0)])
def test_the_unit_of_the_loss_does_not_matter(name, scale, offset):
    values = plane(MENU[name])
    moved = describe(scale * values + offset, 3.1416 * scale, scale, eigenvalues(values))
    assert_same(moved, describe(values), rel=1e-6, abs=1e-9)


@pytest.mark.parametrize("name", MENU)
@pytest.mark.parametrize("turn", [np.flipud, np.fliplr, np.transpose, np.rot90])
def test_flips_and_swapped_axes_change_nothing(name, turn):
    values = plane(MENU[name])
    assert_same(describe(turn(values)), describe(values), rel=1e-9)


@pytest.mark.parametrize("name", SMOOTH)
def test_a_finer_grid_changes_little(name):
    coarse, fine = (describe(plane(SMOOTH[name], points)) for points in (61, 121))
    assert_same(fine, coarse, rel=0.06, abs=0.02)
    assert fine["plane_local_minima"] == coarse["plane_local_minima"]


@settings(max_examples=150, deadline=None)
@given(
    st.lists(
        st.floats(-1e6, 1e6, width=32) | st.sampled_from([np.nan, np.inf, -np.inf, 0.0]),
        min_size=15,
        max_size=15,
    ),
    st.sampled_from([(3, 5), (5, 3), (1, 15), (15, 1)]),
    st.sampled_from([1.0, -3.0, np.nan, np.inf]),
)
def test_numbers_of_any_plane_do_not_depend_on_its_unit(drawn, shape, initial):
    values = np.array(drawn).reshape(shape)
    center = values[shape[0] // 2, shape[1] // 2]
    numbers = describe_plane(values, center, initial, values, -values)
    again = describe_plane(2 * values, 2 * center, 2 * initial, 2 * values, -2 * values)
    assert_same(again, numbers, rel=0, abs=0)
    assert all(isinstance(value, float) for value in numbers.values())
    for key in ("basin_share", "plane_smad", "nonconvex_share"):
        assert np.isnan(numbers[key]) or 0 <= numbers[key] <= 1, key
    if not np.isfinite(values).any():
        assert np.isnan(list(numbers.values())).all()


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_a_plane_of_walls_has_no_numbers(value):
    walls = np.full((3, 5), value)
    numbers = describe_plane(walls, value, 1.0, walls, walls)
    assert np.isnan(list(numbers.values())).all()


def test_huge_values_raise_no_warning():
    values = np.resize([1.7e308, -1.7e308, 0.0], (5, 5))
    numbers = describe_plane(values, -1.7e308, 1.7e308, -values, values)
    assert len(numbers) == len(PLANE_NUMBERS)


def test_every_plane_number_is_defined_and_unchanged_by_every_transformation():
    assert [number.__name__ for number in PLANE_NUMBERS] == [*describe(plane(SMOOTH["bowl"]))]
    for number in PLANE_NUMBERS:
        claimed = DEFINITIONS[number.__name__].unchanged_by
        assert claimed == "scale, offset, grid, axis, reversal", number.__name__
