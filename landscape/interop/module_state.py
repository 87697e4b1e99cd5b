"""What calls of a module change in it: buffers, parameters and attributes."""

import contextlib
from collections.abc import Callable, Iterator
from typing import Any

import torch

from landscape.interop import refusals
from landscape.interop.aten_record import Record

_PLAIN = (bool, int, float, str, torch.Tensor, type(None))


@contextlib.contextmanager
def unchanged_module(function: Any) -> Iterator[list[str]]:
    """Leaves a module as it was; yields a list that finally names what the calls inside changed.

    Running statistics of BatchNorm are an example. Other functions are not looked at.
    """
    changed: list[str] = []
    if not isinstance(function, torch.nn.Module):
        yield changed
        return
    before = [
        (values, name, value, _copy(value))
        for module in function.modules()
        for values in (module._buffers, module._parameters, vars(module))
        for name, value in values.items()
        if isinstance(value, _PLAIN)
    ]
    try:
        yield changed
    finally:
        for values, name, value, copy in before:
            same = values.get(name) is value
            if isinstance(value, torch.Tensor):
                if same and _equal(value, copy):
                    continue
                with torch.no_grad():
                    value.data.copy_(copy)
            elif same or values.get(name) == value:
                continue
            values[name] = value
            changed.append(name)


def check_repeatable(record: Record, function: Any, run: Callable[[], Record], name: str) -> None:
    """Raises UserError if the next call of a loss is another program than its record."""
    with unchanged_module(function) as changed:
        again = run()
    if changed:
        with unchanged_module(function):
            run()
            again = run()
    if not record.same_as(again):
        if changed:
            raise refusals.changes_itself(changed)
        raise refusals.is_random(f"recording `{name}`")


def _copy(value: Any) -> Any:
    lazy = torch.nn.parameter.is_lazy(value)
    return value.detach().clone() if isinstance(value, torch.Tensor) and not lazy else value


def _equal(a: torch.Tensor, b: torch.Tensor) -> bool:
    return torch.nn.parameter.is_lazy(a) or bool(
        torch.allclose(a.detach(), b, rtol=0, atol=0, equal_nan=True)
    )
