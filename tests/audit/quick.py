"""Runs small functions several times, but compiles each only once."""

import functools
from collections.abc import Callable
from typing import Any

import jax
import numpy as np

from landscape.numerics.compiling import compile_once


def run(function: Callable, *arguments: Any) -> Any:
    """Returns the outputs as NumPy arrays; compiles without optimization."""
    arrays = [np.asarray(a) for a in arguments]
    with jax.enable_x64(any(a.dtype == np.float64 for a in arrays)):
        outputs = _compiled(function, *((a.shape, a.dtype) for a in arrays))(*arrays)
        return jax.tree.map(np.asarray, outputs)


@functools.cache
def _compiled(function: Callable, *kinds: tuple) -> Callable:
    lowered = jax.jit(function).lower(*(jax.ShapeDtypeStruct(*kind) for kind in kinds))
    return compile_once(lowered)
