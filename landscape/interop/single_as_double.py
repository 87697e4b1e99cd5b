"""Lets float64 stand for float32 in torch, to check in float64 a loss that converts to float32."""

import contextlib
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any, TypeVar

import torch
from torch.utils._pytree import tree_map

from landscape.errors import UserError
from landscape.interop.dispatch_mode import DispatchMode
from landscape.interop.target_reads import Unresolved

Result = TypeVar("Result")


class SingleAsDouble(DispatchMode):
    """While active, torch computes in float64 where it is told to use float32.

    For losses that torch accepts for predictions in float32 only: `mask.float()`, `torch.zeros(n)`
    and tensors made outside of the loss cannot be combined with float64 in a product, for example.
    """

    def __enter__(self) -> Any:
        self._default = torch.get_default_dtype()
        torch.set_default_dtype(torch.float64)
        return super().__enter__()

    def __exit__(self, *details: Any) -> None:
        super().__exit__(*details)
        torch.set_default_dtype(self._default)

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple = (), kwargs: dict | None = None
    ) -> Any:
        return func(*tree_map(_in_double, args), **tree_map(_in_double, kwargs or {}))


def _in_double(value: Any) -> Any:
    if value is torch.float32:
        return torch.float64
    if isinstance(value, torch.Tensor) and value.dtype == torch.float32:
        return value.to(torch.float64)
    return value


class Precisions:
    """In which precision a loss is recorded and checked, by the text of its options."""

    def __init__(self) -> None:
        self._single_as_double: set[str] = set()

    def of(self, options: str, dtype: torch.dtype) -> Callable[[], AbstractContextManager[Any]]:
        """Returns the context in which the loss runs for predictions of a dtype."""
        if dtype == torch.float64 and options in self._single_as_double:
            return SingleAsDouble
        return contextlib.nullcontext

    def tried(self, options: str, dtype: torch.dtype, run: Callable[[], Result]) -> Result:
        """Returns `run()`; where that fails in float64, with float64 in place of float32."""
        try:
            return run()
        except UserError as error:
            if dtype != torch.float64 or options in self._single_as_double:
                raise
            self._single_as_double.add(options)
            try:
                return run()
            except (UserError, Unresolved):
                self._single_as_double.discard(options)
                raise error from None
