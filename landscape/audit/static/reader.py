"""Reads a traced program by the composition rules of calculus: proofs, and a list of suspects.

It proves the good cases, such as a composition of smooth functions on the ranges that they meet.
Of the others it lists each operation that can switch; whether one does is for measurement to say.
"""

import functools
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

import jax
import jax.extend.core as jex
import jax.numpy as jnp
import numpy as np

from landscape.audit.static import intervals as iv
from landscape.audit.static.abstract import (
    FINITE,
    WHERE_GIVEN,
    Abstract,
    Origin,
    joined,
    places,
    rearranged,
    unknown,
)
from landscape.audit.static.jaxprs import bodies, count
from landscape.audit.static.rules import ATOMS, RULES, SMOOTH, ruled
from landscape.audit.static.switches import SWITCHES, always
from landscape.numerics.primitives import called_program

TARGET_ONLY, UNREACHABLE, CANCELLED, OPEN = "target only", "unreachable", "cancelled", "open"
_ORDER = (TARGET_ONLY, UNREACHABLE, CANCELLED, OPEN)
_ROUNDS = 4
_NEAR = 6  # between the maximum of a softmax and its stop_gradient lie a few equations


class Site(NamedTuple):
    """An operation that can switch: its number in the program and what the rules say of it."""

    number: int
    operation: str
    equation: Any
    around: tuple
    status: str
    reason: str


class Reading(NamedTuple):
    """What the rules say of the outputs of a program, and its suspects in their order.

    `moving`: the numbers of the equations that work on the prediction. `shifts`: of the suspects
    that only choose the constant by which a softmax is shifted, and so do no harm there.
    """

    outputs: tuple[Abstract, ...]
    sites: tuple[Site, ...]
    moving: frozenset[int]
    shifts: frozenset[int]


def read(closed: jex.ClosedJaxpr, inputs: Sequence[Abstract]) -> Reading:
    """The reading of a program; `inputs` say what is known of its arguments."""
    reader = _Reader()
    outputs = reader.run(closed, [reader.named(i) for i in inputs], 0, (), proved=False)
    sites = [reader.sites[n] for n in sorted(reader.sites)]
    if all(output.smooth for output in outputs):
        reason = "cancels: the whole is smooth by the rules"
        sites = [
            s._replace(status=CANCELLED, reason=reason) if s.status == OPEN else s for s in sites
        ]
    shifts = {
        site.number
        for site in sites
        for origin in reader.resolved
        if site.operation in ("reduce_max", "max")
        and 0 < reader.stopped[origin] - site.number <= _NEAR
    }
    return Reading(tuple(outputs), tuple(sites), frozenset(reader.moving), frozenset(shifts))


class _Reader:
    def __init__(self) -> None:
        self.sites: dict[int, Site] = {}
        self.moving: set[int] = set()
        self.stopped: dict[int, int] = {}
        self.resolved: set[int] = set()
        self.fresh = 0

    def new(self) -> int:
        self.fresh += 1
        return self.fresh

    def run(
        self,
        closed: jex.ClosedJaxpr,
        arguments: Sequence[Abstract],
        start: int,
        around: tuple,
        proved: bool,
    ) -> list[Abstract]:
        """`proved`: what is inside is known to cancel, by a rule for the whole."""
        jaxpr = closed.jaxpr
        known: dict[Any, Abstract] = dict(
            zip(jaxpr.constvars, map(constant, closed.consts), strict=True)
        )
        known.update(zip(jaxpr.invars, arguments, strict=True))

        def get(v: Any) -> Abstract:
            return constant(v.val) if isinstance(v, jex.Literal) else known[v]

        number = start
        for eqn in jaxpr.eqns:
            args = [get(v) for v in eqn.invars]
            outputs = self.step(eqn, args, number, around, proved)
            known.update(zip(eqn.outvars, outputs, strict=True))
            number += 1 + sum(count(body) for body in bodies(eqn))
        return [get(v) for v in jaxpr.outvars]

    def step(
        self, eqn: Any, args: list[Abstract], number: int, around: tuple, proved: bool
    ) -> list[Abstract]:
        name = eqn.primitive.name
        called = called_program(eqn)
        if called is not None:
            args = args[-len(called.jaxpr.invars) :]
            atom = _atom(eqn)
            outputs = self.run(called, args, number + 1, (*around, eqn), proved or atom is not None)
            return outputs if atom is None else [self.named(atom(eqn, args))]
        if name == "scan":
            return self.scan(eqn, args, number, around, proved)
        if name == "while":
            return self.loop(eqn, args, number, around, proved)
        if name == "cond":
            return self.branches(eqn, args, number, around, proved)
        self.suspect(eqn, args, number, around, proved)
        if _moves_numbers(eqn, args):
            self.moving.add(number)
        if name == "stop_gradient":
            shape = eqn.invars[0].aval.shape
            origin = Origin(self.new(), tuple(i if n > 1 else None for i, n in enumerate(shape)))
            self.stopped[origin.number] = number
            return [replace(self.named(args[0]), origin=origin)]
        if name == "optimization_barrier":
            return [self.named(a) for a in args]
        if any(_is_mutable(v.aval) for v in eqn.outvars):
            found = replace(unknown(args), moves=True, smooth=False, curve=iv.UNKNOWN)
            return [self.named(found) for _ in eqn.outvars]
        if name in ("add", "sub", "div"):
            self.resolved |= _resolved(args)
        if name in RULES:
            found = ruled(eqn, args)
            if name in ("broadcast_in_dim", "reshape", "squeeze", "expand_dims"):
                return [replace(rearranged(found, places(eqn)), identity=self.new())]
            if name in ("select_n", "stop_gradient") and found.origin is not None:
                return [replace(found, identity=self.new())]
            if name in ("transpose", "rev", "slice", "gather", "dynamic_slice"):
                found = replace(found, shift=None)
            return [self.named(found) for _ in eqn.outvars]
        found = unknown(args)
        if name in SMOOTH or name in ("sort", *_SINGULAR_SMOOTH):
            found = replace(found, smooth=name in SMOOTH and all(a.smooth for a in args))
        if name in SMOOTH or name == "sort":
            found = replace(found, infinite=max(a.infinite for a in args))
        return [self.named(found) for _ in eqn.outvars]

    def named(self, value: Abstract) -> Abstract:
        return replace(value, identity=self.new(), origin=None)

    def plain(self, value: Abstract) -> Abstract:
        """A value of which only what holds for each of its elements is kept."""
        return self.named(rearranged(value, None))

    def suspect(
        self, eqn: Any, args: list[Abstract], number: int, around: tuple, proved: bool
    ) -> None:
        decide = SWITCHES.get(eqn.primitive.name)
        known = eqn.primitive.name in (*RULES, *SMOOTH, "stop_gradient")
        if decide is None and not known and _moves_numbers(eqn, args):
            decide = always
        if decide is None or not _has_numbers(eqn) or not any(a.moves or a.given for a in args):
            return
        reach = decide(eqn, args)
        if not any(a.moves for a in args):
            status, reason = TARGET_ONLY, "depends on the target alone"
        elif not reach:
            status, reason = UNREACHABLE, "out of reach on the ranges that it meets"
        elif proved:
            status, reason = CANCELLED, "cancels by the identity of the function around it"
        else:
            status, reason = OPEN, ""
        site = Site(number, eqn.primitive.name, eqn, around, status, reason)
        before = self.sites.get(number)
        if before is None or _ORDER.index(before.status) < _ORDER.index(status):
            self.sites[number] = site

    def scan(
        self, eqn: Any, args: list[Abstract], number: int, around: tuple, proved: bool
    ) -> list[Abstract]:
        params, body = eqn.params, eqn.params["jaxpr"]
        fixed, carried = params["num_consts"], params["num_carry"]
        args = [*args[:fixed], *map(self.plain, args[fixed:])]  # not equal at every turn
        consts, carry, xs = args[:fixed], args[fixed : fixed + carried], args[fixed + carried :]
        carry, rest = self.settle(
            carry, lambda c: self.run(body, [*consts, *c, *xs], number + 1, (*around, eqn), proved)
        )
        return [*carry, *map(self.plain, rest)]

    def loop(
        self, eqn: Any, args: list[Abstract], number: int, around: tuple, proved: bool
    ) -> list[Abstract]:
        params = eqn.params
        tests, fixed = params["cond_nconsts"], params["body_nconsts"]
        test, body = params["cond_jaxpr"], params["body_jaxpr"]
        within = (*around, eqn)
        start = number + 1 + count(test)
        carry, _ = self.settle(
            [self.plain(a) for a in args[tests + fixed :]],
            lambda c: self.run(body, [*args[tests : tests + fixed], *c], start, within, proved),
        )
        (going,) = self.run(test, [*args[:tests], *carry], number + 1, within, proved)
        if going.moves:
            carry = [replace(unknown([going, c]), moves=True, smooth=False) for c in carry]
        return carry

    def settle(
        self, carry: list[Abstract], body: Callable[[list[Abstract]], list[Abstract]]
    ) -> tuple[list[Abstract], list[Abstract]]:
        """What holds at every turn of a loop."""
        for turn in range(_ROUNDS):
            outputs = body(carry)
            after = outputs[: len(carry)]
            wider = [
                _joined_with(c, a, give_up=turn > 0) for c, a in zip(carry, after, strict=True)
            ]
            if [_essence(w) for w in wider] == [_essence(c) for c in carry]:
                return [self.named(w) for w in wider], outputs[len(carry) :]
            carry = [self.named(w) for w in wider]
        carry = [self.named(replace(unknown([c]), moves=c.moves)) for c in carry]
        outputs = body(carry)
        while any(o.moves and not c.moves for c, o in zip(carry, outputs, strict=False)):
            carry = [self.named(unknown([c, o])) for c, o in zip(carry, outputs, strict=False)]
            outputs = body(carry)
        return carry, [replace(unknown([o]), smooth=not o.moves) for o in outputs[len(carry) :]]

    def branches(
        self, eqn: Any, args: list[Abstract], number: int, around: tuple, proved: bool
    ) -> list[Abstract]:
        which, *operands = args
        start, options = number + 1, []
        for branch in eqn.params["branches"]:
            options.append(self.run(branch, operands, start, (*around, eqn), proved))
            start += count(branch)
        outputs = [joined(cases) for cases in zip(*options, strict=True)]
        if which.moves:
            outputs = [replace(o, moves=True, smooth=False, curve=iv.UNKNOWN) for o in outputs]
        return [self.named(o) for o in outputs]


def _resolved(args: Sequence[Abstract]) -> set[int]:
    """Origins of shifts that an operation takes away again."""
    a, b = args
    found = {s.origin.number for s in (a.shift, b.shift) if s is not None}
    if a.shift and b.shift:
        return found if len(found) == 1 else set()
    return found & {v.origin.number for v in (a, b) if v.origin is not None}


def _joined_with(before: Abstract, after: Abstract, give_up: bool) -> Abstract:
    found = joined([before, after])
    if give_up:
        low = before.range[0] if found.range[0] >= before.range[0] else -np.inf
        high = before.range[1] if found.range[1] <= before.range[1] else np.inf
        found = replace(found, range=(float(low), float(high)))
    return found


def _essence(value: Abstract) -> tuple:
    return value.range, value.moves, value.curve, value.smooth, value.infinite


def constant(value: Any) -> Abstract:
    """A constant of the program, by its smallest and largest element."""
    array = np.asarray(value)
    if array.size == 0 or (array.dtype.kind not in "biuf" and array.dtype != jnp.bfloat16):
        return Abstract()
    array = array.astype(np.float64)
    infinite = FINITE if np.isfinite(array).all() else WHERE_GIVEN
    low, high = float(np.min(array)), float(np.max(array))
    bounds = iv.EVERYTHING if np.isnan([low, high]).any() else (low, high)
    return Abstract(range=bounds, infinite=infinite)


def _has_numbers(eqn: Any) -> bool:
    """Whether it works on floating-point numbers; whole ones switch where they were made."""
    return any(_is_number(v.aval) for v in eqn.invars)


def _is_number(aval: Any) -> bool:
    return hasattr(aval, "dtype") and jnp.issubdtype(aval.dtype, jnp.floating)


def _is_mutable(aval: Any) -> bool:
    """Whether it is a place that later operations write to, so that it may hold anything."""
    return hasattr(aval, "inner_aval")


def _moves_numbers(eqn: Any, args: list[Abstract]) -> bool:
    return any(a.moves and _is_number(v.aval) for v, a in zip(eqn.invars, args, strict=True))


def _atom(eqn: Any) -> Any:
    """The rule for a call of a library's function, if it is that very function.

    A name alone proves nothing: the program must be the one that the library traces to.
    """
    if eqn.primitive.name != "custom_jvp_call":
        return None
    name = _function_name(eqn)
    if name not in ATOMS:
        return None
    avals = tuple((v.aval.shape, str(v.aval.dtype)) for v in eqn.invars)
    return ATOMS[name] if str(called_program(eqn)) == _library_program(name, avals) else None


@functools.lru_cache(maxsize=256)
def _library_program(name: str, avals: tuple) -> str:
    arguments = [jax.ShapeDtypeStruct(shape, dtype) for shape, dtype in avals]
    traced = jax.make_jaxpr(getattr(jnp, name))(*arguments)
    called = [eqn for eqn in traced.jaxpr.eqns if eqn.primitive.name == "custom_jvp_call"]
    return str(called_program(called[0])) if called else ""


def _function_name(eqn: Any) -> str:
    return str(eqn.params["call_jaxpr"].jaxpr.debug_info.func_name)


_SINGULAR_SMOOTH = ("cbrt", "erf_inv", "atanh", "acosh", "asin", "acos", "lgamma", "digamma")
