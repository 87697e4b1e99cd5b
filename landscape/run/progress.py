"""What a run says of itself while it is under way: its log, and how far it has come."""

import os
import socket
import threading
import time
from collections.abc import Callable, Mapping
from datetime import datetime
from pathlib import Path

import numpy as np

from landscape.storage import store
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
        self._written = self._began = time.monotonic()
        self._training: tuple[int, float] | None = None
        self._stage = "starting"
        store.append_log(
            folder, f"{_now()} {worker or 'run'}: {socket.gethostname()}, process {os.getpid()}"
        )

    def stage(self, name: str) -> None:
        """Says what is done now: `train`, `curvature`, `slices`, `audit`."""
        self._check()
        self._stage = name
        self._log(name)
        self._write()

    def reached(self, step: int, steps: int, rows: Callable[[], Mapping[str, np.ndarray]]) -> None:
        """Says which step of training was recorded last; `rows` are all that were.

        They are kept, so that a run that is stopped leaves what it saw.
        """
        self._check()
        now = time.monotonic()
        first = self._training is None
        begun = self._training = self._training or (step, now)
        if not first and now - self._written < EVERY and step < steps:
            return
        rate = (step - begun[0]) / (now - begun[1]) if step > begun[0] else None
        store.write_trace(self._folder, rows(), lasting=False)
        speed = f", {rate:.0f} steps a second" if rate else ""
        self._log(f"step {step} of {steps}{speed}")
        self._write(step, steps, rate)

    def end(self, status: str) -> None:
        """Says how the run ended."""
        self._log(f"{status} after {time.monotonic() - self._began:.1f} s")
        store.clear_progress(self._folder)

    def _check(self) -> None:
        if self._cancelled.is_set():
            raise Cancelled
        if os.getpid() != self._process:  # a copy that a loss of somebody's has forked
            os._exit(1)

    def _write(
        self, step: int | None = None, steps: int | None = None, rate: float | None = None
    ) -> None:
        self._written = time.monotonic()
        place = (self._stage, self._worker, os.getpid(), socket.gethostname())
        store.write_progress(self._folder, ProgressRecord(*place, step, steps, rate))

    def _log(self, line: str) -> None:
        store.append_log(self._folder, f"{_now()} {line}")


def _now() -> str:
    return datetime.now().strftime("%Y-%m-%d %H:%M:%S")
