"""Opens the files of results for reading: regular files only, never through a link, up to a bound.

A folder of results may come from someone else. This is the only module that opens its files for
reading, so that none of them is a device that never ends, a link to a file outside of the folder,
or too large for the memory.
"""

import contextlib
import errno
import hashlib
import io
import os
import stat
from collections.abc import Iterator
from pathlib import Path

_KIB, _MIB, _GIB = 2**10, 2**20, 2**30
# Largest file that is read, in bytes, by its name. Files of real experiments are far smaller.
_LARGEST = {
    "experiment.yaml": 4 * _MIB,
    "config.yaml": 4 * _MIB,
    "plan.json": 16 * _MIB,
    "contents.json": 64 * _MIB,
    "across.json": 256 * _MIB,
    "compare.json": 64 * _MIB,
    "maps.json": 256 * _MIB,
    "held.json": 64 * _KIB,
    "status.json": 256 * _KIB,
    "progress.json": 64 * _KIB,
    "meta.json": _MIB,
    "error.txt": 4 * _MIB,
    "trace.parquet": 4 * _GIB,
    "slices.npz": 4 * _GIB,
    "splits.npz": 4 * _GIB,
    "params.safetensors": 16 * _GIB,
    "checkpoints.safetensors": 16 * _GIB,
}
_LARGEST_OTHER = 64 * _MIB
# The trace or the slices of a run, in memory.
MOST_ARRAY_BYTES = 512 * _MIB
_FLAGS = os.O_RDONLY | sum(
    getattr(os, name, 0) for name in ("O_NOFOLLOW", "O_NONBLOCK", "O_CLOEXEC", "O_BINARY")
)
_NO_FILE = (errno.ENXIO, errno.EOPNOTSUPP, errno.ENODEV)  # as for sockets and missing devices


class UnreadableFile(ValueError):  # noqa: N818 - it names what was found
    """A file that no run writes: not a regular file, too large, or with impossible content."""


@contextlib.contextmanager
def opened(path: Path, limit: int | None = None) -> Iterator[io.BufferedReader]:
    """Opens a regular file for reading; `limit` in bytes is by default that of its name.

    Raises UnreadableFile if it is a symbolic link, not a regular file or larger than the limit,
    OSError if it is missing or cannot be opened.
    """
    handle, _ = _open(path, limit)
    with os.fdopen(handle, "rb") as file:
        yield file


def _open(path: Path, limit: int | None) -> tuple[int, int]:
    """Opens a file without following a link or waiting; returns its descriptor and its size."""
    try:
        handle = os.open(path, _FLAGS)
    except OSError as error:
        if error.errno == errno.ELOOP:
            raise UnreadableFile("it is a symbolic link") from None
        if error.errno in _NO_FILE:
            raise UnreadableFile("it is not a regular file") from None
        raise
    try:
        state = os.fstat(handle)
        if not stat.S_ISREG(state.st_mode):
            kind = "a folder" if stat.S_ISDIR(state.st_mode) else "not a regular file"
            raise UnreadableFile(f"it is {kind}")
        most = largest(path.name) if limit is None else limit
        if state.st_size > most:
            raise UnreadableFile(f"it has {state.st_size:,} bytes; at most {most:,} are read")
    except BaseException:
        os.close(handle)
        raise
    return handle, state.st_size


def largest(name: str) -> int:
    """Returns the size in bytes up to which a file of this name is read."""
    return _LARGEST.get(name, _LARGEST_OTHER)


def read_bytes(path: Path, limit: int | None = None) -> bytes:
    """Returns the content of a file, see `opened`; a file that grows is read up to its size."""
    handle, size = _open(path, limit)
    try:
        content = os.read(handle, size)
        while len(content) < size and (part := os.read(handle, size - len(content))):
            content += part  # one call reads at most 2 GiB
        return content
    finally:
        os.close(handle)


def read_text(path: Path, limit: int | None = None, errors: str = "strict") -> str:
    """Returns the UTF-8 text in a file, see `opened`."""
    return read_bytes(path, limit).decode("utf-8", errors)


def size_and_sha256(path: Path, limit: int | None = None) -> tuple[int, str]:
    """Returns the size and the digest of a file, see `opened`; reads it in small parts."""
    with opened(path, limit) as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
        return file.tell(), digest


def exists(path: Path) -> bool:
    """Returns whether a path exists, also as a link that leads nowhere."""
    return os.path.lexists(path)


def require_folder(path: Path) -> None:
    """Raises UnreadableFile if a path is a link, not a folder, or closed to this user.

    A missing one passes.
    """
    if path.is_symlink():
        raise UnreadableFile(
            f"`{path.name}` is a symbolic link, which could lead out of the folder"
        )
    if exists(path) and not path.is_dir():
        raise UnreadableFile(f"`{path.name}` is not a folder")
    if exists(path) and not os.access(path, os.R_OK | os.X_OK):
        raise UnreadableFile(f"`{path.name}` cannot be opened: this user lacks the permission")
