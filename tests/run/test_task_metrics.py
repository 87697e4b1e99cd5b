"""Metrics of a run: directions, the judging one, and the errors of metrics that do not fit."""

import jax.numpy as jnp
import pytest
from helpers.configs import BASE, load

from landscape import config
from landscape.errors import UserError
from landscape.parts.metrics import Snapshot
from landscape.parts.tasks import named
from landscape.run.program_cache import ProgramCache, prepare
from landscape.run.task_metrics import build_metrics

WINE = BASE.replace("digits", "wine").replace("mlp", "linear") + "seeds: 1\nslices: null\n"
CODE = """
import jax.numpy as jnp
from landscape.parts.metrics import Metric

def log_loss(predictions, targets, *, floor=1e-7):
    return jnp.mean(-jnp.log(jnp.maximum(predictions[:, 0], floor)))

def share(*, level=0.5):
    return Metric(lambda s: jnp.mean(s.predictions > level), higher_is_better=False, best=0.0)

def undirected():
    return lambda snapshot: {"undirected": jnp.mean(snapshot.predictions)}

def vector(predictions, targets):
    return jnp.mean(predictions, axis=1)

def nothing(predictions, targets):
    pass

def needy(predictions, targets, confidence):
    return jnp.mean(confidence * predictions[:, 0])

def finding(predictions, targets):
    return jnp.mean(predictions)

def number_of_classes(predictions, targets):
    return jnp.sum(targets)

def of_scikit_learn(y_true, y_pred):
    from sklearn.metrics import accuracy_score

    return accuracy_score(y_true, y_pred)

def three(predictions, targets):
    return predictions.nothing

def weighted_error(y_true, y_pred, trust, weights=None, *, scale=1.0):
    errors = scale * trust * jnp.abs(y_pred - y_true)
    return jnp.mean(errors if weights is None else weights * errors)

def of_snapshot(snapshot):
    return jnp.mean(snapshot.predictions)

def undefined(predictions, targets):
    return jnp.mean(jnp.log(-jnp.abs(predictions)))
"""


@pytest.fixture
def metrics_of(tmp_path):
    (tmp_path / "own.py").write_text(CODE)

    def build(*overrides, text=WINE):
        (run, *_) = config.expand(load(tmp_path, text, *overrides))
        return build_metrics(run, named("multiclass"))

    return build


def test_the_metrics_of_the_task_are_the_default(metrics_of):
    assert tuple(metrics_of()) == named("multiclass").metrics


def test_the_judging_metric_is_first(metrics_of):
    assert list(metrics_of("judge_by=f1")) == ["f1", "accuracy"]
    assert list(metrics_of("metrics=[accuracy,f1]", "judge_by=f1")) == ["f1", "accuracy"]
    assert list(metrics_of("metrics=[accuracy]")) == ["accuracy"]


def test_both_forms_of_a_user_defined_metric_state_their_direction(metrics_of):
    metrics = metrics_of('metrics=[{"name":"own.py:log_loss","better":"lower"},"own.py:share"]')
    assert list(metrics) == ["log_loss", "share"]
    assert [metric.higher_is_better for metric in metrics.values()] == [False, False]
    assert [metric.best for metric in metrics.values()] == [None, 0.0]
    upside_down = metrics_of('metrics=[{"name":"own.py:log_loss","better":"higher"}]')
    assert upside_down["log_loss"].higher_is_better


def test_metrics_that_differ_in_options_have_columns_of_their_own(metrics_of):
    metrics = metrics_of('metrics=["own.py:share",{"name":"own.py:share","level":0.9}]')
    assert list(metrics) == ["share[level=0.5]", "share[level=0.9]"]


@pytest.mark.parametrize(
    ("metric", "message", "hint"),
    [
        ('"own.py:log_loss"', "does not state whether higher or lower", "better: lower"),
        ('"own.py:undirected"', "does not state whether higher or lower", "Metric(function"),
        ('{"name":"own.py:share","better":"lower"}', "states its own direction", "remove `better`"),
        ('{"name":"accuracy","better":"lower"}', "states its own direction", "remove `better`"),
        ('"accuracy","accuracy"', "`accuracy` is listed twice", "remove one"),
        ('"own.py:of_snapshot"', "needs the option `snapshot`", "f(predictions, targets)"),
    ],
)
def test_a_metric_without_a_direction_is_rejected(metric, message, hint, metrics_of):
    with pytest.raises(UserError) as caught:
        metrics_of(f"metrics=[{metric}]")
    assert message in str(caught.value)
    assert hint in str(caught.value)


def test_a_metric_gets_fields_in_place_of_defaults_but_not_of_options(metrics_of):
    fields = {"weights": jnp.array([3.0, 1.0]), "trust": jnp.array([1.0, 2.0])}
    snapshot = Snapshot(jnp.array([1.0, 1.0]), jnp.array([1.0, 0.0]), fields)
    for option, expected in [("", 1.0), (',"scale":3', 3.0), (',"weights":4', 4.0)]:
        text = f'{{"name":"own.py:weighted_error","better":"lower"{option}}}'
        (metric,) = metrics_of(f"metrics=[{text}]").values()
        assert float(metric(snapshot)) == expected


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("vector", r"`vector` returns an array of shape \(64,\), expected a scalar"),
        ("nothing", "`nothing` returns NoneType, expected a scalar"),
        ("number_of_classes", "`number_of_classes` returns int32, expected a floating-point"),
        ("three", "`three` raises AttributeError"),
        ("of_scikit_learn", "`of_scikit_learn` "),
        ("needy", "metric `needy` requires `confidence`, which is neither an option"),
        ("undefined", "`undefined` is NaN for an untrained model on the evaluation set"),
    ],
)
def test_a_metric_that_returns_no_scalar_is_rejected_at_its_line(name, message, tmp_path):
    (tmp_path / "own.py").write_text(CODE)
    text = f'metrics=[{{"name":"own.py:{name}","better":"lower"}}]'
    with pytest.raises(UserError, match=message) as caught:
        prepare(config.expand(load(tmp_path, WINE, text)), ProgramCache())
    assert caught.value.place.file.endswith("own.py")
    assert caught.value.place.line > 1


@pytest.mark.parametrize(
    ("overrides", "message", "hint"),
    [
        (
            ['metrics=[{"name":"own.py:finding","better":"lower"}]'],
            "the metric `finding` is named like a column of the tables",
            "rename the function",
        ),
        (["judge_by=accurcy"], "found 'accurcy', expected a metric of the menu", "accuracy"),
        (["metrics=[f1]", "judge_by=accuracy"], "expected one of `metrics`", "add it to `metrics`"),
        (["metrics=[f1]", "judge_by=g1"], "expected one of `metrics`", "f1"),
    ],
)
def test_a_metric_that_cannot_judge_is_rejected(overrides, message, hint, metrics_of):
    with pytest.raises(UserError) as caught:
        metrics_of(*overrides)
    assert message in str(caught.value)
    assert hint in str(caught.value)


def test_the_judge_is_part_of_the_identity_unless_it_is_the_default(tmp_path):
    plain, judged = (
        config.expand(load(tmp_path, WINE, *overrides))[0].id for overrides in ([], ["judge_by=f1"])
    )
    assert plain != judged


@pytest.mark.parametrize(
    ("overrides", "best"),
    [(["target=2"], "`accuracy` is 1"), (["judge_by=log_loss", "target=-0.5"], "`log_loss` is 0")],
)
def test_a_target_beyond_the_best_value_is_rejected(overrides, best, tmp_path):
    with pytest.raises(UserError, match=f"the best possible value of {best}"):
        prepare(config.expand(load(tmp_path, WINE, *overrides)), ProgramCache())


def test_a_metric_of_another_task_is_rejected_with_those_of_the_task(metrics_of):
    with pytest.raises(UserError, match=r"`ndcg` is defined for ranking.*is multiclass") as caught:
        metrics_of("metrics=[ndcg]")
    assert "accuracy, f1, balanced_accuracy, matthews, top_k, log_loss" in str(caught.value)
    assert "roc_auc" not in str(caught.value)


def test_options_that_a_metric_leaves_to_the_task_are_those_of_the_task(tmp_path):
    def kappa(form):
        text = WINE + f"task: {{name: ordinal, form: {form}}}\nmetrics: [class_mae]\n"
        (run, *_) = config.expand(
            load(tmp_path, text.replace("softmax_cross_entropy, brier", "emd"))
        )
        return build_metrics(run, named("ordinal"))["class_mae"]

    logits = jnp.array([[-3.0, -1.0, -2.0]])
    labels = jnp.array([1], jnp.int32)
    assert float(kappa("classes")(Snapshot(logits, labels))) == 0
    assert float(kappa("thresholds")(Snapshot(logits, labels))) == 1


def test_a_chosen_threshold_needs_the_validation_split(tmp_path):
    text = WINE + "metrics: [{name: accuracy, threshold: validation}]\n"
    (run, *_) = config.expand(load(tmp_path, text, "evaluation.split=test"))
    with pytest.raises(UserError, match=r"`evaluation\.split` is test"):
        build_metrics(run, named("multiclass"))
