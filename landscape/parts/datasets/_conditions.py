"""Other conditions of training for a dataset: noisy labels, rare classes, fewer examples.

Only the training split is changed, after splitting and standardizing, so that runs under different
conditions are evaluated on the same numbers. Within a seed the conditions are nested: the examples
that a smaller training set has are among those of a larger one, and the labels that a smaller noise
changes are among those that a larger one changes.
"""

from collections.abc import Sequence

import numpy as np

from landscape.errors import UserError
from landscape.parts.datasets._dataset import Dataset
from landscape.parts.datasets._prepare import groups_kept_together
from landscape.parts.datasets._split import generator

Confusion = Sequence[Sequence[float]]


def with_conditions(
    data: Dataset,
    seed: int,
    *,
    label_noise: float | Confusion = 0.0,
    imbalance: float | None = None,
    train_size: float | None = None,
) -> Dataset:
    """Returns the dataset with a changed training split.

    First classes become rare (`imbalance`), then examples are left out in proportion to their
    classes (`train_size`), both by their true labels; the labels of the remaining examples are
    changed with the shares of `label_noise`. A ranking keeps whole groups, at most `train_size`
    examples. Raises UserError if a condition does not fit the task
    or the size of the dataset, or leaves a class without a training example.
    """
    if label_noise == 0 and imbalance is None and train_size is None:
        return data
    labels = data.labels
    if labels is None and (label_noise != 0 or imbalance is not None):
        name = "imbalance" if label_noise == 0 else "label_noise"
        raise UserError(
            f"`{name}` needs class labels, but the dataset is for {data.task}",
            hint=f"remove `dataset.{name}`",
        )
    groups = np.zeros(len(data.train.targets), int) if labels is None else labels
    ranks = _ranks(groups, seed)
    in_training = np.ones(len(groups), bool)
    if imbalance is not None:
        in_training = ranks < _long_tail(np.bincount(groups), imbalance, data)[groups]
    if train_size is not None:
        together = groups_kept_together(data)
        if together is None:
            smaller = _smaller(groups[in_training], ranks[in_training], train_size, data)
        else:
            smaller = _whole_groups(together.values, train_size, seed)
        in_training[in_training] = smaller
    targets = data.train.targets
    if labels is not None and label_noise != 0:
        changed = noisy_labels(labels, _confusion(label_noise, data), seed)
        targets = changed.astype(targets.dtype)
    train = data.train._replace(targets=targets).take(np.flatnonzero(in_training))
    return data._replace(train=train)


def noisy_labels(labels: np.ndarray, confusion: np.ndarray, seed: int) -> np.ndarray:
    """Returns labels (n,), each drawn from the row of `confusion` (classes, classes) of its class.

    `confusion[i, j]` is the probability that an example of class i gets label j.
    """
    classes = len(confusion)
    draws = generator(seed, "label noise").random(len(labels))
    noisy = labels.copy()
    for label in range(classes):
        others = np.delete(np.arange(classes), label)
        members = labels == label
        # The change comes first and keeping the label last, so that a draw that changes a label
        # also changes it under more noise.
        position = np.searchsorted(
            np.cumsum(confusion[label, others]), draws[members], side="right"
        )
        noisy[members] = np.append(others, label)[position]
    return noisy


def _confusion(label_noise: float | Confusion, data: Dataset) -> np.ndarray:
    """Returns label noise as a matrix; a share is spread evenly over the other classes."""
    classes = data.class_count
    if isinstance(label_noise, int | float):
        confusion = np.full((classes, classes), label_noise / (classes - 1))
        np.fill_diagonal(confusion, 1 - label_noise)
        return confusion
    confusion = np.asarray(label_noise, float)
    if confusion.shape != (classes, classes):
        rows, columns = confusion.shape
        raise UserError(
            f"the confusion matrix of `label_noise` is {rows} x {columns}, but the dataset has "
            f"{classes} classes",
            hint=f"write {classes} rows of {classes} shares, in the order of the classes",
        )
    return confusion


def _ranks(groups: np.ndarray, seed: int) -> np.ndarray:
    """Returns the place of each example in a random order of its group, from 0."""
    order = generator(seed, "training examples").permutation(len(groups))
    ranks = np.empty(len(groups), int)
    for group in np.unique(groups):
        members = order[groups[order] == group]
        ranks[members] = np.arange(len(members))
    return ranks


def _long_tail(counts: np.ndarray, ratio: float, data: Dataset) -> np.ndarray:
    """Returns how many examples of each class are kept: n_k = n_0 ratio^(k / (K - 1)).

    The first class is the commonest, the last the rarest, and n_0 is the largest number for which
    every class has enough examples. Source: Cui et al. 2019 (long-tailed CIFAR).
    """
    profile = ratio ** (np.arange(len(counts)) / max(len(counts) - 1, 1))
    sizes: np.ndarray = np.floor(profile * (counts / profile).min() + 0.5).astype(int)
    if sizes.min() == 0:
        raise UserError(
            f"`imbalance` {ratio:g} leaves class `{_name(data, int(sizes.argmin()))}` without a "
            f"training example: there are {sizes.max()} of the commonest class",
            hint="use a larger ratio",
        )
    return sizes


def _smaller(groups: np.ndarray, ranks: np.ndarray, train_size: float, data: Dataset) -> np.ndarray:
    """Returns which examples are kept: `train_size` of them, in proportion to their groups."""
    total = len(groups)
    number = _size(train_size, total)
    counts = np.bincount(groups)
    # Any number of the first of these has each group's share, up to one example.
    order = np.lexsort((groups, (ranks + 0.5) / counts[groups]))
    selected = np.zeros(total, bool)
    selected[order[:number]] = True
    empty = np.flatnonzero(
        (np.bincount(groups[selected], minlength=len(counts)) == 0) & (counts > 0)
    )
    if len(empty):
        raise UserError(
            f"`train_size` {train_size:g} leaves class `{_name(data, int(empty[0]))}` without a "
            "training example",
            hint="use a larger `train_size`",
        )
    return selected


def _whole_groups(groups: np.ndarray, train_size: float, seed: int) -> np.ndarray:
    """Returns which examples are kept: all of a group or none, at most `train_size` of them.

    Raises UserError if the first group in the random order of this seed is larger.
    """
    number = _size(train_size, len(groups))
    _, codes, counts = np.unique(groups, return_inverse=True, return_counts=True)
    order = generator(seed, "training examples").permutation(len(counts))
    last = int(np.searchsorted(np.cumsum(counts[order]), number, side="right"))
    if last == 0:
        raise UserError(
            f"`train_size` is {number}, but a group has {counts[order[0]]} examples, which stay "
            "together",
            hint=f"use `train_size: {counts.max()}` or more",
        )
    selected: np.ndarray = np.isin(codes.reshape(-1), order[:last])
    return selected


def _size(train_size: float, total: int) -> int:
    """Returns the number of examples of `train_size`, a number or a share of the total."""
    number = train_size if isinstance(train_size, int) else max(round(train_size * total), 1)
    if number > total:
        raise UserError(
            f"`train_size` is {number}, but there are {total} training examples",
            hint=f"use `train_size: {total}` or less, or a share such as 0.5",
        )
    return number


def _name(data: Dataset, label: int) -> str:
    return data.classes[label] if label < len(data.classes) else str(label)
