import jax.numpy as jnp
import numpy as np
import pytest

from landscape.numerics.loss import Loss, Targets
from landscape.numerics.risk import Examples, evaluator, mean_risk
from landscape.parts.models import Model

RNG = np.random.default_rng(0)
INPUTS = RNG.normal(size=(23, 4)).astype(np.float32)
TARGETS = RNG.normal(size=23).astype(np.float32)
WEIGHTS = RNG.normal(size=4).astype(np.float32)
EXAMPLES = Examples(jnp.asarray(INPUTS), Targets(jnp.asarray(TARGETS)))

linear = Model(
    init=lambda key: {"w": jnp.zeros(4)},
    apply=lambda params, inputs: inputs @ params["w"],
    filter_axes=lambda params: {"w": None},
)


def squared(predictions, targets):
    return (predictions - targets) ** 2


def test_mean_risk_is_the_mean_of_the_loss_over_examples():
    residual = INPUTS.astype(float) @ WEIGHTS - TARGETS
    risk = mean_risk(linear)(Loss(squared), {"w": jnp.asarray(WEIGHTS)}, EXAMPLES)
    np.testing.assert_allclose(risk, np.mean(residual**2), rtol=1e-5)


@pytest.mark.parametrize("batch_size", [1, 2, 7, 22, 23, 24, 1000])
def test_evaluation_in_batches_is_the_closed_form_of_least_squares(batch_size):
    evaluate = evaluator(linear, batch_size=batch_size, gradients=True)
    evaluation = evaluate(Loss(squared), {"w": jnp.asarray(WEIGHTS)}, EXAMPLES)
    predictions = INPUTS.astype(float) @ WEIGHTS
    residual = predictions - TARGETS
    np.testing.assert_allclose(evaluation.predictions, predictions, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(evaluation.risk, np.mean(residual**2), rtol=1e-5)
    np.testing.assert_allclose(evaluation.prediction_gradients, 2 * residual, rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(
        evaluation.gradients["w"], 2 * INPUTS.T.astype(float) @ residual / 23, rtol=1e-4, atol=1e-6
    )


def test_scalar_loss_is_averaged_over_batches_by_their_count():
    def largest(predictions, targets):
        return jnp.max(jnp.abs(predictions - targets))

    evaluation = evaluator(linear, batch_size=10, gradients=False)(
        Loss(largest), {"w": jnp.asarray(WEIGHTS)}, EXAMPLES
    )
    residual = np.abs(INPUTS.astype(float) @ WEIGHTS - TARGETS)
    first, second, last = (part.max() for part in np.split(residual, [10, 20]))
    expected = (10 * first + 10 * second + 3 * last) / 23
    np.testing.assert_allclose(evaluation.risk, expected, rtol=1e-5)
    assert evaluation.gradients is None
    assert evaluation.prediction_gradients is None
