"""How programs are compiled: with which options, and where compiled ones are kept."""

import contextlib
import functools
import hashlib
import os
import platform
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import jax
import platformdirs
from threadpoolctl import threadpool_limits

# For small programs that run a few times: without LLVM's optimization, and without the emitters
# that go through MLIR. Both take longer than such programs run.
_QUICK: dict[str, bool | int] = {
    "xla_backend_optimization_level": 0,
    "xla_cpu_use_fusion_emitters": False,
}
# For the loops of training and slices on a CPU: these emitters took a good part of the compilation
# and made none of the loops that were tried faster.
_LOOPS: dict[str, bool | int] = {
    "xla_backend_optimization_level": 1,
    "xla_cpu_use_fusion_emitters": False,
}
# Devices of a CPU, and threads that share one operation, in every process.
MOST_DEVICES = 8
# Old programs are dropped from the folder when it grows beyond this.
_MOST_BYTES = 2**30


def quick(function: Callable) -> Callable:
    """`jax.jit`, for a function that is called once or twice."""
    return jax.jit(function, compiler_options=_QUICK)


def finished(lowered: Any) -> Callable:
    """A lowered program, compiled."""
    return lowered.compile(compiler_options=_QUICK)


def looping(function: Callable, **options: Any) -> Callable:
    """`jax.jit`, for one long loop, called from outside of other compiled functions.

    Which device it is for is looked up at the first call.
    """

    lock = threading.Lock()

    @functools.cache
    def compiled() -> Callable:
        on_cpu = jax.default_backend() == "cpu"
        return jax.jit(function, compiler_options=_LOOPS if on_cpu else None, **options)

    @functools.wraps(function)
    def call(*arguments: Any) -> Any:
        with lock:
            found = compiled()
        return found(*arguments)

    return call


def concurrency() -> int:
    """How many runs this process has under way at a time.

    On a CPU compilation, Python and files leave room for a second one; the memory of other devices
    is for one run.
    """
    return min(_cores(), 2) if jax.default_backend() == "cpu" else 1


def use_all_cores(cores: int | None = None) -> None:
    """On a CPU, one device for each core, at most 8: they share the points of a slice.

    `cores`: how many of them are for this process, by default all that it may use. The threads that
    share an operation are as many everywhere: a sum that is split among them depends in its last
    bits on how many there are.

    Two threads inside every operation of one device are slower: most operations of a small model
    are too short to be shared. Where the environment says how many there are, or jax has started
    already, it stays at that.
    """
    os.environ.setdefault("NPROC", str(MOST_DEVICES))  # read when jax starts its first device
    asked = "xla_force_host_platform_device_count" in os.environ.get("XLA_FLAGS", "")
    if asked or "JAX_NUM_CPU_DEVICES" in os.environ:
        return
    with contextlib.suppress(RuntimeError):
        jax.config.update("jax_num_cpu_devices", min(cores or _cores(), MOST_DEVICES))


_blas_lock = threading.Lock()
_blas: list[threadpool_limits] = []  # one for each that asked and has not ended


@contextlib.contextmanager
def one_blas_thread() -> Iterator[None]:
    """While NumPy's linear algebra must not depend on how many threads it has: its last bits do.

    As a decorator too. Of several threads that ask for it the last to end lifts the limit.
    """
    with _blas_lock:
        _blas.append(threadpool_limits(1, "blas"))
    try:
        yield
    finally:
        with _blas_lock:
            limit = _blas.pop()
            if not _blas:  # the one that was made first, which knows how it was before
                limit.restore_original_limits()


def _cores() -> int:
    """Of this process, which may be allowed fewer than there are."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def keep_compiled() -> Path | None:
    """Keeps compiled programs in the user's cache folder, for the next process that needs them.

    Returns the folder, None where it cannot be written to. A folder that the environment names for
    jax itself (JAX_COMPILATION_CACHE_DIR) is left as it is; JAX_ENABLE_COMPILATION_CACHE=false
    turns all of it off.
    """
    jax.config.update("jax_persistent_cache_min_compile_time_secs", 0)
    if os.environ.get("JAX_COMPILATION_CACHE_DIR"):
        return Path(os.environ["JAX_COMPILATION_CACHE_DIR"])
    folder = platformdirs.user_cache_path("landscape") / "programs" / _processor()
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError:
        return None
    if not os.access(folder, os.W_OK):
        return None
    jax.config.update("jax_compilation_cache_dir", str(folder))
    jax.config.update("jax_compilation_cache_max_size", _MOST_BYTES)
    return folder


def _processor() -> str:
    """A name for what programs are compiled for: a shared home serves machines of many kinds."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        kind = sorted({line for line in lines if line.startswith(("flags", "Features", "model"))})
    except OSError:
        kind = [platform.processor()]
    return hashlib.sha256("\n".join([platform.machine(), *kind]).encode()).hexdigest()[:12]
