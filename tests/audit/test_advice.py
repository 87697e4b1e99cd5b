"""The advice of findings: by the operation at fault and what its operand was computed from."""

import jax
import jax.numpy as jnp
import optax
import pytest
from jax import lax

from landscape.audit import audit
from landscape.errors import UserError


@pytest.fixture(autouse=True)
def _promotion():
    with jax.numpy_rank_promotion("allow"), jax.numpy_dtype_promotion("standard"):
        yield


def pole(predictions, targets):
    return jnp.log(jnp.abs(predictions - targets))


def log_of_sigmoid(predictions, targets):
    p = jax.nn.sigmoid(predictions)
    return -(targets * jnp.log(p) + (1 - targets) * jnp.log(1 - p))


def log_of_sigmoid_by_hand(predictions, targets):
    p = 1 / (1 + jnp.exp(-predictions))
    return -(targets * jnp.log(p) + (1 - targets) * jnp.log(1 - p))


def log_of_softmax(predictions, targets):
    return -jnp.sum(targets * jnp.log(jax.nn.softmax(predictions)), axis=-1)


def log_of_sum(predictions, targets):
    return jnp.log(jnp.sum(jnp.exp(predictions), -1)) - jnp.sum(predictions * targets, -1)


def log_of_one_plus(predictions, targets):
    return jnp.log1p(jnp.exp(predictions)) - targets * predictions


def root_and_log(predictions, targets):
    squared = jnp.square(predictions - targets)
    return jnp.log1p(squared) / 2 + jnp.sqrt(squared)


def log_cosh_by_hand(predictions, targets):
    return jnp.log(jnp.cosh(predictions - targets))


def masked(predictions, targets):
    weights = (targets != 0).astype(jnp.float32)
    return weights * (predictions - targets) ** 2 / weights


def fractional_power(predictions, targets):
    return jnp.abs(predictions - targets) ** 0.5


def stopped(predictions, targets):
    return (lax.stop_gradient(jax.nn.sigmoid(predictions)) - targets) ** 2


def rounded(predictions, targets):
    return (jnp.round(predictions) - targets) ** 2


ADVICE = [
    (pole, "regression", "N301", "argument of the logarithm"),
    (pole, "regression", "D101", "argument of the logarithm"),
    (log_of_sigmoid, "binary", "N301", "log_sigmoid"),
    (log_of_sigmoid_by_hand, "binary", "N301", "log_sigmoid"),
    (log_of_softmax, "multiclass", "N301", "log_softmax"),
    (log_of_sum, "multiclass", "N301", "logsumexp"),
    (log_of_one_plus, "binary", "N301", "softplus"),
    (log_cosh_by_hand, "regression", "N301", "optax.log_cosh"),
    (root_and_log, "regression", "N302", "jnp.sqrt(jnp.where("),
    (masked, "regression", "N301", "jnp.maximum(count, 1)"),
    (fractional_power, "regression", "N302", "base away from 0"),
    (stopped, "regression", "G201", "remove lax.stop_gradient"),
    (rounded, "regression", "G201", "soft decision"),
]


@pytest.mark.parametrize(("loss", "task", "code", "words"), ADVICE)
def test_the_advice_is_that_of_the_operation_that_fails(loss, task, code, words):
    findings = [f for f in audit(loss, task=task).findings if f.code == code]
    assert findings and all(words in f.suggestion for f in findings)


def test_a_stopped_gradient_is_one_finding():
    assert "G207" not in audit(stopped, task="regression").codes()


def test_nan_is_no_constant():
    messages = [f.message for f in audit(masked, task="regression").findings]
    assert messages and not any("constant" in message for message in messages)


def penalized(predictions, targets):
    return (predictions - targets) ** 2 + 5.0 * jax.nn.relu(-predictions)


def wavy(predictions, targets):
    error = predictions - targets
    return jnp.square(error) + 4 * jnp.square(jnp.sin(3 * error))


@pytest.mark.parametrize(("loss", "wrong_minimum"), [(penalized, False), (wavy, True)])
def test_a_convex_loss_has_no_wrong_minimum(loss, wrong_minimum):
    (finding,) = (f for f in audit(loss, task="regression").findings if f.code == "S404")
    assert ("stop in a wrong minimum" in finding.message) is wrong_minimum


def kinks(predictions, targets):
    near = jnp.abs(predictions - targets)
    far = jnp.abs(predictions - targets - 1)
    return near + far


def test_kinks_of_one_operation_are_one_finding_with_all_of_its_lines():
    (finding,) = (f for f in audit(kinks, task="regression").findings if f.code == "D102")
    first = kinks.__code__.co_firstlineno
    other = {first + 1, first + 2} - {finding.where.line}
    assert f"also at line {other.pop()}" in finding.message


def fails_for_right_predictions(predictions, targets):
    p = jax.nn.sigmoid((2 * targets - 1) * predictions)
    return -jnp.log(p) + jnp.sqrt(1 - p)


def fails_for_wrong_predictions(predictions, targets):
    return -jnp.log(jax.nn.sigmoid((2 * targets - 1) * predictions))


@pytest.mark.parametrize(
    ("loss", "right"), [(fails_for_right_predictions, True), (fails_for_wrong_predictions, False)]
)
def test_a_failure_for_right_predictions_ends_training_that_goes_well(loss, right):
    result = audit(loss, task="binary")
    (finding,) = (f for f in result.findings if f.code == "N302")
    assert finding.evidence["right_predictions"] is right
    assert ("training that goes well" in finding.message) is right


def saturating(predictions, targets):
    p = jax.nn.sigmoid((2 * targets - 1) * predictions)
    return jnp.sqrt(1 - p)


def test_such_a_failure_precedes_other_warnings():
    warnings = [
        f.code for f in audit(saturating, task="binary").findings if f.severity == "warning"
    ]
    assert warnings[0] == "N302" and "G205" in warnings


def one_example(logits, label):
    return jax.nn.logsumexp(logits) - logits[label]


def one_example_with_dot(logits, onehot):
    return jax.nn.logsumexp(logits) - jnp.dot(logits, onehot)


def one_example_with_cond(logit, label):
    return lax.cond(label > 0, lambda: jax.nn.softplus(-logit), lambda: jax.nn.softplus(logit))


def branch(predictions, targets):
    error = predictions - targets
    return error**2 if error > 0 else -error


def by_position(logits, onehot):
    weights = jnp.arange(1.0, 1 + len(logits))
    return weights * optax.softmax_cross_entropy(logits, onehot)


def test_a_loss_for_one_example_is_to_be_wrapped_in_vmap():
    (finding,) = (f for f in audit(one_example, task="multiclass").findings if f.code == "B502")
    assert "wrapped in jax.vmap" in finding.suggestion
    assert "the verdict is trainable" in finding.suggestion
    (finding,) = (f for f in audit(by_position, task="multiclass").findings if f.code == "B502")
    assert "vmap" not in finding.suggestion


@pytest.mark.parametrize(
    ("loss", "task", "hint"),
    [
        (one_example_with_dot, "multiclass", "jax.vmap"),
        (one_example_with_cond, "binary", "jax.vmap"),
        (branch, "regression", "jnp.where"),
    ],
)
def test_the_error_of_a_loss_that_refuses_a_batch_has_a_hint(loss, task, hint):
    with pytest.raises(UserError) as caught:
        audit(loss, task=task)
    assert hint in caught.value.hint
