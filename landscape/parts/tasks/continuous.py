"""Tasks whose targets are quantities."""

import numpy as np

from landscape.parts.tasks._task import Data, Fields, Task


def regression() -> Task:
    """One or several quantities per example: predictions and targets (n,) or (n, outputs).

    Baseline: the mean of the training targets. Choose it if the prediction is the quantity itself.
    """
    return Task(
        "regression",
        metrics=("r2", "rmse"),
        reference="squared_error",
        standardized=True,
        baseline="mean",
        audited=True,
        outputs=_columns,
        constant=_mean,
    )


def _columns(data: Data) -> int:
    targets = data.train.targets
    return targets.shape[1] if targets.ndim == 2 else 1


def _mean(values: np.ndarray, fields: Fields, outputs: int) -> np.ndarray:
    mean: np.ndarray = np.asarray(values.mean(axis=0), np.float32)
    return mean
