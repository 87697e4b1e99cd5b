"""Segmentation losses against scikit-learn, optax, brute force and formulas, in float64."""

import functools
import itertools

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
import sklearn.metrics

from landscape.errors import UserError
from landscape.numerics.compiling import jit_once
from landscape.parts.losses import binary, segmentation

RNG = np.random.default_rng(5)
LOGITS = 2 * RNG.normal(size=(4, 6, 7))
MASKS = (RNG.random(size=LOGITS.shape) < 0.3).astype(float)
SATURATED = np.where(LOGITS > 0, 100.0, -100.0)
EMPTY = np.zeros((1, 6, 7))
SOFT_REGION_LOSSES = [
    segmentation.dice,
    segmentation.jaccard,
    segmentation.tversky,
    segmentation.focal_tversky,
    segmentation.cross_entropy_dice,
    segmentation.log_cosh_dice,
]
REGION_LOSSES = [*SOFT_REGION_LOSSES, segmentation.hard_dice, segmentation.lovasz_hinge]


@functools.cache
def compiled(loss, **options):
    return jit_once(functools.partial(loss, **options))


@functools.cache
def compiled_slopes(loss, **options):
    return jit_once(jax.grad(lambda z, masks: jnp.sum(loss(z, masks, **options))))


def values(loss, logits=LOGITS, masks=MASKS, **options):
    with jax.enable_x64(True):
        return np.asarray(compiled(loss, **options)(logits, masks))


def slopes(loss, logits, masks, **options):
    return np.asarray(compiled_slopes(loss, **options)(logits, masks))


def counts(logits=LOGITS, masks=MASKS):
    """Soft overlap, false positives and false negatives of each image, pixel by pixel."""
    rows = []
    for image, mask in zip(logits, masks, strict=True):
        overlap = false_positive = false_negative = 0.0
        for logit, inside in zip(image.ravel(), mask.ravel(), strict=True):
            probability = 1 / (1 + np.exp(-logit))
            overlap += probability if inside else 0
            false_positive += 0 if inside else probability
            false_negative += 1 - probability if inside else 0
        rows.append((overlap, false_positive, false_negative))
    return np.array(rows).T


def per_image(metric, **options):
    pairs = zip(MASKS, LOGITS > 0, strict=True)
    return np.array([metric(mask.ravel(), hard.ravel(), **options) for mask, hard in pairs])


def lovasz_extension(errors, inside):
    """Largest chain sum over all orders of the pixels: the extension of a submodular function."""
    object_size = inside.sum()

    def jaccard_error(wrong):
        wrong = list(wrong)
        overlap = object_size - inside[wrong].sum()
        union = object_size + (1 - inside[wrong]).sum()
        return 1 - overlap / union if wrong else 0.0

    def chain_sum(order):
        sets = [order[:k] for k in range(len(order) + 1)]
        steps = np.diff([jaccard_error(wrong) for wrong in sets])
        return np.sum(errors[list(order)] * steps)

    return max(chain_sum(order) for order in itertools.permutations(range(len(errors))))


def test_region_losses_match_soft_counts():
    overlap, false_positive, false_negative = counts()
    dice = 1 - (2 * overlap + 3) / (2 * overlap + false_positive + false_negative + 3)
    np.testing.assert_allclose(values(segmentation.dice, smooth=1.5), dice)
    union = overlap + false_positive + false_negative
    jaccard = 1 - (overlap + 1.5) / (union + 1.5)
    np.testing.assert_allclose(values(segmentation.jaccard, smooth=1.5), jaccard)
    weighted = overlap + 0.2 * false_positive + 0.9 * false_negative
    tversky = 1 - (overlap + 1.5) / (weighted + 1.5)
    options = {"alpha": 0.2, "beta": 0.9, "smooth": 1.5}
    np.testing.assert_allclose(values(segmentation.tversky, **options), tversky)
    focal = values(segmentation.focal_tversky, gamma=1.7, **options)
    np.testing.assert_allclose(focal, tversky ** (1 / 1.7))
    log_cosh = values(segmentation.log_cosh_dice, smooth=1.5)
    np.testing.assert_allclose(log_cosh, np.log(np.cosh(dice)))


def test_saturated_predictions_match_the_scores_of_sklearn():
    tiny = {"smooth": 1e-9}
    f1 = per_image(sklearn.metrics.f1_score)
    np.testing.assert_allclose(1 - values(segmentation.hard_dice, **tiny), f1, atol=1e-8)
    np.testing.assert_allclose(1 - values(segmentation.dice, SATURATED, **tiny), f1, atol=1e-8)
    jaccard = per_image(sklearn.metrics.jaccard_score)
    found = values(segmentation.jaccard, SATURATED, **tiny)
    np.testing.assert_allclose(1 - found, jaccard, atol=1e-8)
    f2 = per_image(sklearn.metrics.fbeta_score, beta=2)
    found = values(segmentation.tversky, SATURATED, alpha=0.2, beta=0.8, **tiny)
    np.testing.assert_allclose(1 - found, f2, atol=1e-8)


def test_dice_and_tversky_match_optax():
    with jax.enable_x64(True):
        logits, masks = LOGITS[..., None], MASKS[..., None]
        dice = optax.losses.dice_loss(logits, masks, smooth=0.5)
        tversky = optax.losses.dice_loss(logits, masks, alpha=0.2, beta=0.6)
    np.testing.assert_allclose(values(segmentation.dice, smooth=0.5), dice)
    np.testing.assert_allclose(values(segmentation.tversky, alpha=0.2, beta=0.6), tversky)


def test_dice_and_jaccard_are_tversky():
    np.testing.assert_array_equal(
        values(segmentation.dice), values(segmentation.tversky, alpha=0.5, beta=0.5)
    )
    np.testing.assert_array_equal(
        values(segmentation.jaccard), values(segmentation.tversky, alpha=1.0, beta=1.0)
    )
    np.testing.assert_allclose(
        values(segmentation.focal_tversky, gamma=1.0), values(segmentation.tversky)
    )


def test_hard_dice_ignores_the_confidence_of_the_prediction():
    np.testing.assert_array_equal(
        values(segmentation.hard_dice), values(segmentation.hard_dice, LOGITS / 1000)
    )
    np.testing.assert_allclose(values(segmentation.hard_dice), values(segmentation.dice, SATURATED))


def test_lovasz_hinge_is_the_lovasz_extension_of_the_jaccard_error():
    rng = np.random.default_rng(6)
    for inside in itertools.product([0.0, 1.0], repeat=5):
        inside, logits = np.array(inside), 2 * rng.normal(size=5)
        hinge = np.maximum(1 - (2 * inside - 1) * logits, 0)
        (found,) = values(
            segmentation.lovasz_hinge, logits.reshape(1, 1, 5), inside.reshape(1, 1, 5)
        )
        np.testing.assert_allclose(found, lovasz_extension(hinge, inside), atol=1e-12)


def test_lovasz_hinge_counts_the_jaccard_error_where_hinge_errors_are_zero_or_one():
    logits = np.where(LOGITS > 0, 1.0, -1.0)
    wrong = (LOGITS > 0) != (MASKS > 0)
    # Margin 1 costs 0; margin 0, put where the prediction is wrong, costs 1.
    logits = np.where(wrong, 0.0, logits)
    expected = 1 - per_image(sklearn.metrics.jaccard_score)
    np.testing.assert_allclose(values(segmentation.lovasz_hinge, logits), expected)


def test_lovasz_hinge_of_one_pixel_is_hinge():
    logits = np.linspace(-3, 3, 12).reshape(12, 1, 1)
    for target in (0.0, 1.0):
        targets = np.full_like(logits, target)
        np.testing.assert_allclose(
            values(segmentation.lovasz_hinge, logits, targets),
            values(binary.hinge, logits, targets)[:, 0, 0],
        )


def test_lovasz_hinge_at_ties_does_not_depend_on_the_order_of_pixels():
    logits, mask = np.zeros((1, 2, 3), np.float32), np.float32([[[1, 0, 1], [0, 0, 1]]])
    for _ in range(5):
        order = RNG.permutation(6)
        shuffled = mask.reshape(-1)[order].reshape(mask.shape)
        found = compiled(segmentation.lovasz_hinge)(logits, shuffled)
        np.testing.assert_allclose(found, 1, rtol=1e-6)


@pytest.mark.parametrize("weight", [0.0, 0.3, 1.0])
def test_cross_entropy_dice_mixes_the_two(weight):
    pixels = np.logaddexp(0, -np.where(MASKS == 1, LOGITS, -LOGITS))
    dice = values(segmentation.dice)
    expected = weight * pixels.mean(axis=(1, 2)) + (1 - weight) * dice
    np.testing.assert_allclose(values(segmentation.cross_entropy_dice, weight=weight), expected)


def test_pixelwise_losses_match_formulas():
    margins = np.where(MASKS == 1, LOGITS, -LOGITS)
    true = 1 / (1 + np.exp(-margins))
    found = values(segmentation.sigmoid_cross_entropy)
    np.testing.assert_allclose(found, -np.log(true), rtol=1e-9)
    weights = np.where(MASKS == 1, 0.25, 0.75)
    expected = -weights * (1 - true) ** 1.5 * np.log(true)
    found = values(segmentation.focal, gamma=1.5, alpha=0.25)
    np.testing.assert_allclose(found, expected, rtol=1e-9)


@pytest.mark.parametrize("loss", REGION_LOSSES)
@pytest.mark.parametrize("level", [-100.0, -10.0])
def test_an_empty_prediction_of_an_empty_mask_costs_nothing(loss, level):
    logits, masks = np.full(EMPTY.shape, level, np.float32), EMPTY.astype(np.float32)
    # focal_tversky takes a root of the little that is left at -10.
    np.testing.assert_allclose(compiled(loss)(logits, masks), 0, atol=1e-2)
    assert np.all(np.isfinite(slopes(loss, logits, masks)))


@pytest.mark.parametrize("loss", SOFT_REGION_LOSSES)
@pytest.mark.parametrize("level", [-3.0, 0.0, 3.0])
def test_an_empty_mask_lowers_every_logit(loss, level):
    logits = (level + RNG.normal(size=EMPTY.shape)).astype(np.float32)
    assert np.all(slopes(loss, logits, EMPTY.astype(np.float32)) > 0)


def test_an_empty_mask_has_the_documented_values():
    predicted = counts(LOGITS[:1], EMPTY)[1]
    found = values(segmentation.jaccard, LOGITS[:1], EMPTY, smooth=2.0)
    np.testing.assert_allclose(found, predicted / (predicted + 2))
    found = values(segmentation.lovasz_hinge, LOGITS[:1], EMPTY)
    np.testing.assert_allclose(found, 1 + LOGITS[0].max())
    slope = slopes(segmentation.lovasz_hinge, LOGITS[:1].astype(np.float32), EMPTY)
    np.testing.assert_array_equal(slope[0], LOGITS[0] == LOGITS[0].max())


@pytest.mark.parametrize("loss", REGION_LOSSES)
def test_empty_and_full_masks_are_finite_at_any_prediction(loss):
    for mask, level in itertools.product((0, 1), (-100, -1, 0, 1, 100)):
        logits = np.full((2, 3, 3), level, np.float32)
        masks = np.full((2, 3, 3), mask, np.float32)
        assert np.all(np.isfinite(compiled(loss)(logits, masks)))
        assert np.all(np.isfinite(slopes(loss, logits, masks)))


def test_focal_tversky_has_no_infinite_slope_at_a_perfect_prediction():
    masks = MASKS.astype(np.float32)
    for size in (10, 30, 60, 90, 100):
        logits = size * (2 * masks - 1)
        for gamma in (4 / 3, 3.0):
            value = compiled(segmentation.focal_tversky, gamma=gamma)(logits, masks)
            slope = slopes(segmentation.focal_tversky, logits, masks, gamma=gamma)
            assert np.all(np.isfinite(value)) and np.all(value >= 0)
            assert np.all(np.isfinite(slope))


@pytest.mark.parametrize(
    ("loss", "options"),
    [
        (segmentation.dice, {"smooth": 0.0}),
        (segmentation.hard_dice, {"smooth": 0.0}),
        (segmentation.jaccard, {"smooth": -1.0}),
        (segmentation.tversky, {"alpha": -0.1}),
        (segmentation.tversky, {"beta": -0.1}),
        (segmentation.focal_tversky, {"gamma": 0.0}),
        (segmentation.cross_entropy_dice, {"weight": 1.2}),
        (segmentation.log_cosh_dice, {"smooth": 0.0}),
        (segmentation.focal, {"gamma": -1.0}),
    ],
)
def test_options_out_of_range_are_refused(loss, options):
    ((name, value),) = options.items()
    with pytest.raises(UserError, match=f"`{name}` is {value!r}; expected"):
        loss(LOGITS.astype(np.float32), MASKS, **options)
