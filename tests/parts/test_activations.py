"""Activations against scipy, closed forms and finite differences."""

import inspect
import re

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.special
import scipy.stats

from landscape.parts import activations

MENU = {
    name: function
    for name, function in vars(activations).items()
    if inspect.isfunction(function) and function.__module__ == activations.__name__
}
POINTS = np.array([-50.0, -4.1, -3.0, -1.2, -1.0, -0.3, 0.0, 0.4, 1.0, 1.9, 3.0, 3.7, 50.0])
# Away from -3, -1, 0, 1 and 3, where some of them have a kink.
SMOOTH_POINTS = np.array([-4.1, -1.2, -0.3, 0.4, 1.9, 3.7])
ALPHA, SCALE = 1.6732632423543772848170429916717, 1.0507009873554804934193349852946
FORMULAS = {
    "relu": lambda x: np.where(x > 0, x, 0),
    "leaky_relu": lambda x: np.where(x > 0, x, x / 100),
    "elu": lambda x: np.where(x > 0, x, np.expm1(np.minimum(x, 0))),
    "selu": lambda x: SCALE * np.where(x > 0, x, ALPHA * np.expm1(np.minimum(x, 0))),
    "gelu": lambda x: x * scipy.stats.norm.cdf(x),
    "silu": lambda x: x * scipy.special.expit(x),
    "softplus": lambda x: np.logaddexp(0, x),
    "tanh": lambda x: 1 - 2 / (np.exp(2 * x) + 1),
    "sigmoid": scipy.special.expit,
    "hard_tanh": lambda x: np.clip(x, -1, 1),
    "hard_sigmoid": lambda x: np.clip((x + 3) / 6, 0, 1),
    "step": lambda x: np.heaviside(x, 0),
    "identity": lambda x: x,
}
every_activation = pytest.mark.parametrize("name", MENU)


def slopes(name, points):
    return np.asarray(jax.grad(lambda x: jnp.sum(MENU[name](x)))(jnp.asarray(points)))


def test_the_menu_is_complete():
    assert set(MENU) == set(FORMULAS)


@every_activation
def test_value_matches_its_formula(name):
    with jax.enable_x64(True):
        found = MENU[name](jnp.asarray(POINTS))
    np.testing.assert_allclose(found, FORMULAS[name](POINTS), rtol=1e-12, atol=1e-15)


@every_activation
def test_gradient_matches_central_differences(name):
    with jax.enable_x64(True):
        exact = slopes(name, SMOOTH_POINTS)
    width = 1e-5
    formula = FORMULAS[name]
    numeric = (formula(SMOOTH_POINTS + width) - formula(SMOOTH_POINTS - width)) / (2 * width)
    np.testing.assert_allclose(exact, numeric, rtol=1e-8, atol=1e-9)


@every_activation
@pytest.mark.parametrize("shape", [(), (3,), (2, 3, 4)])
def test_elementwise_in_shape_and_dtype(name, shape):
    narrow = jax.ShapeDtypeStruct(shape, jnp.float32)
    assert jax.eval_shape(MENU[name], narrow) == narrow
    with jax.enable_x64(True):
        for dtype in (jnp.float32, jnp.float64):
            given = jax.ShapeDtypeStruct(shape, dtype)
            assert jax.eval_shape(MENU[name], given) == given


@every_activation
def test_finite_at_extremes(name):
    extremes = np.float32([-1e4, -100, 0, 100, 1e4])
    assert np.all(np.isfinite(MENU[name](extremes)))
    assert np.all(np.isfinite(slopes(name, extremes)))


def test_dead_regions_have_exactly_zero_gradient():
    dead = {
        "relu": POINTS <= 0,
        "hard_tanh": np.abs(POINTS) > 1,
        "hard_sigmoid": np.abs(POINTS) >= 3,
        "step": np.full(POINTS.shape, True),
        "leaky_relu": np.full(POINTS.shape, False),
        "identity": np.full(POINTS.shape, False),
    }
    for name, expected in dead.items():
        with jax.enable_x64(True):
            np.testing.assert_array_equal(slopes(name, POINTS) == 0, expected, err_msg=name)


def test_selu_keeps_mean_and_variance_of_standard_normal_inputs():
    nodes, weights = np.polynomial.hermite_e.hermegauss(200)
    with jax.enable_x64(True):
        outputs = np.asarray(activations.selu(jnp.asarray(nodes)))
    weights = weights / weights.sum()
    assert abs(weights @ outputs) < 1e-2
    assert abs(weights @ outputs**2 - 1) < 1e-2


@every_activation
def test_the_docstring_has_formula_source_and_use(name):
    first, blank, *rest = inspect.getdoc(MENU[name]).splitlines()
    assert len(first) <= 90 and first.endswith(".") and blank == ""
    assert re.search(r"Source: .*\b(19|20)\d\d\b", " ".join(rest))
    assert "Choose it" in " ".join(rest)


@every_activation
def test_activations_are_twice_differentiable_where_the_slope_has_no_corner(name):
    # Second differences of the formula converge at a smooth point; at a corner of the slope those
    # on both sides of it differ, and at a kink or jump they grow.
    knots, step = np.array([-3.0, -1.0, 0.0, 1.0, 3.0]), 1e-3

    def second(center):
        outer = FORMULAS[name](center + step) + FORMULAS[name](center - step)
        return (outer - 2 * FORMULAS[name](center)) / step**2

    sides = second(knots - step), second(knots), second(knots + step)
    gap = max(np.max(np.abs(sides[0] - sides[1])), np.max(np.abs(sides[2] - sides[1])))
    assert (gap < 0.05) == (name in activations.TWICE_DIFFERENTIABLE)
