"""Records the ATen operations of a loss while torch runs it."""

import sys
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves, tree_map

from landscape.interop import refusals
from landscape.interop.aten_record import (
    CodePosition,
    Constant,
    Overlay,
    Step,
    TensorType,
    Variable,
)
from landscape.interop.code_positions import PositionFinder
from landscape.interop.torch_arrays import numpy_dtype, to_array
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
_DATA = torch.Tensor.data.__get__
# Operations with numbers at which they switch.
_SWITCHING = {"clamp", "clamp_min", "clamp_max", "gt", "ge", "lt", "le", "eq", "maximum", "minimum"}
_SWITCHING |= {"threshold", "hardtanh", "huber_loss", "smooth_l1_loss", "where", "sub", "add"}


class AtenRecorder(TorchDispatchMode):
    """While active, records each operation on tensors that depend on the inputs."""

    def __init__(self, inputs: Sequence[torch.Tensor]) -> None:
        super().__init__()
        self.steps: list[Step] = []
        self.scalars: set[float] = set()
        self.positions = PositionFinder()
        self._kept: list[torch.Tensor] = []  # an id is unique only while its tensor lives
        self._numbers: dict[int, int] = {}
        self._dependent: set[int] = set()
        self._dtypes = {tensor.dtype for tensor in inputs}
        self._count = 0
        self.inputs = tuple(self.add_input(tensor) for tensor in inputs)

    def add_input(self, tensor: torch.Tensor) -> int:
        """Returns the number of a tensor on which what follows depends."""
        return self._register(tensor, dependent=True)

    def depends(self, tensor: Any) -> bool:
        """Returns whether a value is a tensor that depends on the inputs."""
        return self._numbers.get(id(tensor)) in self._dependent

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
        dependent = any(map(self.depends, tree_leaves((args, kwargs))))
        changes = operation._schema.is_mutable
        if torch.Tag.nondeterministic_seeded in operation.tags:
            refusals.check_operation(operation, position)
        if not dependent or (operation in _OF_SHAPES and not changes):
            return self._run_constant(operation, args, kwargs)
        self._check(operation, args, position)
        decomposition = None if changes else decompositions().get(operation)
        if decomposition is not None:
            with _Inside(self, position):
                result = decomposition(*args, **kwargs)
            if result is not NotImplemented:
                return result
        arguments, keywords = tree_map(self.value, args), tree_map(self.value, kwargs)
        self._note_scalars(operation, args)
        result = operation(*args, **kwargs)
        if changes:
            self._record_change(operation, args, arguments, keywords, position)
            return result
        tensors = [t for t in tree_leaves(result) if isinstance(t, torch.Tensor)]
        refusals.check_precision(operation, tensors, self._dtypes, position)
        numbers = tuple(self._register(tensor, dependent=True) for tensor in tensors)
        types = tuple(map(_type_of, tensors))
        name = operation._opname
        if name == "as_strided":
            name, arguments = _strided(args[0], result, arguments[0], position)
        self.steps.append(Step(name, arguments, keywords, numbers, types, position))
        return result

    def _run_constant(self, operation: Any, args: tuple, kwargs: dict) -> Any:
        result = operation(*args, **kwargs)
        if "empty" in operation._opname:
            result.zero_()  # what it holds is not the same each time
        for tensor in tree_leaves(result):
            if isinstance(tensor, torch.Tensor) and id(tensor) not in self._numbers:
                self._register(tensor, dependent=False)
        return result

    def _register(self, tensor: torch.Tensor, *, dependent: bool) -> int:
        self._kept.append(tensor)
        self._numbers[id(tensor)] = self._new_number(dependent=dependent)
        return self._numbers[id(tensor)]

    def _new_number(self, *, dependent: bool) -> int:
        self._count += 1
        if dependent:
            self._dependent.add(self._count)
        return self._count

    def _check(self, operation: Any, args: tuple, position: CodePosition | None) -> None:
        refusals.check_operation(operation, position)
        if operation._opname in ("index", "index_put", "index_put_"):
            masks = [i for i in args[1] if i is not None and i.dtype in (torch.bool, torch.uint8)]
            if any(map(self.depends, masks)) and operation._opname == "index":
                what = "selects elements with a mask, so that their number depends on its arguments"
                raise refusals.refusal(what, refusals.WHERE, position)

    def _note_scalars(self, operation: Any, args: tuple) -> None:
        if operation._opname in _SWITCHING:
            leaves = tree_leaves(args)
            self.scalars |= {float(v) for v in leaves if isinstance(v, int | float)}
            small = [v for v in leaves if isinstance(v, torch.Tensor) and v.numel() == 1]
            self.scalars |= {float(to_array(v).item()) for v in small if not self.depends(v)}

    def _record_change(
        self, operation: Any, args: tuple, arguments: tuple, keywords: dict, position: Any
    ) -> None:
        """Records an operation in place: new values of a tensor and of all views of its memory."""
        target = args[0]
        name = operation._opname
        name = _RETURNING.get(name, name.removesuffix("_"))
        number = self._new_number(dependent=True)
        step = Step(name, arguments, keywords, (number,), (_type_of(target),), position)
        self.steps.append(step)
        written = _positions_in_memory(target)
        storage = target.untyped_storage()._cdata
        for tensor in self._kept:
            if tensor.untyped_storage()._cdata != storage:
                continue
            view = _positions_in_memory(tensor)
            if view.shape == written.shape and np.array_equal(view, written):
                self._numbers[id(tensor)] = number
            elif np.intersect1d(view, written).size:
                overlay = Overlay(view, written)
                before, after = self.value(tensor), self._new_number(dependent=True)
                values = before, Variable(number)
                types = (_type_of(tensor),)
                self.steps.append(Step(overlay, values, {}, (after,), types, position))
                self._numbers[id(tensor)] = after


class _Inside(TorchDispatchMode):
    """Operations of a decomposition have the position of the operation that is decomposed."""

    def __init__(self, recorder: AtenRecorder, position: CodePosition | None) -> None:
        super().__init__()
        self._recorder, self._position = recorder, position

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple = (), kwargs: dict | None = None
    ) -> Any:
        return self._recorder.perform(func, args, kwargs or {}, self._position)


class ValueReader(TorchFunctionMode):
    """Rejects functions that hand values to NumPy, and replaces those that leave no record."""

    _LEAVING = (
        torch.Tensor.numpy,
        torch.Tensor.tolist,
        torch.Tensor.__array__,
        torch.Tensor.data_ptr,
        torch.Tensor.__dlpack__,
    )

    def __init__(self, recorder: AtenRecorder) -> None:
        super().__init__()
        self._recorder = recorder

    def __torch_function__(
        self, func: Callable, types: Any, args: tuple = (), kwargs: dict | None = None
    ) -> Any:
        kwargs = kwargs or {}
        if func in self._LEAVING and self._recorder.depends(args[0]):
            raise refusals.leaves_torch(self._recorder.positions.position(sys._getframe(1)))
        if func is _DATA:
            return args[0].detach()  # `x.data` would leave no record
        if func is torch.nn.functional.one_hot:
            return _one_hot(func, *args, **kwargs)
        return func(*args, **kwargs)


def _one_hot(function: Callable, tensor: torch.Tensor, num_classes: int = -1) -> torch.Tensor:
    """Returns the one-hot tensor of labels; torch itself would first read their least value."""
    if num_classes < 0:
        result: torch.Tensor = function(tensor, num_classes)
        return result
    return (tensor.unsqueeze(-1) == torch.arange(num_classes)).long()


def _type_of(tensor: torch.Tensor) -> TensorType:
    try:
        return TensorType(tuple(tensor.shape), numpy_dtype(tensor.dtype))
    except KeyError:
        what = f"computes with {str(tensor.dtype).removeprefix('torch.')} tensors"
        raise refusals.refusal(what, "use real floating-point tensors") from None


def _strided(
    source: torch.Tensor, result: torch.Tensor, value: Any, position: CodePosition | None
) -> tuple[Overlay, tuple[Any, ...]]:
    """Returns the operation that reads a view of the memory of another tensor."""
    overlay = Overlay(_positions_in_memory(result), _positions_in_memory(source))
    if np.setdiff1d(overlay.view, overlay.written).size:
        what = "reads memory outside of a tensor (as_strided)"
        raise refusals.refusal(what, "use slices of the tensor", position)
    zeros = Constant(np.zeros(tuple(result.shape), numpy_dtype(result.dtype)))
    return overlay, (zeros, value)


def _positions_in_memory(tensor: torch.Tensor) -> np.ndarray:
    """Returns the position of each element in the memory that a tensor views."""
    size = tensor.untyped_storage().nbytes() // tensor.element_size()
    geometry = tensor.shape, tensor.stride(), tensor.storage_offset()
    positions: np.ndarray = torch.arange(size).as_strided(*geometry).numpy()
    return positions
