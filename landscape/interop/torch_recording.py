"""Runs a torch loss once, forward and backward, and returns its record."""

import contextlib
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Any

import numpy as np
import torch
from torch.utils._pytree import tree_flatten

from landscape.errors import UserError
from landscape.interop import refusals
from landscape.interop.aten_record import Record, TensorType
from landscape.interop.aten_recorder import AtenRecorder
from landscape.interop.code_positions import call_loss
from landscape.interop.target_reads import TargetReads, Unresolved
from landscape.interop.torch_arrays import numpy_dtype
from landscape.interop.value_reader import ValueReader

Arguments = Sequence[torch.Tensor]


@contextlib.contextmanager
def unchanged_torch() -> Iterator[None]:
    """Leaves torch as it was: random states, the default dtype and whether gradients are on.

    Warnings of torch are those of its own calls, which the user sees in training.
    """
    default = torch.get_default_dtype()
    checking = torch.distributions.Distribution._validate_args
    with (
        warnings.catch_warnings(),
        torch.random.fork_rng(devices=[]),
        torch.enable_grad(),
    ):
        warnings.simplefilter("ignore")
        # A check would read the predictions, and changes no value.
        torch.distributions.Distribution.set_default_validate_args(False)
        try:
            yield
        finally:
            torch.set_default_dtype(default)
            torch.distributions.Distribution.set_default_validate_args(checking)


def record_loss(
    function: Callable[..., Any],
    inputs: Arguments,
    names: Sequence[str],
    options: Mapping[str, Any],
    differentiated: Sequence[int],
    reads: TargetReads | None = None,
    *,
    constant_targets: bool = False,
    precision: Callable[[], AbstractContextManager[Any]] = contextlib.nullcontext,
) -> Record:
    """Returns the record of `function(*inputs)`; the last inputs are passed by their `names`.

    `differentiated` are the positions of the inputs whose gradient is recorded too; with
    `constant_targets` the others are constants of the record. The loss runs within `precision()`.
    Raises UserError if the loss cannot be recorded, at its line.
    """
    with unchanged_torch():
        leaves = tuple(x.detach().requires_grad_(i in differentiated) for i, x in enumerate(inputs))
        recorder = AtenRecorder(leaves, differentiated, reads, constant_targets=constant_targets)
        count = len(leaves) - len(names)
        keywords = dict(zip(names, leaves[count:], strict=True))
        try:
            # Anomaly mode notes the user's line at each operation, for its backward pass. It is
            # slow, and the lines of a record are those of the first recording.
            notes_lines = reads is None or reads.is_first
            with (
                torch.autograd.set_detect_anomaly(notes_lines, check_nan=False),
                ValueReader(recorder),
                recorder,
                precision(),
            ):
                returned = call_loss(function, *leaves[:count], **keywords, **options)
            decides = reads is not None and bool(reads.decisions)
            if constant_targets or recorder.reads_targets or decides:
                returned = _number_as_tensor(returned, leaves[0])
            results, structure = _results(returned)
            trained = results[: _trained_count(returned, len(results))]
            chosen = [leaves[position] for position in differentiated]
            cotangents, gradients = _record_gradients(recorder, trained, chosen, precision)
        except (UserError, Unresolved):
            raise
        except Exception as error:
            raise refusals.exception_of_loss(error) from error
        return Record(
            inputs=recorder.inputs,
            steps=tuple(recorder.steps),
            results=tuple(map(recorder.value, results)),
            result_types=tuple(TensorType(tuple(t.shape), numpy_dtype(t.dtype)) for t in results),
            structure=structure,
            differentiated=tuple(differentiated),
            gradients=gradients,
            cotangents=cotangents + (None,) * (len(results) - len(trained)),
            scalars=tuple(sorted(recorder.scalars)),
            reads_targets=recorder.reads_targets,
            decisions=tuple(reads.decisions) if reads else (),
            sites=tuple(reads.sites.values()) if reads else (),
        )


def _number_as_tensor(returned: Any, first: torch.Tensor) -> Any:
    """Returns a tensor for a number that a loss returns for some targets, such as 0.0."""
    if isinstance(returned, int | float) and not isinstance(returned, bool):
        return torch.tensor(float(returned), dtype=first.dtype)
    return returned


def _results(returned: Any) -> tuple[list[torch.Tensor], Any]:
    """Returns the tensors that a loss returns, and how it returns them."""
    results, structure = tree_flatten(returned)
    if returned is None:
        raise UserError("returns None, not a tensor", hint="is a `return` missing?")
    for result in results:
        if not isinstance(result, torch.Tensor):
            kind = type(result).__name__
            raise UserError(f"returns {kind}, not a tensor", hint="return the tensor itself")
    return results, structure


def _trained_count(returned: Any, count: int) -> int:
    """Returns how many of the results have a gradient: of `(loss, metrics)` the loss alone."""
    if isinstance(returned, tuple) and len(returned) == 2 and isinstance(returned[1], dict):
        return len(tree_flatten(returned[0])[0])
    return count


def _record_gradients(
    recorder: AtenRecorder,
    results: Sequence[torch.Tensor],
    inputs: Sequence[torch.Tensor],
    precision: Callable[[], AbstractContextManager[Any]],
) -> tuple[tuple[int | None, ...], tuple[Any, ...]]:
    """Returns the cotangents of the results, and the gradients with respect to the inputs."""
    if not inputs:
        return (None,) * len(results), ()
    cotangents: list[int | None] = [None] * len(results)
    differentiable, weights = [], []
    for position, result in enumerate(results):
        if result.requires_grad:
            weight = torch.ones_like(result)
            cotangents[position] = recorder.add_input(weight)
            differentiable.append(result)
            weights.append(weight)
    if not differentiable:
        return tuple(cotangents), (None,) * len(inputs)
    with recorder, precision():
        tensors = call_loss(
            torch.autograd.grad, differentiable, list(inputs), weights, allow_unused=True
        )
    return tuple(cotangents), tuple(
        None if tensor is None else recorder.value(tensor) for tensor in tensors
    )


def example_inputs(shapes: Sequence[tuple[int, ...]], dtypes: Sequence[torch.dtype]) -> list:
    """Returns tensors for the first run of a loss: 0.5 first, then targets of 0 and 1."""
    inputs = []
    for position, (shape, dtype) in enumerate(zip(shapes, dtypes, strict=True)):
        values = np.full(shape, 0.5 if position == 0 else 0.0)
        if position and dtype.is_floating_point:
            values.reshape(-1)[::2] = 1.0
        inputs.append(torch.tensor(values).to(dtype))
    return inputs
