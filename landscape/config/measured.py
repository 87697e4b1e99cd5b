"""What a config may ask to be measured: slices, curvature, and what lies between runs."""

import math
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    WithJsonSchema,
    model_validator,
)
from pydantic_core import PydanticCustomError

from landscape.catalog.menu import entries
from landscape.catalog.option_values import default
from landscape.config.parts import Count, DirectionPart, Frozen, Odd, Positive, unique
from landscape.config.yaml_source import short_text


def _label(value: str) -> str:
    if not value.strip() or not value.isprintable() or "/" in value:
        raise PydanticCustomError("label", "a line of text without a slash")
    return value


def _radius(value: Any) -> Any:
    if value == "auto":
        return value
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise PydanticCustomError("radius", "a distance greater than 0, or auto")
    if not 0 < value < math.inf:
        raise PydanticCustomError("radius", "a distance greater than 0 and finite, or auto")
    return float(value)


def _auto(value: Any) -> Any:
    if value == "auto" or (type(value) is int and 1 <= value <= 4096):
        return value
    raise PydanticCustomError("auto", "a whole number from 1 to 4096, or auto")


# Between the directions of a plane in its label.
_SEPARATOR = " \N{MULTIPLICATION SIGN} "


def _called(direction: DirectionPart) -> str:
    """A direction's name, with the options in which it differs from what is usual."""
    usual = {e.name: e.options for e in entries("directions")}.get(direction.name, {})
    name = direction.name.rpartition(":")[2]
    written = [
        f"{key}={short_text(value)}"
        for key, value in direction.options.items()
        if key not in usual or value != default(usual[key])
    ]
    called = f"{name}[{','.join(written)}]" if written else name
    return "".join(c if c.isprintable() and c != "/" else "_" for c in called)


# Directions that follow from the point itself, so that there is nothing to draw several times.
COMPUTED = ("gradient", "update", "eigenvector", "trajectory", "interpolation")
Radius = Annotated[
    float | Literal["auto"],
    BeforeValidator(_radius),
    WithJsonSchema({"anyOf": [{"type": "number", "exclusiveMinimum": 0}, {"const": "auto"}]}),
]
Auto = Annotated[
    int | Literal["auto"],
    BeforeValidator(_auto),
    WithJsonSchema({"anyOf": [{"type": "integer", "minimum": 1}, {"const": "auto"}]}),
]
Label = Annotated[str, Field(max_length=60), AfterValidator(_label)]


class Lines(Frozen):
    """Slices along single directions: `directions` draws of one `direction`, null that of `slices`.

    `radius` is the distance walked to both sides; `auto` finds the one at which the risk has risen
    by `rise` times the drop that training achieved. `directions` null: 8, or the one that there is
    of a direction that is computed. `label` is what the set is called in results and reports.
    """

    label: Label | None = None
    direction: DirectionPart | None = None
    directions: Count | None = None
    points: Odd = 41
    radius: Radius = 1.0
    rise: Positive = 1.0

    @model_validator(mode="after")
    def _one_of_computed(self) -> "Lines":
        name = None if self.direction is None else self.direction.name
        if name in COMPUTED and self.directions not in (None, 1):
            raise PydanticCustomError(
                "sentence",
                "`directions` is {count}, but there is only one `{name}` at a point",
                {"count": self.directions, "name": name, "hint": "leave `directions` out"},
            )
        return self

    def draws(self, direction: DirectionPart) -> int:
        """How many directions there are."""
        return self.directions or (1 if direction.name in COMPUTED else 8)


class Planes(Frozen):
    """Slices on planes of two `axes`, null twice the direction of `slices`; `points` are [x, y].

    `draws` planes of the same axes; `radius`, `rise` and `label` as for lines. `eigenvalues`: the
    smallest and the largest eigenvalue of the Hessian at every point as well, by that many
    iterations of Lanczos.
    """

    label: Label | None = None
    axes: tuple[DirectionPart, DirectionPart] | None = None
    draws: Count | None = None
    points: tuple[Odd, Odd] = (31, 31)
    radius: Radius = 1.0
    rise: Positive = 1.0
    eigenvalues: Annotated[int, Field(ge=2)] | None = None

    @model_validator(mode="after")
    def _one_of_computed(self) -> "Planes":
        if self.axes is None:
            return self
        first, second = self.axes
        if {first.name, second.name} <= set(COMPUTED):
            if self.draws not in (None, 1):
                raise PydanticCustomError(
                    "sentence",
                    "`draws` is {count}, but both directions of the plane are computed: there is "
                    "only one",
                    {"count": self.draws, "hint": "leave `draws` out"},
                )
            if first == second:
                raise PydanticCustomError(
                    "sentence",
                    "both axes of the plane are the same direction",
                    {"hint": "use two, as in `axes: [eigenvector, random]`"},
                )
        return self


class SliceSettings(Frozen):
    """What is measured around a trained point. `gradients`: their norm and dead fractions too.

    `hoist`: compute once for all points of a slice what is affine in their coordinates, such as the
    first layer of a model. It changes results by rounding only. `side_by_side`: how many points are
    evaluated at once; `auto` is one on a CPU, and elsewhere what a short trial finds fastest.
    """

    at: Annotated[
        tuple[Literal["trained", "initial"], ...], Field(min_length=1), AfterValidator(unique)
    ] = ("trained",)
    direction: DirectionPart = DirectionPart()
    lines: tuple[Lines, ...] | None = (Lines(),)
    planes: tuple[Planes, ...] | None = (Planes(),)
    gradients: bool = False
    hoist: bool = True
    side_by_side: Auto = "auto"

    @model_validator(mode="after")
    def _told_apart(self) -> "SliceSettings":
        for kind, names in (("lines", self.line_labels()), ("planes", self.plane_labels())):
            twice = next((name for name in names if names.count(name) > 1), None)
            if twice is not None:
                raise PydanticCustomError(
                    "sentence",
                    "two sets of {kind} are called `{name}`",
                    {"kind": kind, "name": twice, "hint": "give one of them a `label:`"},
                )
        return self

    @model_validator(mode="after")
    def _known_at_the_initial_point(self) -> "SliceSettings":
        if "initial" in self.at and any(d.name == "update" for d in self.directions()):
            raise PydanticCustomError(
                "sentence",
                "the direction `update` has no meaning at the initial point: no step led to it",
                {"hint": "use `at: [trained]`"},
            )
        return self

    def directions(self) -> list[DirectionPart]:
        """Every direction that is used."""
        used = [lines.direction or self.direction for lines in self.lines or ()]
        for planes in self.planes or ():
            used += planes.axes or (self.direction,)
        return used

    def line_labels(self) -> list[str]:
        """What each set of lines is called: its label, else the name of its direction."""
        return [
            lines.label or _called(lines.direction or self.direction) for lines in self.lines or ()
        ]

    def plane_labels(self) -> list[str]:
        """What each set of planes is called: its label, else the names of its directions."""
        found = []
        for planes in self.planes or ():
            names = [_called(axis) for axis in planes.axes or (self.direction,) * 2]
            found.append(planes.label or _SEPARATOR.join(dict.fromkeys(names)))
        return found


class CurvatureSettings(Frozen):
    """What is asked of the Hessian of the risk on the evaluation set, and how exactly.

    `checkpoints`: at each checkpoint of training too. `eigenvalues` of each end, by `iterations` of
    Lanczos; traces, norm and density from `probes` random vectors.
    """

    at: Annotated[
        tuple[Literal["trained", "initial"], ...], Field(min_length=1), AfterValidator(unique)
    ] = ("trained",)
    checkpoints: bool = False
    operators: Annotated[
        tuple[Literal["hessian", "gauss_newton"], ...],
        Field(min_length=1),
        AfterValidator(unique),
    ] = ("hessian",)
    eigenvalues: Annotated[int, Field(ge=1, le=100)] = 5
    iterations: Annotated[int, Field(ge=2)] = 60
    probes: Annotated[int, Field(ge=2)] = 16


class AcrossSettings(Frozen):
    """What is measured between runs, after all have finished.

    `losses`: each loss's solution under every other loss. `interpolations`: the risk on the
    straight way between the solutions of two seeds, or of two losses from the same start.
    """

    losses: bool = True
    interpolations: Annotated[tuple[Literal["seeds", "losses"], ...], AfterValidator(unique)] = ()
    points: Annotated[int, Field(ge=3)] = 25
