"""Predictions, targets and further arrays of every task, on which every metric of it is tested."""

from typing import NamedTuple

import numpy as np

CLASSES = 7


class Case(NamedTuple):
    """Random predictions of random targets, and predictions that are right."""

    predictions: np.ndarray
    targets: np.ndarray
    right: np.ndarray
    fields: dict[str, np.ndarray] = {}  # noqa: RUF012 - never changed


def _float32(values):
    return np.asarray(values, np.float32)


def _onehot(labels, classes):
    return _float32(20 * np.eye(classes)[labels])


def regression(random):
    targets = random.normal(2, 3, size=40)
    return Case(
        _float32(targets + 2 * random.normal(size=40)), _float32(targets), _float32(targets)
    )


def gaussian(random):
    targets = random.normal(size=40)
    predictions = np.stack([random.normal(size=40), random.normal(size=40)], axis=1)
    right = np.stack([targets, np.full(40, -5.0)], axis=1)
    return Case(_float32(predictions), _float32(targets), _float32(right))


def quantiles(random):
    targets = random.normal(size=40)
    predictions = np.sort(random.normal(2, 1, size=(40, 3)), axis=1)
    return Case(
        _float32(predictions), _float32(targets), _float32(targets[:, None] + [-0.01, 0, 0.01])
    )


def binary(random):
    targets = random.random(40) < 0.3
    predictions = np.round(random.normal(size=40) + targets, 1)  # some are equal
    return Case(_float32(predictions), _float32(targets), _float32(40 * targets - 20))


def multiclass(random):
    labels = random.integers(CLASSES - 1, size=40).astype(np.int32)  # one class is absent
    predictions = random.normal(size=(40, CLASSES)) + np.eye(CLASSES)[labels]
    return Case(_float32(predictions), labels, _onehot(labels, CLASSES))


def ordinal(random):
    labels = random.integers(CLASSES, size=40).astype(np.int32)
    thresholds = np.arange(CLASSES - 1)
    right = np.where(labels[:, None] > thresholds, 5, -5)
    predictions = 2 + 2 * random.normal(size=(40, 1)) + labels[:, None] / 2 - thresholds
    return Case(_float32(predictions), labels, _float32(right))


def multilabel(random):
    targets = random.random((40, 5)) < 0.3
    targets[0] = True
    predictions = np.round(random.normal(size=(40, 5)) + targets, 1)
    return Case(_float32(predictions), _float32(targets), _float32(40 * targets - 20))


def segmentation(random):
    targets = random.random((9, 6, 5)) < 0.3
    predictions = random.normal(-1, 2, size=(9, 6, 5))
    targets[0], predictions[0] = False, -5  # both empty
    targets[1], predictions[1] = False, 5
    targets[2], predictions[2] = True, -5
    return Case(_float32(predictions), _float32(targets), _float32(2 * targets - 1))


def boxes(random):
    low = random.random((40, 2))
    targets = np.concatenate([low, low + random.random((40, 2))], axis=1)
    predictions = targets + 0.2 * random.normal(size=(40, 4))
    return Case(_float32(predictions), _float32(targets), _float32(targets))


def embedding(random):
    labels = random.integers(5, size=40).astype(np.int32)
    labels[0] = 9  # a label that occurs once
    predictions = random.normal(size=(40, 3)) + labels[:, None]
    return Case(_float32(predictions), labels, _onehot(labels, 10))


def ranking(random):
    groups = random.permutation(np.repeat([7, 3, 11, 5], [16, 12, 11, 1])).astype(np.int32)
    relevance = random.integers(4, size=40).astype(float)
    relevance[groups == 5] = 0  # nothing is relevant
    scores = np.round(random.normal(size=40), 1)  # some are equal
    return Case(_float32(scores), _float32(relevance), _float32(relevance), {"groups": groups})


def survival(random):
    times = np.round(random.exponential(5, size=40))  # some are equal
    events = _float32(random.random(40) < 0.6)
    risks = np.round(random.normal(size=40), 1)
    right = -times + 0.1 * events  # an event comes before a censored time that is equal
    return Case(_float32(risks), _float32(times), _float32(right), {"events": events})


def sequence(random):
    labels = random.integers(CLASSES, size=(8, 5)).astype(np.int32)
    mask = _float32(random.random((8, 5)) < 0.8)
    predictions = random.normal(size=(8, 5, CLASSES))
    return Case(_float32(predictions), labels, _onehot(labels, CLASSES), {"mask": mask})


# By task; of a distribution by the head that a metric reads by default.
CASES = {
    "regression": regression,
    "binary": binary,
    "multiclass": multiclass,
    "ordinal": ordinal,
    "multilabel": multilabel,
    "segmentation": segmentation,
    "boxes": boxes,
    "embedding": embedding,
    "ranking": ranking,
    "survival": survival,
    "sequence": sequence,
    "crps": gaussian,
    "log_score": gaussian,
    "pinball": quantiles,
    "coverage_gap": quantiles,
}


def case(metric, task, seed=0):
    """Returns the case of a metric under a task."""
    random = np.random.default_rng(seed)
    return CASES[metric if task == "distribution" else task](random)
