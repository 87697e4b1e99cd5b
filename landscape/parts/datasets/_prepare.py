"""What every dataset does once its arrays are read: split, standardize, cast."""

import zlib
from collections.abc import Sequence

import numpy as np

from landscape.errors import Place, UserError
from landscape.parts.datasets._dataset import Dataset, Split

STRATIFIED = ("binary", "multiclass")
DTYPES = {"multiclass": np.int32}


def generator(seed: int, purpose: str) -> np.random.Generator:
    """Random numbers for one purpose: those of another purpose never change them."""
    if seed < 0:
        raise UserError(f"seed {seed} is negative", hint="a seed is an integer from 0 up")
    return np.random.default_rng([zlib.crc32(purpose.encode()), seed])


def check_integer(name: str, value: object, low: int, high: int | None = None) -> None:
    """Refuse an option that is no integer between `low` and `high`."""
    fits = isinstance(value, int) and not isinstance(value, bool) and value >= low
    if not fits or (high is not None and isinstance(value, int) and value > high):
        bounds = f"from {low} up" if high is None else f"from {low} to {high}"
        raise UserError(f"`{name}` is {value!r}; expected an integer {bounds}")


def split(
    count: int,
    *,
    seed: int,
    test_fraction: float,
    labels: np.ndarray | None = None,
    classes: Sequence[str] = (),
    place: Place | None = None,
) -> tuple[np.ndarray, np.ndarray]:
    """Shuffled positions of the training and the test examples, stratified where labels are given.

    Each class, or the whole without labels, gives the rounded test fraction, at least one example
    and not its last one.
    """
    if not 0.0 < test_fraction < 1.0:
        raise UserError(f"`test_fraction` is {test_fraction!r}; expected a number between 0 and 1")
    if count < 2:
        raise UserError(
            f"too few examples to split into train and test: {count}; expected 2 or more",
            place=place,
        )
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
                hint="leave this class out, or give it more examples",
            )
        size = min(max(int(len(group) * test_fraction + 0.5), 1), len(group) - 1)
        is_test[group[:size]] = True
    return order[~is_test[order]], order[is_test[order]]


def standardize(
    train: np.ndarray, test: np.ndarray, axis: int | None
) -> tuple[np.ndarray, np.ndarray]:
    """(x - mean) / standard deviation, both of `train` along `axis`; 0 where `train` is constant.

    What is constant in training has no scale, so its test values become 0 as well.
    """
    # Scaling first keeps squares of huge values finite, and turns a constant into ones, whose
    # standard deviation is exactly zero instead of rounding error.
    magnitude = np.abs(train).max(axis, keepdims=True)
    magnitude = np.where(magnitude == 0, 1.0, magnitude)
    train, test = train / magnitude, test / magnitude
    mean = train.mean(axis, keepdims=True)
    deviation = train.std(axis, keepdims=True)
    deviation = np.where(deviation == 0, np.inf, deviation)
    return (train - mean) / deviation, (test - mean) / deviation


def assemble(
    inputs: np.ndarray,
    targets: np.ndarray,
    *,
    seed: int,
    test_fraction: float,
    task: str,
    classes: tuple[str, ...] = (),
    description: str,
    standardize_target: bool = False,
    place: Place | None = None,
) -> Dataset:
    """Split raw arrays, stratified for classes, and finish them."""
    train, test = split(
        len(inputs),
        seed=seed,
        test_fraction=test_fraction,
        labels=targets if task in STRATIFIED else None,
        classes=classes,
        place=place,
    )
    return finish(
        Split(inputs[train], targets[train]),
        Split(inputs[test], targets[test]),
        task=task,
        classes=classes,
        description=description,
        standardize_target=standardize_target,
        place=place,
    )


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
    """Standardize raw splits on training statistics, cast them and describe them.

    Tables are standardized column by column. Images have one mean and one standard deviation over
    all pixels: near the border a pixel is (almost) constant, and a scale of its own would blow up
    the few examples that differ there.
    """
    axis = 0 if train.inputs.ndim == 2 else None
    inputs = standardize(
        np.asarray(train.inputs, np.float64), np.asarray(test.inputs, np.float64), axis
    )
    targets = (train.targets, test.targets)
    if task == "regression" and standardize_target:
        targets = standardize(*targets, axis=0)
    dtype = DTYPES.get(task, np.float32)
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
