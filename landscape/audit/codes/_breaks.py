"""Switches at which the function breaks, by the line of the user's source: for D101 to D104."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from landscape.audit.codes._numbers import brief, quote
from landscape.audit.findings import Where
from landscape.audit.measure.crossings import CODES, JUMP, Crossing
from landscape.audit.measure.survey import Survey
from landscape.audit.measure.switching import crossings

Array = np.ndarray
_FINE = 7  # index into STEPS of the step at which the value is quoted, one less for each order


def by_line(survey: Survey, orders: Sequence[int]) -> dict[int | None, list[Crossing]]:
    """The breaks of these orders by the line of their operation, None where it is unknown."""
    groups: dict[int | None, list[Crossing]] = {}
    for crossing in _attributed(survey):
        if crossing.order in orders:
            place = place_of(survey, crossing)
            groups.setdefault(place.line if place else None, []).append(crossing)
    return groups


def place_of(survey: Survey, crossing: Crossing) -> Where | None:
    """The place of the operation that switches."""
    return survey.place_of(survey.probe.sites[crossing.site])


def first_place(survey: Survey, orders: Sequence[int]) -> Where | None:
    """The place of the first switch of these orders."""
    matching = (crossing for crossing in crossings(survey) if crossing.order in orders)
    first = next(matching, None)
    return None if first is None else place_of(survey, first)


def clearest(group: Sequence[Crossing]) -> Crossing:
    """The break to report: preferably one that no single point makes, met exactly, near zero."""
    return max(group, key=lambda c: (not is_isolated(c), c.tie, -np.abs(c.point).max()))


def is_isolated(crossing: Crossing) -> bool:
    """Whether the value jumps at one point only and is the same on both sides of it."""
    low, high = crossing.left[0][_FINE], crossing.right[0][_FINE]
    return crossing.order == JUMP and abs(high - low) < 0.5 * abs(crossing.size)


def sides(crossing: Crossing) -> tuple[float, float]:
    """The lowest derivative that jumps, on the left and on the right."""
    index = crossing.order, _FINE - crossing.order
    return float(crossing.left[index]), float(crossing.right[index])


def evidence(survey: Survey, crossing: Crossing, group: Sequence[Crossing]) -> dict[str, Any]:
    """The numbers of a break of which a line has as many as the group."""
    low, high = sides(crossing)
    numbers = {
        "target": crossing.target.name,
        "at": quote(crossing.point),
        "direction": quote(crossing.unit),
        "operation": survey.probe.sites[crossing.site].operation,
        "left": quote(low),
        "right": quote(high),
        "crossings": len(group),
    }
    if crossing.tie:
        name = "value" if crossing.order == JUMP else "autodiff"
        numbers[name] = quote(crossing.center[crossing.order])
    return numbers


def point_text(crossing: Crossing) -> str:
    """The point of a crossing and its target, for a message."""
    name = f" ({crossing.target.name})" if crossing.target.name else ""
    return f"{brief(crossing.point)}{name}"


def _attributed(survey: Survey) -> list[Crossing]:
    """The breaks, each given to the site that makes it.

    Where several sites switch at once, that one counts which most often breaks the function; among
    equals the first in the program, since what follows switches because it does.
    """
    every = crossings(survey)
    sites = {site for crossing in every for site in (crossing.site, *crossing.switched)}
    rank = {site: (_is_shift(survey, site), -_share(survey, site), site) for site in sites}
    return [
        crossing._replace(site=min((crossing.site, *crossing.switched), key=lambda s: rank[s]))
        for crossing in every
        if crossing.order in CODES
    ]


def _is_shift(survey: Survey, site: int) -> bool:
    return survey.probe.sites[site].number in survey.reading.softmax_shifts


def _share(survey: Survey, site: int) -> float:
    """The share of a site's switches at which the function breaks."""
    orders = [c.order for c in crossings(survey) if c.site == site and c.order >= 0]
    return sum(order in CODES for order in orders) / len(orders) if orders else 1.0
