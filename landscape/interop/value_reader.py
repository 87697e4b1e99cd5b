"""Runs the functions of torch that read values, or that would leave no record."""

import sys
from collections.abc import Callable
from typing import Any

import torch
from torch.overrides import TorchFunctionMode

from landscape.interop import refusals
from landscape.interop.aten_recorder import AtenRecorder
from landscape.interop.target_reads import nonempty_mask

# `x.data` would leave no record.
_DETACHING = (torch.Tensor.data.__get__, torch.Tensor.detach, torch.detach)


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
        if func is torch.nn.functional.one_hot:
            return self._one_hot(func, *args, **kwargs)
        if func is torch.Tensor.__getitem__:
            return func(*self._by_number(*args))
        return func(*args, **kwargs)

    def _note_grad_mode(self, *, enabled: bool) -> None:
        recorder = self._recorder
        position = recorder.no_grad or recorder.positions.position(sys._getframe(2))
        recorder.no_grad = None if enabled else position

    def _detached(self, tensor: torch.Tensor) -> torch.Tensor:
        """Returns a detached tensor; torch dispatches the same operation for its internal use."""
        self._recorder.detaches = True
        try:
            return tensor.detach()
        finally:
            self._recorder.detaches = False

    def _read(self, func: Callable, tensor: torch.Tensor, *others: Any, **named: Any) -> Any:
        """Returns what Python gets of a tensor of the targets; NotImplemented for torch's own."""
        recorder, reads = self._recorder, self._recorder.reads
        if reads is None:
            return NotImplemented
        if func is torch.Tensor.tolist:
            return _nested(tensor)
        if func is torch.Tensor.__contains__:
            return self._read(torch.Tensor.__bool__, (tensor == others[0]).any())
        if func in (torch.unique, torch.Tensor.unique):
            plain = not any(value for name, value in named.items() if name != "sorted")
            return self._unique(tensor) if plain else NotImplemented
        if tensor.numel() != 1:
            return NotImplemented
        if func is torch.Tensor.item:
            return tensor.detach().reshape(())
        value = recorder.value(tensor)
        if func is torch.Tensor.__bool__:
            mask, negated = nonempty_mask(recorder.steps, value)
            key = ("any", recorder.key_of(mask))
            return reads.decide(key, mask, (True, False)) != negated
        if func is torch.Tensor.__float__ or (
            func is torch.Tensor.__int__ and not reads.decide_all
        ):
            return reads.number(value, whole=func is torch.Tensor.__int__)
        if func in (torch.Tensor.__int__, torch.Tensor.__index__):
            return self._whole_number(tensor)
        return NotImplemented

    def _whole_number(self, tensor: torch.Tensor) -> int:
        """Returns a whole number that determines what the loss does, such as how often it loops."""
        recorder, reads = self._recorder, self._recorder.reads
        assert reads is not None
        key = ("number", recorder.key(tensor))
        number: int = reads.decide(key, recorder.value(tensor), reads.whole_numbers)
        return number

    def _unique(self, tensor: torch.Tensor) -> torch.Tensor:
        """Returns the sorted distinct elements of a tensor, by operations that can be replayed."""
        ordered = tensor.flatten().sort().values
        is_new = torch.cat([torch.ones(1, dtype=torch.bool), ordered[1:] != ordered[:-1]])
        rank = is_new.cumsum(0) - 1
        count = self._whole_number(rank[-1] + 1)
        distinct = [torch.where(rank == i, ordered, ordered[-1]).amin() for i in range(count)]
        return torch.stack(distinct) if distinct else tensor.flatten()[:0]

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
        if num_classes < 0 and self._recorder.reads_symbolically(tensor):
            num_classes = self._whole_number(tensor.max()) + 1
        if num_classes < 0 or not self._recorder.depends(tensor):
            result: torch.Tensor = function(tensor, num_classes)
            return result
        return (tensor.unsqueeze(-1) == torch.arange(num_classes)).long()


def _nested(tensor: torch.Tensor) -> Any:
    """Returns nested lists of the elements of a tensor, each a tensor."""
    return [_nested(part) for part in tensor.unbind()] if tensor.ndim else tensor
