"""Differences of a metric below which two losses are equivalent in practice.

Pages and commands that conclude nothing read them too, without SciPy's second of import.
"""

import math

# Metrics whose differences are points of a percentage.
SHARES = (
    *("accuracy", "balanced_accuracy", "top_k", "f1", "macro_f1", "hamming"),
    *("auc", "roc_auc", "average_precision", "mean_average_precision"),
    *("iou", "dice", "pixel_accuracy", "box_iou", "box_hits"),
    *("recall_at_1", "map_at_r", "ndcg", "mrr", "concordance", "token_accuracy"),
)
_CORRELATIONS = ("r2", "spearman", "matthews", "quadratic_kappa")
# In units of the metric.
MARGINS = dict.fromkeys(SHARES, 0.01) | dict.fromkeys(_CORRELATIONS, 0.02)
# Of the reference's value.
RELATIVE_MARGINS = dict.fromkeys(
    ("rmse", "mae", "median_absolute_error", "class_mae", "crps", "pinball", "hausdorff"), 0.02
)


def margin_of(metric: str, margin: float | None = None, reference: float | None = None) -> float:
    """Returns the margin of equivalence of a metric, in its units.

    `margin` if it is given; else one point of shares such as accuracy, f1 and iou, 0.02 of r2 and
    of correlations, and 2 % of the `reference`'s value for errors in the units of the targets, such
    as rmse and mae. NaN for other metrics, or without a reference: then no pair is equivalent.
    """
    if margin is not None:
        return float(margin)
    if metric in RELATIVE_MARGINS and reference is not None:
        return RELATIVE_MARGINS[metric] * abs(float(reference))
    return MARGINS.get(metric, math.nan)
