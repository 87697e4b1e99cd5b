"""Checks the claims of the rules about random compositions against values in NumPy."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from jax import lax
from truth import POSITIVE, REAL, UNIT, bends_as_claimed, read

# Random compositions. In NumPy the points are rows along the first axis.
UNARY = {
    "neg": (lambda v: -v, lambda v: -v),
    "exp": (jnp.exp, np.exp),
    "expm1": (jnp.expm1, np.expm1),
    "square": (jnp.square, np.square),
    "abs": (jnp.abs, np.abs),
    "relu": (jax.nn.relu, lambda v: np.maximum(v, 0)),
    "sigmoid": (jax.nn.sigmoid, lambda v: 1 / (1 + np.exp(-v))),
    "softplus": (jax.nn.softplus, lambda v: np.logaddexp(0, v)),
    "tanh": (jnp.tanh, np.tanh),
    "log": (jnp.log, np.log),
    "log1p": (jnp.log1p, np.log1p),
    "sqrt": (jnp.sqrt, np.sqrt),
    "rsqrt": (lax.rsqrt, lambda v: 1 / np.sqrt(v)),
    "inverse": (lambda v: 1 / v, lambda v: 1 / v),
    "one minus": (lambda v: 1 - v, lambda v: 1 - v),
    "plus 2": (lambda v: v + 2, lambda v: v + 2),
    "times -3": (lambda v: -3 * v, lambda v: -3 * v),
    "cube": (lambda v: v**3, lambda v: v**3),
    "clip": (lambda v: jnp.clip(v, -1, 1), lambda v: np.clip(v, -1, 1)),
    "mean": (
        lambda v: jnp.broadcast_to(jnp.mean(v), v.shape),
        lambda v: np.broadcast_to(v.mean(-1, keepdims=True), v.shape),
    ),
    "max": (
        lambda v: jnp.broadcast_to(jnp.max(v), v.shape),
        lambda v: np.broadcast_to(v.max(-1, keepdims=True), v.shape),
    ),
    "logsumexp": (
        lambda v: jnp.broadcast_to(jax.nn.logsumexp(v), v.shape),
        lambda v: np.broadcast_to(np.logaddexp.reduce(v, -1, keepdims=True), v.shape),
    ),
    "softmax": (
        jax.nn.softmax,
        lambda v: np.exp(v - np.logaddexp.reduce(v, -1, keepdims=True)),
    ),
    "with -1": (
        lambda v: jnp.where(jnp.arange(3) < 2, v, -1.0),
        lambda v: np.where(np.arange(3) < 2, v, -1.0),
    ),
    "cumsum": (jnp.cumsum, lambda v: np.cumsum(v, -1)),
}
BINARY = {
    "add": (jnp.add, np.add),
    "sub": (jnp.subtract, np.subtract),
    "mul": (jnp.multiply, np.multiply),
    "div": (jnp.divide, np.divide),
    "maximum": (jnp.maximum, np.maximum),
    "minimum": (jnp.minimum, np.minimum),
    "logaddexp": (jnp.logaddexp, np.logaddexp),
    "chosen": (lambda v, w: jnp.where(v > 0, v, w), lambda v, w: np.where(v > 0, v, w)),
}
leaves = st.sampled_from(["x", "x", "t", 0.5, -2.0])
trees = st.recursive(
    leaves,
    lambda inner: (
        st.tuples(st.sampled_from(sorted(UNARY)), inner)
        | st.tuples(st.sampled_from(sorted(BINARY)), inner, inner)
    ),
    max_leaves=4,
)


def grown(tree, which, x, t):
    """Returns the value of a tree; `which` is 0 for JAX, 1 for NumPy."""
    if not isinstance(tree, tuple):
        return {"x": x, "t": t}.get(tree, tree + 0 * x if isinstance(tree, float) else None)
    name, *inner = tree
    return {**UNARY, **BINARY}[name][which](*(grown(i, which, x, t) for i in inner))


domains = st.sampled_from([REAL, UNIT, POSITIVE, (-1.0, 0.5)])


few = settings(
    max_examples=120, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck)
)


@few
@given(tree=trees, bounds=domains, target=domains)
def test_no_claim_about_a_random_composition_is_false(tree, bounds, target):
    (found,) = read(functools.partial(grown, tree, 0), bounds, target, size=3).outputs
    low, high = np.clip(bounds, -3, 3)
    rng = np.random.default_rng(5)
    t = rng.uniform(*np.clip(target, -3, 3), 3)
    a, b = rng.uniform(low, high, (2, 200, 3))
    truth = functools.partial(true_value, tree, t)
    for points in (a, b):
        known = truth(points)[np.isfinite(truth(points))]
        room = 1e-9 * (1 + np.abs(known))
        assert np.all((found.range[0] - room <= known) & (known <= found.range[1] + room))
    assert bends_as_claimed(found.convexity, truth(a), truth(b), truth((a + b) / 2))
    assert found.varies or np.allclose(truth(a), truth(b), equal_nan=True)
    assert not found.smooth or is_smooth(truth, a[:20], b[:20])


@few
@given(tree=trees, bounds=domains, target=domains)
def test_true_slopes_lie_in_the_range_of_the_gradient(tree, bounds, target):
    def total(x, t):
        return jnp.sum(grown(tree, 0, x, t))

    low, high = read(jax.grad(total), bounds, target, size=3).outputs[0].range
    rng = np.random.default_rng(6)
    t = rng.uniform(*np.clip(target, -3, 3), 3)
    x = rng.uniform(*np.clip(bounds, -3, 3), (100, 3))
    steps = 1e-6 * np.eye(3)
    with np.errstate(all="ignore"):
        ends = [true_value(tree, t, x[:, None] + sign * steps).sum(-1) for sign in (-1, 1)]
        slopes = (ends[1] - ends[0]) / 2e-6
        room = 1e-4 * (1 + np.abs(slopes)) + 1e-7 * np.abs(ends[1])
    known = np.isfinite(slopes)
    assert np.all((low - room)[known] <= slopes[known])
    assert np.all(slopes[known] <= (high + room)[known])


def true_value(tree, t, x):
    with np.errstate(all="ignore"):
        return np.asarray(grown(tree, 1, x, np.broadcast_to(t, x.shape)), float)


def is_smooth(truth, a, b):
    """Whether no slope jumps between the points: second differences shrink."""
    worst = []
    for count in (401, 4001):
        ways = np.linspace(0, 1, count)[:, None, None]
        along = truth((a + ways * (b - a)).reshape(-1, 3)).reshape(count, -1)
        along = along[:, np.isfinite(along).any(0)]  # an element can be undefined for a target
        if not np.isfinite(along).all():
            return bool(np.nanmax(np.abs(along)) > 1e100)  # it only left the range of floats
        slope = np.abs(np.diff(along, axis=0)).max(0) + 1e-9
        worst.append(np.abs(np.diff(along, 2, axis=0)).max(0) / slope)
    return bool(np.all((worst[1] < 0.6 * worst[0]) | (worst[1] < 0.05)))
