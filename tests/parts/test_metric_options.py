"""Options of metrics: thresholds, forms of predictions, several classes; and edge cases."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scoringrules
import sklearn.metrics as sk
from metric_cases import binary, multiclass, ordinal, regression, segmentation
from scipy import stats
from scipy.spatial.distance import directed_hausdorff
from scipy.special import expit, softmax

from landscape.errors import UserError
from landscape.parts.metrics import Snapshot
from landscape.parts.metrics.boxes import box_iou
from landscape.parts.metrics.classification import (
    accuracy,
    balanced_accuracy,
    f1,
    matthews,
    top_k,
)
from landscape.parts.metrics.distribution import crps, log_score, pinball
from landscape.parts.metrics.embedding import recall_at_1
from landscape.parts.metrics.ordinal import class_mae
from landscape.parts.metrics.overlap import dice, hausdorff, iou, pixel_accuracy
from landscape.parts.metrics.probability import average_precision, brier, ece, log_loss, roc_auc
from landscape.parts.metrics.regression import r2, spearman

DECISIONS = {
    "accuracy": (accuracy, sk.accuracy_score),
    "balanced_accuracy": (balanced_accuracy, sk.balanced_accuracy_score),
    "f1": (f1, sk.f1_score),
    "matthews": (matthews, sk.matthews_corrcoef),
}


def value(metric, predictions, targets, **fields):
    arrays = (jnp.asarray(array) for array in (predictions, targets))
    return float(jax.jit(lambda *arrays: metric(Snapshot(*arrays)))(*arrays, fields))


def generator(seed=0):
    return np.random.default_rng(seed)


@pytest.mark.parametrize("name", DECISIONS)
def test_a_threshold_is_one_of_the_probability(name):
    metric, reference = DECISIONS[name]
    predictions, targets, *_ = binary(generator())
    expected = reference(targets, expit(predictions.astype(float)) > 0.7)
    assert value(metric(0.7), predictions, targets) == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize("name", DECISIONS)
def test_a_chosen_threshold_is_the_best_of_all_on_validation_and_is_applied_to_test(name):
    metric, reference = DECISIONS[name]
    metric = metric("validation")
    validation, test = (binary(generator(seed)) for seed in (1, 2))
    cuts = [-9.0, *(np.unique(validation.predictions) + 0.05), 9.0]  # logits are multiples of 0.1
    scores = [reference(validation.targets, validation.predictions > cut) for cut in cuts]
    on_validation = Snapshot(*map(jnp.asarray, validation[:2]))
    assert float(metric(on_validation)) == pytest.approx(max(scores), abs=1e-6)
    best = [cut for cut, score in zip(cuts, scores, strict=True) if score > max(scores) - 1e-9]
    expected = [reference(test.targets, test.predictions > cut) for cut in best]
    on_test = Snapshot(*map(jnp.asarray, test[:2]))
    found = float(metric(on_test, on_validation))
    assert any(found == pytest.approx(value, abs=1e-6) for value in expected)


@pytest.mark.parametrize("threshold", [0.0, 1.0, -1.0, float("nan"), "test"])
@pytest.mark.parametrize("metric", [accuracy, f1, iou, dice])
def test_a_threshold_outside_0_and_1_is_rejected(metric, threshold):
    with pytest.raises(UserError, match="threshold"):
        metric(threshold)


def test_several_classes_have_no_threshold():
    predictions, targets, *_ = multiclass(generator())
    for threshold in (0.3, "validation"):
        with pytest.raises(UserError, match="several classes"):
            value(f1(threshold), predictions, targets)


def shares_of_classes():
    """Logits, shares of each class, and the class with the largest share."""
    random = generator()
    logits = random.normal(size=(30, 4)).astype(np.float32)
    shares = random.dirichlet(np.full(4, 0.5), size=30).astype(np.float32)
    return logits, shares, shares.argmax(axis=1)


@pytest.mark.parametrize("name", DECISIONS)
def test_the_true_class_of_soft_labels_is_the_one_with_the_largest_share(name):
    metric, reference = DECISIONS[name]
    logits, shares, true = shares_of_classes()
    options = {"average": "macro"} if name == "f1" else {}
    expected = reference(true, logits.argmax(axis=1), **options)
    assert value(metric(), logits, shares) == pytest.approx(expected, abs=1e-6)
    expected = sk.top_k_accuracy_score(true, logits, k=2)
    assert value(top_k(2), logits, shares) == pytest.approx(expected, abs=1e-6)


def test_scores_of_probabilities_use_the_shares_of_soft_labels():
    logits, shares, true = shares_of_classes()
    probabilities = softmax(logits.astype(float), axis=1)
    crossed = -np.mean(np.sum(shares * np.log(probabilities), axis=1))
    assert value(log_loss(), logits, shares) == pytest.approx(crossed, rel=1e-5)
    squared = np.mean(np.sum((probabilities - shares) ** 2, axis=1))
    assert value(brier(), logits, shares) == pytest.approx(squared, rel=1e-5)
    correct = probabilities.argmax(axis=1) == true
    gap = abs(correct.mean() - probabilities.max(axis=1).mean())
    assert value(ece(bins=1), logits, shares) == pytest.approx(gap, rel=1e-5)


def test_top_k_needs_more_than_k_classes():
    predictions, targets, *_ = multiclass(generator())
    with pytest.raises(UserError, match="`k: 7`, but there are 7 classes"):
        value(top_k(7), predictions, targets)
    assert value(top_k(1), predictions, targets) == value(accuracy(), predictions, targets)


def test_f1_is_zero_without_class_1_in_targets_and_predictions():
    assert value(f1(), -np.ones(4, np.float32), np.zeros(4, np.float32)) == 0.0


def test_order_metrics_are_undefined_without_both_classes():
    logits = np.array([1.0, 2.0], np.float32)
    assert np.isnan(value(roc_auc(), logits, np.ones(2, np.float32)))
    assert np.isnan(value(average_precision(), logits, np.zeros(2, np.float32)))


def test_r2_of_constant_targets_equals_scikit_learn():
    targets = np.full((5, 2), 0.1, np.float32)
    predictions = targets + np.array([[0, 1]], np.float32)
    assert value(r2(), predictions, targets) == 0.5 == sk.r2_score(targets, predictions)


def test_several_outputs_are_averaged():
    cases = [regression(generator(seed)) for seed in range(3)]
    targets, predictions = (
        np.stack([getattr(case, name) for case in cases], axis=1)
        for name in ("targets", "predictions")
    )
    expected = np.mean([stats.spearmanr(c.predictions, c.targets).statistic for c in cases])
    assert value(spearman(), predictions, targets) == pytest.approx(expected, abs=1e-6)
    assert value(r2(), predictions, targets) == pytest.approx(sk.r2_score(targets, predictions))
    assert value(spearman(), np.zeros_like(targets), targets) == 0.0


def mixture(seed):
    random = generator(seed)
    predictions = random.normal(size=(30, 6)).astype(np.float32)
    logits, means, raw = np.split(predictions.astype(float), 3, axis=1)
    scales = 1e-3 + np.logaddexp(raw, 0)
    return predictions, random.normal(size=30), means, scales, softmax(logits, axis=1)


def test_scores_of_a_mixture():
    predictions, targets, means, scales, weights = mixture(0)
    expected = np.mean(scoringrules.crps_mixnorm(targets, means, scales, weights))
    targets32 = targets.astype(np.float32)
    assert value(crps("mixture"), predictions, targets32) == pytest.approx(expected, rel=1e-5)
    density = np.sum(weights * stats.norm.pdf(targets[:, None], means, scales), axis=1)
    expected = -np.mean(np.log(density))
    assert value(log_score("mixture"), predictions, targets32) == pytest.approx(expected, rel=1e-5)


def test_quantiles_of_a_gaussian_head():
    random = generator()
    predictions = random.normal(size=(30, 2)).astype(np.float32)
    targets = random.normal(size=30).astype(np.float32)
    mean, scale = predictions[:, 0], 1e-3 + np.logaddexp(predictions[:, 1], 0)
    expected = np.mean(
        [
            sk.mean_pinball_loss(targets, stats.norm.ppf(level, mean, scale), alpha=level)
            for level in (0.2, 0.7)
        ]
    )
    metric = pinball(levels=(0.2, 0.7), head="gaussian")
    assert value(metric, predictions, targets) == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda: crps(head="quantiles"), "does not read a quantiles head"),
        (lambda: pinball(levels=(0.5, 0.1)), "expected two or more numbers that rise"),
        (lambda: pinball(levels=(0.5, 1.5)), "levels"),
        (lambda: crps(floor=0.0), "floor"),
    ],
)
def test_options_of_distributions_are_checked(build, message):
    with pytest.raises(UserError, match=message):
        build()


def test_ordered_classes_may_be_predicted_by_a_softmax():
    predictions, targets, *_ = ordinal(generator())
    logits = np.pad(predictions, ((0, 0), (0, 1)))
    expected = np.mean(np.abs(logits.argmax(axis=1) - targets))
    assert value(class_mae("classes"), logits, targets) == pytest.approx(expected)


def test_boxes_as_center_and_size_equal_their_corners():
    random = generator()
    center, size = random.random((2, 20, 2)), random.random((2, 20, 2))
    centered = [np.hstack(pair) for pair in zip(center, size, strict=True)]
    corners = [np.hstack([c - s / 2, c + s / 2]) for c, s in zip(center, size, strict=True)]
    assert value(box_iou("center"), *centered) == pytest.approx(value(box_iou(), *corners))


def test_cosine_neighbors_ignore_lengths():
    random = generator()
    points, labels = random.normal(size=(30, 3)), random.integers(3, size=30)
    units = points / np.linalg.norm(points, axis=1, keepdims=True)
    expected = value(recall_at_1(), units, labels)
    assert value(recall_at_1("cosine"), points, labels) == expected
    assert value(recall_at_1(), points, labels) != expected


def test_masks_of_several_classes_equal_scikit_learn_over_all_counted_pixels():
    random = generator()
    logits = random.normal(size=(5, 4, 6, 4)).astype(np.float32)
    logits[..., 3] = -9  # a class that never occurs
    labels = random.integers(3, size=(5, 4, 6)).astype(np.int32)
    labels[0, 0] = 255
    mask = (random.random(labels.shape) < 0.7).astype(np.float32)
    kept = (labels != 255) & (mask > 0)
    pair = labels[kept], logits.argmax(axis=-1)[kept]
    for metric, expected in [
        (iou, sk.jaccard_score(*pair, average="macro")),
        (dice, sk.f1_score(*pair, average="macro")),
        (pixel_accuracy, sk.accuracy_score(*pair)),
    ]:
        found = value(metric(ignore=255), logits, labels, mask=mask)
        assert found == pytest.approx(expected, abs=1e-6)


def test_the_distance_of_masks_of_several_classes_is_the_mean_over_those_that_occur():
    random = generator()
    logits = random.normal(size=(4, 5, 6, 4)).astype(np.float32)
    logits[..., 3] = -9
    logits[0, ..., 2] = -9  # a class that is true and not predicted
    labels = random.integers(3, size=(4, 5, 6)).astype(np.int32)
    labels[1] = np.where(labels[1] == 1, 0, labels[1])  # and one that is only predicted
    mask = (random.random(labels.shape) < 0.5).astype(np.float32)
    distances = []
    for predicted, true, counted in zip(logits.argmax(axis=-1), labels, mask > 0, strict=True):
        for label in range(4):
            pair = [np.argwhere((each == label) & counted) for each in (predicted, true)]
            if len(pair[0]) and len(pair[1]):
                ends = directed_hausdorff(*pair)[0], directed_hausdorff(*pair[::-1])[0]
                distances.append(max(ends))
            elif len(pair[0]) or len(pair[1]):
                distances.append(41**0.5)
    found = value(hausdorff(), logits, labels, mask=mask)
    assert found == pytest.approx(np.mean(distances), rel=1e-6)


def test_two_empty_masks_agree_and_one_empty_mask_does_not():
    empty, full = np.zeros((1, 3, 5), np.float32), np.ones((1, 3, 5), np.float32)
    for metric in (iou(), dice()):
        assert value(metric, empty - 1, empty) == 1.0
        assert value(metric, full, empty) == 0.0
        assert value(metric, -full, full) == 0.0
    assert value(hausdorff(), empty - 1, empty) == 0.0
    assert value(hausdorff(), full, empty) == pytest.approx(20**0.5)


def test_overlap_at_a_threshold_is_that_of_the_probability():
    predictions, targets, *_ = segmentation(generator())
    decided = expit(predictions.astype(float)) > 0.2
    pairs = [(t.ravel() > 0, p.ravel()) for t, p in zip(targets, decided, strict=True)]
    expected = np.mean([sk.jaccard_score(*pair, zero_division=1) for pair in pairs])
    assert value(iou(0.2), predictions, targets) == pytest.approx(expected, abs=1e-6)
