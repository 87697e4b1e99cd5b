"""The sets of lines and planes in `slices.npz`: labels, file names, units of distance."""

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from landscape.catalog.menu import entries
from landscape.catalog.option_values import default
from landscape.config import DirectionPart
from landscape.report.results import StoredRun
from landscape.report.words import TIMES

PLACES = {"trained": "the trained point", "initial": "the initial point"}
# The array that every set of a kind has.
_FIRST = {"lines": "coordinates", "planes": "x"}
_RANDOM = "random"


class Axis(NamedTuple):
    """An axis of a slice: the name of its direction, and the options of that direction."""

    name: str
    options: Mapping[str, Any]

    @property
    def random(self) -> bool:
        """Whether the direction is drawn, so that there can be several."""
        return self.name == _RANDOM

    def label(self, at: str) -> str:
        """The name of the axis in a figure."""
        option = self.options.get
        if self.name == "eigenvector":
            index, end = option("index"), option("end")
            first = end == "largest" and index == 1
            return "eigenvector" if first else f"eigenvector {index}, {end}"
        if self.name == "trajectory":
            return f"trajectory {option('component')}"
        if self.name == "interpolation":
            return "to the initialization" if at == "trained" else "to the trained point"
        return "random direction" if self.random else self.name

    def phrase(self, at: str) -> str:
        """The direction in a sentence."""
        if self.name == "trajectory":
            return f"component {self.options.get('component')} of the trajectory"
        if self.name == "interpolation":
            return f"the line {self.label(at)}"
        return f"a {self.label(at)}" if self.random else f"the {self.label(at)}"

    def unit(self, at: str) -> tuple[str, str]:
        """Returns the unit of a distance on the axis, and what a distance of 1 is in a sentence."""
        if self.name == "trajectory":
            sentence = "At distance 1 lies the projection of the farthest checkpoint."
            return "1 = farthest checkpoint", sentence
        if self.name == "interpolation":
            end = "initialization" if at == "trained" else "trained point"
            return f"1 = {end}", f"At distance 1 lies the run's {end}."
        normalization = str(self.options.get("normalization"))
        if (self.name, normalization) in _UNSCALED:
            return _UNSCALED[self.name, normalization]
        if self.random or self.name in _SCALED:
            text = f"normalized by {normalization}"
            return _UNITS.get(normalization, (text, f"Directions are {text}."))
        return f"units of {self.name}", f"Distances are in units of the direction {self.name}."


# How a normalization is written beside an axis, and what a distance of 1 means.
_UNITS = {
    "filter": (f"{TIMES} filter norms", "At distance 1 every filter has moved by its own norm."),
    "layer": (f"{TIMES} layer norms", "At distance 1 every layer has moved by its own norm."),
    "whole": (
        f"{TIMES} parameter norm",
        "At distance 1 the parameters as a whole have moved by their own norm.",
    ),
    "none": ("parameter units", "Distances are in the parameters' own units."),
}
_SCALED = ("gradient", "update", "eigenvector")
_UNSCALED = {
    ("gradient", "none"): (
        f"{TIMES} gradient",
        "At distance -c lies one step of gradient descent with learning rate c.",
    ),
    ("update", "none"): (
        f"{TIMES} last step",
        "At distance 1 the last step of the optimizer is repeated.",
    ),
}


class StoredSet(NamedTuple):
    """A set of lines or planes; `slug` distinguishes its files and is empty for the first set."""

    kind: str
    label: str
    slug: str
    axes: tuple[Axis, ...]

    def array(self, at: str, measure: str) -> str:
        """The name of an array in slices.npz."""
        return f"{at}/{self.kind}/{self.label}/{measure}"

    def where(self, at: str) -> str:
        """The name of the set in checks."""
        return f"{at}/{self.kind}/{self.label}"

    def file(self, stem: str, at: str) -> str:
        """The name of a figure of the set: nothing is added for the first set and `trained`."""
        end = "" if at == "trained" else at
        return "_".join(filter(None, (stem, self.slug, end)))

    @property
    def random(self) -> bool:
        """Whether one of its directions is drawn."""
        return any(axis.random for axis in self.axes)


def labels(run: StoredRun, kind: str, places: Sequence[str] = tuple(PLACES)) -> list[str]:
    """Returns the labels of a run's sets of `lines` or `planes`, in the order of the file."""
    names = []
    for name in run.slices:
        parts = name.split("/")
        if len(parts) == 4 and parts[0] in places and parts[1] == kind and parts[3] == _FIRST[kind]:
            names.append(parts[2])
    return list(dict.fromkeys(names))


def sets(runs: Iterable[StoredRun], kind: str) -> tuple[StoredSet, ...]:
    """All sets of the runs, in the order of the files; the first is the one that matters most."""
    known: dict[str, tuple[Axis, ...]] = {}
    for run in runs:
        stored, axes = labels(run, kind), _configured(run, kind)
        if len(axes) != len(stored):
            axes = [_axes_of_label(label, kind) for label in stored]
        for label, pair in zip(stored, axes, strict=True):
            known.setdefault(label, pair)
    others = slugs(list(known)[1:])
    return tuple(
        StoredSet(kind, label, slug, axes)
        for (label, axes), slug in zip(known.items(), ["", *others], strict=False)
    )


def slugs(texts: Sequence[str]) -> list[str]:
    """Returns a distinct file name for each text, of lowercase letters, digits and `_`.

    None ends in the name of a place, since the place is the last part of a file name.
    """
    names: list[str] = []
    for text in texts:
        plain = re.sub(r"[^a-z0-9]+", "_", text.lower()).strip("_") or "set"
        ends = any(plain == place or plain.endswith(f"_{place}") for place in PLACES)
        slug, number = (f"{plain}_set" if ends else plain), 2
        while slug in names:
            slug, number = f"{plain}_{number}", number + 1
        names.append(slug)
    return names


def _configured(run: StoredRun, kind: str) -> list[tuple[Axis, ...]]:
    """The axes of each set in the run's config."""
    settings = None if run.config is None else run.config.slices
    if settings is None:
        return []
    usual = settings.direction
    sets: list[tuple[DirectionPart, ...]]
    if kind == "lines":
        sets = [(lines.direction or usual,) for lines in settings.lines or ()]
    else:
        sets = [planes.axes or (usual, usual) for planes in settings.planes or ()]
    return [tuple(_axis(part.name, part.options) for part in parts) for parts in sets]


def _axis(name: str, options: Mapping[str, Any]) -> Axis:
    """Returns the axis of a direction, with the menu's defaults for options that are missing."""
    menu = {entry.name: entry.options for entry in entries("directions")}
    defaults = {key: default(option) for key, option in menu.get(name, {}).items()}
    return Axis(name.rpartition(":")[2], defaults | dict(options))


def _axes_of_label(label: str, kind: str) -> tuple[Axis, ...]:
    """The axes that a label names, for a file that does not match its config."""
    names = [part.split("[")[0].strip() for part in label.split(TIMES)]
    count = 1 if kind == "lines" else 2
    return tuple(_axis(name, {}) for name in (names * count)[:count])
