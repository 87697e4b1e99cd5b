"""Workers as processes of this machine: one that dies or hangs takes one run with it."""

import contextlib
import os
import signal
import sys
import threading
import time
import types
from collections.abc import Callable
from concurrent.futures import CancelledError, Future
from concurrent.futures.process import BrokenProcessPool
from multiprocessing.context import SpawnContext, SpawnProcess
from typing import Any

import psutil
from pebble import ProcessExpired, ProcessPool

from landscape.sweep.executors import worker

_main = threading.Lock()
_BETWEEN_LOOKS = 1.0  # seconds between two looks at a worker's memory


class _Process(SpawnProcess):
    """A fresh process that does not run the caller's script again.

    A worker calls functions of this program alone. That a script without
    `if __name__ == "__main__"` would start itself again in every worker helps nobody.
    """

    @staticmethod
    def _Popen(process_obj: Any) -> Any:  # noqa: N802 - a hook of multiprocessing's
        with _main:
            main = sys.modules["__main__"]
            sys.modules["__main__"] = types.ModuleType("__main__")
            try:
                return SpawnProcess._Popen(process_obj)
            finally:
                sys.modules["__main__"] = main


class _Context(SpawnContext):
    """Remembers the processes that it has made."""

    def __init__(self) -> None:
        self.made: list[_Process] = []

    def Process(self, *arguments: Any, **options: Any) -> _Process:  # type: ignore[override]  # noqa: N802
        self.made.append(_Process(*arguments, **options))
        return self.made[-1]


class Slot:
    """The place of one worker process."""

    def __init__(self, name: str, settings: worker.Settings) -> None:
        self.name, self._settings = name, settings
        self._pool: ProcessPool | None = None
        self._context = _Context()
        self._looked = 0.0

    def ready(self) -> bool:
        """Always: a process is started when it is needed."""
        return True

    def start(self, function: Callable, *arguments: Any) -> Future:
        """Has the worker call a function; its result or error is the future's."""
        if self._pool is not None and self.dead():  # it died while it was idle
            self.stop()
        if self._pool is None:
            self._context = _Context()
            self._pool = ProcessPool(1, 0, worker.begin, (self._settings,), self._context)
        return self._pool.schedule(function, arguments)

    def stop(self) -> None:
        """Ends the worker at once, and all that it has started."""
        pool, self._pool = self._pool, None
        if pool is None:
            return
        pool.stop()
        for process in self._context.made:
            if process.pid is not None and process.exitcode is None:
                with contextlib.suppress(psutil.Error):
                    worker.end_children(psutil.Process(process.pid))
            _end_group(process)
        pool.join()

    def dead(self) -> str | None:
        """How the worker has ended, in a few words; None while it lives."""
        codes = [p.exitcode for p in self._context.made if p.pid is not None]
        ended = [code for code in codes if code is not None]
        return _in_words(ended[0]) if ended else None

    def overdrawn(self) -> bool:
        """Whether the worker takes more memory than it may, also where it cannot look itself."""
        limit = self._settings.memory
        if limit is None or time.monotonic() - self._looked < _BETWEEN_LOOKS:
            return False
        self._looked = time.monotonic()
        with contextlib.suppress(psutil.Error):
            alive = [p.pid for p in self._context.made if p.pid and p.exitcode is None]
            return any(worker.memory(psutil.Process(pid)) > limit for pid in alive)
        return False

    def why(self, error: BaseException) -> str | BaseException:
        """Why the worker was lost; or what the task itself raised."""
        if isinstance(error, ProcessExpired):
            return _in_words(error.exitcode)
        if isinstance(error, BrokenProcessPool | CancelledError):
            return self.dead() or "worker died"
        return error


def slots(jobs: int, memory: int | None, together: int | str) -> list[Slot]:
    """A slot for each job; they share the cores of this machine."""
    cores = sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else []
    share = max((len(cores) or os.cpu_count() or 1) // jobs, 1)
    found = []
    for number in range(jobs):
        own = tuple(cores[(number * share + i) % len(cores)] for i in range(share) if cores)
        settings = worker.Settings(share, own, memory, os.getpid(), together, 1 / jobs)
        found.append(Slot(f"worker {number + 1}", settings))
    return found


def _end_group(process: _Process) -> None:
    """Ends a worker and whatever was started in it, also where it has died before them."""
    pid = process.pid
    if pid is None or not hasattr(os, "killpg"):
        return
    # In a group of its own it is once it has started; before that it is in ours, which must live.
    with contextlib.suppress(ProcessLookupError, PermissionError):
        if pid != os.getpgrp():
            os.killpg(pid, signal.SIGKILL)


def _in_words(code: int | None) -> str:
    """Why a process ended, from its exit code."""
    if code == worker.OUT_OF_MEMORY:
        return "memory limit"
    if code is None or code >= 0:
        return f"worker ended by itself with exit code {code}"
    try:
        name = signal.Signals(-code).name
    except ValueError:
        name = f"signal {-code}"
    if name == "SIGKILL":
        return "worker killed (SIGKILL, perhaps for want of memory)"
    if name == "SIGTERM":
        return "worker killed (SIGTERM)"
    return f"worker crashed ({name})"
