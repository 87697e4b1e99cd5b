"""Checks the fields of a dataset: arrays of the examples beside inputs and targets."""

from collections.abc import Mapping

import numpy as np

from landscape.errors import UserError
from landscape.parts.datasets._dataset import Split
from landscape.parts.datasets._named_array import NUMERIC


def check_fields(splits: Mapping[str, Split]) -> None:
    """Raises UserError unless every split has the same fields, finite numbers of each example."""
    shapes = {name: np.shape(values)[1:] for name, values in splits["train"].fields.items()}
    for split_name, split in splits.items():
        if split.fields.keys() != shapes.keys():
            names = ", ".join(split.fields) or "none"
            raise UserError(
                f"the {split_name} split has the fields {names}, but the train split has "
                f"{', '.join(shapes) or 'none'}",
                hint="pass the same `fields` to every Split",
            )
        for name, values in split.fields.items():
            _check_field(name, split_name, np.asarray(values), split)
            if np.shape(values)[1:] != shapes[name]:
                raise UserError(
                    f"field `{name}` has shape {shapes[name]} for an example of the train split, "
                    f"but {np.shape(values)[1:]} for one of the {split_name} split"
                )


def _check_field(field: str, split_name: str, values: np.ndarray, split: Split) -> None:
    what = f"field `{field}` of the {split_name} split"
    if values.dtype.kind not in NUMERIC:
        raise UserError(
            f"{what} has the type {values.dtype}, expected numbers or booleans",
            hint="encode text as integers, for example with np.unique(values, return_inverse=True)",
        )
    count = len(split.targets)
    if values.ndim == 0 or len(values) != count:
        raise UserError(
            f"{what} has shape {values.shape}, expected one entry for each of {count} examples"
        )
    if field in ("weights", "mask") and values.size and values.min() < 0:
        raise UserError(
            f"{what} has the value {values.min():g}, expected numbers of at least 0",
            hint="a negative weight would train an example away from its target",
        )
    if values.dtype.kind == "f" and not np.isfinite(values).all():
        number = int((~np.isfinite(values)).sum())
        raise UserError(
            f"{what} has {number} values that are not finite", hint="remove or replace them"
        )
