"""Products of a curvature matrix with a vector, computed without the matrix."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from jax import lax
from jax.flatten_util import ravel_pytree

from landscape.numerics.loss import Objective
from landscape.numerics.risk import BatchMeasure, Examples, mean_risk, over_batches
from landscape.parts.models import Model

PyTree = Any
LossProduct = Callable[[Objective, PyTree, PyTree, Examples], PyTree]
Product = Callable[[PyTree, PyTree, Examples], PyTree]

# Recent GPUs multiply float32 matrices with 10 bits of mantissa (TF32) by default. That is enough
# to train, but would drown the small eigenvalues in the rounding of the large ones.
PRECISION = "highest"


def hessian_product(model: Model, *, batch_size: int) -> LossProduct:
    """`product(loss, params, vector, examples) = H vector`, H the Hessian of the risk.

    Forward over reverse (Pearlmutter 1994), over batches that are weighted by their count, so
    memory is bounded by one batch. Costs about two gradients. Choose it to measure the curvature
    of the risk; H may have negative eigenvalues. At a kink it is the Hessian of the piece that
    automatic differentiation selects.
    """
    risk = mean_risk(model)

    def on_batch(loss: Objective, params: PyTree, vector: PyTree, batch: Examples) -> PyTree:
        return jax.jvp(jax.grad(lambda p: risk(loss, p, batch)), (params,), (vector,))[1]

    return _averaged(on_batch, batch_size)


def gauss_newton_product(model: Model, *, batch_size: int) -> LossProduct:
    """`product(loss, params, vector, examples) = J' L J vector`: the Gauss-Newton matrix.

    J is the Jacobian of the predictions, L the Hessian of the batch's mean loss in the predictions
    (Schraudolph 2002); batches as in `hessian_product`. Choose it if the loss is convex in the
    prediction: then no eigenvalue is negative. It omits the curvature of the model, which is the
    only curvature of a piecewise linear loss: there it is 0.
    """

    def on_batch(loss: Objective, params: PyTree, vector: PyTree, batch: Examples) -> PyTree:
        def apply(p: PyTree) -> jax.Array:
            return model.predict(p, batch.inputs, batch.state)

        def mean_loss(predictions: jax.Array) -> jax.Array:
            return loss.mean(predictions, batch.targets)

        predictions, pull_back = jax.vjp(apply, params)
        tangent = jax.jvp(apply, (params,), (vector,))[1]
        curvature = jax.jvp(jax.grad(mean_loss), (predictions,), (tangent,))[1]
        return pull_back(curvature)[0]

    return _averaged(on_batch, batch_size)


def scaled(product: Product, scale: PyTree) -> Product:
    """`S H S vector` with S the diagonal matrix of `scale`, a pytree like the parameters.

    With `scale = |params|`, by entry, the largest eigenvalue is the adaptive sharpness to second
    order: 2 / rho^2 times the largest rise of the quadratic model of the risk over perturbations e
    with ||e / |params||| <= rho, without the gradient's part (Kwon et al. 2021, T_w = diag(|w|)).
    Multiplying the incoming weights and the bias of a ReLU unit by c > 0 and its outgoing weights
    by 1/c changes no prediction and no eigenvalue of this matrix, while those of H itself may take
    any size (Dinh et al. 2017). Choose it to compare solutions, in drops of the risk to compare
    losses. A parameter that is 0 does not move.
    """

    def product_of_scaled(params: PyTree, vector: PyTree, examples: Examples) -> PyTree:
        moved = jax.tree.map(jnp.multiply, scale, vector)
        return jax.tree.map(jnp.multiply, scale, product(params, moved, examples))

    return product_of_scaled


def dense(product: Product) -> Callable[[PyTree, Examples], jax.Array]:
    """`matrix(params, examples) -> (N, N)`, in the order of `ravel_pytree`; N products.

    Row i is the product with the i-th unit vector, not symmetrized: its difference from the
    transpose is rounding. Choose it for a few thousand parameters at most.
    """

    def matrix(params: PyTree, examples: Examples) -> jax.Array:
        start, apply, _ = flat(product, params, examples)
        return lax.map(apply, jnp.eye(start.size, dtype=start.dtype))

    return matrix


def flat(
    product: Product, params: PyTree, examples: Examples
) -> tuple[jax.Array, Callable[[jax.Array], jax.Array], Callable[[jax.Array], PyTree]]:
    """Returns the parameters as a vector, the product on such vectors, and the inverse of ravel."""
    vector, unravel = ravel_pytree(params)
    return vector, lambda v: ravel_pytree(product(params, unravel(v), examples))[0], unravel


def _averaged(
    on_batch: Callable[[Objective, PyTree, PyTree, Examples], PyTree], batch_size: int
) -> LossProduct:
    def product(loss: Objective, params: PyTree, vector: PyTree, examples: Examples) -> PyTree:
        def measure(batch: Examples) -> BatchMeasure:
            return BatchMeasure({"product": on_batch(loss, params, vector, batch)}, {})

        with jax.default_matmul_precision(PRECISION):
            return over_batches(measure, examples, batch_size).means["product"]

    return product
