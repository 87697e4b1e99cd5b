"""Abstract values: facts about the values of a program that hold for all predictions."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import IntEnum
from typing import Any, NamedTuple

from landscape.audit.static import intervals as iv
from landscape.audit.static.intervals import Interval


class NonFinite(IntEnum):
    """What makes elements of a value infinite or NaN.

    `BY_CONSTANT`: the target or a constant, whatever the prediction is. `BY_PREDICTION`: some
    predictions.
    """

    NEVER = 0
    BY_CONSTANT = 1
    BY_PREDICTION = 2

    @staticmethod
    def possible(varies: bool) -> "NonFinite":
        """Returns what makes a value non-finite that is so for some arguments."""
        return NonFinite.BY_PREDICTION if varies else NonFinite.BY_CONSTANT


class ArrayAxes(NamedTuple):
    """An array, by its id, and which of its axes runs along each axis of another array.

    None for an axis along which the other array repeats it.
    """

    id: int
    axes: tuple[int | None, ...]

    def moved(self, axes: Sequence[int | None]) -> "ArrayAxes":
        """Returns the axes after an operation that moved, added or repeated some."""
        return ArrayAxes(self.id, tuple(None if i is None else self.axes[i] for i in axes))

    def broadcast_to(self, rank: int) -> "ArrayAxes":
        """Returns the axes in an array of this rank; a scalar is repeated along all of them."""
        return self if self.axes else ArrayAxes(self.id, (None,) * rank)

    def summed_over(self, axes: Sequence[int]) -> "ArrayAxes | None":
        """Returns the axes after a sum over some; None if the array is not constant along them."""
        if any(self.axes[i] is not None for i in axes):
            return None
        return self.moved([i for i in range(len(self.axes)) if i not in axes])


@dataclass(frozen=True)
class Shift:
    """A value shifted by a constant, as in logsumexp.

    The value is `base - c` (`kind` "difference") or `base * exp(-c)` ("factor"), where c is the
    value `constant` behind stop_gradient. `sum_of` is the array of shifted exponentials that were
    summed.
    """

    kind: str
    constant: ArrayAxes
    base: "AbstractValue"
    sum_of: ArrayAxes | None = None


@dataclass(frozen=True)
class AbstractValue:
    """Facts about all elements of a value, as a function of the prediction.

    `varies`: depends on the prediction; `uses_target`: depends on the target. `smooth`: infinitely
    differentiable in the prediction. Values with the same `id` are equal; `stopped` is set behind
    stop_gradient. `maxima` are the numbers of the equations whose maximum this is.
    """

    range: Interval = iv.EVERYTHING
    varies: bool = False
    convexity: str = iv.CONSTANT
    smooth: bool = True
    shift: Shift | None = None
    id: int | None = None
    stopped: ArrayAxes | None = None
    uses_target: bool = False
    nonfinite: NonFinite = NonFinite.NEVER
    maxima: frozenset[int] = frozenset()


def depending_on(
    arguments: Sequence[AbstractValue], range_: Interval, convexity: str
) -> AbstractValue:
    """Returns a value in this range that inherits smoothness and dependence from its arguments."""
    varies = any(a.varies for a in arguments)
    return AbstractValue(
        range=range_,
        varies=varies,
        convexity=convexity if varies else iv.CONSTANT,
        smooth=all(a.smooth for a in arguments),
        uses_target=any(a.uses_target for a in arguments),
        nonfinite=max((a.nonfinite for a in arguments), default=NonFinite.NEVER),
    )


def joined(arguments: Sequence[AbstractValue]) -> AbstractValue:
    """Returns what holds for any array made of elements of the arguments."""
    convexity = iv.joined_convexity(a.convexity for a in arguments)
    if any(not a.varies and a.range[0] < 0 for a in arguments):
        convexity = iv.without_sign(convexity)  # only positive values have a logarithm
    return depending_on(arguments, iv.hull(a.range for a in arguments), convexity)


def unknown(arguments: Sequence[AbstractValue]) -> AbstractValue:
    """Returns what holds for any function of the arguments: if it varies, it may be non-smooth."""
    value = depending_on(arguments, iv.EVERYTHING, iv.UNKNOWN)
    return replace(value, smooth=not value.varies, nonfinite=NonFinite.possible(value.varies))


def rearranged(value: AbstractValue, axes: Sequence[int | None] | None) -> AbstractValue:
    """Returns a value whose axes were moved: `axes` are the sources of the new ones, if known."""
    if axes is None:
        return replace(value, id=None, stopped=None, shift=None)
    shift = value.shift
    if shift is not None:
        shift = Shift(
            shift.kind,
            shift.constant.moved(axes),
            rearranged(shift.base, axes),
            None if shift.sum_of is None else shift.sum_of.moved(axes),
        )
    stopped = None if value.stopped is None else value.stopped.moved(axes)
    return replace(value, id=None, stopped=stopped, shift=shift)


def source_axes(eqn: Any) -> list[int | None] | None:
    """Returns which axis of its operand each axis of the result of an equation comes from.

    The equation adds, removes or repeats axes. None for an axis that is new or repeated; None
    instead of a list if a reshape merges or splits axes.
    """
    before, after = eqn.invars[0].aval.shape, eqn.outvars[0].aval.shape
    if eqn.primitive.name == "broadcast_in_dim":
        axes: list[int | None] = [None] * len(after)
        for i, axis in enumerate(eqn.params["broadcast_dimensions"]):
            axes[axis] = i if before[i] > 1 else None
        return axes
    long = [i for i, n in enumerate(before) if n != 1]
    if [before[i] for i in long] != [n for n in after if n != 1]:
        return None
    remaining = iter(long)
    return [next(remaining) if n != 1 else None for n in after]
