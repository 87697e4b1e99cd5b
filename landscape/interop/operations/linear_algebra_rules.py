"""Rules of ATen operations of linear algebra and of Fourier transforms."""

from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
from jax import lax

Array = Any


def _with_status(function: Callable[..., Array]) -> Callable[..., Any]:
    """Returns a rule of an operation that also returns whether it succeeded, as 0."""

    def rule(x: Array, *options: Any, **_: Any) -> tuple[Array, Array]:
        return function(x, *options), jnp.zeros(x.shape[:-2], int)

    return rule


def _cholesky(x: Array, upper: bool = False, *_: Any) -> Array:
    lower = jnp.linalg.cholesky(x, symmetrize_input=False)
    return jnp.swapaxes(lower, -1, -2) if upper else lower


def _factors(x: Array) -> tuple[Array, Array]:
    """Returns the packed factors L and U, and torch's pivots, which count from 1."""
    packed, pivots, _ = lax.linalg.lu(x)
    return packed, pivots + 1


def _det(x: Array) -> tuple[Array, Array, Array]:
    return jnp.linalg.det(x), *_factors(x)


def _slogdet(x: Array) -> tuple[Array, Array, Array, Array]:
    sign, logarithm = jnp.linalg.slogdet(x)
    return sign, logarithm, *_factors(x)


def _solve(a: Array, b: Array, *, left: bool = True, **_: Any) -> tuple[Array, ...]:
    is_vector = b.ndim == a.ndim - 1
    if not left:
        solved = jnp.swapaxes(
            jnp.linalg.solve(jnp.swapaxes(a, -1, -2), jnp.swapaxes(b, -1, -2)), -1, -2
        )
    else:
        solved = jnp.linalg.solve(a, b[..., None])[..., 0] if is_vector else jnp.linalg.solve(a, b)
    return solved, *_factors(a), jnp.zeros(a.shape[:-2], int)


def _lu_solve(
    packed: Array, pivots: Array, b: Array, *, left: bool = True, adjoint: bool = False
) -> Array:
    trans = 1 if adjoint else 0
    if left:
        return jax.scipy.linalg.lu_solve((packed, pivots - 1), b, trans)
    turned = jnp.swapaxes(b, -1, -2)
    return jnp.swapaxes(jax.scipy.linalg.lu_solve((packed, pivots - 1), turned, 1 - trans), -1, -2)


def _triangular(
    a: Array, b: Array, *, upper: bool, left: bool = True, unitriangular: bool = False
) -> Array:
    shape = jnp.broadcast_shapes(a.shape[:-2], b.shape[:-2])
    a = jnp.broadcast_to(a, (*shape, *a.shape[-2:]))
    b = jnp.broadcast_to(b, (*shape, *b.shape[-2:]))
    return lax.linalg.triangular_solve(
        a, b, left_side=left, lower=not upper, unit_diagonal=unitriangular
    )


def _scaled(
    x: Array, shape: Sequence[int], dims: Sequence[int], norm: int, *, forward: bool
) -> Array:
    """Returns a transform divided by 1 (norm 0), the root of its size (1), or its size (2)."""
    size = 1.0
    for dim in dims:
        size *= shape[dim]
    inverse = 1.0 if forward else size  # jax.numpy divides an inverse transform by the size
    return x * (inverse / {0: 1.0, 1: size**0.5, 2: size}[norm])


def _complex_to_complex(x: Array, dims: Sequence[int], norm: int, forward: bool) -> Array:
    transform = jnp.fft.fftn if forward else jnp.fft.ifftn
    return _scaled(transform(x, axes=tuple(dims)), x.shape, dims, norm, forward=forward)


def _real_to_complex(x: Array, dims: Sequence[int], norm: int, onesided: bool) -> Array:
    transform = jnp.fft.rfftn if onesided else jnp.fft.fftn
    return _scaled(transform(x, axes=tuple(dims)), x.shape, dims, norm, forward=True)


def _complex_to_real(x: Array, dims: Sequence[int], norm: int, last: int) -> Array:
    sizes = [x.shape[dim] for dim in dims[:-1]] + [last]
    shape = list(x.shape)
    shape[dims[-1]] = last
    y = jnp.fft.irfftn(x, s=sizes, axes=tuple(dims))
    return _scaled(y, shape, dims, norm, forward=False)


def _view_as_real(x: Array) -> Array:
    return jnp.stack([jnp.real(x), jnp.imag(x)], axis=-1)


RULES: dict[str, Callable[..., Any]] = {
    "_conj": jnp.conj,
    "_conj_physical": jnp.conj,
    "_fft_c2c": _complex_to_complex,
    "_fft_c2r": _complex_to_real,
    "_fft_r2c": _real_to_complex,
    "_linalg_det": _det,
    "_linalg_slogdet": _slogdet,
    "_linalg_solve_ex": _solve,
    "angle": jnp.angle,
    "complex": lax.complex,
    "imag": jnp.imag,
    "linalg_cholesky_ex": _with_status(_cholesky),
    "linalg_inv_ex": _with_status(lambda x, *_: jnp.linalg.inv(x)),
    "linalg_lu_solve": _lu_solve,
    "linalg_solve_triangular": _triangular,
    "polar": lambda size, angle: lax.complex(size * jnp.cos(angle), size * jnp.sin(angle)),
    "real": jnp.real,
    "resolve_conj": lambda x: x,
    "view_as_complex": lambda x: lax.complex(x[..., 0], x[..., 1]),
    "view_as_real": _view_as_real,
}
