"""Losses of boxes against pixel counts and the formulas of single boxes, in float64."""

import math
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from landscape.errors import UserError
from landscape.parts.losses import boxes

RNG = np.random.default_rng(0)


def random_boxes(number):
    """Whole corners, so that areas are numbers of pixels of a 12 by 12 image."""
    corners = np.sort(RNG.integers(0, 13, size=(number, 2, 2)), axis=1)
    corners[:, 1] += corners[:, 0] == corners[:, 1]
    return corners.reshape(number, 4).astype(float)


PREDICTIONS, TARGETS = random_boxes(25), random_boxes(25)


def values(loss, predictions=PREDICTIONS, targets=TARGETS, **options):
    with jax.enable_x64(True):
        return np.asarray(jax.jit(partial(loss, **options))(predictions, targets))


def gradient(loss, predictions, targets, **options):
    total = jax.jit(jax.grad(lambda p: jnp.sum(loss(p, targets, **options))))
    return np.asarray(total(predictions))


def pixels(box):
    image = np.zeros((14, 14), bool)
    x1, y1, x2, y2 = box.astype(int)
    image[x1:x2, y1:y2] = True
    return image


def hull(first, second):
    return np.concatenate([np.minimum(first[:2], second[:2]), np.maximum(first[2:], second[2:])])


def parts(first, second):
    """IoU, empty share of the hull, squared center distance over the diagonal, and v."""
    intersection = (pixels(first) & pixels(second)).sum()
    union = (pixels(first) | pixels(second)).sum()
    area = pixels(hull(first, second)).sum()
    gap = (first[:2] + first[2:] - second[:2] - second[2:]) / 2
    sides = hull(first, second)[2:] - hull(first, second)[:2]
    angles = [math.atan((x2 - x1) / (y2 - y1)) for x1, y1, x2, y2 in (first, second)]
    v = 4 / math.pi**2 * (angles[1] - angles[0]) ** 2
    iou = intersection / union
    return iou, (area - union) / area, (gap**2).sum() / (sides**2).sum(), v


PARTS = [parts(*pair) for pair in zip(PREDICTIONS, TARGETS, strict=True)]


@pytest.mark.parametrize(
    ("loss", "formula"),
    [
        (boxes.iou, lambda iou, empty, distance, v: 1 - iou),
        (boxes.giou, lambda iou, empty, distance, v: 1 - iou + empty),
        (boxes.diou, lambda iou, empty, distance, v: 1 - iou + distance),
        (boxes.ciou, lambda iou, empty, distance, v: 1 - iou + distance + v**2 / (1 - iou + v)),
    ],
)
def test_values_match_counted_pixels(loss, formula):
    expected = [formula(*row) for row in PARTS]
    np.testing.assert_allclose(values(loss), expected, atol=1e-12)
    assert any(row[0] == 0 for row in PARTS) and any(row[0] > 0 for row in PARTS)
    other_corners = PREDICTIONS[:, [2, 1, 0, 3]]
    np.testing.assert_allclose(values(loss, other_corners), expected, atol=1e-12)
    sizes = TARGETS[:, 2:] - TARGETS[:, :2], PREDICTIONS[:, 2:] - PREDICTIONS[:, :2]
    centers = (TARGETS[:, 2:] + TARGETS[:, :2]) / 2, (PREDICTIONS[:, 2:] + PREDICTIONS[:, :2]) / 2
    target, prediction = (np.concatenate(pair, axis=1) for pair in zip(centers, sizes, strict=True))
    np.testing.assert_allclose(values(loss, prediction, target, form="center"), expected, atol=1e-9)


def test_the_factor_of_ciou_is_a_constant_of_its_gradient():
    with jax.enable_x64(True):
        iou, _, _, v = np.array(PARTS).T
        factors = v / (1 - iou + v)

        def aspect(predictions):
            width, height = (predictions[:, 2:] - predictions[:, :2]).T
            sides = TARGETS[:, 2:] - TARGETS[:, :2]
            angle = jnp.arctan(sides[:, 0] / sides[:, 1]) - jnp.arctan(width / height)
            return jnp.sum(factors * 4 / jnp.pi**2 * angle**2)

        expected = gradient(boxes.diou, PREDICTIONS, TARGETS) + jax.jit(jax.grad(aspect))(
            PREDICTIONS
        )
        np.testing.assert_allclose(gradient(boxes.ciou, PREDICTIONS, TARGETS), expected, atol=1e-12)


def test_boxes_apart_have_a_gradient_except_under_iou():
    apart = np.array([[0, 0, 1, 1]], np.float32), np.array([[5, 5, 7, 6]], np.float32)
    assert not gradient(boxes.iou, *apart).any()
    for loss in (boxes.giou, boxes.diou, boxes.ciou, boxes.smooth_l1):
        # Descent moves the low corner or the high corner toward the target.
        assert (gradient(loss, *apart) < 0).any()


def test_boxes_without_size_have_finite_values_and_gradients():
    point = np.ones((1, 4), np.float32)
    for target in (point, np.array([[0, 0, 2, 3]], np.float32)):
        for loss in (boxes.iou, boxes.giou, boxes.diou, boxes.ciou):
            assert np.isfinite(values(loss, point, target)).all()
            assert np.isfinite(gradient(loss, point, target)).all()
    assert not gradient(boxes.iou, point, point).any()


def test_smooth_l1_matches_its_formula():
    errors = np.abs(PREDICTIONS - TARGETS)
    expected = np.where(errors <= 2.5, errors**2 / 5, errors - 1.25)
    np.testing.assert_allclose(values(boxes.smooth_l1, beta=2.5), expected)


def test_other_shapes_are_refused():
    with pytest.raises(UserError, match=r"\(6, 3\).*expected \(batch, 4\)"):
        boxes.giou(np.zeros((6, 3), np.float32), np.zeros((6, 3), np.float32))
