"""Rewritten losses equal their closed forms, and nothing else is rewritten."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from quick import run
from scipy.special import expit

from landscape.audit.measure import domains
from landscape.audit.measure.domains import Target
from landscape.audit.measure.subject import Subject
from landscape.audit.measure.survey import Survey
from landscape.audit.rewrites import rewrites
from landscape.audit.static import intervals as iv
from landscape.audit.static import reader
from landscape.audit.static.abstract import AbstractValue

LOGITS = np.array([-60.0, -30.0, -5.0, -0.5, 0.0, 0.25, 3.0, 17.0, 90.0], np.float32)
TARGETS = np.array([0.0, 1.0, 1.0, 0.0, 1.0, 0.0, 1.0, 0.0, 1.0], np.float32)
ALL = {"D101", "G201", "G202", "G204", "G205", "N301", "N302", "N303"}


SHAPES = {"binary": (1,), "regression": (1,), "multiclass": (1, 4), "segmentation": (1, 3, 4)}


def surveyed(loss, task):
    """Returns the survey of a loss, with nothing measured yet."""
    shape = SHAPES[task]
    subject = Subject(
        name="loss",
        kind="loss",
        task=task,
        domain=domains.domain("real", shape, centered=False),
        shape=shape,
        targets=[Target("", np.ones(shape), np.ones(shape))],
        row=lambda p, t: jnp.sum(loss(p, t)),
        batched=loss,
        function=loss,
    )
    inputs = [
        AbstractValue(range=(-np.inf, np.inf), varies=True, convexity=iv.AFFINE),
        AbstractValue(range=(0.0, 1.0), uses_target=True),
    ]
    reading = reader.read(subject.value, inputs)
    return Survey(subject, reading, reading, 0)


def changed(loss, task, codes=ALL):
    """Returns the only rewritten loss."""
    (rewritten,) = rewrites(surveyed(loss, task), codes).values()
    return rewritten


def slopes(function, *arguments):
    """Returns the gradient of the summed loss with respect to the predictions."""
    return run(jax.grad(lambda p, t: jnp.sum(function(p, t))), *arguments)


def clipped(p, t):
    q = jnp.clip(jax.nn.sigmoid(p), 1e-7, 1 - 1e-7)
    return -(t * jnp.log(q) + (1 - t) * jnp.log(1 - q))


def padded(p, t):
    q = jax.nn.sigmoid(p)
    return -(t * jnp.log(q + 1e-7) + (1 - t) * jnp.log(1 - q + 1e-7))


def bounded_below(p, t):
    q = jnp.maximum(jax.nn.sigmoid(p), 1e-6)
    return -(t * jnp.log(q) + (1 - t) * jnp.log(jnp.minimum(1 - q, 1.0)))


def averaged(p, t):
    return jnp.mean(clipped(p, t))


@pytest.mark.parametrize("loss", [clipped, padded, bounded_below, averaged])
def test_a_clipped_cross_entropy_becomes_the_one_of_logits(loss):
    rewritten = changed(loss, "binary")
    true = np.logaddexp(0, LOGITS.astype(float)) - TARGETS * LOGITS
    true = true.mean() if loss is averaged else true
    value = run(rewritten, LOGITS, TARGETS)
    assert value.dtype == np.float32
    np.testing.assert_allclose(value, true, rtol=1e-5, atol=1e-12)
    after = slopes(rewritten, LOGITS, TARGETS)
    scale = len(LOGITS) if loss is averaged else 1
    np.testing.assert_allclose(
        after * scale, expit(LOGITS.astype(float)) - TARGETS, rtol=1e-5, atol=1e-12
    )
    before = slopes(loss, LOGITS, TARGETS)
    assert abs(before[1]) < 1e-5 < abs(after[1])


def with_dice(p, t):
    q = jax.nn.sigmoid(p)
    overlap = 1 - (2 * jnp.sum(q * t) + 1) / (jnp.sum(q + t) + 1)
    return jnp.mean(padded(p, t)) + overlap


def shifted_far(p, t):
    q = jax.nn.sigmoid(p)
    return -(t * jnp.log(q + 0.5) + (1 - t) * jnp.log(1.5 - q))


@pytest.mark.parametrize("loss", [with_dice, shifted_far])
def test_sums_that_are_not_padding_are_unchanged(loss):
    rewritten = changed(loss, "binary")
    np.testing.assert_allclose(
        run(rewritten, LOGITS[2:7], TARGETS[2:7]), run(loss, LOGITS[2:7], TARGETS[2:7]), rtol=1e-4
    )


def hard_dice(p, t):
    q = (p > 0).astype(p.dtype)
    return 1 - 2 * jnp.sum(q * t, (1, 2)) / (jnp.sum(q, (1, 2)) + jnp.sum(t, (1, 2)) + 1.0)


def test_a_hard_dice_becomes_a_soft_one():
    rng = np.random.default_rng(2)
    p = rng.normal(size=(3, 5, 7)).astype(np.float32)
    t = (rng.uniform(size=p.shape) > 0.5).astype(np.float32)
    rewritten = changed(hard_dice, "segmentation", {"D101", "G201"})
    q = expit(p.astype(float))
    soft = 1 - 2 * (q * t).sum((1, 2)) / (q.sum((1, 2)) + t.sum((1, 2)) + 1)
    np.testing.assert_allclose(run(rewritten, p, t), soft, rtol=1e-5)
    assert np.all(slopes(rewritten, p, t) != 0)
    assert not np.any(slopes(hard_dice, p, t))


def test_a_guarded_root_has_the_same_values_and_no_gradient_at_zero():
    def distance(p, t):
        return jnp.sqrt(jnp.sum((p - t) ** 2))

    rewritten = changed(distance, "regression", {"N302"})
    p, t = np.array([1.0, -2.5, 4.0], np.float32), np.array([1.0, 0.5, 0.0], np.float32)
    assert run(rewritten, p, t) == run(distance, p, t)
    np.testing.assert_allclose(slopes(rewritten, p, t), slopes(distance, p, t), rtol=1e-6)
    assert run(rewritten, t, t) == 0
    assert np.isnan(slopes(distance, t, t)).all()
    assert np.array_equal(slopes(rewritten, t, t), np.zeros(3))


def test_a_maximum_becomes_a_logsumexp():
    def worst(p, t):
        return jnp.max(p, axis=-1) - jnp.sum(p * t, axis=-1)

    rewritten = changed(worst, "multiclass", {"G204"})
    p = np.array([[0.5, -1.0, 2.0, 1.0], [30.0, 0.0, 0.0, -30.0]], np.float32)
    t = np.eye(4, dtype=np.float32)[[0, 2]]
    soft = np.logaddexp.reduce(p.astype(float), -1) - (p * t).sum(-1)
    np.testing.assert_allclose(run(rewritten, p, t), soft, rtol=1e-5)
    share = slopes(rewritten, p[:1], t[:1])[0] + t[0]
    np.testing.assert_allclose(share, np.exp(p[0]) / np.exp(p[0]).sum(), rtol=1e-5)


# A loss with hard decisions, and its closed form with a share in place of each decision.
HARD = {
    "above": (lambda p, t: jnp.where(p > 1, p, -p) * t, lambda p, t, s: (2 * s(p - 1) - 1) * p * t),
    "below": (lambda p, t: jnp.where(p <= 1, 1.0, 0.0) - t, lambda p, t, s: s(1 - p) - t),
    "both": (
        lambda p, t: ((p > -1) & (p < 1)).astype(p.dtype) * t,
        lambda p, t, s: s(p + 1) * s(1 - p) * t,
    ),
    "either": (
        lambda p, t: ((p < -1) | (p > 1)).astype(p.dtype) + t,
        lambda p, t, s: s(-1 - p) + s(p - 1) - s(-1 - p) * s(p - 1) + t,
    ),
    "not": (lambda p, t: (~(p >= 0)).astype(p.dtype) - t, lambda p, t, s: 1 - s(p) - t),
    "missed": (lambda p, t: ((p > 0) != (t > 0)).astype(p.dtype), lambda p, t, s: np.abs(s(p) - t)),
    "hit": (
        lambda p, t: -((p > 0) == (t > 0)).astype(p.dtype),
        lambda p, t, s: np.abs(s(p) - t) - 1,
    ),
    "sign": (lambda p, t: (jnp.sign(p) - t) ** 2, lambda p, t, s: (np.tanh(p) - t) ** 2),
    "rounding": (lambda p, t: (jnp.round(p) - t) ** 2, lambda p, t, s: (p - t) ** 2),
    "whole": (
        lambda p, t: (jnp.floor(p) + jnp.ceil(p) - t) ** 2,
        lambda p, t, s: (2 * p - t) ** 2,
    ),
}


@pytest.mark.parametrize("name", HARD)
def test_decisions_become_shares(name):
    loss, soft = HARD[name]
    rewritten = changed(loss, "binary", {"D101", "G201"})
    p = np.linspace(-3.2, 3.1, 8).astype(np.float32)
    t = (np.arange(8) % 3 == 0).astype(np.float32)
    value = run(rewritten, p, t)
    assert value.shape == run(loss, p, t).shape and value.dtype == np.float32
    np.testing.assert_allclose(value, soft(p.astype(float), t, expit), rtol=1e-5, atol=1e-6)


def test_decisions_on_the_target_stay_hard():
    def loss(p, t):
        return jnp.where(t > 0.5, 3.0, 1.0) * (p > 0).astype(p.dtype)

    rewritten = changed(loss, "binary", {"D101"})
    p = np.array([-1.0, 2.0, 0.5], np.float32)
    t = np.array([1.0, 0.0, 0.75], np.float32)
    np.testing.assert_allclose(run(rewritten, p, t), np.where(t > 0.5, 3, 1) * expit(p), rtol=1e-6)


def test_a_rewrite_works_inside_jit_and_on_batches_of_any_size():
    rewritten = changed(averaged, "binary")
    for size in (1, 9):
        p, t = LOGITS[-size:], TARGETS[-size:]
        whole = np.mean(np.logaddexp(0, p.astype(float)) - t * p)
        assert run(rewritten, p, t) == pytest.approx(whole, rel=1e-6)
        assert rewritten(p, t) == pytest.approx(whole, rel=1e-6)
        rows = run(jax.vmap(rewritten), p[:, None], t[:, None])
        assert rows.mean() == pytest.approx(whole, rel=1e-6)


@pytest.mark.parametrize(
    ("loss", "task", "codes", "words"),
    [
        (clipped, "binary", {"G202"}, "log_sigmoid"),
        (clipped, "binary", {"D102", "S401"}, None),
        (hard_dice, "segmentation", {"D101"}, "sigmoid"),
        (hard_dice, "segmentation", {"G202"}, None),
        (lambda p, t: jnp.sqrt((p - t) ** 2), "regression", {"N302"}, "double where"),
        (lambda p, t: jnp.sqrt((p - t) ** 2), "regression", {"G202"}, None),
        (lambda p, t: jnp.max(p, -1) - p[..., 0], "multiclass", {"G204"}, "logsumexp"),
        (lambda p, t: (p - t) ** 2, "regression", ALL, None),
    ],
)
def test_rewrites_are_offered_for_the_codes_that_they_remove(loss, task, codes, words):
    offered = list(rewrites(surveyed(loss, task), codes))
    assert len(offered) == (words is not None)
    assert all(words in change for change in offered)
