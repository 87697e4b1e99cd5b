"""Curvature of the risk at a point, from products of its Hessian or Gauss-Newton matrix.

Configure, then apply: `hessian_product` and `gauss_newton_product` return a
`product(loss, params, vector, examples)`; with the loss bound, it is the argument of everything
else: `extremes` (outermost eigenvalues), `traces` (trace, Frobenius norm, traces of layers),
`quadrature` (density of the spectrum) and, for small models, `dense`. These return pure functions
that may be jitted. `scaled` returns another product, whose spectrum does not depend on the scale of
ReLU units. `mean_and_error`, `density`, `describe` and `describe_dense` summarize their results, in
NumPy.

Which matrix? The Hessian H is the curvature that a slice shows: the second derivative along d is
d'Hd. It may have negative eigenvalues, and it misses kinks: the risk of a linear model under a
hinge loss is not linear, yet H is 0 wherever it exists. The Gauss-Newton matrix G is the part of H
that comes from the curvature of the loss, as if the model were linear in its parameters. If the
loss is convex in the prediction, no eigenvalue of G is negative, and natural-gradient and
Gauss-Newton methods invert it; if it is not convex, G means little, so choose H. Both are equal for
a linear model, and nearly equal if the loss is almost flat in the predictions.
"""

from landscape.numerics.curvature.describe import describe, describe_dense
from landscape.numerics.curvature.products import (
    Product,
    dense,
    gauss_newton_product,
    hessian_product,
    scaled,
)
from landscape.numerics.curvature.spectrum import Density, Extremes, density, extremes, quadrature
from landscape.numerics.curvature.traces import (
    Estimates,
    ProbeMean,
    TraceSamples,
    mean_and_error,
    traces,
)

__all__ = [
    "Density",
    "Estimates",
    "Extremes",
    "ProbeMean",
    "Product",
    "TraceSamples",
    "dense",
    "density",
    "describe",
    "describe_dense",
    "extremes",
    "gauss_newton_product",
    "hessian_product",
    "mean_and_error",
    "quadrature",
    "scaled",
    "traces",
]
