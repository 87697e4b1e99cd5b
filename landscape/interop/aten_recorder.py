"""Records the ATen operations of a loss while torch runs it."""

import functools
import sys
from collections.abc import Callable, Hashable, Sequence
from typing import Any

import numpy as np
import torch
from torch.utils._pytree import tree_leaves, tree_map

from landscape.errors import UserError
from landscape.interop import refusals
from landscape.interop.aten_record import (
    CodePosition,
    Constant,
    Overlay,
    Step,
    Variable,
)
from landscape.interop.code_positions import PositionFinder
from landscape.interop.dispatch_mode import DispatchMode
from landscape.interop.index_masks import aligned, is_mask, positions_of
from landscape.interop.memory_views import positions_in_memory, strided, type_of
from landscape.interop.target_reads import TargetReads, Unresolved
from landscape.interop.torch_arrays import to_array
from landscape.interop.torch_decompositions import decompositions

_ATEN = torch.ops.aten
# Operations whose result depends on the shape of their first argument only.
_OF_SHAPES = {
    getattr(_ATEN, name).default
    for name in (
        "empty_like",
        "new_empty",
        "new_empty_strided",
        "new_ones",
        "new_zeros",
        "ones_like",
        "zeros_like",
    )
}
# The operation that returns what an operation on its argument writes there, by the ATen names.
_RETURNING = {"copy_": "copy", "zero_": "zeros_like", "fill_": "full_like"}
_INDEXING = ("index", "index_put", "index_put_")
# Operations with numbers at which they switch.
_SWITCHING = {"clamp", "clamp_min", "clamp_max", "gt", "ge", "lt", "le", "eq", "maximum", "minimum"}
_SWITCHING |= {"threshold", "hardtanh", "huber_loss", "smooth_l1_loss", "where", "sub", "add"}


class AtenRecorder(DispatchMode):
    """While active, records each operation on tensors that depend on the inputs.

    A tensor that depends on the targets alone may be read by Python: `reads` then has what Python
    gets. Without `reads` it is the tensor's value, the record holds for these targets only, and
    `reads_targets` is the error for programs that must hold for all; with `constant_targets` they
    are constants of the record. Raises UserError where Python reads a tensor that depends on the
    `predictions`, given by their positions.
    """

    def __init__(
        self,
        inputs: Sequence[torch.Tensor],
        predictions: Sequence[int],
        reads: TargetReads | None = None,
        *,
        constant_targets: bool = False,
    ) -> None:
        super().__init__()
        self.steps: list[Step] = []
        self.scalars: set[float] = set()
        self.positions = PositionFinder()
        self._kept: list[torch.Tensor] = []  # an id is unique only while its tensor lives
        self._numbers: dict[int, int] = {}
        self._dependent: set[int] = set()
        self._predicted: set[int] = set()  # those that depend on the predictions
        self.reads = reads
        self.reads_targets: UserError | None = None
        self._keys: dict[int, Hashable] = {}  # what a tensor of the targets is, by its operations
        self._dtypes = {tensor.dtype for tensor in inputs}
        self.no_grad: CodePosition | None = None  # of the `torch.no_grad()` that is in effect
        self.skips_checks = False  # whether torch only checks what it reads
        self.detaches = False  # whether `.detach()` or `.data` runs
        self._count = 0
        self._constant_targets = constant_targets
        self.inputs = tuple(
            self._register(
                tensor,
                dependent=position in predictions or not constant_targets,
                predicted=position in predictions,
            )
            for position, tensor in enumerate(inputs)
        )

    def add_input(self, tensor: torch.Tensor) -> int:
        """Returns the number of a tensor on which what follows depends."""
        return self._register(tensor, dependent=True, predicted=True)

    def stand_in(self, tensor: torch.Tensor, for_tensor: torch.Tensor) -> None:
        """Registers a tensor that has the values of another one."""
        self._kept.append(tensor)
        self._numbers[id(tensor)] = self._numbers[id(for_tensor)]

    def depends(self, tensor: Any) -> bool:
        """Returns whether a value is a tensor that depends on the inputs."""
        return self._numbers.get(id(tensor)) in self._dependent

    def is_predicted(self, tensor: Any) -> bool:
        """Returns whether a value is a tensor that depends on the predictions."""
        return self._numbers.get(id(tensor)) in self._predicted

    def value(self, tensor: Any) -> Any:
        """Returns a tensor as a variable or a constant of the record; other values unchanged."""
        if not isinstance(tensor, torch.Tensor):
            return tensor
        if self.depends(tensor):
            return Variable(self._numbers[id(tensor)])
        return Constant(to_array(tensor))

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple = (), kwargs: dict | None = None
    ) -> Any:
        position = self.positions.position(sys._getframe(1))
        return self.perform(func, args, kwargs or {}, position)

    def perform(
        self, operation: Any, args: tuple, kwargs: dict, position: CodePosition | None
    ) -> Any:
        """Runs an operation, and records it if it depends on the inputs."""
        leaves = tree_leaves((args, kwargs))
        dependent = any(map(self.depends, leaves))
        predicted = any(map(self.is_predicted, leaves))
        changes = operation._schema.is_mutable
        if torch.Tag.nondeterministic_seeded in operation.tags:
            raise refusals.draws_random_numbers(position)
        if not dependent or (operation in _OF_SHAPES and not changes):
            return self._run_constant(operation, args, kwargs)
        if operation._opname == "native_batch_norm" and args[5]:
            args = (*args[:3], None, None, True, 0.0, *args[7:])  # running statistics do not matter
        self._check(operation, args, position)
        if operation._opname == "masked_select" and (
            self._constant_targets or self.reads_symbolically(args[1])
        ):
            with _Inside(self, position):
                return _ATEN.index.Tensor(*aligned(*args))
        if self._constant_targets and operation._opname in _INDEXING:
            args = (args[0], positions_of(args[1]), *args[2:])
        decomposition = None if changes else decompositions().get(operation)
        if decomposition is not None:
            with _Inside(self, position):
                result = decomposition(*args, **kwargs)
            if result is not NotImplemented:
                return result
        no_grad = position if torch.is_inference_mode_enabled() else self.no_grad
        argument = functools.partial(self._argument, no_grad=no_grad)
        arguments, keywords = tree_map(argument, args), tree_map(argument, kwargs)
        self._note_scalars(operation, args)
        result = operation(*self._selecting(operation, args), **kwargs)
        if changes:
            self._record_change(operation, args, arguments, keywords, position, predicted)
            return result
        tensors = [t for t in tree_leaves(result) if isinstance(t, torch.Tensor)]
        refusals.check_precision(operation, tensors, self._dtypes, position)
        numbers = tuple(
            self._register(tensor, dependent=True, predicted=predicted) for tensor in tensors
        )
        types = tuple(map(type_of, tensors))
        name = "detach" if self.detaches else operation._opname
        if name == "as_strided":
            name, arguments = strided(args[0], result, arguments[0], position)
        self.steps.append(Step(name, arguments, keywords, numbers, types, position))
        if not predicted:
            self._note_keys(name, arguments, keywords, numbers)
        return result

    def _argument(self, tensor: Any, no_grad: CodePosition | None) -> Any:
        """Returns the value of an argument, detached where `torch.no_grad()` cuts its gradient."""
        value = self.value(tensor)
        if no_grad is None or not self.is_predicted(tensor) or not tensor.requires_grad:
            return value
        number = self._new_number(dependent=True, predicted=True)
        step = Step("detach", (value,), {}, (number,), (type_of(tensor),), no_grad)
        self.steps.append(step)
        return Variable(number)

    def _note_keys(
        self, name: Any, arguments: tuple, keywords: dict, numbers: Sequence[int]
    ) -> None:
        values = tree_leaves((arguments, sorted(keywords.items())), is_leaf=_is_value)
        inputs = tuple(map(self.key_of, values))
        for output, number in enumerate(numbers):
            self._keys[number] = hash((str(name), inputs, output))

    def key_of(self, value: Any) -> Hashable:
        """Returns the key of a tensor by its value in the record."""
        if isinstance(value, Variable):
            return self._keys.get(value.number, value)
        return (value.array.shape, value.array.tobytes()) if _is_value(value) else str(value)

    def key(self, tensor: torch.Tensor) -> Hashable:
        """Returns a key that tensors have in common that are computed alike from the targets."""
        return self.key_of(self.value(tensor))

    def _selecting(self, operation: Any, args: tuple) -> tuple:
        """Returns arguments in which masks of the targets select as the recording wants."""
        if self.reads is None:
            return args
        if operation._opname == "nonzero":
            return (self._mask(args[0]), *args[1:])
        if operation._opname in ("masked_scatter", "masked_scatter_"):
            return (args[0], self._mask(args[1]), *args[2:])
        if operation._opname in _INDEXING:
            indices = [self._mask(i) if is_mask(i) else i for i in args[1]]
            return (args[0], indices, *args[2:])
        return args

    def _mask(self, tensor: torch.Tensor) -> torch.Tensor:
        if self.reads is None or not self.depends(tensor) or self.is_predicted(tensor):
            return tensor
        value = self.value(tensor)
        count = self.reads.count(self.key(tensor), value, tensor.numel())
        return (torch.arange(tensor.numel()) < count).reshape(tensor.shape)

    def _run_constant(self, operation: Any, args: tuple, kwargs: dict) -> Any:
        result = operation(*args, **kwargs)
        if "empty" in operation._opname:
            result.zero_()  # what it holds is not the same each time
        for tensor in tree_leaves(result):
            if isinstance(tensor, torch.Tensor) and id(tensor) not in self._numbers:
                self._register(tensor, dependent=False)
        return result

    def _register(self, tensor: torch.Tensor, *, dependent: bool, predicted: bool = False) -> int:
        self._kept.append(tensor)
        number = self._new_number(dependent=dependent, predicted=predicted)
        self._numbers[id(tensor)] = number
        return number

    def _new_number(self, *, dependent: bool, predicted: bool) -> int:
        self._count += 1
        if dependent:
            self._dependent.add(self._count)
        if predicted:
            self._predicted.add(self._count)
        return self._count

    def reads_symbolically(self, tensor: Any) -> bool:
        """Returns whether a value depends on the targets alone, and what is read of it is noted."""
        return self.reads is not None and self.depends(tensor) and not self.is_predicted(tensor)

    def note_read(self, tensors: Sequence[Any], refuse: Callable[[], UserError]) -> None:
        """Notes that Python, or the shape of a result, depends on the values of tensors."""
        if self.skips_checks:
            return
        if any(map(self.is_predicted, tensors)):
            raise refuse()
        if any(map(self.depends, tensors)):
            if self.reads is not None:
                raise Unresolved
            place = refuse().place
            self.reads_targets = self.reads_targets or refusals.reads_targets(place)

    def _check(self, operation: Any, args: tuple, position: CodePosition | None) -> None:
        refuse = refusals.reading(operation, position)
        if refuse is None:
            return
        tensors = _tensors_read(operation, args)
        selects = operation._opname in ("index", "nonzero")
        if selects and any(map(self.reads_symbolically, tensors)):
            return
        self.note_read(tensors, refuse)

    def _note_scalars(self, operation: Any, args: tuple) -> None:
        if operation._opname in _SWITCHING:
            leaves = tree_leaves(args)
            self.scalars |= {float(v) for v in leaves if isinstance(v, int | float)}
            small = [v for v in leaves if isinstance(v, torch.Tensor) and v.numel() == 1]
            self.scalars |= {float(to_array(v).item()) for v in small if not self.depends(v)}

    def _record_change(
        self,
        operation: Any,
        args: tuple,
        arguments: tuple,
        keywords: dict,
        position: Any,
        predicted: bool,
    ) -> None:
        """Records an operation in place: new values of a tensor and of all views of its memory."""
        target = args[0]
        name = operation._opname
        name = _RETURNING.get(name, name.removesuffix("_"))
        number = self._new_number(dependent=True, predicted=predicted)
        step = Step(name, arguments, keywords, (number,), (type_of(target),), position)
        self.steps.append(step)
        if not predicted:
            self._note_keys(name, arguments, keywords, (number,))
        written = positions_in_memory(target)
        storage = target.untyped_storage()._cdata
        for tensor in self._kept:
            if tensor.untyped_storage()._cdata != storage:
                continue
            view = positions_in_memory(tensor)
            if view.shape == written.shape and np.array_equal(view, written):
                self._numbers[id(tensor)] = number
            elif np.intersect1d(view, written).size:
                overlay = Overlay(view, written)
                inherited = predicted or self.is_predicted(tensor)
                after = self._new_number(dependent=True, predicted=inherited)
                before = self.value(tensor)
                values = before, Variable(number)
                types = (type_of(tensor),)
                self.steps.append(Step(overlay, values, {}, (after,), types, position))
                self._numbers[id(tensor)] = after


class _Inside(DispatchMode):
    """Operations of a decomposition have the position of the operation that is decomposed."""

    def __init__(self, recorder: AtenRecorder, position: CodePosition | None) -> None:
        super().__init__()
        self._recorder, self._position = recorder, position

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple = (), kwargs: dict | None = None
    ) -> Any:
        return self._recorder.perform(func, args, kwargs or {}, self._position)


def _is_value(value: Any) -> bool:
    return isinstance(value, Variable | Constant)


def _tensors_read(operation: Any, args: tuple) -> list[torch.Tensor]:
    """Returns the tensors whose values determine the shape or the Python value of a result."""
    if operation._opname == "index":
        return [i for i in args[1] if is_mask(i)]
    if operation._opname == "masked_select":
        return [args[1]]
    return [leaf for leaf in tree_leaves(args) if isinstance(leaf, torch.Tensor)]
