"""What Python reads of the targets while a loss is recorded, and which values it gets.

A condition on the targets gets the outcome that is to be recorded. A mask selects its first
elements: all of them, or one less, so that sizes that depend on its count are seen by comparing
recordings.
"""

from collections.abc import Hashable, Sequence
from typing import Any, NamedTuple

import numpy as np

from landscape.interop.aten_record import Step, Variable

MOST_DECISIONS = 24


class Unresolved(Exception):  # noqa: N818 -- not an error: the loss is recorded per target instead
    """What Python reads of the targets cannot be part of a program for all targets."""


class Decision(NamedTuple):
    """A condition on a tensor of the targets: whether any element is true."""

    value: Variable
    outcome: bool


class Site(NamedTuple):
    """A tensor of `size` elements, of which a mask selects those that are not 0."""

    mask: Variable
    size: int
    empty: bool


def nonempty_mask(steps: Sequence[Step], condition: Variable) -> tuple[Variable, bool]:
    """Returns the mask of which a condition asks whether any element is true, and if it is negated.

    So `mask.any()`, `mask.sum() > 0` and a selection by the mask are one condition, not three. Any
    other condition is its own mask.
    """
    by_number = {number: step for step in steps for number in step.outputs}

    def source(value: Any, operation: str, *others: Any) -> Variable | None:
        step = by_number.get(value.number) if isinstance(value, Variable) else None
        if step is None or step.operation != operation or step.arguments[1:] != others:
            return None
        (argument, *_) = step.arguments
        return argument if isinstance(argument, Variable) else None

    def is_boolean(value: Variable) -> bool:
        step = by_number.get(value.number)
        return step is not None and step.types[0].dtype == np.bool_

    mask = source(condition, "any")
    if mask is not None:
        return mask, False
    for operation, negated in (("gt", False), ("eq", True)):
        count = source(condition, operation, 0)
        mask = None if count is None else source(count, "sum") or source(count, "sum", [])
        if mask is not None and is_boolean(mask):
            return mask, negated
    return condition, False


class TargetReads:
    """The outcomes for one recording, the `recording`-th with these outcomes."""

    def __init__(self, outcomes: Sequence[bool] = (), recording: int = 0) -> None:
        self.decisions: list[Decision] = []
        self.sites: dict[Hashable, Site] = {}
        self._outcomes = tuple(outcomes)
        self._recording = recording
        self._decided: dict[Hashable, bool] = {}

    @property
    def is_first(self) -> bool:
        """Whether this is the first recording with these outcomes."""
        return self._recording == 0

    def decide(self, key: Hashable, value: Variable) -> bool:
        """Returns the outcome of a condition, the same one if it is read again."""
        if key not in self._decided:
            position = len(self.decisions)
            if position >= MOST_DECISIONS:
                raise Unresolved
            outcome = self._outcomes[position] if position < len(self._outcomes) else True
            self.decisions.append(Decision(value, outcome))
            self._decided[key] = outcome
        return self._decided[key]

    def count(self, key: Hashable, value: Variable, size: int) -> int:
        """Returns how many elements a mask selects in this recording."""
        if key not in self.sites:
            nonempty = self.decide(("any", key), value)
            self.sites[key] = Site(value, size, empty=not nonempty)
        site = self.sites[key]
        if site.empty:
            return 0
        code = list(self.sites).index(key) + 1
        less = self._recording > 0 and code >> (self._recording - 1) & 1
        return max(size - less, 1)

    @property
    def recordings(self) -> int:
        """The number of recordings that tell the sizes apart."""
        selecting = [site for site in self.sites.values() if not site.empty]
        return 1 + (len(self.sites).bit_length() if selecting else 0)
