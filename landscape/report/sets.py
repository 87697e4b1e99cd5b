"""The sets of lines and planes in slices.npz: labels, names for files, units of distance."""

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from landscape.report.results import StoredRun
from landscape.report.words import TIMES

PLACES = {"trained": "the trained point", "initial": "the initial point"}
# The array that every set of a kind has.
_FIRST = {"lines": "coordinates", "planes": "x"}
_DRAWN = "random"


class Direction(NamedTuple):
    """A direction as the config names it."""

    name: str
    options: Mapping[str, Any]

    @property
    def drawn(self) -> bool:
        """Whether it is drawn, so that there can be several."""
        return self.name == _DRAWN

    def called(self, at: str) -> str:
        """What an axis along it is called."""
        option = self.options.get
        if self.name == "eigenvector":
            index, end = option("index", 1), option("end", "largest")
            first = end == "largest" and index == 1
            return "eigenvector" if first else f"eigenvector {index}, {end}"
        if self.name == "trajectory":
            return f"trajectory {option('component', 1)}"
        if self.name == "interpolation":
            return "to the initialization" if at == "trained" else "to the trained point"
        return "random direction" if self.drawn else self.name

    def spoken(self, at: str) -> str:
        """The direction in a sentence."""
        if self.name == "trajectory":
            return f"component {self.options.get('component', 1)} of the trajectory"
        if self.name == "interpolation":
            return f"the way {self.called(at)}"
        return f"a {self.called(at)}" if self.drawn else f"the {self.called(at)}"

    def unit(self, at: str) -> tuple[str, str]:
        """The unit of a distance for an axis, and a sentence that says what a distance of 1 is."""
        if self.name == "trajectory":
            said = "At distance 1 lies the projection of the farthest checkpoint."
            return "1 = farthest checkpoint", said
        if self.name == "interpolation":
            end = "initialization" if at == "trained" else "trained point"
            return f"1 = {end}", f"At distance 1 lies the run's {end}."
        usual = "filter" if self.drawn else "whole"
        normalization = str(self.options.get("normalization", usual))
        if (self.name, normalization) in _UNSCALED:
            return _UNSCALED[self.name, normalization]
        if self.drawn or self.name in _SCALED:
            other = (f"normalized by {normalization}",) * 2
            return _UNITS.get(normalization, (other[0], f"Directions are {other[1]}."))
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


class Set(NamedTuple):
    """A set of lines or planes; `slug` is what tells its files apart, empty for the first set."""

    kind: str
    label: str
    slug: str
    directions: tuple[Direction, ...]

    def array(self, at: str, measure: str) -> str:
        """The name of an array in slices.npz."""
        return f"{at}/{self.kind}/{self.label}/{measure}"

    def where(self, at: str) -> str:
        """How the checks call the set."""
        return f"{at}/{self.kind}/{self.label}"

    def file(self, stem: str, at: str) -> str:
        """The name of a figure of the set: nothing is added for the first set and `trained`."""
        end = "" if at == "trained" else at
        return "_".join(filter(None, (stem, self.slug, end)))

    @property
    def drawn(self) -> bool:
        """Whether a direction of it is drawn."""
        return any(direction.drawn for direction in self.directions)


def labels(run: StoredRun, kind: str, places: Sequence[str] = tuple(PLACES)) -> list[str]:
    """The labels of a run's sets of `lines` or `planes`, in the file's order."""
    found = []
    for name in run.slices:
        parts = name.split("/")
        if len(parts) == 4 and parts[0] in places and parts[1] == kind and parts[3] == _FIRST[kind]:
            found.append(parts[2])
    return list(dict.fromkeys(found))


def sets(runs: Iterable[StoredRun], kind: str) -> tuple[Set, ...]:
    """All sets of the runs, in the order of the files; the first is the one that matters most."""
    known: dict[str, tuple[Direction, ...]] = {}
    for run in runs:
        found = labels(run, kind)
        asked = _asked(run, kind)
        if len(asked) != len(found):
            asked = [_guessed(label, kind) for label in found]
        for label, directions in zip(found, asked, strict=True):
            known.setdefault(label, directions)
    names = slugs(list(known)[1:])
    return tuple(
        Set(kind, label, slug, directions)
        for (label, directions), slug in zip(known.items(), ["", *names], strict=False)
    )


def slugs(texts: Sequence[str]) -> list[str]:
    """A name for files for each text: lowercase letters, digits and `_`, no two alike.

    None is or ends in the name of a place, which stands last in a file's name.
    """
    made: list[str] = []
    for text in texts:
        plain = re.sub(r"[^a-z0-9]+", "_", text.lower()).strip("_") or "set"
        ends = any(plain == place or plain.endswith(f"_{place}") for place in PLACES)
        slug, number = (f"{plain}_set" if ends else plain), 2
        while slug in made:
            slug, number = f"{plain}_{number}", number + 1
        made.append(slug)
    return made


def _asked(run: StoredRun, kind: str) -> list[tuple[Direction, ...]]:
    """The directions of each set as the config asks for them; empty where it cannot be told."""
    slices = run.config.get("slices")
    entries = slices.get(kind) if isinstance(slices, dict) else None
    if not isinstance(slices, dict) or not isinstance(entries, list):
        return []
    usual = _direction(slices.get("direction"))
    found: list[tuple[Direction, ...]] = []
    for entry in entries:
        entry = entry if isinstance(entry, dict) else {}
        if kind == "lines":
            found.append((_direction(entry.get("direction")) or usual or _RANDOM,))
            continue
        axes = entry.get("axes")
        pair = axes if isinstance(axes, list) and len(axes) == 2 else [None, None]
        found.append(tuple(_direction(axis) or usual or _RANDOM for axis in pair))
    return found


_RANDOM = Direction(_DRAWN, {})


def _direction(part: object) -> Direction | None:
    if not isinstance(part, dict) or not isinstance(part.get("name"), str):
        return None
    options = part.get("options")
    name = part["name"].rpartition(":")[2]
    return Direction(name, options if isinstance(options, dict) else {})


def _guessed(label: str, kind: str) -> tuple[Direction, ...]:
    """The directions that a label names, where there is no config to ask."""
    names = [part.split("[")[0].strip() for part in label.split(TIMES)]
    count = 1 if kind == "lines" else 2
    return tuple(Direction(name, {}) for name in (names * count)[:count])
