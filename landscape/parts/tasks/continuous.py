"""Tasks whose targets are quantities."""

import math
from typing import Literal

import numpy as np

from landscape.errors import UserError
from landscape.parts._options import check_whole
from landscape.parts.tasks._checks import check_axes
from landscape.parts.tasks._task import Fields, Task, columns, mean, vector


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
        outputs=columns,
        check=lambda values, fields: check_axes(values, "(n,) or (n, outputs)", 1, 2),
        constant=mean,
    )


def distribution(
    *,
    head: Literal["gaussian", "quantiles", "mixture"] = "gaussian",
    outputs: int = 2,
    point: int = 0,
) -> Task:
    """The distribution of one quantity: predictions (n, outputs), targets (n,).

    `head`: what the outputs are. gaussian: mean and raw scale, 2 outputs; quantiles: one output per
    level of the loss `pinball`; mixture: weights, means and raw scales, 3 outputs per component.
    `point`: the column that metrics of quantities, such as `rmse`, judge: the mean, or the median
    among quantiles. Baseline of a gaussian head: mean and standard deviation of the training
    targets. Trains datasets for regression with one output. Choose it if the error of a prediction
    must be known too.
    """
    check_whole(1, outputs=outputs)
    check_whole(0, outputs - 1, point=point)
    if (head == "gaussian" and outputs != 2) or (head == "mixture" and outputs % 3):
        expected = "2" if head == "gaussian" else "a multiple of 3"
        message = f"`outputs` is {outputs}; a {head} head has {expected}"
        raise UserError(message, hint="set `head: quantiles`, or another number of outputs")
    return Task(
        "distribution",
        metrics=("pinball" if head == "quantiles" else "crps", "rmse"),
        reference="pinball" if head == "quantiles" else f"{head}_nll",
        standardized=True,
        accepts=("regression",),
        point=point,
        baseline="mean_and_deviation",
        outputs=lambda data: outputs,
        prediction_shape=vector,
        check=lambda values, fields: check_axes(values, "one quantity per example, (n,)", 1),
        constant=_gaussian_head if head == "gaussian" else Task.constant,
    )


def _gaussian_head(values: np.ndarray, fields: Fields, outputs: int) -> np.ndarray:
    """Returns the mean, and the raw scale whose softplus is the standard deviation."""
    deviation = max(float(values.std()), 1e-6)
    raw = deviation + math.log(-math.expm1(-deviation))
    return np.array([values.mean(), raw], np.float32)
