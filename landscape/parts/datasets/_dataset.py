"""What a dataset is."""

from typing import NamedTuple

import numpy as np


class Split(NamedTuple):
    """Examples: inputs float32 (n, *input_shape), and targets as the task has them.

    regression float32 (n,) or (n, outputs); binary float32 0 or 1 (n,); multiclass int32
    labels (n,); segmentation float32 0 or 1 (n, height, width).
    """

    inputs: np.ndarray
    targets: np.ndarray


class Dataset(NamedTuple):
    """Two disjoint splits of one task; `outputs` is what a model has to put out per example."""

    train: Split
    test: Split
    task: str
    outputs: int
    classes: tuple[str, ...] = ()
    description: str = ""
