"""Compiler options for short and long programs, devices and threads, and the compilation cache."""

import contextlib
import functools
import hashlib
import os
import platform
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import jax
import platformdirs
from threadpoolctl import OpenBLASController, ThreadpoolController

# For small programs that run a few times: no LLVM optimization and no MLIR fusion emitters, since
# both take longer than such programs run.
_ONCE_OPTIONS: dict[str, bool | int] = {
    "xla_backend_optimization_level": 0,
    "xla_cpu_use_fusion_emitters": False,
}
# For the loops of training and slices on a CPU. The tests lower the level.
_LOOP_OPTIONS: dict[str, bool | int] = {
    "xla_backend_optimization_level": int(os.environ.get("LANDSCAPE_LOOP_OPTIMIZATION_LEVEL", "1")),
}
# Largest number of CPU devices in a process, and number of threads that share one operation.
MOST_DEVICES = 8
# jax evicts the oldest programs when the cache folder grows beyond this.
_MAX_CACHE_BYTES = 2**30


def jit_once(function: Callable) -> Callable:
    """`jax.jit` for a function that is called once or twice: compiles fast, runs slowly."""
    return jax.jit(function, compiler_options=_ONCE_OPTIONS)


def compile_once(lowered: Any) -> Callable:
    """Compiles a lowered program with the options of `jit_once`."""
    return lowered.compile(compiler_options=_ONCE_OPTIONS)


def jit_loop(function: Callable, *, fusion_emitters: bool = False, **options: Any) -> Callable:
    """`jax.jit` for one long loop that is called from Python, not from other compiled functions.

    `fusion_emitters` compiles the operations between products with MLIR, which takes longer: it
    pays off for training, whose step is many small operations, and not for slices.
    The backend is looked up at the first call, not at definition, so that importing starts no
    device.
    """
    lock = threading.Lock()

    @functools.cache
    def jitted(compiler_options: tuple[tuple[str, bool | int], ...]) -> Callable:
        return jax.jit(function, compiler_options=dict(compiler_options), **options)

    @functools.wraps(function)
    def call(*arguments: Any) -> Any:
        compiler_options = _loop_options(fusion_emitters) if jax.default_backend() == "cpu" else {}
        with lock:
            jitted_function = jitted(tuple(compiler_options.items()))
        return jitted_function(*arguments)

    return call


def _loop_options(fusion_emitters: bool) -> dict[str, bool | int]:
    # Unoptimized programs, which the tests compile, gain nothing from the emitters.
    optimized = _LOOP_OPTIONS["xla_backend_optimization_level"] > 0
    return _LOOP_OPTIONS | {"xla_cpu_use_fusion_emitters": fusion_emitters and optimized}


def concurrency() -> int:
    """Returns how many runs this process carries out concurrently.

    On a CPU, compilation, Python and file access leave room for a second run; on other devices a
    run needs all the memory.
    """
    return min(_cores(), 2) if jax.default_backend() == "cpu" else 1


def use_all_cores(cores: int | None = None) -> None:
    """Creates one CPU device per core, at most 8, which share the points of a slice.

    `cores` is the number of cores for this process, by default all that it may use. The number of
    threads that share one operation is the same on every machine, since the last bits of a sum
    depend on how many threads it is split among.

    Devices are faster than more threads within one device: most operations of a small model are too
    short to be split. Does nothing if the environment sets the number of devices or jax has already
    started.
    """
    os.environ.setdefault("NPROC", str(MOST_DEVICES))  # read when jax starts its first device
    preset = "xla_force_host_platform_device_count" in os.environ.get("XLA_FLAGS", "")
    if preset or "JAX_NUM_CPU_DEVICES" in os.environ:
        return
    with contextlib.suppress(RuntimeError):
        jax.config.update("jax_num_cpu_devices", min(cores or _cores(), MOST_DEVICES))


class _BlasLimits:
    """The runs that need one BLAS thread at present, and what to restore when the last one ends."""

    def __init__(self) -> None:
        self.lock, self.users = threading.Lock(), 0
        self.limits: list[Any] = []


_blas = _BlasLimits()


@contextlib.contextmanager
def one_blas_thread() -> Iterator[None]:
    """Limits BLAS to one thread, so that results do not depend on the thread count.

    A context manager or a decorator. If several threads use it at once, the last to exit lifts the
    limit.
    """
    with _blas.lock:
        _blas.users += 1
        _release_control()
        _blas.limits.append(_libraries(len(sys.modules)).limit(limits=1, user_api="blas"))
    try:
        yield
    finally:
        with _blas.lock:
            _blas.users -= 1
            if _blas.users == 0:
                _release_control()
                while _blas.limits:  # the first limit last: it alone saw the original number
                    _blas.limits.pop().restore_original_limits()
                _release_control()


def _release_control() -> None:
    """Lets any thread set the next limit.

    threadpoolctl ignores every thread but the first that set a limit, as long as that is alive.
    """
    OpenBLASController.clear_controlling_thread(force=True)


@functools.lru_cache(1)
def _libraries(modules: int) -> ThreadpoolController:
    """Finds the loaded numerical libraries, again whenever more modules have been imported."""
    import scipy.linalg  # noqa: F401  # its BLAS computes the eigenvalues and singular values of jax

    return ThreadpoolController()


def _cores() -> int:
    """Returns the number of cores this process may use, which can be fewer than the machine has."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def keep_compiled() -> Path | None:
    """Caches compiled programs in the user's cache folder, across processes.

    Returns the folder, or None if it is not writable. The environment variable
    JAX_COMPILATION_CACHE_DIR names another folder; JAX_ENABLE_COMPILATION_CACHE=false turns the
    cache off.
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
    jax.config.update("jax_compilation_cache_max_size", _MAX_CACHE_BYTES)
    return folder


def _processor() -> str:
    """Returns a digest of the processor type: a shared home folder serves different machines."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        features = {line for line in lines if line.startswith(("flags", "Features", "model"))}
    except OSError:
        features = {platform.processor()}
    text = "\n".join([platform.machine(), *sorted(features)])
    return hashlib.sha256(text.encode()).hexdigest()[:12]
