"""A function, module or class of torch as a function of JAX arrays."""

import functools
import inspect
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import torch
from torch.utils._pytree import tree_unflatten

from landscape.errors import UserError
from landscape.interop import refusals, replay, torch_calls
from landscape.interop.aten_record import Record
from landscape.interop.target_reads import TargetReads, Unresolved
from landscape.interop.target_variants import variants
from landscape.interop.torch_arrays import input_dtype, numpy_dtype
from landscape.interop.torch_recording import example_inputs, record_loss
from landscape.interop.torch_signature import (
    Options,
    constructor_parameters,
    in_dtype,
    name_of_value,
    parameters_of,
    signature_of,
    source_of,
    with_tensors,
)

Array = Any
Records = tuple[Record, ...]


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

    def __init__(self, value: Any, *, calls: bool = True) -> None:
        self._value = value
        self._calls = calls
        self._records: dict[_Call, Records] = {}
        self._instances: dict[str, Any] = {}
        self._checked: set[tuple[Any, ...]] = set()
        self.__name__ = name_of_value(value)
        self.__qualname__ = self.__name__
        self.__module__ = str(getattr(value, "__module__", "torch"))
        self.__doc__ = getattr(value, "__doc__", None)
        self.__wrapped__ = source_of(value)
        self._constructor = constructor_parameters(value)
        signature = signature_of(value, self._constructor)
        if signature is not None:
            self.__signature__ = signature

    def constants(self, options: Mapping[str, Any]) -> int:
        """Returns the number of parameters and buffers of the module, which are constants."""
        module, _ = self.callable_of(Options(options), torch.get_default_dtype())
        if not isinstance(module, torch.nn.Module):
            return 0
        return sum(tensor.numel() for tensor in (*module.parameters(), *module.buffers()))

    @functools.cached_property
    def replayed(self) -> "TorchFunction":
        """The same function, which raises UserError where it would call torch at run time."""
        return TorchFunction(self._value, calls=False) if self._calls else self

    def __call__(self, *arrays: Array, **keywords: Any) -> Any:
        named = {k: v for k, v in keywords.items() if isinstance(v, jax.Array | np.ndarray)}
        options = {name: value for name, value in keywords.items() if name not in named}
        inputs = tuple(map(jnp.asarray, (*arrays, *named.values())))
        call = _Bound(self, tuple(named), Options(options))
        first, *_ = self.records(call, inputs, ())
        results = _evaluate(call, inputs)
        return tree_unflatten(list(results), first.structure)

    def records(self, call: "_Bound", inputs: Sequence[Array], perturbed: Sequence[int]) -> Records:
        """Returns the records for arrays of these shapes, one per condition on the targets.

        Values alone need no `perturbed` arrays. A record that `reads_targets` cannot be replayed.
        """
        key = _Call(
            tuple(tuple(a.shape) for a in inputs),
            tuple(str(a.dtype) for a in inputs),
            call.names,
            call.options.text,
            tuple(perturbed),
        )
        if not perturbed:
            for known, records in self._records.items():
                if known._replace(differentiated=()) == key:
                    return records
        if key not in self._records:
            first = tuple(perturbed) or _first_floating(inputs)
            self._records[key] = self._new_records(call, key._replace(differentiated=first))
        return self._records[key]

    def _new_records(self, call: "_Bound", key: _Call) -> Records:
        dtypes = [input_dtype(np.dtype(dtype)) for dtype in key.dtypes]
        inputs = example_inputs(key.shapes, dtypes)
        record = self._run(call, key, inputs)
        if record.reads_targets:
            records = self._for_all_targets(call, key, inputs)
            if not records and not self._calls:
                raise record.reads_targets
            return records or (record,)
        replay.check_rules(record)
        pattern = (call.options.text, key.differentiated, record.pattern())
        if pattern not in self._checked:
            self._check_random(call, key, inputs, record)
            self._check(call, key, inputs, (record,))
            self._checked.add(pattern)
        return (record,)

    def _for_all_targets(
        self, call: "_Bound", key: _Call, inputs: Sequence[torch.Tensor]
    ) -> Records:
        """Returns records that hold for all targets; none if there are no such records."""
        try:
            run = functools.partial(self._run, call, key, inputs)
            records = variants(run, _classes(inputs))
            pattern = (call.options.text, key.differentiated, *(r.pattern() for r in records))
            if pattern not in self._checked:
                for record in records:
                    replay.check_rules(record)
                self._check(call, key, inputs, records)
                self._checked.add(pattern)
        except (UserError, Unresolved):
            return ()
        return records

    def _run(
        self,
        call: "_Bound",
        key: _Call,
        inputs: Sequence[torch.Tensor],
        reads: TargetReads | None = None,
    ) -> Record:
        function, options = self.callable_of(call.options, inputs[0].dtype)
        return record_loss(function, inputs, call.names, options, key.differentiated, reads)

    def _check_random(
        self, call: "_Bound", key: _Call, inputs: Sequence[torch.Tensor], record: Record
    ) -> None:
        if not record.same_as(self._run(call, key, inputs)):
            raise refusals.is_random(f"recording `{self.__name__}`")

    def _check(
        self, call: "_Bound", key: _Call, inputs: Sequence[torch.Tensor], records: Records
    ) -> None:
        """Raises UserError if the float64 records differ from torch."""
        from landscape.interop.agreement import check_agreement, double_inputs

        wide = double_inputs(inputs)
        if wide[0].dtype != inputs[0].dtype:
            run = functools.partial(self._run, call, key, wide)
            records = variants(run, _classes(wide))
            dtypes = tuple(str(numpy_dtype(tensor.dtype)) for tensor in wide)
            self._records[key._replace(dtypes=dtypes)] = records
        function, options = self.callable_of(call.options, wide[0].dtype)
        check_agreement(records, function, wide, call.names, options, self.__name__)

    def callable_of(
        self, options: "Options", dtype: torch.dtype
    ) -> tuple[Callable[..., Any], Mapping[str, Any]]:
        """Returns what torch calls for predictions of a dtype, and the options of the call."""
        constructor = {n: v for n, v in options.items() if n in self._constructor}
        others = {n: v for n, v in options.items() if n not in self._constructor}
        value: Any = self._value
        if inspect.isclass(value) and issubclass(value, torch.autograd.Function):
            return value.apply, others  # type: ignore[attr-defined]
        if inspect.isclass(value):
            text = str(Options(constructor).text)
            if text not in self._instances:
                # A tensor in the default dtype; the module is converted to that of predictions.
                options_of_class = with_tensors(constructor, self._constructor, None)
                self._instances[text] = value(**options_of_class)
            value = self._instances[text]
        if isinstance(value, torch.nn.Module):
            return in_dtype(value, dtype), others
        return value, with_tensors(others, parameters_of(self.__wrapped__), dtype)


@functools.cache
def torch_function(value: Any) -> TorchFunction:
    """Returns the adapted function, one per value."""
    return TorchFunction(value)


class _Bound(NamedTuple):
    """A function, the names of its last arrays, and its options."""

    function: TorchFunction
    names: tuple[str, ...]
    options: Options

    def in_torch(self, record: Record) -> torch_calls.TorchCall:
        """Returns the call of torch itself, with results of the types of a record."""
        callables = functools.partial(self.function.callable_of, self.options)
        trained = sum(number is not None for number in record.cotangents)
        return torch_calls.TorchCall(
            callables, self.names, record.result_types, trained, record.differentiated
        )


def _values(call: _Bound, records: Records, inputs: Sequence[Array]) -> list[Array]:
    if records[0].reads_targets:
        return torch_calls.values(call.in_torch(records[0]), inputs)
    return replay.values(records, inputs)


@functools.partial(jax.custom_vjp, nondiff_argnums=(0,))
def _evaluate(call: _Bound, inputs: tuple[Array, ...]) -> tuple[Array, ...]:
    return tuple(_values(call, call.function.records(call, inputs, ()), inputs))


def _forward(call: _Bound, primals: Any) -> Any:
    inputs = tuple(primal.value for primal in primals)
    perturbed = tuple(i for i, p in enumerate(primals) if p.perturbed and _is_float(p.value))
    records = call.function.records(call, inputs, perturbed)
    return tuple(_values(call, records, inputs)), (inputs, perturbed)


def _backward(call: _Bound, residuals: Any, cotangents: Any) -> Any:
    inputs, perturbed = residuals
    records = call.function.records(call, inputs, perturbed)
    record = records[0]
    weights = [_instantiated(c, t) for c, t in zip(cotangents, record.result_types, strict=True)]
    if record.reads_targets:
        gradients = torch_calls.gradients(call.in_torch(record), inputs, weights)
    else:
        gradients = replay.gradients(records, inputs, weights)
    by_position = dict(zip(record.differentiated, gradients, strict=True))
    return (tuple(by_position.get(position) for position in range(len(inputs))),)


_evaluate.defvjp(_forward, _backward, symbolic_zeros=True)


def _classes(inputs: Sequence[torch.Tensor]) -> int:
    """Returns the number of classes of predictions `(n, classes, ...)`."""
    return inputs[0].shape[1] if inputs[0].ndim > 1 else 2


def _instantiated(cotangent: Any, kind: Any) -> Any:
    if isinstance(cotangent, jax.custom_derivatives.SymbolicZero):
        return jnp.zeros(kind.shape, kind.dtype)
    return cotangent


def _is_float(array: Array) -> bool:
    return bool(jnp.issubdtype(array.dtype, jnp.floating))


def _first_floating(inputs: Sequence[Array]) -> tuple[int, ...]:
    return tuple(i for i, array in enumerate(inputs) if _is_float(array))[:1]
