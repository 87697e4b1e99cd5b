import pytest

from landscape.audit import curvature_note
from landscape.storage.audit_records import Audit, FailedAudit, Property


def audited(value, convex):
    properties = {
        "smoothness": Property(value, "measured"),
        "convex": Property(convex, "proved"),
    }
    return Audit("x", "loss", None, "real", None, "trainable", properties, ())


@pytest.mark.parametrize(
    ("value", "twice", "words"),
    [
        ("smooth", True, ""),
        ("C2", True, ""),
        ("C1", False, "corners"),
        ("C0", False, "kinks"),
        ("discontinuous", False, "jumps"),
        (None, None, "leaves open"),
    ],
)
def test_smooth_and_c2_losses_are_twice_differentiable(value, twice, words):
    smoothness = curvature_note.of_loss(audited(value, True), True)
    assert smoothness.twice_differentiable is twice
    assert bool(smoothness.note) == bool(words)
    assert words in smoothness.note


@pytest.mark.parametrize(
    ("loss", "model", "twice"),
    [
        ("smooth", True, True),
        ("smooth", False, False),
        ("smooth", None, None),
        ("C1", True, False),
        ("C1", None, False),
        (None, False, False),
        (None, True, None),
    ],
)
def test_the_hessian_exists_if_loss_and_model_are_smooth(loss, model, twice):
    smoothness = curvature_note.of_loss(audited(loss, True), model)
    assert smoothness.twice_differentiable is twice
    assert ("the model" in smoothness.note) == (model is not True)
    assert smoothness.record([]).twice_differentiable is twice


@pytest.mark.parametrize(
    ("convex", "reason"), [(True, None), (False, "not convex"), (None, "leaves open")]
)
def test_gauss_newton_needs_a_convex_loss(convex, reason):
    objection = curvature_note.of_loss(audited("smooth", convex), True).against_gauss_newton
    assert objection is None if reason is None else reason in objection


def test_a_failed_audit_leaves_everything_unknown():
    smoothness = curvature_note.of_loss(FailedAudit("x", "boom"), True)
    assert smoothness.record([]).twice_differentiable is None
    assert smoothness.against_gauss_newton
