"""What Python reads of the targets while a loss is recorded, and which values it gets.

A condition on the targets gets the outcome that is to be recorded. A mask selects its first
elements: all of them, or one less, so that sizes that depend on its count are seen by comparing
recordings. A number is an arbitrary one, different in each recording.
"""

from collections.abc import Hashable, Sequence
from typing import Any, NamedTuple

import numpy as np

from landscape.interop.aten_record import Step, Variable

MOST_DECISIONS = 24


class Unresolved(Exception):  # noqa: N818 -- not an error: torch itself is called instead
    """What Python reads of the targets cannot be part of a program for all targets."""


class Decision(NamedTuple):
    """A condition on a tensor of the targets: whether any element is true, or its whole number."""

    value: Variable
    outcome: Any
    choices: tuple[Any, ...]


class Site(NamedTuple):
    """A tensor of `size` elements, of which a mask selects those that are not 0."""

    mask: Variable
    size: int
    empty: bool


class Number(NamedTuple):
    """A number that Python reads, and the arbitrary one that it got."""

    value: Variable
    number: float


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
    """The outcomes and values for one recording, the `recording`-th with these outcomes.

    `whole_numbers` are the values of a whole number that determines what the loss does.
    """

    def __init__(
        self,
        outcomes: Sequence[Any] = (),
        recording: int = 0,
        *,
        whole_numbers: tuple[int, ...] = (1, 0),
        decide_all: bool = False,
    ) -> None:
        self.whole_numbers = whole_numbers
        self.decide_all = decide_all  # whether each whole number is a condition
        self.decisions: list[Decision] = []
        self.sites: dict[Hashable, Site] = {}
        self.numbers: list[Number] = []
        self._outcomes = tuple(outcomes)
        self._recording = recording
        self._decided: dict[Hashable, Any] = {}

    @property
    def is_first(self) -> bool:
        """Whether this is the first recording with these outcomes."""
        return self._recording == 0

    def decide(self, key: Hashable, value: Variable, choices: tuple[Any, ...]) -> Any:
        """Returns the outcome of a condition, the same one if it is read again."""
        if key not in self._decided:
            position = len(self.decisions)
            if position >= MOST_DECISIONS:
                raise Unresolved
            chosen = self._outcomes[position:][:1] or choices[:1]
            self.decisions.append(Decision(value, chosen[0], choices))
            self._decided[key] = chosen[0]
        return self._decided[key]

    def count(self, key: Hashable, value: Variable, size: int) -> int:
        """Returns how many elements a mask selects in this recording."""
        if key not in self.sites:
            nonempty = self.decide(("any", key), value, (True, False))
            self.sites[key] = Site(value, size, empty=not nonempty)
        site = self.sites[key]
        if site.empty:
            return 0
        code = list(self.sites).index(key) + 1
        less = self._recording > 0 and code >> (self._recording - 1) & 1
        return max(size - less, 1)

    def number(self, value: Variable, *, whole: bool) -> float:
        """Returns an arbitrary positive number.

        Those of different reads are on no line over the recordings, nor are their inverses. Those
        with a fraction are of different magnitudes, so that a bound or a condition is seen.
        """
        position = (self._recording + len(self.numbers)) % 3
        if whole:
            number = (2.0, 5.0, 3.0)[position] + 7 * len(self.numbers)
        else:
            number = (0.00262109375, 5.62109375, 3621.09375)[position] * (1 + len(self.numbers) / 7)
        self.numbers.append(Number(value, number))
        return int(number) if whole else number

    @property
    def recordings(self) -> int:
        """The number of recordings that tell the sizes and numbers apart."""
        selecting = [site for site in self.sites.values() if not site.empty]
        bits = len(self.sites).bit_length() if selecting else 0
        return max(1 + bits, 3 if self.numbers else 1)
