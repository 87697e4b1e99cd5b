"""Workers as processes of this machine: one that dies or hangs costs one attempt of one run."""

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

_replacing_main = threading.Lock()
_POLL = 1.0  # seconds between two checks of a worker's memory


class _Process(SpawnProcess):
    """A fresh process that does not run the caller's script again.

    Otherwise a script without `if __name__ == "__main__"` would run again in every worker, which
    calls functions of this package only and does not need the script.
    """

    @staticmethod
    def _Popen(process_obj: Any) -> Any:  # noqa: N802 - a hook of multiprocessing
        with _replacing_main:
            main = sys.modules["__main__"]
            sys.modules["__main__"] = types.ModuleType("__main__")
            try:
                return SpawnProcess._Popen(process_obj)
            finally:
                sys.modules["__main__"] = main


class _Context(SpawnContext):
    """Keeps a list of the processes that it has created."""

    def __init__(self) -> None:
        self.processes: list[_Process] = []

    def Process(self, *arguments: Any, **options: Any) -> _Process:  # type: ignore[override]  # noqa: N802
        self.processes.append(_Process(*arguments, **options))
        return self.processes[-1]


class ProcessSlot:
    """The place of one worker process."""

    def __init__(self, name: str, settings: worker.Settings) -> None:
        self.name, self._settings = name, settings
        self._pool: ProcessPool | None = None
        self._context = _Context()
        self._checked = 0.0

    def ready(self) -> bool:
        """Returns True: a process is started when it is needed."""
        return True

    def waiting_for(self) -> str:
        """Describes what a task waits for before it starts."""
        return "a process of this machine"

    def start(self, function: Callable, *arguments: Any) -> Future:
        """Calls a function in the worker; the future has its result or error."""
        if self._pool is not None and self.death():  # it died while it was idle
            self.stop()
        if self._pool is None:
            self._context = _Context()
            self._pool = ProcessPool(1, 0, worker.begin, (self._settings,), self._context)
        return self._pool.schedule(function, arguments)

    def stop(self) -> None:
        """Ends the worker and its descendants immediately."""
        pool, self._pool = self._pool, None
        if pool is None:
            return
        pool.stop()
        for process in self._context.processes:
            if process.pid is not None and process.exitcode is None:
                with contextlib.suppress(psutil.Error):
                    worker.end_children(psutil.Process(process.pid))
            _end_group(process)
        pool.join()

    def death(self) -> str | None:
        """Describes how the worker died in a few words; None while it lives."""
        codes = [p.exitcode for p in self._context.processes if p.pid is not None]
        ended = [code for code in codes if code is not None]
        return _describe_exit(ended[0]) if ended else None

    def over_memory_limit(self) -> bool:
        """Returns whether the worker exceeds its limit, even while it cannot check that itself."""
        limit = self._settings.memory
        if limit is None or time.monotonic() - self._checked < _POLL:
            return False
        self._checked = time.monotonic()
        with contextlib.suppress(psutil.Error):
            alive = [p.pid for p in self._context.processes if p.pid and p.exitcode is None]
            return any(worker.memory(psutil.Process(pid)) > limit for pid in alive)
        return False

    def why_failed(self, error: BaseException) -> str | BaseException:
        """Describes why the worker died, or returns what the task itself raised."""
        if isinstance(error, ProcessExpired):
            return _describe_exit(error.exitcode)
        if isinstance(error, BrokenProcessPool | CancelledError):
            return self.death() or "worker died"
        return error


def slots(jobs: int, memory: int | None, together: int | str) -> list[ProcessSlot]:
    """Returns one slot per job; they share the cores of this machine."""
    cores = sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else []
    share = max((len(cores) or os.cpu_count() or 1) // jobs, 1)
    slots = []
    for number in range(jobs):
        core_ids = tuple(cores[(number * share + i) % len(cores)] for i in range(share) if cores)
        settings = worker.Settings(share, core_ids, memory, os.getpid(), together, 1 / jobs)
        slots.append(ProcessSlot(f"worker {number + 1}", settings))
    return slots


def _end_group(process: _Process) -> None:
    """Ends a worker and the processes started in it, even if they outlived it."""
    pid = process.pid
    if pid is None or not hasattr(os, "killpg"):
        return
    # It has its own process group only after its start; never kill our own group.
    with contextlib.suppress(ProcessLookupError, PermissionError):
        if pid != os.getpgrp():
            os.killpg(pid, signal.SIGKILL)


def _describe_exit(code: int | None) -> str:
    """Describes why a process ended, from its exit code."""
    if code == worker.OUT_OF_MEMORY:
        return "memory limit"
    if code is None or code >= 0:
        return f"worker exited with exit code {code}"
    try:
        name = signal.Signals(-code).name
    except ValueError:
        name = f"signal {-code}"
    if name == "SIGKILL":
        return "worker killed (SIGKILL, possibly out of memory)"
    if name == "SIGTERM":
        return "worker killed (SIGTERM)"
    return f"worker crashed ({name})"
