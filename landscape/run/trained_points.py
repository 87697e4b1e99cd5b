"""Points that a config names: built once per process, and identified by their values."""

import hashlib
from typing import Any

import jax
import numpy as np

from landscape import catalog
from landscape.config import Experiment, Run
from landscape.errors import UserError
from landscape.parts.points import TrainedPoint
from landscape.run.point_data import with_arrays
from landscape.run.point_model import checkpoint_items
from landscape.run.preflight import build_part
from landscape.run.streamed_data import StreamedData

_HINT = "return landscape.TrainedPoint(params, apply, data=(inputs, targets))"


def build_point(run: Run) -> TrainedPoint:
    """Returns the point of a run. Raises UserError if its values are not those of the run's id."""
    point = _built(run)
    assert run.point is not None
    if run.point.digest is not None and digest(point) != run.point.digest:
        raise UserError(
            f"point `{run.point.name}` returns other values than when this look was planned",
            hint="a point is the same at every call: fix its seeds, and do not change its files",
            part=run.point.name,
        )
    return point


def _built(settings: Run | Experiment) -> TrainedPoint:
    assert settings.point is not None
    point = build_part("points", settings.point, settings)
    if not isinstance(point, TrainedPoint):
        returned = type(point).__name__
        message = f"point `{settings.point.name}` returns {returned}, expected a TrainedPoint"
        raise UserError(message, hint=_HINT, part=settings.point.name)
    return with_arrays(point)


def identified(experiment: Experiment) -> Experiment:
    """Returns an experiment with the digest and the number of checkpoints of its point.

    Any experiment without a point as it is. Raises UserError if the point cannot be built.
    """
    if experiment.point is None:
        return experiment
    point = _built(experiment)
    part = experiment.point
    if not catalog.is_python(part.name):  # the values of an object are part of its identity
        part = part.model_copy(update={"digest": digest(point)})
    count = len(checkpoint_items(point))
    return experiment.model_copy(update={"point": part, "checkpoints": count})


def digest(point: TrainedPoint) -> str:
    """Returns the sha256 of all arrays of a point: parameters, state and data."""
    data = point.data
    if isinstance(data, StreamedData):
        data = data.digest
    elif data is not None:
        data = (*data[:2], dict(data[2]))
    values = point.params, point.state, point.initial, point.update, data
    leaves, structure = jax.tree.flatten([values, checkpoint_items(point)])
    content = hashlib.sha256(str(structure).encode())
    for leaf in leaves:
        content.update(_bytes(leaf))
    return content.hexdigest()


def _bytes(leaf: Any) -> bytes:
    if not hasattr(leaf, "__array__"):
        return repr(leaf).encode()
    array = np.ascontiguousarray(leaf)
    return f"{array.dtype}{array.shape}".encode() + array.tobytes()
