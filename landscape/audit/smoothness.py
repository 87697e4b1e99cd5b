"""Jumps, kinks and jumps of derivatives: findings D101 to D104, and the fate of each suspect."""

from collections.abc import Sequence

import numpy as np

from landscape.audit.findings import Finding, Property, Suspect, Where
from landscape.audit.measure import singular_points
from landscape.audit.measure.crossings import (
    EDGE,
    JUMP,
    KINK,
    SECOND,
    SMOOTH,
    STEPS,
    THIRD,
    UNCLEAR,
    Crossing,
    classify,
    find,
)
from landscape.audit.measure.domains import Target
from landscape.audit.measure.survey import Survey, norms, quote
from landscape.audit.measure.walks import Line, lines
from landscape.audit.static.reader import OPEN, Site
from landscape.audit.suggestions import for_site

Array = np.ndarray
CLASSES = ("discontinuous", "C0", "C1", "C2", "smooth")
_CODES = {JUMP: "D101", KINK: "D102", SECOND: "D103", THIRD: "D103"}
_ORDINAL = {SECOND: "second", THIRD: "third"}


def cross(survey: Survey, *, trusted: bool) -> None:
    """Looks for switches along lines and at special points, and keeps them in the survey."""
    if not survey.probe.sites:
        survey.crossings, survey.moved = [], set()
        return
    rng = np.random.default_rng([survey.seed, 101])
    walked = [Line(p.target, p.base, p.direction, p.steps) for p in survey.paths]
    walked += list(lines(survey.subject, rng))
    found, moved = find(survey.probe, walked, survey.scale, trusted=trusted)
    found = [crossing for crossing in found if _is_inside(survey, crossing)]
    _solve(survey, moved)
    met = _at_special_points(survey, rng, trusted)
    survey.crossings = found + met
    survey.moved = moved | {crossing.site for crossing in met}


def _solve(survey: Survey, moved: set[int]) -> None:
    """Keeps the points at which suspects that never switched on a line reach their limits."""
    still = [i for i in range(len(survey.probe.sites)) if i not in moved]
    for target in survey.subject.targets[:2] if still else []:
        tied = survey.probe.scan(special_points(survey, target), target)[1] == 0
        met = set(survey.probe.owners[np.flatnonzero(tied.any(0))])
        survey.solved[target.name] = singular_points.solve(
            survey, target, [site for site in still if site not in met]
        )


def special_points(survey: Survey, target: Target) -> Array:
    """Points that no random line meets: a perfect prediction, all equal, zeros, corners."""
    subject = survey.subject
    shape, name = subject.shape, subject.domain.name
    fills = {"real": (0.0, 1.0, -1.0), "positive": (0.0, 1.0), "unit": (0.0, 0.5, 1.0)}
    points = [np.full(shape, fill) for fill in fills.get(name, (1 / shape[-1],))]
    like = np.shape(target.value) == shape and np.asarray(target.value).dtype.kind == "f"
    if like and (subject.task == "regression" or (name != "real" and subject.task)):
        points.append(np.clip(target.value, subject.domain.low, subject.domain.high))
    if name == "simplex":
        points += list(np.eye(shape[-1])[:, None] * np.ones(shape))
    if subject.size > 1:
        one = np.zeros(shape)
        one.flat[0] = 1.0
        points.append(one)
    points += [point for _, point in survey.solved.get(target.name, [])]
    return np.unique(np.stack(points), axis=0)


def _at_special_points(survey: Survey, rng: np.random.Generator, trusted: bool) -> list[Crossing]:
    probe, subject, found = survey.probe, survey.subject, []
    for target in subject.targets:
        points = special_points(survey, target)
        states = probe.scan(points, target)[1]
        tied = (states == 0) | (states == -1) & _counts_ties(survey)[probe.owners]
        tasks: list[tuple[int, Array, bool]] = []
        for point, ties in zip(points, tied, strict=True):
            for site in np.unique(probe.owners[np.flatnonzero(ties)]):
                tasks += [(int(site), point, True) for _ in range(2)]
        tasks += [(site, point, False) for site, point in survey.solved.get(target.name, [])]
        if not tasks:
            continue
        units = rng.normal(size=(len(tasks), *subject.shape))
        if subject.domain.name == "simplex":
            units -= units.mean(-1, keepdims=True)
        units /= norms(units).reshape(-1, *(1,) * len(subject.shape))
        found += classify(
            probe,
            target,
            [site for site, *_ in tasks],
            np.stack([point for _, point, _ in tasks]),
            units,
            np.array([exact for *_, exact in tasks]),
            survey.scale,
            trusted=trusted,
        )
    return [crossing for crossing in found if _is_inside(survey, crossing)]


def _counts_ties(survey: Survey) -> Array:
    names = ("reduce_max", "reduce_min", "argmax", "argmin")
    return np.array([site.operation in names for site in survey.probe.sites] or [False])


def _is_inside(survey: Survey, crossing: Crossing) -> bool:
    domain = survey.subject.domain
    near = [crossing.point + sign * STEPS[3] * crossing.unit for sign in (-1, 1)]
    return all(np.all((p >= domain.low) & (p <= domain.high)) for p in near)


def smoothness(survey: Survey) -> Property:
    """The class of the function of the prediction."""
    (output,) = survey.reading.outputs
    if output.smooth or not output.varies:
        return Property("smooth", "proved")
    orders = [int(c.size) if c.order == UNCLEAR else c.order for c in survey.crossings]
    orders = [order for order in orders if order >= 0]
    return Property(CLASSES[min(orders, default=SMOOTH)], "measured")


def findings(survey: Survey, *, trusted: bool) -> list[Finding]:
    """One finding for each code and line."""
    found: dict[tuple[str, int | None], list[Crossing]] = {}
    for crossing in _attributed(survey):
        if crossing.order in _CODES:
            place = survey.where(survey.probe.sites[crossing.site])
            key = (_CODES[crossing.order], place.line if place else None)
            found.setdefault(key, []).append(crossing)
    broken = {line for code, line in found if code in ("D101", "D102")}
    made = [
        _smoothness_finding(survey, code, group)
        for (code, line), group in found.items()
        if code != "D103" or line not in broken
    ]
    if trusted:
        made += _outside(survey)
    return sorted(made, key=lambda finding: finding.code)


def _attributed(survey: Survey) -> list[Crossing]:
    """The crossings at which the function breaks, each given to the site that does it.

    Where several sites switch at once, that one counts which most often breaks the function; among
    equals the first in the program, since what follows switches because it does.
    """
    sites = {site for c in survey.crossings for site in (c.site, *c.switched)}
    rank = {site: (_is_shift(survey, site), -_share(survey, site), site) for site in sites}
    return [
        c._replace(site=min((c.site, *c.switched), key=lambda site: rank[site]))
        for c in survey.crossings
        if c.order in _CODES
    ]


def _is_shift(survey: Survey, site: int) -> bool:
    return survey.probe.sites[site].number in survey.reading.softmax_shifts


def _share(survey: Survey, site: int) -> float:
    """The share of a site's switches at which the function breaks."""
    orders = [c.order for c in survey.crossings if c.site == site and c.order >= 0]
    return sum(order in _CODES for order in orders) / len(orders) if orders else 1.0


def _smoothness_finding(survey: Survey, code: str, group: list[Crossing]) -> Finding:
    crossing = max(group, key=lambda c: (not _is_alone(c), c.tie, -np.abs(c.point).max()))
    site = survey.probe.sites[crossing.site]
    where = survey.where(site)
    low, high = (side[min(crossing.order, 3)][7 - crossing.order] for side in _sides(crossing))
    evidence = {
        "target": crossing.target.name,
        "at": quote(crossing.point),
        "direction": quote(crossing.unit),
        "operation": site.operation,
        "left": quote(low),
        "right": quote(high),
        "crossings": len(group),
    }
    if crossing.tie and crossing.order > JUMP:
        evidence["autodiff"] = quote(crossing.at[crossing.order])
    elif crossing.tie:
        evidence["value"] = quote(crossing.at[0])
    at = _at_text(crossing)
    if code == "D101":
        jump = f"jumps from {_short(low)} to {_short(high)} {at}"
        if _is_alone(crossing):
            jump = f"is {_short(crossing.at[0])} {at}, but {_short(low)} all around"
        message = f"the value {jump}: no gradient can see that, so training cannot act on it"
        if np.isinf(crossing.size):
            message = f"the value runs to infinity {at}: no step is small enough near it"
        return Finding(code, "warning", message, where, evidence, for_site(site, code))
    if code == "D102" and np.isinf(crossing.size):
        point = at.removeprefix("at ")
        message = f"the slope grows without end toward {point}: steps near it explode"
        return Finding(code, "note", message, where, evidence, for_site(site, code))
    if code == "D102":
        picks = f"; autodiff gives {_short(crossing.at[1])} there" if crossing.tie else ""
        message = (
            f"a kink {at}: the slope is {_short(low)} on one side and {_short(high)} on the "
            f"other{picks}. Training copes with isolated kinks"
        )
        return Finding(code, "note", message, where, evidence, for_site(site, code))
    message = (
        f"the {_ORDINAL[crossing.order]} derivative jumps from {_short(low)} to {_short(high)} "
        f"{at}: harmless for training by gradients, but curvature is not continuous"
    )
    evidence["derivative"] = crossing.order
    return Finding(code, "note", message, where, evidence)


def _is_alone(crossing: Crossing) -> bool:
    """A jump at one point only: the value is the same on both sides."""
    low, high = crossing.left[0][7], crossing.right[0][7]
    return crossing.order == JUMP and abs(high - low) < 0.5 * abs(crossing.size)


def _sides(crossing: Crossing) -> tuple[Array, Array]:
    return crossing.left, crossing.right


def _at_text(crossing: Crossing) -> str:
    point = np.ravel(crossing.point)
    name = f" ({crossing.target.name})" if crossing.target.name else ""
    shown = ", ".join(_short(v) for v in point[:4]) + (", …" if point.size > 4 else "")
    return f"at {shown}{name}" if point.size == 1 else f"at ({shown}){name}"


def _short(value: float) -> str:
    return f"{value:.4g}"


def _outside(survey: Survey) -> list[Finding]:
    """D104: ties at which autodiff returns a slope that is on neither side nor between."""
    found: dict[int | None, tuple[float, Crossing]] = {}
    for crossing in survey.crossings:
        if not crossing.tie or crossing.order in (JUMP, EDGE, UNCLEAR):
            continue
        slopes = crossing.left[1][5:8], crossing.right[1][5:8]
        if not np.isfinite([*slopes[0], *slopes[1], crossing.at[1]]).all():
            continue
        low, high = sorted((slopes[0][-1], slopes[1][-1]))
        level = max(abs(low), abs(high), abs(crossing.at[1]), survey.scale.levels[1])
        if max(low - crossing.at[1], crossing.at[1] - high) <= 1e-4 * level:
            continue
        low, high = _around(survey, crossing, low, high)
        outside = max(low - crossing.at[1], crossing.at[1] - high)
        if outside > 1e-4 * level:
            place = survey.where(survey.probe.sites[crossing.site])
            key = place.line if place else None
            if key not in found or found[key][0] < outside:
                found[key] = (outside, crossing)
    return [_outside_finding(survey, crossing) for _, crossing in found.values()]


def _around(survey: Survey, crossing: Crossing, low: float, high: float) -> tuple[float, float]:
    """The slopes in the same direction at points close by: what a subgradient lies between."""
    if survey.subject.size == 1:
        return low, high
    rng = np.random.default_rng([survey.seed, 104])
    near = crossing.point + 1e-6 * rng.normal(size=(512, *crossing.point.shape))
    ways = np.broadcast_to(crossing.unit, near.shape)
    slopes = survey.probe.derivatives(near, ways, crossing.target).first
    slopes = slopes[np.isfinite(slopes)]
    return min(low, slopes.min(initial=low)), max(high, slopes.max(initial=high))


def _outside_finding(survey: Survey, crossing: Crossing) -> Finding:
    low, high = crossing.left[1][7], crossing.right[1][7]
    site = survey.probe.sites[crossing.site]
    message = (
        f"{_at_text(crossing)} autodiff gives the slope {_short(crossing.at[1])}, but the function "
        f"has {_short(low)} on one side and {_short(high)} on the other: a step from there goes "
        "where the loss does not fall"
    )
    evidence = {
        "target": crossing.target.name,
        "at": quote(crossing.point),
        "direction": quote(crossing.unit),
        "left": quote(low),
        "right": quote(high),
        "autodiff": quote(crossing.at[1]),
    }
    suggestion = "compute the tie by one formula, or give the function a custom_jvp"
    return Finding("D104", "warning", message, survey.where(site), evidence, suggestion)


def suspects(survey: Survey) -> list[Suspect]:
    """Every operation that can switch, with what became of it."""
    position = {site.number: i for i, site in enumerate(survey.probe.sites)}
    return [_suspect(survey, site, position.get(site.number)) for site in survey.reading.sites]


def _suspect(survey: Survey, site: Site, position: int | None) -> Suspect:
    where = survey.where(site)
    if site.status != OPEN:
        return Suspect(site.operation, site.status, site.reason, where)
    if position is None:
        return Suspect(site.operation, "inconclusive", "no rule and no measurement for it", where)
    mine = [c for c in survey.crossings if c.site == position]
    fate, detail = _fate([c.order for c in mine], position in survey.moved)
    return Suspect(site.operation, fate, detail, where)


def _fate(orders: Sequence[int], moved: bool) -> tuple[str, str]:
    broken = [order for order in orders if order in _CODES]
    if broken:
        codes = sorted({_CODES[order] for order in broken})
        return "confirmed", f"{', '.join(codes)} at {len(broken)} of {len(orders)} switches"
    smooth = sum(order == SMOOTH for order in orders)
    if smooth:
        return "cancelled", f"smooth across {smooth} switches to the third derivative"
    if any(order == UNCLEAR for order in orders):
        return "inconclusive", "between a jump and a steep slope"
    if orders:
        return "unreachable", "only at the edge of where the function is a number"
    if moved:
        return "inconclusive", "it switches, but its switches could not be told apart"
    return "unreachable", "never switched on any line that was walked"


def place_of_order(survey: Survey, orders: Sequence[int]) -> Where | None:
    """The place of the first switch of one of these orders."""
    for crossing in survey.crossings:
        if crossing.order in orders:
            return survey.where(survey.probe.sites[crossing.site])
    return None
