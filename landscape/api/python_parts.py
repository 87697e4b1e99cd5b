"""From Python objects in the place of names to the values of a config and the objects they name."""

import functools
import inspect
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from landscape.catalog import PythonObject
from landscape.errors import UserError, describe_value
from landscape.parts import datasets
from landscape.parts.datasets import Dataset

_PAIR = "pass a pair: `(inputs, targets)` of arrays, or `(table, 'target')`"


class ConvertedSettings(NamedTuple):
    """The values of a config, in which `python:NAME` stands for each of the objects."""

    values: dict[str, Any]
    objects: dict[str, PythonObject]


def convert(settings: Mapping[str, Any]) -> ConvertedSettings:
    """Returns the settings of an experiment with names in place of objects.

    A part is a name, an object, or a mapping with either under `name`, options beside it. Raises
    UserError for objects that cannot be such a part, with the key and what to pass instead.
    """
    conversion = _Conversion()
    values = {key: conversion.setting(key, value) for key, value in settings.items()}
    task, dataset = values.get("task"), values["dataset"]
    if task is not None and conversion.lacks_task(dataset):
        name = task.get("name") if isinstance(task, dict) else task
        values["dataset"] = dataset | {"task": name}
        values["task"] = task if isinstance(task, dict) else None
    return ConvertedSettings(values, conversion.objects)


class _Conversion:
    """Converts the settings of one experiment, and collects its objects by name."""

    def __init__(self) -> None:
        self.objects: dict[str, PythonObject] = {}
        self._data: set[str] = set()

    def lacks_task(self, dataset: Any) -> bool:
        """Returns whether a part is a table or arrays whose task is not stated beside them."""
        is_part = isinstance(dataset, dict) and "task" not in dataset
        return is_part and dataset.get("name") in self._data

    def setting(self, key: str, value: Any) -> Any:
        """Returns the value of a key of the config."""
        names: dict[str, Callable[[Any, str], Any]] = {
            "dataset": self._dataset,
            "model": self._model,
            "optimizer": self._optimizer,
        }
        if key in names:
            return self._part(value, key, names[key])
        if key in ("losses", "metrics") and isinstance(value, list | tuple):
            name = self._metric if key == "metrics" else self._function
            return [self._part(item, f"{key}[{i}]", name) for i, item in enumerate(value)]
        return self._value(value, key)

    def _part(self, value: Any, key: str, named: Callable[[Any, str], Any]) -> Any:
        """Returns a part whose name may be an object: `named` returns its name, or a part."""
        if value is None or isinstance(value, str):
            return value
        options: dict[str, Any] = {}
        if isinstance(value, Mapping) and ("name" in value or key != "dataset"):
            options = {name: item for name, item in value.items() if name != "name"}
            if "name" not in value:
                return self._value(value, key)
            value = value["name"]
        part = value if isinstance(value, str) else named(value, key)
        options = self._value(options, key)
        return {**part, **options} if isinstance(part, dict) else {"name": part, **options}

    def _dataset(self, value: Any, key: str) -> Any:
        if isinstance(value, Dataset):
            return self._add("dataset", functools.partial(_of_any_seed, value), value)
        if _is_table(value):
            return self._table(value)
        if isinstance(value, tuple) and len(value) == 2 and _is_table(value[0]):
            return self._table_and_target(*value)
        if isinstance(value, tuple) and len(value) == 2:
            value = dict(zip(("inputs", "targets"), value, strict=True))
        if isinstance(value, Mapping):
            return self._arrays(value)
        if inspect.isroutine(value) or inspect.isclass(value) or hasattr(value, "__wrapped__"):
            return self._function(value, key)
        raise UserError(f"`{key}`: found {_described(value)}, expected a dataset", hint=_PAIR)

    def _table_and_target(self, table: Any, target: Any) -> dict[str, Any]:
        """Returns the part of a table, and of its target by name or as a column of its own."""
        names = target if isinstance(target, list) else [target]
        if all(isinstance(name, str) for name in names):
            return {"name": self._table(table), "target": target}
        name = str(getattr(target, "name", None) or "target")
        if name in table.columns:
            message = f"`dataset`: the table has a column `{name}`, like the target beside it"
            raise UserError(message, hint=f"pass `(table, {name!r})`, or rename one of them")
        values = np.asarray(target)
        if values.shape != (len(table),):
            message = f"`dataset`: the target has the shape {values.shape}"
            raise UserError(message, hint=f"expected one value per row, {len(table)} in all")
        return {"name": self._table(table.assign(**{name: values})), "target": name}

    def _table(self, table: Any) -> str:
        function = functools.partial(datasets.frame_dataset, table)
        self._data.add(name := self._add("table", function, table))
        return name

    def _arrays(self, arrays: Mapping[str, Any]) -> str:
        for name, array in arrays.items():
            if isinstance(array, str | bool | int | float | None):
                message = f"`dataset.{name}`: found {describe_value(array)}, expected an array"
                raise UserError(message, hint="a dataset of the menu needs its `name`")
        values = {str(name): np.asarray(array) for name, array in arrays.items()}
        function = functools.partial(datasets.arrays_dataset, values)
        self._data.add(name := self._add("arrays", function, values))
        return name

    def _model(self, value: Any, key: str) -> Any:
        if inspect.isroutine(value) or inspect.isclass(value):
            return self._function(value, key)
        if isinstance(value, functools.partial):
            return self._function(value, key)
        if not callable(value) and not isinstance(value, tuple):
            raise UserError(
                f"`{key}`: found {_described(value)}, expected a model",
                hint="pass a name of the menu, a module of Equinox, Flax or Keras, a class or "
                "function that builds one, or a pair (init, apply)",
            )
        name = "pair" if type(value) is tuple else type(value).__name__
        return self._add(name, value, value)

    def _optimizer(self, value: Any, key: str) -> Any:
        if isinstance(value, tuple) and hasattr(value, "init") and hasattr(value, "update"):
            return self._add("optimizer", functools.partial(_constant, value), value)
        return self._function(value, key)

    def _metric(self, value: Any, key: str) -> Any:
        from landscape.parts.metrics import Metric

        if isinstance(value, Metric):
            name = getattr(value.function, "__name__", "metric")
            name = name if name.isidentifier() else "metric"
            return self._add(name, functools.partial(_constant, value), value)
        return self._function(value, key)

    def _function(self, value: Any, key: str) -> Any:
        """Returns the name of a function; of one bound by functools.partial, with its options."""
        if isinstance(value, functools.partial):
            if value.args:
                message = f"`{key}`: found a partial function with positional arguments"
                raise UserError(message, hint="bind options by keyword: partial(f, alpha=2)")
            return {"name": self._function(value.func, key), **self._value(value.keywords, key)}
        if not callable(value):
            raise UserError(
                f"`{key}`: found {_described(value)}, expected a function, a name, or a mapping "
                "with one of them under `name`"
            )
        name = getattr(value, "__name__", type(value).__name__)
        if name == "<lambda>":
            message = f"`{key}`: found a lambda, expected a function with a name"
            raise UserError(message, hint="define it with `def`: its name is in tables and figures")
        return self._add(name, value, value)

    def _add(self, name: str, part: Any, source: Any) -> str:
        """Returns the name in the config of an object."""
        full = f"python:{re.sub(r'[^0-9A-Za-z_]', '_', name)}"
        known = self.objects.setdefault(full, PythonObject(part, source))
        if known.source is not source:
            message = f"two objects of the experiment have the name `{name}`"
            raise UserError(message, hint="rename one of them: names tell them apart in results")
        return full

    def _value(self, value: Any, key: str) -> Any:
        """Returns a value that a config can hold: numbers, texts, lists, mappings."""
        if value is None or isinstance(value, bool | int | float | str):
            return value
        if isinstance(value, np.generic):
            return value.item()
        if isinstance(value, Path):
            return str(value)
        if isinstance(value, Mapping):
            return {str(k): self._value(item, f"{key}.{k}") for k, item in value.items()}
        if isinstance(value, list | tuple | range):
            return [self._value(item, f"{key}[{i}]") for i, item in enumerate(value)]
        if callable(value):
            return self._function(value, key)
        raise UserError(
            f"`{key}`: found {_described(value)}, expected a number, a text, a list, a mapping or "
            "a function",
            hint="a function that you pass may use any object",
        )


def _of_any_seed(data: Dataset, seed: int) -> Dataset:
    """Returns a dataset whose splits do not depend on the seed."""
    return data


def _constant(value: Any) -> Any:
    return value


def _is_table(value: Any) -> bool:
    """Returns whether a value is a pandas DataFrame, without importing pandas."""
    return type(value).__module__.partition(".")[0] == "pandas" and hasattr(value, "columns")


def _described(value: Any) -> str:
    kind, shape = type(value).__name__, getattr(value, "shape", None)
    if shape is not None:
        return f"an array of shape {tuple(shape)}"
    return f"an {kind}" if kind[0].lower() in "aeiou" else f"a {kind}"
