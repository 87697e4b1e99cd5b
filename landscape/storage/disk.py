"""Writes files so that each is the old one or the new one, never a part, whoever is killed.

A file is written under a temporary name in its own folder, flushed to disk and renamed.
"""

import contextlib
import errno
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

from landscape.errors import StorageError

# The end of the name of a file that is being written.
UNFINISHED = ".part"
_HINTS = {
    errno.ENOSPC: "free some space and give the same command again",
    errno.EDQUOT: "free some space and give the same command again",
    errno.EROFS: "choose another place to write to",
    errno.EACCES: "choose another place to write to",
}


def write_bytes(path: Path, content: bytes, *, lasting: bool = True) -> None:
    """Replaces `path` by `content`, all of it or nothing; makes the folder if needed.

    Flushed to disk, unless it is not `lasting`. StorageError where it cannot be written.
    """
    refuse_copies()
    with storing(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(UNFINISHED, f".{path.name}.", path.parent)
        temporary = Path(name)
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(content)
                file.flush()
                if lasting:
                    os.fsync(file.fileno())
            temporary.chmod(0o644)
            temporary.replace(path)
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise


@contextlib.contextmanager
def storing(path: Path) -> Iterator[None]:
    """What the system says of a file, as an error that says what to do."""
    try:
        yield
    except OSError as error:
        hint = _HINTS.get(error.errno or 0, "give the same command again")
        raise StorageError(f"cannot write {path}: {error.strerror}", hint=hint) from error


_owner: int | None = None


def claim() -> None:
    """Says that from now on this process alone writes.

    A loss of somebody's may fork. The copy goes on with a run that is its parent's, and must not
    write into it.
    """
    global _owner
    _owner = os.getpid()


def disclaim() -> None:
    """Any process may write again."""
    global _owner
    _owner = None


def refuse_copies() -> None:
    """Ends this process at once where it is a copy of the one that writes."""
    if _owner is not None and os.getpid() != _owner:
        os._exit(1)


def write_text(path: Path, text: str) -> None:
    """UTF-8 text."""
    write_bytes(path, text.encode())
