"""The shapes of inputs and targets in a file of arrays, by task."""

from collections.abc import Sequence

import numpy as np

from landscape.errors import Place, UserError
from landscape.parts.datasets._named_array import NUMERIC, NamedArray

LAYOUTS = ("channels first", "channels last")
_KINDS = {2: "table", 3: "series", 4: "images"}
_EXPECTED = "a table (n, features), series (n, time, channels), tokens (n, time)"


def input_kind(inputs: NamedArray, task: str, tokens: bool | None) -> str:
    """Returns what an array of inputs holds: table, series, tokens, images or array.

    Raises UserError if it has an axis of size 0, no axis of values, or numbers that are not tokens.
    """
    shape = inputs.values.shape
    if tokens is None:
        tokens = task == "sequence" and len(shape) == 2 and inputs.values.dtype.kind in "iu"
    if tokens:
        _check_tokens(inputs)
        return "tokens"
    of_images = task in ("segmentation", "boxes")
    fits = len(shape) == 4 if of_images else len(shape) > 1
    if not fits or 0 in shape:
        expected = "images (n, channels, height, width)"
        if not of_images:
            expected = f"{_EXPECTED} or {expected}"
        raise UserError(
            f"array `{inputs.name}` has shape {shape}; expected {expected}, no axis of size 0",
            place=Place(inputs.file),
            hint="reshape it: (n, 1) for one feature, (n, 1, height, width) for one channel",
        )
    return _KINDS.get(len(shape), "array")


def channels_first(inputs: NamedArray, values: np.ndarray, layout: str) -> np.ndarray:
    """Returns images (n, channels, height, width) from images of a layout.

    Raises UserError for an unknown layout, and for images that look like those of the other one.
    """
    if layout not in LAYOUTS:
        raise UserError(f"`layout` is {layout!r}; expected {' or '.join(LAYOUTS)}")
    first, last = values.shape[1], values.shape[3]
    few = (1, 3, 4)
    if layout == "channels last":
        if first in few and last not in few:
            raise _other_layout(inputs, layout, first)
        return np.moveaxis(values, 3, 1)
    if last in few and first > max(few):
        raise _other_layout(inputs, layout, last)
    return values


def check_targets(targets: NamedArray, task: str, inputs: Sequence[int]) -> None:
    """Raises UserError unless the shape of targets fits the task; `inputs` is that of the inputs.

    Images are channels first.
    """
    shape, count = targets.values.shape, inputs[0]
    further = shape[1:2] if len(shape) == 2 and shape[1] > 0 else (2,)
    expected = {
        "regression": [(count,), (count, *further)],
        "multiclass": [(count,), (count, *further)],
        "multilabel": [(count, *further)],
        "boxes": [(count, 4)],
        "segmentation": [(count, *inputs[2:])],
        "sequence": [(count, inputs[1])],
    }.get(task, [(count,)])
    if task == "custom":
        expected = [(count, *shape[1:])]
    if shape not in expected:
        shapes = " or ".join(str(item) for item in expected)
        raise UserError(
            f"array `{targets.name}` has shape {shape}; expected {shapes} for {task} "
            f"with inputs {tuple(inputs)}",
            place=Place(targets.file),
        )


def check_per_example(array: NamedArray | None, count: int) -> None:
    """Raises UserError unless an array has one value per example."""
    if array is not None and array.values.shape != (count,):
        raise UserError(
            f"array `{array.name}` has shape {array.values.shape}; expected ({count},), one value "
            "per example",
            place=Place(array.file),
        )


def _check_tokens(inputs: NamedArray) -> None:
    values, place = inputs.values, Place(inputs.file)
    if values.ndim != 2 or 0 in values.shape:
        message = f"array `{inputs.name}` has shape {values.shape}; expected tokens (n, time)"
        raise UserError(message, place=place)
    if values.dtype.kind not in NUMERIC:
        message = f"array `{inputs.name}` holds text; expected tokens, integers of at least 0"
        raise UserError(message, place=place, hint="number the tokens of your vocabulary from 0")
    wrong = np.flatnonzero((values < 0) | (values != np.floor(values)))
    if wrong.size:
        value = values.flat[wrong[0]]
        raise inputs.error(int(wrong[0]), f"is {value:g}; expected a token, an integer from 0")


def _other_layout(inputs: NamedArray, layout: str, channels: int) -> UserError:
    other = next(name for name in LAYOUTS if name != layout)
    return UserError(
        f"array `{inputs.name}` has shape {inputs.values.shape}, whose axis of {channels} looks "
        f"like {other}; expected {layout}",
        place=Place(inputs.file),
        hint=f"write `layout: {other}`",
    )
