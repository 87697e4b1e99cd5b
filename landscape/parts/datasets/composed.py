"""Digits of scikit-learn, composed: several in an image, with a survival time, at a place."""

from typing import Annotated, Any

import numpy as np

from landscape.parts._options import Between, check_in, check_whole
from landscape.parts.datasets._dataset import Dataset, Split
from landscape.parts.datasets._prepare import assemble, finish
from landscape.parts.datasets._sources import digit_images
from landscape.parts.datasets._split import SPLITS, Shares, composed_sizes, generator, split, strata
from landscape.parts.datasets.images import DIGITS

_IN_A_ROW = 3
_CANVAS = 16
_NOISE = 0.15  # of a background pixel, for strokes of 1


def digit_sets(
    seed: int,
    *,
    size: int = 1500,
    test_fraction: Annotated[float, Between(0, 1)] = 0.25,
    validation_fraction: Annotated[float, Between(0, 1)] = 0.2,
) -> Dataset:
    """Composed rows of three real digits, 8 by 24 pixels: which of ten digits occur, multilabel.

    Digits are drawn uniformly and may repeat. The rows of the three splits are made of different
    images. Inputs (1, 8, 24), standardized with one mean and one standard deviation over all
    training pixels; targets (10,), 1 for a digit that occurs; `size` counts the rows of all splits.
    Source of the digits: scikit-learn `load_digits`.
    Choose it for multilabel losses: about 2.7 of 10 labels are 1.
    """

    def rows(images: np.ndarray, labels: np.ndarray, random: np.random.Generator) -> Split:
        chosen = random.integers(len(images), size=(len(images), _IN_A_ROW))
        targets = np.zeros((len(chosen), len(DIGITS)))
        np.put_along_axis(targets, labels[chosen], 1.0, axis=1)
        return Split(np.concatenate(np.moveaxis(images[chosen], 1, 0), axis=2)[:, None], targets)

    splits = _compose(rows, seed, size, Shares(test_fraction, validation_fraction))
    return finish(
        *splits,
        task="multilabel",
        classes=DIGITS,
        description="Composed rows of three handwritten digits, with the digits that occur",
    )


def digit_boxes(
    seed: int,
    *,
    size: int = 1500,
    test_fraction: Annotated[float, Between(0, 1)] = 0.25,
    validation_fraction: Annotated[float, Between(0, 1)] = 0.2,
) -> Dataset:
    """Composed scenes of one real digit over noise, 16 by 16 pixels, with its box.

    The digit is at a random place, in its size or twice as wide or high. The scenes of the three
    splits are made of different images. Inputs (1, 16, 16), standardized with one mean and one
    standard deviation over all training pixels; targets (4,) are the corners (left, top, right,
    bottom) of the smallest box around its strokes, as shares of the sides of the scene; `size`
    counts the scenes of all splits. Source of the digits: scikit-learn `load_digits`.
    Choose it for losses of boxes.
    """

    def scenes(images: np.ndarray, labels: np.ndarray, random: np.random.Generator) -> Split:
        inputs = _NOISE * random.standard_normal((len(images), _CANVAS, _CANVAS))
        boxes = np.stack([_placed(s, i, random) for s, i in zip(inputs, images, strict=True)])
        return Split(inputs[:, None], boxes / _CANVAS)

    splits = _compose(scenes, seed, size, Shares(test_fraction, validation_fraction))
    description = "Composed scenes of a handwritten digit over noise, with the box of the digit"
    return finish(*splits, task="boxes", description=description)


def digit_survival(
    seed: int,
    *,
    censoring: float = 0.3,
    test_fraction: Annotated[float, Between(0, 1)] = 0.25,
    validation_fraction: Annotated[float, Between(0, 1)] = 0.2,
) -> Dataset:
    """1797 real handwritten digits with generated times: the hazard doubles with each digit.

    Times are exponential with rate 2^digit / 16; the field `events` is 0 for a share of about
    `censoring` of the examples, which are censored at a random moment before the event. Inputs as
    in `digits`. With the true risk the concordance is about 0.84, less than 1 since times are
    random. Design: Goldstein et al., X-CAL: explicit calibration for survival analysis (2020),
    section on survival MNIST.
    Choose it for survival losses; not as evidence about real times.
    """
    check_in("[0, 1)", censoring=censoring)
    images, labels = digit_images()
    random = generator(seed, "survival times")
    times = random.exponential(16.0 / 2.0**labels)
    events = random.random(len(times)) >= censoring
    times = np.where(events, times, times * random.random(len(times)))
    return assemble(
        images[:, None],
        times,
        seed,
        Shares(test_fraction, validation_fraction),
        fields={"events": events.astype(np.float32)},
        task="survival",
        description=f"Handwritten digits with generated survival times, {censoring:.0%} censored",
    )


def _compose(compose: Any, seed: int, size: int, shares: Shares) -> list[Split]:
    """Returns the three splits; `compose(images, labels, random)` makes one example per image."""
    check_whole(30, 1_000_000, size=size)
    images, labels = digit_images()
    splits = []
    for name, pool, count in zip(
        SPLITS,
        split(seed, shares, strata(len(images), labels)),
        composed_sizes(size, shares),
        strict=True,
    ):
        random = generator(seed, f"{name} compositions")
        chosen = pool[random.integers(len(pool), size=count)]
        splits.append(compose(images[chosen] / 16.0, labels[chosen], random))
    return splits


def _placed(scene: np.ndarray, digit: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """Adds the digit to the scene in place, at a random place and size; returns its box (4,)."""
    wider, higher = (int(factor) for factor in random.integers(1, 3, size=2))
    shape = digit.repeat(higher, axis=0).repeat(wider, axis=1)
    top, left = (int(random.integers(_CANVAS - side + 1)) for side in shape.shape)
    scene[top : top + shape.shape[0], left : left + shape.shape[1]] += shape
    rows, columns = np.nonzero(shape > 0.25)
    low = left + columns.min(), top + rows.min()
    high = left + columns.max() + 1, top + rows.max() + 1
    return np.array([*low, *high], float)
