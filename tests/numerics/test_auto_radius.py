import numpy as np
import pytest

from landscape.numerics.auto_radius import DEFAULT, LARGEST, SMALLEST, find_radius

CURVATURES = np.array([1.0, 4.0, 9.0])


def bowls(coordinates):
    return 2.0 + 0.5 * CURVATURES[:, None] * np.asarray(coordinates, float)[None] ** 2


@pytest.mark.parametrize("rise", [1e-4, 0.1, 1.0, 500.0])
def test_the_radius_of_bowls_is_that_of_their_mean(rise):
    radius, exists = find_radius(bowls, 2.0, rise)
    exact = np.sqrt(2 * rise / CURVATURES.mean())
    assert exists
    assert exact <= radius * 1.0001
    assert radius <= exact * 1.04


def test_the_radius_does_not_depend_on_the_unit_of_the_loss():
    scaled = find_radius(lambda c: 10 * bowls(c), 20.0, 7.0)
    assert scaled == find_radius(bowls, 2.0, 0.7)


def test_both_sides_count_equally():
    def slope(coordinates):
        return np.asarray(coordinates, float)[None] * 3.0

    assert find_radius(slope, 0.0, 1.0) == (DEFAULT, False)

    def one_sided(coordinates):
        return np.maximum(np.asarray(coordinates, float), 0)[None]

    right, left = (find_radius(lambda c, s=s: one_sided(s * c), 0.0, 1.0)[0] for s in (1, -1))
    assert right == left == pytest.approx(2.0, rel=0.04)


def test_a_risk_that_is_not_finite_has_risen():
    def wall(coordinates):
        return np.where(np.abs(coordinates) > 0.5, np.nan, 0.0)[None]

    radius, exists = find_radius(wall, 0.0, 1.0)
    assert exists
    assert 0.5 <= radius <= 0.5 * 1.04


def test_a_line_whose_center_is_not_finite_has_no_radius():
    assert find_radius(lambda c: np.full((1, len(c)), np.nan), 0.0, 1.0) == (DEFAULT, False)


@pytest.mark.parametrize("rise", [np.nan, 0.0, -1.0, np.inf])
def test_without_a_drop_there_is_no_radius(rise):
    assert find_radius(bowls, 2.0, rise) == (DEFAULT, False)


def test_radius_of_a_flat_risk_and_of_a_steep_one():
    assert find_radius(lambda c: np.zeros((1, len(c))), 0.0, 1.0) == (DEFAULT, False)
    radius, exists = find_radius(lambda c: 1e12 * np.abs(c)[None], 0.0, 1.0)
    assert (radius, exists) == (pytest.approx(SMALLEST), False)
    assert find_radius(bowls, 2.0, 0.5 * CURVATURES.mean() * LARGEST**2 * 1.01) == (DEFAULT, False)
