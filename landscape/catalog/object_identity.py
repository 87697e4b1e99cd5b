"""The identity of a Python object: a digest of everything that decides what it computes.

Functions and classes count by their text without comments and docstrings, together with the values
of the globals, closures and defaults that they use; arrays and tables by their values; instances by
their class and attributes. Code of installed packages counts by its name.
"""

import ast
import dataclasses
import dis
import functools
import hashlib
import inspect
import json
import linecache
import os
import sys
import textwrap
import types
import warnings
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

_SCALARS = (type(None), bool, int, float, complex, str, bytes, np.generic, np.dtype, os.PathLike)
_INSTALLED = ("site-packages", "dist-packages")
_DEFINITIONS = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)


class WithoutIdentityError(Exception):
    """An object whose text or values cannot be read; the message is the reason."""


def identity(value: Any) -> str:
    """Returns the sha256 of what an object consists of, equal for equal objects of two processes.

    Raises WithoutIdentityError with the reason if a part of it has no text and no values.
    """
    plain = _Description().of(value)
    return hashlib.sha256(json.dumps(plain).encode()).hexdigest()


class _Description:
    """Describes objects by nested lists of texts; an object that occurs again, by its number."""

    def __init__(self) -> None:
        self._seen: dict[int, Any] = {}  # the values keep the ids from being used again

    def of(self, value: Any) -> Any:
        """Returns the description of a value."""
        if isinstance(value, _SCALARS):
            return [type(value).__name__, repr(value)]
        if isinstance(value, tuple):
            return [type(value).__name__, *map(self.of, value)]
        if _is_array(value):
            return self._array(value)
        if id(value) in self._seen:
            return ["again", list(self._seen).index(id(value))]
        self._seen[id(value)] = value
        return self._structure(value)

    def _structure(self, value: Any) -> Any:
        if isinstance(value, list):
            return ["list", *map(self.of, value)]
        if isinstance(value, set | frozenset):
            return ["set", *sorted(json.dumps(self.of(item)) for item in value)]
        if isinstance(value, Mapping):
            return ["mapping", *([self.of(k), self.of(v)] for k, v in value.items())]
        if isinstance(value, types.ModuleType):
            return ["module", value.__name__]
        if isinstance(value, types.MethodType):
            return ["method", self.of(value.__func__), self.of(value.__self__)]
        if isinstance(value, types.FunctionType):
            return self._function(value)
        if isinstance(value, type):
            return self._class(value)
        return self._instance(value)

    def _array(self, value: Any) -> Any:
        if type(value).__module__.partition(".")[0] == "pandas":
            hashes = sys.modules["pandas"].util.hash_pandas_object(value).to_numpy()
            names = [str(name) for name in getattr(value, "columns", ())]
            return ["table", names, self._array(hashes)]
        if str(getattr(value, "dtype", "")).startswith("key<"):  # random keys of JAX
            value = sys.modules["jax"].random.key_data(getattr(value, "raw_value", value))
        try:
            array = np.asarray(value)
        except (TypeError, ValueError, RuntimeError) as error:
            raise WithoutIdentityError(f"a {type(value).__name__} has no values: {error}") from None
        if array.dtype.kind == "O":
            return ["array", list(array.shape), *map(self.of, array.flat)]
        digest = hashlib.sha256(np.ascontiguousarray(array).data).hexdigest()
        return ["array", str(array.dtype), list(array.shape), digest]

    def _function(self, function: types.FunctionType) -> Any:
        module, name = function.__module__, function.__qualname__
        values = [cell.cell_contents for cell in function.__closure__ or () if not _is_empty(cell)]
        described = ["function", name, *map(self.of, values)]
        if is_installed(module):
            return [module, *described]
        described += [self.of(function.__defaults__), self.of(function.__kwdefaults__)]
        described += self._globals(function)
        return [function_text(function), *described]

    def _globals(self, function: types.FunctionType) -> list[Any]:
        used = dict.fromkeys(_global_names(function.__code__))
        present = [name for name in used if name in function.__globals__]
        return [[name, self.of(function.__globals__[name])] for name in sorted(present)]

    def _class(self, kind: type) -> Any:
        if is_installed(kind.__module__):
            return ["class", kind.__module__, kind.__qualname__]
        functions = list(_functions_of(kind))
        described = ["class", _class_text(kind, functions), *map(self.of, kind.__bases__)]
        return described + [item for method in functions for item in self._globals(method)]

    def _instance(self, value: Any) -> Any:
        module, name = getattr(value, "__module__", None), getattr(value, "__qualname__", None)
        if isinstance(module, str) and isinstance(name, str) and is_installed(module):
            return ["name", module, name]  # such as jax.numpy.sum or a function in C
        kind = self.of(type(value))
        if hasattr(value, "get_config") and hasattr(value, "get_weights"):  # of Keras
            with warnings.catch_warnings():  # Keras reads arrays in a way of NumPy 1
                warnings.simplefilter("ignore", DeprecationWarning)
                weights = value.get_weights()
            return ["instance", kind, self.of(value.get_config()), self.of(weights)]
        if isinstance(value, functools.partial):
            return ["partial", *map(self.of, (value.func, value.args, value.keywords))]
        if not _is_written_in_python(type(value)):
            if hasattr(value, "__wrapped__"):  # such as a function compiled by jax.jit
                return ["wrapped", kind, self.of(value.__wrapped__)]
            raise WithoutIdentityError(f"a value of type {type(value).__name__} has no text")
        return ["instance", kind, self.of(_attributes(value))]


def is_installed(module: str) -> bool:
    """Returns whether a module is part of Python, of this program or of an installed package."""
    root = module.partition(".")[0]
    if root == "__main__":
        return False
    if root in {*sys.stdlib_module_names, "builtins", "landscape"}:
        return True
    file = Path(getattr(sys.modules.get(root), "__file__", None) or "")
    return any(folder in file.parts for folder in _INSTALLED)


def function_text(function: types.FunctionType) -> str:
    """Returns the text of a function without comments and docstrings.

    Raises WithoutIdentityError if Python does not know the text.
    """
    code = function.__code__
    try:
        text = textwrap.dedent(inspect.getsource(code))
        tree = ast.parse(text)
    except (OSError, TypeError):
        reason = "was defined where Python keeps no text, such as `exec` or `python -c`"
        raise WithoutIdentityError(f"`{function.__qualname__}` {reason}") from None
    except SyntaxError:  # a lambda on a line of a longer statement
        tree = None
    if tree is None or function.__name__ == "<lambda>":  # one of several in the same lines
        return f"{text}{code.co_code.hex()} {_constants(code)}"
    return _plain_text(tree)


def _class_text(kind: type, functions: list[types.FunctionType]) -> str:
    """Returns the text of a class: `inspect` does not find that of a class in a notebook."""
    for file in dict.fromkeys(function.__code__.co_filename for function in functions):
        try:
            tree = ast.parse("".join(linecache.getlines(file)))
        except SyntaxError:
            continue
        for node in ast.walk(tree):
            if isinstance(node, ast.ClassDef) and node.name == kind.__name__:
                return _plain_text(node)
    try:
        return _plain_text(ast.parse(textwrap.dedent(inspect.getsource(kind))))
    except (OSError, TypeError, SyntaxError):
        raise WithoutIdentityError(f"Python does not know the text of `{kind.__name__}`") from None


def _plain_text(tree: ast.AST) -> str:
    """Returns the text of a syntax tree without docstrings."""
    for node in ast.walk(tree):
        if isinstance(node, _DEFINITIONS) and ast.get_docstring(node) is not None:
            node.body = node.body[1:] or [ast.Pass()]
    return ast.unparse(tree)


def _functions_of(kind: type) -> Iterator[types.FunctionType]:
    """Yields the methods that a class defines, without those that a decorator generates."""
    for value in vars(kind).values():
        inner = getattr(value, "fget", None) or getattr(value, "method", value)
        inner = inspect.unwrap(getattr(inner, "__func__", inner))
        if not isinstance(inner, types.FunctionType) or is_installed(inner.__module__):
            continue
        if linecache.getlines(inner.__code__.co_filename):
            yield inner


def _global_names(code: types.CodeType) -> Iterator[str]:
    """Yields the names of the globals that a function reads, also in functions inside it."""
    for instruction in dis.get_instructions(code):
        if instruction.opname in ("LOAD_GLOBAL", "LOAD_NAME"):
            yield str(instruction.argval)
    for constant in code.co_consts:
        if isinstance(constant, types.CodeType):
            yield from _global_names(constant)


def _constants(code: types.CodeType) -> str:
    return repr([c for c in code.co_consts if not isinstance(c, types.CodeType)])


def _attributes(value: Any) -> dict[str, Any]:
    """Returns the attributes of an instance that decide what it does."""
    if dataclasses.is_dataclass(value):
        shown = [field.name for field in dataclasses.fields(value) if field.repr]
        return {name: getattr(value, name) for name in shown if hasattr(value, name)}
    slots = [name for base in type(value).__mro__ for name in getattr(base, "__slots__", ())]
    attributes = {name: getattr(value, name) for name in slots if hasattr(value, name)}
    attributes |= getattr(value, "__dict__", {})
    if any(base.__module__.startswith("keras.") for base in type(value).__mro__):
        attributes.pop("name", None)  # Keras counts its objects: focal, focal_1, ...
    # Flax keeps the state of tracing under the second prefix.
    hidden = ("__", "_pytree__")
    return {name: item for name, item in attributes.items() if not name.startswith(hidden)}


def _is_written_in_python(kind: type) -> bool:
    """Returns whether instances have no other state than their attributes."""
    return all("__module__" in vars(base) and _has_text(base) for base in kind.__mro__[:-1])


def _has_text(kind: type) -> bool:
    """Returns whether the module of a class is a Python file, or a notebook."""
    module = sys.modules.get(kind.__module__)
    return kind.__module__ == "__main__" or str(getattr(module, "__file__", "")).endswith(".py")


def _is_array(value: Any) -> bool:
    return hasattr(value, "__array__") and not isinstance(value, type)


def _is_empty(cell: types.CellType) -> bool:
    """Returns whether the variable of a closure has no value yet."""
    try:
        cell.cell_contents  # noqa: B018
    except ValueError:
        return True
    return False
