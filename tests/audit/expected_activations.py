"""The truth about activations, of the menu and of jax.nn; `expected` says what the columns mean.

An activation has no target: dead parts and saturation are notes, and that it is not convex or has
no lower bound is no fault. So a dead part (slope exactly 0 on an interval) must be noted, and so
must saturation on both sides; on one side only (softplus, elu, silu) it is a matter of taste, as is
calling a dead part saturated too.
"""

import math

from expected import INF, Row

ELU_SCALE = 1.0507009873554804934193349852946 * 1.6732632423543772848170429916717
NOT_CONVEX = "S401:note"
ONE_SIDED = "G205:note"
BOTH = f"{NOT_CONVEX} {ONE_SIDED}"


def _rows(module, *table):
    return tuple(_row(f"{module}:{name}", *columns) for name, *columns in table)


def _row(function, smoothness, convex, lipschitz, curvature, span, finds, maybe, *verdict):
    columns = (smoothness, convex, lipschitz, curvature, span)
    verdict = verdict[0] if verdict else "trainable"
    return Row(function, None, *columns, verdict, finds, maybe, kind="activation")


IDENTITY = ("smooth", True, 1, 0, (-INF, INF), "", "")
# Nair and Hinton 2010.
RELU = ("C0", True, 1, 0, (0, INF), "D102 G202:note", ONE_SIDED)
# Maas et al. 2013. Slopes 0.01 and 1.
LEAKY_RELU = ("C0", True, 1, 0, (-INF, INF), "D102", "")
# Clevert et al. 2016. Both slopes are 1 at 0, the second derivatives 1 and 0.
ELU = ("C1", True, 1, 1, (-1, INF), "D103", ONE_SIDED)
# Klambauer et al. 2017. Slope 1.758 left of 0, 1.051 right of it: a kink, and not convex.
SELU = ("C0", False, ELU_SCALE, ELU_SCALE, (-ELU_SCALE, INF), "D102", BOTH)
# Hendrycks and Gimpel 2016. Slope Phi + x phi, largest at sqrt(2); second derivative (2 - x^2) phi,
# largest at 0: sqrt(2 / pi). Least value at -0.7518.
GELU = ("smooth", False, 1.1289041451852, math.sqrt(2 / math.pi), (-0.169971207480, INF), "", BOTH)
# Their approximation by tanh: slope largest at 1.4185, least value at -0.7525.
GELU_TANH = (
    *("smooth", False, 1.1289930686588, math.sqrt(2 / math.pi), (-0.170040750571, INF)),
    *("", BOTH),
)
# Elfwing et al. 2018. Slope largest at 2.3994; second derivative 1/2 at 0; least value at -1.2785.
SILU = ("smooth", False, 1.0998393201289, 1 / 2, (-0.278464542761, INF), "", BOTH)
# Dugas et al. 2001. Slope sigmoid(x).
SOFTPLUS = ("smooth", True, 1, 1 / 4, (0, INF), "", ONE_SIDED)
# LeCun et al. 1998. Second derivative largest at tanh(x) = -1 / sqrt(3).
TANH = ("smooth", False, 1, 4 / (3 * math.sqrt(3)), (-1, 1), "G205:note", NOT_CONVEX)
# Rumelhart et al. 1986. tanh(x / 2) / 2 + 1/2: slope a quarter, curvature an eighth.
SIGMOID = ("smooth", False, 1 / 4, 1 / (6 * math.sqrt(3)), (0, 1), "G205:note", NOT_CONVEX)
# Collobert 2004.
HARD_TANH = ("C0", False, 1, 0, (-1, 1), "D102 G202:note", BOTH)
# Howard et al. 2019.
HARD_SIGMOID = ("C0", False, 1 / 6, 0, (0, 1), "D102 G202:note", BOTH)

MENU = _rows(
    "landscape.parts.activations",
    ("identity", *IDENTITY),
    ("relu", *RELU),
    ("leaky_relu", *LEAKY_RELU),
    ("elu", *ELU),
    ("selu", *SELU),
    ("gelu", *GELU),
    ("silu", *SILU),
    ("softplus", *SOFTPLUS),
    ("tanh", *TANH),
    ("sigmoid", *SIGMOID),
    ("hard_tanh", *HARD_TANH),
    ("hard_sigmoid", *HARD_SIGMOID),
    # McCulloch and Pitts 1943. A function that jumps has no Lipschitz constant.
    (
        "step",
        *("discontinuous", False, INF, None, (0, 1), "D101 G201"),
        f"{BOTH} G202 G202:error G203",
        "untrainable",
    ),
)

# x (x + 3) / 6 for x from -3 to 3: slopes 0 and -1/2 meet at -3, 3/2 and 1 at 3; least at -3/2.
HARD_SILU = ("C0", False, 3 / 2, 1 / 3, (-3 / 8, INF), "D102 G202:note", BOTH)

JAX = _rows(
    "jax.nn",
    ("identity", *IDENTITY),
    ("relu", *RELU),
    # Krizhevsky 2010.
    ("relu6", "C0", False, 1, 0, (0, 6), "D102 G202:note", BOTH),
    ("leaky_relu", *LEAKY_RELU),
    ("elu", *ELU),
    # Barron 2017. elu where alpha is 1; written with a maximum and a minimum whose kinks cancel.
    ("celu", *ELU),
    ("selu", *SELU),
    ("gelu", *GELU_TANH),
    ("silu", *SILU),
    ("swish", *SILU),
    # Misra 2019. Slope largest at 1.4906, second derivative at -0.0879; least value at -1.1924.
    ("mish", "smooth", False, 1.0884981612517, 0.644204637237, (-0.308843413017, INF), "", BOTH),
    ("softplus", *SOFTPLUS),
    # Barron 2021: (x + sqrt(x^2 + 4)) / 2, second derivative 2 (x^2 + 4)^(-3/2).
    ("squareplus", "smooth", True, 1, 1 / 4, (0, INF), "", ONE_SIDED),
    # Blondel et al. 2020. 0 below -1, (x + 1)^2 / 4 up to 1, then x.
    ("sparse_plus", "C1", True, 1, 1 / 2, (0, INF), "D103 G202:note", ONE_SIDED),
    # Its derivative.
    ("sparse_sigmoid", "C0", False, 1 / 2, 0, (0, 1), "D102 G202:note", BOTH),
    ("tanh", *TANH),
    ("sigmoid", *SIGMOID),
    # -softplus(-x): concave, so that its largest second derivative is 0, and its curvature in
    # absolute value 1/4. Which of the two is meant is not asked here.
    ("log_sigmoid", "smooth", False, 1, None, (-INF, 0), "", BOTH),
    # Bergstra et al. 2009: x / (1 + |x|). Slope (1 + |x|)^-2, second derivative from 2 to -2 at 0.
    ("soft_sign", "C1", False, 1, 2, (-1, 1), "D103 G205:note", NOT_CONVEX),
    ("hard_tanh", *HARD_TANH),
    ("hard_sigmoid", *HARD_SIGMOID),
    ("hard_silu", *HARD_SILU),
    ("hard_swish", *HARD_SILU),
)

ROWS = MENU + JAX

# Public functions of jax.nn without a row, and why.
LEFT_OUT = {
    "softmax": "not elementwise",
    "log_softmax": "not elementwise",
    "standardize": "not elementwise",
    "glu": "not elementwise: halves its input",
    "logsumexp": "reduces",
    "logmeanexp": "reduces",
    "log1mexp": "defined for positive arguments only; a numerical aid",
    "one_hot": "encodes labels",
    "dot_product_attention": "a layer",
    "scaled_dot_general": "a product of matrices",
    "scaled_matmul": "a product of matrices",
    "get_scaled_dot_general_config": "options of a product of matrices",
}
