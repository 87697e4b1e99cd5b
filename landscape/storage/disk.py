"""Atomic file writes: readers see the old or the new content, never a partial file.

A file is written under a temporary name in the same folder, flushed to disk and renamed.
"""

import contextlib
import errno
import functools
import os
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor, wait
from pathlib import Path

from landscape.errors import StorageError, UserError

# The suffix of a file that is being written.
UNFINISHED = ".part"
_HINTS = {
    errno.ENOSPC: "free some space and rerun the command",
    errno.EDQUOT: "free some space and rerun the command",
    errno.EROFS: "choose another place to write to",
    errno.EACCES: "choose another place to write to",
}


def write_bytes(path: Path, content: bytes, *, lasting: bool = True) -> None:
    """Replaces the content of `path`, see `write_files`."""
    write_files({path: content}, lasting=lasting)


def write_files(contents: Mapping[Path, bytes], *, lasting: bool = True) -> None:
    """Replaces the content of each path, completely or not at all, in order; creates folders.

    If `lasting`, all contents are flushed to disk before the first path is replaced. Flushing them
    at the same time costs about as much as flushing one. Raises StorageError if a file cannot be
    written.
    """
    refuse_copies()
    unfinished: dict[Path, _Unfinished] = {}
    try:
        for path, content in contents.items():
            with storing(path):
                unfinished[path] = _Unfinished(path)
                unfinished[path].file.write(content)
                unfinished[path].file.flush()
        if lasting:
            _flush({path: new.file.fileno() for path, new in unfinished.items()})
        for path, new in unfinished.items():
            with storing(path):
                new.file.close()
                new.path.chmod(0o644)
                new.path.replace(path)
    except BaseException:
        for new in unfinished.values():
            new.discard()
        raise


class _Unfinished:
    """The new content of a path, in a file beside it."""

    def __init__(self, path: Path) -> None:
        try:
            handle, name = tempfile.mkstemp(UNFINISHED, f".{path.name}.", path.parent)
        except FileNotFoundError:
            path.parent.mkdir(parents=True, exist_ok=True)
            handle, name = tempfile.mkstemp(UNFINISHED, f".{path.name}.", path.parent)
        self.path, self.file = Path(name), os.fdopen(handle, "wb")

    def discard(self) -> None:
        with contextlib.suppress(OSError):  # what could not be written is written again on closing
            self.file.close()
        self.path.unlink(missing_ok=True)


def _flush(handles: Mapping[Path, int]) -> None:
    """Flushes open files to disk, all at the same time: a file system's journal joins them."""
    if len(handles) == 1:
        for path, handle in handles.items():
            with storing(path):
                os.fsync(handle)
        return
    flushes = {path: _flushing().submit(os.fsync, handle) for path, handle in handles.items()}
    wait(flushes.values())  # no handle is closed while it is being flushed
    for path, flush in flushes.items():
        with storing(path):
            flush.result()


@functools.cache
def _flushing() -> ThreadPoolExecutor:
    """The threads that wait for the disk; two runs of at most nine files are written at a time."""
    return ThreadPoolExecutor(16, "flush")


@contextlib.contextmanager
def storing(path: Path) -> Iterator[None]:
    """Converts OSError to StorageError with a hint."""
    try:
        yield
    except OSError as error:
        hint = _HINTS.get(error.errno or 0, "rerun the command")
        raise StorageError(f"cannot write {path}: {error.strerror}", hint=hint) from error


_writer: int | None = None  # the only process that may write


def allow_writes_by(process: int | None) -> None:
    """Allows only this process to write from now on; None allows all processes.

    A user's loss may fork. The copy would continue its parent's run, and must not write into it.
    """
    global _writer
    _writer = process


def refuse_copies() -> None:
    """Ends this process immediately if it is a forked copy of the process that may write."""
    if _writer is not None and os.getpid() != _writer:
        os._exit(1)


def refuse_links(root: Path, paths: Iterable[Path]) -> None:
    """Raises UserError if a path, or a folder between it and `root`, is a symbolic link.

    Called before files are written or deleted in a folder that may come from someone else: a link
    could lead to any file of the reader. `root` itself may be reached through links.
    """
    checked = {root}
    for path in paths:
        unchecked = []
        place = path
        while place not in checked and place != place.parent:
            unchecked.append(place)
            place = place.parent
        for place in reversed(unchecked):
            if place.is_symlink():
                raise UserError(
                    f"{place} is a symbolic link to {place.readlink()}",
                    hint="remove the link: nothing is written or deleted behind a link",
                )
            checked.add(place)


def write_text(path: Path, text: str) -> None:
    """Writes UTF-8 text, see `write_bytes`."""
    write_bytes(path, text.encode())
