"""Half precision is compared only near the limits of float32, and nothing is missed by that."""

import jax.numpy as jnp
import numpy as np
import pytest

from landscape.audit import audit
from landscape.audit.measure import halves
from landscape.catalog import Spec, build


def codes(loss, task):
    return {finding.code for finding in audit(loss, task=task).findings}


@pytest.mark.parametrize(
    ("task", "name"), [("regression", "huber"), ("binary", "savage"), ("multiclass", "brier")]
)
def test_a_loss_far_from_the_limits_would_pass_in_half_precision(task, name, tmp_path, monkeypatch):
    loss = build("losses", Spec(name, {}), folder=tmp_path, task=task)
    compared = []
    failure = halves._failure
    monkeypatch.setattr(halves, "_failure", lambda *args: compared.append(0) or failure(*args))
    assert "N303" not in codes(loss, task) and not compared
    monkeypatch.setattr(halves, "_is_near_the_limits", lambda survey, groups: True)
    assert "N303" not in codes(loss, task) and compared


@np.errstate(over="ignore")
@pytest.mark.parametrize("constant", [0.999, 1e-9, 1e6])
def test_a_constant_that_a_half_rounds_to_0_1_or_infinity_is_sensitive(constant):
    rounded = [float(np.asarray(constant).astype(dtype)) for dtype in (np.float16, jnp.bfloat16)]
    assert {0.0, 1.0, np.inf} & {*rounded}
    assert halves._is_sensitive(constant) and halves._is_sensitive(np.float32([0.5, constant]))


@pytest.mark.parametrize("constant", [0.0, 1.0, -1.0, 0.3, np.inf, 3])
def test_other_constants_are_not(constant):
    assert not halves._is_sensitive(constant)


def test_an_intermediate_result_beyond_float16_is_found():
    """The square overflows at 256; the loss itself stays below 30 for predictions up to 30."""

    def loss(predictions, targets):
        return jnp.sqrt(1 + jnp.square(1000 * (predictions - targets))) / 1000

    assert "N303" in codes(loss, "regression")
