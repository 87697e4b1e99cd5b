"""A function, module or class of torch as a function of JAX arrays."""

import contextlib
import functools
import inspect
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import torch
from torch.utils._pytree import tree_unflatten

from landscape.errors import UserError
from landscape.interop import refusals, replay
from landscape.interop.agreement import (
    check_agreement,
    double_inputs,
    with_targets,
)
from landscape.interop.aten_record import Record
from landscape.interop.module_state import check_repeatable, unchanged_module
from landscape.interop.replay import Replay
from landscape.interop.single_as_double import Precisions
from landscape.interop.target_reads import TargetReads, Unresolved
from landscape.interop.target_records import KnownTargets, TargetRecords, Targets
from landscape.interop.target_variants import MOST_IN_AUDITS, MOST_VARIANTS, variants
from landscape.interop.torch_arrays import input_dtype, numpy_dtype, to_array, to_tensor
from landscape.interop.torch_calls import CallsTorch
from landscape.interop.torch_evaluation import BoundCall, evaluate, is_float
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
Program = Replay | CallsTorch | TargetRecords


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
        self._in_torch = self._notes_only = False
        self._programs: dict[_Call, Program] = {}
        self._targets = KnownTargets()
        self._instances: dict[str, Any] = {}
        self._checked: set[tuple[Any, ...]] = set()
        self._precisions = Precisions()
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
        every = (*arrays, *named.values())
        inputs = tuple(map(jnp.asarray, every))
        if not self._calls:
            concrete = {i: x for i, x in enumerate(every) if isinstance(x, np.ndarray)}
            self._targets.add(tuple(x.shape for x in inputs), concrete)
        call = BoundCall(self, tuple(named), Options(options))
        program = self.program(call, inputs, ())
        if self._notes_only:
            kinds = program.first.result_types
            results = tuple(jnp.zeros(kind.shape, kind.dtype) for kind in kinds)
        else:
            results = evaluate(call, inputs)
        return tree_unflatten(list(results), program.first.structure)

    def program(
        self, call: BoundCall, inputs: Sequence[Array], perturbed: Sequence[int]
    ) -> Program:
        """Returns what computes the loss for arrays of these shapes; values need no `perturbed`."""
        key = _Call(
            tuple(tuple(a.shape) for a in inputs),
            tuple(str(a.dtype) for a in inputs),
            call.names,
            call.options.text,
            tuple(perturbed),
        )
        if not perturbed:
            for known, program in self._programs.items():
                if known._replace(differentiated=()) == key:
                    return self._complete(call, program, known)
            key = key._replace(differentiated=_first_floating(inputs))
        if key not in self._programs:
            self._programs[key] = self._new_program(call, key)
        return self._complete(call, self._programs[key], key)

    def _new_program(self, call: BoundCall, key: _Call) -> Program:
        dtypes = [input_dtype(np.dtype(dtype)) for dtype in key.dtypes]
        inputs = example_inputs(key.shapes, dtypes)
        checked = functools.partial(self._checked_program, call, key, inputs)
        return self._precisions.tried(call.options.text, dtypes[0], checked)

    def _checked_program(
        self, call: BoundCall, key: _Call, inputs: Sequence[torch.Tensor]
    ) -> Program:
        record = self._run(call, key, inputs)
        if record.reads_targets:
            for_all = self._for_all_targets(call, key, inputs)
            if for_all is not None:
                return for_all
            return (
                call.in_torch(record)
                if self._calls
                else self._by_target(call, key, inputs, record.reads_targets)
            )
        replay.check_rules(record)
        pattern = (call.options.text, key.differentiated, record.pattern())
        if pattern not in self._checked:
            function, _ = self.callable_of(call.options, inputs[0].dtype)
            again = functools.partial(self._run, call, key, inputs, unchanged=False)
            check_repeatable(record, function, again, self.__name__)
            self._check(call, key, inputs, (record,))
            self._checked.add(pattern)
        return Replay((record,))

    def _for_all_targets(
        self, call: BoundCall, key: _Call, inputs: Sequence[torch.Tensor]
    ) -> Replay | None:
        """Returns records that hold for all targets; None if they are not found."""
        try:
            run = functools.partial(self._run, call, key, inputs)
            records = variants(run, MOST_VARIANTS if self._calls else MOST_IN_AUDITS)
            pattern = (call.options.text, key.differentiated, *(r.pattern() for r in records))
            if pattern not in self._checked:
                for record in records:
                    replay.check_rules(record)
                self._check(call, key, inputs, records)
                self._checked.add(pattern)
        except (UserError, Unresolved):
            return None
        return Replay(records)

    def _by_target(
        self, call: BoundCall, key: _Call, inputs: Sequence[torch.Tensor], error: UserError
    ) -> TargetRecords:
        """Returns records per target, of usual ones. Raises `error` if there are too many."""
        positions = [i for i in range(len(inputs)) if i not in key.differentiated]

        def filled(like: Sequence[torch.Tensor], targets: Targets) -> list[torch.Tensor]:
            arrays = dict(zip(positions, targets, strict=True))
            return [
                to_tensor(arrays[i], tensor.dtype) if i in arrays else tensor
                for i, tensor in enumerate(like)
            ]

        def record(targets: Targets) -> Record:
            return self._run(call, key, filled(inputs, targets), constant_targets=True)

        def check(targets: Targets) -> None:
            if not records.courses and not record(targets).same_as(record(targets)):
                raise refusals.is_random(f"recording `{self.__name__}`")
            wide = filled(double_inputs(inputs), targets)

            def compare() -> None:
                wide_record = self._run(call, key, wide, constant_targets=True)
                points = with_targets(wide, key.differentiated)
                self._compare(call, wide, (wide_record,), points)

            self._precisions.tried(call.options.text, wide[0].dtype, compare)

        records = TargetRecords(record, check, positions, error)
        if not self._targets.of(records.positions, key.shapes, key.dtypes):
            records.add(tuple(to_array(inputs[i]).astype(key.dtypes[i]) for i in positions))
        return records

    def _complete(self, call: BoundCall, program: Program, key: _Call) -> Program:
        """Returns a program with the records of the targets that are known by now."""
        if isinstance(program, TargetRecords):
            if self._in_torch:
                return call.in_torch(program.first)
            for targets in self._targets.of(program.positions, key.shapes, key.dtypes):
                program.add(targets)
        return program

    @property
    def is_by_target(self) -> bool:
        """Whether a program was recorded per target."""
        return any(isinstance(p, TargetRecords) for p in self._programs.values())

    def note(self, call: Callable[..., Any], predictions: Array, targets: Any) -> None:
        """Records this function for the targets that `call(predictions, targets)` passes to it."""
        self._notes_only = True  # so that nothing is replayed
        try:
            jax.eval_shape(lambda p: call(p, targets), predictions)
        finally:
            self._notes_only = False

    @contextlib.contextmanager
    def in_torch(self) -> Iterator[None]:
        """What is traced in it calls torch at run time, if it is recorded by target otherwise."""
        self._in_torch = True
        try:
            yield
        finally:
            self._in_torch = False

    def learn(self) -> bool:
        """Returns whether programs met targets of another course since the last call.

        The next programs are recorded for them too.
        """
        met = False
        for key, program in self._programs.items():
            if isinstance(program, TargetRecords):
                met |= bool(program.missed)
                for targets in program.missed:
                    self._targets.add(
                        key.shapes, dict(zip(program.positions, targets, strict=True))
                    )
                program.missed.clear()
        return met

    def _run(
        self,
        call: BoundCall,
        key: _Call,
        inputs: Sequence[torch.Tensor],
        reads: TargetReads | None = None,
        *,
        constant_targets: bool = False,
        unchanged: bool = True,
    ) -> Record:
        function, options = self.callable_of(call.options, inputs[0].dtype)
        with unchanged_module(function) if unchanged else contextlib.nullcontext():
            return record_loss(
                function,
                inputs,
                call.names,
                options,
                key.differentiated,
                reads,
                constant_targets=constant_targets,
                precision=self._precisions.of(call.options.text, inputs[0].dtype),
            )

    def _check(
        self, call: BoundCall, key: _Call, inputs: Sequence[torch.Tensor], records: Records
    ) -> None:
        """Raises UserError if the float64 records differ from torch."""
        wide = double_inputs(inputs)
        dtype = wide[0].dtype
        if dtype == inputs[0].dtype:
            self._compare(call, wide, records)
            return

        def record_in_double() -> Records:
            run = functools.partial(self._run, call, key, wide)
            records = variants(run, MOST_VARIANTS)
            self._compare(call, wide, records)
            return records

        records = self._precisions.tried(call.options.text, dtype, record_in_double)
        dtypes = tuple(str(numpy_dtype(tensor.dtype)) for tensor in wide)
        self._programs[key._replace(dtypes=dtypes)] = Replay(records)

    def _compare(
        self, call: BoundCall, wide: Sequence[torch.Tensor], records: Records, points: Any = None
    ) -> None:
        dtype = wide[0].dtype
        function, options = self.callable_of(call.options, dtype)
        with self._precisions.of(call.options.text, dtype)():
            check_agreement(records, function, wide, call.names, options, self.__name__, points)

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


def _first_floating(inputs: Sequence[Array]) -> tuple[int, ...]:
    return tuple(i for i, array in enumerate(inputs) if is_float(array))[:1]
