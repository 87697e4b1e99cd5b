"""Checks of targets that several tasks share. Each raises UserError if the targets do not fit."""

import numpy as np

from landscape.errors import UserError


def check_axes(values: np.ndarray, expected: str, *numbers: int) -> None:
    """Checks the number of axes of targets; `expected` is their shape in words."""
    if values.ndim not in numbers:
        raise UserError(f"targets have shape {values.shape}; expected {expected}")


def check_labels(values: np.ndarray, *, few: int = 1) -> None:
    """Checks that targets are whole numbers of at least 0, with `few` or more distinct ones."""
    wrong = np.flatnonzero((values < 0) | (values != np.floor(values)))
    if wrong.size:
        place = np.unravel_index(int(wrong[0]), values.shape)
        raise UserError(
            f"the target at {[int(i) for i in place]} is {values[place]:g}; expected a label: "
            "a whole number of at least 0",
            hint="number the classes from 0; for quantities use the task `regression`",
        )
    distinct = len(np.unique(values))
    if distinct < few:
        raise UserError(
            f"all targets are {values.flat[0]:g}; expected at least {few} classes",
            hint="add examples of another class",
        )


def check_zero_one(values: np.ndarray, what: str) -> None:
    """Checks that all values are 0 or 1; `what` names them."""
    wrong = np.flatnonzero((values != 0) & (values != 1))
    if wrong.size:
        place = np.unravel_index(int(wrong[0]), values.shape)
        raise UserError(
            f"{what} at {[int(i) for i in place]} is {values[place]:g}; expected 0 or 1",
            hint="replace labels such as -1 and 1, or use the task `multiclass` or `regression`",
        )


def check_at_least(low: float, values: np.ndarray, what: str) -> None:
    """Checks that no value is less than `low`; `what` names one of them."""
    if values.size and values.min() < low:
        raise UserError(f"{what} is {values.min():g}; expected a number of at least {low:g}")
