"""Looks at parameters that were trained elsewhere: against closed forms, autodiff and `run`."""

import numpy as np
import pytest

import landscape

LINES = {"lines": {"directions": 2, "points": 5}, "planes": None}
RNG = np.random.default_rng(0)


def quiet_look(*arguments, out, **settings):
    """Looks without printing."""
    return landscape.look(*arguments, out=out, tell=len, **settings)


@pytest.fixture(scope="module")
def quadratic():
    """A positive definite matrix and a point."""
    basis = np.linalg.qr(RNG.normal(size=(4, 4)))[0]
    return (basis * [1.0, 2.0, 5.0, 9.0]) @ basis.T, RNG.normal(size=4)


def quadratic_risk(params, batch):
    return params @ batch @ params / 2


def test_a_quadratic_risk_is_a_parabola_with_the_eigenvalues_of_its_matrix(quadratic, tmp_path):
    matrix, point = quadratic
    slices = {
        "lines": {
            "direction": {"name": "random", "normalization": "none", "biases": "random"},
            "directions": 2,
            "points": 5,
        },
        "planes": None,
    }
    look = quiet_look(
        point,
        [matrix],
        risk=quadratic_risk,
        slices=slices,
        curvature={"eigenvalues": 2},
        out=tmp_path,
    )
    arrays = look.slices
    name = "trained/lines/random[normalization=none,biases=random]"
    risk, x = arrays[f"{name}/risk"], arrays[f"{name}/coordinates"]
    slope, curvature = arrays[f"{name}/slope"], arrays[f"{name}/curvature"]
    center = point @ matrix @ point / 2
    expected = center + slope[:, None] * x + curvature[:, None] * x**2 / 2
    np.testing.assert_allclose(risk, expected, rtol=1e-5)
    row = look.curvature.iloc[0]
    assert row["largest"] == pytest.approx(9, rel=1e-5)
    assert row["smallest"] == pytest.approx(1, rel=1e-4)
    assert row["trace"] == pytest.approx(17, rel=1e-5)
    norm = np.linalg.norm(matrix @ point)
    assert look.point["gradient_norm/global"].item() == pytest.approx(norm, rel=1e-5)
    assert set(look.all.status) == {"looked"}
