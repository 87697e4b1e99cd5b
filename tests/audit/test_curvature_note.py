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
def test_what_is_twice_differentiable(value, twice, words):
    found = curvature_note.of_loss(audited(value, True))
    assert found.twice_differentiable is twice
    assert bool(found.note) == bool(words)
    assert words in found.note


@pytest.mark.parametrize(
    ("convex", "reason"), [(True, None), (False, "not convex"), (None, "leaves open")]
)
def test_gauss_newton_needs_a_convex_loss(convex, reason):
    found = curvature_note.of_loss(audited("smooth", convex)).against_gauss_newton
    assert found is None if reason is None else reason in found


def test_an_audit_that_failed_tells_nothing():
    found = curvature_note.of_loss(FailedAudit("x", "boom"))
    assert found.record([]).twice_differentiable is None
    assert found.against_gauss_newton
