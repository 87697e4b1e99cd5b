"""Eigenvalues from products: the outermost ones, and the density of all (Lanczos 1950)."""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from numpy.typing import ArrayLike

from landscape.numerics.curvature.products import PRECISION, Product, flat
from landscape.numerics.risk import Examples

PyTree = Any

CUTOFF = 5  # widths after which a Gaussian is cut off, with 6e-7 of its mass beyond


class Extremes(NamedTuple):
    """Outermost eigenvalues, from the outside inwards: `largest` falls and `smallest` rises.

    Vectors are unit eigenvectors as pytrees like the parameters with a leading axis; a residual
    ||H v - value v|| bounds the distance from `value` to the nearest eigenvalue.
    """

    largest: jax.Array
    smallest: jax.Array
    largest_vectors: PyTree
    smallest_vectors: PyTree
    largest_residuals: jax.Array
    smallest_residuals: jax.Array


class Density(NamedTuple):
    """Density of the spectrum at each `eigenvalue` of a grid: mean over probes, and their spread.

    `low` and `high` are the 10th and 90th percentile over single probes. `width` is the standard
    deviation of the Gaussian that replaces every eigenvalue.
    """

    eigenvalue: np.ndarray
    mean: np.ndarray
    low: np.ndarray
    high: np.ndarray
    width: float


class _Krylov(NamedTuple):
    """Ritz values, ascending; their vectors in the basis, as columns; the basis, in rows."""

    values: jax.Array
    coordinates: jax.Array
    basis: jax.Array


def extremes(
    product: Product, *, count: int, iterations: int
) -> Callable[[jax.Array, PyTree, Examples], Extremes]:
    """`find(key, params, examples) -> Extremes`: `count` eigenvalues at each end of the spectrum.

    Lanczos from a random Gaussian start. `iterations` is limited to the number of parameters, for
    which the result is exact, and `count` to `iterations`. Costs iterations + 2 count products:
    each value is the Rayleigh quotient v'Hv of its vector, and each residual is computed, not
    inferred.

    The i-th of `largest` is never above the true i-th largest eigenvalue and the i-th of `smallest`
    never below the true i-th smallest, up to rounding; both converge as `iterations` grows. Further
    copies of a multiple eigenvalue converge last, since a single start yields a single copy until
    rounding or a restart adds the next: a small residual shows that a value is an eigenvalue, not
    that none was missed. Memory is iterations times the parameters.
    """

    def find(key: jax.Array, params: PyTree, examples: Examples) -> Extremes:
        vector, apply, unravel = flat(product, params, examples)
        steps = min(iterations, vector.size)
        size = min(count, steps)
        start_key, restart_key = jax.random.split(key)
        start = jax.random.normal(start_key, vector.shape, vector.dtype)
        krylov = _lanczos(apply, restart_key, start, steps)

        coordinates = jnp.concatenate(
            [krylov.coordinates[:, ::-1][:, :size], krylov.coordinates[:, :size]], axis=1
        )
        vectors = jnp.matmul(coordinates.T, krylov.basis, precision=PRECISION)
        vectors, values, residuals = lax.map(lambda v: _rayleigh_quotient(apply, v), vectors)

        def sorted_end(end: slice, sign: int) -> tuple[jax.Array, PyTree, jax.Array]:
            order = jnp.argsort(sign * values[end])
            rows = jax.vmap(unravel)(vectors[end][order])
            return values[end][order], rows, residuals[end][order]

        largest, largest_vectors, largest_residuals = sorted_end(slice(None, size), -1)
        smallest, smallest_vectors, smallest_residuals = sorted_end(slice(size, None), 1)
        return Extremes(
            largest,
            smallest,
            largest_vectors,
            smallest_vectors,
            largest_residuals,
            smallest_residuals,
        )

    return find


def quadrature(
    product: Product, *, probes: int, iterations: int
) -> Callable[[jax.Array, PyTree, Examples], tuple[jax.Array, jax.Array]]:
    """`(key, params, examples) -> (nodes, weights)`, both (probes, iterations).

    For each probe z of random signs, sum_i weights_i f(nodes_i) estimates trace(f(H)) / N: it is
    the Gauss rule of z'f(H)z / N, exact for polynomials of degree 2 iterations - 1 (Golub and
    Meurant 2010; Ubaru, Chen and Saad 2017; on networks, Ghorbani, Krishnan and Xiao 2019). The
    weights of a probe sum to 1. `iterations` is limited to the number of parameters; costs
    probes x iterations products.
    """

    def rule(key: jax.Array, params: PyTree, examples: Examples) -> tuple[jax.Array, jax.Array]:
        vector, apply, _ = flat(product, params, examples)
        steps = min(iterations, vector.size)

        def gauss_rule(probe_key: jax.Array) -> tuple[jax.Array, jax.Array]:
            start_key, restart_key = jax.random.split(probe_key)
            start = jax.random.rademacher(start_key, vector.shape, vector.dtype)
            krylov = _lanczos(apply, restart_key, start, steps)
            return krylov.values, krylov.coordinates[0] ** 2

        return lax.map(gauss_rule, jax.random.split(key, probes))

    return rule


def density(
    nodes: ArrayLike, weights: ArrayLike, *, points: int = 200, width: float | None = None
) -> Density:
    """Returns the sum of Gaussians around the nodes, on a uniform grid that covers them all.

    Each probe's density integrates to 1 over the grid (trapezoids, up to 1e-6) and has the mean of
    its rule, and the variance of its rule plus width^2. `width` is by default a hundredth of the
    largest absolute eigenvalue or of the range of all, whichever is larger, and 0.01 for a matrix
    of zeros; it is at least what the grid resolves, about one step. NaN if a node is not finite.
    """
    nodes, weights = np.asarray(nodes, np.float64), np.asarray(weights, np.float64)
    if not (np.isfinite(nodes).all() and np.isfinite(weights).all()):
        unknown = np.full(points, np.nan)
        return Density(unknown, unknown, unknown, unknown, float("nan"))
    least, most = nodes.min(), nodes.max()
    if width is None:
        width = max(most - least, np.abs(nodes).max()) / 100 or 0.01
    # The trapezoid rule is exact to 1e-8 on Gaussians as wide as a step.
    width = max(float(width), (most - least) / max(points - 1 - 2 * CUTOFF, 1))
    grid = np.linspace(least - CUTOFF * width, most + CUTOFF * width, points)
    curves = np.empty((len(nodes), points))
    for curve, centers, shares in zip(curves, nodes, weights, strict=True):
        curve[:] = shares @ np.exp(-0.5 * ((grid - centers[:, None]) / width) ** 2)
    curves /= width * np.sqrt(2 * np.pi)
    low, high = np.quantile(curves, [0.1, 0.9], axis=0)
    return Density(grid, curves.mean(axis=0), low, high, width)


def _lanczos(
    apply: Callable[[jax.Array], jax.Array], key: jax.Array, start: jax.Array, iterations: int
) -> _Krylov:
    """Lanczos with full reorthogonalization, restarted if the Krylov space is exhausted.

    A matrix of low rank, or with few distinct eigenvalues, exhausts the space of the start after a
    few steps: the remainder of the next vector is rounding, or zero. Normalized, as in the
    textbook, it gives NaN or eigenvalues that do not exist (matfree 0.6.3: 33 for the identity).
    A random vector, orthogonal to all others, replaces it with a coupling of 0, so that the next
    Ritz values are further copies of eigenvalues.
    """
    tolerance = 10 * jnp.finfo(start.dtype).eps

    def step(state: tuple, number: jax.Array) -> tuple[tuple, tuple]:
        basis, remainder, scale = state
        norm = _norm(remainder)
        exhausted = norm <= tolerance * scale
        random = jax.random.normal(
            jax.random.fold_in(key, number), remainder.shape, remainder.dtype
        )
        vector = jnp.where(exhausted, random, remainder / jnp.where(exhausted, 1, norm))
        # Twice is enough (Giraud et al. 2005), and necessary if the remainder is nearly rounding.
        vector = _orthogonalize(basis, _orthogonalize(basis, vector))
        vector = vector / _norm(vector)
        basis = basis.at[number].set(vector)
        image = apply(vector)
        remainder = _orthogonalize(basis, _orthogonalize(basis, image))
        state = basis, remainder, jnp.maximum(scale, _norm(image))
        diagonal = jnp.vdot(vector, image, precision=PRECISION)
        return state, (diagonal, jnp.where(exhausted, 0, norm))

    state = jnp.zeros((iterations, start.size), start.dtype), start, jnp.zeros((), start.dtype)
    (basis, _, scale), (diagonal, couplings) = lax.scan(step, state, jnp.arange(iterations))
    scale = jnp.where(scale == 0, 1, scale)
    matrix = jnp.diag(diagonal) + jnp.diag(couplings[1:], 1) + jnp.diag(couplings[1:], -1)
    values, coordinates = jnp.linalg.eigh(matrix / scale)
    return _Krylov(scale * values, coordinates, basis)


def _rayleigh_quotient(
    apply: Callable[[jax.Array], jax.Array], vector: jax.Array
) -> tuple[jax.Array, jax.Array, jax.Array]:
    """Returns the unit vector v, its Rayleigh quotient v'Hv, and the residual ||Hv - (v'Hv) v||."""
    vector = vector / _norm(vector)
    image = apply(vector)
    value = jnp.vdot(vector, image, precision=PRECISION)
    return vector, value, _norm(image - value * vector)


def _orthogonalize(basis: jax.Array, vector: jax.Array) -> jax.Array:
    """Returns the part of `vector` that is orthogonal to the rows of `basis`."""
    inside = jnp.matmul(basis, vector, precision=PRECISION)
    return vector - jnp.matmul(inside, basis, precision=PRECISION)


def _norm(vector: jax.Array) -> jax.Array:
    """Returns the Euclidean norm, even if squares of the entries would overflow or vanish."""
    largest = jnp.max(jnp.abs(vector))
    scale = jnp.where((largest > 0) & jnp.isfinite(largest), largest, 1)
    return scale * jnp.sqrt(jnp.sum((vector / scale) ** 2))
