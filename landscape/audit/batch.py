"""What a loss does with a batch: broadcasting by mistake, depending on order or size (B5xx)."""

from typing import Any

import jax
import jax.extend.core as jex
import jax.numpy as jnp
import numpy as np

from landscape.audit.findings import Finding, Where
from landscape.audit.measure.domains import batch
from landscape.audit.measure.survey import Survey, quote
from landscape.audit.static.source import locate
from landscape.numerics.compiling import jit_once
from landscape.numerics.primitives import called_program

ROWS = 5
_COMBINE = ("add", "sub", "mul", "div", "max", "min", "eq", "ne", "lt", "le", "gt", "ge", "pow")
_CLOSE = 1e-4


def findings(survey: Survey) -> list[Finding]:
    """B501 and B502, on a batch of random examples."""
    if survey.subject.kind == "activation":
        return _elementwise(survey)
    if survey.subject.kind != "loss":
        return []
    found = [broadcasts(survey), depends_on_batch(survey)]
    return [f for f in found if f is not None]


def _few(survey: Survey) -> tuple[Any, Any]:
    subject = survey.subject
    return batch(str(subject.task), subject.form, subject.domain.name, ROWS, subject.shape[-1])


def broadcasts(survey: Survey) -> Finding | None:
    """B501: predictions of all examples meet targets of all examples."""
    predictions, targets = _few(survey)
    try:
        closed = jax.make_jaxpr(survey.subject.batched)(predictions, targets)
    except Exception:
        return None
    out = closed.jaxpr.outvars[0].aval.shape
    meeting = _Meeting(survey.own)
    meeting.run(closed, [("p", frozenset()), ("t", frozenset())], ())
    square = out.count(ROWS) > 1
    if not square and not meeting.met:
        return None
    shape = out if square else meeting.shape
    message = (
        f"predictions {predictions.shape} meet targets {targets.shape} in an array of shape "
        f"{tuple(shape)}: every example is compared with the targets of all others, so the minimum "
        "is at their mean"
    )
    evidence = {
        "predictions": list(predictions.shape),
        "targets": list(targets.shape),
        "result": list(shape),
        "returned": list(out),
    }
    suggestion = "give both the same shape before they meet: reshape, or drop the [:, None]"
    where = meeting.found or meeting.square or survey.definition
    return Finding("B501", "error", message, where, evidence, suggestion)


class _Meeting:
    """Follows which values come from predictions or targets, and along which axes they repeat."""

    def __init__(self, own: str | None):
        self.own = own
        self.met = False
        self.found: Where | None = None
        self.square: Where | None = None
        self.shape: tuple[int, ...] = ()

    def run(self, closed: jex.ClosedJaxpr, arguments: list, around: tuple) -> list:
        known: dict[Any, Any] = dict.fromkeys(closed.jaxpr.constvars, ("", frozenset()))
        known.update(zip(closed.jaxpr.invars, arguments, strict=True))

        def get(v: Any) -> Any:
            return ("", frozenset()) if isinstance(v, jex.Literal) else known[v]

        for eqn in closed.jaxpr.eqns:
            args = [get(v) for v in eqn.invars]
            if not eqn.outvars:
                continue
            called = called_program(eqn)
            if called is not None:
                outputs = self.run(called, args[-len(called.jaxpr.invars) :], (*around, eqn))
            else:
                outputs = self.step(eqn, args, around)
            known.update(zip(eqn.outvars, outputs, strict=True))
        return [get(v) for v in closed.jaxpr.outvars]

    def step(self, eqn: Any, args: list, around: tuple) -> list:
        """Sources and repeated axes of the outputs; `repeated` counts from the last axis."""
        sources = "".join(sorted({letter for source, _ in args for letter in source}))
        shape = getattr(eqn.outvars[0].aval, "shape", ())
        if self.square is None and shape.count(ROWS) > 1:
            self.square = locate(eqn, around, self.own)
        repeated = args[0][1] if len(args) == 1 else frozenset()
        if eqn.primitive.name == "broadcast_in_dim":
            repeated = _stretched(eqn)
        elif eqn.primitive.name in _COMBINE and shape.count(ROWS) > 1:
            ways = [
                r | _thin(v.aval.shape, shape) for v, (_, r) in zip(eqn.invars, args, strict=True)
            ]
            alone = [source for source, _ in args]
            across = ways[0] and ways[1] and not ways[0] & ways[1]
            if sorted(alone) == ["p", "t"] and across and not self.met:
                self.met = True
                self.found = locate(eqn, around, self.own)
                self.shape = shape
            repeated = ways[0] & ways[1] if len(ways) == 2 else frozenset()
        return [(sources, repeated)] * len(eqn.outvars)


def _stretched(eqn: Any) -> frozenset:
    """Axes of length ROWS along which the result repeats its operand."""
    kept = eqn.params["broadcast_dimensions"]
    before, after = eqn.invars[0].aval.shape, eqn.params["shape"]
    whole = {axis for axis, size in zip(kept, before, strict=True) if size == after[axis]}
    return frozenset(i for i, size in enumerate(after) if size == ROWS and i not in whole)


def _thin(shape: tuple, whole: tuple) -> frozenset:
    """Axes along which an operand is widened by the operation itself."""
    lead = len(whole) - len(shape)
    padded = (1,) * lead + tuple(shape)
    return frozenset(i for i, size in enumerate(whole) if size == ROWS and padded[i] == 1)


def depends_on_batch(survey: Survey) -> Finding | None:
    """B502."""
    predictions, targets = _few(survey)
    order = np.array([3, 0, 4, 1, 2])
    function = survey.subject.batched

    def three(p: Any, t: Any) -> tuple:
        twice = [jnp.concatenate([a, a]) for a in (p, t)]
        return function(p, t), function(p[order], t[order]), function(*twice)

    try:
        one, other, two = (np.asarray(v, np.float64) for v in jit_once(three)(predictions, targets))
    except Exception:
        return None
    moved = one[order] if one.ndim and len(one) == ROWS else one
    level = _CLOSE * (np.abs(one).mean() + 1e-6)
    if not np.isfinite([one.mean(), other.mean(), two.mean()]).all():
        return None
    evidence = {
        "batch": quote(one.mean()),
        "permuted": quote(other.mean()),
        "doubled": quote(two.mean()),
    }
    if moved.shape == other.shape and np.abs(moved - other).max() > level:
        message = (
            f"the result depends on the order of the batch: {one.mean():.5g}, and "
            f"{other.mean():.5g} after a permutation; shuffling changes what is trained"
        )
        suggestion = "treat every example alike: no weights by position, no neighbors in the batch"
        ordered = (
            "slice",
            "gather",
            "rev",
            "cumsum",
            "dynamic_slice",
            "concatenate",
            "iota",
            "sort",
        )
        where = survey.operation(ordered) or survey.definition
        return Finding("B502", "warning", message, where, evidence, suggestion)
    if abs(two.mean() - one.mean()) <= level:
        return None
    ratio = two.mean() / one.mean() if one.mean() else np.inf
    kind = "a sum over the batch" if abs(ratio - 2) < 0.01 else "no mean over the batch"
    message = (
        f"the result changes when the batch is doubled ({one.mean():.5g} to {two.mean():.5g}): it "
        f"is {kind}, so the learning rate must change with the batch size"
    )
    where = survey.operation(("reduce_sum",), last=True) or survey.definition
    suggestion = "take the mean over the batch, or return one value an example"
    return Finding("B502", "note", message, where, evidence, suggestion)


def _elementwise(survey: Survey) -> list[Finding]:
    """B502 for an activation that mixes the elements of a batch."""
    x = jnp.asarray(np.random.default_rng(3).normal(size=ROWS).astype(np.float32))
    function = survey.subject.function
    try:
        whole, alone = jit_once(
            lambda v: (function(v), jnp.concatenate([function(v[i : i + 1]) for i in range(ROWS)]))
        )(x)
        whole, alone = np.asarray(whole, np.float64), np.asarray(alone, np.float64)
    except Exception:
        return []
    if np.allclose(whole, alone, rtol=1e-4, atol=1e-5, equal_nan=True):
        return []
    message = (
        "the result for one element depends on the others of the batch: it is not elementwise, and "
        "behaves differently for another batch size"
    )
    evidence = {"together": quote(whole), "alone": quote(alone)}
    suggestion = "audit it as `--kind function`, or normalize over features instead of the batch"
    return [Finding("B502", "warning", message, survey.definition, evidence, suggestion)]
