"""Synthetic audits from closed forms, in the form in which audits are stored."""

import json

import numpy as np

from landscape.storage import schema
from landscape.storage.audit_records import AuditRecord

X = np.linspace(-10, 10, 401)


def plain(values):
    """Returns numbers as stored in JSON, with infinity and NaN as text."""
    values = np.asarray(values, dtype=np.float64)
    if values.ndim > 1:
        return [plain(row) for row in values]
    return [float(v) if np.isfinite(v) else str(v) for v in values.tolist()]


def record(audit):
    """Returns the audit as read by the store."""
    return schema.from_text(json.dumps(audit), AuditRecord)


def line(label, value, gradient, marks=(), **spans):
    """A curve over `X`; marks as pairs of x and code."""
    empty = {"dead": [], "idle": [], "saturated": []}
    stored_marks = [{"x": x, "code": code} for x, code in marks]
    curve = {"label": label, "value": plain(value), "gradient": plain(gradient)}
    return curve | empty | spans | {"marks": stored_marks}


def finding(code, severity, message, text="return jnp.abs(predictions - targets)", number=12):
    where = {"file": "/home/someone/project/my_losses.py", "line": number, "text": text}
    return {
        "code": code,
        "severity": severity,
        "message": message,
        "where": where,
        "evidence": {},
        "suggestion": None,
    }


def audit(loss, lines, findings=(), x=X, plane=None, limit=None, **fields):
    """A whole audit; the verdict follows from the findings."""
    severities = {one["severity"] for one in findings}
    verdict = "untrainable" if "error" in severities else "trainable"
    verdict = "care" if verdict == "trainable" and "warning" in severities else verdict
    values = {
        "smoothness": ("C1", "measured"),
        "convex": (True, "proved"),
        "lipschitz": (1.0, "proved"),
        "curvature": (1.0, "measured"),
        "range": ([0.0, "inf"], "measured"),
        "dead_fraction": (0.0, "measured"),
        "coverage": (1.0, "measured"),
    } | fields.pop("properties", {})
    shapes = {"x_label": "prediction", "x": plain(x), "lines": list(lines)}
    audit = {
        "loss": loss,
        "kind": "loss",
        "task": "regression",
        "domain": "real",
        "head": None,
        "verdict": verdict,
        "properties": {name: {"value": v, "how": how} for name, (v, how) in values.items()},
        "findings": list(findings),
        "suspects": [],
        "notes": [],
        "shapes": shapes | {"plane": plane, "limit": limit} | fields.pop("shapes", {}),
    } | fields
    return json.loads(json.dumps(audit, allow_nan=False))


def limit(label, code, left, right, autodiff):
    """Difference quotients at steps from 0.1 to 1e-8, from functions of the step."""
    steps = 10.0 ** -np.arange(1, 9)
    sides = {"left": plain(left(steps)), "right": plain(right(steps))}
    return {"label": label, "code": code, "steps": plain(steps), "autodiff": autodiff} | sides


def huber():
    lines = []
    for target in (0.0, 1.0, -3.0):
        r = X - target
        value = np.where(np.abs(r) <= 1, r**2 / 2, np.abs(r) - 0.5)
        marks = [(target - 1, "D103"), (target + 1, "D103")]
        lines.append(line(f"target {target:g}", value, np.clip(r, -1, 1), marks))
    findings = [
        finding(
            "D103",
            "note",
            "the second derivative jumps from 1 to 0 where the residual is 1: the loss is C1",
        )
    ]
    return audit("huber", lines, findings)


def absolute():
    lines = []
    for target in (0.0, 1.0):
        r = X - target
        lines.append(line(f"target {target:g}", np.abs(r), np.sign(r), [(target, "D102")]))
    findings = [
        finding(
            "D102",
            "note",
            "the slope jumps from -1 to 1 where the prediction equals the target; autodiff "
            "returns 0 there, which is a subgradient",
        )
    ]
    shown = limit("target 1, x = 1", "D102", lambda h: np.full_like(h, -1.0), np.ones_like, 0.0)
    kink = {"smoothness": ("C0", "measured"), "curvature": ("inf", "measured")}
    return audit("absolute_error", lines, findings, limit=shown, properties=kink)


def zero_one():
    lines = [
        line(
            "target 1",
            (X <= 0).astype(float),
            np.zeros_like(X),
            [(0.0, "D101")],
            dead=[[-10.0, 0.0]],
            idle=[[0.0, 10.0]],
        ),
        line(
            "target 0",
            (X > 0).astype(float),
            np.zeros_like(X),
            [(0.0, "D101")],
            dead=[[0.0, 10.0]],
            idle=[[-10.0, 0.0]],
        ),
    ]
    findings = [
        finding("D101", "warning", "the value jumps by 1 where the prediction crosses 0"),
        finding(
            "G201",
            "error",
            "the gradient is zero for every prediction: nothing can be learned from it (the "
            "gradient's program does not depend on the prediction)",
            "return jnp.mean((predictions > 0) != targets)",
            31,
        ),
    ]
    shown = limit("target 1, x = 0", "D101", np.zeros_like, lambda h: -1 / h, 0.0)
    properties = {
        "smoothness": ("discontinuous", "measured"),
        "convex": (False, "measured"),
        "lipschitz": ("inf", "measured"),
        "curvature": (0.0, "proved"),
        "range": ([0.0, 1.0], "measured"),
        "dead_fraction": (0.5, "measured"),
    }
    audited = audit("my_losses.py:zero_one", lines, findings, limit=shown, properties=properties)
    return audited | {"task": "binary"}


def hinge():
    value, gradient = np.maximum(0, 1 - X), np.where(X < 1, -1.0, 0.0)
    flip_value, flip_gradient = np.maximum(0, 1 + X), np.where(X > -1, 1.0, 0.0)
    gradient[np.isclose(X, 1)], flip_gradient[np.isclose(X, -1)] = -0.5, 0.5
    lines = [
        line("target 1", value, gradient, [(1.0, "D102")], idle=[[1.0, 10.0]]),
        line("target 0", flip_value, flip_gradient, [(-1.0, "D102")], idle=[[-10.0, -1.0]]),
    ]
    findings = [finding("D102", "note", "the slope jumps from -1 to 0 at a margin of 1")]
    shown = limit("target 1, x = 1", "D102", lambda h: np.full_like(h, -1), np.zeros_like, -0.5)
    kink = {"smoothness": ("C0", "measured"), "dead_fraction": (0.0, "measured")}
    audited = audit("hinge", lines, findings, limit=shown, properties=kink)
    return audited | {"task": "binary"}


def clipped_cross_entropy():
    """On the probability behind a sigmoid, clipped at 1e-7."""
    p = 1 / (1 + np.exp(-X * 3))
    low = 1e-7
    lines = []
    for target in (1.0, 0.0):
        q = np.clip(p if target else 1 - p, low, 1 - low)
        inside = (p > low) & (p < 1 - low)
        slope = np.where(inside, 3 * (p - target), 0.0)
        edge = float(np.log((1 - low) / low) / 3)
        wrong = [[-10.0, -edge]] if target else [[edge, 10.0]]
        right = [[edge, 10.0]] if target else [[-10.0, -edge]]
        marks = [(-edge, "D102"), (edge, "D102")]
        lines.append(line(f"target {target:g}", -np.log(q), slope, marks, dead=wrong, idle=right))
    findings = [
        finding(
            "G202",
            "warning",
            "the gradient is exactly zero beyond the clip although the loss is at its worst, 16.1: "
            "where the logit is below -5.4 for a target of 1 (above 5.4 for 0). 23 % of the "
            "mispredicted samples (95 % interval 20 to 26 %) teach nothing, and those are the "
            "ones that are most wrong.",
            "p = jnp.clip(jax.nn.sigmoid(3 * logits), 1e-7, 1 - 1e-7)",
            8,
        ),
        finding("D102", "note", "the slope jumps from 0 to -3 where the clip begins", number=8),
    ]
    properties = {"dead_fraction": (0.23, "measured"), "smoothness": ("C0", "measured")}
    properties |= {"range": ([1e-7, 16.118], "measured"), "convex": (False, "measured")}
    audited = audit("my_losses.py:clipped_cross_entropy", lines, findings, properties=properties)
    return audited | {"task": "binary", "head": "sigmoid"}


def reciprocal():
    """1 / x: infinite at zero, NaN nowhere, falls without bound."""
    with np.errstate(divide="ignore"):
        value, gradient = 1 / X, -1 / X**2
    findings = [
        finding(
            "N301", "error", "the value is infinite at a prediction of 0", "return 1 / predictions"
        ),
        finding("S402", "error", "unbounded below: it falls without end as x rises to 0"),
    ]
    lines = [line("target 0", value, gradient, [(0.0, "N301")], saturated=[[3.0, 10.0]])]
    properties = {"range": (["-inf", "inf"], "measured"), "lipschitz": ("inf", "measured")}
    return audit("reciprocal", lines, findings, properties=properties)


def exponential():
    """exp(-margin): huge where wrong, flat where right."""
    lines = [
        line("target 1", np.exp(-X), -np.exp(-X), saturated=[[6.0, 10.0]]),
        line("target 0", np.exp(X), np.exp(X), saturated=[[-10.0, -6.0]]),
    ]
    findings = [finding("G206", "warning", "the gradient grows faster than any polynomial")]
    properties = {"smoothness": ("smooth", "proved"), "lipschitz": ("inf", "measured")}
    return audit("exponential", lines, findings, properties=properties)


def cauchy():
    lines = []
    for target in (0.0, 1.0):
        r = X - target
        value, slope = np.log1p(r**2), 2 * r / (1 + r**2)
        lines.append(line(f"target {target:g}", value, slope))
    findings = [finding("S401", "note", "not convex: the midpoint of 2 and 6 lies above the chord")]
    properties = {"smoothness": ("smooth", "proved"), "convex": (False, "measured")}
    return audit("cauchy", lines, findings, properties=properties)


def squared():
    lines = [
        line(f"target {target:g}", (X - target) ** 2, 2 * (X - target)) for target in (0.0, 1.0)
    ]
    properties = {"smoothness": ("smooth", "proved"), "lipschitz": ("inf", "proved")}
    return audit("squared_error", lines, properties=properties)


def _plane(label, value, x_label="logit of class 0 (true)", y_label="logit of class 1"):
    """A plane from a function of two predictions that returns value and both derivatives."""
    axis = np.linspace(-6, 6, 41)
    x, y = np.meshgrid(axis, axis)
    heights, across, up = value(x, y)
    return {
        "label": label,
        "x_label": x_label,
        "y_label": y_label,
        "x": plain(axis),
        "y": plain(axis),
        "value": plain(heights),
        "gradient_x": plain(across),
        "gradient_y": plain(up),
    }


def softmax_cross_entropy():
    """Three classes, the third logit at 0."""

    def value(x, y):
        total = np.exp(x) + np.exp(y) + 1
        return np.log(total) - x, np.exp(x) / total - 1, np.exp(y) / total

    rest = np.log(2)
    p = 1 / (1 + np.exp(rest - X))
    lines = [line("class 0", -np.log(p), p - 1, saturated=[])]
    properties = {"smoothness": ("smooth", "proved"), "lipschitz": (float(np.sqrt(2)), "measured")}
    audited = audit(
        "softmax_cross_entropy",
        lines,
        plane=_plane("target (1, 0, 0)", value),
        properties=properties,
        shapes={"x_label": "margin of the true class"},
    )
    return audited | {"task": "multiclass"}


def multiclass_hinge():
    """max(0, 1 + other - true): a plane with a region where the gradient is zero."""

    def value(x, y):
        active = (1 + y - x) > 0
        return np.maximum(0, 1 + y - x), np.where(active, -1.0, 0.0), np.where(active, 1.0, 0.0)

    lines = [
        line(
            "class 0",
            np.maximum(0, 1 - X),
            np.where(X < 1, -1.0, 0.0),
            [(1.0, "D102")],
            idle=[[1.0, 10.0]],
        )
    ]
    shown = limit("class 0, margin 1", "D102", lambda h: np.full_like(h, -1), np.zeros_like, 0.0)
    findings = [finding("D102", "note", "the slope jumps from -1 to 0 at a margin of 1")]
    audited = audit(
        "crammer_singer",
        lines,
        findings,
        plane=_plane("target (1, 0, 0)", value),
        limit=shown,
        shapes={"x_label": "margin of the true class"},
    )
    return audited | {"task": "multiclass"}


def holed():
    """log(x y) over two predictions: not a number where they differ in sign."""

    def value(x, y):
        with np.errstate(invalid="ignore", divide="ignore"):
            return np.log(x * y) ** 2, 2 * np.log(x * y) / x, 2 * np.log(x * y) / y

    plane = _plane("targets 1 and 1", value, "prediction 1", "prediction 2")
    with np.errstate(invalid="ignore", divide="ignore"):
        lines = [line("target 1", np.log(X) ** 2, 2 * np.log(X) / X)]
    findings = [
        finding("N302", "error", "the gradient is not a number where the prediction is negative")
    ]
    return audit("squared_log", lines, findings, plane=plane)


def rounded():
    """Rounding: a staircase with many jumps."""
    jumps = [(float(k) + 0.5, "D101") for k in range(-10, 10)]
    value = np.abs(np.round(X) - 1)
    dead = [[-10.0, 0.5], [1.5, 10.0]]
    lines = [line("target 1", value, np.zeros_like(X), jumps, dead=dead, idle=[[0.5, 1.5]])]
    findings = [finding("D101", "warning", "the value jumps by 1 at every half")]
    return audit("rounded", lines, findings)


def refused(loss="my_losses.py:numpy_loss"):
    """Returns a failed audit."""
    return {
        "loss": loss,
        "error": "my_losses.py:7: the loss uses numpy.log, which cannot be differentiated: "
        "use jax.numpy.log",
    }


def many_targets():
    """Six targets, each with a kink; the largest of them dwarfs the others."""
    lines = []
    for target in (0.0, 0.1, 0.5, 1.0, 2.0, 50.0):
        r = X - target
        value, slope = np.maximum(0.1 * r, 0.9 * r), np.where(r > 0, 0.9, 0.1)
        marks = [(target, "D102"), (target, "D104")]
        lines.append(line(f"target {target:g}", value * (1 + target), slope, marks))
    return audit("pinball", lines, [finding("D104", "warning", "no subgradient at the kink")])
