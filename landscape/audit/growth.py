"""How a gradient changes toward the most wrong prediction: it fades or explodes (G205, G206)."""

from typing import Any

import numpy as np

from landscape.audit.findings import Finding
from landscape.audit.measure.survey import Path, Survey, brief, norms, quote
from landscape.audit.reach import FADED, dead_place

_GROWING = ("exp", "exp2", "expm1", "sinh", "cosh", "pow", "tan", "integer_pow")


_DOUBLED = (1.25, 2.5, 5.0, 10.0, 20.0, 40.0, 80.0)


def saturation(survey: Survey, dead: list[Finding]) -> list[Finding]:
    """G205: the gradient fades where the prediction is most wrong."""
    marked = [m for path in survey.paths for m in _faded(survey, path)]
    marked = [m for m in marked if not (m["cut"] and dead)]
    if not marked:
        return []
    if all(m["cut"] for m in marked):
        return [_cut(survey, marked[0])]
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


def _cut(survey: Survey, mark: dict[str, Any]) -> Finding:
    """G202 at the far end of a path: too small a part of the domain for samples to meet."""
    message = (
        "the gradient is cut to exactly zero where the prediction is most wrong, at "
        f"{brief(mark['end'])} ({mark['target'] or 'any input'}): an example that gets there is "
        "never corrected"
    )
    evidence = {k: v for k, v in mark.items() if k != "cut" and v is not None}
    severity = "warning" if survey.subject.kind == "loss" else "note"
    suggestion = "leave the prediction itself unclipped: compute from logits"
    where = dead_place(survey, mark["target"])
    return Finding("G202", severity, message, where, evidence, suggestion)  # type: ignore[arg-type]


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
        steepest = survey.steepest_for(path.target.name)
        largest = _usual(survey) if bounded else max(float(slopes.max()), steepest)
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
                "end": quote(path.points[side][fine][order][-1]),
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
        return _drowning(survey)
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


def _drowning(survey: Survey) -> list[Finding]:
    """One kind of target whose gradient is millions of times that of the others."""
    sizes: dict[str, float] = {}
    for sample in survey.plausible:
        fine = sample.norms[np.isfinite(sample.norms)]
        sizes[sample.target.name] = float(np.median(fine)) if len(fine) else 0.0
    if len(sizes) < 2:
        return []
    name = max(sizes, key=lambda n: sizes[n])
    rest = float(np.median([size for other, size in sizes.items() if other != name]))
    if sizes[name] < 1e5 or sizes[name] < 1e5 * max(rest, 1e-30):
        return []
    message = (
        f"for {name} the gradient is {sizes[name]:.2g}, that of other targets {rest:.2g}: one such "
        "example drowns all others of its batch"
    )
    where = survey.operation(("div", "rsqrt", "pow", "integer_pow")) or survey.definition
    evidence = {"target": name, "gradient": sizes[name], "others": rest}
    suggestion = "measure such targets by an absolute error, or leave them out"
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
