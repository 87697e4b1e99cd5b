"""Each check passes on correct numbers, fails on wrong ones, and can be undecided."""

import numpy as np
import pytest

from landscape.numerics import checks
from landscape.numerics.float64_probes import STEPS
from landscape.storage.schema import to_plain

RNG = np.random.default_rng(4)


def second(function, steps=STEPS):
    return checks.second_difference(steps, function(-steps), float(function(0.0)), function(steps))


@pytest.mark.parametrize(
    ("function", "exact"),
    [
        (lambda x: 3 * np.asarray(x) ** 2 + 1, 6.0),
        (lambda x: np.exp(np.asarray(x)), 1.0),
        (lambda x: np.cos(2 * np.asarray(x)) + 5, -4.0),
        (lambda x: np.log(np.cosh(10 * np.asarray(x))), 100.0),
        (lambda x: 0 * np.asarray(x) + 2.5, 0.0),
        (lambda x: np.round(np.asarray(x)) + 2.5, 0.0),
        (lambda x: np.maximum(np.asarray(x) - 1e-4, 0) + np.asarray(x) ** 2, 2.0),
    ],
)
def test_second_differences_settle_at_the_second_derivative(function, exact):
    limit = second(function)
    assert limit.settled
    np.testing.assert_allclose(limit.value, exact, rtol=1e-3, atol=1e-6 + 4 * limit.rounding)


@pytest.mark.parametrize(
    "function",
    [
        np.abs,
        lambda x: np.maximum(x, 0) + np.asarray(x) ** 2,
        lambda x: np.where(np.asarray(x) > 0, np.nan, 1.0),
        lambda x: np.sqrt(np.abs(x)),
    ],
)
def test_second_differences_at_a_kink_do_not_settle(function):
    assert not second(function).settled


def test_second_difference_against_curvature():
    settled = [second(lambda x, c=c: c / 2 * np.asarray(x) ** 2) for c in (1.0, 4.0)]
    assert checks.curvature_along("w", settled, np.array([1.0, 4.0])).passed is True
    wrong = checks.curvature_along("w", settled, np.array([1.0, 4.4]))
    assert wrong.passed is False
    assert (round(wrong.value, 3), wrong.expected) == (4.0, 4.4)
    kinked = [second(np.abs)]
    undecided = checks.curvature_along("w", kinked, np.array([0.0]))
    assert undecided.passed is None
    assert "kinks" in undecided.message
    assert checks.curvature_along("w", kinked + settled, np.array([0, 1.0, 4.0])).passed is True


def test_center():
    assert checks.center("w", 2.0, 2.0).passed is True
    assert checks.center("w", 2.0, 2.0 * (1 + 3e-6)).passed is True
    assert checks.center("w", 2.0, 2.001).passed is False
    assert checks.center("w", np.nan, 2.0).passed is False
    assert checks.center("w", 2.0, np.nan).passed is None


def test_finite():
    values = np.ones((10, 10))
    assert checks.finite("w", values).passed is True
    values[0, :5] = np.inf
    assert checks.finite("w", values).passed is True
    values[1] = np.nan
    check = checks.finite("w", values)
    assert (check.passed, check.value) == (False, 0.15)


def quadratic_samples(matrix, count):
    """Second derivatives along unit vectors: from the sphere, and of independent signs."""
    size = len(matrix)
    sphere = RNG.normal(size=(count, size))
    sphere /= np.linalg.norm(sphere, axis=1, keepdims=True)
    signs = RNG.choice([-1.0, 1.0], size=(count, size)) / np.sqrt(size)
    along = [checks.SecondDifference(v @ matrix @ v, 0.0, True) for v in sphere]
    return along, np.array([v @ matrix @ v for v in signs]), np.linalg.norm(signs @ matrix, axis=1)


def test_mean_curvature_of_a_quadratic_is_its_trace_over_its_size():
    size = 200
    basis = np.linalg.qr(RNG.normal(size=(size, size)))[0]
    matrix = basis @ np.diag(np.r_[[80.0, 30.0], RNG.exponential(size=size - 2)]) @ basis.T
    passed = []
    for _ in range(40):
        along, probes, product_norms = quadratic_samples(matrix, 12)
        check = checks.mean_curvature("w", along, probes, product_norms, size)
        passed.append(check.passed)
        shifted = [s._replace(value=s.value + 5 * np.trace(matrix) / size) for s in along]
        assert checks.mean_curvature("w", shifted, probes, product_norms, size).passed is False
    assert all(passed)
    # Few probes that happen to agree must not give a standard error of zero.
    lucky = [checks.SecondDifference(1.0, 0.0, True)] * 12
    assert checks.mean_curvature("w", lucky, np.full(12, 1.4), product_norms, size).passed is True
    assert (
        checks.mean_curvature("w", lucky, np.full(12, 1.4), 0 * product_norms, size).passed is False
    )
    unsettled = [s._replace(settled=False) for s in along[:7]] + along[7:]
    assert checks.mean_curvature("w", unsettled, probes, product_norms, size).passed is None


def test_evaluation_noise_is_half_the_difference_of_the_halves_over_the_range():
    x = np.linspace(-1, 1, 9)
    shape = np.stack([x**2, 3 * x**2])
    assert checks.evaluation_noise("w", (shape, shape + 7.0), 4).value == 0
    ripple = np.where(np.arange(9) % 2 == 1, 0.1, 0.0)
    check = checks.evaluation_noise("w", (shape + ripple, shape - ripple), 4)
    rms = 0.1 * np.sqrt(4 / 9)
    np.testing.assert_allclose(check.value, (rms / 1 + rms / 3) / 2, rtol=1e-12)
    assert check.passed is True
    loud = checks.evaluation_noise("w", (shape + 9 * ripple, shape - 9 * ripple), 4)
    assert loud.passed is False
    flat = checks.evaluation_noise("w", (np.ones((1, 9)), np.ones((1, 9))), 4)
    assert (flat.passed, flat.value) == (True, 0.0)
    unknown = np.full((1, 9), np.nan)
    assert checks.evaluation_noise("w", (unknown, unknown), 4).passed is None


def test_lanczos():
    dense = np.array([10.0, -2.0])
    assert checks.lanczos("w", dense * (1 + 5e-4), dense).passed is True
    assert checks.lanczos("w", np.array([10.0, -1.9]), dense).passed is False
    assert checks.lanczos("w", np.array([10.0, np.nan]), dense).passed is False


def test_a_check_is_plain_json():
    check = checks.center("trained/lines/random", 1.0, 1.0)
    assert set(to_plain(check)) == {
        "name",
        "where",
        "passed",
        "value",
        "expected",
        "tolerance",
        "message",
    }
