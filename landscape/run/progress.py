"""Progress reporting of a running run: its log, and progress.json."""

import os
import socket
import threading
import time
from collections.abc import Callable, Mapping
from datetime import datetime
from pathlib import Path

import numpy as np

from landscape.storage import array_files, disk, store
from landscape.storage.records import ProgressRecord

# Seconds between two reports of the progress of a training.
EVERY = 0.5


class Cancelled(BaseException):
    """Raised to cancel a run; not recorded as a failure."""


class Progress:
    """The log of one run and, while it is under way, `progress.json`.

    Both are for people and for `landscape status`; no result depends on them. `worker` is the name
    of the worker that performs the run. Once `cancelled` is set, the next report raises Cancelled.
    """

    def __init__(
        self, folder: Path, worker: str = "", cancelled: threading.Event | None = None
    ) -> None:
        self._folder, self._worker, self._process = folder, worker, os.getpid()
        self._cancelled = cancelled or threading.Event()
        self._written = self._started = time.monotonic()
        self._training: tuple[int, float] | None = None
        self._stage = "starting"
        store.append_log(
            folder, f"{_now()} {worker or 'run'}: {socket.gethostname()}, process {os.getpid()}"
        )

    def stage(self, name: str) -> None:
        """Reports the stage that begins: `train`, `curvature`, `slices`, `audit`."""
        self._check()
        self._stage = name
        self._log(name)
        self._write()

    def reached(self, step: int, steps: int, rows: Callable[[], Mapping[str, np.ndarray]]) -> None:
        """Reports the last recorded step of training; `rows()` returns all recorded rows.

        They are stored, so that a run that is stopped keeps its recorded steps.
        """
        self._check()
        now = time.monotonic()
        start_step, start = self._training = self._training or (step, now)
        rate = (step - start_step) / (now - start) if step > start_step else None
        due = now - self._written >= EVERY
        if due or step == steps:
            speed = f", {rate:.0f} steps per second" if rate else ""
            self._log(f"step {step} of {steps}{speed}")
        if due:
            path = self._folder / "trace.parquet"
            disk.write_bytes(path, array_files.trace_bytes(rows()), lasting=False)
            self._write(step, steps, rate)

    def measured(self, count: int, total: int) -> None:
        """Reports how much of a slice is measured, in evaluations of a batch."""
        self._check()
        if time.monotonic() - self._written >= EVERY:
            self._log(f"{count} of {total} evaluations of a batch")
            self._write(count, total)

    def end(self, status: str) -> None:
        """Reports how the run ended."""
        self._log(f"{status} after {time.monotonic() - self._started:.1f} s")
        store.clear_progress(self._folder)

    def _check(self) -> None:
        if self._cancelled.is_set():
            raise Cancelled
        if os.getpid() != self._process:  # a copy that a user's loss has forked
            os._exit(1)

    def _write(
        self, step: int | None = None, steps: int | None = None, rate: float | None = None
    ) -> None:
        self._written = time.monotonic()
        process = (self._stage, self._worker, os.getpid(), socket.gethostname())
        store.write_progress(self._folder, ProgressRecord(*process, step, steps, rate))

    def _log(self, line: str) -> None:
        store.append_log(self._folder, f"{_now()} {line}")


def _now() -> str:
    return datetime.now().strftime("%Y-%m-%d %H:%M:%S")
