"""Compares a replayed record with torch, value and gradient, before it is used."""

import functools
import itertools
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

import jax
import numpy as np
import torch
from torch.utils._pytree import tree_flatten

from landscape.errors import UserError
from landscape.interop import replay
from landscape.interop.aten_record import Record
from landscape.interop.torch_arrays import input_dtype, to_array, to_tensor
from landscape.interop.torch_recording import unchanged_torch

RELATIVE = 1e-7
ABSOLUTE = 1e-11  # rounding, where terms of about 1 cancel
MOST_SCALARS = 6  # numbers at which operations of the record switch
# No optimization, which takes longer than the program runs.
_RUNS_FEW_TIMES: dict[str, Any] = {
    "xla_backend_optimization_level": 0,
    "xla_cpu_use_fusion_emitters": False,
}
Array = np.ndarray


def check_agreement(
    records: Sequence[Record],
    function: Callable[..., Any],
    inputs: Sequence[torch.Tensor],
    names: Sequence[str],
    options: Mapping[str, Any],
    name: str,
    points: Iterable[list[torch.Tensor]] | None = None,
) -> None:
    """Raises UserError unless the float64 records agree with torch at random points and kinks.

    They are compared at `points` if these are passed. A point at which torch raises, such as a
    probability outside of [0, 1], does not count; at least one must count. Kinks do not count if
    the loss sorts: torch does not define the order of equal values.
    """
    compared = 0
    last_error: BaseException | None = None
    with unchanged_torch(), jax.enable_x64(True):
        program = _compiled(records, inputs)
        record = records[0]
        scalars = {scalar for r in records for scalar in r.scalars} | {0.0, 1.0}
        sorts = any(r.sorts for r in records)
        reads = record.sites or record.decisions
        if points is None:
            usual = _points(inputs, () if sorts else tuple(scalars))
            points = itertools.chain(usual, _extreme_targets(inputs) if reads else ())
        for point in points:
            try:
                expected = _in_torch(record, function, point, names, options)
            except Exception as error:
                last_error = error
                continue
            arrays = [to_array(tensor) for tensor in point]
            results = [np.asarray(value) for value in program(arrays, _weights(record))]
            if not all(map(_agree, results, expected)):
                if not _is_rounding(records, arrays, results, expected):
                    raise _disagreement(name)
                continue
            compared += 1
    if not compared:
        raise UserError(
            f"`{name}` raises at all points at which it was to be checked: {last_error}",
            hint="pass arrays that it accepts with `--example FILE.npz`",
        )


def _compiled(records: Sequence[Record], inputs: Sequence[torch.Tensor]) -> Callable[..., Any]:
    """Returns the values and gradients of a record as a function of inputs and cotangents.

    It is compiled ahead of time, so that it runs also while JAX traces a program that uses the
    loss.
    """

    def evaluated(arrays: Sequence[Any], weights: Sequence[Any]) -> list[Any]:
        results = replay.values(records, arrays)
        return [*results, *replay.gradients(records, arrays, weights)]

    arrays = [to_array(tensor) for tensor in inputs]
    lowered = jax.jit(evaluated).lower(arrays, _weights(records[0]))
    return lowered.compile(compiler_options=_RUNS_FEW_TIMES)


def _weights(record: Record) -> list[Array]:
    return [_weight(kind.shape, kind.dtype) for kind in record.result_types]


def _weight(shape: tuple[int, ...], dtype: Any) -> Array:
    """Returns a cotangent whose elements differ."""
    return (1 + 0.25 * np.cos(np.arange(int(np.prod(shape))))).reshape(shape).astype(dtype)


def _in_torch(
    record: Record,
    function: Callable[..., Any],
    point: Sequence[torch.Tensor],
    names: Sequence[str],
    options: Mapping[str, Any],
) -> list[Array]:
    """Returns values and gradients by torch itself."""
    leaves = [
        tensor.clone().requires_grad_(position in record.differentiated)
        for position, tensor in enumerate(point)
    ]
    count = len(leaves) - len(names)
    keywords = dict(zip(names, leaves[count:], strict=True))
    returned = function(*leaves[:count], **keywords, **options)
    results = [torch.as_tensor(result) for result in tree_flatten(returned)[0]]
    pairs = zip(results, record.cotangents, strict=True)
    usable = [r for r, number in pairs if number is not None and r.requires_grad]
    chosen = [leaves[position] for position in record.differentiated]
    gradients: Sequence[Any] = [None] * len(chosen)
    if usable and chosen:
        weights = [to_tensor(_weight(tuple(r.shape), "float64"), r.dtype) for r in usable]
        gradients = torch.autograd.grad(usable, chosen, weights, allow_unused=True)
    zeros = [torch.zeros_like(leaf) for leaf in chosen]
    filled = [z if g is None else g for g, z in zip(gradients, zeros, strict=True)]
    return [to_array(tensor) for tensor in (*results, *filled)]


def _is_rounding(
    records: Sequence[Record], arrays: Sequence[Array], results: Any, expected: Any
) -> bool:
    """Returns whether results may differ by the rounding of much larger intermediate numbers.

    `F.normalize` of zeros, for example, multiplies by 1e12 what cancels before.
    """
    differences = [
        np.abs(r.astype(float) - e.astype(float))
        for r, e in zip(results, expected, strict=True)
        if r.shape == e.shape
    ]
    largest = max(float(d.max(initial=0.0)) for d in differences)
    if len(differences) < len(results) or len(records) > 1 or not np.isfinite(largest):
        return False
    arguments = arrays, _weights(records[0])
    magnitude = jax.jit(functools.partial(replay.largest_intermediate, records[0]))
    scale = float(magnitude.lower(*arguments).compile()(*arguments))
    return largest < 10 * float(np.finfo(float).eps) * scale


def _agree(replayed: Array, expected: Array) -> bool:
    return replayed.shape == expected.shape and np.allclose(
        replayed.astype(float),
        expected.astype(float),
        rtol=RELATIVE,
        atol=ABSOLUTE + RELATIVE * _scale(expected),
        equal_nan=True,
    )


def _disagreement(name: str) -> UserError:
    return UserError(
        f"`{name}` cannot be replayed: its values or gradients differ from those of torch",
        hint="please report the loss; as a workaround write it with jax.numpy",
    )


def _scale(values: Array) -> float:
    finite = np.abs(values[np.isfinite(values)].astype(float))
    return min(float(finite.max(initial=0.0)), 1.0)


def _points(
    inputs: Sequence[torch.Tensor], scalars: Sequence[float]
) -> Iterator[list[torch.Tensor]]:
    """Yields arguments: random ones, and those at which operations of the record switch."""
    random = np.random.default_rng(0)
    first, *others = inputs
    shape = tuple(first.shape)
    normal = 2 * random.standard_normal(shape)
    yield [to_tensor(normal, first.dtype), *_targets(first, others, random, "normal")]
    unit = random.uniform(0.02, 0.98, shape)
    yield [to_tensor(unit, first.dtype), *_targets(first, others, random, "binary")]
    share = unit / unit.sum(-1, keepdims=True) if shape else unit
    yield [to_tensor(share, first.dtype), *_targets(first, others, random, "unit")]
    yield [to_tensor(20 * normal, first.dtype), *_targets(first, others, random, "sign")]
    near = sorted(set(scalars), key=lambda v: (abs(v), v))
    for scalar in near[: MOST_SCALARS + 2]:
        if not np.isfinite(scalar):
            continue
        targets = _targets(first, others, random, "binary")
        yield [torch.full_like(first, scalar), *targets]
        same = [t for t in targets if t.shape == first.shape and t.is_floating_point()]
        if same:
            yield [(same[0] + scalar).to(first.dtype), *targets]
            yield [(same[0] - scalar).to(first.dtype), *targets]


def with_targets(
    inputs: Sequence[torch.Tensor], predictions: Sequence[int]
) -> Iterator[list[torch.Tensor]]:
    """Yields arguments with the same targets, and random `predictions` by their positions."""
    for point in _points(inputs[:1], ()):
        yield [
            point[0]
            if i == 0
            else tensor.flatten().roll(1).reshape(tensor.shape)
            if i in predictions
            else tensor
            for i, tensor in enumerate(inputs)
        ]


def _extreme_targets(inputs: Sequence[torch.Tensor]) -> Iterator[list[torch.Tensor]]:
    """Yields arguments whose targets are equal, but for one, none or some of their elements."""
    random = np.random.default_rng(1)
    first, *others = inputs
    for equal in (0.0, 1.0, -1.0, 2.0):
        for other in (equal, 0.0, 1.0, 3.0):
            predictions = random.standard_normal(tuple(first.shape))
            targets = [torch.full_like(tensor, equal) for tensor in others]
            for tensor in targets:
                if tensor.numel():
                    tensor.view(-1)[int(random.integers(tensor.numel()))] = other
            yield [to_tensor(predictions, first.dtype), *targets]


def _targets(
    first: torch.Tensor, others: Sequence[torch.Tensor], random: np.random.Generator, kind: str
) -> list[torch.Tensor]:
    classes = first.shape[1] if first.ndim > 1 else 2
    targets = []
    for tensor in others:
        shape = tuple(tensor.shape)
        values: Array = random.integers(0, min(classes, 2), shape)
        if tensor.is_floating_point():
            binary = random.integers(0, 2, shape)
            values = {
                "normal": random.standard_normal(shape),
                "binary": binary,
                "unit": random.uniform(0.05, 0.95, shape),
                "sign": 2 * binary - 1,
            }[kind]
        targets.append(to_tensor(np.asarray(values, float), tensor.dtype))
    return targets


def double_inputs(inputs: Sequence[torch.Tensor]) -> list[torch.Tensor]:
    """Returns the inputs with floating-point numbers in float64."""
    wide = input_dtype(np.float64)
    return [tensor.to(wide) if tensor.is_floating_point() else tensor for tensor in inputs]
