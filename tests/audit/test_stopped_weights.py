"""A part that lax.stop_gradient holds constant: a note if steps still lower the loss, else not."""

import jax
import jax.numpy as jnp
from jax import lax

from landscape.audit import audit
from landscape.parts.losses.boxes import ciou
from landscape.parts.losses.distribution import beta_nll


def attentive(predictions, targets):
    """|e| w with w = 1 - exp(-|e|): both factors grow with |e|, so descent on one lowers both."""
    error = jnp.abs(predictions - targets)
    return lax.stop_gradient(1 - jnp.exp(-error)) * error


def discounted(predictions, targets):
    """e^2 exp(-e^2 / 2): falls beyond |e| = sqrt(2), where the other factor rises."""
    squared = jnp.square(predictions - targets)
    return lax.stop_gradient(jnp.exp(-squared / 2)) * squared


def rounded(predictions, targets):
    hard = predictions + lax.stop_gradient(jnp.round(predictions) - predictions)
    return jnp.square(hard - targets)


def severity(loss, task, **options):
    (finding,) = [f for f in audit(loss, task=task, **options).findings if f.code == "G207"]
    return finding.severity


def test_a_stopped_weight_is_a_note_only_where_descent_lowers_the_loss():
    assert severity(attentive, "regression") == "note"
    assert severity(discounted, "regression") != "note"
    assert severity(rounded, "regression") == "warning"


def test_losses_of_the_literature_with_a_stopped_weight_are_trainable():
    for loss, task in ((ciou, "boxes"), (beta_nll, "distribution")):
        result = audit(loss, task=task)
        assert "G207" not in {f.code for f in result.findings if f.severity != "note"}, task


def test_a_stopped_factor_of_an_activation_stays_a_warning():
    def swish(x):
        return x * lax.stop_gradient(jax.nn.sigmoid(x))

    (finding,) = [f for f in audit(swish, kind="activation").findings if f.code == "G207"]
    assert finding.severity == "warning"
