"""The lock on an experiment's folder: one process works on it, all others can read which one."""

import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import datetime
from pathlib import Path

from filelock import FileLock, Timeout

from landscape.errors import StorageError, UserError
from landscape.storage import disk, experiment_folder, store
from landscape.storage.records import Holder

# The operating system releases the lock when its holder ends for any reason. It cannot report the
# holder, which is therefore in a file of its own; a holder that was killed leaves that file behind.
_LOCK, _HELD = ".lock", experiment_folder.HELD
_TIMEOUT = 1.0  # seconds: readers take the lock briefly as well


@contextmanager
def hold(directory: Path) -> Iterator[Holder | None]:
    """Locks the folder for this process; creates it if it is missing.

    Yields the previous holder if it did not exit cleanly. Removes the folder again if it stays
    empty. Raises UserError if another process holds it, StorageError if it cannot be written to.
    """
    lock = FileLock(directory / _LOCK)
    try:
        created = [path for path in (directory, *directory.parents) if not path.exists()]
        directory.mkdir(parents=True, exist_ok=True)
        lock.acquire(timeout=_TIMEOUT)
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
        disk.allow_writes_by(os.getpid())
        this_process = Holder(socket.gethostname(), os.getpid(), since)
        store.write_record(directory / _HELD, this_process)
        yield stale
    finally:
        disk.allow_writes_by(None)
        with suppress(OSError):  # the folder may have become read-only or been removed
            (directory / _HELD).unlink(missing_ok=True)
            (directory / _LOCK).unlink(missing_ok=True)
        lock.release()
        with suppress(OSError):  # raised unless the folder is empty
            for path in dict.fromkeys((directory, *created)):
                path.rmdir()


def holder(directory: Path) -> Holder | None:
    """Returns the process that works on the folder now, if any."""
    last_holder, path = _read(directory), directory / _LOCK
    if last_holder is None or path.is_symlink() or not path.is_file():
        return None  # no process holds a lock that is anything but a file
    lock = FileLock(path)
    try:
        lock.acquire(timeout=0)
    except OSError:  # a timeout, or a folder in which the lock cannot be tested
        return last_holder
    lock.release()
    return None


def _read(directory: Path) -> Holder | None:
    return store.read_valid_record(directory / _HELD, Holder)
