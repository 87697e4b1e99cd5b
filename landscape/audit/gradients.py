"""What autodiff hands to the optimizer: zero, dead, sparse, vanishing, exploding, wrong (G2xx)."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from landscape.audit.crossings import JUMP, KINK, SECOND, THIRD, Crossing
from landscape.audit.domain import Target
from landscape.audit.findings import Finding, Where
from landscape.audit.jaxprs import bodies, direct, equations, place
from landscape.audit.smoothness import place_of_order
from landscape.audit.survey import Path, Sample, Survey, brief, interval, norms, quote

Array = np.ndarray
CUTTERS = (
    "stop_gradient",
    "floor",
    "ceil",
    "round",
    "sign",
    "argmax",
    "argmin",
    "gt",
    "ge",
    "lt",
    "le",
    "eq",
    "ne",
    "convert_element_type",
)
_CUSTOM = ("custom_vjp_call", "custom_jvp_call", "custom_vjp_call_jaxpr", "stop_gradient")
_SELECTS = ("slice", "gather", "dynamic_slice", "split")
_GROWING = ("exp", "exp2", "expm1", "sinh", "cosh", "pow", "tan", "integer_pow")
_DOUBLED = (1.25, 2.5, 5.0, 10.0, 20.0, 40.0, 80.0)
FADED = 1e-9  # a gradient that has faded to this share of the largest is underflowing, not cut


def findings(survey: Survey, wrong: list[Finding]) -> list[Finding]:
    """G201 to G207; `wrong` is what `disagreement` found."""
    zero = identically_zero(survey)
    if zero is not None:
        return [zero, *wrong]
    dead = dead_regions(survey)
    return [
        *dead,
        *never_reached(survey),
        *sparse(survey),
        *saturation(survey, dead),
        *explosion(survey),
        *wrong,
    ]


def cutter(survey: Survey, names: Sequence[str] = CUTTERS) -> Where | None:
    """The first operation on the prediction through which no gradient passes.

    Those that somebody's own line calls come before those inside a library's function.
    """
    harmless = {site.number for site in survey.reading.sites if site.status != "open"}
    found = []
    for number, eqn, around in equations(survey.subject.value):
        name = eqn.primitive.name
        if name not in names or number in harmless:
            continue
        if number not in survey.reading.moving and not bodies(eqn):
            continue
        if name == "convert_element_type" and eqn.outvars[0].aval.dtype.kind == "f":
            continue
        where = place(eqn, around, survey.own)
        if where is not None:
            found.append((not direct(eqn, survey.own), len(found), where))
    return min(found)[2] if found else None


def identically_zero(survey: Survey) -> Finding | None:
    """G201: no prediction ever gets a gradient."""
    if any(np.any(s.found.gradient != 0) for s in survey.samples):
        return None
    if any(np.any(p.gradient != 0) for p in survey.paths):
        return None
    slope = survey.slopes.outputs[1]
    proved = not slope.moves and not slope.given and slope.range == (0.0, 0.0)
    trials = sum(len(s.points) for s in survey.samples) + sum(len(p.points) for p in survey.paths)
    how = "whatever the prediction" if proved else f"at all {trials} predictions tried"
    message = f"the gradient is exactly zero {how}: no optimizer that follows it can learn anything"
    where = place_of_order(survey, [JUMP]) or cutter(survey) or survey.definition
    evidence = {"how": "proved" if proved else "measured", "trials": trials, "nonzero": 0}
    return Finding("G201", "error", message, where, evidence, _zero_suggestion(survey))


def _zero_suggestion(survey: Survey) -> str:
    if survey.reading.outputs[0].moves:
        return (
            "replace the hard decision by a soft one (sigmoid, softmax) in the loss, and report "
            "the hard one as a metric"
        )
    return "the loss does not depend on the prediction: use the prediction, not a copy of it"


def dead_regions(survey: Survey) -> list[Finding]:
    """G202: exactly zero gradient where the loss is above its minimum, by target."""
    marked = []
    for target in survey.subject.targets:
        samples = [s for s in survey.samples if s.target.name == target.name]
        found = _dead_for(survey, target, samples)
        if found is not None:
            marked.append(found)
    if not marked:
        return []
    worst = max(marked, key=lambda m: (m["of_mispredicted"], m["share"]))
    where = _dead_place(survey, worst)
    return [_dead_finding(survey, worst, [m["target"] for m in marked], where)]


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
            "value": quote(sample.found.value[harmful][0]),
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
    edge = starts + high.reshape(-1, *(1,) * (starts.ndim - 1)) * ways
    before = norms(survey.probe.gradients(edge, sample.target)[1])
    cut = before > FADED * survey.steepest
    return dead if cut.mean() >= 0.5 else np.zeros_like(dead)


def _dead_place(survey: Survey, worst: dict[str, Any]) -> Where | None:
    """Where the gradient is cut: a switch with a slope on one side and none on the other."""
    if worst["everywhere"]:
        found = survey.operation(("div",), last=True)
        found = found or survey.operation(("mul", "dot_general"), last=True)
        return found or survey.definition
    matching = [c for c in survey.crossings if c.order in (JUMP, KINK, SECOND, THIRD)]
    same = [c for c in matching if c.target.name == worst["target"]]
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
            f"for {' and '.join(names)} the loss is constant ({brief(worst['value'])}): such examples "
            "teach nothing, whatever is predicted"
        )
        return Finding(
            "G202",
            "warning",
            message,
            where,
            evidence,
            "let the constant depend on the "
            "prediction: a `smooth` term in numerator and denominator, or a pixelwise loss beside it",
        )
    message = (
        f"the gradient is exactly zero for {share:.1%} of "
        f"{'predictions up to 30' if worst['wide'] else 'plausible predictions'} "
        f"({low:.1%} to {high:.1%}; {of_wrong:.0%} of the mispredicted) although the loss there, "
        f"such as {brief(worst['value'])} at {brief(worst['example'])} ({worst['target']}), is above "
        f"its minimum {brief(worst['lowest'])}: an example that starts there is never corrected"
    )
    never = of_wrong > 0.95 and survey.subject.task != "regression"
    severity = "error" if never else "warning"
    return Finding("G202", severity, message, where, evidence, _dead_suggestion(survey))  # type: ignore[arg-type]


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
    where = survey.operation(names) or place_of_order(survey, [KINK])
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


def saturation(survey: Survey, dead: list[Finding]) -> list[Finding]:
    """G205: the gradient fades where the prediction is most wrong."""
    marked = [m for path in survey.paths for m in _faded(survey, path)]
    marked = [m for m in marked if not (m["cut"] and dead)]
    if not marked:
        return []
    worst = min(marked, key=lambda m: m["at_30"])
    plain = survey.subject.kind != "loss"
    mild = plain or worst["at_30"] >= 1e-3
    speed = "falls" if worst["at_30"] >= 1e-3 else "vanishes"
    zero = worst["zero_from"]
    exact = f", and is exactly zero in float32 from {zero:.4g} on" if zero is not None else ""
    what = "far inputs" if plain else "predictions that are most wrong"
    message = (
        f"the gradient {speed} for {what}: {worst['at_30']:.2g} of its largest at "
        f"{worst['place']:.4g} ({worst['target'] or 'any input'}){exact}; such examples are "
        "corrected slowly or never"
    )
    evidence = {k: v for k, v in worst.items() if k != "cut" and v is not None}
    where = (
        survey.operation(("logistic", "tanh", "erf", "exp", "div", "log1p")) or survey.definition
    )
    suggestion = None if plain else _saturation_suggestion(survey)
    return [Finding("G205", "note" if mild else "warning", message, where, evidence, suggestion)]


def _saturation_suggestion(survey: Survey) -> str:
    if survey.subject.task in ("binary", "multiclass"):
        return "cross entropy from logits keeps its full gradient on confident mistakes"
    if survey.subject.task == "segmentation":
        return "add a pixelwise cross entropy: it keeps a gradient where the overlap has none"
    return "a loss that grows at least linearly, such as huber, keeps pulling"


def _faded(survey: Survey, path: Path) -> list[dict[str, Any]]:
    """Each wrong side of a path on which the gradient fades."""
    two_sided = survey.subject.task == "regression" or survey.subject.kind != "loss"
    bounded = survey.subject.domain.name in ("unit", "simplex")
    found = []
    for sign in (1, -1) if two_sided and not bounded else (1,):
        side = path.steps * sign > 0
        steps, slopes = np.abs(path.steps[side]), path.norms[side]
        fine = np.isfinite(slopes)
        if not fine.any():
            continue
        order = np.argsort(steps[fine])
        steps, slopes = steps[fine][order], slopes[fine][order]
        largest = _usual(survey) if bounded else max(float(slopes.max()), survey.steepest)
        near = 1.0 if bounded else 30.0
        index = min(int(np.searchsorted(steps, near)), len(steps) - 1)
        last = slopes[-1] / largest if largest else 1.0
        start = slopes[min(int(np.searchsorted(steps, near / 6)), len(steps) - 1)] / largest
        if last >= 1e-2 or last >= 0.5 * start or len(steps) < 8:
            continue
        end = path.value[side][fine][order][-1]
        if not end > survey.lowest[path.target.name] + 0.05 * survey.scale.levels[0]:
            continue
        alive = np.flatnonzero(slopes > 0)
        edge = slopes[alive[-1]] if len(alive) else 0.0
        found.append(
            {
                "target": path.target.name,
                "at_30": float(slopes[index] / largest),
                "place": float(sign * steps[index]),
                "far": float(last),
                "cut": bool(last == 0 and edge > FADED * largest),
                "zero_from": _zero_from(path, sign),
            }
        )
    return found


def _usual(survey: Survey) -> float:
    """The median gradient of plausible predictions: on a bounded domain ends can be poles."""
    every = np.concatenate([sample.norms for sample in survey.plausible])
    return float(np.median(every[np.isfinite(every)]))


def _zero_from(path: Path, sign: int) -> float | None:
    """The step from which on every float32 gradient of a wrong side is exactly zero."""
    side = np.flatnonzero(path.steps * sign > 0)
    side = side[np.argsort(np.abs(path.steps[side]))]
    alive = np.flatnonzero(norms(path.gradient32[side]) != 0)
    first = alive[-1] + 1 if len(alive) else 0
    return float(path.steps[side[first]]) if first < len(side) else None


def explosion(survey: Survey) -> list[Finding]:
    """G206: the gradient outgrows every polynomial, or float32, for plausible predictions."""
    found = []
    for path in survey.paths:
        for sign in (1, -1):
            side = path.steps * sign > 0
            steps, slopes = np.abs(path.steps[side]), path.norms[side]
            if steps.size < 8 or steps.max() < 80:
                continue
            at = {s: float(slopes[np.argmin(np.abs(steps - s))]) for s in _DOUBLED}
            outgrown = _outgrown(at)
            if outgrown is not None:
                found.append((path, sign, outgrown))
    if not found:
        return []
    path, sign, at = found[0]
    shown = ", ".join(f"{slope:.3g} at {sign * step:g}" for step, slope in at.items())
    message = (
        f"the gradient grows faster than any polynomial: {shown} ({path.target.name or 'input'}): "
        "one bad prediction can throw the parameters away"
    )
    where = survey.operation(_GROWING) or survey.definition
    evidence = {"target": path.target.name, "gradient": {str(sign * k): v for k, v in at.items()}}
    suggestion = "bound the exponent, clip the gradient by norm (`clip_norm`), or use a margin loss"
    return [Finding("G206", "warning", message, where, evidence, suggestion)]


def _outgrown(at: dict[float, float]) -> dict[float, float] | None:
    """Three doublings of the step over which the growth itself grows; None for a polynomial."""
    steps = list(at)
    for first, second, third in zip(steps, steps[1:], steps[2:], strict=False):
        slopes = [at[first], at[second], at[third]]
        if min(slopes) <= 0 or not np.isfinite(slopes).all():
            continue
        before, after = np.log2(slopes[1] / slopes[0]), np.log2(slopes[2] / slopes[1])
        if after > 12 and after > 1.5 * before > 0:
            return {step: at[step] for step in (first, second, third)}
    return None


def disagreement(survey: Survey) -> list[Finding]:
    """G207: where nothing switches, autodiff gives another slope than the difference quotient."""
    off, against, trials, example = 0, 0, 0, None
    for sample in survey.plausible:
        for ways in (sample.directions, _uphill(sample)):
            slopes, quotients, fine = _compare(survey, sample, ways)
            level = np.abs(slopes) + np.abs(quotients) + 1e-3 * survey.scale.levels[1] + 1e-12
            bad = fine & (np.abs(slopes - quotients) > 1e-3 * level)
            trials += int(fine.sum())
            off += int(bad.sum())
            against += int((bad & (slopes * quotients < 0)).sum())
            if bad.any() and example is None:
                i = int(np.argmax(bad))
                example = (sample.target.name, sample.points[i], slopes[i], quotients[i], ways[i])
    if example is None or off < max(3, 0.005 * trials):
        return []
    name, point, slope, quotient, way = example
    opposed = against > 0.5 * off
    effect = (
        "it points the other way, so training moves away from the minimum"
        if opposed
        else "training follows another function than the one that is reported"
    )
    message = (
        f"autodiff disagrees with the limit of the difference quotient at {off} of {trials} points "
        f"(slope {slope:.4g} against {quotient:.4g}): {effect}"
    )
    where = cutter(survey, _CUSTOM) or cutter(survey) or survey.definition
    evidence = {
        "target": name,
        "at": quote(point),
        "direction": quote(way),
        "autodiff": quote(slope),
        "difference_quotient": quote(quotient),
        "points": off,
        "trials": trials,
    }
    suggestion = (
        "if it is meant (straight-through), say so beside it; else mend the derivative rule"
    )
    return [
        Finding("G207", "error" if opposed else "warning", message, where, evidence, suggestion)
    ]


def _uphill(sample: Sample) -> Array:
    """Unit vectors along the gradients, or the random directions where there is none."""
    sizes = sample.norms.reshape(-1, *(1,) * (sample.points.ndim - 1))
    with np.errstate(invalid="ignore", divide="ignore"):
        ways = sample.found.gradient / sizes
    return np.where(np.isfinite(ways) & (sizes > 0), ways, sample.directions)


def _compare(survey: Survey, sample: Sample, ways: Array) -> tuple[Array, Array, Array]:
    """Autodiff's slopes, central difference quotients, and where both can be compared.

    Only points with equal states on both sides count, and quotients that have settled.
    """
    rows = (-1, *(1,) * (sample.points.ndim - 1))
    ways = ways / norms(ways).reshape(rows)
    slopes = np.sum((sample.found.gradient * ways).reshape(len(ways), -1), axis=1)
    quotients, still = [], np.ones(len(ways), bool)
    for step in (1e-4, 1e-5):
        moves = step * np.maximum(1, np.abs(sample.points).reshape(len(ways), -1).max(1))
        left, right = (sample.points + s * moves.reshape(rows) * ways for s in (-1, 1))
        low, before = survey.probe.scan(left, sample.target)
        high, after = survey.probe.scan(right, sample.target)
        still &= np.all(before == after, axis=1)
        quotients.append((high - low) / (2 * moves))
    coarse, fine = quotients
    noise = 1e-9 * (1 + np.abs(sample.found.value))
    settled = np.abs(coarse - fine) <= 1e-3 * (np.abs(coarse) + np.abs(fine)) + noise
    good = still & settled & np.isfinite(slopes) & np.isfinite(fine)
    return slopes, fine, good
