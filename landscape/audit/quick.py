"""Compiles small programs that run a few times: the time goes into compiling them."""

from collections.abc import Callable
from typing import Any

import jax

# Without LLVM's optimization, and without the emitters that go through MLIR: both take longer than
# the programs run.
_OPTIONS: dict[str, bool | int] = {
    "xla_backend_optimization_level": 0,
    "xla_cpu_use_fusion_emitters": False,
}


def quick(function: Callable) -> Callable:
    """`jax.jit`, for a function that is called once or twice."""
    return jax.jit(function, compiler_options=_OPTIONS)


def finished(lowered: Any) -> Callable:
    """A lowered program, compiled."""
    return lowered.compile(compiler_options=_OPTIONS)
