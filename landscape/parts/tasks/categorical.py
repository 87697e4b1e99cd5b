"""Tasks whose targets are classes."""

import numpy as np

from landscape.parts.tasks._task import Data, Fields, Task, commoner_of_two, vector


def binary() -> Task:
    """One of two classes: a logit and a target 0 or 1 per example, (n,).

    Baseline: the more frequent class of the training targets. Choose it for yes or no.
    """
    return Task(
        "binary",
        metrics=("accuracy", "f1"),
        reference="sigmoid_cross_entropy",
        stratified=True,
        baseline="majority_class",
        audited=True,
        constant=commoner_of_two,
    )


def multiclass() -> Task:
    """One of several classes: logits (n, classes) and labels (n,) from 0.

    A loss receives the labels one-hot, (n, classes), unless it takes only integers. Baseline: the
    most frequent class of the training targets. Choose it for classes without an order.
    """
    return Task(
        "multiclass",
        metrics=("accuracy", "f1"),
        reference="softmax_cross_entropy",
        labels=True,
        onehot=True,
        stratified=True,
        baseline="majority_class",
        audited=True,
        outputs=_classes,
        prediction_shape=vector,
        constant=_commonest,
    )


def _classes(data: Data) -> int:
    return data.class_count


def _commonest(values: np.ndarray, fields: Fields, outputs: int) -> np.ndarray:
    logits = np.zeros(outputs, np.float32)
    logits[np.argmax(np.bincount(values, minlength=outputs))] = 1.0
    return logits
