"""Sets of lines and planes in `slices.npz`: their labels, file names and units of distance."""

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from landscape.catalog.menu import entries
from landscape.catalog.option_values import default
from landscape.config import DirectionPart
from landscape.report.results import StoredRun
from landscape.report.words import TIMES

PLACES = {"trained": "the trained point", "initial": "the initial point"}
# The array that all sets of a kind have.
_FIRST = {"lines": "coordinates", "planes": "x"}
_RANDOM = "random"
# Characters of a file name; file systems allow 255 bytes, with what is added to it.
_LONGEST_SLUG = 100


class Axis(NamedTuple):
    """An axis of a slice: the name of its direction, and the options of that direction."""

    name: str
    options: Mapping[str, Any]

    @property
    def random(self) -> bool:
        """Whether the direction is drawn at random, so that a set can have several."""
        return self.name == _RANDOM

    def label(self, point: str) -> str:
        """Returns the label of the axis in a figure."""
        option = self.options.get
        if self.name == "eigenvector":
            index, end = option("index"), option("end")
            first = end == "largest" and index == 1
            return "eigenvector" if first else f"eigenvector {index}, {end}"
        if self.name == "trajectory":
            return f"trajectory {option('component')}"
        if self.name == "interpolation":
            return "to the initialization" if point == "trained" else "to the trained point"
        return "random direction" if self.random else self.name

    def phrase(self, point: str) -> str:
        """Returns the direction as a phrase in a sentence."""
        if self.name == "trajectory":
            return f"component {self.options.get('component')} of the trajectory"
        if self.name == "interpolation":
            return f"the line {self.label(point)}"
        return f"a {self.label(point)}" if self.random else f"the {self.label(point)}"

    def unit(self, point: str) -> tuple[str, str]:
        """Returns the unit of distances on the axis, and a sentence that defines the distance 1."""
        if self.name == "trajectory":
            sentence = "At distance 1 lies the projection of the farthest checkpoint."
            return "1 = farthest checkpoint", sentence
        if self.name == "interpolation":
            end = "initialization" if point == "trained" else "trained point"
            return f"1 = {end}", f"At distance 1 lies the run's {end}."
        normalization = str(self.options.get("normalization"))
        if (self.name, normalization) in _UNSCALED:
            return _UNSCALED[self.name, normalization]
        if self.random or self.name in _SCALED:
            text = f"normalized by {normalization}"
            return _UNITS.get(normalization, (text, f"Directions are {text}."))
        return f"units of {self.name}", f"Distances are in units of the direction {self.name}."


# Unit and definition of the distance 1, by normalization of the direction.
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
    """A set of lines or planes; `slug` is part of its file names, and empty for the first set."""

    kind: str
    label: str
    slug: str
    axes: tuple[Axis, ...]

    def array(self, point: str, measure: str) -> str:
        """Returns the name of an array in slices.npz."""
        return f"{self.where(point)}/{measure}"

    def where(self, point: str) -> str:
        """Returns the place of the set, as named in checks."""
        return f"{point}/{self.kind}/{self.label}"

    def file(self, stem: str, point: str) -> str:
        """Returns the file name of a figure: slug and point follow unless empty and `trained`."""
        return "_".join(filter(None, (stem, self.slug, "" if point == "trained" else point)))

    @property
    def random(self) -> bool:
        """Whether one of its directions is drawn at random."""
        return any(axis.random for axis in self.axes)


def labels(run: StoredRun, kind: str, places: Sequence[str] = tuple(PLACES)) -> list[str]:
    """Returns the labels of a run's sets of `lines` or `planes`, in the order of the file."""
    names = (name.split("/") for name in run.slices)
    sets = [
        parts[2]
        for parts in names
        if len(parts) == 4 and parts[1::2] == [kind, _FIRST[kind]] and parts[0] in places
    ]
    return list(dict.fromkeys(sets))


def sets(runs: Iterable[StoredRun], kind: str) -> tuple[StoredSet, ...]:
    """Returns all sets of the runs, in the order of the files; the first is the main one."""
    axes_of: dict[str, tuple[Axis, ...]] = {}
    for run in runs:
        stored, axes = labels(run, kind), _configured(run, kind)
        if len(axes) != len(stored):
            axes = [_axes_of_label(label, kind) for label in stored]
        axes_of |= {k: v for k, v in zip(stored, axes, strict=True) if k not in axes_of}
    names = list(axes_of)
    return tuple(
        StoredSet(kind, label, slug, axes_of[label])
        for label, slug in zip(names, ["", *slugs(names[1:])], strict=False)
    )


def slugs(texts: Sequence[str]) -> list[str]:
    """Returns a distinct file name for each text, of lowercase letters, digits and `_`.

    No name ends like a point, since file names end with the point.
    """
    names: list[str] = []
    for text in texts:
        plain = re.sub(r"[^a-z0-9]+", "_", text.lower()).strip("_")[:_LONGEST_SLUG] or "set"
        ends = any(plain == place or plain.endswith(f"_{place}") for place in PLACES)
        slug, number = (f"{plain}_set" if ends else plain), 2
        while slug in names:
            slug, number = f"{plain}_{number}", number + 1
        names.append(slug)
    return names


def _configured(run: StoredRun, kind: str) -> list[tuple[Axis, ...]]:
    """Returns the axes of each set in the run's config."""
    settings = None if run.config is None else run.config.slices
    if settings is None:
        return []
    default_part = settings.direction
    parts: list[tuple[DirectionPart, ...]]
    if kind == "lines":
        parts = [(lines.direction or default_part,) for lines in settings.lines or ()]
    else:
        parts = [planes.axes or (default_part,) * 2 for planes in settings.planes or ()]
    return [tuple(_axis(part.name, part.options) for part in axes) for axes in parts]


def _axis(name: str, options: Mapping[str, Any]) -> Axis:
    """Returns the axis of a direction, with the menu's defaults for options that are missing."""
    menu = {entry.name: entry.options for entry in entries("directions")}
    defaults = {key: default(option) for key, option in menu.get(name, {}).items()}
    return Axis(name.rpartition(":")[2], defaults | dict(options))


def _axes_of_label(label: str, kind: str) -> tuple[Axis, ...]:
    """Returns the axes that a label names, for a file that does not match its config."""
    names = [part.split("[")[0].strip() for part in label.split(TIMES)]
    count = 1 if kind == "lines" else 2
    return tuple(_axis(name, {}) for name in (names * count)[:count])
