"""A function, module or class of torch as a function of JAX arrays."""

import copy
import functools
import inspect
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import torch
from torch.utils._pytree import tree_unflatten

from landscape.interop import refusals, replay
from landscape.interop.aten_record import Record
from landscape.interop.torch_arrays import input_dtype
from landscape.interop.torch_recording import example_inputs, record_loss

Array = Any
_POSITIONAL = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
_PLAIN = (bool, float, int, str)


class _Call(NamedTuple):
    """What determines a record: types of the inputs, the names of the last ones, and options."""

    shapes: tuple[tuple[int, ...], ...]
    dtypes: tuple[str, ...]
    names: tuple[str, ...]
    options: str
    differentiated: tuple[int, ...]


class TorchFunction:
    """`function(*arrays, **options)`: what torch returns, with torch's own gradient.

    Further arrays may be passed by name; all other keywords are options. Those of a class are the
    arguments of its constructor. The parameters and buffers of a module are constants. Raises
    UserError if torch cannot run the loss, or if what it does depends on values of its arguments.
    """

    def __init__(self, value: Any) -> None:
        self._value = value
        self._records: dict[_Call, Record] = {}
        self._instances: dict[str, Any] = {}
        self._checked: set[tuple[Any, ...]] = set()
        self.__name__ = _name(value)
        self.__qualname__ = self.__name__
        self.__module__ = str(getattr(value, "__module__", "torch"))
        self.__doc__ = getattr(value, "__doc__", None)
        self.__wrapped__ = _source(value)
        self._constructor = _constructor_parameters(value)
        signature = _signature(value, self._constructor)
        if signature is not None:
            self.__signature__ = signature

    def constants(self, options: Mapping[str, Any]) -> int:
        """Returns the number of parameters and buffers of the module, which are constants."""
        module, _ = self._callable(_Options(options), torch.get_default_dtype())
        if not isinstance(module, torch.nn.Module):
            return 0
        return sum(tensor.numel() for tensor in (*module.parameters(), *module.buffers()))

    def __call__(self, *arrays: Array, **keywords: Any) -> Any:
        named = {k: v for k, v in keywords.items() if isinstance(v, jax.Array | np.ndarray)}
        options = {name: value for name, value in keywords.items() if name not in named}
        inputs = tuple(map(jnp.asarray, (*arrays, *named.values())))
        call = _Bound(self, tuple(named), _Options(options))
        record = self.record(call, inputs, ())
        results = _evaluate(call, inputs)
        return tree_unflatten(list(results), record.structure)

    def record(self, call: "_Bound", inputs: Sequence[Array], perturbed: Sequence[int]) -> Record:
        """Returns the record for arrays of these shapes; values alone need no `perturbed` ones."""
        key = _Call(
            tuple(tuple(a.shape) for a in inputs),
            tuple(str(a.dtype) for a in inputs),
            call.names,
            call.options.text,
            tuple(perturbed),
        )
        if not perturbed:
            for known, record in self._records.items():
                if known._replace(differentiated=()) == key:
                    return record
        if key not in self._records:
            first = tuple(perturbed) or _first_floating(inputs)
            self._records[key] = self._new_record(call, key._replace(differentiated=first))
        return self._records[key]

    def _new_record(self, call: "_Bound", key: _Call) -> Record:
        dtypes = [input_dtype(np.dtype(dtype)) for dtype in key.dtypes]
        inputs = example_inputs(key.shapes, dtypes)
        record = self._run(call, key, inputs)
        replay.check_rules(record)
        pattern = (call.options.text, key.differentiated, record.pattern())
        if pattern not in self._checked:
            self._check(call, key, inputs, record)
            self._checked.add(pattern)
        return record

    def _run(self, call: "_Bound", key: _Call, inputs: Sequence[torch.Tensor]) -> Record:
        function, options = self._callable(call.options, inputs[0].dtype)
        return record_loss(function, inputs, call.names, options, key.differentiated)

    def _check(
        self, call: "_Bound", key: _Call, inputs: Sequence[torch.Tensor], record: Record
    ) -> None:
        """Raises UserError if the loss is random, or its float64 record differs from torch."""
        from landscape.interop.agreement import check_agreement, double_inputs

        if not record.same_as(self._run(call, key, inputs)):
            raise refusals.is_random(f"recording `{self.__name__}`")
        wide = double_inputs(inputs)
        double = record if wide[0].dtype == inputs[0].dtype else self._run(call, key, wide)
        function, options = self._callable(call.options, wide[0].dtype)
        check_agreement(double, function, wide, call.names, options, self.__name__)

    def _callable(
        self, options: "_Options", dtype: torch.dtype
    ) -> tuple[Callable[..., Any], Mapping[str, Any]]:
        """Returns what torch calls for predictions of a dtype, and the options of the call."""
        constructor = {n: v for n, v in options.items() if n in self._constructor}
        others = {n: v for n, v in options.items() if n not in self._constructor}
        value: Any = self._value
        if inspect.isclass(value) and issubclass(value, torch.autograd.Function):
            return value.apply, others  # type: ignore[attr-defined]
        if inspect.isclass(value):
            text = str(_Options(constructor).text)
            if text not in self._instances:
                self._instances[text] = value(**constructor)
            value = self._instances[text]
        if isinstance(value, torch.nn.Module):
            value = _in_dtype(value, dtype)
        return value, others


@functools.cache
def torch_function(value: Any) -> TorchFunction:
    """Returns the adapted function, one per value."""
    return TorchFunction(value)


class _Options(dict[str, Any]):
    """Options that are not arrays, hashable by their text."""

    @property
    def text(self) -> str:
        return repr(sorted(self.items()))

    def __hash__(self) -> int:  # type: ignore[override]
        return hash(self.text)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Options) and self.text == other.text


class _Bound(NamedTuple):
    """A function, the names of its last arrays, and its options."""

    function: TorchFunction
    names: tuple[str, ...]
    options: _Options


@functools.partial(jax.custom_vjp, nondiff_argnums=(0,))
def _evaluate(call: _Bound, inputs: tuple[Array, ...]) -> tuple[Array, ...]:
    return tuple(replay.values(call.function.record(call, inputs, ()), inputs))


def _forward(call: _Bound, primals: Any) -> Any:
    inputs = tuple(primal.value for primal in primals)
    perturbed = tuple(i for i, p in enumerate(primals) if p.perturbed and _is_float(p.value))
    record = call.function.record(call, inputs, perturbed)
    return tuple(replay.values(record, inputs)), (inputs, perturbed)


def _backward(call: _Bound, residuals: Any, cotangents: Any) -> Any:
    inputs, perturbed = residuals
    record = call.function.record(call, inputs, perturbed)
    weights = [_instantiated(c, t) for c, t in zip(cotangents, record.result_types, strict=True)]
    gradients = replay.gradients(record, inputs, weights)
    by_position = dict(zip(record.differentiated, gradients, strict=True))
    return (tuple(by_position.get(position) for position in range(len(inputs))),)


_evaluate.defvjp(_forward, _backward, symbolic_zeros=True)


def _instantiated(cotangent: Any, kind: Any) -> Any:
    if isinstance(cotangent, jax.custom_derivatives.SymbolicZero):
        return jnp.zeros(kind.shape, kind.dtype)
    return cotangent


def _is_float(array: Array) -> bool:
    return bool(jnp.issubdtype(array.dtype, jnp.floating))


def _first_floating(inputs: Sequence[Array]) -> tuple[int, ...]:
    return tuple(i for i, array in enumerate(inputs) if _is_float(array))[:1]


def _in_dtype(module: torch.nn.Module, dtype: torch.dtype) -> torch.nn.Module:
    """Returns a module whose floating-point parameters and buffers have a dtype."""
    tensors = [*module.parameters(), *module.buffers()]
    if all(tensor.dtype == dtype or not tensor.is_floating_point() for tensor in tensors):
        return module
    return copy.deepcopy(module).to(dtype)


def _name(value: Any) -> str:
    name = getattr(value, "__name__", None)
    return name if isinstance(name, str) else type(value).__name__


def _source(value: Any) -> Any:
    """Returns the function in whose source the operations of a value are."""
    if isinstance(value, torch.nn.Module):
        return type(value).forward
    return value.forward if inspect.isclass(value) else value  # type: ignore[attr-defined]


def _constructor_parameters(value: Any) -> dict[str, inspect.Parameter]:
    """Returns the arguments of the constructor of a class of modules; none for other values."""
    if not inspect.isclass(value) or not issubclass(value, torch.nn.Module):
        return {}
    parameters = inspect.signature(value).parameters
    kinds = (*_POSITIONAL, inspect.Parameter.KEYWORD_ONLY)
    return {name: p for name, p in parameters.items() if p.kind in kinds}


def _signature(
    value: Any, constructor: Mapping[str, inspect.Parameter]
) -> inspect.Signature | None:
    """Returns the arguments of the loss, then those of its constructor, by keyword only."""
    try:
        signature = inspect.signature(_source(value))
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
