"""Runs the functions of torch that read values, or that would leave no record."""

import sys
from collections.abc import Callable
from typing import Any

import torch
from torch.overrides import TorchFunctionMode

from landscape.interop import refusals
from landscape.interop.aten_recorder import AtenRecorder
from landscape.interop.code_positions import decorated_position
from landscape.interop.target_reads import Unresolved, nonempty_mask

# `x.data` would leave no record.
_DETACHING = (torch.Tensor.data.__get__, torch.Tensor.detach, torch.detach)


class _Number(torch.Tensor):
    """A tensor in place of a number that Python reads, which a set or a dict would look up."""

    __torch_function__ = torch._C._disabled_torch_function_impl

    def __hash__(self) -> int:
        raise Unresolved


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
        if func in self._LEAVING:
            position = self._recorder.positions.position(sys._getframe(1))
            self._recorder.note_read(args[:1], lambda: refusals.leaves_torch(position))
        if args and self._recorder.reads_symbolically(args[0]):
            read = self._read(func, *args, **kwargs)
            if read is not NotImplemented:
                return read
        if func is torch._C._set_grad_enabled:
            self._note_grad_mode(enabled=args[0])
        if func in _DETACHING:
            return self._detached(args[0])
        if func is torch.tensor and args and self._recorder.is_predicted(args[0]):
            return self._copied(args[0], **kwargs)
        if func is torch.nn.functional.gaussian_nll_loss:
            return self._without_checks(func, *args, **kwargs)
        if func is torch.nn.functional.one_hot:
            return self._one_hot(func, *args, **kwargs)
        if func is torch.Tensor.__getitem__:
            return func(*self._by_number(*args))
        return func(*args, **kwargs)

    def _note_grad_mode(self, *, enabled: bool) -> None:
        recorder = self._recorder
        position = recorder.no_grad or recorder.positions.position(sys._getframe(2))
        position = position or decorated_position(sys._getframe(2))
        recorder.no_grad = None if enabled else position

    def _detached(self, tensor: torch.Tensor) -> torch.Tensor:
        """Returns a detached tensor; torch dispatches the same operation for its internal use."""
        self._recorder.detaches = True
        try:
            return tensor.detach()
        finally:
            self._recorder.detaches = False

    def _without_checks(self, function: Callable, *args: Any, **kwargs: Any) -> Any:
        """Returns the result of a function that reads values only to raise for some of them."""
        self._recorder.skips_checks = True
        try:
            return function(*args, **kwargs)
        finally:
            self._recorder.skips_checks = False

    def _copied(
        self, tensor: torch.Tensor, *, dtype: Any = None, requires_grad: bool = False, **_: Any
    ) -> torch.Tensor:
        """Returns `torch.tensor(tensor)`: a detached copy."""
        copy = self._detached(tensor).to(dtype or tensor.dtype)
        return copy.requires_grad_(requires_grad)

    def _read(self, func: Callable, tensor: torch.Tensor, *others: Any, **named: Any) -> Any:
        """Returns what Python gets of a tensor of the targets; NotImplemented for torch's own."""
        recorder, reads = self._recorder, self._recorder.reads
        if reads is None:
            return NotImplemented
        if func is torch.Tensor.__contains__:
            return self._read(torch.Tensor.__bool__, (tensor == others[0]).any())
        if tensor.numel() != 1:
            return NotImplemented
        if func is torch.Tensor.item:
            scalar = tensor.detach().reshape(())
            number = scalar.as_subclass(_Number)
            recorder.stand_in(number, scalar)
            return number
        value = recorder.value(tensor)
        if func is torch.Tensor.__bool__:
            mask, negated = nonempty_mask(recorder.steps, value)
            key = ("any", recorder.key_of(mask))
            return reads.decide(key, mask) != negated
        return NotImplemented

    def _by_number(self, x: torch.Tensor, index: Any) -> tuple[torch.Tensor, Any]:
        """Returns a tensor and an index in which no number is read out of a tensor."""
        items = list(index) if isinstance(index, tuple) else [index]
        if not all(isinstance(i, int | slice | torch.Tensor) for i in items):
            return x, index
        for axis, item in enumerate(items):
            tensor = isinstance(item, torch.Tensor)
            if (tensor and item.dtype.is_floating_point) or (tensor and item.dtype == torch.bool):
                return x, index
            if tensor and not item.ndim and self._recorder.reads_symbolically(item):
                x = x.index_select(axis, item.reshape(1))
                items[axis] = 0
        return x, tuple(items) if isinstance(index, tuple) else items[0]

    def _one_hot(
        self, function: Callable, tensor: torch.Tensor, num_classes: int = -1
    ) -> torch.Tensor:
        """Returns the one-hot tensor of labels; torch would first read their least value."""
        is_whole = tensor.dtype == torch.int64  # torch raises for any other
        if num_classes < 0 or not is_whole or not self._recorder.depends(tensor):
            result: torch.Tensor = function(tensor, num_classes)
            return result
        return (tensor.unsqueeze(-1) == torch.arange(num_classes)).long()
