"""The truth about optax.losses, by their own names; `expected` says what the columns mean.

Targets as each loss documents them: hinge_loss and perceptron_loss take -1 and +1, the multiclass
margin losses integer labels, the divergences float targets. Formulas and sources of what the menus
hold too stand in `expected_losses`.
"""

import math
from functools import partial

from expected import FINITE, INF, Row
from expected_losses import FOCAL_CURVATURE, FOCAL_SLOPE, REGION, ROOT2


def _row(task, name, *columns, **rest):
    return Row(f"optax.losses:{name}", task, *columns, **rest)


regression = partial(_row, "regression")
binary = partial(_row, "binary")
multiclass = partial(_row, "multiclass")
segmentation = partial(_row, "segmentation")

REGRESSION = (
    regression("squared_error", "smooth", True, INF, 2, (0, INF), "trainable"),
    # Half of it.
    regression("l2_loss", "smooth", True, INF, 1, (0, INF), "trainable"),
    regression("huber_loss", "C1", True, 1, 1, (0, INF), "trainable", "D103"),
    regression(
        "huber_loss", "C1", True, 0.3, 1, (0, INF), "trainable", "D103", options={"delta": 0.3}
    ),
    regression("log_cosh", "smooth", True, 1, 1, (0, INF), "trainable"),
)

BINARY = (
    binary("sigmoid_binary_cross_entropy", "smooth", True, 1, 1 / 4, (0, INF), "trainable"),
    binary(
        "sigmoid_focal_loss",
        *("smooth", False, FOCAL_SLOPE, FOCAL_CURVATURE, (0, INF), "trainable", "S401"),
    ),
    binary(
        "sigmoid_focal_loss",
        *("smooth", True, 1, 1 / 4, (0, INF), "trainable"),
        options={"gamma": 0.0},
    ),
    binary("hinge_loss", "C0", True, 1, 0, (0, INF), "trainable", "D102"),
    # Rosenblatt 1958: max(-m, 0). Minimal for every margin above 0, however small.
    binary("perceptron_loss", "C0", True, 1, 0, (0, INF), "trainable", "D102"),
    # Blondel et al. 2020. 0 for m > 1, (1 - m)^2 / 4 between, -m below -1: slope up to 1, second
    # derivative 1/2 between, else 0.
    binary("sparsemax_loss", "C1", True, 1, 1 / 2, (0, INF), "trainable", "D103"),
)

# 1 - cos has no limit at the zero vector, and optax divides 0 by 0 there: not smooth on the whole
# space, smooth wherever it is defined. Slope sin(angle) / |z|: without bound near zero, 0 exactly
# opposite to the target, and falling as 1 / |z| everywhere.
COSINE = (("discontinuous", "smooth"), False, INF, INF)
COSINE_MAYBE = "D101 N302 G205"

MULTICLASS = (
    multiclass("softmax_cross_entropy", "smooth", True, ROOT2, 1 / 2, (0, INF), "trainable"),
    multiclass("safe_softmax_cross_entropy", "smooth", True, ROOT2, 1 / 2, (0, INF), "trainable"),
    multiclass(
        "softmax_cross_entropy_with_integer_labels",
        *("smooth", True, ROOT2, 1 / 2, (0, INF), "trainable"),
    ),
    multiclass(
        "poly_loss_cross_entropy",
        *("smooth", False, 1.125 * ROOT2, None, (0, INF), "trainable", "S401"),
    ),
    # Cao et al. 2007 (ListNet), here of one list an example: the mean over the batch of softmax
    # cross entropy, so that the slope of one example depends on the size of the batch.
    multiclass("ranking_softmax_loss", "smooth", True, FINITE, None, (0, INF), "trainable"),
    multiclass("multiclass_hinge_loss", "C0", True, ROOT2, 0, (0, INF), "trainable", "D102 G204"),
    # Collins 2002: max_j z_j - z_y. Two of four components.
    multiclass(
        "multiclass_perceptron_loss",
        *("C0", True, ROOT2, 0, (0, INF), "trainable", "D102 G204"),
    ),
    # Martins and Astudillo 2016. Gradient sparsemax(z) - t: continuous, piecewise linear. Hessian
    # the centering matrix of the support: eigenvalue 1. The support has one to four classes, so
    # that it is less sparse than a maximum and sparser than a softmax.
    multiclass(
        "multiclass_sparsemax_loss",
        *("C1", True, ROOT2, 1, (0, INF), "trainable", "D103"),
        maybe="G204",
    ),
    # Kullback and Leibler 1951, of log-probabilities. Nothing here normalizes them: for a one-hot
    # target it is minus the logit of the true class, linear, falling without end toward the
    # target, and no other component is reached.
    multiclass(
        "kl_divergence",
        *("smooth", True, 1, 0, (-INF, INF), "care", "S402:warning G204"),
        maybe="S403",
    ),
    # Targets are logarithms too: 0 and 1 weigh the components by 1 and e, and it falls without end
    # wherever any component grows, of a wrong class as well.
    multiclass(
        "kl_divergence_with_log_targets",
        *("smooth", True, math.sqrt(3 + math.e**2), 0, (-INF, INF), "untrainable", "S402:any"),
        maybe="S403 S403:error S404",
    ),
    # Boyd and Vandenberghe 2004: plus exp(z) - t, which bounds it from below (0 for one-hot
    # targets) and explodes upward, beyond float32 from 88.7 on.
    multiclass(
        "generalized_kl_divergence",
        *("smooth", True, INF, INF, (0, INF), "care", "G206"),
        maybe="N301 N302",
    ),
    # The same under its former name.
    multiclass(
        "convex_kl_divergence",
        *("smooth", True, INF, INF, (0, INF), "care", "G206"),
        maybe="N301 N302",
    ),
    # At the zero vector NaN.
    multiclass("cosine_distance", *COSINE, (0, 2), "care", "N301:warning S401", maybe=COSINE_MAYBE),
    # A similarity, to be maximized: as a loss it is smallest opposite to the target.
    multiclass(
        "cosine_similarity",
        *(*COSINE, (-1, 1), "untrainable", "N301:warning S401 S403:error"),
        maybe=f"{COSINE_MAYBE} S404",
    ),
    # Rows of logits count as images of one pixel: the mean over classes of (1 - p) / (3 + p) for
    # the true one and p / (2 + p) for the others, largest where three rivals share all. The slope
    # is largest against one rival, at p = 0.5147.
    multiclass(
        "dice_loss",
        *("smooth", False, 0.057190958418, None, (0, 4 / 21), "care", "S401 G205:warning"),
    ),
    # Sudre et al. 2017. One number for a batch, weighted by how rare each class is in it: a class
    # that is absent gets nearly all the weight, so the size of the slope depends on the batch.
    multiclass(
        "multiclass_generalized_dice_loss",
        *("smooth", False, FINITE, None, (0, FINITE), "trainable", "S401"),
        maybe="B502 G205:warning",
    ),
)

SEGMENTATION = (segmentation("binary_dice_loss", *REGION),)

ROWS = REGRESSION + BINARY + MULTICLASS + SEGMENTATION

# Public names of optax.losses without a row, and why.
LEFT_OUT = {
    "smooth_labels": "makes targets, is no loss",
    "make_fenchel_young_loss": "makes a loss, is none itself",
    "ctc_loss": "takes four arrays",
    "ctc_loss_with_forward_probs": "takes four arrays and returns three",
    "triplet_margin_loss": "takes three arrays",
    "ntxent": "compares the examples of a batch with each other: no loss of one example",
}
