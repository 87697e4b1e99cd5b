"""The truth about the losses of the menus; `expected` says what the columns mean.

In the comments e = prediction - target, m is the margin, q = sigmoid(m), p the probability of the
true class, t the one-hot target. A multiclass loss f(p) has the gradient f'(p) p (t - p_vector),
whose norm is largest with one rival only: |f'(p)| p (1 - p) sqrt(2).
"""

import math
from functools import partial

from expected import FINITE, INF, Row

ROOT2 = math.sqrt(2)


def _row(task, name, *columns, **rest):
    return Row(f"landscape.parts.losses.{task}:{name}", task, *columns, **rest)


regression = partial(_row, "regression")
binary = partial(_row, "binary")
multiclass = partial(_row, "multiclass")
segmentation = partial(_row, "segmentation")

REGRESSION = (
    # Gauss 1809. Gradient 2 e.
    regression("squared_error", "smooth", True, INF, 2, (0, INF), "trainable"),
    # Laplace 1774. Gradient sign(e).
    regression("absolute_error", "C0", True, 1, 0, (0, INF), "trainable", "D102"),
    # Huber 1964. Gradient clip(e, -delta, delta): the second derivative jumps from 1 to 0 at delta.
    regression("huber", "C1", True, 1, 1, (0, INF), "trainable", "D103"),
    regression("huber", "C1", True, 0.3, 1, (0, INF), "trainable", "D103", options={"delta": 0.3}),
    # Charbonnier et al. 1994. Gradient e / sqrt(1 + e^2), second derivative (1 + e^2)^(-3/2).
    regression("pseudo_huber", "smooth", True, 1, 1, (0, INF), "trainable"),
    # Green 1990. Gradient tanh(e), second derivative 1 - tanh(e)^2.
    regression("log_cosh", "smooth", True, 1, 1, (0, INF), "trainable"),
    # Koenker and Bassett 1978. Slopes level and level - 1.
    regression("quantile", "C0", True, 0.5, 0, (0, INF), "trainable", "D102"),
    regression(
        "quantile", "C0", True, 0.9, 0, (0, INF), "trainable", "D102", options={"level": 0.9}
    ),
    # Vapnik 1995. Kinks at |e| = epsilon; the abs inside does not kink, as it is cut off at 0. The
    # zero gradient of the tube lies at the minimum.
    regression("epsilon_insensitive", "C0", True, 1, 0, (0, INF), "trainable", "D102"),
    # Without a tube it is the absolute error, and now the abs does kink.
    regression(
        "epsilon_insensitive",
        *("C0", True, 1, 0, (0, INF), "trainable", "D102"),
        options={"epsilon": 0.0},
    ),
    # Black and Anandan 1996. Gradient e / (1 + e^2/2), largest at sqrt(2), at 30 still 9 % of it;
    # second derivative (1 - e^2/2) / (1 + e^2/2)^2, negative beyond sqrt(2). The value grows
    # without bound, though as a logarithm.
    regression("cauchy", "smooth", False, ROOT2 / 2, 1, (0, INF), "trainable", "S401 G205:note"),
    # Barron 2019. alpha = 1 is pseudo_huber.
    regression("barron", "smooth", True, 1, 1, (0, INF), "trainable"),
    # e^2 / 2.
    regression("barron", "smooth", True, INF, 1, (0, INF), "trainable", options={"alpha": 2.0}),
    # cauchy.
    regression(
        "barron",
        *("smooth", False, ROOT2 / 2, 1, (0, INF), "trainable", "S401 G205:note"),
        options={"alpha": 0.0},
    ),
    # Geman and McClure 1985: 2 e^2 / (e^2 + 4). Gradient 16 e / (e^2 + 4)^2, largest at sqrt(4/3):
    # 3 sqrt(3) / 8. It falls as e^-3 and is 0.0009 of that at 30, 0.0010 at 29: note or warning is
    # decided by where exactly one looks.
    regression(
        "barron",
        *("smooth", False, 3 * math.sqrt(3) / 8, 1, (0, 2), "care", "S401 G205:any"),
        options={"alpha": -2.0},
    ),
    # (1/3) ((1 + 2 e^2)^(3/4) - 1). Gradient e (1 + 2 e^2)^(-1/4), growing as sqrt(e); second
    # derivative (1 + e^2) (1 + 2 e^2)^(-5/4) is positive, and 1 at 0.
    regression("barron", "smooth", True, INF, 1, (0, INF), "trainable", options={"alpha": 1.5}),
    # Welsch (Dennis and Welsch 1978): 1 - exp(-e^2/2). Gradient e exp(-e^2/2), largest at 1.
    regression(
        "barron",
        *("smooth", False, math.exp(-0.5), 1, (0, 1), "care", "S401 G205:warning"),
        options={"alpha": -INF},
    ),
    # Blake and Zisserman 1987. Slope 2 e up to the limit, then 0. That it also saturates says the
    # same as the dead region.
    regression(
        "clipped_squared_error",
        *("C0", False, 2, 2, (0, 1), "care", "D102 S401 G202:warning"),
        maybe="G205",
    ),
)

# Largest (1 - q)^gamma ((1 - q) - gamma q log(q)), the slope of the focal loss; at gamma = 2 the
# largest second derivative, near m = -0.603.
FOCAL_SLOPE, FOCAL_CURVATURE = 1.1289832185684, 0.496191346168
# Brier: slope 2 q (1 - q)^2 at q = 1/3; second derivative 2 q (1 - q)^2 (3 q - 1) at q = (9 +
# sqrt(33)) / 24.
BRIER_SLOPE, BRIER_CURVATURE = 8 / 27, 0.15405857012135
# Piecewise constant: that no sample, no component and nothing wrong is reached follows.
NOTHING_REACHED = "G202 G202:error G203 G204 G205"

BINARY = (
    # Cox 1958. Gradient q - 1, second derivative q (1 - q).
    binary("sigmoid_cross_entropy", "smooth", True, 1, 1 / 4, (0, INF), "trainable"),
    # Keras (Chollet 2015). For t = 1 constant below z = log(1e-7) = -16.1, there slope 0 meets
    # slope -1: the wrong way round for a convex function. The value is at least -log(1 - 1e-7).
    binary(
        "clipped_cross_entropy",
        *("C0", False, 1, 1 / 4, (1e-7, -math.log(1e-7)), "care", "D102 S401 G202:warning"),
        maybe="G205",
    ),
    # Lin et al. 2017. The slope is largest at m = -2.8 and falls to 1, so it is concave beyond,
    # but does not vanish.
    binary(
        "focal",
        *("smooth", False, FOCAL_SLOPE, FOCAL_CURVATURE, (0, INF), "trainable", "S401"),
    ),
    # gamma = 0 is sigmoid_cross_entropy.
    binary("focal", "smooth", True, 1, 1 / 4, (0, INF), "trainable", options={"gamma": 0.0}),
    # gamma = 1/2: slope 1.0089530610 and second derivative 0.3245897576, times 1 - alpha for t = 0.
    binary(
        "focal",
        *("smooth", False, 0.75 * 1.00895306104423, 0.75 * 0.324589757607494, (0, INF)),
        *("trainable", "S401"),
        options={"gamma": 0.5, "alpha": 0.25},
    ),
    # Brier 1950. The gradient vanishes as exp(m) for confident mistakes.
    binary(
        "brier",
        *("smooth", False, BRIER_SLOPE, BRIER_CURVATURE, (0, 1), "care", "S401 G205:warning"),
    ),
    # Cortes and Vapnik 1995. Flat beyond the margin, at the minimum.
    binary("hinge", "C0", True, 1, 0, (0, INF), "trainable", "D102"),
    # Tang 2013. Second derivative 2 below the margin, 0 above.
    binary("squared_hinge", "C1", True, INF, 2, (0, INF), "trainable", "D103"),
    # Rennie and Srebro 2005. Second derivative 1 for margins from 0 to 1, else 0.
    binary("smoothed_hinge", "C1", True, 1, 1, (0, INF), "trainable", "D103"),
    # Freund and Schapire 1997. Infinite in float32 below m = -88.7, as a consequence.
    binary(
        "exponential",
        *("smooth", True, INF, INF, (0, INF), "care", "G206"),
        maybe="N301 N302",
    ),
    # Masnadi-Shirazi and Vasconcelos 2008. brier of 2 m: slope twice, curvature four times.
    binary(
        "savage",
        *("smooth", False, 2 * BRIER_SLOPE, 4 * BRIER_CURVATURE, (0, 1)),
        *("care", "S401 G205:warning"),
    ),
    # Vapnik 1998. A function that jumps has no Lipschitz constant.
    binary(
        "zero_one",
        *("discontinuous", False, INF, None, (0, 1), "untrainable", "D101 G201 S401"),
        maybe=NOTHING_REACHED,
    ),
)

SMOOTHED_ENTROPY = -0.85 * math.log(0.85) - 0.15 * math.log(0.05)

MULTICLASS = (
    # Bridle 1990. Gradient p - t: sqrt(2) where one rival has all. Hessian diag(p) - p p^T: 1/2
    # where two classes share all.
    multiclass("softmax_cross_entropy", "smooth", True, ROOT2, 1 / 2, (0, INF), "trainable"),
    # Szegedy et al. 2016. Gradient p - s with s = (0.85, 0.05, 0.05, 0.05), longest at a rival's
    # corner; the minimum is the entropy of s, at a finite margin on the right side: intended, so
    # nothing to warn of.
    multiclass(
        "softmax_cross_entropy",
        *("smooth", True, math.sqrt(1.63), 1 / 2, (SMOOTHED_ENTROPY, INF), "trainable"),
        options={"label_smoothing": 0.2},
    ),
    # Leng et al. 2022. Factor 1 + 2 p: (1 + 2 p)(1 - p) sqrt(2) at p = 1/4. With two classes the
    # second derivative is q (1 - q)(4 q - 1), negative below q = 1/4.
    multiclass("poly", "smooth", False, 1.125 * ROOT2, None, (0, INF), "trainable", "S401"),
    # epsilon = -1: as a function of u = logsumexp of the rivals - z_y (convex) it has the slope
    # sigmoid(u)^2, which increases: convex after all.
    multiclass(
        "poly", "smooth", True, ROOT2, None, (0, INF), "trainable", options={"epsilon": -1.0}
    ),
    # Lin et al. 2017.
    multiclass("focal", "smooth", False, ROOT2 * FOCAL_SLOPE, None, (0, INF), "trainable", "S401"),
    multiclass(
        "focal", "smooth", True, ROOT2, 1 / 2, (0, INF), "trainable", options={"gamma": 0.0}
    ),
    # Brier 1950. With one rival 2 (1 - p)^2, else less: slope 4 sqrt(2) p (1 - p)^2 at p = 1/3.
    multiclass(
        "brier", "smooth", False, 16 * ROOT2 / 27, None, (0, 2), "care", "S401 G205:warning"
    ),
    # Crammer and Singer 2001. Gradient e_rival - e_true: two of four components.
    multiclass("multiclass_hinge", "C0", True, ROOT2, 0, (0, INF), "trainable", "D102 G204"),
    # Gimpel and Smith 2010. Gradient softmax(raised) - t; Hessian that of a logsumexp, over T.
    multiclass("logsumexp_margin", "smooth", True, ROOT2, 1 / 2, (0, INF), "trainable"),
    # The same at T = 0.1: steep, but no kink.
    multiclass(
        "logsumexp_margin",
        *("smooth", True, ROOT2, 5, (0, INF), "trainable"),
        options={"temperature": 0.1},
    ),
    # Ghosh et al. 2017. 2 (1 - p): each |p_j - t_j| keeps its sign, so there is no kink. Slope
    # 2 sqrt(2) p (1 - p) at p = 1/2.
    multiclass(
        "absolute_probability_error",
        *("smooth", False, ROOT2 / 2, None, (0, 2), "care", "S401 G205:warning"),
    ),
    # Zhang and Sabuncu 2018. Slope p^q (1 - p) sqrt(2) at p = q / (1 + q); at a margin of -30 the
    # factor p^q is 8e-10.
    multiclass(
        "generalized_cross_entropy",
        *("smooth", False, ROOT2 * 0.7**0.7 / 1.7**1.7, None, (0, 1 / 0.7)),
        *("care", "S401 G205:warning"),
    ),
    # q = 1: 1 - p.
    multiclass(
        "generalized_cross_entropy",
        *("smooth", False, ROOT2 / 4, None, (0, 1), "care", "S401 G205:warning"),
        options={"q": 1.0},
    ),
    # Wang et al. 2019. 0.1 CE + 4 (1 - p): (0.1 + 4 p)(1 - p) sqrt(2) at p = 0.4875. The slope
    # falls to 7 % of that, and stays there: it does not vanish.
    multiclass(
        "symmetric_cross_entropy",
        *("smooth", False, 2.05 * 0.5125 * ROOT2, None, (0, INF), "trainable", "S401"),
    ),
    # Vapnik 1998.
    multiclass(
        "zero_one",
        *("discontinuous", False, INF, None, (0, 1), "untrainable", "D101 G201 S401"),
        maybe=NOTHING_REACHED,
    ),
)

# A region loss of sigmoid(z) is smooth, bounded and not convex: along one pixel it is a decreasing
# fraction of p. It saturates pixel by pixel: where all are wrong by 30 its gradient is 1e-12 of the
# largest. It is 0 for a perfect prediction, and below 1 by an amount that `smooth` decides.
REGION = ("smooth", False, FINITE, None, (0, FINITE), "care", "S401 G205:warning")

SEGMENTATION = (
    # Milletari et al. 2016; Sudre et al. 2017. Not constant on an empty mask: FP / (FP + 2).
    segmentation("dice", *REGION),
    # Dice 1945.
    segmentation(
        "hard_dice",
        *("discontinuous", False, INF, None, (0, FINITE), "untrainable", "D101 G201 S401"),
        maybe=NOTHING_REACHED,
    ),
    # Rahman and Wang 2016.
    segmentation("jaccard", *REGION),
    # Salehi et al. 2017.
    segmentation("tversky", *REGION),
    # False alarms cost nothing: an empty mask gives 0 for every prediction, and only pixels of the
    # object are ever reached: of a mask of one pixel, one.
    segmentation(
        "tversky",
        *REGION[:-1],
        "S401 G202:warning G204 G205:warning S405:warning",
        options={"alpha": 0.0},
    ),
    # Abraham and Khan 2019. The power 3/4 has an infinite slope at 0, which no finite logit
    # reaches. Its switch at the smallest float is a jump of 1e-28, below every resolution.
    segmentation("focal_tversky", *REGION),
    # Berman et al. 2018. The Lovász extension of a submodular, increasing function, of hinge
    # errors: convex. The weights of one image are positive and sum to 1 at most, and are all on the
    # highest pixel where the mask is empty: slope 1. Sparse is a matter of taste: one pixel of an
    # empty mask, all of a full one, about half of others.
    segmentation("lovasz_hinge", "C0", True, 1, 0, (0, INF), "trainable", "D102", maybe="G204"),
    # Taghanaki et al. 2019. Half the mean over n pixels of cross entropy, half dice. Not convex for
    # n > 2: with the background certain and one object pixel missed, dice curves down by 4 p / 9
    # and cross entropy up by p / n. Its slope where wrong stays 1 / (2 n).
    segmentation(
        "cross_entropy_dice", "smooth", False, FINITE, None, (0, INF), "trainable", "S401"
    ),
    # Jadon 2020.
    segmentation("log_cosh_dice", *REGION),
    # Long et al. 2015. Elementwise: 1 a pixel, but the norm of an image depends on its size.
    segmentation("sigmoid_cross_entropy", "smooth", True, FINITE, None, (0, INF), "trainable"),
    # Lin et al. 2017.
    segmentation("focal", "smooth", False, FINITE, None, (0, INF), "trainable", "S401"),
)

ROWS = REGRESSION + BINARY + MULTICLASS + SEGMENTATION
