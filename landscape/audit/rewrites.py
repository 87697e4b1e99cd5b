"""Rewrites of a loss: the same program with a few operations replaced, as suggested.

A rewritten loss is audited like the original, so that the effect of a suggestion is measured.
"""

from collections.abc import Callable, Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from landscape.audit.codes._batches import random_batch
from landscape.audit.measure.one_example import accepts_one_example
from landscape.audit.measure.survey import Survey
from landscape.audit.static.interpreter import Interpreter, Replacement

Array = Any
Loss = Callable[[Array, Array], Array]
Rule = Callable[["_Rewritten", Any, list[Array]], Array | None]
_PADDING = 1e-2  # a constant added to keep a logarithm finite is at most this


def rewrites(survey: Survey, codes: set[str]) -> dict[str, Loss]:
    """Returns the rewritten losses that fit the program and the codes of its findings.

    The keys describe the changes, for a message.
    """
    names, loss = survey.operations(), survey.subject.batched
    decisions = {
        site.number: _SOFT_DECISIONS[site.operation]
        for site in survey.probe.sites
        if site.operation in _SOFT_DECISIONS
    }
    losses: dict[str, Loss] = {}
    if {"logistic", "log"} <= names and codes & {"G202", "G205", "N301", "N302", "N303"}:
        change = "computed from logits by log_sigmoid, without clipping"
        losses[change] = _rewritten(loss, _LOGITS)
    if decisions and codes & {"D101", "G201"}:
        change = "with a sigmoid in place of the hard decision"
        losses[change] = _rewritten(loss, _SHARES, decisions)
    if "sqrt" in names and codes & {"N302"}:
        change = "with a double where around the square root"
        losses[change] = _rewritten(loss, {"sqrt": _guarded_root})
    mixes = survey.subject.rows > 1
    if mixes and "B502" in codes and accepts_one_example(loss, *random_batch(survey)):
        losses["wrapped in jax.vmap, as it also accepts a single example"] = jax.vmap(loss)
    if "reduce_max" in names and "G204" in codes:
        change = "with logsumexp in place of the maximum"
        losses[change] = _rewritten(loss, {"reduce_max": _soft_maximum})
    return losses


def _rewritten(
    loss: Loss, rules: dict[str, Rule], replacements: Mapping[int, Replacement] | None = None
) -> Loss:
    def changed(predictions: Array, targets: Array) -> Array:
        program = jax.make_jaxpr(loss)(predictions, targets)
        run = _Rewritten(rules, replacements or {})
        return run.run(program, [predictions, *jax.tree.leaves(targets)], 0)[0][0]

    return changed


class _Rewritten(Interpreter):
    """Runs a program with rules in place of operations, by name; a rule may return None.

    `sigmoids` holds, by the id of a value, the value itself with the logit and the sign of which it
    is the sigmoid; `constants` the values that are known to repeat one number.
    """

    def __init__(self, rules: dict[str, Rule], replacements: Mapping[int, Replacement]):
        super().__init__(None, False, replacements)
        self.rules = rules
        self.sigmoids: dict[int, tuple[Array, Array, float]] = {}
        self.constants: dict[int, tuple[Array, float]] = {}

    def step(self, eqn: Any, inputs: list[Array], number: int) -> tuple[list[Array], list[Array]]:
        rule = self.rules.get(eqn.primitive.name)
        replacement = None if rule is None else rule(self, eqn, inputs)
        if replacement is not None:
            return [replacement], []
        outputs, observed = super().step(eqn, inputs, number)
        if eqn.primitive.name in ("convert_element_type", "broadcast_in_dim", "copy"):
            value = self.constant(inputs[0])
            if value is not None:
                self.constants[id(outputs[0])] = (outputs[0], value)
        return outputs, observed

    def constant(self, value: Array) -> float | None:
        """Returns the number that a value repeats; None if it is not known to repeat one."""
        if isinstance(value, np.ndarray | np.generic | float | int):
            return float(np.ravel(value)[0]) if np.size(value) == 1 else None
        known = self.constants.get(id(value))
        return None if known is None else known[1]

    def remember_sigmoid(self, value: Array, logit: Array, sign: float) -> Array:
        """Remembers that a value is sigmoid(sign * logit), and returns it."""
        self.sigmoids[id(value)] = (value, logit, sign)
        return value

    def logit(self, value: Array) -> tuple[Array, float] | None:
        """Returns the logit and its sign of a value that is a sigmoid."""
        known = self.sigmoids.get(id(value))
        return None if known is None else known[1:]


def _logistic(run: _Rewritten, eqn: Any, inputs: list[Array]) -> Array:
    return run.remember_sigmoid(jax.nn.sigmoid(inputs[0]), inputs[0], 1.0)


def _unchanged(most: float) -> Rule:
    """Returns a rule that skips clipping or padding a sigmoid by a constant of at most `most`."""

    def rule(run: _Rewritten, eqn: Any, inputs: list[Array]) -> Array | None:
        for value, other in (inputs, inputs[::-1]):
            limit = run.constant(other)
            if run.logit(value) and limit is not None and 0 <= limit <= most:
                return value
        return None

    return rule


def _complement(run: _Rewritten, eqn: Any, inputs: list[Array]) -> Array | None:
    logit, whole = run.logit(inputs[1]), run.constant(inputs[0])
    if logit is None or whole is None or not 1 <= whole <= 1 + _PADDING:
        return None
    return run.remember_sigmoid(inputs[0] - inputs[1], logit[0], -logit[1])


def _log(run: _Rewritten, eqn: Any, inputs: list[Array]) -> Array | None:
    logit = run.logit(inputs[0])
    return None if logit is None else jax.nn.log_sigmoid(logit[1] * logit[0])


def _guarded_root(run: _Rewritten, eqn: Any, inputs: list[Array]) -> Array:
    positive = inputs[0] > 0
    return jnp.where(positive, jnp.sqrt(jnp.where(positive, inputs[0], 1)), 0)


def _soft_maximum(run: _Rewritten, eqn: Any, inputs: list[Array]) -> Array:
    return jax.nn.logsumexp(inputs[0], axis=eqn.params["axes"])


def _on_shares(rule: Callable[..., Array]) -> Rule:
    """Returns a rule for logic on decisions that have become shares between 0 and 1."""

    def on_shares(run: _Rewritten, eqn: Any, inputs: list[Array]) -> Array | None:
        if str(eqn.invars[0].aval.dtype) != "bool" or not any(map(_is_share, inputs)):
            return None
        dtype = next(jnp.result_type(v) for v in inputs if _is_share(v))
        return rule(*(jnp.asarray(v).astype(dtype) for v in inputs))

    return on_shares


def _is_share(value: Array) -> bool:
    return jnp.issubdtype(jnp.result_type(value), jnp.floating)


def _mixture(run: _Rewritten, eqn: Any, inputs: list[Array]) -> Array | None:
    share, *cases = inputs
    if not _is_share(share) or len(cases) != 2:
        return None
    return (1 - share) * cases[0] + share * cases[1]


_LOGITS: dict[str, Rule] = {
    "logistic": _logistic,
    "max": _unchanged(1.0),
    "min": _unchanged(1.0),
    "add": _unchanged(_PADDING),
    "clamp": lambda run, eqn, inputs: inputs[1] if run.logit(inputs[1]) else None,
    "sub": _complement,
    "log": _log,
}
_SOFT_DECISIONS: dict[str, Replacement] = {
    **dict.fromkeys(("gt", "ge"), lambda inputs: [jax.nn.sigmoid(inputs[0] - inputs[1])]),
    **dict.fromkeys(("lt", "le"), lambda inputs: [jax.nn.sigmoid(inputs[1] - inputs[0])]),
    **dict.fromkeys(("floor", "ceil", "round"), lambda inputs: [inputs[0]]),
    "sign": lambda inputs: [jnp.tanh(inputs[0])],
}
_SHARES: dict[str, Rule] = {
    "not": _on_shares(lambda a: 1 - a),
    "and": _on_shares(lambda a, b: a * b),
    "or": _on_shares(lambda a, b: a + b - a * b),
    "ne": _on_shares(lambda a, b: jnp.abs(a - b)),
    "eq": _on_shares(lambda a, b: 1 - jnp.abs(a - b)),
    "select_n": _mixture,
    "convert_element_type": _on_shares(lambda a: a),
}
