"""The functions that run in a worker process. Their results are files in the folders of the runs.

Nothing heavy is imported before `begin` has set the number of threads of numerical libraries.
"""

import contextlib
import faulthandler
import gc
import os
import signal
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import psutil

from landscape.errors import UserError
from landscape.storage import disk, safe_reading, store

if TYPE_CHECKING:
    from landscape.config import AcrossSettings, Run
    from landscape.run.program_cache import ProgramCache
    from landscape.run.trainability_maps import MapRequest

_POLL = 0.2  # seconds between two checks of the worker's memory and of its parent
_MAX_LOG = 8 * 2**20  # bytes of a log
_LOG_END = 2**20  # bytes at each end of a log that remain when it is truncated
_PR_SET_PDEATHSIG = 1
OUT_OF_MEMORY = 75  # the exit code of a worker that exceeded its memory limit


class Settings(NamedTuple):
    """The resources of a worker.

    `cores` is the number of cores; `core_ids` are the cores it is bound to, empty if it is not
    bound. `memory` is a limit in bytes that includes its child processes. `gpu` is its share of the
    memory of one GPU. The worker ends with its `parent`, a process id if it is on the same machine.
    """

    cores: int
    core_ids: tuple[int, ...]
    memory: int | None
    parent: int | None
    together: int | str
    gpu: float


_settings = Settings(1, (), None, None, 1, 1.0)
_cache: "ProgramCache | None" = None
_log: Path | None = None
_truncating = threading.Lock()


def begin(settings: Settings) -> None:
    """Makes this process a worker; called before anything numerical is imported."""
    global _settings
    _settings = settings
    gc.set_threshold(100_000, 20, 100)  # as the command does
    # The parent handles interruptions: it lets the current run finish.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
        os.environ[name] = str(settings.cores)
    if settings.core_ids and hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, settings.core_ids)
    if settings.gpu < 1:  # JAX would reserve most of it for the first worker
        share = f"{0.9 * settings.gpu:.2f}"
        os.environ.setdefault("XLA_PYTHON_CLIENT_MEM_FRACTION", share)
    if settings.parent is not None:
        _die_with_parent()
        signal.signal(signal.SIGTERM, signal.SIG_DFL)  # so that the parent sees what ended it
    if settings.parent is not None and hasattr(os, "setpgid"):
        # Processes started by user code join this worker's group and are ended with it.
        with contextlib.suppress(OSError):
            os.setpgid(0, 0)
    threading.Thread(target=_watch, daemon=True, name="watch").start()


def _die_with_parent() -> None:
    """Lets Linux kill this process when its parent ends, even during a call of C code."""
    if sys.platform == "linux":
        import ctypes

        with contextlib.suppress(OSError, AttributeError):
            ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


def ready() -> str:
    """Returns the name of the worker's machine."""
    import socket

    return socket.gethostname()


def prepare(runs: "Sequence[Run]") -> tuple[dict[str, str], dict[str, str], int]:
    """Builds and checks the programs of the runs. Raises UserError that lists every mistake.

    Returns `ProgramCache.key` and `ProgramCache.structure` of each run id, and how many runs this
    device trains side by side.
    """
    from landscape.numerics.point_width import seeds_together
    from landscape.run import program_cache

    cache = _program_cache()
    with _output_discarded():
        program_cache.prepare(runs, cache)
    keys = {run.id: cache.key(run) for run in runs}
    structures = {run.id: cache.structure(run) for run in runs}
    return keys, structures, seeds_together(_settings.together)


def train_together(
    runs: "Sequence[Run]", directory: Path, compiled_together: "Sequence[Run]"
) -> None:
    """Trains runs of one structure side by side; if that fails, they are trained alone later."""
    from landscape.sweep.executors import serial

    disk.allow_writes_by(os.getpid())
    with _output_discarded():
        _program_cache().compile_together(compiled_together)
        new = serial.untrained(runs, directory)
        serial.train_side_by_side(new, directory, _program_cache(), len(runs))


def perform(run: "Run", directory: Path, worker: str, compiled_together: "Sequence[Run]") -> str:
    """Performs a run and returns its status. Everything printed goes to the log of the run.

    `compiled_together` has one run of each loss for which the program is compiled.
    """
    from landscape.sweep.executors import serial

    disk.allow_writes_by(os.getpid())
    with _output_to_log(store.run_folder(directory, run.id) / store.LOG):
        _program_cache().compile_together(compiled_together)
        return serial.perform_one(run, directory, _program_cache(), worker).status


def measure_across(settings: "AcrossSettings", runs: "Sequence[Run]", directory: Path) -> bool:
    """Measures across runs; returns False if that was already done."""
    from landscape.run import cross_run

    with _output_discarded():
        return cross_run.measure_across(settings, runs, directory, _program_cache())


def measure_maps(requests: "Sequence[MapRequest]", directory: Path) -> bool:
    """Measures trainability maps; returns False if none was missing."""
    from landscape.run import trainability_maps

    disk.allow_writes_by(os.getpid())
    with _output_discarded():
        return trainability_maps.measure_maps(requests, directory, _program_cache())


def probe_folder(directory: Path, name: str, content: str, answer: str) -> bool:
    """Returns whether this worker sees a file of its parent; writes the file `answer` in reply."""
    try:
        text = safe_reading.read_text(directory / name)
        disk.write_bytes(directory / answer, text.encode(), lasting=False)
    except (OSError, ValueError, UserError):
        return False
    return text == content


def _program_cache() -> "ProgramCache":
    """Returns the cache that all runs of this process share."""
    from landscape.numerics.compiling import keep_compiled, use_all_cores
    from landscape.run.program_cache import ProgramCache

    global _cache
    if _cache is None:
        use_all_cores(_settings.cores)
        keep_compiled()
        _cache = ProgramCache()
    return _cache


@contextlib.contextmanager
def _output_to_log(log: Path) -> Iterator[None]:
    """Redirects the output of this process to a file, including C libraries and crash reports."""
    global _log
    with store.opened_log(log.parent) as file, _output_to(file.fileno()):
        faulthandler.enable(file)
        _log = log
        try:
            yield
        finally:
            _log = None
            faulthandler.disable()
            _truncate(log)


@contextlib.contextmanager
def _output_discarded() -> Iterator[None]:
    with Path(os.devnull).open("wb") as file, _output_to(file.fileno()):
        yield


@contextlib.contextmanager
def _output_to(target: int) -> Iterator[None]:
    process = os.getpid()
    before = [os.dup(number) for number in (1, 2)]
    try:
        for number in (1, 2):
            os.dup2(target, number)
        yield
    finally:
        if os.getpid() != process:  # user code forked this copy, which has no parent to serve
            os._exit(1)
        for stream in (sys.stdout, sys.stderr):
            with contextlib.suppress(ValueError, OSError):
                stream.flush()
        for number, old in zip((1, 2), before, strict=True):
            os.dup2(old, number)
            os.close(old)


def _watch() -> None:
    """Ends this process when its parent has ended or when it exceeds its memory limit."""
    this_process = psutil.Process()
    while True:
        time.sleep(_POLL)
        with contextlib.suppress(psutil.Error):
            _check_limits(this_process)


def _check_limits(this_process: psutil.Process) -> None:
    if _settings.parent is not None and os.getppid() != _settings.parent:
        _end(1)
    log = _log  # the run may end in between
    if log is not None:
        _truncate(log)
    if _settings.memory is not None and (used := memory(this_process)) > _settings.memory:
        with contextlib.suppress(UserError):
            if log is not None:
                store.append_log(log.parent, f"{used / 2**20:,.0f} MiB in use")
        _end(OUT_OF_MEMORY)


def memory(process: psutil.Process) -> int:
    """Returns the memory in bytes of a process and its descendants."""
    total = process.memory_info().rss
    for child in process.children(recursive=True):
        with contextlib.suppress(psutil.Error):
            total += child.memory_info().rss
    return total


def _truncate(log: Path) -> None:
    """Removes the middle of a long log, so that endless printing cannot fill the disk."""
    with _truncating, contextlib.suppress(OSError, ValueError, UserError):
        if log.stat().st_size > _MAX_LOG:
            with safe_reading.opened(log, sys.maxsize) as file:
                file.seek(-_LOG_END, os.SEEK_END)
                tail = file.read().decode(errors="replace").rstrip("\n")
            os.truncate(log, _LOG_END)
            store.append_log(log.parent, f"\n[output truncated]\n{tail}")


def _end(code: int) -> None:
    """Ends this process and its descendants immediately."""
    end_children(psutil.Process())
    os._exit(code)


def end_children(process: psutil.Process) -> None:
    """Ends the descendants of a living process, even those in other sessions."""
    for child in process.children(recursive=True):
        with contextlib.suppress(psutil.Error):
            child.kill()
