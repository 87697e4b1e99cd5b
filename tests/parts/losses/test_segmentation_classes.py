"""Segmentation with several classes and with ignored pixels, in float64."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.special
import sklearn.metrics
from loss_cases import LOSSES, ONE_OBJECT, SEVERAL_CLASSES

from landscape.errors import UserError
from landscape.parts.losses import segmentation

RNG = np.random.default_rng(3)
IMAGES, HEIGHT, WIDTH, CLASSES = 3, 5, 6, 4
LOGITS = 2 * RNG.normal(size=(IMAGES, HEIGHT, WIDTH, CLASSES))
LABELS = RNG.integers(3, size=(IMAGES, HEIGHT, WIDTH))  # the last class does not occur
MASK = np.ones(LABELS.shape)
MASK[..., 4:] = 0
ALL = [name.removeprefix("segmentation/") for name in LOSSES if name.startswith("segmentation/")]
BOTH = [name for name in ALL if name not in (*ONE_OBJECT, *SEVERAL_CLASSES)]


def values(loss, logits=LOGITS, labels=LABELS, mask=None, **options):
    with jax.enable_x64(True):
        compiled = jax.jit(partial(loss, **options))
        return np.asarray(compiled(logits, labels, mask=mask))


def inputs(name):
    if name in ONE_OBJECT:
        return LOGITS[..., 0], (LABELS == 0).astype(float)
    return LOGITS, LABELS


@pytest.mark.parametrize("name", ALL)
def test_ignored_pixels_count_as_if_they_were_cut_off(name):
    loss, (logits, labels) = getattr(segmentation, name), inputs(name)
    masked = values(loss, logits, labels, MASK).reshape(IMAGES, -1).mean(axis=1)
    cut = values(loss, logits[:, :, :4], labels[..., :4]).reshape(IMAGES, -1).mean(axis=1)
    np.testing.assert_allclose(masked, cut)
    ignored = np.where(MASK > 0, labels, 255)  # a label that is no class
    np.testing.assert_allclose(
        values(loss, logits, ignored, MASK), values(loss, logits, labels, MASK)
    )
    assert not np.allclose(masked, values(loss, logits, labels).reshape(IMAGES, -1).mean(axis=1))


@pytest.mark.parametrize("name", ALL)
def test_an_image_without_a_counted_pixel_has_no_value_and_no_gradient(name):
    loss, (logits, labels) = getattr(segmentation, name), inputs(name)
    mask = MASK.copy()
    mask[1] = 0
    total = jax.jit(jax.value_and_grad(lambda z: jnp.sum(loss(z, labels[1:2], mask=mask[1:2]))))
    value, slopes = total(logits[1:2].astype(np.float32))
    assert value == 0 and not slopes.any()


@pytest.mark.parametrize("name", BOTH)
def test_two_classes_are_the_mean_over_object_and_background(name):
    loss = getattr(segmentation, name)
    differences, objects = LOGITS[..., 1] - LOGITS[..., 0], (LABELS == 1).astype(float)
    several = values(loss, LOGITS[..., :2], objects.astype(int))
    if name in ("focal_tversky", "log_cosh_dice"):  # functions of the mean
        base = segmentation.tversky if name == "focal_tversky" else segmentation.dice
        regions = values(base, LOGITS[..., :2], objects.astype(int))
        expected = regions**0.75 if name == "focal_tversky" else np.log(np.cosh(regions))
    else:
        expected = values(loss, differences, objects) / 2
        expected += values(loss, -differences, 1 - objects) / 2
    np.testing.assert_allclose(several, expected)


def test_softmax_cross_entropy_matches_sklearn():
    probabilities = scipy.special.softmax(LOGITS, axis=-1).reshape(-1, CLASSES)
    expected = sklearn.metrics.log_loss(LABELS.ravel(), probabilities, labels=range(CLASSES))
    computed = values(segmentation.softmax_cross_entropy)
    np.testing.assert_allclose(computed.mean(), expected)
    smooth = values(segmentation.softmax_cross_entropy, label_smoothing=0.2).mean()
    np.testing.assert_allclose(smooth, 0.8 * expected - 0.2 * np.log(probabilities).mean())


def test_dice_of_certain_predictions_is_that_of_sklearn():
    certain = np.where(np.eye(CLASSES)[RNG.integers(CLASSES, size=LABELS.shape)] > 0, 100.0, -100.0)
    expected = [
        1 - sklearn.metrics.f1_score(labels.ravel(), logits.argmax(axis=-1).ravel(), average=None)
        for logits, labels in zip(certain, LABELS, strict=True)
    ]
    for loss in (segmentation.dice, segmentation.hard_dice):
        computed = values(loss, certain, smooth=1e-9)
        np.testing.assert_allclose(computed, np.mean(expected, axis=1), rtol=1e-6)


def test_lovasz_softmax_of_certain_predictions_is_the_jaccard_error_of_classes_that_occur():
    certain = np.where(np.eye(CLASSES)[RNG.integers(CLASSES, size=LABELS.shape)] > 0, 100.0, -100.0)
    expected = [
        1
        - sklearn.metrics.jaccard_score(
            labels.ravel(),
            logits.argmax(axis=-1).ravel(),
            labels=np.unique(labels),
            average="macro",
        )
        for logits, labels in zip(certain, LABELS, strict=True)
    ]
    np.testing.assert_allclose(values(segmentation.lovasz_softmax, certain), expected)


@pytest.mark.parametrize("name", [*BOTH, *SEVERAL_CLASSES])
def test_one_class_is_refused(name):
    with pytest.raises(UserError, match="2 classes or more"):
        getattr(segmentation, name)(np.zeros((2, 4, 4, 1), np.float32), np.zeros((2, 4, 4), int))
