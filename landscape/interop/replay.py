"""Replays a record with jax.numpy: the values of a torch loss and torch's own gradient."""

import functools
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from landscape.errors import UserError
from landscape.interop import ragged_rules
from landscape.interop.aten_record import (
    Constant,
    Count,
    Overlay,
    Record,
    Step,
    TensorType,
    Variable,
)
from landscape.interop.code_positions import call_at, place_of
from landscape.interop.operations import (
    elementwise_rules,
    indexing_rules,
    linear_algebra_rules,
    pooling_rules,
    product_rules,
    reduction_rules,
    resampling_rules,
    shape_rules,
)
from landscape.interop.ragged_rules import Ragged
from landscape.interop.target_reads import Unresolved
from landscape.interop.torch_arrays import jax_dtype

Array = Any
RULES: dict[str, Callable[..., Any]] = {
    **elementwise_rules.RULES,
    **indexing_rules.RULES,
    **linear_algebra_rules.RULES,
    **pooling_rules.RULES,
    **product_rules.RULES,
    **reduction_rules.RULES,
    **resampling_rules.RULES,
    **shape_rules.RULES,
}
# Keywords of operations that do not affect the values, or that the types of the results state.
_IGNORED = {"dtype", "layout", "device", "pin_memory", "non_blocking", "memory_format"}


class Replay(NamedTuple):
    """The records of a loss for inputs of one shape and dtype, one per outcome on the targets."""

    records: tuple[Record, ...]

    @property
    def first(self) -> Record:
        """A record; all have the same results."""
        return self.records[0]

    def values(self, inputs: Sequence[Array]) -> list[Array]:
        """Returns what the loss returns."""
        return values(self.records, inputs)

    def gradients(self, inputs: Sequence[Array], cotangents: Sequence[Array]) -> list[Array]:
        """Returns torch's gradients with respect to the differentiated inputs."""
        return gradients(self.records, inputs, cotangents)


def values(records: Sequence[Record], inputs: Sequence[Array]) -> list[Array]:
    """Returns what the loss returns for inputs of the shapes of the records.

    The records differ in the outcomes of conditions on the targets.
    """
    return _switched(records, inputs, _values)


def gradients(
    records: Sequence[Record], inputs: Sequence[Array], cotangents: Sequence[Array]
) -> list[Array]:
    """Returns torch's gradients with respect to the differentiated inputs.

    `cotangents` has one per result; those of results without a gradient are ignored.
    """
    return _switched(records, inputs, _gradients, cotangents)


def _switched(
    records: Sequence[Record], inputs: Sequence[Array], evaluate: Callable[..., Any], *others: Any
) -> list[Array]:
    """Returns what the record returns whose conditions on the targets hold."""
    if len(records) == 1:
        return list(evaluate(records[0], inputs, *others))
    branches = [
        lambda *arrays, record=record: tuple(evaluate(record, *arrays)) for record in records
    ]
    if _are_complete(records):
        holds = [_holds(record, inputs) for record in records[:-1]]  # the last if no other does
    else:
        shapes = jax.eval_shape(branches[0], list(inputs), *others)
        branches.append(lambda *_: tuple(jnp.full(s.shape, jnp.nan, s.dtype) for s in shapes))
        holds = [_holds(record, inputs) for record in records]
    index = jnp.argmax(jnp.stack([*holds, jnp.asarray(True)]))
    return list(lax.switch(index, branches, list(inputs), *others))


def _are_complete(records: Sequence[Record]) -> bool:
    """Returns whether the records hold for all outcomes, each of which is one leaf of a tree."""
    return sum(0.5 ** len(record.decisions) for record in records) == 1


def _holds(record: Record, inputs: Sequence[Array]) -> Array:
    arrays = dict(zip(record.inputs, inputs, strict=True))
    wanted = [decision.value for decision in record.decisions]
    types = [TensorType((), np.dtype(bool))] * len(wanted)
    tests = _replay(record, wanted, types, arrays, masks=False)
    met = [
        jnp.any(test) == decision.outcome
        for test, decision in zip(tests, record.decisions, strict=True)
    ]
    return functools.reduce(jnp.logical_and, met, jnp.asarray(True))


def _values(record: Record, inputs: Sequence[Array]) -> list[Array]:
    arrays = dict(zip(record.inputs, inputs, strict=True))
    return _replay(record, record.results, record.result_types, arrays)


def _gradients(record: Record, inputs: Sequence[Array], cotangents: Sequence[Array]) -> list[Array]:
    arrays = dict(zip(record.inputs, inputs, strict=True))
    pairs = zip(record.cotangents, cotangents, strict=True)
    arrays |= {number: array for number, array in pairs if number is not None}
    wanted = [value for value in record.gradients if value is not None]
    inputs_of = dict(zip(record.inputs, inputs, strict=True))
    zeros = [jnp.zeros_like(inputs[position]) for position in record.differentiated]
    if not wanted:
        return zeros
    types = [
        TensorType(z.shape, np.dtype(z.dtype))
        for z, value in zip(zeros, record.gradients, strict=True)
        if value is not None
    ]
    replayed = iter(_replay(record, wanted, types, arrays | inputs_of))
    return [
        zero if value is None else next(replayed)
        for zero, value in zip(zeros, record.gradients, strict=True)
    ]


def largest_intermediate(
    record: Record, inputs: Sequence[Array], cotangents: Sequence[Array]
) -> Array:
    """Returns the largest finite number that occurs while the gradients are computed."""
    arrays = dict(zip(record.inputs, inputs, strict=True))
    pairs = zip(record.cotangents, cotangents, strict=True)
    arrays |= {number: array for number, array in pairs if number is not None}
    wanted = [value for value in record.gradients if value is not None]
    _replay(record, wanted, [], arrays, strict=False)
    sizes = [jnp.abs(jnp.asarray(array)).astype(float) for array in arrays.values()]
    largest = [jnp.max(size, initial=0, where=jnp.isfinite(size)) for size in sizes]
    return jnp.max(jnp.stack(largest))


def check_rules(record: Record) -> None:
    """Raises UserError if an operation of the record has no rule, at its line."""
    for step in record.steps_of((*record.results, *record.gradients)):
        if record.sites and step.operation in ragged_rules.SELECTING:
            continue
        if isinstance(step.operation, str) and step.operation not in RULES:
            raise UserError(
                f"uses the operation aten::{step.operation}, which has no counterpart here",
                place=place_of(step.position),
                hint="write it with other torch operations",
            )


def _replay(
    record: Record,
    wanted: Sequence[Any],
    types: Sequence[TensorType],
    arrays: dict[int, Array],
    *,
    masks: bool = True,
    strict: bool = True,
) -> list[Array]:
    # Torch broadcasts ranks and promotes dtypes, whatever JAX is configured to do.
    with jax.numpy_rank_promotion("allow"), jax.numpy_dtype_promotion("standard"):
        for step in record.steps_of(wanted, masks=masks):
            arrays |= dict(zip(step.outputs, _perform(record, step, arrays), strict=True))
    results = [jnp.asarray(_argument(value, arrays)) for value in wanted]
    return [_converted(r, kind.dtype) for r, kind in zip(results, types, strict=strict)]


def _perform(record: Record, step: Step, arrays: dict[int, Array]) -> list[Array]:
    """Returns the results of a step, traced at the user's position."""
    arguments = [_argument(value, arrays) for value in step.arguments]
    keywords = {
        name: _argument(value, arrays)
        for name, value in step.keywords.items()
        if name not in _IGNORED
    }

    ragged = _ragged(record, step, arrays)

    def perform() -> list[Array]:
        if isinstance(step.operation, Overlay):
            returned = _overlay(step.operation, *arguments)
        elif ragged is not None:
            rule = RULES.get(step.operation, _unknown)
            returned = ragged_rules.perform(step.operation, rule, ragged, arguments, keywords)
        else:
            returned = RULES[step.operation](*arguments, **keywords)
        several = returned if isinstance(returned, tuple | list) else [returned]
        typed = zip(several, step.types, strict=False)
        return [_converted(array, kind.dtype) for array, kind in typed]

    try:
        return call_at(step.position, perform)
    except UserError as error:
        place = error.place or place_of(step.position)
        raise UserError(error.message, place=place, hint=error.hint) from None


def _unknown(*_: Any) -> Any:
    raise Unresolved


def _ragged(record: Record, step: Step, arrays: dict[int, Array]) -> Ragged | None:
    """Returns the ragged axes of a step; None if it has none and selects by no mask."""
    if not record.sites:
        return None
    flat: list[Any] = []
    for argument in step.arguments:
        flat += (
            argument
            if isinstance(argument, tuple | list) and not _is_number(argument)
            else [argument]
        )
    axes = [_axes_of(record, value) for value in flat]
    result = record.axes.get(step.outputs[0], {}) if step.outputs else {}
    if not any(axes) and not result and step.operation not in ragged_rules.SELECTING:
        return None
    shape = step.types[0].shape
    return Ragged(axes, result, shape, lambda mask: arrays[mask.number])


def _axes_of(record: Record, value: Any) -> Any:
    if isinstance(value, Variable):
        return record.axes.get(value.number, {})
    return value.axes if isinstance(value, Constant) else {}


def _is_number(value: Any) -> bool:
    return isinstance(value, Count | Variable)


def _argument(value: Any, arrays: dict[int, Array]) -> Any:
    if isinstance(value, Variable):
        return arrays[value.number]
    if isinstance(value, Count):
        count = jnp.sum(arrays[value.mask.number] != 0)
        return value.multiple / count if value.inverse else value.multiple * count
    if isinstance(value, Constant):
        return value.array.astype(jax_dtype(value.array.dtype), copy=False)
    if isinstance(value, tuple | list):
        return [_argument(inner, arrays) for inner in value]
    return value


def _converted(array: Array, dtype: np.dtype) -> Array:
    array = jnp.asarray(array)
    kind = jax_dtype(dtype)
    return array if array.dtype == kind else lax.convert_element_type(array, kind)


def _overlay(overlay: Overlay, before: Array, written: Array) -> Array:
    """Returns the elements of a view after some of its memory was written."""
    size = int(max(overlay.view.max(), overlay.written.max())) + 1
    lookup = np.full(size, -1)
    lookup[overlay.written.ravel()] = np.arange(overlay.written.size)
    source = lookup[overlay.view]
    taken = jnp.take(jnp.ravel(written), np.maximum(source, 0))
    return jnp.where(source >= 0, taken, jax.numpy.asarray(before))
