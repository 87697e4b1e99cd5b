"""Points at which an argument reaches the limit of its domain, or why they are not solved for."""

from types import SimpleNamespace

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from landscape import audit
from landscape.audit.measure import singular_points


@jax.custom_jvp
def newton_root(x):
    """Returns the square root of x, by steps whose derivative is not followed."""
    _, root = jax.lax.while_loop(
        lambda state: state[0] < 20,
        lambda state: (state[0] + 1, 0.5 * (state[1] + x / state[1])),
        (0, x + 1.0),
    )
    return root


@newton_root.defjvp
def _newton_root_jvp(primals, tangents):
    root = newton_root(*primals)
    return root, tangents[0] / (2 * root)


def test_a_root_whose_argument_jax_cannot_differentiate_is_audited():
    """The loss has a derivative by its rule; that of the argument alone would pass the loop."""

    def loss(predictions, targets):
        return jnp.sqrt(newton_root((predictions - targets) ** 2 + 1e-3))

    assert audit(loss, task="regression").verdict == "trainable"


@pytest.mark.parametrize("error", [ValueError, NotImplementedError])
def test_a_site_without_a_derivative_has_no_solution(monkeypatch, error):
    assert _solved_with(monkeypatch, error("no rule of differentiation")) == []


@pytest.mark.parametrize("error", [RuntimeError, ZeroDivisionError, MemoryError])
def test_errors_while_the_function_is_evaluated_are_raised(monkeypatch, error):
    with pytest.raises(error, match="of the function"):
        _solved_with(monkeypatch, error("of the function"))


def _solved_with(monkeypatch, error):
    """Solves for one site, whose descent raises an error."""

    def descent(starts, target):
        raise error

    monkeypatch.setattr(singular_points, "_descents", lambda survey: {0: descent})
    domain = SimpleNamespace(sample=lambda rng, count, target: np.zeros((count, 1)))
    survey = SimpleNamespace(seed=0, subject=SimpleNamespace(domain=domain))
    target = SimpleNamespace(cast=lambda dtype: np.zeros(1, dtype))
    return singular_points.solve(survey, target, [0])
