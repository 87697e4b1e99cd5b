"""Reads a traced program by the composition rules of calculus: proofs, and a list of suspects.

It proves the good cases, such as a composition of smooth functions on the ranges that occur. In
all other cases it lists each operation that can switch; measurements decide whether one does.
"""

import functools
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

import jax
import jax.extend.core as jex
import jax.numpy as jnp
import numpy as np

from landscape.audit.static import abstract, rules
from landscape.audit.static import intervals as iv
from landscape.audit.static.abstract import AbstractValue, ArrayAxes, NonFinite, joined, unknown
from landscape.audit.static.equations import Calls, count, extent
from landscape.audit.static.rules import ELEMENT_PRESERVING, FUNCTION_RULES, RULES, SMOOTH
from landscape.audit.static.switches import SWITCHES, always
from landscape.numerics.primitives import called_program

Values = list[AbstractValue]
TARGET_ONLY, UNREACHABLE, CANCELLED, OPEN = "target only", "unreachable", "cancelled", "open"
# An equation in a loop or a function is read several times; its last status in this order counts.
_STATUSES = (TARGET_ONLY, UNREACHABLE, CANCELLED, OPEN)
_MAX_ROUNDS = 4
_MAXIMA = ("max", "reduce_max")
# Operations whose result is still a maximum, if their operand is.
_PASS_MAXIMA = (*_MAXIMA, *ELEMENT_PRESERVING, "select_n", "convert_element_type")
_AXIS_CHANGES = ("broadcast_in_dim", "reshape", "squeeze", "expand_dims")
_ELEMENT_MOVES = ("transpose", "rev", "slice", "gather", "dynamic_slice")
# Not smooth at the points that `SWITCHES` lists, whatever their arguments.
_NOT_SMOOTH = ("sort", "cbrt", "erf_inv", "atanh", "acosh", "asin", "acos", "lgamma", "digamma")


class Site(NamedTuple):
    """An operation that can switch, by its number, and what the rules decide about it."""

    number: int
    operation: str
    equation: Any
    calls: Calls
    status: str
    reason: str


class Reading(NamedTuple):
    """Proofs about the outputs of a program, and its suspects in order.

    `varying` are the numbers of the equations with operands that depend on the prediction,
    `softmax_shifts` those of suspects that only choose the constant shift of a softmax, which is
    harmless.
    """

    outputs: tuple[AbstractValue, ...]
    sites: tuple[Site, ...]
    varying: frozenset[int]
    softmax_shifts: frozenset[int]


def read(closed: jex.ClosedJaxpr, inputs: Sequence[AbstractValue]) -> Reading:
    """Returns the reading of a program with these inputs."""
    reader = _Reader()
    outputs = reader.run(closed, [reader.fresh(i) for i in inputs], _Position())
    sites = reader.sites
    if all(output.smooth for output in outputs):
        reason = "cancels: the whole is smooth by the rules"
        for number, site in sites.items():
            if site.status == OPEN:
                sites[number] = site._replace(status=CANCELLED, reason=reason)
    shifts = {number for id in reader.cancelled for number in reader.maxima_of_stopped[id]}
    in_order = tuple(sites[number] for number in sorted(sites))
    return Reading(
        tuple(outputs), in_order, frozenset(reader.varying), frozenset(shifts & sites.keys())
    )


class _Position(NamedTuple):
    """The number of an equation and the calls around it.

    `cancels`: switches inside cancel, by a rule for the function around them.
    """

    number: int = 0
    calls: Calls = ()
    cancels: bool = False

    def inside(self, eqn: Any, skipped: int = 0, cancels: bool = False) -> "_Position":
        """Returns the position of the first equation inside one, after some skipped ones."""
        return _Position(self.number + 1 + skipped, (*self.calls, eqn), self.cancels or cancels)


class _Reader:
    def __init__(self) -> None:
        self.sites: dict[int, Site] = {}
        self.varying: set[int] = set()
        self.maxima_of_stopped: dict[int, frozenset[int]] = {}
        self.cancelled: set[int] = set()  # ids of stopped values that were subtracted and added
        self.last_id = 0

    def new_id(self) -> int:
        self.last_id += 1
        return self.last_id

    def fresh(self, value: AbstractValue) -> AbstractValue:
        """Returns the value with a new id, equal to no other value."""
        return replace(value, id=self.new_id(), stopped=None)

    def per_element(self, value: AbstractValue) -> AbstractValue:
        """Returns the facts that hold for each element of a value by itself."""
        return self.fresh(abstract.rearranged(value, None))

    def run(self, closed: jex.ClosedJaxpr, arguments: Values, position: _Position) -> Values:
        """Returns the outputs of a program whose first equation has this position."""
        jaxpr = closed.jaxpr
        values: dict[Any, AbstractValue] = {}
        values.update(zip(jaxpr.constvars, map(constant, closed.consts), strict=True))
        values.update(zip(jaxpr.invars, arguments, strict=True))

        def get(v: Any) -> AbstractValue:
            return constant(v.val) if isinstance(v, jex.Literal) else values[v]

        for eqn in jaxpr.eqns:
            outputs = self._step(eqn, [get(v) for v in eqn.invars], position)
            values.update(zip(eqn.outvars, outputs, strict=True))
            position = position._replace(number=position.number + extent(eqn))
        return [get(v) for v in jaxpr.outvars]

    def _step(self, eqn: Any, args: Values, position: _Position) -> Values:
        called = called_program(eqn)
        if called is not None:
            args = args[-len(called.jaxpr.invars) :]
            rule = _function_rule(eqn)
            inside = position.inside(eqn, cancels=rule is not None)
            outputs = self.run(called, args, inside)
            return outputs if rule is None else [self.fresh(rule(eqn, args))]
        loops = {"scan": self._scan, "while": self._while, "cond": self._cond}
        if eqn.primitive.name in loops:
            return loops[eqn.primitive.name](eqn, args, position)
        self._record_site(eqn, args, position)
        if _has_varying_float(eqn, args):
            self.varying.add(position.number)
        maxima = _maxima(eqn, args, position.number)
        return [replace(output, maxima=maxima) for output in self._apply(eqn, args)]

    def _apply(self, eqn: Any, args: Values) -> Values:
        """Returns the outputs of an operation that calls no program."""
        name = eqn.primitive.name
        if name == "stop_gradient":
            return [self._stop_gradient(eqn, args[0])]
        if name == "optimization_barrier":
            return [self.fresh(a) for a in args]
        if any(_is_mutable(v.aval) for v in eqn.outvars):
            value = replace(unknown(args), varies=True, smooth=False, convexity=iv.UNKNOWN)
            return [self.fresh(value) for _ in eqn.outvars]
        if name in ("add", "sub", "div"):
            self.cancelled |= _cancelled_shifts(args)
        if name not in RULES:
            return [self.fresh(_without_rule(name, args)) for _ in eqn.outvars]
        value = rules.apply_rule(eqn, args)
        if name in _AXIS_CHANGES:
            return [
                replace(abstract.rearranged(value, abstract.source_axes(eqn)), id=self.new_id())
            ]
        if name == "select_n" and value.stopped is not None:
            return [replace(value, id=self.new_id())]
        if name in _ELEMENT_MOVES:
            value = replace(value, shift=None)
        return [self.fresh(value) for _ in eqn.outvars]

    def _stop_gradient(self, eqn: Any, value: AbstractValue) -> AbstractValue:
        shape = eqn.invars[0].aval.shape
        axes = tuple(i if n > 1 else None for i, n in enumerate(shape))
        stopped = ArrayAxes(self.new_id(), axes)
        self.maxima_of_stopped[stopped.id] = value.maxima
        return replace(self.fresh(value), stopped=stopped)

    def _record_site(self, eqn: Any, args: Values, position: _Position) -> None:
        name = eqn.primitive.name
        smooth = name in (*RULES, *SMOOTH, "stop_gradient") or not _has_varying_float(eqn, args)
        can_switch = SWITCHES.get(name, None if smooth else always)
        # Integers switch in the operation that makes them.
        if can_switch is None or not any(_is_float(v.aval) for v in eqn.invars):
            return
        if not any(a.varies or a.uses_target for a in args):
            return
        if not any(a.varies for a in args):
            status, reason = TARGET_ONLY, "depends on the target alone"
        elif not can_switch(eqn, args):
            status, reason = UNREACHABLE, "out of reach on the ranges that it meets"
        elif position.cancels:
            status, reason = CANCELLED, "cancels by the identity of the function around it"
        else:
            status, reason = OPEN, ""
        site = Site(position.number, name, eqn, position.calls, status, reason)
        before = self.sites.get(site.number)
        if before is None or _STATUSES.index(before.status) < _STATUSES.index(status):
            self.sites[site.number] = site

    def _scan(self, eqn: Any, args: Values, position: _Position) -> Values:
        params, body = eqn.params, eqn.params["jaxpr"]
        fixed, carried = params["num_consts"], params["num_carry"]
        args = [*args[:fixed], *map(self.per_element, args[fixed:])]  # iterations differ
        consts, carry, xs = args[:fixed], args[fixed : fixed + carried], args[fixed + carried :]
        inside = position.inside(eqn)
        carry, stacked = self._loop_invariant(
            carry, lambda c: self.run(body, [*consts, *c, *xs], inside)
        )
        return [*carry, *map(self.per_element, stacked)]

    def _while(self, eqn: Any, args: Values, position: _Position) -> Values:
        params = eqn.params
        test, body = params["cond_jaxpr"], params["body_jaxpr"]
        split = params["cond_nconsts"], params["cond_nconsts"] + params["body_nconsts"]
        test_consts, body_consts = args[: split[0]], args[split[0] : split[1]]
        inside = position.inside(eqn, skipped=count(test))
        carry, _ = self._loop_invariant(
            [self.per_element(a) for a in args[split[1] :]],
            lambda c: self.run(body, [*body_consts, *c], inside),
        )
        (continues,) = self.run(test, [*test_consts, *carry], position.inside(eqn))
        if continues.varies:
            carry = [replace(unknown([continues, c]), varies=True, smooth=False) for c in carry]
        return carry

    def _loop_invariant(
        self, carry: Values, body: Callable[[Values], Values]
    ) -> tuple[Values, Values]:
        """Returns what holds for the carry and for the other outputs in every iteration."""
        for iteration in range(_MAX_ROUNDS):
            outputs = body(carry)
            after = outputs[: len(carry)]
            wider = [
                _widened(c, a, give_up=iteration > 0) for c, a in zip(carry, after, strict=True)
            ]
            if [_facts(w) for w in wider] == [_facts(c) for c in carry]:
                return [self.fresh(w) for w in wider], outputs[len(carry) :]
            carry = [self.fresh(w) for w in wider]
        carry = [self.fresh(replace(unknown([c]), varies=c.varies)) for c in carry]
        outputs = body(carry)
        while any(o.varies and not c.varies for c, o in zip(carry, outputs, strict=False)):
            carry = [self.fresh(unknown([c, o])) for c, o in zip(carry, outputs, strict=False)]
            outputs = body(carry)
        others = [replace(unknown([o]), smooth=not o.varies) for o in outputs[len(carry) :]]
        return carry, others

    def _cond(self, eqn: Any, args: Values, position: _Position) -> Values:
        which, *operands = args
        skipped, cases = 0, []
        for branch in eqn.params["branches"]:
            cases.append(self.run(branch, operands, position.inside(eqn, skipped)))
            skipped += count(branch)
        outputs = [joined(case) for case in zip(*cases, strict=True)]
        if which.varies:
            outputs = [replace(o, varies=True, smooth=False, convexity=iv.UNKNOWN) for o in outputs]
        return [self.fresh(o) for o in outputs]


def _maxima(eqn: Any, args: Values, number: int) -> frozenset[int]:
    """Returns the numbers of the maxima that the result of an equation is."""
    if eqn.primitive.name not in _PASS_MAXIMA:
        return frozenset()
    maxima = frozenset().union(*(a.maxima for a in args))
    return maxima | {number} if eqn.primitive.name in _MAXIMA else maxima


def _cancelled_shifts(args: Values) -> set[int]:
    """Returns the ids of the constants whose shift an operation cancels."""
    a, b = args
    ids = {value.shift.constant.id for value in args if value.shift is not None}
    if a.shift and b.shift:
        return ids if len(ids) == 1 else set()
    return ids & {value.stopped.id for value in args if value.stopped is not None}


def _without_rule(name: str, args: Values) -> AbstractValue:
    """Returns the result of an operation without a rule for its range."""
    value = unknown(args)
    if name in SMOOTH or name == "sort":
        value = replace(value, nonfinite=max(a.nonfinite for a in args))
    if name in SMOOTH:
        return replace(value, smooth=all(a.smooth for a in args))
    return replace(value, smooth=False) if name in _NOT_SMOOTH else value


def _widened(before: AbstractValue, after: AbstractValue, give_up: bool) -> AbstractValue:
    """Returns what holds before and after an iteration; `give_up` drops bounds that moved."""
    value = joined([before, after])
    if not give_up:
        return value
    low = before.range[0] if value.range[0] >= before.range[0] else -np.inf
    high = before.range[1] if value.range[1] <= before.range[1] else np.inf
    return replace(value, range=(float(low), float(high)))


def _facts(value: AbstractValue) -> tuple:
    return value.range, value.varies, value.convexity, value.smooth, value.nonfinite


def constant(value: Any) -> AbstractValue:
    """Returns a constant of a program as the range from its smallest to its largest element."""
    array = np.asarray(value)
    if array.size == 0 or (array.dtype.kind not in "biuf" and array.dtype != jnp.bfloat16):
        return AbstractValue()
    array = array.astype(np.float64)
    nonfinite = NonFinite.NEVER if np.isfinite(array).all() else NonFinite.BY_CONSTANT
    low, high = float(np.min(array)), float(np.max(array))
    bounds = iv.EVERYTHING if np.isnan([low, high]).any() else (low, high)
    return AbstractValue(range=bounds, nonfinite=nonfinite)


def _has_varying_float(eqn: Any, args: Values) -> bool:
    return any(a.varies and _is_float(v.aval) for v, a in zip(eqn.invars, args, strict=True))


def _is_float(aval: Any) -> bool:
    return hasattr(aval, "dtype") and jnp.issubdtype(aval.dtype, jnp.floating)


def _is_mutable(aval: Any) -> bool:
    """Whether later operations can write to it, so that it can hold anything."""
    return hasattr(aval, "inner_aval")


def _function_rule(eqn: Any) -> Any:
    """Returns the rule for a call of a function of jax.numpy, None for other calls.

    A name proves nothing: the program must be the one that the library's function traces to.
    """
    if eqn.primitive.name != "custom_jvp_call":
        return None
    name = str(eqn.params["call_jaxpr"].jaxpr.debug_info.func_name)
    avals = tuple((v.aval.shape, str(v.aval.dtype)) for v in eqn.invars)
    if name in FUNCTION_RULES and str(called_program(eqn)) == _library_program(name, avals):
        return FUNCTION_RULES[name]
    return None


@functools.lru_cache(maxsize=256)
def _library_program(name: str, avals: tuple) -> str:
    arguments = [jax.ShapeDtypeStruct(shape, dtype) for shape, dtype in avals]
    traced = jax.make_jaxpr(getattr(jnp, name))(*arguments)
    called = [eqn for eqn in traced.jaxpr.eqns if eqn.primitive.name == "custom_jvp_call"]
    return str(called_program(called[0])) if called else ""
