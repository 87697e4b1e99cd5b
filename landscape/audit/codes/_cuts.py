"""Operations that cut a gradient, and their places in the source: for G201 to G204 and G207."""

from collections.abc import Sequence
from typing import Any

from landscape.audit.findings import Where
from landscape.audit.measure.survey import Survey
from landscape.audit.static.equations import bodies, equations
from landscape.audit.static.source import calls_directly, locate

CUTTERS = (
    "stop_gradient",
    "floor",
    "ceil",
    "round",
    "sign",
    "argmax",
    "argmin",
    "gt",
    "ge",
    "lt",
    "le",
    "eq",
    "ne",
    "convert_element_type",
)


def cut_place(survey: Survey, names: Sequence[str] = CUTTERS) -> Where | None:
    """The place of the first operation on the prediction through which no gradient passes.

    Operations that a line of the user's own calls come before those inside a library's function.
    """
    harmless = {site.number for site in survey.reading.sites if site.status != "open"}
    cuts: list[tuple[bool, int, Where]] = []
    for number, eqn, calls in equations(survey.subject.value):
        name = eqn.primitive.name
        if name not in names or number in harmless:
            continue
        if number not in survey.reading.varying and not bodies(eqn):
            continue
        if name == "convert_element_type" and _is_float(eqn.outvars[0]):
            continue
        where = locate(eqn, calls, survey.source_file)
        if where is not None:
            cuts.append((not calls_directly(eqn, survey.source_file), len(cuts), where))
    return min(cuts)[2] if cuts else None


def _is_float(variable: Any) -> bool:
    return bool(variable.aval.dtype.kind == "f")
