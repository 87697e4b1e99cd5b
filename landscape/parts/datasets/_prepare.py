"""The type of a dataset, and steps that all datasets share: split, standardize, cast."""

import zlib
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from landscape.errors import Place, UserError
from landscape.parts._options import check_in

STRATIFIED = ("binary", "multiclass")


class Split(NamedTuple):
    """Examples: inputs float32 (n, *input_shape), and targets by task.

    regression: float32 (n,) or (n, outputs); binary: float32 0 or 1 (n,); multiclass: int32 labels
    (n,); segmentation: float32 0 or 1 (n, height, width).
    """

    inputs: np.ndarray
    targets: np.ndarray


class Dataset(NamedTuple):
    """Two disjoint splits for one task; `outputs` is the number of predictions per example."""

    train: Split
    test: Split
    task: str
    outputs: int
    classes: tuple[str, ...] = ()
    description: str = ""


def generator(seed: int, purpose: str) -> np.random.Generator:
    """Returns random numbers for one purpose, independent of those for other purposes."""
    if seed < 0:
        raise UserError(f"seed {seed} is negative", hint="a seed is a whole number of at least 0")
    return np.random.default_rng([zlib.crc32(purpose.encode()), seed])


def split(
    count: int,
    *,
    seed: int,
    test_fraction: float,
    labels: np.ndarray | None = None,
    classes: Sequence[str] = (),
    place: Place | None = None,
) -> tuple[np.ndarray, np.ndarray]:
    """Returns shuffled indices of training and test examples, stratified if labels are passed.

    The test split has `test_fraction` of each class (of all examples without labels), rounded, but
    at least one example and never all.
    """
    check_in("(0, 1)", test_fraction=test_fraction)
    if count < 2:
        message = f"too few examples to split into train and test: {count}; expected 2 or more"
        raise UserError(message, place=place)
    order = generator(seed, "split").permutation(count)
    is_test = np.zeros(count, dtype=bool)
    groups = [order]
    if labels is not None:
        groups = [order[labels[order] == label] for label in np.unique(labels)]
    for group in groups:
        if len(group) < 2:
            name = classes[int(labels[group[0]])] if labels is not None else ""
            raise UserError(
                f"class `{name}` has one example; train and test need one each",
                place=place,
                hint="remove this class, or add examples",
            )
        is_test[group[: size_of_test(len(group), test_fraction)]] = True
    return order[~is_test[order]], order[is_test[order]]


def size_of_test(count: int, test_fraction: float) -> int:
    """Returns the rounded test fraction of `count` examples, at least one and not all."""
    return min(max(int(count * test_fraction + 0.5), 1), count - 1)


def standardize(
    train: np.ndarray, test: np.ndarray, axis: int | None
) -> tuple[np.ndarray, np.ndarray]:
    """Returns (x - mean) / standard deviation, both of `train` along `axis`.

    Values that are constant in `train` have no scale and become 0 in both.
    """
    # Dividing by the magnitude first keeps squares of huge values finite, and turns a constant into
    # ones, whose standard deviation is exactly zero instead of rounding error.
    magnitude = np.abs(train).max(axis, keepdims=True)
    magnitude = np.where(magnitude == 0, 1.0, magnitude)
    train, test = train / magnitude, test / magnitude
    mean = train.mean(axis, keepdims=True)
    deviation = train.std(axis, keepdims=True)
    deviation = np.where(deviation == 0, np.inf, deviation)
    return (train - mean) / deviation, (test - mean) / deviation


def assemble(
    inputs: np.ndarray, targets: np.ndarray, seed: int, test_fraction: float, **about: Any
) -> Dataset:
    """Splits raw arrays, stratified by class, and passes them to `finish` with `about`."""
    train, test = split(
        len(inputs),
        seed=seed,
        test_fraction=test_fraction,
        labels=targets if about["task"] in STRATIFIED else None,
        classes=about.get("classes", ()),
        place=about.get("place"),
    )
    return finish(Split(inputs[train], targets[train]), Split(inputs[test], targets[test]), **about)


def finish(
    train: Split,
    test: Split,
    *,
    task: str,
    classes: tuple[str, ...] = (),
    description: str,
    standardize_target: bool = False,
    place: Place | None = None,
) -> Dataset:
    """Standardizes raw splits with training statistics, casts them and describes them.

    Tables are standardized per column. Images have one mean and one standard deviation over all
    pixels: a pixel near the border is (almost) constant, and dividing by its scale would blow up
    the few examples that differ there.
    """
    axis = 0 if train.inputs.ndim == 2 else None
    inputs = standardize(
        np.asarray(train.inputs, np.float64), np.asarray(test.inputs, np.float64), axis
    )
    targets = (train.targets, test.targets)
    if task == "regression" and standardize_target:
        targets = standardize(*targets, axis=0)
    dtype = np.int32 if task == "multiclass" else np.float32
    splits = [
        Split(_cast(i, np.float32, place), _cast(t, dtype, place))
        for i, t in zip(inputs, targets, strict=True)
    ]
    outputs = len(classes) if task == "multiclass" else 1
    if task == "regression" and train.targets.ndim == 2:
        outputs = train.targets.shape[1]
    sizes = f"{len(train.inputs)} train and {len(test.inputs)} test examples"
    return Dataset(splits[0], splits[1], task, outputs, classes, f"{description}; {sizes}")


def _cast(values: np.ndarray, dtype: type, place: Place | None) -> np.ndarray:
    with np.errstate(over="ignore"):
        result: np.ndarray = np.ascontiguousarray(values, dtype=dtype)
    if not np.isfinite(result).all():
        raise UserError("a value is too large for float32 (3.4e38)", place=place)
    return result
