"""Switches at which the function breaks, per line of the user's source: for D101 to D104."""

from collections.abc import Sequence
from functools import cache
from typing import Any, NamedTuple

import numpy as np

from landscape.audit.codes._numbers import brief, quote
from landscape.audit.measure.crossings import CODES, JUMP, Crossing
from landscape.audit.measure.survey import Survey
from landscape.audit.measure.switching import crossings
from landscape.storage.audit_records import Where

_FINE = 7  # index into STEPS of the step at which a value is quoted; one less per derivative


class Break(NamedTuple):
    """The clearest break at a line; `low` and `high` are its two sides, left and right.

    `also` are the other lines at which the same operation breaks the function.
    """

    crossing: Crossing
    operation: str
    where: Where | None
    low: float
    high: float
    evidence: dict[str, Any]
    also: Sequence[int] = ()


def by_line(survey: Survey, orders: Sequence[int]) -> dict[int | None, Break]:
    """Returns the clearest break of these orders per line; None is an unknown line."""
    groups: dict[int | None, list[Crossing]] = {}
    for crossing in _attributed(survey):
        if crossing.order in orders:
            where = place_of(survey, crossing)
            groups.setdefault(where.line if where else None, []).append(crossing)
    return {line: _clearest(survey, group) for line, group in groups.items()}


def by_cause(survey: Survey, orders: Sequence[int]) -> list[Break]:
    """Returns the clearest break of these orders per operation; `also` holds its other lines."""
    groups: dict[str, list[Break]] = {}
    for each in by_line(survey, orders).values():
        groups.setdefault(each.operation, []).append(each)
    breaks = []
    for group in groups.values():
        first, *others = sorted(group, key=_clarity, reverse=True)
        lines = {each.where.line for each in others if each.where}
        breaks.append(first._replace(also=sorted(lines)))
    return breaks


def also_at(each: Break) -> str:
    """Returns the other lines of a break, for a message."""
    if not each.also:
        return ""
    lines = ", ".join(map(str, each.also))
    return f" (also at line{'s' if len(each.also) > 1 else ''} {lines})"


def place_of(survey: Survey, crossing: Crossing) -> Where | None:
    """Returns the place of the operation that switches."""
    return survey.place_of(survey.probe.sites[crossing.site])


def first_place(survey: Survey, order: int) -> Where | None:
    """Returns the place of the first break of this order."""
    return next((place_of(survey, c) for c in crossings(survey) if c.order == order), None)


def is_isolated(crossing: Crossing) -> bool:
    """Whether the value jumps at a single point, and is the same on both sides of it."""
    low, high = crossing.left[0][_FINE], crossing.right[0][_FINE]
    return crossing.order == JUMP and abs(high - low) < 0.5 * abs(crossing.size)


def point_text(crossing: Crossing) -> str:
    """Returns the point of a crossing and its target, for a message."""
    name = f" ({crossing.target.name})" if crossing.target.name else ""
    return f"{brief(crossing.point)}{name}"


def _clarity(each: Break) -> tuple:
    return _clarity_of_crossing(each.crossing)


def _clarity_of_crossing(crossing: Crossing) -> tuple:
    return not is_isolated(crossing), crossing.tie, -np.abs(crossing.point).max()


def _clearest(survey: Survey, group: Sequence[Crossing]) -> Break:
    """Prefers breaks that are not isolated, then those met exactly, then those near zero."""
    crossing = max(group, key=_clarity_of_crossing)
    operation = survey.probe.sites[crossing.site].operation
    index = crossing.order, _FINE - crossing.order
    low, high = float(crossing.left[index]), float(crossing.right[index])
    evidence = {
        "target": crossing.target.name,
        "at": quote(crossing.point),
        "direction": quote(crossing.unit),
        "operation": operation,
        "left": quote(low),
        "right": quote(high),
        "crossings": len(group),
    }
    if crossing.tie:
        name = "value" if crossing.order == JUMP else "autodiff"
        evidence[name] = quote(crossing.center[crossing.order])
    return Break(crossing, operation, place_of(survey, crossing), low, high, evidence)


def _attributed(survey: Survey) -> list[Crossing]:
    """Returns the breaks, each with the site that causes it.

    If several sites switch together, the cause is the one that breaks the function at the largest
    share of its switches; among equals the first in the program, on which later ones depend.
    """
    every = crossings(survey)

    @cache
    def rank(site: int) -> tuple[bool, float, int]:
        is_shift = survey.probe.sites[site].number in survey.reading.softmax_shifts
        orders = [c.order for c in every if c.site == site and c.order >= 0]
        share = sum(order in CODES for order in orders) / len(orders) if orders else 1.0
        return is_shift, -share, site

    return [
        crossing._replace(site=min((crossing.site, *crossing.switched), key=rank))
        for crossing in every
        if crossing.order in CODES
    ]
