"""Looks at parameters that were trained elsewhere: against closed forms, autodiff and `run`."""

import jax
import jax.numpy as jnp
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
    assert row[["run", "loss", "seed"]].tolist() == [look.run_id, "mine", 0]
    assert list(look.traces)[:4] == ["run", "loss", "seed", "step"]
    assert row["largest"] == pytest.approx(9, rel=1e-5)
    assert row["smallest"] == pytest.approx(1, rel=1e-4)
    assert row["trace"] == pytest.approx(17, rel=1e-5)
    norm = np.linalg.norm(matrix @ point)
    assert look.point["gradient_norm/global"].item() == pytest.approx(norm, rel=1e-5)
    assert set(look.all.status) == {"looked"}


def layers(params, inputs):
    return jnp.tanh(inputs @ params["w"]) @ params["v"]


def squared(predictions, targets):
    return (predictions - targets) ** 2


@pytest.fixture(scope="module")
def regression():
    """Parameters of two layers, inputs and targets."""
    params = {"w": RNG.normal(size=(3, 4)), "v": RNG.normal(size=4)}
    inputs = RNG.normal(size=(30, 3)).astype(np.float32)
    return params, inputs, inputs.sum(axis=1)


@pytest.fixture(scope="module")
def looks(regression, tmp_path_factory):
    """A look at both layers and one at the second alone, in one folder."""
    params, *data = regression
    out = tmp_path_factory.mktemp("looks")
    settings = {"apply": layers, "loss": squared, "filter_axes": "last", "out": out}
    settings |= {"slices": LINES, "curvature": {"eigenvalues": 2}, "audit": True}
    whole = quiet_look(params, data, label="whole", **settings)
    settings |= {"slices": {**LINES, "direction": {"name": "random", "biases": "random"}}}
    second = quiet_look(params, data, label="second", trainable="v".__eq__, **settings)
    settings |= {"slices": LINES}
    return whole, second, settings


def risk_in_numpy(params, inputs, targets):
    hidden = np.tanh(inputs.astype(np.float64) @ params["w"])
    return np.mean((hidden @ params["v"] - targets) ** 2)


def test_slices_are_the_risk_in_numpy_at_displaced_parameters(looks, regression):
    params, inputs, targets = regression
    arrays = looks[0].slices
    name = "trained/lines/random"
    for key, line in zip(arrays[f"{name}/keys"], arrays[f"{name}/risk"], strict=True):
        drawn = jax.random.normal(jax.random.wrap_key_data(key), (12,), jnp.float32)
        direction = np.asarray(drawn, np.float64).reshape(3, 4)
        direction *= np.linalg.norm(params["w"], axis=0) / np.linalg.norm(direction, axis=0)
        expected = [
            risk_in_numpy({**params, "w": params["w"] + x * direction}, inputs, targets)
            for x in arrays[f"{name}/coordinates"]
        ]
        np.testing.assert_allclose(line, expected, rtol=1e-4)


def test_of_a_part_directions_are_zero_elsewhere_and_curvature_is_a_block(looks, regression):
    params, inputs, _ = regression
    second = looks[1]
    assert {name for name in second.params if name.startswith("trained")} == {"trained/v"}
    hidden = np.tanh(inputs.astype(np.float64) @ params["w"])
    block = 2 * hidden.T @ hidden / len(inputs)  # of the Hessian, for the second layer
    row = second.curvature.iloc[0]
    assert row["trace"] == pytest.approx(np.trace(block), rel=1e-4)
    ends = np.linalg.eigvalsh(block)[[-1, 0]]
    assert [row["largest"], row["smallest"]] == pytest.approx(ends, rel=1e-3)
    np.testing.assert_allclose(second.params["state/trained/constant/w"], params["w"], rtol=1e-6)
    assert "4 of 16 parameters move" in second.summary.point


def test_looks_are_collected_and_not_repeated(looks, regression):
    whole, _, settings = looks
    assert whole.table["loss"].tolist() == ["whole", "second"]
    params, *data = regression
    before = (whole.folder / "slices.npz").stat().st_mtime_ns
    quiet_look(params, data, label="whole", **settings)
    assert (whole.folder / "slices.npz").stat().st_mtime_ns == before
    assert set(whole.table["loss"]) == {"whole", "second"}
    page = whole.report().read_text()
    assert "Nothing was trained" in page
    of_training = ("0 steps", "optimizer", "never learns", "does not learn", "reaches the target")
    of_seeds = ("same seed", "over seeds", "edians over", "drop of the risk", "per loss", "agree")
    for words in (*of_training, *of_seeds):
        assert words not in page, words
    assert "Audit of the loss" in page and "audit: " in page


def test_inputs_are_not_changed_and_the_page_states_that_they_are_used_as_passed(looks):
    assert "used as passed" in looks[0].summary.data.description
    assert looks[0].summary.status == "looked"
