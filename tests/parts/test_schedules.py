import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from landscape.errors import UserError
from landscape.parts import schedules

MENU = [schedules.constant, schedules.cosine, schedules.warmup_cosine]
RATE, STEPS = 0.2, 40


def test_constant_is_the_learning_rate_everywhere():
    rate = schedules.constant(RATE, STEPS)
    assert [float(rate(step)) for step in (0, 20, 40, 99)] == [RATE] * 4


@pytest.mark.parametrize("final", [0.0, 0.1, 1.0])
@pytest.mark.parametrize("step", [0, 7, 20, 39, 40])
def test_cosine_follows_its_formula(step, final):
    expected = RATE * (final + (1 - final) * (1 + math.cos(math.pi * step / STEPS)) / 2)
    rate = schedules.cosine(RATE, STEPS, final=final)
    np.testing.assert_allclose(rate(step), expected, rtol=1e-6, atol=1e-8)


def test_cosine_starts_at_the_rate_passes_half_way_and_stays_at_final():
    rate = schedules.cosine(RATE, STEPS, final=0.1)
    found = [float(rate(step)) for step in (0, STEPS // 2, STEPS, 10 * STEPS)]
    np.testing.assert_allclose(found, [RATE, 0.55 * RATE, 0.1 * RATE, 0.1 * RATE], rtol=1e-6)


def test_warmup_rises_linearly_peaks_and_falls():
    rate = schedules.warmup_cosine(RATE, STEPS, warmup=0.25, final=0.2)
    steps = [0, 1, 5, 9, 10, 25, 40, 400]
    expected = [0, RATE / 10, RATE / 2, 0.9 * RATE, RATE, 0.6 * RATE, 0.2 * RATE, 0.2 * RATE]
    found = [float(rate(step)) for step in steps]
    np.testing.assert_allclose(found, expected, rtol=1e-6, atol=1e-8)


def test_without_warmup_it_is_the_cosine():
    rate = schedules.warmup_cosine(RATE, STEPS, warmup=0.0)
    np.testing.assert_allclose(rate(0), RATE, rtol=1e-6)
    np.testing.assert_allclose(rate(STEPS // 2), RATE / 2, rtol=1e-6)


def test_warmup_leaves_a_step_for_the_peak_in_the_shortest_run():
    assert float(schedules.warmup_cosine(RATE, 1, warmup=0.9)(0)) == pytest.approx(RATE)
    assert float(schedules.warmup_cosine(RATE, 2, warmup=0.9)(1)) == pytest.approx(RATE)


@pytest.mark.parametrize("schedule", MENU)
def test_runs_compiled_on_an_integer_count(schedule):
    rate = schedule(RATE, STEPS)
    compiled = jax.jit(rate)
    for step in (0, 3, 21, 40):
        found = compiled(jnp.int32(step))
        np.testing.assert_allclose(found, rate(step), rtol=1e-5, atol=1e-8)
        assert found.dtype == jnp.float32


@pytest.mark.parametrize("schedule", MENU)
@pytest.mark.parametrize("learning_rate", [-0.1, math.nan, math.inf, "0.1", True, None])
def test_refuses_a_bad_learning_rate(schedule, learning_rate):
    with pytest.raises(UserError, match="learning_rate"):
        schedule(learning_rate, STEPS)


@pytest.mark.parametrize("schedule", MENU)
@pytest.mark.parametrize("steps", [0, -3, 2.5, True])
def test_refuses_bad_steps(schedule, steps):
    with pytest.raises(UserError, match="steps"):
        schedule(RATE, steps)


@pytest.mark.parametrize("option", [{"warmup": 1.0}, {"warmup": -0.1}, {"final": 1.5}])
def test_refuses_fractions_out_of_range(option):
    with pytest.raises(UserError, match=next(iter(option))):
        schedules.warmup_cosine(RATE, STEPS, **option)
