"""What stands in for the training of a point that was trained elsewhere."""

import jax
import numpy as np

from landscape.errors import UserError
from landscape.numerics.example_stream import ExampleStream
from landscape.numerics.risk import Examples
from landscape.parts.points import TrainedPoint
from landscape.run.measurements import Training
from landscape.run.point_model import PointVariables
from landscape.run.program import RISK, Program


def point_training(
    program: Program, variables: PointVariables, examples: Examples | ExampleStream
) -> Training:
    """Returns a point as a training whose trace has a row per end that is known.

    Its steps are those of the checkpoints; without any, the initial point is step 0 and the trained
    point step 1. Raises UserError if the risk at the trained point is not finite.
    """
    at_point = examples._replace(state=variables.state)
    ends = [tree for tree in (variables.initial, variables.trained) if tree is not None]
    rows = [program.instruments.row(program.loss, params, at_point) for params in ends]
    risk = float(rows[-1][RISK])
    if not np.isfinite(risk):
        raise UserError(f"the risk at the point is {risk}, expected a finite number")
    steps = variables.checkpoint_steps
    last = max(int(steps[-1]) if len(steps) else 0, len(rows) - 1)
    numbers = np.array([0, last], np.int32)[-len(rows) :]
    trace = {name: np.stack([np.asarray(row[name]) for row in rows]) for name in rows[-1]}
    return Training(
        initial=variables.initial,
        trained=variables.trained,
        update=variables.update,
        best=None,
        checkpoints=variables.trained if variables.checkpoints is None else variables.checkpoints,
        checkpoint_steps=steps,
        trace={"step": numbers} | trace,
        diverged_step=None,
        states={} if variables.state is None else {"trained": variables.state},
    )


def describe_point(point: TrainedPoint, variables: PointVariables, statistics: str | None) -> str:
    """Returns what is looked at in a line: its description, sizes, and what stays constant.

    `statistics`: which batch statistics are used, None for a model without any.
    """
    moving, whole = (
        sum(np.size(leaf) for leaf in jax.tree.leaves(tree))
        for tree in (variables.trained, point.params)
    )
    part = point.trainable is not None
    sizes = f"{moving} of {whole} parameters move" if part else f"{moving} parameters"
    description, state = point.description, ""
    if statistics is not None:  # an adapter states what it would use itself
        description = description.replace("statistics frozen", f"statistics {statistics}")
    elif jax.tree.leaves(point.state):
        state = "its state stays as passed"
    return "; ".join(text for text in (description, sizes, state) if text)
