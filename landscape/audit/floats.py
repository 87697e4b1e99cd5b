"""What floating point does to a loss: NaN, infinity, and what only halves break (N3xx)."""

from typing import Any

import jax
import jax.extend.core as jex
import jax.numpy as jnp
import numpy as np

from landscape.audit.findings import Finding, Where
from landscape.audit.measure.domains import FAR, Target
from landscape.audit.measure.survey import Survey, along, brief, norms, quote
from landscape.audit.smoothness import special_points
from landscape.audit.static import interpreter
from landscape.audit.static.equations import bodies, equations
from landscape.audit.static.source import locate
from landscape.numerics.compiling import jit_once

Array = np.ndarray
HALVES = (jnp.bfloat16, np.float16)
REPRESENTABLE = 1e37  # a value up to here is within float32; one beyond is an honest overflow
COMMON = 0.01


def findings(survey: Survey) -> tuple[list[Finding], list[str]]:
    """N301 to N303, and notes on what could not be tried."""
    found = [f for f in (_nonfinite(survey, part) for part in ("value", "gradient")) if f]
    half, notes = _half(survey)
    if half is not None and not found:
        found.append(half)
    return found, notes


def _nonfinite(survey: Survey, part: str) -> Finding | None:
    """N301 for the value, N302 for the gradient."""
    hits = [hit for target in survey.subject.targets for hit in _hits(survey, target, part)]
    if not hits:
        return None
    common = [hit for hit in hits if hit["common"]]
    worst = min(common or hits, key=lambda h: h["distance"])
    shown = "NaN" if any(hit["nan"] for hit in (common or [worst])) else "infinite"
    share = max(hit["share"] for hit in hits)
    often = (
        f"for {share:.0%} of plausible predictions of {worst['target'] or 'any input'}"
        if common
        else f"at {brief(worst['place'])}"
    )
    code = "N301" if part == "value" else "N302"
    message = (
        f"the {part} is {shown} {often}, the smallest such prediction being {brief(worst['at'])}"
        f" ({worst['target'] or 'input'}): one such example turns the whole batch into NaN"
        if common
        else f"the {part} is {shown} {often} ({worst['target'] or 'input'}): one such example "
        "spoils the whole batch"
    )
    where = _origin(survey, part, worst) or survey.definition
    evidence = {
        "target": worst["target"],
        "at": worst["at"],
        part: "nan" if worst["nan"] else worst["shown"],
        "float64": worst["float64"],
        "share": round(share, 4),
        "dtype": "float32",
    }
    suggestion = _suggestion(survey, where)
    return Finding(code, "error" if common else "warning", message, where, evidence, suggestion)


def _hits(survey: Survey, target: Target, part: str) -> list[dict[str, Any]]:
    """Where it is not finite for one target: nearest of the special, plausible and path points."""
    probe = survey.probe
    points = special_points(survey, target)
    groups = [
        ("special", points, *probe.native(points, target, np.float32), probe.values(points, target))
    ]
    share = 0.0
    for sample in survey.samples:
        if sample.target.name == target.name:
            native = probe.native(sample.points, target, np.float32)
            groups.append(
                ("wide" if sample.wide else "plausible", sample.points, *native, sample.found.value)
            )
    groups += [
        ("path", path.points, path.value32, path.gradient32, path.value)
        for path in survey.paths
        if path.target.name == target.name
    ]
    found = []
    for kind, places, values, slopes, wide in groups:
        bad, nan = _bad(values, slopes, part)
        honest = ~np.isfinite(wide) | (np.abs(wide) > REPRESENTABLE)
        sizes = np.abs(places).reshape(len(places), -1).max(1)
        counted = bad & ((sizes <= FAR) | nan | ~honest)
        if part == "gradient":
            counted &= np.isfinite(values) | (sizes <= FAR) | nan
        if kind == "plausible":
            share = float(counted.mean())
        if not counted.any():
            continue
        reference = target.value if survey.subject.task == "regression" else 0.0
        distance = np.abs(places - reference).reshape(len(places), -1).max(1)
        i = int(np.flatnonzero(counted)[np.argmin(distance[counted])])
        found.append(
            {
                "target": target.name,
                "point": places[i],
                "at": quote(places[i]),
                "place": quote(places[i]),
                "distance": float(distance[i]),
                "nan": bool(nan[i]),
                "shown": quote(values[i]) if part == "value" else quote(slopes[i]),
                "float64": quote(wide[i]),
                "share": 0.0,
                "common": False,
                "kind": kind,
            }
        )
    for hit in found:
        hit["share"] = share
        hit["common"] = share > COMMON
    return [_refined(survey, target, part, hit) for hit in found]


def _bad(values: Array, slopes: Array, part: str) -> tuple[Array, Array]:
    rows = slopes.reshape(len(slopes), -1)
    if part == "value":
        return ~np.isfinite(values), np.isnan(values)
    return ~np.isfinite(rows).all(1), np.isnan(rows).any(1)


def _refined(survey: Survey, target: Target, part: str, hit: dict[str, Any]) -> dict[str, Any]:
    """The smallest step of a path at which it happens, instead of a sample of it."""
    if hit["kind"] != "path" or hit["distance"] == 0:
        return hit
    path = next(p for p in survey.paths if p.target.name == target.name)
    bad = _bad(path.value32, path.gradient32, part)[0]
    i = int(np.argmin(norms(path.points - hit["point"])))
    inner = i - int(np.sign(path.steps[i])) if 0 < i < len(path.steps) - 1 else i
    low, high = path.steps[inner], path.steps[i]
    if bad[inner] or not np.isfinite([low, high]).all():
        return hit
    for _ in range(3):
        steps = np.linspace(low, high, 65)
        native = survey.probe.native(along(path.base, path.direction, steps), target, np.float32)
        first = int(np.argmax(_bad(*native, part)[0]))
        if first == 0:
            break
        low, high = steps[first - 1], steps[first]
    point = along(path.base, path.direction, np.array([high]))[0]
    return hit | {"point": point, "at": quote(point), "place": quote(point)}


def _origin(survey: Survey, part: str, hit: dict[str, Any]) -> Where | None:
    """The first operation that makes a number that is none out of numbers that are."""
    subject = survey.subject
    closed = subject.value if part == "value" else subject.gradient
    return _first_broken(survey, closed, hit, np.float32)


def _first_broken(
    survey: Survey, closed: jex.ClosedJaxpr, hit: dict[str, Any], dtype: Any
) -> Where | None:
    target = next(t for t in survey.subject.targets if t.name == hit["target"])
    sites = [(eqn, calls) for _, eqn, calls in equations(closed)]

    def observe(number: int, eqn: Any, inputs: list, outputs: list) -> list:
        if bodies(eqn):
            return []
        return [jnp.stack([jnp.int32(number), _finite(inputs), _finite(outputs)])]

    def look(x: Any, t: Any) -> list:
        return interpreter.evaluate(closed, [x, t], observe, wide=False)[1]

    value = np.asarray(target.value)
    given = value.astype(dtype) if value.dtype.kind == "f" else value
    try:
        seen = jit_once(look)(hit["point"].astype(dtype), given)
    except Exception:  # an operation that cannot be taken out of its program
        return None
    rows = [np.asarray(s).reshape(-1, 3) for s in seen]
    for number, before, after in sorted(map(tuple, np.concatenate(rows))) if rows else []:
        if before and not after:
            eqn, calls = sites[int(number)]
            return locate(eqn, calls, survey.own)
    return None


def _finite(values: list) -> Any:
    """1 where all floating-point values are finite, else 0."""
    checks = [
        jnp.all(jnp.isfinite(v))
        for v in values
        if hasattr(v, "dtype") and jnp.issubdtype(v.dtype, jnp.floating)
    ]
    return jnp.all(jnp.stack(checks)).astype(jnp.int32) if checks else jnp.int32(1)


def _suggestion(survey: Survey, where: Where | None) -> str:
    text = where.text if where else ""
    if survey.operation(("logistic",)) and "log" in text:
        return "compute from logits: jax.nn.log_sigmoid(z), or optax.sigmoid_binary_cross_entropy"
    if "log" in text:
        advice = "keep the argument of the logarithm away from 0, or compute it from logits"
        if survey.subject.domain.name == "real" and survey.subject.head is None:
            advice += "; if predictions are probabilities, audit with --domain unit"
        return advice
    if "sqrt" in text or "norm" in text:
        return "a double where: jnp.where(x > 0, jnp.sqrt(jnp.where(x > 0, x, 1)), 0); or + epsilon"
    if "/" in text or "divide" in text:
        return "add a small constant to the denominator, or choose the case with a double jnp.where"
    if "exp" in text:
        return "subtract the largest exponent first, as jax.nn.softmax and jax.nn.logsumexp do"
    return "guard the operation with a double jnp.where, so that the branch not taken is finite too"


def _half(survey: Survey) -> tuple[Finding | None, list[str]]:
    """N303: fine in float32, broken in bfloat16 or float16."""
    notes = []
    for dtype in HALVES:
        name = np.dtype(dtype).name
        for target in survey.subject.targets:
            groups = _half_groups(survey, target)
            for points, value, gradient in groups:
                try:
                    values, slopes = survey.probe.native(points, target, dtype)
                except Exception as error:
                    first = str(error).strip().split("\n")[0][:120]
                    notes.append(f"not tried in {name}: it refuses ({first})")
                    break
                found = _half_finding(survey, target, name, points, value, gradient, values, slopes)
                if found is not None:
                    return found, notes
            if notes and notes[-1].startswith(f"not tried in {name}"):
                break
    return None, list(dict.fromkeys(notes))


def _half_groups(survey: Survey, target: Target) -> list[tuple[Array, Array, Array]]:
    """Points up to 30 with value and gradient in float32."""
    probe = survey.probe
    points = special_points(survey, target)
    found = [(points, *probe.native(points, target, np.float32))]
    found += [
        (sample.points, *probe.native(sample.points, target, np.float32))
        for sample in survey.plausible
        if sample.target.name == target.name
    ]
    for path in survey.paths:
        near = np.abs(path.steps) <= FAR
        if path.target.name == target.name:
            found.append((path.points[near], path.value32[near], path.gradient32[near]))
    return found


def _half_finding(
    survey: Survey,
    target: Target,
    name: str,
    points: Array,
    value: Array,
    gradient: Array,
    values: Array,
    slopes: Array,
) -> Finding | None:
    fine = np.isfinite(value) & np.isfinite(norms(gradient))
    largest = max(survey.steepest, 1e-30)
    broken = fine & ~(np.isfinite(values) & np.isfinite(norms(slopes)))
    above = value > survey.lowest[target.name] + 0.02 * survey.scale.levels[0]
    lost = fine & above & (norms(gradient) > 0.05 * largest) & (norms(slopes) == 0)
    if lost.mean() <= 0.02:
        lost &= False
    hit = broken | lost
    if not hit.any():
        return None
    sizes = np.abs(points).reshape(len(points), -1).max(1)
    i = int(np.flatnonzero(hit)[np.argmin(sizes[hit])])
    what = "the result is not finite" if broken[i] else "the gradient underflows to exactly zero"
    message = (
        f"fails only in {name}: {what} at {brief(points[i])} ({target.name or 'input'}), where "
        f"float32 gives {value[i]:.4g} with a gradient of norm {norms(gradient)[i]:.3g}"
    )
    where = _half_origin(survey, name, target, points[i]) or survey.definition
    evidence = {
        "dtype": name,
        "target": target.name,
        "at": quote(points[i]),
        "value": quote(values[i]),
        "float32": quote(value[i]),
        "gradient": quote(slopes[i]),
    }
    suggestion = "cast predictions to float32 before the loss: predictions.astype(jnp.float32)"
    return Finding("N303", "note", message, where, evidence, suggestion)


def _half_origin(survey: Survey, name: str, target: Target, point: Array) -> Where | None:
    dtype = next(half for half in HALVES if np.dtype(half).name == name)
    row = survey.subject.row
    value = np.asarray(target.value)
    given = value.astype(dtype) if value.dtype.kind == "f" else value
    closed = jax.make_jaxpr(lambda x, t: row(x, t))(point.astype(dtype), given)
    found = _first_broken(survey, closed, {"target": target.name, "point": point}, dtype)
    names = ("log", "exp", "div", "sqrt", "pow", "integer_pow", "square", "mul")
    return found or survey.operation(names)
