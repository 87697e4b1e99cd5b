"""What runs in a worker process. Its parent sends runs, and finds what they left in their folders.

Nothing heavy is imported before `begin` has said how many threads numerical libraries may start.
"""

import contextlib
import faulthandler
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
from landscape.storage import disk, store

if TYPE_CHECKING:
    from landscape.config import AcrossSettings, Run
    from landscape.run.program_cache import ProgramCache

# How often a worker looks at its memory and its parent, in seconds; what its log may take, and what
# is left of each end of one that grew beyond.
_GLANCE, _LONGEST_LOG, _END = 0.2, 8 * 2**20, 2**20
_PR_SET_PDEATHSIG = 1
OUT_OF_MEMORY = 75  # the exit code of a worker that went over its limit


class Prepared(NamedTuple):
    """The program of each run by its id, and how many are trained side by side on this device."""

    keys: dict[str, str]
    together: int


class Settings(NamedTuple):
    """What a worker may use.

    `cores` is how many, `own_cores` which, where that is decided; `memory` is in bytes, that of
    what it starts included; `gpu` is its share of the memory of one. It ends with its `parent`,
    where it has one on its machine.
    """

    cores: int
    own_cores: tuple[int, ...]
    memory: int | None
    parent: int | None
    together: int | str
    gpu: float


_settings = Settings(1, (), None, None, 1, 1.0)
_workshop: "ProgramCache | None" = None
_log: Path | None = None
_shortening = threading.Lock()


def begin(settings: Settings) -> None:
    """Makes this process a worker, before anything numerical is imported."""
    global _settings
    _settings = settings
    # An interruption is for the parent to handle: it lets the run in hand finish.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
        os.environ[name] = str(settings.cores)
    if settings.own_cores and hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, settings.own_cores)
    if settings.gpu < 1:  # jax would take most of it for the first worker
        share = f"{0.9 * settings.gpu:.2f}"
        os.environ.setdefault("XLA_PYTHON_CLIENT_MEM_FRACTION", share)
    if settings.parent is not None:
        _die_with_parent()
        signal.signal(signal.SIGTERM, signal.SIG_DFL)  # so that the parent sees what ended it
    if settings.parent is not None and hasattr(os, "setpgid"):
        # What a loss of somebody's starts belongs to this worker's group, and is ended with it.
        with contextlib.suppress(OSError):
            os.setpgid(0, 0)
    threading.Thread(target=_watch, daemon=True, name="watch").start()


def _die_with_parent() -> None:
    """Asks Linux to kill this process when its parent has ended, even in the middle of C code."""
    if sys.platform == "linux":
        import ctypes

        with contextlib.suppress(OSError, AttributeError):
            ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


def ready() -> str:
    """The machine that the worker is on."""
    import socket

    return socket.gethostname()


def prepare(runs: "Sequence[Run]") -> Prepared:
    """Builds and checks the programs of the runs. UserError with every mistake in them."""
    from landscape.numerics.point_width import seeds_together
    from landscape.run import program_cache

    own = _own_workshop()
    with _printing_nowhere():
        program_cache.prepare(runs, own)
    return Prepared({run.id: own.key(run) for run in runs}, seeds_together(_settings.together))


def train_together(runs: "Sequence[Run]", directory: Path) -> None:
    """Trains runs of one program side by side; what cannot be is left to each run."""
    from landscape.sweep.executors import serial

    disk.claim()
    with _printing_nowhere():
        new = serial.untrained(runs, directory)
        serial.train_side_by_side(new, directory, _own_workshop(), len(runs))


def perform(run: "Run", directory: Path, worker: str) -> str:
    """Performs a run and returns its status. All that is printed meanwhile goes into its log."""
    from landscape.sweep.executors import serial

    disk.claim()
    with _printing_into(store.run_folder(directory, run.id) / store.LOG):
        return serial.perform_one(run, directory, _own_workshop(), worker).status


def across(asked: "AcrossSettings", runs: "Sequence[Run]", directory: Path) -> bool:
    """Measures between runs; False where that was done before."""
    from landscape.run import cross_run

    with _printing_nowhere():
        return cross_run.measure(asked, runs, directory, _own_workshop())


def seen(directory: Path, name: str, content: str, answer: str) -> bool:
    """Whether this worker sees a file that its parent wrote; it writes another as its answer."""
    try:
        found = (directory / name).read_text(encoding="utf-8")
        disk.write_bytes(directory / answer, found.encode(), lasting=False)
    except (OSError, UserError):
        return False
    return found == content


def _own_workshop() -> "ProgramCache":
    """The workshop of this process, which all its runs share."""
    from landscape.numerics.compiling import keep_compiled, use_all_cores
    from landscape.run.program_cache import ProgramCache

    global _workshop
    if _workshop is None:
        use_all_cores(_settings.cores)
        keep_compiled()
        _workshop = ProgramCache()
    return _workshop


@contextlib.contextmanager
def _printing_into(log: Path) -> Iterator[None]:
    """Everything that this process prints, C libraries and a crash included, goes into a file."""
    global _log
    with store.opened_log(log.parent) as file, _printing_to(file.fileno()):
        faulthandler.enable(file)
        _log = log
        try:
            yield
        finally:
            _log = None
            faulthandler.disable()
            _shorten(log)


@contextlib.contextmanager
def _printing_nowhere() -> Iterator[None]:
    with Path(os.devnull).open("wb") as file, _printing_to(file.fileno()):
        yield


@contextlib.contextmanager
def _printing_to(target: int) -> Iterator[None]:
    process = os.getpid()
    before = [os.dup(number) for number in (1, 2)]
    try:
        for number in (1, 2):
            os.dup2(target, number)
        yield
    finally:
        if os.getpid() != process:  # a copy that a loss of somebody's has forked has no parent
            os._exit(1)
        for stream in (sys.stdout, sys.stderr):
            with contextlib.suppress(ValueError, OSError):
                stream.flush()
        for number, old in zip((1, 2), before, strict=True):
            os.dup2(old, number)
            os.close(old)


def _watch() -> None:
    """Ends this process when its parent has, or when it takes more memory than it may."""
    own = psutil.Process()
    while True:
        time.sleep(_GLANCE)
        with contextlib.suppress(psutil.Error):
            _glance(own)


def _glance(own: psutil.Process) -> None:
    if _settings.parent is not None and os.getppid() != _settings.parent:
        _end(1)
    log = _log  # the run may end meanwhile
    if log is not None:
        _shorten(log)
    if _settings.memory is not None and (taken := memory(own)) > _settings.memory:
        with contextlib.suppress(UserError):
            if log is not None:
                store.append_log(log.parent, f"{taken / 2**20:,.0f} MiB in use")
        _end(OUT_OF_MEMORY)


def memory(process: psutil.Process) -> int:
    """Bytes that a process and all that it started hold in memory."""
    total = process.memory_info().rss
    for child in process.children(recursive=True):
        with contextlib.suppress(psutil.Error):
            total += child.memory_info().rss
    return total


def _shorten(log: Path) -> None:
    """Keeps a loss that prints without end from filling the disk: both ends of the log stay."""
    with _shortening, contextlib.suppress(OSError, UserError):
        if log.stat().st_size > _LONGEST_LOG:
            with log.open("rb") as file:
                file.seek(-_END, os.SEEK_END)
                last = file.read().decode(errors="replace").rstrip("\n")
            os.truncate(log, _END)
            store.append_log(log.parent, f"\n[what was printed in between is left out]\n{last}")


def _end(code: int) -> None:
    """Ends this process at once, and what it has started."""
    end_children(psutil.Process())
    os._exit(code)


def end_children(process: psutil.Process) -> None:
    """Ends what a living process has started, also in sessions of their own."""
    for child in process.children(recursive=True):
        with contextlib.suppress(psutil.Error):
            child.kill()
