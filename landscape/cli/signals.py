"""Interruption: the first Ctrl-C lets the current runs finish, the second stops immediately."""

import os
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import NoReturn

import rich_click as click

INTERRUPTED, TERMINATED = 130, 143


class Terminated(BaseException):
    """Raised when the system or a scheduler terminates this process."""


@contextmanager
def interruptible() -> Iterator[threading.Event]:
    """Yields an event that the first Ctrl-C sets; the second Ctrl-C raises KeyboardInterrupt.

    SIGTERM raises Terminated immediately, since its sender does not wait for long.
    """
    stop = threading.Event()
    if threading.current_thread() is not threading.main_thread():
        yield stop
        return

    def interrupt(number: int, frame: FrameType | None) -> None:
        if stop.is_set():
            raise KeyboardInterrupt
        stop.set()
        click.echo(
            "\ninterrupted: finishing the current runs; press Ctrl-C again to stop immediately",
            err=True,
        )

    def terminate(number: int, frame: FrameType | None) -> NoReturn:
        stop.set()
        raise Terminated

    before = {
        signal.SIGINT: signal.signal(signal.SIGINT, interrupt),
        signal.SIGTERM: signal.signal(signal.SIGTERM, terminate),
    }
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def leave(code: int, *, at_once: bool = False) -> NoReturn:
    """Exits without waiting for threads that cannot be stopped.

    `at_once`: also without the exit hooks of libraries.
    """
    main = threading.main_thread()
    stuck = any(t is not main and not t.daemon and t.is_alive() for t in threading.enumerate())
    if stuck or at_once:
        for stream in (sys.stdout, sys.stderr):
            stream.flush()
        os._exit(code)
    sys.exit(code)
