"""Checks of a point that was trained elsewhere, before anything is measured."""

from typing import Any

import jax
import jax.numpy as jnp

from landscape.config import Run
from landscape.errors import UserError
from landscape.numerics.loss import Loss
from landscape.parts.points import TrainedPoint
from landscape.run.streamed_data import StreamedData

PyTree = Any


def check_settings(run: Run, point: TrainedPoint) -> None:
    """Raises UserError for measurements that need what the point does not have."""
    settings = run.slices
    ends = [] if settings is None else [*settings.at]
    ends += [] if run.curvature is None else [*run.curvature.at]
    if "initial" in ends and point.initial is None:
        _lacks("`at: [initial]` needs the parameters before training", "initial")
    names = [] if settings is None else [part.name for part in settings.directions()]
    needed = {"interpolation": "initial", "update": "update", "trajectory": "checkpoints"}
    for name, field in needed.items():
        if name in names and getattr(point, field) is None:
            _lacks(f"the direction `{name}` needs `{field}` of the point", field)
    lines, planes = ((), ()) if settings is None else (settings.lines or (), settings.planes or ())
    radii = [item.radius for item in lines] + [item.radius for item in planes]
    if "auto" in radii and point.initial is None:
        _lacks("`radius: auto` needs the risk before training, as the unit of the rise", "initial")
    if run.curvature is not None and run.curvature.checkpoints and point.checkpoints is None:
        _lacks("`curvature.checkpoints` needs checkpoints of the point", "checkpoints")
    if isinstance(point.data, StreamedData):
        _check_streamed(run)
    if run.audit and point.risk is not None:
        message = "`audit` needs a loss of predictions and targets, but the point has a `risk`"
        raise UserError(message, hint="remove `audit`")


def check_filters(run: Run, filter_axes: PyTree) -> None:
    """Raises UserError if random directions would move nothing: no array that moves has filters."""
    settings = run.slices
    if settings is None or jax.tree.leaves(filter_axes):
        return
    for part in settings.directions():
        if part.name == "random" and part.options.get("biases", "zero") == "zero":
            raise UserError(
                "random directions would be zero: `filter_axes` has an axis for none of the arrays "
                "that move, and `biases: zero` keeps all others",
                hint='let them move: slices={"direction": {"name": "random", "biases": "random"}}; '
                "or state the axes of the weights in `filter_axes`",
            )


def _check_streamed(run: Run) -> None:
    """Raises UserError for what needs all examples, or many vectors, in memory at once."""
    settings = run.slices
    parts = [] if settings is None else settings.directions()
    planes = () if settings is None else settings.planes or ()
    needs = {
        "`metrics` need all predictions": run.metrics is not None,
        "`evaluation.size` selects from all examples": run.evaluation.size is not None,
        "`curvature` needs tens of vectors": run.curvature is not None,
        "the direction `eigenvector` needs tens of vectors": "eigenvector"
        in [part.name for part in parts],
        "`eigenvalues` of a plane need tens of vectors": any(p.eigenvalues for p in planes),
        "`slices.gradients` need all predictions": settings is not None and settings.gradients,
    }
    for what, is_needed in needs.items():
        if is_needed:
            message = f"{what} in memory, but `data` streams from the host batch by batch"
            raise UserError(
                message,
                hint="remove it, or pass arrays that fit in memory; with `risk`, a list of batches "
                "of one shape",
            )


def _lacks(message: str, field: str) -> None:
    trees = "a list of trees" if field == "checkpoints" else "a tree"
    raise UserError(message, hint=f"pass `{field}`, {trees} like `params`")


def checked_risk(risks: jax.Array, label: str) -> Loss:
    """Returns the loss whose predictions are the risks (n,) of the batches.

    Raises UserError if one of the first risks is NaN or infinite.
    """
    for risk in risks[~jnp.isfinite(risks)].tolist()[:1]:
        value = "NaN" if risk != risk else str(risk)
        raise UserError(f"risk `{label}` is {value} at the point, expected a finite number")
    return Loss(_risk_itself)


def _risk_itself(predictions: jax.Array, targets: jax.Array) -> jax.Array:
    return predictions
