"""Tasks whose targets are classes."""

from typing import Literal

import numpy as np

from landscape.errors import UserError
from landscape.parts.tasks._checks import check_at_least, check_axes, check_labels, check_zero_one
from landscape.parts.tasks._task import (
    Data,
    Fields,
    Task,
    columns,
    commoner_of_two,
    commonest,
    vector,
)

# The largest difference from 1 of the sum of an example's shares of classes.
SHARES_TOLERANCE = 1e-3


def binary() -> Task:
    """One of two classes: a logit and a target 0 or 1 per example, (n,).

    Baseline: the more frequent class of the training targets. Choose it for yes or no.
    """
    return Task(
        "binary",
        logits=True,
        metrics=("accuracy", "f1"),
        reference="sigmoid_cross_entropy",
        stratified=True,
        baseline="majority_class",
        check=_check_binary,
        constant=commoner_of_two,
    )


def multiclass() -> Task:
    """One of several classes: logits (n, classes) and labels (n,) from 0.

    A loss receives the labels one-hot, (n, classes), unless it takes only integers. Targets may
    also be shares of each class (n, classes), which sum to 1. Baseline: the most frequent class of
    the training targets. Choose it for classes without an order.
    """
    return Task(
        "multiclass",
        logits=True,
        metrics=("accuracy", "f1"),
        reference="softmax_cross_entropy",
        labels=True,
        onehot=True,
        stratified=True,
        baseline="majority_class",
        outputs=_classes,
        prediction_shape=vector,
        check=_check_classes,
        constant=_commonest_class,
    )


def ordinal(*, form: Literal["thresholds", "classes"] = "thresholds") -> Task:
    """Classes in an order, labels (n,) from 0: low, medium, high.

    `form`: what is predicted. thresholds: logits (n, classes - 1) of being above class k; classes:
    logits (n, classes). Baseline: the median class of the training targets. Trains datasets for
    multiclass whose classes are in their order. Choose it if a mistake of two classes is worse than
    one of one class.
    """
    of_thresholds = form == "thresholds"
    return Task(
        "ordinal",
        logits=True,
        metrics=("quadratic_kappa", "class_mae"),
        reference="coral" if of_thresholds else "emd",
        labels=True,
        stratified=True,
        accepts=("multiclass",),
        baseline="median_class",
        outputs=lambda data: data.class_count - of_thresholds,
        prediction_shape=vector,
        check=_check_label_per_example,
        constant=_median_threshold if of_thresholds else _median_class,
    )


def multilabel() -> Task:
    """Any number of labels per example: logits and targets 0 or 1, (n, labels).

    Baseline: the share of each label among the training targets. Choose it for tags.
    """
    return Task(
        "multilabel",
        logits=True,
        metrics=("mean_average_precision", "macro_f1"),
        reference="sigmoid_cross_entropy",
        baseline="label_shares",
        outputs=columns,
        check=_check_label_sets,
        constant=_label_logits,
    )


def sequence() -> Task:
    """A class per position: logits (n, time, classes), labels (n, time), such as the next token.

    The field `mask` (n, time) is 0 where a position does not count. Baseline: the logarithm of the
    share of each class among the training targets. Choose it for tagging and for language.
    """
    return Task(
        "sequence",
        logits=True,
        metrics=("token_accuracy", "perplexity"),
        reference="softmax_cross_entropy",
        labels=True,
        baseline="class_shares",
        advice="use `transformer` or `cnn1d`, which predict for each position",
        outputs=lambda data: data.class_count,
        prediction_shape=lambda target_shape, outputs: (*target_shape, outputs),
        check=_check_sequences,
        constant=_log_shares,
    )


def _classes(data: Data) -> int:
    targets = data.train.targets
    return targets.shape[1] if targets.ndim == 2 else data.class_count


def _check_binary(values: np.ndarray, fields: Fields) -> None:
    if values.ndim == 2:
        hint = "for several labels per example use the task `multilabel`"
        raise UserError(f"targets have shape {values.shape}; expected (n,)", hint=hint)
    check_axes(values, "(n,)", 1)
    check_zero_one(values, "the target")


def _check_label_per_example(values: np.ndarray, fields: Fields) -> None:
    check_axes(values, "one label per example, (n,)", 1)
    check_labels(values)


def _check_classes(values: np.ndarray, fields: Fields) -> None:
    shapes = "labels (n,) or shares of classes (n, classes)"
    check_axes(values, shapes, 1, 2)
    if values.ndim == 2 and values.shape[1] == 1:
        raise UserError(f"targets have shape {values.shape}; expected {shapes}")
    if values.ndim == 1:
        check_labels(values)
        return
    check_at_least(0, values, "a share of a class")
    sums = values.sum(axis=1)
    wrong = np.flatnonzero(np.abs(sums - 1) > SHARES_TOLERANCE)
    if wrong.size:
        raise UserError(
            f"the shares of example {wrong[0]} sum to {sums[wrong[0]]:g}; expected 1",
            hint="divide them by their sum; for labels that do not exclude each other use the task "
            "`multilabel`",
        )


def _check_label_sets(values: np.ndarray, fields: Fields) -> None:
    check_axes(values, "(n, labels)", 2)
    check_zero_one(values, "the target")


def _check_sequences(values: np.ndarray, fields: Fields) -> None:
    check_axes(values, "(n, time)", 2)
    check_labels(values)


def _commonest_class(values: np.ndarray, fields: Fields, outputs: int) -> np.ndarray:
    if values.ndim == 1:
        return commonest(values, outputs)
    return np.eye(outputs, dtype=np.float32)[np.argmax(values.mean(axis=0))]


def _median_threshold(values: np.ndarray, fields: Fields, outputs: int) -> np.ndarray:
    return np.where(np.arange(outputs) < _median(values), 1.0, -1.0).astype(np.float32)


def _median_class(values: np.ndarray, fields: Fields, outputs: int) -> np.ndarray:
    return np.eye(outputs, dtype=np.float32)[_median(values)]


def _median(values: np.ndarray) -> int:
    return int(np.sort(values)[(len(values) - 1) // 2])


def _label_logits(values: np.ndarray, fields: Fields, outputs: int) -> np.ndarray:
    shares = (values.sum(axis=0, dtype=np.float64) + 0.5) / (len(values) + 1)
    return np.log(shares / (1 - shares)).astype(np.float32)


def _log_shares(values: np.ndarray, fields: Fields, outputs: int) -> np.ndarray:
    counted = values if "mask" not in fields else values[np.asarray(fields["mask"]) > 0]
    counts = np.bincount(counted.reshape(-1).astype(int), minlength=outputs) + 0.5
    shares = np.log(counts / counts.sum()).astype(np.float32)
    return np.broadcast_to(shares, (*values.shape[1:], outputs))
