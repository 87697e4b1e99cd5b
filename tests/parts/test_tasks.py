"""Tasks agree with the menu, and their checks and baselines with the targets they read."""

import inspect

import numpy as np
import pytest
from scipy.special import expit, softmax

from landscape import catalog
from landscape.errors import UserError
from landscape.parts import tasks
from landscape.parts.datasets import Dataset, Split, for_task

EYE = np.eye(4)
BINARY_MASKS = np.array([[[0.0, 1.0]], [[1.0, 1.0]]])
SEVERAL = np.array([[[0, 2]], [[2, 1]]])


def test_every_task_of_the_menu_can_be_named():
    assert set(tasks.ALL) == set(catalog.task_names())
    for name in catalog.task_names():
        assert tasks.named(name).name == name
        assert tasks.named(name).metrics or name == "custom"


def test_a_dataset_is_accepted_only_under_names_of_tasks():
    for name in catalog.task_names():
        assert set(tasks.named(name).accepts) <= set(catalog.task_names()) - {name}


def test_the_usual_loss_of_a_task_is_in_the_menu():
    for name in catalog.task_names():
        reference = tasks.named(name).reference
        assert (reference in catalog.menu("losses", name)) == (name != "custom")


def test_every_task_states_its_baseline_and_when_to_choose_it():
    for make in tasks.ALL.values():
        text = " ".join(inspect.getdoc(make).split())
        assert "baseline" in text.lower() and "Choose it" in text


def test_an_unknown_name_suggests_the_nearest():
    with pytest.raises(UserError, match="no task `binry`") as error:
        tasks.named("binry")
    assert "binary" in error.value.hint


@pytest.mark.parametrize(
    ("task", "values", "outputs", "expected"),
    [
        ("regression", [1.0, 2.0, 6.0], 1, 3.0),
        ("regression", [[1.0, 0.0], [3.0, 4.0]], 2, [2.0, 2.0]),
        ("binary", [0.0, 1.0, 1.0], 1, 1.0),
        ("binary", [0.0, 1.0], 1, -1.0),
        ("multiclass", [2, 0, 2, 1], 4, [0, 0, 1, 0]),
        ("multiclass", [[0.4, 0.6], [0.9, 0.1]], 2, [1, 0]),
        ("ordinal", [0, 2, 3, 2], 3, [1, 1, -1]),
        ("segmentation", BINARY_MASKS, 1, [[1.0, 1.0]]),
        ("segmentation", SEVERAL, 3, [[[0, 0, 1], [0, 0, 1]]]),
        ("boxes", [[0, 0, 2, 2], [1, 1, 4, 6]], 4, [0.5, 0.5, 3, 4]),
        ("survival", [3.0, 1.0], 1, 0.0),
    ],
)
def test_the_constant_prediction(task, values, outputs, expected):
    constant = tasks.named(task).constant(np.array(values), {}, outputs)
    np.testing.assert_array_equal(constant, expected)


def test_the_constant_of_a_gaussian_head_has_the_mean_and_deviation_of_the_targets():
    values = np.random.default_rng(0).normal(3.0, 0.7, 500)
    mean, raw = tasks.named("distribution").constant(values, {}, 2)
    assert mean == pytest.approx(values.mean(), rel=1e-6)
    assert np.log1p(np.exp(raw)) == pytest.approx(values.std(), rel=1e-5)


def test_the_constants_of_labels_and_sequences_are_their_shares():
    labels = (np.random.default_rng(1).random((400, 3)) < [0.1, 0.5, 0.9]).astype(np.float32)
    logits = tasks.named("multilabel").constant(labels, {}, 3)
    np.testing.assert_allclose(expit(logits), labels.mean(0), atol=2e-3)
    tokens = np.random.default_rng(2).integers(0, 3, (200, 5))
    mask = np.arange(5) < 3
    fields = {"mask": np.broadcast_to(mask, tokens.shape)}
    logits = tasks.named("sequence").constant(tokens, fields, 4)
    assert logits.shape == (5, 4)
    shares = np.bincount(tokens[:, mask].reshape(-1), minlength=4) / (200 * 3)
    np.testing.assert_allclose(softmax(logits[0]), shares, atol=2e-3)


def test_a_median_class_is_the_best_constant_under_absolute_error():
    labels = np.random.default_rng(3).integers(0, 5, 101)
    thresholds = tasks.named("ordinal").constant(labels, {}, 4)
    predicted = int((thresholds > 0).sum())
    errors = [np.abs(labels - k).mean() for k in range(5)]
    assert errors[predicted] == min(errors)
    assert np.argmax(tasks.ALL["ordinal"](form="classes").constant(labels, {}, 5)) == predicted


def dataset(task, targets, classes=(), outputs=1):
    targets = np.asarray(targets)
    split = Split(np.zeros((len(targets), 2), np.float32), targets)
    return Dataset(split, split, task, outputs, classes)


@pytest.mark.parametrize(
    ("task", "data", "outputs", "prediction"),
    [
        (tasks.ALL["regression"](), dataset("regression", EYE), 4, (4,)),
        (tasks.ALL["distribution"](), dataset("regression", [0.5, 1.5]), 2, (2,)),
        (
            tasks.ALL["distribution"](head="quantiles", outputs=5, point=2),
            dataset("regression", [0.5, 1.5]),
            5,
            (5,),
        ),
        (tasks.ALL["multiclass"](), dataset("multiclass", [0, 1, 2]), 3, (3,)),
        (tasks.ALL["multiclass"](), dataset("multiclass", EYE), 4, (4,)),
        (tasks.ALL["ordinal"](), dataset("multiclass", [0, 1, 2], outputs=3), 2, (2,)),
        (tasks.ALL["ordinal"](form="classes"), dataset("ordinal", [0, 1, 2]), 3, (3,)),
        (tasks.ALL["embedding"](dimension=7), dataset("binary", [0.0, 1.0]), 7, (7,)),
        (tasks.ALL["multilabel"](), dataset("multilabel", EYE), 4, (4,)),
        (tasks.ALL["segmentation"](), dataset("segmentation", BINARY_MASKS), 1, (1, 2)),
        (tasks.ALL["segmentation"](), dataset("segmentation", SEVERAL), 3, (1, 2, 3)),
        (tasks.ALL["boxes"](), dataset("regression", EYE), 4, (4,)),
        (tasks.ALL["sequence"](), dataset("sequence", [[0, 1], [4, 1]]), 5, (2, 5)),
    ],
)
def test_outputs_and_the_shape_of_a_prediction(task, data, outputs, prediction):
    fitted = for_task(data, task)
    assert (fitted.task, fitted.outputs) == (task.name, outputs)
    shape = fitted.train.targets.shape[1:]
    assert task.prediction_shape(shape, outputs) == prediction
    constant = task.constant(fitted.train.targets, {}, outputs)
    assert constant is None or np.shape(constant) == prediction
    if task.labels and fitted.train.targets.ndim == 1:
        assert fitted.train.targets.dtype == np.int32


@pytest.mark.parametrize(
    ("task", "targets", "words"),
    [
        ("regression", [[[1.0]]], ["(1, 1, 1)", "(n, outputs)"]),
        ("regression", [1.0, np.nan], ["1 targets are not finite"]),
        ("regression", ["a"], ["<U1", "expected numbers"]),
        ("distribution", [[1.0, 2.0]], ["(1, 2)", "one quantity"]),
        ("binary", [0.0, 1.0, 2.0], ["[2] is 2", "0 or 1", "multiclass"]),
        ("binary", [[0.0, 1.0]], ["(1, 2)", "(n,)", "multilabel"]),
        ("multiclass", [0.0, 1.5], ["[1] is 1.5", "label", "regression"]),
        ("multiclass", [0, -1], ["is -1", "at least 0"]),
        ("multiclass", [[0.5, 0.5], [1.0, 0.5]], ["example 1", "sum to 1.5", "multilabel"]),
        ("multiclass", [[0], [1]], ["(2, 1)", "labels (n,)"]),
        ("ordinal", [[0, 1]], ["(1, 2)", "(n,)"]),
        ("multilabel", [1.0, 0.0], ["(2,)", "(n, labels)"]),
        ("multilabel", [[1.0, 0.3]], ["[0, 1] is 0.3", "0 or 1"]),
        ("segmentation", [[0.0, 1.0]], ["(1, 2)", "(n, height, width)"]),
        ("boxes", [[0.0, 1.0, 2.0]], ["(1, 3)", "(n, 4)", "center and size"]),
        ("sequence", [1, 2], ["(2,)", "(n, time)"]),
    ],
)
def test_targets_that_do_not_fit(task, targets, words):
    with pytest.raises(UserError) as error:
        for_task(dataset(task, targets), tasks.named(task))
    text = f"{error.value.message} {error.value.hint}"
    assert all(word in text for word in ["train split", task, *words]), text


def test_types_of_targets_do_not_change_what_they_mean():
    """One-hot integers are shares of classes, and labels as floating-point numbers are labels."""
    onehot = for_task(dataset("multiclass", np.eye(3, dtype=int)), tasks.named("multiclass"))
    assert (onehot.outputs, onehot.train.targets.dtype) == (3, np.float32)
    labels = for_task(dataset("sequence", [[0.0, 2.0, 1.0, 1.0, 0.0]]), tasks.named("sequence"))
    assert (labels.outputs, labels.train.targets.dtype) == (3, np.int32)


@pytest.mark.parametrize(
    ("name", "options", "words"),
    [
        ("distribution", {"outputs": 3}, ["3", "gaussian head has 2"]),
        ("distribution", {"head": "mixture", "outputs": 4}, ["4", "multiple of 3"]),
        ("distribution", {"point": 2}, ["`point` is 2", "0 to 1"]),
        ("embedding", {"dimension": 0}, ["`dimension` is 0"]),
    ],
)
def test_options_that_do_not_fit(name, options, words):
    with pytest.raises(UserError) as error:
        tasks.ALL[name](**options)
    assert all(word in error.value.message for word in words)
