"""Convexity of expressions with a known answer, by the rules or by a measurement."""

import math

import jax
import jax.numpy as jnp
import pytest

from landscape.audit.measure.build_subject import build
from landscape.audit.measure.midpoints import proved_convex, refuting_midpoint
from landscape.audit.measure.subject import SubjectOptions
from landscape.audit.measure.survey import Survey
from landscape.audit.static import reader
from landscape.audit.static.abstract import AbstractValue
from landscape.audit.static.intervals import AFFINE

NAMES = {
    "jnp": jnp, "nn": jax.nn, "sum": jnp.sum, "mean": jnp.mean, "exp": jnp.exp, "log": jnp.log,
    "sqrt": jnp.sqrt, "abs": jnp.abs, "max": jnp.max, "relu": jax.nn.relu, "pi": math.pi,
    "softplus": jax.nn.softplus, "sigmoid": jax.nn.sigmoid, "tanh": jnp.tanh, "cos": jnp.cos,
    "logsumexp": jax.nn.logsumexp, "where": jnp.where, "norm": jnp.linalg.norm,
}  # fmt: skip
# Of x with 12 components, or of x and y with 12 each.
CONVEX = """
sum(x**2)
sum(abs(x))
sum(x**4)
sum(exp(x))
sum(exp(-x) + x)
sum(softplus(x))
sum(softplus(x) - 0.3 * x)
sum(relu(x))
sum(relu(1 - x) ** 2)
sum(sqrt(1 + x**2))
sum(sqrt(x**2 + 1e-6))
max(x)
max(abs(x))
logsumexp(x)
logsumexp(x) - mean(x)
logsumexp(x) - x[0, 0]
sum(logsumexp(x, axis=-1))
norm(x)
sqrt(sum(x**2) + 1)
sum(x**2) ** 2
sum(abs(x)) ** 2
mean((x - mean(x)) ** 2)
sum((x[:, 1:] - x[:, :-1]) ** 2)
sum(abs(x[:, 1:] - x[:, :-1]))
sum(where(abs(x) < 1, 0.5 * x**2, abs(x) - 0.5))
sum(x * tanh(0) + x**2)
sum(abs(x) + jnp.log1p(exp(-2 * abs(x))))
sum(jnp.maximum(0.9 * x, -0.1 * x))
sum(relu(abs(x) - 0.5))
sum(x**2 - x * 3)
sum(x) ** 2
sum(x) ** 4
exp(sum(x) / 12)
exp(mean(x**2) / 100)
sum(exp(x / 5)) + sum(abs(x))
max(x) - jnp.min(x)
sum(jnp.sort(x.ravel())[-3:])
-sum(jnp.sort(x.ravel())[:4])
sum(jnp.cosh(x / 4))
sum(-nn.log_sigmoid(x))
-nn.log_softmax(x.ravel())[2]
sum(relu(x) ** 3)
sum(nn.elu(x))
sum(abs(x) ** 1.5)
relu(norm(x) - 1)
jnp.maximum(sum(x), sum(x**2))
sum((x - y) ** 2)
sum(abs(x - y)) + sum(abs(x + y))
sum(x**2 + x * y + y**2)
sum(softplus(x - y))
sum(exp(x + y) - x)
norm(x) + norm(y)
logsumexp(jnp.stack([x, y]))
sum(relu(jnp.maximum(x, y)) ** 2)
sum(x)
3 * sum(x) - 7
"""
NOT_CONVEX = """
-sum(x**2)
sum(cos(x))
sum(x**3)
sum(tanh(x))
sum(sigmoid(x))
sum(sigmoid(x) ** 2)
sum(log(1 + x**2))
sum(sqrt(abs(x) + 1e-3))
sum(x**2 / (1 + x**2))
sum(1 - exp(-(x**2)))
sum(jnp.minimum(x**2, 4.0))
sum(jnp.clip(x, -1, 1) ** 2)
sum(x**2 + 2 * cos(2 * x))
sum(abs(abs(x) - 1))
sum((x**2 - 1) ** 2)
sum((x**2 - 0.01) ** 2)
(norm(x) - 1) ** 2
(sqrt(sum(x**2) + 1e-6) - 1) ** 2
abs(norm(x) - 0.2)
relu(sum(x**2)) - 0.1 * sum(x[0] ** 2) * 12
sum(x**2) - 1.1 * x[0, 0] ** 2
sum(x[1:] ** 2) - 0.001 * x[0, 0] ** 2
sum(x**2) + 3 * x[0, 0] * x[0, 1]
sum(x[0] * x[1])
jnp.prod(x[0, :2])
sum(abs(x)) - 1.2 * abs(x[2, 3])
logsumexp(x) - 1.0 * max(x)
jnp.min(x)
jnp.median(x)
sum(jnp.sort(x.ravel())[:3])
sum(jnp.sort(x.ravel())[4:6])
max(x) * 0.5 + jnp.min(x)
-logsumexp(x)
sum(nn.softmax(x) * jnp.arange(12.0).reshape(3, 4))
-sum(nn.softmax(x) * nn.log_softmax(x))
(1 - nn.softmax(x.ravel())[0]) ** 2
jnp.std(x) + 0 * norm(x) - 0.5 * norm(x) / 12
jnp.var(x) - 0.2 * mean(x) ** 2
log(sum(x**2) + 1)
log(sum(exp(x / 3)) + 5) - 0.001 * sum(x**2)
sum(nn.gelu(x))
sum(nn.silu(x))
sum(nn.selu(x))
sum(nn.celu(x, 0.5) - 0.1 * x**2)
sum(x * tanh(x))
sum(0.5 * y + 0.5 * x**2 * exp(-y))
sum((x - tanh(y)) ** 2)
sum((x * y - 1) ** 2)
sum(x**2 + y**2 + 2.1 * x * y)
sum(x**2 / (1 + y**2))
sum(sqrt(x**2 + y**2 + 1)) - 1.5 * sum(abs(x)) / 2
sum(x * y)
norm(x) - norm(y)
sum(abs(x * y))
sum(jnp.minimum(x, y))
exp(-sum((x - y) ** 2))
"""


def survey_of(expression):
    arguments = "x, y" if "y" in expression.replace("jnp", "") else "x"
    function = eval(f"lambda {arguments}: {expression}", NAMES)
    with jax.numpy_rank_promotion("allow"), jax.numpy_dtype_promotion("standard"):
        subject = build(function, SubjectOptions(kind="function", name="f"))
    point = AbstractValue(range=(-math.inf, math.inf), varies=True, convexity=AFFINE)
    inputs = [point, AbstractValue()]
    return Survey(
        subject, reader.read(subject.value, inputs), reader.read(subject.gradient, inputs), 0
    )


def cases(text, convex):
    return [(line, convex) for line in text.strip().splitlines()]


EXPRESSIONS = [*cases(CONVEX, True), *cases(NOT_CONVEX, False)]
IDS = [
    f"{'convex' if convex else 'not convex'}: {expression}" for expression, convex in EXPRESSIONS
]


def test_there_are_over_a_hundred_expressions_of_both_kinds():
    assert len(EXPRESSIONS) > 100
    assert min(sum(convex for _, convex in EXPRESSIONS), len(EXPRESSIONS) // 2) >= 50


@pytest.mark.parametrize(("expression", "convex"), EXPRESSIONS, ids=IDS)
def test_convexity_is_decided_as_it_is(expression, convex):
    survey = survey_of(expression)
    if not convex:
        assert not proved_convex(survey)
    assert (proved_convex(survey) or refuting_midpoint(survey) is None) is convex
