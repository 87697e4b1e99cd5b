import jax.numpy as jnp
import numpy as np
import pytest

from landscape.numerics.risk import Examples, evaluator, from_labels, mean_risk
from landscape.parts.models import Model

RNG = np.random.default_rng(0)
INPUTS = RNG.normal(size=(23, 4)).astype(np.float32)
TARGETS = RNG.normal(size=23).astype(np.float32)
WEIGHTS = RNG.normal(size=4).astype(np.float32)
EXAMPLES = Examples(jnp.asarray(INPUTS), jnp.asarray(TARGETS))

linear = Model(
    init=lambda key: {"w": jnp.zeros(4)},
    apply=lambda params, inputs: inputs @ params["w"],
    filter_axes=lambda params: {"w": None},
)


def squared(predictions, targets):
    return (predictions - targets) ** 2


def test_mean_risk_is_the_mean_of_the_loss_over_examples():
    residual = INPUTS.astype(float) @ WEIGHTS - TARGETS
    risk = mean_risk(squared, linear)({"w": jnp.asarray(WEIGHTS)}, EXAMPLES)
    np.testing.assert_allclose(risk, np.mean(residual**2), rtol=1e-5)


@pytest.mark.parametrize("batch_size", [1, 2, 7, 22, 23, 24, 1000])
def test_evaluation_in_batches_is_the_closed_form_of_least_squares(batch_size):
    evaluate = evaluator(squared, linear, batch_size=batch_size, gradients=True)
    found = evaluate({"w": jnp.asarray(WEIGHTS)}, EXAMPLES)
    predictions = INPUTS.astype(float) @ WEIGHTS
    residual = predictions - TARGETS
    np.testing.assert_allclose(found.predictions, predictions, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(found.risk, np.mean(residual**2), rtol=1e-5)
    np.testing.assert_allclose(found.prediction_gradients, 2 * residual, rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(
        found.gradients["w"], 2 * INPUTS.T.astype(float) @ residual / 23, rtol=1e-4, atol=1e-6
    )


def test_scalar_loss_is_averaged_over_batches_by_their_count():
    def largest(predictions, targets):
        return jnp.max(jnp.abs(predictions - targets))

    found = evaluator(largest, linear, batch_size=10, gradients=False)(
        {"w": jnp.asarray(WEIGHTS)}, EXAMPLES
    )
    residual = np.abs(INPUTS.astype(float) @ WEIGHTS - TARGETS)
    wanted = (10 * residual[:10].max() + 10 * residual[10:20].max() + 3 * residual[20:].max()) / 23
    np.testing.assert_allclose(found.risk, wanted, rtol=1e-5)
    assert found.gradients is None
    assert found.prediction_gradients is None


def test_labels_reach_a_loss_one_hot():
    labels = np.array([2, 0, 1, 1])
    loss = from_labels(lambda predictions, targets: targets * predictions, classes=3)
    predictions = RNG.normal(size=(4, 3)).astype(np.float32)
    np.testing.assert_array_equal(
        loss(jnp.asarray(predictions), jnp.asarray(labels)),
        np.eye(3, dtype=np.float32)[labels] * predictions,
    )
