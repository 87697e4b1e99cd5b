"""Curvature of the risk at a point: its Hessian or Gauss-Newton matrix, known by products alone.

Configure, then apply: `hessian_product` and `gauss_newton_product` make a
`product(params, vector, examples)`, and everything else takes such a product: `extremes` (outermost
eigenvalues), `traces` (trace, Frobenius norm, traces of layers), `quadrature` (density of the
spectrum) and, for small models, `dense`. What they return are pure functions that may be jitted.
`mean_and_error`, `density` and `describe` turn their results into numbers, in NumPy.

Which matrix? The Hessian H is the curvature that a slice shows: the second derivative along d is
d'Hd. It may have negative eigenvalues, and it does not see kinks: a linear model under a hinge loss
bends, yet H is 0 wherever it exists. The Gauss-Newton matrix G is the part of H that comes from
the loss's own curvature, as if the model were linear in its parameters. Where the loss is convex in
the prediction no eigenvalue of G is negative, and it is what natural-gradient and Gauss-Newton
methods invert; where it is not convex G means little, so take H. Both agree where the model is
linear, and nearly where the loss has almost no slope left in the predictions.
"""

from landscape.numerics.curvature.describe import describe
from landscape.numerics.curvature.products import (
    Product,
    dense,
    gauss_newton_product,
    hessian_product,
)
from landscape.numerics.curvature.spectrum import Density, Extremes, density, extremes, quadrature
from landscape.numerics.curvature.traces import (
    Estimate,
    Estimates,
    TraceSamples,
    mean_and_error,
    traces,
)

__all__ = [
    "Density",
    "Estimate",
    "Estimates",
    "Extremes",
    "Product",
    "TraceSamples",
    "dense",
    "density",
    "describe",
    "extremes",
    "gauss_newton_product",
    "hessian_product",
    "mean_and_error",
    "quadrature",
    "traces",
]
