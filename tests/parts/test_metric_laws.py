"""Laws of every metric of the menu, under every task for which it is defined."""

import importlib

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from metric_cases import case

from landscape.catalog.menu import menu, task_names
from landscape.errors import UserError
from landscape.numerics.compiling import jit_once
from landscape.parts.metrics import Metric, Snapshot
from landscape.parts.tasks import named


def build(name):
    return getattr(importlib.import_module(menu("metrics")[name].module), name)()


METRICS = {name: build(name) for name in menu("metrics")}
PAIRS = [(name, task) for name, metric in METRICS.items() for task in metric.tasks]


def score(metric, predictions, targets, fields):
    """Returns the score, computed under jit."""
    value = jit_once(lambda *arrays: metric(Snapshot(*arrays)))(predictions, targets, fields)
    assert value.shape == ()
    assert jnp.issubdtype(value.dtype, jnp.floating)
    return float(value)


@pytest.mark.parametrize(("name", "task"), PAIRS)
def test_right_predictions_are_best_and_a_nan_has_no_score(name, task):
    metric, (predictions, targets, right, fields) = METRICS[name], case(name, task)
    compiled = jax.jit(lambda *arrays: metric(Snapshot(*arrays)))
    value, perfect = (float(compiled(p, targets, fields)) for p in (predictions, right))
    sign = 1 if metric.higher_is_better else -1
    assert sign * perfect > sign * value
    if metric.best is not None and name != "coverage_gap":  # which is best at a share of misses
        assert perfect == pytest.approx(metric.best, abs=0.01)
        assert sign * value < sign * metric.best
    if metric.worst is not None:
        assert sign * value >= sign * metric.worst
    # Scores do not depend on the order of the examples.
    order = np.random.default_rng(1).permutation(len(targets))
    shuffled = (array[order] for array in (predictions, targets))
    moved = compiled(*shuffled, {name: array[order] for name, array in fields.items()})
    np.testing.assert_allclose(float(moved), value, rtol=1e-5)
    broken = predictions.copy()
    broken.flat[0] = np.nan
    assert np.isnan(float(compiled(broken, targets, fields)))


@pytest.mark.parametrize("name", METRICS)
def test_shapes_that_do_not_fit_are_reported(name):
    with pytest.raises(UserError, match=r"\(3, 2\).*\(4,\)"):
        METRICS[name](Snapshot(jnp.zeros((3, 2)), jnp.zeros(4)))


@pytest.mark.parametrize(("name", "field"), [("ndcg", "groups"), ("concordance", "events")])
def test_a_missing_array_of_the_dataset_is_named(name, field):
    with pytest.raises(UserError, match=f"needs the array `{field}`.*has `weights`"):
        METRICS[name](Snapshot(jnp.zeros(3), jnp.zeros(3), {"weights": jnp.ones(3)}))


def test_every_task_has_metrics_and_its_default_ones_are_defined_for_it():
    of_tasks = {task for metric in METRICS.values() for task in metric.tasks}
    assert of_tasks | {"custom"} == set(task_names())
    for task in task_names():
        for name in named(task).metrics:
            point = named(task).point is not None
            assert task in METRICS[name].tasks or (point and "regression" in METRICS[name].tasks)


def test_a_metric_that_is_tuned_uses_the_number_of_the_other_snapshot():
    metric = Metric(
        lambda snapshot, number: jnp.mean(snapshot.predictions) - number,
        higher_is_better=True,
        tune=lambda snapshot: jnp.max(snapshot.targets),
    )
    here, other = (Snapshot(jnp.ones(2), jnp.full(2, value)) for value in (3.0, 5.0))
    assert float(metric(here)) == -2
    assert float(metric(here, other)) == -4
