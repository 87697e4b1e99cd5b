"""Rounding is not the function: cancellation in float64 is neither a fall, a dent nor a slope."""

import math
from decimal import Decimal, localcontext

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax

from landscape.audit import audit
from landscape.audit.static.decimals import evaluate_exactly
from landscape.parts.losses import multiclass, regression


@pytest.fixture(autouse=True)
def _promotion():
    with jax.numpy_rank_promotion("allow"), jax.numpy_dtype_promotion("standard"):
        yield


def cloglog(predictions, targets):
    p = 1 - jnp.exp(-jnp.exp(predictions))
    return -(targets * jnp.log(p) + (1 - targets) * jnp.log(1 - p))


def survival(predictions, targets):
    p = jnp.exp(-jnp.exp(-1.0 / jax.nn.softplus(predictions)))
    return -(targets * jnp.log(p) + (1 - targets) * jnp.log(1 - p))


def softmax_by_hand(predictions, targets):
    top = predictions[jnp.argmax(targets)]
    return jnp.log(jnp.sum(jnp.exp(predictions))) - top


def logsumexp_by_hand(predictions, targets):
    return jnp.log(jnp.sum(jnp.exp(predictions), -1)) - jnp.sum(predictions * targets, -1)


def softplus_by_hand(predictions, targets):
    return jnp.log(1 + jnp.exp(predictions)) - targets * predictions


def difference_of_roots(predictions, targets):
    error = jnp.square(predictions - targets)
    return 1e3 * (jnp.sqrt(1e6 + error) - 1e3)


def complement(predictions, targets):
    p = 1 - 1 / (1 + jnp.exp(predictions))
    return -(targets * jnp.log(p) + (1 - targets) * jnp.log(1 - p))


ROUNDED = [
    (cloglog, "binary"),
    (survival, "binary"),
    (softmax_by_hand, "regression"),
    (logsumexp_by_hand, "multiclass"),
    (softplus_by_hand, "binary"),
    (difference_of_roots, "regression"),
    (complement, "binary"),
]


@pytest.mark.parametrize(("loss", "task"), ROUNDED)
def test_rounding_is_neither_a_fall_nor_a_wrong_slope_nor_a_dent(loss, task):
    result = audit(loss, task=task)
    assert not result.codes() & {"G207", "S402"}, result.findings
    convex = loss is not survival  # whose loss of label 1 tends to 1: it is not convex
    assert result.properties["convex"].value is convex
    assert ("S401" in result.codes()) is not convex
    assert result.properties["range"].value[0] == pytest.approx(0, abs=1e-6)


def falls_with_a_logarithm(predictions, targets):
    return jnp.log(jnp.sum(jnp.exp(predictions), -1)) - 2 * jnp.sum(predictions * targets, -1)


def dented(predictions, targets):
    error = predictions - targets
    return jnp.square(error) + 1e-3 * jnp.cos(100 * error)


def half_stopped(predictions, targets):
    p = 1 - jnp.exp(-jnp.exp(predictions))
    return -(targets * jnp.log(p) + (1 - targets) * lax.stop_gradient(jnp.log(1 - p)))


@pytest.mark.parametrize(
    ("loss", "task", "code"),
    [
        (falls_with_a_logarithm, "multiclass", "S402"),
        (dented, "regression", "S401"),
        (half_stopped, "binary", "G207"),
    ],
)
def test_what_is_no_rounding_is_still_found(loss, task, code):
    assert code in audit(loss, task=task).codes()


def exactly(function, point, target=0.0):
    point, target = np.asarray(point, float), np.asarray(target, float)
    program = jax.make_jaxpr(function)(point.astype(np.float32), target.astype(np.float32))
    return evaluate_exactly(program, point, target)


def test_digits_are_added_until_a_difference_is_not_zero():
    (value,) = exactly(lambda x, t: -jnp.log(1 - jnp.exp(-jnp.exp(-x))), 1000.0)
    assert float(value.item()) == pytest.approx(1000.0, abs=1e-9)
    with localcontext() as context:
        context.prec = 60
        third = (1 - (-(Decimal(-37).exp())).exp()).ln()
    (value,) = exactly(lambda x, t: jnp.log(1 - jnp.exp(-jnp.exp(x))), -37.0)
    assert abs(value.item() - third) < Decimal("1e-12")


def test_exponents_do_not_overflow():
    (value,) = exactly(lambda x, t: jnp.log(jnp.sum(jnp.exp(x))), [-1e8, -1e8])
    assert float(value.item()) == pytest.approx(-1e8 + math.log(2), rel=1e-15)


def test_an_operation_without_a_rule_has_no_exact_value():
    assert exactly(lambda x, t: jnp.sin(x), 1.0) is None
    assert exactly(lambda x, t: lax.fori_loop(0, 3, lambda i, v: v * x, x), 1.0) is None


@pytest.mark.parametrize(("point", "value"), [(1.0, math.e), (-1.0, -1.0)])
def test_a_condition_takes_its_branch(point, value):
    (exact,) = exactly(lambda x, t: lax.cond(x > 0, jnp.exp, lambda v: v, x), point)
    assert float(exact.item()) == pytest.approx(value, rel=1e-15)


X = np.linspace(-2.0, 3.0, 12).reshape(3, 4)
LOSSES = [
    *[getattr(regression, name) for name in ("huber", "log_cosh", "barron", "cauchy")],
    *[getattr(multiclass, name) for name in ("focal", "poly", "multiclass_hinge")],
]
OPERATIONS = [
    lambda x, t: jnp.cumsum(x, axis=1) @ t.T,
    lambda x, t: jnp.einsum("ij,kj->ik", x, t) + jnp.tanh(x[:, :3]) - jnp.cosh(x[0, 0]),
    lambda x, t: jnp.where(x > t, x, t)[::-1, jnp.array([2, 0])],
    lambda x, t: jnp.take_along_axis(x, jnp.argmax(t, 1)[:, None], 1) * jnp.sign(x),
    lambda x, t: jnp.clip(x, -1, 1) ** 3 + jnp.expm1(x) * jnp.log1p(t) + jnp.abs(x) ** 1.5,
    lambda x, t: jnp.concatenate([x.T, t.T], 1)[1:3] / jnp.sqrt(1 + x.max() ** 2),
]


@pytest.mark.parametrize("function", [*LOSSES, *OPERATIONS])
def test_exact_values_agree_with_float64_where_nothing_cancels(function):
    targets = np.eye(4)[[2, 0, 1]]
    gradient = jax.grad(lambda x, t: jnp.sum(function(x, t)))
    program = jax.make_jaxpr(lambda x, t: (function(x, t), gradient(x, t)))(
        X.astype(np.float32), targets.astype(np.float32)
    )
    exact = evaluate_exactly(program, X, targets)
    with jax.enable_x64(True):
        expected = function(X, targets), gradient(X, targets)
    for value, reference in zip(exact, expected, strict=True):
        np.testing.assert_allclose(value.astype(float), reference, rtol=1e-6, atol=1e-7)
