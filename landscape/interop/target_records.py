"""Records of a loss per target, for losses whose use of the targets only Python knows.

The targets are constants of each record. Records with the same operations are one course of the
loss, in which the constants that differ are inputs: torch computes them from the targets at run
time, on the host. The predictions never leave the program.
"""

import contextlib
import dataclasses
import functools
import threading
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from landscape.errors import UserError
from landscape.interop import replay
from landscape.interop.aten_record import Constant, Overlay, Record, Step, Variable
from landscape.interop.operations import elementwise_rules
from landscape.interop.torch_arrays import jax_dtype

Array = Any
Targets = tuple[np.ndarray, ...]
Shapes = tuple[tuple[int, ...], ...]
MOST_COURSES = 16


class KnownTargets:
    """The targets for which programs are to be right, by the shapes of all inputs."""

    def __init__(self) -> None:
        self._by_shapes: dict[Shapes, list[dict[int, np.ndarray]]] = {}

    def add(self, shapes: Shapes, arrays: dict[int, np.ndarray]) -> None:
        """Adds the inputs other than predictions, by their positions."""
        known = self._by_shapes.setdefault(shapes, [])
        if not any(_are_equal(arrays, other) for other in known):
            known.append(arrays)

    def of(self, positions: Sequence[int], shapes: Shapes, dtypes: Sequence[str]) -> list[Targets]:
        """Returns the targets at these positions, in the dtypes of all inputs."""
        return [
            tuple(arrays[i].astype(dtypes[i]) for i in positions)
            for arrays in self._by_shapes.get(shapes, ())
            if arrays.keys() >= set(positions)
        ]


def _are_equal(a: dict[int, np.ndarray], b: dict[int, np.ndarray]) -> bool:
    return a.keys() == b.keys() and all(
        a[i].dtype == b[i].dtype and np.array_equal(a[i], b[i], equal_nan=a[i].dtype.kind == "f")
        for i in a
    )


class Course(NamedTuple):
    """A record in which the constants at some places are inputs, the last ones of the record."""

    key: Any
    record: Record
    places: tuple[tuple[int, ...], ...]  # the leaves that each of these inputs replaces
    values: tuple[Any, ...]  # the leaves of one of the records
    kinds: tuple[jax.ShapeDtypeStruct, ...]


class TargetRecords:
    """The records of a loss by targets, for inputs of one shape and dtype.

    `record(targets)` records the loss, and `check(targets)` raises UserError if it differs from
    torch for these targets; `positions` are those of the targets among the inputs, and `many`
    is the error for too many courses.
    """

    def __init__(
        self,
        record: Callable[[Targets], Record],
        check: Callable[[Targets], None],
        positions: Sequence[int],
        many: UserError,
    ) -> None:
        self.positions = tuple(positions)
        self.missed: list[Targets] = []
        self._record = record
        self._check = check
        self._many = many
        self._recordings: dict[tuple[bytes, ...], tuple[Any, Record]] = {}
        self._lock = threading.Lock()

    def add(self, targets: Targets) -> None:
        """Records the loss for targets. Raises UserError if it has too many courses, or raises."""
        if _bytes(targets) in self._recordings:
            return
        self._add(targets)
        # Examples in another order show which constants depend on the targets.
        with contextlib.suppress(UserError):
            self._add(tuple(np.roll(array, 1, axis=0) for array in targets if array.ndim))

    def _add(self, targets: Targets) -> None:
        record = _normalized(self._record(targets))
        replay.check_rules(record)
        key = _structure(record)
        if all(key != course.key for course in self.courses):
            if len(self.courses) == MOST_COURSES:
                raise self._many
            self._check(targets)
        self._recordings[_bytes(targets)] = key, record
        self.__dict__.pop("courses", None)

    @property
    def first(self) -> Record:
        """A record; all have the same results."""
        return self.courses[0].record

    @functools.cached_property
    def courses(self) -> tuple[Course, ...]:
        """The courses of the loss for the targets that were added."""
        groups: dict[Any, list[Record]] = {}
        for key, record in self._recordings.values():
            groups.setdefault(key, []).append(record)
        return tuple(_course(key, records) for key, records in groups.items())

    def values(self, inputs: Sequence[Array]) -> list[Array]:
        """Returns what the loss returns."""
        return self._switched(inputs, replay.values)

    def gradients(self, inputs: Sequence[Array], cotangents: Sequence[Array]) -> list[Array]:
        """Returns torch's gradients with respect to the differentiated inputs."""
        return self._switched(inputs, replay.gradients, cotangents)

    def _switched(
        self, inputs: Sequence[Array], evaluate: Callable[..., Any], *others: Any
    ) -> list[Array]:
        courses = self.courses
        kinds = [jax.ShapeDtypeStruct((), jnp.int32), *(k for c in courses for k in c.kinds)]
        targets = [lax.stop_gradient(inputs[position]) for position in self.positions]
        on_host = functools.partial(self._of_targets, courses)
        index, *constants = jax.pure_callback(on_host, kinds, *targets, vmap_method="sequential")
        branches, start = [], 0
        for course in courses:
            part = slice(start, start + len(course.kinds))
            start = part.stop

            def branch(
                arrays: Any, constants: Any, *others: Any, part: slice = part, course: Any = course
            ) -> tuple[Array, ...]:
                return tuple(evaluate((course.record,), [*arrays, *constants[part]], *others))

            branches.append(branch)
        if len(branches) == 1 and not constants:
            branches *= 2  # so that the index is used, and the host is asked
        if len(branches) == 1:
            return list(branches[0](list(inputs), constants, *others))
        return list(lax.switch(index, branches, list(inputs), constants, *others))

    def _of_targets(self, courses: Sequence[Course], *arrays: Any) -> list[np.ndarray]:
        """Returns the number of the course for targets, and the constants of all courses.

        Targets of no course are `missed`; what the program then returns has no meaning.
        """
        targets = tuple(np.asarray(array) for array in arrays)
        results = [np.zeros(kind.shape, kind.dtype) for c in courses for kind in c.kinds]
        start = 0
        leaves, key = self._leaves_of(targets)
        for number, course in enumerate(courses):
            if course.key == key and _has_places(course, leaves):
                for position, places in enumerate(course.places, start):
                    value = np.asarray(leaves[places[0]])
                    results[position] = value.astype(results[position].dtype)
                return [np.array(number, np.int32), *results]
            start += len(course.kinds)
        self.missed.append(targets)
        return [np.array(0, np.int32), *results]

    def _leaves_of(self, targets: Targets) -> tuple[list[Any], Any]:
        with self._lock:
            name = _bytes(targets)
            if name not in self._cache:
                try:
                    record = _normalized(self._record(targets))
                    self._cache[name] = (
                        [_plain(leaf) for leaf in _leaves(record)],
                        _structure(record),
                    )
                except Exception:  # the loss raises for these targets, which are missed
                    self._cache[name] = [], None
            return self._cache[name]

    @functools.cached_property
    def _cache(self) -> dict[tuple[bytes, ...], tuple[list[Any], Any]]:
        return {}


def _bytes(targets: Targets) -> tuple[bytes, ...]:
    return tuple(array.tobytes() for array in targets)


def _course(key: Any, records: Sequence[Record]) -> Course:
    """Returns the course of records with the same structure."""
    table = [[_plain(leaf) for leaf in _leaves(record)] for record in records]
    by_values: dict[Any, list[int]] = {}
    for position, column in enumerate(zip(*table, strict=True)):
        if len({_identity(value) for value in column}) > 1:
            by_values.setdefault(tuple(map(_identity, column)), []).append(position)
    first = records[0]
    last = max([*first.inputs, *(n for step in first.steps for n in step.outputs), 0])
    last = max([last, *(number for number in first.cotangents if number is not None)])
    places = tuple(map(tuple, by_values.values()))
    numbers = {place: last + 1 + i for i, same in enumerate(places) for place in same}
    kinds = [_kind(table[0][same[0]]) for same in places]
    replaced = _with_inputs(first, numbers)
    inputs = (*first.inputs, *(last + 1 + i for i in range(len(places))))
    record = dataclasses.replace(replaced, inputs=inputs)
    return Course(key, record, places, tuple(map(_identity, table[0])), tuple(kinds))


def _has_places(course: Course, leaves: Sequence[Any]) -> bool:
    """Returns whether leaves differ from those of a course at its places only."""
    places = {place for same in course.places for place in same}
    if any(len({_identity(leaves[place]) for place in same}) > 1 for same in course.places):
        return False
    return all(
        _identity(leaf) == course.values[position]
        for position, leaf in enumerate(leaves)
        if position not in places
    )


def _kind(value: Any) -> jax.ShapeDtypeStruct:
    array = np.asarray(value)
    return jax.ShapeDtypeStruct(array.shape, jax_dtype(array.dtype))


def _plain(leaf: Any) -> Any:
    return leaf.array if isinstance(leaf, Constant) else leaf


def _identity(value: Any) -> Any:
    if isinstance(value, np.ndarray):
        return value.tobytes()
    return value if isinstance(value, Variable) else repr(value)


def _map_leaves(value: Any, function: Callable[[Any], Any]) -> Any:
    """Returns nested arguments with a function applied to each variable, constant and number."""
    if isinstance(value, tuple | list) and not isinstance(value, Variable):
        mapped = [_map_leaves(inner, function) for inner in value]
        return tuple(mapped) if isinstance(value, tuple) else mapped
    if isinstance(value, dict):
        return {name: _map_leaves(inner, function) for name, inner in value.items()}
    return function(value)


def _leaves(record: Record) -> list[Any]:
    leaves: list[Any] = []
    _map_leaves(_parts(record), leaves.append)
    return leaves


def _parts(record: Record) -> tuple[Any, ...]:
    steps = [(step.arguments, step.keywords) for step in record.steps]
    return steps, record.results, record.gradients


def _normalized(record: Record) -> Record:
    """Returns a record of the steps that are needed, with variables numbered in order."""
    steps = record.steps_of((*record.results, *record.gradients))
    created = [*record.inputs, *(n for n in record.cotangents if n is not None)]
    created += [number for step in steps for number in step.outputs]
    numbers = {number: position for position, number in enumerate(created)}

    def renumbered(leaf: Any) -> Any:
        return Variable(numbers[leaf.number]) if isinstance(leaf, Variable) else leaf

    new_steps = [
        dataclasses.replace(
            step,
            arguments=_map_leaves(step.arguments, renumbered),
            keywords=_map_leaves(step.keywords, renumbered),
            outputs=tuple(numbers[number] for number in step.outputs),
        )
        for step in steps
    ]
    return dataclasses.replace(
        record,
        inputs=tuple(numbers[number] for number in record.inputs),
        steps=tuple(new_steps),
        results=_map_leaves(record.results, renumbered),
        gradients=_map_leaves(record.gradients, renumbered),
        cotangents=tuple(None if n is None else numbers[n] for n in record.cotangents),
    )


def _with_inputs(record: Record, numbers: dict[int, int]) -> Record:
    """Returns a record with variables in place of the leaves at some positions."""
    position = iter(range(len(_leaves(record))))

    def replaced(leaf: Any) -> Any:
        number = numbers.get(next(position))
        return leaf if number is None else Variable(number)

    steps, results, gradients = _map_leaves(_parts(record), replaced)
    new_steps = [
        dataclasses.replace(step, arguments=arguments, keywords=keywords)
        for step, (arguments, keywords) in zip(record.steps, steps, strict=True)
    ]
    return dataclasses.replace(record, steps=tuple(new_steps), results=results, gradients=gradients)


def _structure(record: Record) -> Any:
    """Returns what two records have in common that differ in constants only."""
    return (
        tuple(map(_step_structure, record.steps)),
        _map_leaves((record.results, record.gradients), _leaf_structure),
        record.cotangents,
        record.result_types,
    )


def _step_structure(step: Step) -> Any:
    name: Any = step.operation
    if isinstance(name, Overlay):
        name = name.view.shape, name.view.tobytes(), name.written.tobytes()
    leaf = functools.partial(_leaf_structure, numbers=step.operation in elementwise_rules.RULES)
    arguments = _map_leaves((step.arguments, tuple(step.keywords.items())), leaf)
    return name, step.outputs, step.types, _hashable(arguments)


def _leaf_structure(leaf: Any, *, numbers: bool = False) -> Any:
    """Returns what is the same for all constants of one shape, and the leaf itself otherwise."""
    if isinstance(leaf, Constant):
        return "constant", leaf.array.shape, str(leaf.array.dtype)
    if isinstance(leaf, float) or (numbers and type(leaf) is int):
        return type(leaf).__name__
    return leaf if isinstance(leaf, Variable) else repr(leaf)


def _hashable(value: Any) -> Any:
    return (
        tuple(map(_hashable, value))
        if isinstance(value, tuple | list) and not isinstance(value, Variable)
        else value
    )
