"""Sequences: characters of a text, and generated series."""

import functools
import importlib.util
from pathlib import Path
from typing import Annotated

import numpy as np

from landscape.parts._options import Between, check_in, check_whole
from landscape.parts.datasets._dataset import Dataset
from landscape.parts.datasets._prepare import assemble
from landscape.parts.datasets._split import Shares, generator

_TEXTS = ("breast_cancer", "diabetes", "digits", "iris", "linnerud", "wine_data")
_LETTERS = "abcdefghijklmnopqrstuvwxyz"
# Letters as they are, all digits as one character, and all else as a space.
CHARACTERS = (*_LETTERS, "0", ".", ",", " ")
_CLASSES = 10
_TEMPLATE = 12


def next_character(
    seed: int,
    *,
    length: int = 32,
    test_fraction: Annotated[float, Between(0, 1)] = 0.25,
    validation_fraction: Annotated[float, Between(0, 1)] = 0.2,
) -> Dataset:
    """Real English text in windows of characters, each to predict the next: a sequence.

    The text is that of six descriptions of datasets that scikit-learn ships, about 15,000
    characters of 30 kinds: lower-case letters, one for all digits, period, comma, and space for all
    else. Inputs (length,) are tokens 0 to 29, targets (length,) the tokens one place later; windows
    do not overlap. `length` is from 4 to 256.
    Choose it for next-token losses on real data; the best guess without context, a space, is right
    in a sixth of the places.
    """
    check_whole(4, 256, length=length)
    tokens = _text()
    count = (len(tokens) - 1) // length
    inputs = tokens[: count * length].reshape(count, length)
    targets = tokens[1 : count * length + 1].reshape(count, length)
    return assemble(
        inputs,
        targets,
        seed,
        Shares(test_fraction, validation_fraction),
        task="sequence",
        classes=CHARACTERS,
        vocabulary=len(CHARACTERS),
        description=f"English text in windows of {length} characters (scikit-learn)",
    )


def generated_series(
    seed: int,
    *,
    size: int = 2000,
    noise: float = 0.2,
    test_fraction: Annotated[float, Between(0, 1)] = 0.25,
    validation_fraction: Annotated[float, Between(0, 1)] = 0.2,
) -> Dataset:
    """Generated series of 40 values in ten classes, each a curve at a random place and scale.

    A curve of 12 values, the same for all seeds, is stretched to between 12 and 24 values, scaled
    by 0.5 to 1.5, and put at a random place; a random slope and Gaussian noise of standard
    deviation `noise` are added. Inputs (40, 1), standardized on the training examples; targets are
    labels 0 to 9; `size` counts the series of all splits; the split is stratified.
    Design: Greydanus and Kobak, Scaling down deep learning with MNIST-1D (2020).
    Choose it for convolutions over time, which see a curve at any place; not as evidence about real
    data.
    """
    check_whole(60, 1_000_000, size=size)
    check_in("[0, inf)", noise=noise)
    random = generator(seed, "series")
    labels = np.arange(size) % _CLASSES
    series = np.stack([_one_series(int(label), random) for label in labels])
    series += noise * random.standard_normal(series.shape)
    return assemble(
        series[:, :, None],
        labels,
        seed,
        Shares(test_fraction, validation_fraction),
        task="multiclass",
        classes=tuple(f"curve {label}" for label in range(_CLASSES)),
        description=f"Series of ten kinds of curves with noise {noise:g}, generated",
    )


@functools.cache
def _text() -> np.ndarray:
    package = importlib.util.find_spec("sklearn")
    assert package is not None and package.origin is not None
    folder = Path(package.origin).parent / "datasets" / "descr"
    text = " ".join((folder / f"{name}.rst").read_text("utf-8") for name in _TEXTS).lower()
    characters = ("0" if c.isdigit() else c if c in CHARACTERS else " " for c in text)
    words = "".join(characters).split()
    return np.array([CHARACTERS.index(c) for c in " ".join(words)], np.int32)


@functools.cache
def _templates() -> np.ndarray:
    """Returns the ten curves (10, 12): smooth, of mean 0 and standard deviation 1."""
    steps = np.random.default_rng(2020).standard_normal((_CLASSES, _TEMPLATE))
    curves = np.cumsum(steps, axis=1)
    curves -= curves.mean(axis=1, keepdims=True)
    curves /= curves.std(axis=1, keepdims=True)
    return curves


def _one_series(label: int, random: np.random.Generator) -> np.ndarray:
    width = int(random.integers(_TEMPLATE, 2 * _TEMPLATE + 1))
    places = np.linspace(0, _TEMPLATE - 1, width)
    curve = np.interp(places, np.arange(_TEMPLATE), _templates()[label])
    series = random.normal(0, 0.5) * np.linspace(-1, 1, 40)
    start = int(random.integers(40 - width + 1))
    series[start : start + width] += random.uniform(0.5, 1.5) * curve
    return series
