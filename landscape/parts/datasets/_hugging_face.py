"""Reads a folder that `datasets.Dataset.save_to_disk` wrote; nothing is downloaded."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from landscape.errors import Place, UserError, nearest
from landscape.parts.datasets._named_array import NUMERIC, NamedArray
from landscape.parts.datasets._read import frame_columns
from landscape.parts.datasets._split import SPLITS

# The column of splits that a folder with several of them has.
SPLIT_COLUMN = "splits of the folder"


class HubData(NamedTuple):
    """The rows of all splits of a folder, one after another, and the split of each row.

    `splits` is None for a folder without splits. `class_names` are those of columns of labels.
    """

    rows: Any
    splits: list[str] | None
    class_names: Mapping[str, list[str]]
    path: Path

    @property
    def place(self) -> Place:
        return Place(str(self.path))


def read_folder(path: Path) -> HubData:
    """Returns the rows of a folder. Raises UserError if it is not such a folder."""
    if not path.is_dir():
        hint = "a path is relative to the folder of the config"
        message = "there is no such folder; expected one of `Dataset.save_to_disk`"
        raise UserError(message, place=Place(str(path)), hint=hint)
    try:
        import datasets
    except ImportError:
        hint = "install it: pip install 'landscape[hf]'"
        raise UserError("the dataset `hf` needs the package `datasets`", hint=hint) from None
    try:
        loaded = datasets.load_from_disk(str(path))
    except (OSError, ValueError, KeyError) as error:
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        message = f"cannot be read: {reason}; expected a folder of `Dataset.save_to_disk`"
        raise UserError(message, place=Place(str(path))) from None
    splits = None
    if isinstance(loaded, datasets.DatasetDict):
        _check_splits(list(loaded), Place(str(path)))
        splits = [name for name, rows in loaded.items() for _ in range(len(rows))]
        loaded = datasets.concatenate_datasets(list(loaded.values()))
    features = loaded.features.items()
    names = {
        name: list(kind.names) for name, kind in features if isinstance(kind, datasets.ClassLabel)
    }
    return HubData(loaded, splits, names, path)


def table_columns(data: HubData) -> dict[str, NamedArray]:
    """Returns all columns; labels become their texts."""
    frame = data.rows.to_pandas()
    for name, classes in data.class_names.items():
        frame[name] = [None if code < 0 else classes[code] for code in frame[name]]
    return frame_columns(frame, data.path) | _split_column(data)


def array_columns(data: HubData, names: list[str]) -> dict[str, NamedArray]:
    """Returns columns as arrays (n, ...); images are (n, channels, height, width).

    Raises UserError for a name that the folder does not have, and for rows of different shapes.
    """
    known = {*data.rows.column_names, *_split_column(data)}
    for name in names:
        if name not in known:
            hint = nearest(name, data.rows.column_names)
            raise UserError(f"the folder has no column `{name}`", place=data.place, hint=hint)
    columns = [name for name in names if name != SPLIT_COLUMN]
    return {name: _array(data, name) for name in columns} | _split_column(data)


def _array(data: HubData, name: str) -> NamedArray:
    import datasets

    is_image = isinstance(data.rows.features[name], datasets.Image)
    rows = [np.asarray(value) for value in data.rows[name]]
    shapes = sorted({row.shape for row in rows})
    if len(shapes) > 1:
        raise UserError(
            f"the rows of column `{name}` have the shapes {shapes[0]} and {shapes[-1]}; expected "
            "one shape",
            place=data.place,
            hint="pad or resize them before you save the folder",
        )
    values = np.stack(rows)
    if is_image:
        values = values[:, None] if values.ndim == 3 else np.moveaxis(values, 3, 1)
    if name in data.class_names:
        values = np.array([data.class_names[name][code] for code in values], object)
    elif values.dtype.kind not in NUMERIC:
        values = np.array([str(value) for value in values.flat], object).reshape(values.shape)
    return NamedArray(name, values, str(data.path))


def _split_column(data: HubData) -> dict[str, NamedArray]:
    if data.splits is None:
        return {}
    values = np.array(data.splits, object)
    return {SPLIT_COLUMN: NamedArray(SPLIT_COLUMN, values, str(data.path))}


def _check_splits(names: list[str], place: Place) -> None:
    for name in names:
        if name not in SPLITS:
            raise UserError(
                f"the folder has the split `{name}`; expected {', '.join(SPLITS)}",
                place=place,
                hint="rename it: `DatasetDict({'validation': data['dev'], ...})`, and save again",
            )
