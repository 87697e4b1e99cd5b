"""Steps that all datasets share: split, standardize, cast, describe."""

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any

import numpy as np

from landscape.errors import Place, UserError
from landscape.parts.datasets import _split
from landscape.parts.datasets._column import Column
from landscape.parts.datasets._dataset import Dataset, Split, stratified
from landscape.parts.datasets._fields import check_fields
from landscape.parts.datasets._named_array import NamedArray
from landscape.parts.datasets._split import Shares, SplitRows
from landscape.parts.tasks import Task, named

# Share of the training examples of a user's dataset that become its missing validation split.
_VALIDATION = 0.2
# Axes along which inputs are standardized, by their number of axes; all if it is not listed.
_AXES: Mapping[int, int | tuple[int, ...]] = {2: 0, 3: (0, 1)}


def complete(data: Dataset, seed: int) -> Dataset:
    """Returns a dataset with row numbers and a validation split.

    A missing validation split is a fifth of the training examples, chosen by the seed, with its
    share of each class for binary and multiclass, and whole groups for ranking. Raises UserError if
    inputs, targets and fields differ in length, or if a class has only one example for training.
    """
    check_fields(data.splits)
    data = _numbered(data)
    if data.validation is not None:
        return data
    count = len(data.train.targets)
    labels = data.labels
    order = _split.generator(seed, "validation").permutation(count)
    rows = SplitRows(order, order[:0], order[:0])
    strata = _split.strata(count, labels, data.classes)
    rows = _split.take_validation(rows, _VALIDATION, strata, groups_kept_together(data))
    return data._replace(
        train=data.train.take(rows.train), validation=data.train.take(rows.validation)
    )


def groups_kept_together(data: Dataset) -> NamedArray | None:
    """Returns the group of each training example if the task keeps groups together."""
    name = named(data.task).order_by
    values = None if name is None else data.train.fields.get(name)
    return None if name is None or values is None else NamedArray(name, np.asarray(values), "")


def _numbered(data: Dataset) -> Dataset:
    """Numbers the examples of splits that have no row numbers, through all splits."""
    first, numbered = 0, dict[str, Any]()
    for name, split in data.splits.items():
        if len(split.inputs) != len(split.targets):
            raise UserError(
                f"the {name} split has {len(split.inputs)} inputs, but {len(split.targets)} targets"
            )
        end = first + len(split.targets)
        rows = np.arange(first, end) if split.rows is None else split.rows
        fields = {field: np.asarray(values) for field, values in split.fields.items()}
        numbered[name] = Split(np.asarray(split.inputs), np.asarray(split.targets), rows, fields)
        first = end
    return data._replace(**numbered)


def standardize(
    train: np.ndarray, *others: np.ndarray, axis: int | tuple[int, ...] | None
) -> tuple[np.ndarray, ...]:
    """Returns (x - mean) / standard deviation of all arrays, both of `train` along `axis`.

    Values that are constant in `train` have no scale and become 0 in all.
    """
    # Dividing by the magnitude first keeps squares of huge values finite, and turns a constant into
    # ones, whose standard deviation is exactly zero instead of rounding error.
    magnitude = np.abs(train).max(axis, keepdims=True)
    magnitude = np.where(magnitude == 0, 1.0, magnitude)
    scaled = [array / magnitude for array in (train, *others)]
    mean = scaled[0].mean(axis, keepdims=True)
    deviation = scaled[0].std(axis, keepdims=True)
    deviation = np.where(deviation == 0, np.inf, deviation)
    return tuple((array - mean) / deviation for array in scaled)


def assemble(
    inputs: np.ndarray,
    targets: np.ndarray,
    seed: int,
    shares: Shares,
    *,
    groups: NamedArray | None = None,
    stated: NamedArray | None = None,
    source_rows: np.ndarray | None = None,
    fields: Mapping[str, np.ndarray] = MappingProxyType({}),
    **about: Any,
) -> Dataset:
    """Splits raw arrays with `choose_rows` and passes them to `finish` with `about`.

    `source_rows` are the numbers of the examples in their source, by default their positions.
    `fields` are further arrays of the examples.
    """
    of_classes = {name: about.get(name) for name in ("classes", "place")}
    rows = choose_rows(
        seed, shares, targets, task=about["task"], groups=groups, stated=stated, **of_classes
    )
    numbers = np.arange(len(inputs)) if source_rows is None else source_rows
    examples = Split(inputs, targets, numbers, fields)
    return finish(*map(examples.take, rows), **about)


def choose_rows(
    seed: int,
    shares: Shares,
    targets: np.ndarray,
    *,
    task: str,
    classes: Sequence[str] | None = None,
    place: Place | None = None,
    groups: NamedArray | None = None,
    stated: NamedArray | None = None,
) -> SplitRows:
    """Returns the examples of each split, stratified by class.

    Examples of one of the `groups` stay together; `stated` holds the split of each example.
    """
    labels = targets if stratified(task, targets) else None
    strata = _split.strata(len(targets), labels, classes or (), place)
    if stated is not None:
        return _split.stated_split(seed, shares.validation, strata, stated, groups)
    if groups is not None:
        return _split.split_by_group(seed, shares, strata, groups)
    return _split.split(seed, shares, strata)


def finish(
    train: Split,
    validation: Split,
    test: Split,
    *,
    task: str,
    classes: tuple[str, ...] = (),
    description: str,
    standardize_target: bool = False,
    standardized_inputs: np.ndarray | None = None,
    vocabulary: int | None = None,
    columns: tuple[Column, ...] = (),
    place: Place | None = None,
) -> Dataset:
    """Standardizes raw splits with training statistics, casts them and describes them.

    Tables are standardized per column, except those that `standardized_inputs` excludes.
    Images have one mean and one standard deviation over all pixels: a pixel near the border is
    (almost) constant, and dividing by its scale would blow up the few examples that differ there.
    Series are standardized per channel; tokens of a `vocabulary` remain integers. Targets are
    standardized for a regression of one output alone.
    """
    raw = (train, validation, test)
    inputs = tuple(np.asarray(part.inputs) for part in raw)
    if vocabulary is None:
        inputs = _standardized(inputs, standardized_inputs)
    targets = tuple(part.targets for part in raw)
    kind = named(task)
    standardize_target &= kind.standardized and train.targets.ndim == 1
    if standardize_target:
        targets = standardize(*targets, axis=0)
    types = np.float32 if vocabulary is None else np.int32, _target_type(kind, train.targets)
    splits = [
        Split(_cast(i, types[0], place), _cast(t, types[1], place), part.rows, part.fields)
        for i, t, part in zip(inputs, targets, raw, strict=True)
    ]
    counts = [len(part.targets) for part in raw]
    sizes = "{} train, {} validation and {} test examples".format(*counts)
    data = Dataset(
        train=splits[0],
        validation=splits[1],
        test=splits[2],
        task=task,
        outputs=1,
        classes=classes,
        description=f"{description}; {sizes}",
        columns=columns,
        vocabulary=vocabulary,
        standardized_target=standardize_target,
    )
    return _numbered(data._replace(outputs=kind.outputs(data)))


def _standardized(
    inputs: tuple[np.ndarray, ...], chosen: np.ndarray | None
) -> tuple[np.ndarray, ...]:
    """Standardizes inputs with the statistics of the first; of tables, the chosen columns."""
    raw = tuple(array.astype(np.float64) for array in inputs)
    scaled = standardize(*raw, axis=_AXES.get(raw[0].ndim))
    if chosen is None:
        return scaled
    return tuple(np.where(chosen, *pair) for pair in zip(scaled, raw, strict=True))


def _target_type(task: Task, targets: np.ndarray) -> type:
    """Returns the type of a task's targets: float32 for shares of classes, int32 for label maps."""
    if task.onehot and targets.ndim == 2:
        return np.float32
    return np.int32 if targets.dtype == np.int32 else task.dtype


def _cast(values: np.ndarray, dtype: type, place: Place | None) -> np.ndarray:
    with np.errstate(over="ignore"):
        result: np.ndarray = np.ascontiguousarray(values, dtype=dtype)
    if not np.isfinite(result).all():
        raise UserError("a value is too large for float32 (3.4e38)", place=place)
    return result
