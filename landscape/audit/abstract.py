"""What is known of a value without evaluating it."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from landscape.audit import intervals as iv
from landscape.audit.intervals import Interval


@dataclass(frozen=True)
class Shift:
    """A value that was shifted by a constant of its own making, as logsumexp does.

    The value is `base - c` (`kind` "difference") or `base * exp(-c)` ("factor"), where c is the
    stopped value `origin`. `sum_of` names the shifted exponentials that were summed.
    """

    kind: str
    origin: int
    base: "Abstract"
    sum_of: int | None = None


@dataclass(frozen=True)
class Abstract:
    """What is known of all elements of a value, as a function of the prediction.

    `moves`: it depends on the prediction; `given`: on the target. `smooth`: it is infinitely
    differentiable in the prediction. `identity` tells equal values, `origin` a value behind
    stop_gradient.
    """

    range: Interval = iv.EVERYTHING
    moves: bool = False
    curve: str = iv.CONSTANT
    smooth: bool = True
    shift: Shift | None = None
    identity: int | None = None
    origin: int | None = None
    given: bool = False


def result(arguments: Sequence[Abstract], range_: Interval, curve: str) -> Abstract:
    moves = any(a.moves for a in arguments)
    return Abstract(
        range=range_,
        moves=moves,
        curve=curve if moves else iv.CONSTANT,
        smooth=all(a.smooth for a in arguments),
        given=any(a.given for a in arguments),
    )


def joined(arguments: Sequence[Abstract]) -> Abstract:
    """An array made of elements of these."""
    return result(
        arguments, iv.hull(a.range for a in arguments), iv.joined_curve(a.curve for a in arguments)
    )


def unknown(arguments: Sequence[Abstract]) -> Abstract:
    """Anything: what an operation without a rule returns. Where it moves, it may switch."""
    found = result(arguments, iv.EVERYTHING, iv.UNKNOWN)
    return replace(found, smooth=not found.moves)
