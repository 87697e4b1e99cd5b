"""Rules of ATen operations that resize images, which are linear along each axis."""

import functools
from collections.abc import Callable, Sequence
from typing import Any

import jax.numpy as jnp
import numpy as np
import torch

Array = Any
# By the name in ATen: the name of the mode, and the number of axes that are resized.
_MODES = {
    "upsample_linear1d": ("linear", 1),
    "upsample_nearest1d": ("nearest", 1),
    "upsample_nearest2d": ("nearest", 2),
    "_upsample_nearest_exact2d": ("nearest-exact", 2),
    "upsample_bilinear2d": ("bilinear", 2),
    "upsample_bicubic2d": ("bicubic", 2),
}


@functools.cache
def _matrix(mode: str, length: int, size: int, align: bool, scale: float | None) -> np.ndarray:
    """Returns the matrix `(size, length)` by which torch resizes one axis."""

    identity = torch.eye(length, dtype=torch.float64)[:, None]
    with torch.utils._python_dispatch._disable_current_modes():
        if mode == "bicubic":
            lifted = identity[:, :, None].expand(-1, -1, 2, -1)
            resized = torch.ops.aten.upsample_bicubic2d(lifted, [2, size], align, None, scale)[
                :, :, 0
            ]
        elif mode in ("linear", "bilinear"):
            resized = torch.ops.aten.upsample_linear1d(identity, [size], align, scale)
        elif mode == "nearest":
            resized = torch.ops.aten.upsample_nearest1d(identity, [size], scale)
        else:
            resized = torch.ops.aten._upsample_nearest_exact1d(identity, [size], scale)
    matrix: np.ndarray = resized[:, 0].T.numpy()
    return matrix


def _matrices(
    name: str, lengths: Sequence[int], size: Sequence[int], options: Sequence[Any]
) -> Any:
    mode, axes = _MODES[name]
    aligned = "nearest" not in mode
    align = bool(options[0]) if aligned and options else False
    scales = [*options[1 if aligned else 0 :], *[None] * axes][:axes]
    return [
        _matrix(mode, length, new, align, scale)
        for length, new, scale in zip(lengths, size, scales, strict=True)
    ]


def _apply(x: Array, matrices: Sequence[np.ndarray]) -> Array:
    for position, matrix in enumerate(matrices):
        axis = x.ndim - len(matrices) + position
        along = jnp.asarray(matrix, x.dtype)
        x = jnp.moveaxis(jnp.tensordot(along, x, axes=(1, axis)), 0, axis)
    return x


def _resize(name: str) -> Callable[..., Array]:
    def rule(x: Array, size: Sequence[int], *options: Any) -> Array:
        axes = _MODES[name][1]
        return _apply(x, _matrices(name, x.shape[-axes:], size, options))

    return rule


def _resize_backward(name: str) -> Callable[..., Array]:
    def rule(gradient: Array, size: Sequence[int], shape: Sequence[int], *options: Any) -> Array:
        axes = _MODES[name][1]
        matrices = _matrices(name, shape[-axes:], size, options)
        return _apply(gradient, [matrix.T for matrix in matrices])

    return rule


RULES: dict[str, Callable[..., Any]] = {
    **{name: _resize(name) for name in _MODES},
    **{f"{name}_backward": _resize_backward(name) for name in _MODES},
}
