"""Recognizes functions, modules and classes of PyTorch, without importing torch."""

import functools
import inspect
import sys
import types
from collections.abc import Callable, Iterator
from typing import Any

JAX_PACKAGES = ("jax", "jaxlib", "optax", "equinox", "flax", "haiku", "keras", "tensorflow")


def adapted(value: Any) -> Any:
    """Returns a loss or activation of torch as a function of JAX arrays; anything else unchanged.

    Equal values give the same function, so that its compiled programs are shared. Options that
    functools.partial binds stay bound.
    """
    if "torch" not in sys.modules or not is_torch(value):
        return value
    from landscape.interop.torch_function import torch_function

    if isinstance(value, functools.partial):
        return functools.partial(adapted(value.func), *value.args, **value.keywords)
    try:
        return torch_function(value)
    except TypeError:  # an instance that cannot be hashed
        return torch_function.__wrapped__(value)


def replayed(function: Any) -> Any:
    """Returns an adapted function that raises UserError where it would call torch at run time.

    A program that calls torch cannot be read, and takes its time; the audit needs neither.
    """
    if not is_adapted(function):
        return function
    if isinstance(function, functools.partial):
        return functools.partial(replayed(function.func), *function.args, **function.keywords)
    return function.replayed


def is_adapted(function: Any) -> bool:
    """Returns whether a function is the result of `adapted` for a value of torch."""
    while isinstance(function, functools.partial):
        function = function.func
    return type(function).__module__ == "landscape.interop.torch_function"


def is_torch(value: Any) -> bool:
    """Returns whether a value is a module, a class or a function of torch, or uses torch.

    A function uses torch if it, or a function that it calls by a global name, refers to torch and
    not to JAX; or if it refers to neither, in a file that imports torch, and either not JAX or it
    calls a method that only tensors have.
    """
    torch = sys.modules.get("torch")
    if torch is None or not hasattr(torch, "nn"):
        return False
    while isinstance(value, functools.partial):
        value = value.func
    if is_adapted(value):
        return False
    if isinstance(value, torch.nn.Module):
        return True
    if inspect.isclass(value):
        return issubclass(value, torch.nn.Module | torch.autograd.Function)
    if package_of(value) == "torch":
        return True
    code = _python_function(value)
    return code is not None and _uses_torch(code, torch)


def _uses_torch(function: types.FunctionType, torch: Any) -> bool:
    packages = packages_used(function)
    if packages & set(JAX_PACKAGES):
        return False
    if "torch" in packages:
        return True
    from jax import Array

    imported = set(map(package_of, function.__globals__.values()))
    if "torch" not in imported or imported.isdisjoint(JAX_PACKAGES):
        return "torch" in imported
    names = set(_attribute_names(function.__code__))
    return any(hasattr(torch.Tensor, name) and not hasattr(Array, name) for name in names)


def packages_used(value: Any) -> set[str]:
    """Returns the packages of the values that a function refers to, also through user functions."""
    function = _python_function(value)
    return set() if function is None else set(_packages_used(function, set()))


def _packages_used(function: types.FunctionType, visited: set[int]) -> Iterator[str]:
    if id(function) in visited:
        return
    visited.add(id(function))
    values = [*_referenced_globals(function), *_closure_values(function)]
    values += list(getattr(function, "__annotations__", {}).values())
    for value in values:
        package = package_of(value)
        if package == "torch" or package in JAX_PACKAGES:
            yield package
            continue
        if inspect.isclass(value) or not callable(value):
            value = getattr(value, "forward", None)
        inner = _python_function(value)
        if inner is not None:
            yield from _packages_used(inner, visited)


def _referenced_globals(function: types.FunctionType) -> list[Any]:
    names = dict.fromkeys(_attribute_names(function.__code__))
    return [function.__globals__[name] for name in names if name in function.__globals__]


def _closure_values(function: types.FunctionType) -> list[Any]:
    values = []
    for cell in function.__closure__ or ():
        try:
            values.append(cell.cell_contents)
        except ValueError:  # not assigned yet
            continue
    return values


def _attribute_names(code: types.CodeType) -> Iterator[str]:
    """Yields the names of globals and attributes in a function and in the functions inside it."""
    yield from code.co_names
    for constant in code.co_consts:
        if isinstance(constant, types.CodeType):
            yield from _attribute_names(constant)


def package_of(value: Any) -> str:
    """Returns the package that a module, a function, a class or an instance comes from."""
    if inspect.ismodule(value):
        name = value.__name__
    else:
        name = getattr(value, "__module__", None) or type(value).__module__
    return str(name).partition(".")[0]


def _python_function(value: Any) -> types.FunctionType | None:
    """Returns the Python function that a call of a value runs; None if it has none."""
    value = inspect.unwrap(value) if callable(value) else value
    if inspect.ismethod(value):
        value = value.__func__
    if isinstance(value, types.FunctionType):
        return value
    call: Callable[..., Any] | None = getattr(type(value), "__call__", None)  # noqa: B004
    return call if isinstance(call, types.FunctionType) else None
