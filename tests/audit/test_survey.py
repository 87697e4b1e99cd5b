"""Checks that samples and paths lie in the domain and are reproducible, and how numbers read."""

import functools
import json

import jax.numpy as jnp
import numpy as np
import pytest
from scipy.stats import binomtest

from landscape.audit import audit
from landscape.audit.codes._numbers import brief, interval, quote
from landscape.audit.measure.build_subject import build
from landscape.audit.measure.domains import FAR, PLAUSIBLE
from landscape.audit.measure.probes import CHUNK
from landscape.audit.measure.subject import SubjectOptions
from landscape.audit.measure.survey import Survey, norms, route
from landscape.audit.measure.switching import lowest_values
from landscape.audit.static import intervals as iv
from landscape.audit.static import reader
from landscape.audit.static.abstract import AbstractValue


@pytest.mark.parametrize("trials", [1, 2, 7, 50, 256, 4096])
def test_the_interval_is_that_of_wilson(trials):
    for successes in {0, 1, trials // 3, trials // 2, trials - 1, trials}:
        expected = binomtest(successes, trials).proportion_ci(0.95, method="wilson")
        assert interval(successes, trials) == pytest.approx((expected.low, expected.high), abs=1e-7)


def test_the_interval_without_trials_is_everything():
    assert interval(0, 0) == (0.0, 1.0)


def squared(p, t):
    return (p - t) ** 2


@functools.cache
def subject_of(task, domain="real", function=squared, kind="loss"):
    return build(function, SubjectOptions(kind, task, domain))


SUBJECTS = [
    (task, domain)
    for task in ("regression", "binary", "multiclass", "segmentation")
    for domain in ("real", "unit", "positive")
] + [("multiclass", "simplex"), ("regression", "simplex")]
every_subject = pytest.mark.parametrize(("task", "domain"), SUBJECTS)


def is_inside(subject, points):
    low, high = subject.domain.low, subject.domain.high
    inside = np.all((points >= low) & (points <= high))
    if subject.domain.name == "simplex":
        inside = inside and np.allclose(points.sum(-1), 1)
    return bool(inside)


@every_subject
def test_samples_lie_in_the_domain_and_fill_it(task, domain):
    subject = subject_of(task, domain)
    for target in subject.targets:
        points = subject.domain.sample(np.random.default_rng(0), 500, target)
        assert points.shape == (500, *subject.shape)
        assert is_inside(subject, points)
        spread = points - target.value if task == "regression" and domain == "real" else points
        assert np.abs(spread).max() <= PLAUSIBLE
        width = {"real": 20, "positive": 10}.get(domain, 1)
        if domain != "simplex":
            assert np.all(np.ptp(points, axis=0) > 0.95 * width)
        wide = subject.domain.wide(np.random.default_rng(0), 500, target)
        if domain == "real":
            assert PLAUSIBLE < np.abs(wide).max() <= FAR + 2
        else:
            assert is_inside(subject, wide)


@every_subject
def test_paths_lie_in_the_domain_and_lead_from_right_to_wrong(task, domain):
    subject = subject_of(task, domain)
    for target in subject.targets:
        line = route(subject, target)
        steps, points = line.steps, line.points_at(line.steps)
        assert points.shape == (len(steps), *subject.shape)
        assert np.all(np.diff(steps) > 0)
        assert is_inside(subject, points[:, None])
        assert 0 in steps
        if task != "regression" and domain in ("unit", "simplex"):
            onehot = np.argmax(target.value, -1) if task == "multiclass" else target.value
            ends = [p.argmax(-1) if task == "multiclass" else p for p in points[[0, -1]]]
            assert np.array_equal(ends[0], np.broadcast_to(onehot, np.shape(ends[0])))
            assert not np.any(ends[1] == onehot)
        if task != "regression" and domain == "real":
            assert np.array_equal(np.sign(points[-1]), np.sign(target.away))
        if task == "regression" and domain == "real":
            np.testing.assert_array_equal(
                points[steps == 0][0], np.broadcast_to(target.value, line.base.shape)
            )
            assert steps[0] == -steps[-1] == -1e4


def surveyed(seed=0, task="binary", domain="real", function=squared):
    subject = subject_of(task, domain, function)
    inputs = [
        AbstractValue(
            range=(subject.domain.low, subject.domain.high), varies=True, convexity=iv.AFFINE
        ),
        AbstractValue(uses_target=True),
    ]
    readings = [reader.read(p, inputs) for p in (subject.value, subject.gradient)]
    return Survey(subject, *readings, seed)


def test_samples_hold_the_derivatives_of_the_function():
    survey = surveyed(task="multiclass")
    assert len(survey.samples) == 2 * len(survey.subject.targets)
    assert len(survey.plausible) == len(survey.subject.targets)
    for sample in survey.samples:
        assert len(sample.points) == CHUNK
        np.testing.assert_allclose(norms(sample.directions), 1)
        miss = sample.points - sample.target.value
        np.testing.assert_allclose(sample.derivatives.value, (miss**2).sum((1, 2)), rtol=1e-12)
        np.testing.assert_allclose(sample.derivatives.gradient, 2 * miss, rtol=1e-12)
        first = (2 * miss * sample.directions).sum((1, 2))
        np.testing.assert_allclose(sample.derivatives.first, first, rtol=1e-9, atol=1e-9)
        np.testing.assert_allclose(sample.derivatives.second, 2, rtol=1e-9)
        chosen = sample.points[:, 0].argmax(-1)
        np.testing.assert_array_equal(sample.wrong, chosen != sample.target.value.argmax())
        np.testing.assert_allclose(sample.norms, 2 * np.sqrt(sample.derivatives.value))
    assert survey.steepest == max(s.norms.max() for s in survey.plausible)


def test_paths_are_measured_in_both_precisions():
    survey = surveyed(task="regression")
    for path in survey.paths:
        np.testing.assert_allclose(path.value, path.steps**2, rtol=1e-12)
        np.testing.assert_allclose(path.gradient[:, 0], 2 * path.steps, rtol=1e-12)
        np.testing.assert_allclose(path.value32, path.steps**2, rtol=1e-3)
        assert not np.array_equal(path.value32, path.value)
        assert lowest_values(survey)[path.target.name] == 0.0


def test_another_seed_draws_other_samples_on_the_same_paths():
    first, again, other = surveyed(0), surveyed(0), surveyed(1)
    for a, b, c in zip(first.samples, again.samples, other.samples, strict=True):
        assert np.array_equal(a.points, b.points) and np.array_equal(a.directions, b.directions)
        assert not np.any(a.points == c.points)
        assert not np.array_equal(a.directions, c.directions)
    for a, c in zip(first.paths, other.paths, strict=True):
        assert np.array_equal(a.points, c.points)
    points = [sample.points for sample in first.samples]
    assert not any(np.array_equal(p, q) for p in points for q in points if p is not q)


def rounded(p, t):
    return (jnp.round(p) - t) ** 2


LOSSES = {
    "squared": (squared, "regression", "trainable"),
    "absolute": (lambda p, t: jnp.abs(p - t), "regression", "trainable"),
    "hinge": (lambda p, t: jnp.maximum(0.0, 1 - (2 * t - 1) * p), "binary", "trainable"),
    "rounded": (rounded, "regression", "untrainable"),
    "clipped": (lambda p, t: (jnp.clip(p, -1.0, 1.0) - t) ** 2, "regression", "care"),
}


@pytest.mark.parametrize("name", LOSSES)
def test_audits_are_reproducible_and_seeds_agree_on_the_verdict(name):
    function, task, verdict = LOSSES[name]
    found = [audit(function, task=task, name=name, seed=seed) for seed in (0, 0, 5)]
    texts = [json.dumps(a.to_json(with_shapes=True), sort_keys=True) for a in found]
    assert texts[0] == texts[1]
    assert [a.verdict for a in found] == [verdict] * 3
    assert found[0].codes() == found[2].codes()
    properties = [{n: p.how for n, p in a.properties.items()} for a in found]
    assert properties[0] == properties[2]


def test_quoted_numbers_are_exact_and_messages_round_them():
    assert quote(np.float64(0.1)) == 0.1 and isinstance(quote(np.array([[2]])), float)
    assert quote(np.array([[1.0, 2.0]])) == [[1.0, 2.0]]
    assert brief(1 / 3) == "0.3333"
    assert brief(np.arange(3.0)) == "(0, 1, 2)"
    assert brief(np.arange(9.0)) == "(0, 1, 2, 3, …)"


def test_places_of_operations_are_those_of_the_source():
    survey = surveyed(function=rounded, task="regression")
    assert survey.place_of_operation(("round",)).text == "return (jnp.round(p) - t) ** 2"
    assert survey.place_of_operation(("sort",)) is None
    assert survey.definition.text == "def rounded(p, t):"
    assert survey.definition.line == survey.place_of_operation(("round",)).line - 1
    (site,) = [s for s in survey.reading.sites if s.operation == "round"]
    assert survey.place_of(site) == survey.place_of_operation(("round",))
