"""Every metric of the menu against scikit-learn, scipy, scoringrules, or a loop in float64."""

import math

import jax
import numpy as np
import pytest
import scoringrules
import sklearn.metrics as sk
from metric_cases import CLASSES, case
from scipy import stats
from scipy.spatial.distance import directed_hausdorff
from scipy.special import expit, log_softmax, softmax
from test_metric_laws import METRICS, PAIRS

from landscape.parts.metrics import Snapshot

LEVELS = (0.1, 0.5, 0.9)


def scale_of(raw):
    return 1e-3 + np.logaddexp(raw, 0)


def crps(p, y):
    return np.mean(scoringrules.crps_normal(y, p[:, 0], scale_of(p[:, 1])))


def log_score(p, y):
    return -np.mean(stats.norm.logpdf(y, p[:, 0], scale_of(p[:, 1])))


def pinball(p, y):
    return np.mean(
        [sk.mean_pinball_loss(y, p[:, i], alpha=level) for i, level in enumerate(LEVELS)]
    )


def coverage_gap(p, y):
    inside = [low <= value <= high for (low, _, high), value in zip(p, y, strict=True)]
    return abs(sum(inside) / len(inside) - 0.8)


def ece(p, y, bins=15):
    if p.ndim == 1:
        confidence, correct = expit(np.abs(p)), (p > 0) == y
    else:
        confidence, correct = softmax(p, axis=1).max(axis=1), p.argmax(axis=1) == y
    total = 0.0
    for number in range(bins):
        rows = (number / bins < confidence) & (confidence <= (number + 1) / bins)
        if rows.any():
            total += rows.mean() * abs(correct[rows].mean() - confidence[rows].mean())
    return total


def of_decisions(metric, **options):
    def reference(p, y):
        return metric(y, p > 0 if p.ndim == 1 else p.argmax(axis=1), **options)

    return reference


def balanced_accuracy(p, y):
    predicted = p > 0 if p.ndim == 1 else p.argmax(axis=1)
    return sk.recall_score(y, predicted, average="macro", labels=np.unique(y))


def f1(p, y):
    if p.ndim == 1:
        return sk.f1_score(y, p > 0)
    return sk.f1_score(y, p.argmax(axis=1), average="macro", zero_division=0)


def log_loss(p, y):
    if p.ndim == 1:
        return sk.log_loss(y, expit(p))
    return sk.log_loss(y, softmax(p, axis=1), labels=range(CLASSES))


def brier(p, y):
    if p.ndim == 1:
        return sk.brier_score_loss(y, expit(p))
    return np.mean(np.sum((softmax(p, axis=1) - np.eye(CLASSES)[y]) ** 2, axis=1))


def kappa(p, y):
    predicted = (p > 0).sum(axis=1)
    return sk.cohen_kappa_score(y, predicted, weights="quadratic", labels=range(CLASSES))


def of_images(metric):
    def reference(p, y):
        pairs = [(t.ravel() > 0, q.ravel() > 0) for t, q in zip(y, p, strict=True)]
        return np.mean([metric(*pair, zero_division=1) for pair in pairs])

    return reference


def hausdorff(p, y):
    distances = []
    for predicted, true in zip(p > 0, y > 0, strict=True):
        first, second = np.argwhere(predicted), np.argwhere(true)
        if len(first) and len(second):
            both = directed_hausdorff(first, second)[0], directed_hausdorff(second, first)[0]
            distances.append(max(both))
        else:
            distances.append(math.hypot(5, 4) if len(first) or len(second) else 0)
    return np.mean(distances)


def box_overlaps(p, y):
    for predicted, true in zip(p, y, strict=True):
        sides = [(sorted(predicted[axis::2]), sorted(true[axis::2])) for axis in range(2)]
        both = math.prod(max(min(a[1], b[1]) - max(a[0], b[0]), 0) for a, b in sides)
        areas = [math.prod(side[box][1] - side[box][0] for side in sides) for box in range(2)]
        yield both / (sum(areas) - both)


def retrieved(p, y):
    """For each query with a relevant example, whether the others are relevant, nearest first."""
    for query in range(len(y)):
        others = [row for row in range(len(y)) if row != query]
        others.sort(key=lambda row: np.sum((p[row] - p[query]) ** 2))
        relevant = [y[row] == y[query] for row in others]
        if any(relevant):
            yield relevant


def map_at_r(p, y):
    scores = []
    for relevant in retrieved(p, y):
        number = sum(relevant)
        hits = [sum(relevant[: i + 1]) / (i + 1) for i in range(number) if relevant[i]]
        scores.append(sum(hits) / number)
    return np.mean(scores)


def of_groups(metric):
    def reference(p, y, groups):
        members = [np.flatnonzero(groups == group) for group in np.unique(groups)]
        return np.mean([metric(p[rows], y[rows]) for rows in members if y[rows].any()])

    return reference


def ndcg(p, y):
    return sk.ndcg_score([2**y - 1], [p], k=10)


def reciprocal_rank(p, y):
    order = sorted(range(len(y)), key=lambda row: (-p[row], y[row] > 0))
    return 1 / (1 + next(place for place, row in enumerate(order) if y[row] > 0))


def concordance(p, y, events):
    wins = pairs = 0
    for i in range(len(y)):
        for j in range(len(y)):
            earlier = y[i] < y[j] or (y[i] == y[j] and not events[j])
            if events[i] and earlier:
                pairs += 1
                wins += 1 if p[i] > p[j] else 0.5 if p[i] == p[j] else 0
    return wins / pairs


def perplexity(p, y, mask):
    rows = np.take_along_axis(log_softmax(p, axis=-1), y[..., None], axis=-1)[..., 0]
    return np.exp(-np.average(rows, weights=mask))


REFERENCES = {
    "r2": lambda p, y: sk.r2_score(y, p),
    "rmse": lambda p, y: sk.root_mean_squared_error(y, p),
    "mae": lambda p, y: sk.mean_absolute_error(y, p),
    "median_absolute_error": lambda p, y: sk.median_absolute_error(y, p),
    "spearman": lambda p, y: stats.spearmanr(p, y).statistic,
    "crps": crps,
    "log_score": log_score,
    "pinball": pinball,
    "coverage_gap": coverage_gap,
    "accuracy": of_decisions(sk.accuracy_score),
    "balanced_accuracy": balanced_accuracy,
    "f1": f1,
    "matthews": of_decisions(sk.matthews_corrcoef),
    "top_k": lambda p, y: sk.top_k_accuracy_score(y, p, k=5, labels=range(CLASSES)),
    "roc_auc": lambda p, y: sk.roc_auc_score(y, p),
    "average_precision": lambda p, y: sk.average_precision_score(y, p),
    "log_loss": log_loss,
    "brier": brier,
    "ece": ece,
    "quadratic_kappa": kappa,
    "class_mae": lambda p, y: np.mean(np.abs((p > 0).sum(axis=1) - y)),
    "mean_average_precision": lambda p, y: sk.average_precision_score(y, p, average="macro"),
    "macro_f1": lambda p, y: sk.f1_score(y, p > 0, average="macro", zero_division=0),
    "hamming": lambda p, y: sk.hamming_loss(y, p > 0),
    "coverage_error": lambda p, y: sk.coverage_error(y, p),
    "iou": of_images(sk.jaccard_score),
    "dice": of_images(sk.f1_score),
    "pixel_accuracy": lambda p, y: np.mean((p > 0) == y),
    "hausdorff": hausdorff,
    "box_iou": lambda p, y: np.mean([*box_overlaps(p, y)]),
    "box_hits": lambda p, y: np.mean([value > 0.5 for value in box_overlaps(p, y)]),
    "recall_at_1": lambda p, y: np.mean([relevant[0] for relevant in retrieved(p, y)]),
    "map_at_r": map_at_r,
    "ndcg": of_groups(ndcg),
    "mrr": of_groups(reciprocal_rank),
    "concordance": concordance,
    "token_accuracy": lambda p, y, mask: np.average(p.argmax(axis=-1) == y, weights=mask),
    "perplexity": perplexity,
}


def test_every_metric_has_a_reference():
    assert set(REFERENCES) == set(METRICS)


@pytest.mark.parametrize(("name", "task"), PAIRS)
def test_metrics_equal_their_references(name, task):
    compiled = jax.jit(lambda *arrays: METRICS[name](Snapshot(*arrays)))
    for seed in range(4):
        predictions, targets, _, fields = case(name, task, seed)
        float64 = predictions.astype(np.float64)
        expected = REFERENCES[name](float64, targets, *fields.values())
        value = float(compiled(predictions, targets, fields))
        assert value == pytest.approx(expected, rel=2e-5, abs=2e-6), seed
