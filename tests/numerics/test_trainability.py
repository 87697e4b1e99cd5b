"""Cells of a trainability map against a loop in NumPy, and the frozen ones."""

import jax
import jax.numpy as jnp
import numpy as np
import optax

from landscape.numerics.loss import Loss, Targets
from landscape.numerics.risk import Examples
from landscape.numerics.train import TrainingInputs
from landscape.numerics.trainability import Cells, cell_trainer
from landscape.numerics.training_order import draw_order
from landscape.parts.models import Model

RNG = np.random.default_rng(5)
STEPS, BATCH = 25, 6
X = RNG.normal(size=(40, 3)).astype(np.float32)
Y = (np.tanh(X @ np.array([1.0, -2.0, 0.5])) + 0.5).astype(np.float32)
INNER, OUTER = RNG.normal(size=(3, 4)).astype(np.float32), np.ones(4, np.float32)
ORDER = draw_order(jax.random.key(3), 30, STEPS, BATCH)
RATES, SCALES = np.float32([0.01, 0.1, 0.1, 1e4]), np.float32([1.0, 1.0, 0.25, 1.0])

# One hidden layer; the outer weights count as a bias, and so keep their scale.
two_layers = Model(
    init=lambda key: None,
    apply=lambda params, inputs: jnp.tanh(inputs @ params["inner"]) @ params["outer"],
    filter_axes=lambda params: {"inner": 1, "outer": None},
)


def squared(predictions, targets):
    return (predictions - targets) ** 2


def mean_error(snapshot):
    return jnp.mean(jnp.abs(snapshot.predictions - snapshot.targets))


def finals(rates, scales, **options):
    inputs = TrainingInputs(
        optimizer={},
        params={"inner": jnp.asarray(INNER), "outer": jnp.asarray(OUTER)},
        training=Examples(jnp.asarray(X[:30]), Targets(jnp.asarray(Y[:30]))),
        evaluation=Examples(jnp.asarray(X[30:]), Targets(jnp.asarray(Y[30:]))),
        order=ORDER,
        record_at=jnp.zeros(1, jnp.int32),
        slots=jnp.zeros(1, jnp.int32),
    )
    final = cell_trainer(
        two_layers,
        lambda numbers: optax.sgd(numbers["learning_rate"]),
        mean_error,
        evaluation_batch=16,
        **options,
    )
    cells = Cells(jnp.asarray(rates)[None], jnp.asarray(scales)[None])
    return np.asarray(jax.jit(final)(Loss(squared), cells, inputs))


def numpy_final(rate, scale):
    inner, outer = scale * INNER.astype(float), OUTER.astype(float)
    for batch in np.asarray(ORDER)[:-1]:
        hidden = np.tanh(X[batch] @ inner)
        slope = 2 * (hidden @ outer - Y[batch]) / BATCH
        inner_slope = X[batch].T @ (slope[:, None] * outer * (1 - hidden**2))
        outer_slope = hidden.T @ slope
        inner, outer = inner - rate * inner_slope, outer - rate * outer_slope
    return np.mean(np.abs(np.tanh(X[30:] @ inner) @ outer - Y[30:]))


def test_every_cell_is_a_numpy_loop_of_its_rate_and_scale():
    computed = finals(RATES, SCALES)
    assert computed.shape == (1, 4)
    expected = [numpy_final(rate, scale) for rate, scale in zip(RATES[:3], SCALES[:3], strict=True)]
    np.testing.assert_allclose(computed[0, :3], expected, rtol=1e-5)


def test_a_cell_that_diverges_has_no_metric_and_changes_no_other():
    computed = finals(RATES, SCALES, elementwise=True)[0]
    assert np.isnan(computed[3]) and np.isfinite(computed[:3]).all()
    np.testing.assert_allclose(computed[:3], finals(RATES, SCALES)[0, :3], rtol=1e-5)
