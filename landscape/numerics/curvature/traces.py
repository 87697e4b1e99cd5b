"""Trace, Frobenius norm and traces of layers, estimated from products with random signs."""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from numpy.typing import NDArray

from landscape.numerics.curvature.products import PRECISION, Product, flat
from landscape.numerics.risk import Examples

PyTree = Any


class TraceSamples(NamedTuple):
    """One unbiased sample per probe, (probes,) each; `sizes` counts the parameters per layer."""

    trace: jax.Array
    squared_frobenius: jax.Array
    layers: dict[str, jax.Array]
    sizes: dict[str, int]


class ProbeMean(NamedTuple):
    """A mean over probes and its standard error."""

    value: float
    error: float


class Estimates(NamedTuple):
    """Trace, Frobenius norm, and the traces of the diagonal blocks of the layers."""

    trace: ProbeMean
    frobenius: ProbeMean
    layers: dict[str, ProbeMean]


def traces(
    product: Product, *, probes: int
) -> Callable[[jax.Array, PyTree, Examples], TraceSamples]:
    """`sample(key, params, examples) -> TraceSamples`, one product per probe.

    For signs z, z'Hz has the mean trace(H), ||Hz||^2 has ||H||_F^2, and z_l'(Hz)_l the trace of
    the diagonal block of layer l (Hutchinson 1990); the samples of the layers add up to that of the
    whole. Layers are named as by the metric `gradient_norm`: paths without their last part. The
    number of probes is fixed: stopping when the error looks small would favor lucky draws.
    """

    def sample(key: jax.Array, params: PyTree, examples: Examples) -> TraceSamples:
        vector, _, unravel = flat(product, params, examples)

        def one_probe(key: jax.Array) -> tuple[jax.Array, jax.Array, dict[str, jax.Array]]:
            signs = unravel(jax.random.rademacher(key, vector.shape, vector.dtype))
            image = product(params, signs, examples)
            layers: dict[str, jax.Array] = {}
            for (layer, z), (_, hz) in zip(_layers(signs), _layers(image), strict=True):
                term = jnp.vdot(z, hz, precision=PRECISION)
                layers[layer] = layers.get(layer, jnp.zeros((), z.dtype)) + term
            trace = jnp.sum(jnp.stack(list(layers.values())))
            squares = [jnp.sum(leaf**2) for leaf in jax.tree.leaves(image)]
            return trace, jnp.sum(jnp.stack(squares)), layers

        trace, squares, layers = lax.map(one_probe, jax.random.split(key, probes))
        return TraceSamples(trace, squares, layers, layer_sizes(params))

    return sample


def layer_sizes(params: PyTree) -> dict[str, int]:
    """Returns the number of parameters per layer, named as in `traces`."""
    sizes: dict[str, int] = {}
    for layer, leaf in _layers(params):
        sizes[layer] = sizes.get(layer, 0) + leaf.size
    return sizes


def layer_sums(params: PyTree, values: NDArray[np.float64]) -> dict[str, float]:
    """Returns the sum per layer of `values` (N,), in the order of `ravel_pytree`."""
    leaves = _layers(params)
    parts = np.split(values, np.cumsum([leaf.size for _, leaf in leaves])[:-1])
    sums: dict[str, float] = {}
    for (layer, _), part in zip(leaves, parts, strict=True):
        sums[layer] = sums.get(layer, 0.0) + float(part.sum())
    return sums


def mean_and_error(samples: TraceSamples) -> Estimates:
    """Returns means over probes with their standard errors, deviation / sqrt(probes).

    The Frobenius norm is the root of a mean, so its error is that of the mean divided by twice the
    root (delta method), and 0 for a matrix of zeros. The error of a single probe is NaN.
    """
    value, error = _mean(samples.squared_frobenius)
    root = float(np.sqrt(value))
    frobenius = ProbeMean(root, error / (2 * root) if root > 0 else error)
    layers = {name: _mean(values) for name, values in samples.layers.items()}
    return Estimates(_mean(samples.trace), frobenius, layers)


def _mean(samples: jax.Array) -> ProbeMean:
    values = np.asarray(samples, np.float64)
    if len(values) < 2:
        return ProbeMean(float(values.mean()), float("nan"))
    with np.errstate(invalid="ignore"):
        return ProbeMean(float(values.mean()), float(values.std(ddof=1) / np.sqrt(len(values))))


def _layers(tree: PyTree) -> list[tuple[str, jax.Array]]:
    """Returns each array with the name of its layer: its path without the last of its parts."""
    leaves = jax.tree_util.tree_leaves_with_path(tree)
    names = [jax.tree_util.keystr(p[:-1] or p, simple=True, separator="/") for p, _ in leaves]
    return [(n or "parameters", leaf) for n, (_, leaf) in zip(names, leaves, strict=True)]
