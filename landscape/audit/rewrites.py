"""Changes that are suggested, made: the same program with a few operations replaced.

A suggestion that can be made by a rule is audited like the original, so that its effect is shown
and not promised.
"""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from landscape.audit.measure.survey import Survey
from landscape.audit.static.equations import equations
from landscape.audit.static.interpreter import Interpreter

Array = Any
Rule = Callable[["_Rewritten", Any, list[Array], int], Array | None]
_PADDING = 1e-2  # what is added to keep a logarithm finite is less
_COMPARISONS = ("gt", "ge", "lt", "le")
_ROUNDING = ("floor", "ceil", "round")


def rewrites(survey: Survey, codes: set[str]) -> list[tuple[str, Callable]]:
    """Those that fit the program and what was found of it: each named, with the new loss."""
    names = {eqn.primitive.name for _, eqn, _ in equations(survey.subject.value)}
    hard = {s.operation for s in survey.probe.sites} & {*_COMPARISONS, *_ROUNDING, "sign"}
    found: list[tuple[str, dict[str, Rule]]] = []
    if {"logistic", "log"} <= names and codes & {"G202", "G205", "N301", "N302", "N303"}:
        found.append(("computed from logits by log_sigmoid, without clipping", _LOGITS))
    if hard and codes & {"D101", "G201"}:
        numbers = frozenset(s.number for s in survey.probe.sites if s.operation in hard)
        found.append(("with the hard decision made soft by a sigmoid", _soft(numbers)))
    if "sqrt" in names and codes & {"N302"}:
        found.append(("with a double where around the square root", {"sqrt": _guarded_root}))
    if "reduce_max" in names and "G204" in codes:
        found.append(("with logsumexp in place of the maximum", {"reduce_max": _soft_maximum}))
    return [(what, _rewritten(survey.subject.batched, rules)) for what, rules in found]


def _rewritten(loss: Callable, rules: dict[str, Rule]) -> Callable:
    def changed(predictions: Array, targets: Array) -> Array:
        closed = jax.make_jaxpr(loss)(predictions, targets)
        return _Rewritten(rules).run(closed, [predictions, targets], 0)[0][0]

    return changed


class _Rewritten(Interpreter):
    """Runs a program by its rules; `links` remembers which values are sigmoids of what."""

    def __init__(self, rules: dict[str, Rule]):
        super().__init__(None, False, {})
        self.rules = rules
        self.links: dict[int, tuple[Array, Array, float]] = {}
        self.constants: dict[int, tuple[Array, float]] = {}

    def step(self, eqn: Any, inputs: list[Array], start: int) -> tuple[list[Array], list[Array]]:
        rule = self.rules.get(eqn.primitive.name)
        found = None if rule is None else rule(self, eqn, inputs, start - 1)
        if found is not None:
            return [found], []
        outputs, seen = super().step(eqn, inputs, start)
        if eqn.primitive.name in ("convert_element_type", "broadcast_in_dim", "copy"):
            value = self.constant(inputs[0])
            if value is not None:
                self.constants[id(outputs[0])] = (outputs[0], value)
        return outputs, seen

    def constant(self, value: Array) -> float | None:
        """The number that a value is known to be, None where it is not known."""
        if isinstance(value, np.ndarray | np.generic | float | int):
            return float(np.ravel(value)[0]) if np.size(value) == 1 else None
        found = self.constants.get(id(value))
        return None if found is None else found[1]

    def link(self, value: Array, logit: Array, sign: float) -> Array:
        """Remembers that a value is sigmoid(sign * logit)."""
        self.links[id(value)] = (value, logit, sign)
        return value

    def linked(self, value: Array) -> tuple[Array, float] | None:
        found = self.links.get(id(value))
        return None if found is None else found[1:]


def _logistic(run: _Rewritten, eqn: Any, inputs: list[Array], number: int) -> Array:
    return run.link(jax.nn.sigmoid(inputs[0]), inputs[0], 1.0)


def _kept(most: float) -> Rule:
    """A sigmoid as it was, instead of its copy clipped at, or padded by, at most so much."""

    def rule(run: _Rewritten, eqn: Any, inputs: list[Array], number: int) -> Array | None:
        for value, other in (inputs, inputs[::-1]):
            limit = run.constant(other)
            if run.linked(value) and limit is not None and 0 <= limit <= most:
                return value
        return None

    return rule


def _complement(run: _Rewritten, eqn: Any, inputs: list[Array], number: int) -> Array | None:
    found, whole = run.linked(inputs[1]), run.constant(inputs[0])
    if found is None or whole is None or not 1 <= whole <= 1 + _PADDING:
        return None
    return run.link(inputs[0] - inputs[1], found[0], -found[1])


def _log(run: _Rewritten, eqn: Any, inputs: list[Array], number: int) -> Array | None:
    found = run.linked(inputs[0])
    return None if found is None else jax.nn.log_sigmoid(found[1] * found[0])


_LOGITS: dict[str, Rule] = {
    "logistic": _logistic,
    "max": _kept(1.0),
    "min": _kept(1.0),
    "add": _kept(_PADDING),
    "clamp": lambda run, eqn, inputs, number: inputs[1] if run.linked(inputs[1]) else None,
    "sub": _complement,
    "log": _log,
}


def _guarded_root(run: _Rewritten, eqn: Any, inputs: list[Array], number: int) -> Array:
    positive = inputs[0] > 0
    return jnp.where(positive, jnp.sqrt(jnp.where(positive, inputs[0], 1)), 0)


def _soft_maximum(run: _Rewritten, eqn: Any, inputs: list[Array], number: int) -> Array:
    return jax.nn.logsumexp(inputs[0], axis=eqn.params["axes"])


def _soft(numbers: frozenset[int]) -> dict[str, Rule]:
    """Decisions of these numbers as shares between 0 and 1, and logic on such shares."""

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
        "convert_element_type": _kept_share,
    }


def _is_share(value: Array) -> bool:
    return jnp.issubdtype(jnp.result_type(value), jnp.floating)


def _if_shares(rule: Callable[..., Array], eqn: Any, inputs: list[Array]) -> Array | None:
    """The rule where shares stand in the place of truth values."""
    if str(eqn.invars[0].aval.dtype) != "bool" or not any(map(_is_share, inputs)):
        return None
    dtype = next(jnp.result_type(v) for v in inputs if _is_share(v))
    return rule(*(jnp.asarray(v).astype(dtype) for v in inputs))


def _mixed(run: _Rewritten, eqn: Any, inputs: list[Array], number: int) -> Array | None:
    which, *cases = inputs
    if not _is_share(which) or len(cases) != 2:
        return None
    return (1 - which) * cases[0] + which * cases[1]


def _kept_share(run: _Rewritten, eqn: Any, inputs: list[Array], number: int) -> Array | None:
    """A share that the program takes for a truth value and counts as a number."""
    counted = str(eqn.invars[0].aval.dtype) == "bool"
    return inputs[0] if counted and _is_share(inputs[0]) else None
