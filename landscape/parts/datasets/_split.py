"""Chooses the examples of the three splits: by share and class, by group, or as a file states."""

import zlib
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from landscape.errors import Place, UserError, nearest
from landscape.parts._options import check_in
from landscape.parts.datasets._named_array import NUMERIC, NamedArray

SPLITS = ("train", "validation", "test")
# The cost of leaving a class out of a split, in units of its squared relative error of size.
_EMPTY = 4.0


class Shares(NamedTuple):
    """Share of all examples for test, and of those that are not test for validation."""

    test: float
    validation: float


class SplitRows(NamedTuple):
    """Numbers of the examples of each split, in the order of the split."""

    train: np.ndarray
    validation: np.ndarray
    test: np.ndarray


class Strata(NamedTuple):
    """What must be kept in proportion: the class of each example, `codes` (n,) from 0.

    `names` are those of the classes in messages; without classes all examples have the code 0.
    """

    codes: np.ndarray
    names: Sequence[str]
    place: Place | None = None


def generator(seed: int, purpose: str) -> np.random.Generator:
    """Returns random numbers for one purpose, independent of those for other purposes."""
    if seed < 0:
        raise UserError(f"seed {seed} is negative", hint="a seed is a whole number of at least 0")
    return np.random.default_rng([zlib.crc32(purpose.encode()), seed])


def strata(
    count: int,
    labels: np.ndarray | None = None,
    classes: Sequence[str] = (),
    place: Place | None = None,
) -> Strata:
    """Returns the classes of `count` examples; one class if no labels are passed."""
    if labels is None:
        return Strata(np.zeros(count, int), (), place)
    values, codes = np.unique(labels, return_inverse=True)
    names = [str(classes[int(v)]) if int(v) < len(classes) else f"{v:g}" for v in values]
    return Strata(codes, names, place)


def split(seed: int, shares: Shares, classes: Strata) -> SplitRows:
    """Returns shuffled examples of the three splits; every class has its share in each.

    Each share of a class is rounded, but no split is left without it. Raises UserError if a class
    has fewer than three examples.
    """
    _check_shares(shares)
    order = generator(seed, "split").permutation(len(classes.codes))
    rest, test = _divide(order, shares.test, classes, SPLITS)
    train, validation = _divide(rest, shares.validation, classes, SPLITS[:2])
    return SplitRows(train, validation, test)


def split_by_group(seed: int, shares: Shares, classes: Strata, groups: NamedArray) -> SplitRows:
    """Same as `split` with all examples of a group in one split.

    Groups are assigned in random order, each to the split that it brings nearest to its shares, so
    the shares hold as well as the sizes of the groups allow. Raises UserError if there are too few
    groups for a class to be in every split.
    """
    _check_shares(shares)
    order = generator(seed, "split").permutation(len(classes.codes))
    rest = 1 - shares.test
    fractions = (rest * (1 - shares.validation), rest * shares.validation, shares.test)
    return SplitRows(*_divide_groups(order, fractions, classes, group_codes(groups)))


def stated_split(
    seed: int,
    validation_share: float,
    classes: Strata,
    stated: NamedArray,
    groups: NamedArray | None = None,
) -> SplitRows:
    """Returns the splits that a column or array states for each example.

    Without examples for validation, these are taken from training. Raises UserError for another
    name than those of the splits, for a group in two splits, if there is no example for training or
    test, or if a class has none for training.
    """
    check_in("(0, 1)", validation_fraction=validation_share)
    codes = _stated_codes(stated)
    if groups is not None:
        _check_groups(codes, groups)
    order = generator(seed, "split").permutation(len(codes))
    rows = SplitRows(*(order[codes[order] == number] for number in range(len(SPLITS))))
    for name in ("train", "test"):
        if not len(getattr(rows, name)):
            raise UserError(
                f"{stated.kind} `{stated.name}` assigns no example to {name}", place=classes.place
            )
    if not len(rows.validation):
        rows = take_validation(rows, validation_share, classes, groups)
    missing = np.setdiff1d(classes.codes, classes.codes[rows.train])
    if missing.size:
        raise UserError(
            f"class `{classes.names[missing[0]]}` has no example for training in "
            f"{stated.kind} `{stated.name}`",
            place=classes.place,
        )
    return rows


def take_validation(
    rows: SplitRows, share: float, classes: Strata, groups: NamedArray | None = None
) -> SplitRows:
    """Returns splits whose examples for validation are a share of those for training."""
    if groups is None:
        train, validation = _divide(rows.train, share, classes, SPLITS[:2])
    else:
        codes = group_codes(groups)
        train, validation = _divide_groups(rows.train, (1 - share, share), classes, codes)
    return SplitRows(train, validation, rows.test)


def part_size(count: int, share: float, others: int) -> int:
    """Returns the rounded share of `count` examples: at least one, and at least `others` fewer."""
    return min(max(int(count * share + 0.5), 1), count - others)


def composed_sizes(size: int, shares: Shares) -> tuple[int, int, int]:
    """Returns the numbers of composed examples for training, validation and test."""
    test = part_size(size, shares.test, 2)
    validation = part_size(size - test, shares.validation, 1)
    return size - test - validation, validation, test


def group_codes(groups: NamedArray) -> np.ndarray:
    """Returns the number of the group of each example. Raises UserError if one has no group."""
    values = groups.values
    if values.dtype.kind in NUMERIC:
        missing = np.flatnonzero(np.isnan(values.astype(np.float64)))
    else:
        missing = np.flatnonzero([value == "" for value in values])
    if missing.size:
        raise groups.error(int(missing[0]), "is empty; expected the name of a group")
    return np.unique(values, return_inverse=True)[1]


def _check_shares(shares: Shares) -> None:
    check_in("(0, 1)", test_fraction=shares.test, validation_fraction=shares.validation)


def _divide(
    order: np.ndarray, share: float, classes: Strata, names: Sequence[str]
) -> tuple[np.ndarray, np.ndarray]:
    """Divides examples into the rest and a share of each class, both in the same order.

    `names` are the splits that these examples are for, the share's last.
    """
    chosen = np.zeros(len(classes.codes), bool)
    for code in np.unique(classes.codes) if len(classes.names) else (0,):
        members = order[classes.codes[order] == code]
        if len(members) < len(names):
            raise _too_few(len(members), "example", code, classes, names)
        chosen[members[: part_size(len(members), share, len(names) - 1)]] = True
    return order[~chosen[order]], order[chosen[order]]


def _divide_groups(
    order: np.ndarray, fractions: Sequence[float], classes: Strata, groups: np.ndarray
) -> list[np.ndarray]:
    """Divides examples into parts of these fractions, each group in one part."""
    names = SPLITS[: len(fractions)]
    counts = np.zeros((groups.max() + 1, max(len(classes.names), 1)))
    np.add.at(counts, (groups[order], classes.codes[order]), 1)
    expected = np.outer(fractions, counts.sum(0))
    sizes, part_of = np.zeros_like(expected), np.zeros(len(counts), int)
    for group in dict.fromkeys(groups[order].tolist()):
        costs = (_misfit(sizes + counts[group], expected) - _misfit(sizes, expected)).sum(1)
        part_of[group] = np.argmin(costs)
        sizes[part_of[group]] += counts[group]
    empty = np.argwhere((sizes == 0) & (expected > 0))
    if len(empty):
        code = empty[0][1]
        raise _too_few(int((counts[:, code] > 0).sum()), "group", code, classes, names)
    return [order[part_of[groups[order]] == part] for part in range(len(names))]


def _misfit(sizes: np.ndarray, expected: np.ndarray) -> np.ndarray:
    """Returns the squared relative error of each size, more if nothing is there."""
    errors = (sizes - expected) / np.where(expected > 0, expected, 1)
    return errors**2 + _EMPTY * (sizes == 0)


def _too_few(count: int, unit: str, code: int, classes: Strata, names: Sequence[str]) -> UserError:
    subject = f"class `{classes.names[code]}`" if len(classes.names) else "the dataset"
    units = unit if count == 1 else f"{unit}s"
    splits = f"{', '.join(names[:-1])} and {names[-1]}"
    hint = f"add {unit}s" + (", or remove this class" if len(classes.names) else "")
    return UserError(
        f"{subject} has {count} {units}, too few for {splits}, which need one each",
        place=classes.place,
        hint=hint,
    )


def _stated_codes(stated: NamedArray) -> np.ndarray:
    """Returns the position in `SPLITS` of the split of each example."""
    codes = np.zeros(len(stated.values), int)
    for position, value in enumerate(stated.values):
        if value not in SPLITS:
            message = f"is {value!r}; expected {', '.join(SPLITS[:-1])} or {SPLITS[-1]}"
            raise stated.error(position, message, nearest(str(value), SPLITS))
        codes[position] = SPLITS.index(value)
    return codes


def _check_groups(codes: np.ndarray, groups: NamedArray) -> None:
    """Raises UserError if the examples of a group are in two splits."""
    numbers = group_codes(groups)
    _, first = np.unique(numbers, return_index=True)
    elsewhere = np.flatnonzero(codes != codes[first][numbers])
    if elsewhere.size:
        position = int(elsewhere[0])
        splits = SPLITS[codes[first[numbers[position]]]], SPLITS[codes[position]]
        raise groups.error(
            position,
            f"is {groups.values[position]!s}, a group of which examples are in {splits[0]} and in "
            f"{splits[1]}",
            "assign each group to one split",
        )
