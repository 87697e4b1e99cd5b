"""How a function, module or class of torch is called: its signature, its options, its dtype."""

import copy
import inspect
from collections.abc import Mapping
from typing import Any

import torch

_POSITIONAL = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
_PLAIN = (bool, float, int, str)


class Options(dict[str, Any]):
    """Options that are not arrays, hashable by their text."""

    @property
    def text(self) -> str:
        return repr(sorted(self.items()))

    def __hash__(self) -> int:  # type: ignore[override]
        return hash(self.text)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Options) and self.text == other.text


def in_dtype(module: torch.nn.Module, dtype: torch.dtype) -> torch.nn.Module:
    """Returns a module whose floating-point parameters and buffers have a dtype."""
    tensors = [*module.parameters(), *module.buffers()]
    if all(tensor.dtype == dtype or not tensor.is_floating_point() for tensor in tensors):
        return module
    return copy.deepcopy(module).to(dtype)


def name_of_value(value: Any) -> str:
    """Returns the name of a function or class; of a module, that of its class."""
    name = getattr(value, "__name__", None)
    return name if isinstance(name, str) else type(value).__name__


def source_of(value: Any) -> Any:
    """Returns the function in whose source the operations of a value are."""
    if isinstance(value, torch.nn.Module):
        return type(value).forward
    return value.forward if inspect.isclass(value) else value  # type: ignore[attr-defined]


def constructor_parameters(value: Any) -> dict[str, inspect.Parameter]:
    """Returns the arguments of the constructor of a class of modules; none for other values."""
    if not inspect.isclass(value) or not issubclass(value, torch.nn.Module):
        return {}
    parameters = inspect.signature(value).parameters
    kinds = (*_POSITIONAL, inspect.Parameter.KEYWORD_ONLY)
    return {name: p for name, p in parameters.items() if p.kind in kinds}


def with_tensors(
    options: Mapping[str, Any], parameters: Mapping[str, Any], dtype: torch.dtype | None
) -> dict[str, Any]:
    """Returns options with tensors for lists of numbers, where a tensor is annotated."""
    return {
        name: torch.tensor(value, dtype=dtype or torch.get_default_dtype())
        if isinstance(value, list | tuple) and "Tensor" in str(parameters.get(name))
        else value
        for name, value in options.items()
    }


def parameters_of(function: Any) -> Mapping[str, inspect.Parameter]:
    """Returns the parameters of a function by name; none if its signature is unknown."""
    try:
        return inspect.signature(function).parameters
    except (TypeError, ValueError):
        return {}


def signature_of(
    value: Any, constructor: Mapping[str, inspect.Parameter]
) -> inspect.Signature | None:
    """Returns the arguments of the loss, then those of its constructor, by keyword only."""
    try:
        signature = inspect.signature(source_of(value))
    except (TypeError, ValueError):
        return None
    parameters = list(signature.parameters.values())
    if isinstance(value, torch.nn.Module) or inspect.isclass(value):
        parameters = parameters[1:]  # self, or the context of an autograd.Function
    names = {parameter.name for parameter in parameters}
    keywords = [
        p.replace(kind=p.KEYWORD_ONLY) for name, p in constructor.items() if name not in names
    ]
    last = [p for p in parameters if p.kind is p.VAR_KEYWORD]
    ordered = [*(p for p in parameters if p.kind is not p.VAR_KEYWORD), *keywords, *last]
    plain = [p.replace(annotation=_annotation(p.annotation)) for p in ordered]
    return inspect.Signature(plain)


def _annotation(annotation: Any) -> Any:
    """Returns an annotation if it is that of a plain option; no other can be checked."""
    return annotation if annotation in _PLAIN else inspect.Parameter.empty
