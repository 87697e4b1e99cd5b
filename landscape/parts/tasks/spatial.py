"""Tasks whose targets are places in an image."""

from typing import Literal

import numpy as np

from landscape.errors import UserError
from landscape.parts.tasks._checks import check_axes, check_labels, check_zero_one
from landscape.parts.tasks._task import Data, Fields, Shape, Task, commoner_of_two, commonest, mean


def segmentation() -> Task:
    """A mask of each image: logits and targets 0 or 1, (n, height, width).

    With several classes: logits (n, height, width, classes), integer targets (n, height, width).
    The field `mask` (n, height, width) is 0 where a pixel does not count. Baseline: the most
    frequent value of the training masks. Choose it to mark the pixels of a kind.
    """
    return Task(
        "segmentation",
        logits=True,
        metrics=("iou", "dice"),
        reference="sigmoid_cross_entropy",
        baseline="majority_class",
        advice="use `unet`",
        outputs=_mask_classes,
        prediction_shape=_pixels,
        check=_check_masks,
        constant=_commonest_of_pixels,
    )


def boxes(*, form: Literal["corners", "center"] = "corners") -> Task:
    """A box per image: predictions and targets (n, 4).

    `form`: x and y of two opposite corners, or x and y of the center, width and height; losses of
    overlaps have the same option. Baseline: the mean of the training boxes. Choose it to find one
    object whose kind is known.
    """
    return Task(
        "boxes",
        metrics=("box_iou", "box_hits"),
        reference="smooth_l1",
        accepts=("regression",),
        baseline="mean",
        outputs=lambda data: 4,
        check=_check_boxes,
        constant=mean,
    )


def _mask_classes(data: Data) -> int:
    targets = data.train.targets
    several = targets.dtype.kind in "iu" and (len(data.classes) > 0 or targets.max() > 1)
    return data.class_count if several else 1


def _pixels(target_shape: Shape, outputs: int) -> Shape:
    return target_shape if outputs == 1 else (*target_shape, outputs)


def _check_masks(values: np.ndarray, fields: Fields) -> None:
    check_axes(values, "(n, height, width)", 3)
    if values.dtype.kind in "iu":
        check_labels(values)
    else:
        check_zero_one(values, "the target")


def _commonest_of_pixels(values: np.ndarray, fields: Fields, outputs: int) -> np.ndarray:
    if outputs == 1:
        return commoner_of_two(values, fields, outputs)
    counted = values if "mask" not in fields else values[np.asarray(fields["mask"]) > 0]
    return np.broadcast_to(commonest(counted, outputs), (*values.shape[1:], outputs))


def _check_boxes(values: np.ndarray, fields: Fields) -> None:
    if values.ndim != 2 or values.shape[1] != 4:
        hint = "a box has four numbers: two corners, or center and size"
        raise UserError(f"targets have shape {values.shape}; expected (n, 4)", hint=hint)
