"""The models of measurements: slices, curvature, and comparisons across runs."""

import math
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Field, WithJsonSchema, model_validator
from pydantic_core import PydanticCustomError

from landscape.catalog.menu import entries_named
from landscape.catalog.option_values import default
from landscape.config.limits import (
    LARGEST_FLOAT,
    LONGEST_LABEL,
    MOST_ITERATIONS,
    MOST_POINTS,
    MOST_SETS,
    SMALLEST_FLOAT,
)
from landscape.config.parts import Count, DirectionPart, Frozen, Odd, Positive, sentence, unique
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
    if not SMALLEST_FLOAT <= value <= LARGEST_FLOAT:
        expected = "a distance greater than 0 in float32, at most 3.4e+38, or auto"
        raise PydanticCustomError("radius", expected)
    return float(value)


def _auto(value: Any) -> Any:
    if value == "auto" or (type(value) is int and 1 <= value <= 4096):
        return value
    raise PydanticCustomError("auto", "a whole number from 1 to 4096, or auto")


_AXIS_SEPARATOR = " \N{MULTIPLICATION SIGN} "


def _direction_label(direction: DirectionPart) -> str:
    """Returns the name of a direction with the options that differ from their defaults."""
    known = next((e.options for e in entries_named("directions", direction.name)), {})
    name = direction.name.rpartition(":")[2]
    options = [
        f"{key}={short_text(value)}"
        for key, value in direction.options.items()
        if key not in known or value != default(known[key])
    ]
    label = f"{name}[{','.join(options)}]" if options else name
    return "".join(c if c.isprintable() and c != "/" else "_" for c in label)


# Directions that the point determines: there is only one of each.
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
Points = Annotated[
    tuple[Literal["trained", "initial"], ...], Field(min_length=1), AfterValidator(unique)
]


def _check_points(kind: str, *counts: int, key: str = "points") -> None:
    """Raises an error at a key if a set of lines or planes has more points than are allowed."""
    number = math.prod(counts)
    if number > MOST_POINTS:
        product = " x ".join(map(str, counts))
        message = f"{kind} of {product} = {number} points, expected at most {MOST_POINTS} in all"
        raise sentence(
            message, "use fewer `points`; their number multiplies the time of a slice", key
        )


class Lines(Frozen):
    """Slices along lines: `directions` draws of one `direction`, null for that of `slices`.

    `radius` is the largest distance on both sides; `auto` finds the distance at which the risk has
    risen by `rise` times the decrease during training. `directions` null: 8, or 1 if the direction
    is computed. `label` names the set in results and reports.
    """

    label: Label | None = None
    direction: DirectionPart | None = None
    directions: Count | None = None
    points: Odd = 41
    radius: Radius = 1.0
    rise: Positive = 1.0

    @model_validator(mode="after")
    def _check_directions(self) -> "Lines":
        name = None if self.direction is None else self.direction.name
        if name in COMPUTED and self.directions not in (None, 1):
            count = self.directions
            message = f"`directions` is {count}, but there is only one `{name}` at a point"
            raise sentence(message, "leave `directions` out")
        # How many lines a direction of `slices` has is known there.
        count = self.draws(self.direction) if self.direction else self.directions or 1
        _check_points("lines", count, self.points)
        return self

    def draws(self, direction: DirectionPart) -> int:
        """Returns the number of directions."""
        return self.directions or (1 if direction.name in COMPUTED else 8)


class Planes(Frozen):
    """Slices on planes of two `axes`, null for twice the direction of `slices`.

    `draws` planes with the same axes of [x, y] `points`; `radius`, `rise` and `label` as for lines.
    `eigenvalues`: number of Lanczos iterations for the smallest and the largest eigenvalue of the
    Hessian at every point; null for none.
    """

    label: Label | None = None
    axes: tuple[DirectionPart, DirectionPart] | None = None
    draws: Count | None = None
    points: tuple[Odd, Odd] = (31, 31)
    radius: Radius = 1.0
    rise: Positive = 1.0
    eigenvalues: Annotated[int, Field(ge=2, le=MOST_ITERATIONS)] | None = None

    @model_validator(mode="after")
    def _check_axes(self) -> "Planes":
        _check_points("planes", self.draws or 1, *self.points)
        if self.axes is None:
            return self
        first, second = self.axes
        if {first.name, second.name} <= set(COMPUTED):
            if self.draws not in (None, 1):
                message = f"`draws` is {self.draws}, but a point has only one plane of these axes"
                raise sentence(message, "leave `draws` out")
            if first == second:
                hint = "use two, for example `axes: [eigenvector, random]`"
                raise sentence("both axes of the plane are the same direction", hint)
        return self


class SliceSettings(Frozen):
    """Slices through the points `at`. `gradients`: also their norms and dead fractions.

    `hoist`: compute what is affine in the coordinates, such as the first layer of a model, once for
    all points of a slice; this changes results only by rounding. `side_by_side`: number of points
    that are evaluated at once; `auto` is 1 on a CPU, else the fastest in a short trial.
    `batch_statistics`, of a model with batch normalization: `frozen` keeps those of training at
    every point, as in evaluation; `recomputed` takes those of each evaluation batch, as in
    training. It applies to curvature too.
    """

    at: Points = ("trained",)
    direction: DirectionPart = DirectionPart.model_construct()
    lines: Annotated[tuple[Lines, ...], Field(max_length=MOST_SETS)] | None = (
        Lines.model_construct(),
    )
    planes: Annotated[tuple[Planes, ...], Field(max_length=MOST_SETS)] | None = (
        Planes.model_construct(),
    )
    gradients: bool = False
    hoist: bool = True
    side_by_side: Auto = "auto"
    batch_statistics: Literal["frozen", "recomputed"] = "frozen"

    @model_validator(mode="after")
    def _check_sets(self) -> "SliceSettings":
        for lines in self.lines or ():
            count = lines.draws(lines.direction or self.direction)
            _check_points("lines", count, lines.points, key="lines")
        for kind, names in (("lines", self.line_labels()), ("planes", self.plane_labels())):
            for name in names:
                if len(name) > LONGEST_LABEL:
                    message = f"a set of {kind} has a label of {len(name)} characters"
                    raise sentence(message, f"expected at most {LONGEST_LABEL}; set its `label:`")
            repeated = next((name for name in names if names.count(name) > 1), None)
            if repeated is not None:
                message = f"two sets of {kind} have the label `{repeated}`"
                raise sentence(message, "set the `label:` of one of them")
        if "initial" in self.at and any(d.name == "update" for d in self.directions()):
            message = (
                "the direction `update` is not defined at the initial point: no step led there"
            )
            raise sentence(message, "use `at: [trained]`")
        return self

    def directions(self) -> list[DirectionPart]:
        """Returns the directions of all sets."""
        directions = [lines.direction or self.direction for lines in self.lines or ()]
        for planes in self.planes or ():
            directions += planes.axes or (self.direction,)
        return directions

    def points(self) -> int:
        """Returns the number of points of all sets, at each point of training."""
        lines = sum(s.draws(s.direction or self.direction) * s.points for s in self.lines or ())
        return lines + sum((s.draws or 1) * math.prod(s.points) for s in self.planes or ())

    def line_labels(self) -> list[str]:
        """Returns the label of each set of lines, by default the name of its direction."""
        sets = self.lines or ()
        return [s.label or _direction_label(s.direction or self.direction) for s in sets]

    def plane_labels(self) -> list[str]:
        """Returns the label of each set of planes, by default the names of its directions."""
        labels = []
        for planes in self.planes or ():
            names = [_direction_label(axis) for axis in planes.axes or (self.direction,) * 2]
            labels.append(planes.label or _AXIS_SEPARATOR.join(dict.fromkeys(names)))
        return labels


class CurvatureSettings(Frozen):
    """Measurements of the Hessian of the risk on the evaluation set, and their accuracy.

    `checkpoints`: also at each checkpoint. `eigenvalues`: number at each end of the spectrum, by
    `iterations` of Lanczos; traces, norm and density are estimated from `probes` random vectors.
    """

    at: Points = ("trained",)
    checkpoints: bool = False
    operators: Annotated[
        tuple[Literal["hessian", "gauss_newton"], ...], Field(min_length=1), AfterValidator(unique)
    ] = ("hessian",)
    eigenvalues: Annotated[int, Field(ge=1, le=100)] = 5
    iterations: Annotated[int, Field(ge=2, le=MOST_ITERATIONS)] = 60
    probes: Annotated[int, Field(ge=2, le=MOST_ITERATIONS)] = 16


class AcrossSettings(Frozen):
    """Measurements across runs, made after all have finished.

    `losses`: the risk of each loss's solution under every other loss. `interpolations`: the risk on
    the straight line between the solutions of two seeds, or of two losses from one initialization.
    """

    losses: bool = True
    interpolations: Annotated[tuple[Literal["seeds", "losses"], ...], AfterValidator(unique)] = ()
    points: Annotated[int, Field(ge=3, le=MOST_ITERATIONS)] = 25
