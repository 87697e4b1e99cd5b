"""Rewrites of a loss: the same program with a few operations replaced, as a suggestion says.

A rewritten loss is audited like the original, so that the effect of a suggestion is measured.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from landscape.audit.measure.survey import Survey
from landscape.audit.static.interpreter import Interpreter

Array = Any
Rule = Callable[["_Rewritten", Any, list[Array], int], Array | None]
_PADDING = 1e-2  # a constant added to keep a logarithm finite is at most this
_COMPARISONS = ("gt", "ge", "lt", "le")
_ROUNDING = ("floor", "ceil", "round")


class Rewrite(NamedTuple):
    """A rewritten loss of predictions and targets, and what was changed, for a message."""

    change: str
    loss: Callable[[Array, Array], Array]


def rewrites(survey: Survey, codes: set[str]) -> list[Rewrite]:
    """Returns the rewrites that fit the operations of the program and the codes of its findings."""
    names = survey.operations()
    hard = {s.operation for s in survey.probe.sites} & {*_COMPARISONS, *_ROUNDING, "sign"}
    fitting: list[tuple[str, dict[str, Rule]]] = []
    if {"logistic", "log"} <= names and codes & {"G202", "G205", "N301", "N302", "N303"}:
        fitting.append(("computed from logits by log_sigmoid, without clipping", _LOGITS))
    if hard and codes & {"D101", "G201"}:
        numbers = frozenset(s.number for s in survey.probe.sites if s.operation in hard)
        fitting.append(("with the hard decision made soft by a sigmoid", _soft(numbers)))
    if "sqrt" in names and codes & {"N302"}:
        fitting.append(("with a double where around the square root", {"sqrt": _guarded_root}))
    if "reduce_max" in names and "G204" in codes:
        fitting.append(("with logsumexp in place of the maximum", {"reduce_max": _soft_maximum}))
    loss = survey.subject.batched
    return [Rewrite(change, _rewritten(loss, rules)) for change, rules in fitting]


def _rewritten(loss: Callable, rules: dict[str, Rule]) -> Callable:
    def changed(predictions: Array, targets: Array) -> Array:
        closed = jax.make_jaxpr(loss)(predictions, targets)
        return _Rewritten(rules).run(closed, [predictions, targets], 0)[0][0]

    return changed


class _Rewritten(Interpreter):
    """Runs a program with its rules in place of operations.

    `sigmoids` holds, by the id of a value, the value itself with the logit and the sign of which it
    is the sigmoid; `constants` the values that are known to repeat one number.
    """

    def __init__(self, rules: dict[str, Rule]):
        super().__init__(None, False, {})
        self.rules = rules
        self.sigmoids: dict[int, tuple[Array, Array, float]] = {}
        self.constants: dict[int, tuple[Array, float]] = {}

    def step(self, eqn: Any, inputs: list[Array], start: int) -> tuple[list[Array], list[Array]]:
        rule = self.rules.get(eqn.primitive.name)
        replacement = None if rule is None else rule(self, eqn, inputs, start - 1)
        if replacement is not None:
            return [replacement], []
        outputs, seen = super().step(eqn, inputs, start)
        if eqn.primitive.name in ("convert_element_type", "broadcast_in_dim", "copy"):
            value = self.constant(inputs[0])
            if value is not None:
                self.constants[id(outputs[0])] = (outputs[0], value)
        return outputs, seen

    def constant(self, value: Array) -> float | None:
        """Returns the number that a value repeats, None if it is not known to."""
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


def _logistic(run: _Rewritten, eqn: Any, inputs: list[Array], number: int) -> Array:
    return run.remember_sigmoid(jax.nn.sigmoid(inputs[0]), inputs[0], 1.0)


def _unchanged(most: float) -> Rule:
    """Returns a rule that skips clipping or padding a sigmoid by a constant of at most `most`."""

    def rule(run: _Rewritten, eqn: Any, inputs: list[Array], number: int) -> Array | None:
        for value, other in (inputs, inputs[::-1]):
            limit = run.constant(other)
            if run.logit(value) and limit is not None and 0 <= limit <= most:
                return value
        return None

    return rule


def _complement(run: _Rewritten, eqn: Any, inputs: list[Array], number: int) -> Array | None:
    logit, whole = run.logit(inputs[1]), run.constant(inputs[0])
    if logit is None or whole is None or not 1 <= whole <= 1 + _PADDING:
        return None
    return run.remember_sigmoid(inputs[0] - inputs[1], logit[0], -logit[1])


def _log(run: _Rewritten, eqn: Any, inputs: list[Array], number: int) -> Array | None:
    logit = run.logit(inputs[0])
    return None if logit is None else jax.nn.log_sigmoid(logit[1] * logit[0])


_LOGITS: dict[str, Rule] = {
    "logistic": _logistic,
    "max": _unchanged(1.0),
    "min": _unchanged(1.0),
    "add": _unchanged(_PADDING),
    "clamp": lambda run, eqn, inputs, number: inputs[1] if run.logit(inputs[1]) else None,
    "sub": _complement,
    "log": _log,
}


def _guarded_root(run: _Rewritten, eqn: Any, inputs: list[Array], number: int) -> Array:
    positive = inputs[0] > 0
    return jnp.where(positive, jnp.sqrt(jnp.where(positive, inputs[0], 1)), 0)


def _soft_maximum(run: _Rewritten, eqn: Any, inputs: list[Array], number: int) -> Array:
    return jax.nn.logsumexp(inputs[0], axis=eqn.params["axes"])


def _soft(numbers: frozenset[int]) -> dict[str, Rule]:
    """Returns rules that turn the decisions at these equations into shares between 0 and 1.

    Logic on decisions becomes arithmetic on shares.
    """

    def chosen(rule: Callable[[list[Array]], Array]) -> Rule:
        return lambda run, eqn, inputs, number: rule(inputs) if number in numbers else None

    def logic(rule: Callable[..., Array]) -> Rule:
        return lambda run, eqn, inputs, number: _if_shares(rule, eqn, inputs)

    return {
        **dict.fromkeys(("gt", "ge"), chosen(lambda xs: jax.nn.sigmoid(xs[0] - xs[1]))),
        **dict.fromkeys(("lt", "le"), chosen(lambda xs: jax.nn.sigmoid(xs[1] - xs[0]))),
        **dict.fromkeys(_ROUNDING, chosen(lambda xs: xs[0])),
        "sign": chosen(lambda xs: jnp.tanh(xs[0])),
        "not": logic(lambda a: 1 - a),
        "and": logic(lambda a, b: a * b),
        "or": logic(lambda a, b: a + b - a * b),
        "ne": logic(lambda a, b: jnp.abs(a - b)),
        "eq": logic(lambda a, b: 1 - jnp.abs(a - b)),
        "select_n": _mixed,
        "convert_element_type": _share_as_number,
    }


def _is_share(value: Array) -> bool:
    return jnp.issubdtype(jnp.result_type(value), jnp.floating)


def _if_shares(rule: Callable[..., Array], eqn: Any, inputs: list[Array]) -> Array | None:
    """Applies a rule if shares have taken the place of truth values."""
    if str(eqn.invars[0].aval.dtype) != "bool" or not any(map(_is_share, inputs)):
        return None
    dtype = next(jnp.result_type(v) for v in inputs if _is_share(v))
    return rule(*(jnp.asarray(v).astype(dtype) for v in inputs))


def _mixed(run: _Rewritten, eqn: Any, inputs: list[Array], number: int) -> Array | None:
    which, *cases = inputs
    if not _is_share(which) or len(cases) != 2:
        return None
    return (1 - which) * cases[0] + which * cases[1]


def _share_as_number(run: _Rewritten, eqn: Any, inputs: list[Array], number: int) -> Array | None:
    """Returns a share where the program converts a truth value to a number."""
    counted = str(eqn.invars[0].aval.dtype) == "bool"
    return inputs[0] if counted and _is_share(inputs[0]) else None
