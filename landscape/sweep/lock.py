"""One process at a time works on an experiment's folder; who it is can be read by all others."""

import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import datetime
from pathlib import Path
from typing import NamedTuple

from filelock import FileLock, Timeout

from landscape.errors import StorageError, UserError
from landscape.storage import disk, store

# The operating system takes the lock back when its holder ends, however it ends. What it cannot do
# is to tell who holds it: that is in a file of its own, which a holder that was killed leaves.
_LOCK, _HELD = ".lock", store.HELD
_PATIENCE = 1.0  # seconds: whoever only looks holds the lock for a moment too


class Holder(NamedTuple):
    """Who works on a folder: where, as which process, since when."""

    host: str
    pid: int
    since: str

    def __str__(self) -> str:
        return f"process {self.pid} on {self.host} since {self.since}"


@contextmanager
def hold(directory: Path) -> Iterator[Holder | None]:
    """The folder for this process alone; makes it where it is missing.

    Yields who held it last and did not end by itself, if anybody. UserError where another process
    holds it, StorageError where it cannot be written to. A folder in which nothing was done is
    taken away again.
    """
    lock = FileLock(directory / _LOCK)
    try:
        made = [path for path in (directory, *directory.parents) if not path.exists()]
        directory.mkdir(parents=True, exist_ok=True)
        lock.acquire(timeout=_PATIENCE)
    except Timeout:
        raise UserError(
            f"{directory} is in use by {_read(directory) or 'another process'}",
            hint="wait for it to end, watch it with `landscape status --watch`, or use another "
            "--out",
        ) from None
    except (FileExistsError, NotADirectoryError):
        raise UserError(
            f"{directory} is a file; results need a folder", hint="choose another --out"
        ) from None
    except OSError as error:
        raise StorageError(
            f"cannot write to {directory}: {error.strerror}", hint="choose another --out"
        ) from error
    try:
        stale = _read(directory)
        since = datetime.now().astimezone().isoformat(sep=" ", timespec="seconds")
        own = Holder(socket.gethostname(), os.getpid(), since)
        disk.claim()
        disk.write_json(directory / _HELD, own._asdict())
        yield stale
    finally:
        disk.disclaim()
        with suppress(OSError):  # a folder that has become read-only, or was taken away
            (directory / _HELD).unlink(missing_ok=True)
            (directory / _LOCK).unlink(missing_ok=True)
        lock.release()
        with suppress(OSError):  # it stays where anything is in it
            for path in dict.fromkeys((directory, *made)):
                path.rmdir()


def holder(directory: Path) -> Holder | None:
    """Who works on the folder now."""
    found = _read(directory)
    if found is None or not (directory / _LOCK).exists():
        return None
    lock = FileLock(directory / _LOCK)
    try:
        lock.acquire(timeout=0)
    except Timeout:
        return found
    except OSError:  # such as a folder of somebody else's, where nothing can be tried
        return found
    lock.release()
    return None


def _read(directory: Path) -> Holder | None:
    try:
        found = disk.read_json(directory / _HELD)
        return Holder(str(found["host"]), int(found["pid"]), str(found["since"]))
    except (OSError, ValueError, KeyError, TypeError):
        return None
