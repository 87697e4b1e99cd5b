"""The points of unfinished slices, so that a run that was stopped goes on where it was."""

from pathlib import Path

import numpy as np

from landscape.storage import array_files, disk

# Hidden: it is not a result, and no digest covers it.
NAME = ".partial_slices.npz"


def read(folder: Path, identity: str) -> dict[str, np.ndarray]:
    """Returns the arrays that a run of this identity stored, if it stored any."""
    try:
        arrays = array_files.read_slices(folder, name=NAME)
    except array_files.READ_ERRORS:
        return {}
    stored = arrays.pop("identity", np.zeros(0, np.uint8))
    return arrays if stored.tobytes().decode(errors="replace") == identity else {}


def write(folder: Path, identity: str, arrays: dict[str, np.ndarray]) -> None:
    """Replaces the stored arrays at once. Raises StorageError if they cannot be written."""
    named = {"identity": np.frombuffer(identity.encode(), np.uint8), **arrays}
    disk.write_bytes(folder / NAME, array_files.slices_bytes(named), lasting=False)


def remove(folder: Path) -> None:
    """Deletes the stored arrays, once the slices are complete."""
    (folder / NAME).unlink(missing_ok=True)
