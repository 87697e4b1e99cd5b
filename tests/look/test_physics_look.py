"""A look at a physics-informed network against formulas in NumPy, and on two devices."""

import os
import subprocess
import sys
import textwrap
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import landscape
from landscape import UserError

RNG = np.random.default_rng(0)
PARAMS = {"b": RNG.normal(size=3), "v": RNG.normal(size=3), "w": RNG.normal(size=3)}
INSIDE = np.linspace(0, 3, 9)
LINES = "trained/lines/random[biases=random]"
SLICES = {
    "lines": {"direction": {"name": "random", "biases": "random"}, "directions": 2, "points": 3},
    "planes": None,
}


def residual(params, batch):
    """u'(x) = cos(x) with u(0) = 0."""

    def u(x):
        return jnp.tanh(x * params["w"] + params["b"]) @ params["v"]

    slopes = jax.vmap(jax.grad(u))(batch)
    return jnp.mean((slopes - jnp.cos(batch)) ** 2) + u(0.0) ** 2


def residual_in_numpy(flat):
    """The same risk with the slope derived by hand, in float64; b, v and w one after the other."""
    b, v, w = np.split(flat, 3)
    hidden = np.tanh(INSIDE[:, None] * w + b)
    slopes = (1 - hidden**2) @ (v * w)
    return np.mean((slopes - np.cos(INSIDE)) ** 2) + (np.tanh(b) @ v) ** 2


@pytest.fixture(scope="module")
def look(tmp_path_factory):
    """A look at the network, in memory."""
    out = tmp_path_factory.mktemp("physics")
    return landscape.look(PARAMS, [INSIDE], risk=residual, slices=SLICES, out=out, tell=len)


def test_gradient_and_slices_are_those_of_the_formula_in_numpy(look):
    at = np.concatenate([PARAMS[name] for name in "bvw"])
    steps = 1e-6 * np.eye(9)
    gradient = [(residual_in_numpy(at + s) - residual_in_numpy(at - s)) / 2e-6 for s in steps]
    norm = np.linalg.norm(gradient)
    assert look.point["gradient_norm/global"].item() == pytest.approx(norm, rel=1e-5)
    arrays = look.slices
    for key, line in zip(arrays[f"{LINES}/keys"], arrays[f"{LINES}/risk"], strict=True):
        drawn = jax.random.normal(jax.random.wrap_key_data(key), (9,), jnp.float32)
        parts = np.split(np.asarray(drawn, np.float64), 3)
        pairs = zip(parts, np.split(at, 3), strict=True)
        scaled = [d * np.linalg.norm(p) / np.linalg.norm(d) for d, p in pairs]
        direction = np.concatenate(scaled)
        expected = [residual_in_numpy(at + x * direction) for x in arrays[f"{LINES}/coordinates"]]
        assert np.ptp(expected) > 0.1
        np.testing.assert_allclose(line, expected, rtol=1e-5)


def test_two_devices_measure_the_same_slices(look, tmp_path):
    code = f"""
        import sys
        import jax, numpy as np
        sys.path.insert(0, {str(str(Path(__file__).parent))!r})
        from test_physics_look import INSIDE, PARAMS, SLICES, residual
        import landscape
        assert jax.local_device_count() == 2
        for label, data in (("memory", [INSIDE]), ("streamed", lambda: iter([INSIDE]))):
            landscape.look(PARAMS, data, risk=residual, slices=SLICES, label=label, tell=len)
    """
    flags = f"{os.environ['XLA_FLAGS']} --xla_force_host_platform_device_count=2"
    environment = os.environ | {"XLA_FLAGS": flags}
    command = [sys.executable, "-c", textwrap.dedent(code)]
    subprocess.run(command, cwd=tmp_path, env=environment, check=True)
    others = landscape.results(tmp_path / "runs" / "look")
    assert len(others.status) == 2
    for run_id in others.status.index:
        for name in ("risk", "slope", "curvature"):
            expected = look.slices[f"{LINES}/{name}"]
            measured = others.slices[run_id][f"{LINES}/{name}"]
            np.testing.assert_allclose(measured, expected, rtol=1e-6, atol=1e-6, err_msg=name)


def test_vectors_alone_need_directions_that_move_them(tmp_path):
    with pytest.raises(UserError, match="random directions would be zero") as raised:
        landscape.look(PARAMS, [INSIDE], risk=residual, out=tmp_path, tell=len)
    assert '"biases": "random"' in str(raised.value)


def test_a_risk_has_no_metrics_of_predictions(tmp_path):
    settings = {"risk": residual, "slices": SLICES, "out": tmp_path, "tell": len}
    with pytest.raises(UserError, match=r"found `metrics`, .* but a `risk` has neither"):
        landscape.look(PARAMS, [INSIDE], metrics=["accuracy"], **settings)
