"""Measurements of gradients, updates and dead units against NumPy."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from landscape.errors import UserError
from landscape.parts import metrics
from landscape.parts.metrics import Snapshot
from landscape.parts.metrics.regression import rmse


def tree(seed, scale=1.0):
    random = np.random.default_rng(seed)
    return {
        "layers": [
            {"weight": scale * random.normal(size=(5, 3)), "bias": scale * random.normal(size=5)},
            {"weight": scale * random.normal(size=(2, 5)), "bias": scale * random.normal(size=2)},
        ],
        "slope": scale * random.normal(size=()),
    }


def single(values):
    return jax.tree.map(lambda leaf: jnp.asarray(leaf, jnp.float32), values)


def numpy_norm(values):
    leaves = [np.asarray(leaf, np.float64).ravel() for leaf in jax.tree.leaves(values)]
    return np.linalg.norm(np.concatenate(leaves))


def gradients_metric(metric, **fields):
    empty = jnp.zeros(0)
    return jax.jit(lambda: metric(Snapshot(empty, empty, **fields)))()


@pytest.mark.parametrize("scale", [1.0, 1e30, 1e-30, 0.0])
def test_norms_equal_numpy_in_float64(scale):
    batch, evaluation = tree(0, scale), tree(1, scale)
    found = gradients_metric(
        metrics.gradient_norm(), gradients=single(batch), evaluation_gradients=single(evaluation)
    )
    expected = {
        "gradient_norm/global": numpy_norm(batch),
        "gradient_norm/evaluation": numpy_norm(evaluation),
        "gradient_norm/layer/layers/0": numpy_norm(batch["layers"][0]),
        "gradient_norm/layer/layers/1": numpy_norm(batch["layers"][1]),
        "gradient_norm/layer/slope": numpy_norm(batch["slope"]),
    }
    assert set(found) == set(expected)
    for key, norm in expected.items():
        assert float(found[key]) == pytest.approx(norm, rel=1e-5, abs=0), key


@pytest.mark.parametrize("bad", [np.inf, -np.inf, np.nan])
def test_a_gradient_that_is_not_finite_has_no_finite_norm(bad):
    batch = tree(0)
    batch["layers"][1]["bias"][0] = bad
    found = gradients_metric(metrics.gradient_norm(), gradients=single(batch))
    assert not np.isfinite(found["gradient_norm/global"])
    assert not np.isfinite(found["gradient_norm/layer/layers/1"])
    assert np.isfinite(found["gradient_norm/layer/layers/0"])


def test_a_bare_array_of_parameters_is_one_layer():
    found = gradients_metric(metrics.gradient_norm(), gradients=jnp.array([3.0, 4.0]))
    assert {key: float(norm) for key, norm in found.items()} == {
        "gradient_norm/global": 5.0,
        "gradient_norm/layer/parameters": 5.0,
    }


def test_update_ratios_equal_numpy():
    params, updates = tree(0), tree(1, 1e-3)
    found = gradients_metric(metrics.update_ratio(), params=single(params), updates=single(updates))
    expected = {
        "update_ratio": numpy_norm(updates) / numpy_norm(params),
        "update_ratio/layer/layers/0": numpy_norm(updates["layers"][0])
        / numpy_norm(params["layers"][0]),
        "update_ratio/layer/layers/1": numpy_norm(updates["layers"][1])
        / numpy_norm(params["layers"][1]),
        "update_ratio/layer/slope": numpy_norm(updates["slope"]) / numpy_norm(params["slope"]),
    }
    assert set(found) == set(expected)
    for key, ratio in expected.items():
        assert float(found[key]) == pytest.approx(ratio, rel=1e-5), key


def test_update_ratio_of_zero_parameters():
    zero, one = {"a": jnp.zeros(2)}, {"a": jnp.ones(2)}
    still = gradients_metric(metrics.update_ratio(), params=zero, updates=zero)
    moved = gradients_metric(metrics.update_ratio(), params=zero, updates=one)
    assert float(still["update_ratio"]) == 0.0
    assert float(moved["update_ratio"]) == np.inf


def test_dead_examples_of_a_hinge_with_known_margins():
    """The binary hinge max(0, 1 - margin) has no gradient where the margin exceeds 1."""
    signs = jnp.array([1.0, -1.0, 1.0, -1.0, 1.0])
    margins = jnp.array([2.0, 1.5, 0.5, -3.0, 7.0])
    gradients = jax.grad(lambda p: jnp.sum(jnp.maximum(1 - signs * p, 0.0)))(signs * margins)
    found = gradients_metric(metrics.dead_gradients(), prediction_gradients=gradients)
    assert float(found["dead/examples"]) == pytest.approx(3 / 5)
    assert float(found["dead/components"]) == pytest.approx(3 / 5)


def test_dead_components_of_a_hard_max_over_classes():
    """The multiclass hinge reaches two components of an example, or none where the margin holds."""
    logits = jnp.array([[3.0, 0.0, 1.0, 0.5], [0.0, 2.0, 1.9, 0.0], [0.0, 0.0, 0.0, 9.0]])
    labels = jnp.array([0, 1, 0])

    def hinge(scores):
        own = jnp.take_along_axis(scores, labels[:, None], axis=1)
        rival = jnp.where(jnp.arange(4)[None] == labels[:, None], -jnp.inf, scores).max(axis=1)
        return jnp.maximum(1 + rival - own[:, 0], 0.0).sum()

    gradients = jax.grad(hinge)(logits)  # margins 2, 0.1 and -9: the first example is done
    found = gradients_metric(metrics.dead_gradients(), prediction_gradients=gradients)
    assert float(found["dead/examples"]) == pytest.approx(1 / 3)
    assert float(found["dead/components"]) == pytest.approx(8 / 12)


def test_an_image_is_dead_only_if_every_pixel_is():
    gradients = np.ones((4, 3, 5), np.float32)
    gradients[0] = 0
    gradients[1, 0] = 0
    found = gradients_metric(metrics.dead_gradients(), prediction_gradients=jnp.asarray(gradients))
    assert float(found["dead/examples"]) == pytest.approx(1 / 4)
    assert float(found["dead/components"]) == pytest.approx((15 + 5) / 60)


def relu_net_gradients():
    """A net of 2 inputs, 3 ReLU units and 1 output, gradients by hand, unit 1 forced dead.

    The risk is the mean output. Unit 1 has a bias of -100: it is never active, so neither its
    incoming weights and bias nor its outgoing weight move anything.
    """
    inputs = np.array([[1.0, 2.0], [3.0, 1.0]])
    hidden = {"weight": np.array([[1.0, 1.0], [1.0, 1.0], [2.0, 1.0]]), "bias": [0.0, -100.0, 0.0]}
    outgoing = np.array([1.0, 5.0, -1.0])
    before = inputs @ hidden["weight"].T + np.array(hidden["bias"])
    active = before > 0
    assert active.sum(axis=0).tolist() == [2, 0, 2]
    signal = active * outgoing / len(inputs)
    gradients = {
        "hidden": {"weight": signal.T @ inputs, "bias": signal.sum(axis=0)},
        "output": {"weight": np.maximum(before, 0).mean(axis=0)[None], "bias": np.ones(1)},
    }
    axes = {"hidden": {"weight": 0, "bias": None}, "output": {"weight": 0, "bias": None}}
    return gradients, axes


def test_a_relu_unit_forced_dead_is_counted():
    gradients, axes = relu_net_gradients()
    found = gradients_metric(
        metrics.dead_gradients(), evaluation_gradients=single(gradients), filter_axes=axes
    )
    # weights: 2 incoming, 1 bias, 1 outgoing of 6 + 3 + 3 + 1; units: 1 of 3 + 1
    assert float(found["dead/weights"]) == pytest.approx(4 / 13)
    assert float(found["dead/units"]) == pytest.approx(1 / 4)


def test_units_lie_along_the_declared_axis():
    gradient = jnp.ones((2, 3, 5)).at[:, 1].set(0.0)
    for axis, expected in ((0, 0.0), (1, 1 / 3), (2, 0.0)):
        found = gradients_metric(
            metrics.dead_gradients(), evaluation_gradients=[gradient], filter_axes=[axis]
        )
        assert float(found["dead/units"]) == pytest.approx(expected), axis


def test_without_filter_axes_there_are_no_units():
    found = gradients_metric(metrics.dead_gradients(), evaluation_gradients=[jnp.zeros(3)])
    assert set(found) == {"dead/weights"}


@pytest.mark.parametrize(
    ("options", "dead"),
    [
        ({}, 1),
        ({"absolute": 1e-3}, 2),
        ({"absolute": 0.5}, 3),
        ({"relative": 2e-4}, 2),
        ({"relative": 0.5, "absolute": 1e-3}, 3),
        ({"relative": 1e-6, "absolute": 0.5}, 3),
        ({"relative": 1.0}, 4),
    ],
)
def test_zero_is_at_most_the_larger_tolerance(options, dead):
    gradients = jnp.array([0.0, -1e-3, 0.5, -10.0])
    found = gradients_metric(metrics.dead_gradients(**options), prediction_gradients=gradients)
    assert float(found["dead/components"]) == dead / 4
    split = {"a": gradients[:2], "b": gradients[2:]}  # one largest for the whole tree
    found = gradients_metric(metrics.dead_gradients(**options), evaluation_gradients=split)
    assert float(found["dead/weights"]) == dead / 4


@pytest.mark.parametrize("relative", [0.0, 0.1])
def test_all_zero_is_all_dead(relative):
    found = gradients_metric(
        metrics.dead_gradients(relative=relative),
        prediction_gradients=jnp.zeros((3, 2)),
        evaluation_gradients=[jnp.zeros((4, 2))],
        filter_axes=[0],
    )
    assert {key: float(share) for key, share in found.items()} == {
        "dead/examples": 1.0,
        "dead/components": 1.0,
        "dead/weights": 1.0,
        "dead/units": 1.0,
    }


@pytest.mark.parametrize("relative", [0.0, 0.1])
@pytest.mark.parametrize("bad", [np.inf, np.nan])
def test_non_finite_gradients_are_not_dead_and_hide_nothing(bad, relative):
    gradients = jnp.array([bad, 0.0, 1.0, 2.0])
    metric = metrics.dead_gradients(relative=relative)
    found = gradients_metric(metric, prediction_gradients=gradients)
    assert float(found["dead/components"]) == 1 / 4


@pytest.mark.parametrize("options", [{"absolute": -1.0}, {"relative": float("nan")}])
def test_a_negative_tolerance_is_refused(options):
    with pytest.raises(UserError, match=next(iter(options))):
        metrics.dead_gradients(**options)


def test_metrics_compute_in_the_precision_of_their_data():
    with jax.enable_x64(True):
        targets = np.array([1.0, 2.0, 4.0])
        predictions = targets + np.array([1e-9, 0.0, 0.0])
        found = float(rmse()(Snapshot(jnp.asarray(predictions), jnp.asarray(targets))))
        assert found == pytest.approx(1e-9 / np.sqrt(3), rel=1e-6)
