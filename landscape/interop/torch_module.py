"""A module of torch as a function of JAX arrays: parameters, state and inputs.

Each shape and dtype of the inputs has its own record, since the code of a module may contain the
size of the batch. Each pattern of records is compared with torch, value and gradient, before it is
used.
"""

import contextlib
import copy
import dataclasses
import functools
import warnings
from collections.abc import Iterator, Mapping, Sequence, Set
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import torch
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils._pytree import tree_flatten, tree_unflatten

from landscape.errors import UserError
from landscape.interop import replay
from landscape.interop.aten_record import Record
from landscape.interop.torch_arrays import input_dtype, to_array, to_tensor
from landscape.interop.torch_recording import record_loss, unchanged_torch

Array = Any
# Largest difference from torch in float64, relative to the largest number of the array.
OF_PREDICTIONS = 1e-6
OF_GRADIENTS = 1e-5
# Standard deviations of the noise that is added to parameters and inputs for a comparison.
NOISE = (0.0, 0.05, 0.2)
_PLAIN = (bool, int, float, str, tuple, type(None))


class _Types(NamedTuple):
    """What determines a record: types of the arrays, and those that are differentiated."""

    shapes: tuple[tuple[int, ...], ...]
    dtypes: tuple[str, ...]
    differentiated: tuple[int, ...]


@dataclasses.dataclass(eq=False, init=False)
class ModuleFunction:
    """`function(params, state, inputs)`: the predictions of a module, with torch's own gradient.

    `params` and `state` have the arrays of the module by their names in torch; `inputs` is an
    array, or a tuple of arrays for several arguments. Raises UserError if the module has operations
    that cannot be replayed, or if the replay differs from torch.

    identity: what decides the predictions beside the arguments: classes, options and constants
    """

    identity: tuple[Any, ...]

    def __init__(
        self, module: torch.nn.Module, trained: Sequence[str], others: Sequence[str], example: Any
    ) -> None:
        """`trained` and `others` name the tensors that are arguments; the rest are constants."""
        self.name = type(module).__name__
        self._module = copy.deepcopy(module).cpu()
        self._names = (*trained, *others)
        self._trained = len(trained)
        tensors = dict([*self._module.named_parameters(), *self._module.named_buffers()])
        self._values = [to_array(tensors[name]) for name in self._names]
        self._example = [to_array(tensor) for tensor in _as_tuple(example)]
        self.identity = _identity(self._module, set(self._names))
        self._in_dtype = functools.cache(self._converted)
        self._records: dict[_Types, Record] = {}
        self._checked: set[Any] = set()

    def arrays(self) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
        """Returns the parameters, and the other arguments, at the values of the module."""
        values = dict(zip(self._names, self._values, strict=True))
        names = list(values)
        return tuple(  # type: ignore[return-value]
            {name: values[name] for name in part}
            for part in (names[: self._trained], names[self._trained :])
        )

    def __call__(self, params: Mapping[str, Array], state: Mapping[str, Array], inputs: Any) -> Any:
        values = {**params, **state}
        arrays = [values[name] for name in self._names]
        tensors = tuple(map(jnp.asarray, (*arrays, *_as_tuple(inputs))))
        record = self.record(tensors, ())
        return tree_unflatten(list(_evaluate(self, tensors)), record.structure)

    def record(self, arrays: Sequence[Array], perturbed: Sequence[int]) -> Record:
        """Returns the record for arrays of these types; values alone need no `perturbed` ones."""
        key = _Types(
            tuple(tuple(a.shape) for a in arrays),
            tuple(str(a.dtype) for a in arrays),
            tuple(perturbed) or tuple(range(self._trained)),
        )
        if not perturbed:
            for known, record in self._records.items():
                if known._replace(differentiated=key.differentiated) == key:
                    return record
        if key not in self._records:
            self._records[key] = self._new_record(key)
        return self._records[key]

    def _new_record(self, key: _Types) -> Record:
        record = self._recorded(key, self._point(key, 0.0))
        replay.check_rules(record)
        pattern = key.differentiated, record.pattern()
        if pattern not in self._checked:
            self._check(key, record)
            self._checked.add(pattern)
        return record

    def _recorded(self, key: _Types, tensors: Sequence[torch.Tensor]) -> Record:
        try:
            with _plain_operations():
                record = record_loss(self._call, tensors, (), {}, key.differentiated)
            if record.reads_targets is not None:
                raise record.reads_targets
            return record
        except UserError as error:
            shapes = ", ".join(map(str, key.shapes[len(self._names) :]))
            raise UserError(
                f"`{self.name}` with inputs of shape {shapes} {error.message}",
                place=error.place,
                hint=error.hint,
            ) from error

    def _call(self, *tensors: torch.Tensor) -> Any:
        """Returns the predictions of the module with these tensors as parameters and state."""
        count = len(self._names)
        module = self._in_dtype(tensors[0].dtype)
        values = dict(zip(self._names, tensors[:count], strict=True))
        return torch.func.functional_call(module, values, tuple(tensors[count:]))

    def _converted(self, dtype: torch.dtype) -> torch.nn.Module:
        """Returns the module with its constants in a dtype."""
        return copy.deepcopy(self._module).to(dtype)

    def _point(self, key: _Types, noise: float) -> list[torch.Tensor]:
        """Returns tensors of the types of a record: those of the module, with noise."""
        random = np.random.default_rng(0)
        tensors = []
        for number, (shape, dtype) in enumerate(zip(key.shapes, key.dtypes, strict=True)):
            is_input = number >= len(self._names)
            if is_input:
                values = np.resize(self._example[number - len(self._names)], shape)
            else:
                values = self._values[number]
            kind = input_dtype(np.dtype(dtype))
            is_state = self._trained <= number < len(self._names)
            if noise and kind.is_floating_point and not is_state:
                scale = float(np.std(values)) or 1.0
                values = values + noise * scale * random.standard_normal(shape)
            tensors.append(to_tensor(np.asarray(values), kind))
        return tensors

    def _check(self, key: _Types, record: Record) -> None:
        """Raises UserError unless the replay in float64 agrees with torch around the module."""
        wide = key._replace(dtypes=tuple(map(_in_double, key.dtypes)))
        with unchanged_torch(), jax.enable_x64(True):
            double = record if wide == key else self._recorded(wide, self._point(wide, 0.0))
            program = None
            for noise in NOISE:
                tensors = self._point(wide, noise)
                expected, weights = self._in_torch(tensors, wide.differentiated)
                arrays = [to_array(tensor) for tensor in tensors]
                if program is None:
                    program = _compiled(double, arrays, weights)
                replayed = program(arrays, weights)
                self._compare(double, replayed, expected)

    def _in_torch(
        self, tensors: Sequence[torch.Tensor], differentiated: Sequence[int]
    ) -> tuple[tuple[list[np.ndarray], list[np.ndarray]], list[np.ndarray]]:
        """Returns predictions and gradients by torch itself, and the weights of the predictions."""
        leaves = [
            tensor.requires_grad_(position in differentiated)
            for position, tensor in enumerate(tensors)
        ]
        results = tree_flatten(self._call(*leaves))[0]
        random = np.random.default_rng(1)
        weights = [random.standard_normal(tuple(r.shape)) for r in results]
        chosen = [leaves[position] for position in differentiated]
        usable = [(r, w) for r, w in zip(results, weights, strict=True) if r.requires_grad]
        gradients = torch.autograd.grad(
            [r for r, _ in usable],
            chosen,
            [to_tensor(w, r.dtype) for r, w in usable],
            allow_unused=True,
        )
        filled = [
            torch.zeros_like(leaf) if gradient is None else gradient
            for gradient, leaf in zip(gradients, chosen, strict=True)
        ]
        return (list(map(to_array, results)), list(map(to_array, filled))), weights

    def _compare(self, record: Record, replayed: Any, expected: Any) -> None:
        for what, limit, ours, theirs in zip(
            ("predictions", "gradients"),
            (OF_PREDICTIONS, OF_GRADIENTS),
            replayed,
            expected,
            strict=True,
        ):
            scale = max((np.abs(array).max(initial=0.0) for array in theirs), default=0.0)
            for a, b in zip(ours, theirs, strict=True):
                if np.shape(a) == b.shape and np.allclose(
                    np.asarray(a), b, rtol=limit, atol=limit * scale, equal_nan=True
                ):
                    continue
                names = sorted({str(step.operation) for step in record.steps})
                raise UserError(
                    f"`{self.name}` cannot be replayed: its {what} differ from those of torch. "
                    f"Its operations: {', '.join(names)}",
                    hint="please report the module; as a workaround write it in JAX",
                )


def _identity(module: torch.nn.Module, arguments: Set[str]) -> tuple[Any, ...]:
    """Returns the classes of a module and its parts, their options, and its constants."""
    parts = dict(module.named_modules())
    options = {
        name: {key: repr(value) for key, value in vars(part).items() if isinstance(value, _PLAIN)}
        for name, part in parts.items()
    }
    constants = [(n, to_array(t)) for n, t in module.named_buffers() if n not in arguments]
    return tuple(dict.fromkeys(map(type, parts.values()))), str(module), options, constants


@contextlib.contextmanager
def _plain_operations() -> Iterator[None]:
    """Has torch compute attention and recurrent layers by operations that have counterparts."""
    fast = torch.backends.mha.get_fastpath_enabled()
    torch.backends.mha.set_fastpath_enabled(False)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            with torch.backends.mkldnn.flags(enabled=False), sdpa_kernel(SDPBackend.MATH):
                yield
    finally:
        torch.backends.mha.set_fastpath_enabled(fast)


def _compiled(record: Record, arrays: Sequence[Array], weights: Sequence[Array]) -> Any:
    """Returns predictions and gradients of a record as a compiled function.

    It is compiled ahead of time, so that it runs also while JAX traces a program.
    """

    def evaluated(arrays: Sequence[Any], weights: Sequence[Any]) -> tuple[Any, Any]:
        return replay.values((record,), arrays), replay.gradients((record,), arrays, weights)

    return jax.jit(evaluated).lower(arrays, weights).compile()


def _as_tuple(inputs: Any) -> tuple[Any, ...]:
    return tuple(inputs) if isinstance(inputs, tuple | list) else (inputs,)


def _in_double(dtype: str) -> str:
    return "float64" if jnp.issubdtype(np.dtype(dtype), jnp.floating) else dtype


@functools.partial(jax.custom_jvp, nondiff_argnums=(0,))
def _evaluate(function: ModuleFunction, arrays: tuple[Array, ...]) -> tuple[Array, ...]:
    return tuple(replay.values((function.record(arrays, ()),), arrays))


def _tangents(function: ModuleFunction, primals: Any, tangents: Any) -> tuple[Any, Any]:
    """Returns predictions and their tangents, which are the transpose of torch's gradient.

    Curvature needs derivatives in both directions, and torch records the backward one.
    """
    (arrays,), (moves,) = primals, tangents
    perturbed = tuple(
        position
        for position, move in enumerate(moves)
        if type(move) is not jax.custom_derivatives.SymbolicZero
    )
    record = function.record(arrays, perturbed)
    results = tuple(replay.values((record,), arrays))

    def pulled_back(cotangents: tuple[Array, ...]) -> list[Array]:
        return replay.gradients((record,), arrays, cotangents)

    along = [moves[position] for position in record.differentiated]
    (pushed,) = jax.linear_transpose(pulled_back, results)(along)
    return results, pushed


_evaluate.defjvp(_tangents, symbolic_zeros=True)
