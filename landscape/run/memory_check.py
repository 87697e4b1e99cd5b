"""Checks from shapes, before anything is allocated, that the arrays of a run fit in memory."""

import math
from collections.abc import Iterator
from typing import Any, NamedTuple

import jax
import psutil

from landscape.config import COMPUTED, Run
from landscape.errors import UserError
from landscape.numerics.user_calls import guarded
from landscape.parts.datasets import Dataset
from landscape.parts.models import Model
from landscape.run.stored_sizes import in_units
from landscape.run.training_inputs import checkpoint_count, evaluation_batch_sizes

_FLOAT = 4  # bytes
# Parameters, gradients, two moments of an optimizer such as adam, the parameters at the best step.
_TRAINING_COPIES = 5
_ORDER_COPIES = 2  # the shuffled epochs, and the steps that are cut out of them


class Need(NamedTuple):
    """Arrays that are in memory at the same time, their bytes, and how to make them smaller."""

    arrays: str
    size: int
    hint: str


def check_memory(run: Run, model: Model, data: Dataset) -> None:
    """Raises UserError if arrays of a run would not fit in the memory of the device.

    These are the largest kinds of arrays, each by itself, so that a run that passes may still need
    too much. One that does not pass needs too much unless the compiler never stores a layer.
    """
    limit = device_memory()
    name = f"model `{run.model.name}`"
    parameters, shapes = _parameters(model, run.model.name)
    for need in (*_needs(run, parameters), _activations(run, model, data, shapes)):
        if need.size > limit:
            raise UserError(
                f"{name} has {parameters} parameters, and {need.arrays} would take "
                f"{in_units(need.size)}; there are {in_units(limit)} of memory",
                hint=need.hint,
                part=run.model.name,
            )


def training_bytes(run: Run, model: Model, data: Dataset) -> int:
    """Returns about how many bytes one training takes: its parameters and its largest layer."""
    parameters, shapes = _parameters(model, f"model `{run.model.name}`")
    layer = _activations(run, model, data, shapes).size
    return _TRAINING_COPIES * (_FLOAT * parameters + layer)


def device_memory() -> int:
    """Returns the bytes of memory of the device that computes, of the machine for a CPU."""
    statistics = jax.local_devices()[0].memory_stats() or {}
    return int(statistics.get("bytes_limit") or psutil.virtual_memory().total)


def _parameters(model: Model, part: str) -> tuple[int, Any]:
    """Returns the number of parameters and their shapes. Raises UserError if there are none."""
    name = f"model `{part}`"
    try:
        shapes = guarded(lambda: jax.eval_shape(model.init, jax.random.key(0)), name, model.init)
    except UserError as error:
        if isinstance(error.__cause__, OverflowError):
            message = f"{name} has a layer of more than 2^63 parameters"
            raise UserError(message, hint="use smaller layers") from None
        raise
    number = sum(math.prod(leaf.shape) for leaf in jax.tree.leaves(shapes))
    if number == 0:
        raise UserError(
            f"{name} has no parameters, expected at least one to train",
            hint="return a tree of arrays from `init`",
            part=part,
        )
    return number, shapes


def _needs(run: Run, parameters: int) -> Iterator[Need]:
    """Yields the arrays whose sizes follow from the number of parameters and the config."""
    vector = _FLOAT * parameters
    yield Need("training", _TRAINING_COPIES * vector, "use a smaller model")
    order = _ORDER_COPIES * _FLOAT * (run.steps + 1) * run.batch_size
    yield Need("the order of the examples", order, "use fewer `steps`, or a smaller `batch_size`")
    checkpoints = checkpoint_count(run)
    yield Need(f"{checkpoints} checkpoints", checkpoints * vector, "use fewer `checkpoints`")
    if run.curvature is not None:
        basis = min(run.curvature.iterations, parameters)
        yield Need(f"{basis} vectors of Lanczos", basis * vector, "use fewer `iterations`")
    for part in [] if run.slices is None else run.slices.directions():
        index = part.options.get("index", 1)
        if part.name == "eigenvector" and isinstance(index, int):
            basis = min(2 * index, parameters)
            yield Need(f"{basis} vectors of Lanczos", basis * vector, "use a smaller `index`")
    yield from _slice_needs(run, vector, parameters)


def _slice_needs(run: Run, vector: int, parameters: int) -> Iterator[Need]:
    if run.slices is None:
        return
    for lines in run.slices.lines or ():
        count = lines.draws(lines.direction or run.slices.direction)
        yield Need(f"the directions of {count} lines", count * vector, "use fewer `directions`")
    for planes in run.slices.planes or ():
        axes = planes.axes or (run.slices.direction,) * 2
        draws = 1 if {axis.name for axis in axes} <= set(COMPUTED) else planes.draws or 1
        arrays = f"the directions of {draws} planes"
        yield Need(arrays, 2 * draws * vector, "use fewer `draws`")
        basis = min(planes.eigenvalues or 0, parameters)
        yield Need(f"{basis} vectors of Lanczos", basis * vector, "use fewer `eigenvalues`")


def _activations(run: Run, model: Model, data: Dataset, shapes: Any) -> Need:
    """Returns the largest array between the layers of the model, for the largest batch."""
    inputs = data.train.inputs
    tested = min(len(data.test.targets), run.evaluation.batch_size) if run.judged else 0
    trained = run.batch_size if run.point is None else 1
    batch = max(trained, tested, *evaluation_batch_sizes(run, data))
    name = f"model `{run.model.name}`"
    example = jax.tree.map(
        lambda array: jax.ShapeDtypeStruct((batch, *array.shape[1:]), array.dtype), inputs
    )
    state = guarded(lambda: jax.eval_shape(model.init_state, jax.random.key(0)), name, model.init)
    program = guarded(
        lambda: jax.make_jaxpr(model.predict)(shapes, example, state), name, model.apply
    )
    sizes = [
        math.prod(variable.aval.shape) * variable.aval.dtype.itemsize
        for equation in program.eqns
        for variable in equation.outvars
        if hasattr(variable.aval, "dtype")
    ]
    arrays = f"the largest layer for a batch of {batch} examples"
    hint = "use smaller layers, or a smaller `batch_size` or `evaluation.batch_size`"
    return Need(arrays, max(sizes, default=0), hint)
