"""What is known of a value without evaluating it."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

from landscape.audit.static import intervals as iv
from landscape.audit.static.intervals import Interval

# Which elements may be infinite or no number: none; those where the target or a constant makes them
# so, whatever the prediction is; those where the prediction does.
FINITE, WHERE_GIVEN, SOMEWHERE = 0, 1, 2


class Origin(NamedTuple):
    """An array, by its number, and which of its axes runs along each axis of another one.

    None where none does, so that the other one repeats the array there.
    """

    number: int
    axes: tuple[int | None, ...]

    def moved(self, places: Sequence[int | None]) -> "Origin":
        """After axes were added, removed or repeated: `places` says where each of them was."""
        return Origin(self.number, tuple(None if p is None else self.axes[p] for p in places))

    def of(self, rank: int) -> "Origin":
        """Along an array of this rank; a scalar is repeated along all of its axes."""
        return self if self.axes else Origin(self.number, (None,) * rank)

    def summed(self, axes: Sequence[int]) -> "Origin | None":
        """After a sum over axes; None where the array is not the same along them."""
        if any(self.axes[i] is not None for i in axes):
            return None
        return self.moved([i for i in range(len(self.axes)) if i not in axes])


@dataclass(frozen=True)
class Shift:
    """A value that was shifted by a constant of its own making, as logsumexp does.

    The value is `base - c` (`kind` "difference") or `base * exp(-c)` ("factor"), where c is the
    stopped value `origin`. `sum_of` names the shifted exponentials that were summed.
    """

    kind: str
    origin: Origin
    base: "Abstract"
    sum_of: Origin | None = None


@dataclass(frozen=True)
class Abstract:
    """What is known of all elements of a value, as a function of the prediction.

    `moves`: it depends on the prediction; `given`: on the target. `smooth`: it is infinitely
    differentiable in the prediction. `identity` tells equal values, `origin` a value behind
    stop_gradient; `infinite` says whether elements may be infinite or no number.
    """

    range: Interval = iv.EVERYTHING
    moves: bool = False
    curve: str = iv.CONSTANT
    smooth: bool = True
    shift: Shift | None = None
    identity: int | None = None
    origin: Origin | None = None
    given: bool = False
    infinite: int = FINITE


def result(arguments: Sequence[Abstract], range_: Interval, curve: str) -> Abstract:
    moves = any(a.moves for a in arguments)
    return Abstract(
        range=range_,
        moves=moves,
        curve=curve if moves else iv.CONSTANT,
        smooth=all(a.smooth for a in arguments),
        given=any(a.given for a in arguments),
        infinite=max((a.infinite for a in arguments), default=FINITE),
    )


def joined(arguments: Sequence[Abstract]) -> Abstract:
    """An array made of elements of these."""
    curve = iv.joined_curve(a.curve for a in arguments)
    if any(not a.moves and a.range[0] < 0 for a in arguments):
        curve = iv.weaker(curve)  # what has a logarithm is positive
    return result(arguments, iv.hull(a.range for a in arguments), curve)


def unknown(arguments: Sequence[Abstract]) -> Abstract:
    """Anything: what an operation without a rule returns. Where it moves, it may switch."""
    found = result(arguments, iv.EVERYTHING, iv.UNKNOWN)
    return replace(found, smooth=not found.moves, infinite=holes(found.moves))


def holes(moves: bool) -> int:
    """What may be infinite of a value that is so for some arguments."""
    return SOMEWHERE if moves else WHERE_GIVEN


def rearranged(value: Abstract, places: Sequence[int | None] | None) -> Abstract:
    """A value whose axes were moved; None where it is not told how."""
    shift, origin = value.shift, value.origin
    if places is None:
        return replace(value, identity=None, origin=None, shift=None)
    if shift is not None:
        shift = Shift(
            shift.kind,
            shift.origin.moved(places),
            rearranged(shift.base, places),
            None if shift.sum_of is None else shift.sum_of.moved(places),
        )
    origin = None if origin is None else origin.moved(places)
    return replace(value, identity=None, origin=origin, shift=shift)


def places(eqn: Any) -> list[int | None] | None:
    """Where each axis was before an operation that adds, removes or repeats axes."""
    before, after = eqn.invars[0].aval.shape, eqn.outvars[0].aval.shape
    if eqn.primitive.name == "broadcast_in_dim":
        found: list[int | None] = [None] * len(after)
        for i, place in enumerate(eqn.params["broadcast_dimensions"]):
            found[place] = i if before[i] > 1 else None
        return found
    long = [i for i, n in enumerate(before) if n != 1]
    if [before[i] for i in long] != [n for n in after if n != 1]:
        return None
    rest = iter(long)
    return [next(rest) if n != 1 else None for n in after]
