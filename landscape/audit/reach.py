"""Whom a gradient reaches: dead regions, components left out, sparse gradients (G202 to G204)."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from landscape.audit.findings import Finding, Where
from landscape.audit.gradient_cuts import CUTTERS, cutter
from landscape.audit.measure.crossings import JUMP, KINK, SECOND, THIRD, Crossing
from landscape.audit.measure.domains import Target
from landscape.audit.measure.survey import Sample, Survey, brief, interval, norms, quote
from landscape.audit.smoothness import place_of_order

Array = np.ndarray


_SELECTS = ("slice", "gather", "dynamic_slice", "split")


FADED = 1e-9  # a gradient that has faded to this share of the largest is underflowing, not cut


def dead_regions(survey: Survey) -> list[Finding]:
    """G202: exactly zero gradient where the loss is above its minimum, by target."""
    marked = []
    for target in survey.subject.targets:
        if survey.subject.rows > 1 and np.ptp(target.value) == 0:
            continue  # a batch of equal targets leaves a ranking nothing to rank
        samples = [s for s in survey.samples if s.target.name == target.name]
        found = _dead_for(survey, target, samples)
        if found is not None:
            marked.append(found)
    if not marked:
        return []
    told: list[Finding] = []
    for everywhere in (True, False):
        group = [m for m in marked if m["everywhere"] == everywhere]
        if group:
            worst = max(group, key=lambda m: (m["of_mispredicted"], m["share"]))
            where = dead_place(survey, worst["target"], everywhere=everywhere)
            told.append(_dead_finding(survey, worst, [m["target"] for m in group], where))
    return told


def _dead_for(survey: Survey, target: Target, samples: list[Sample]) -> dict[str, Any] | None:
    plain = survey.subject.kind != "loss"
    everywhere = _is_constant(samples)
    lowest = survey.lowest[target.name]
    room = 1e-9 + 1e-6 * max(survey.scale.levels[0], abs(lowest) * 1e-6)
    for sample in samples:
        dead = ~np.any(sample.found.gradient.reshape(len(sample.points), -1), axis=1) | everywhere
        harmful = dead & ((sample.found.value > lowest + room) | everywhere | plain)
        if not everywhere:
            harmful &= np.isfinite(sample.found.value)
            harmful = _cut_off(survey, sample, harmful)
        if not harmful.any():
            continue
        wrong = harmful & sample.wrong
        return {
            "target": target.name,
            "share": float(harmful.mean()),
            "interval": interval(int(harmful.sum()), len(harmful)),
            "of_mispredicted": float(wrong.sum() / max(sample.wrong.sum(), 1)),
            "wide": sample.wide,
            "example": quote(_nearest_to_zero(sample.points[harmful])),
            "value": quote(_first_finite(sample.found.value[harmful])),
            "lowest": quote(lowest),
            "everywhere": everywhere,
            "mask": harmful,
            "sample": sample,
        }
    return None


def _is_constant(samples: list[Sample]) -> bool:
    """Whether the loss is the same for every prediction, to rounding."""
    if all(not np.any(s.found.gradient) for s in samples):
        return True
    values = np.concatenate([s.found.value for s in samples])
    values = values[np.isfinite(values)]
    return len(values) > 0 and bool(np.ptp(values) <= 1e-12 * np.abs(values).max())


def _first_finite(values: Array) -> float:
    finite = values[np.isfinite(values)]
    return float(finite[0]) if len(finite) else float(values[0])


def _nearest_to_zero(points: Array) -> Array:
    return points[np.argmin(np.abs(points).reshape(len(points), -1).max(1))]


def _cut_off(survey: Survey, sample: Sample, dead: Array) -> Array:
    """Those dead points at whose edge the gradient is cut off, not faded to nothing.

    One point of each group is followed to a living one: just before the edge a gradient that
    fades is all but gone already.
    """
    alive = np.flatnonzero(np.any(sample.found.gradient.reshape(len(sample.points), -1), axis=1))
    if not dead.any():
        return dead
    if len(alive) == 0:
        return np.zeros_like(dead)
    chosen = np.flatnonzero(dead)[:12]
    starts = sample.points[chosen]
    flat = sample.points.reshape(len(sample.points), -1)
    near = [alive[np.argmin(norms(flat[alive] - flat[i]))] for i in chosen]
    low, high = np.zeros(len(chosen)), np.ones(len(chosen))
    ways = sample.points[near] - starts
    for _ in range(8):
        shares = low + (high - low) * (np.arange(1, 8) / 8)[:, None]
        grid = starts + shares.reshape(7, len(chosen), *(1,) * (starts.ndim - 1)) * ways
        slopes = survey.probe.gradients(grid.reshape(-1, *starts.shape[1:]), sample.target)[1]
        living = np.any(slopes.reshape(7, len(chosen), -1) != 0, axis=2)
        first = np.where(living.any(0), np.argmax(living, axis=0), 7)
        edges = np.concatenate([low[None], shares, high[None]])
        rows = np.arange(len(chosen))
        low, high = edges[first, rows], edges[first + 1, rows]
    inside = high + 0.05 * (1 - high)  # a gradient may be smooth at the edge and still be cut
    edge = starts + inside.reshape(-1, *(1,) * (starts.ndim - 1)) * ways
    before = norms(survey.probe.gradients(edge, sample.target)[1])
    cut = before > FADED * survey.steepest
    return dead if cut.mean() >= 0.5 else np.zeros_like(dead)


def dead_place(survey: Survey, name: str, *, everywhere: bool = False) -> Where | None:
    """Where the gradient is cut: a switch with a slope on one side and none on the other."""
    if everywhere:
        found = survey.operation(("div",), last=True)
        found = found or survey.operation(("mul", "dot_general"), last=True)
        return found or survey.definition
    matching = [c for c in survey.crossings if c.order in (JUMP, KINK, SECOND, THIRD)]
    same = [c for c in matching if c.target.name == name]
    for group in (same, matching):
        edges = [c for c in group if _is_edge(c)]
        if edges:
            return survey.where(survey.probe.sites[edges[0].site])
    return cutter(survey) or survey.definition


def _is_edge(crossing: Crossing) -> bool:
    left, right = (np.any(side[1][3:8] != 0) for side in (crossing.left, crossing.right))
    return bool(left != right)


def _dead_finding(
    survey: Survey, worst: dict[str, Any], names: list[str], where: Where | None
) -> Finding:
    kind = survey.subject.kind
    share, (low, high) = worst["share"], worst["interval"]
    evidence = {k: v for k, v in worst.items() if k not in ("mask", "sample", "everywhere")}
    evidence["interval"] = [round(low, 4), round(high, 4)]
    evidence["predictions"] = "up to 30" if worst["wide"] else "plausible"
    if kind != "loss":
        message = (
            f"no gradient passes for {share:.0%} of plausible inputs ({low:.0%} to {high:.0%}), "
            f"such as {brief(worst['example'])}: a unit that stays there on all examples is dead"
        )
        return Finding("G202", "note", message, where, evidence, _dead_suggestion(survey))
    of_wrong = worst["of_mispredicted"]
    if worst["everywhere"]:
        message = (
            f"for {' and '.join(names)} the loss is constant ({brief(worst['value'])}): such "
            "examples teach nothing, whatever is predicted"
        )
        return Finding(
            "G202",
            "warning",
            message,
            where,
            evidence,
            "let it depend on the prediction: a `smooth` term in numerator and denominator, or a "
            "pixelwise loss beside it",
        )
    message = (
        f"the gradient is exactly zero for {share:.1%} of "
        f"{'predictions up to 30' if worst['wide'] else 'plausible predictions'} "
        f"({low:.1%} to {high:.1%}; {of_wrong:.0%} of the mispredicted) although the loss there, "
        f"such as {brief(worst['value'])} at {brief(worst['example'])} ({worst['target']}), is "
        f"above its minimum {brief(worst['lowest'])}: an example that starts there is never "
        "corrected"
    )
    never = of_wrong > 0.95 and survey.subject.task != "regression" and _dead_at_start(survey)
    severity = "error" if never else "warning"
    return Finding("G202", severity, message, where, evidence, _dead_suggestion(survey))  # type: ignore[arg-type]


def _dead_at_start(survey: Survey) -> bool:
    """Whether predictions as an untrained model makes them, within 1 of 0, are dead as well."""
    if survey.subject.domain.name != "real":
        return True
    rng = np.random.default_rng([survey.seed, 202])
    dead = []
    for target in survey.subject.targets:
        points = rng.uniform(-1, 1, (64, *survey.subject.shape))
        gradient = survey.probe.gradients(points, target)[1]
        dead.append(~np.any(gradient.reshape(len(points), -1), axis=1))
    return float(np.mean(dead)) > 0.95


def _dead_suggestion(survey: Survey) -> str:
    if survey.subject.kind != "loss":
        return "a leak keeps a gradient: jax.nn.leaky_relu, jax.nn.elu or jax.nn.gelu"
    if survey.operation(("logistic",)) and survey.operation(("log",)):
        return (
            "compute from logits without clipping: optax.sigmoid_binary_cross_entropy(logits, "
            "targets)"
        )
    return "let the loss keep a slope there: grow linearly (Huber) instead of being cut off"


def never_reached(survey: Survey) -> list[Finding]:
    """G203: components of the prediction that never get a gradient."""
    if survey.subject.size == 1:
        return []
    reached = np.zeros(survey.subject.shape, bool)
    trials = 0
    for sample in survey.samples:
        reached |= np.any(sample.found.gradient != 0, axis=0)
        trials += len(sample.points)
    if reached.all() or not reached.any():
        return []
    names = [str(list(map(int, index))) for index in np.argwhere(~reached)[:4]]
    names = [name.replace("[0, ", "[") if survey.subject.rows == 1 else name for name in names]
    what = "input" if survey.subject.kind == "function" else "component"
    message = (
        f"{int((~reached).sum())} of {reached.size} {what}s never receive a gradient "
        f"({what} {', '.join(names)}; {trials} predictions tried): nothing is learned for them"
    )
    ways = (CUTTERS, _SELECTS) if _still_counts(survey, ~reached) else (_SELECTS, CUTTERS)
    where = cutter(survey, ways[0]) or cutter(survey, ways[1]) or survey.definition
    evidence = {"components": names, "trials": trials}
    suggestion = "let every component enter the loss, or leave it out of the model"
    return [Finding("G203", "warning", message, where, evidence, suggestion)]


def _still_counts(survey: Survey, components: Array) -> bool:
    """Whether the value depends on these components, though no gradient tells."""
    for sample in survey.plausible:
        moved = np.where(components, sample.points + 0.37, sample.points)
        moved = np.clip(moved, survey.subject.domain.low, survey.subject.domain.high)
        if np.any(survey.probe.values(moved, sample.target) != sample.found.value):
            return True
    return False


def coverage(survey: Survey) -> float:
    """The mean share of components that get a gradient, among predictions that get any."""
    shares = []
    for sample in survey.plausible:
        hit = (sample.found.gradient != 0).reshape(len(sample.points), -1)
        shares += list(hit[hit.any(1)].mean(1))
    return float(np.mean(shares)) if shares else 0.0


def _open_place(survey: Survey, names: Sequence[str]) -> Where | None:
    """The place of the first suspect of these names that is still one."""
    for site in survey.reading.sites:
        harmless = site.status != "open" or site.number in survey.reading.softmax_shifts
        if site.operation in names and not harmless:
            return survey.where(site)
    return None


def sparse(survey: Survey) -> list[Finding]:
    """G204: at every prediction some component is left out that others reach."""
    if survey.subject.size == 1 or survey.subject.kind == "activation":
        return []
    hits = [
        (s.target.name, s.found.gradient.reshape(len(s.points), -1) != 0) for s in survey.samples
    ]
    reachable = int(np.any([hit.any(0) for _, hit in hits], axis=0).sum())
    found = []
    for target in survey.subject.targets:
        most = max(int(hit.sum(1).max()) for name, hit in hits if name == target.name)
        if 0 < most < reachable:
            found.append((target.name, most))
    if not found:
        return []
    name, most = min(found, key=lambda f: f[1])
    share = coverage(survey)
    message = (
        f"a prediction gets a gradient in at most {most} of its {survey.subject.size} components "
        f"at a time ({name or 'any input'}; {share:.0%} on average): the others wait for their turn"
    )
    names = ("reduce_max", "reduce_min", "sort", "top_k", "argmax", "argmin")
    where = _open_place(survey, names) or place_of_order(survey, [KINK]) or survey.operation(names)
    where = where or survey.operation(("gather", "mul", "dot_general", "reduce_sum"))
    where = where or survey.definition
    evidence = {
        "at_most": most,
        "components": survey.subject.size,
        "coverage": round(share, 4),
        "targets": [f[0] for f in found],
    }
    suggestion = "jax.nn.logsumexp in place of the maximum, or a sum over all, reaches every one"
    return [Finding("G204", "note", message, where, evidence, suggestion)]
