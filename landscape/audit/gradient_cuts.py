"""Where in the source a gradient is cut."""

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


def cutter(survey: Survey, names: Sequence[str] = CUTTERS) -> Where | None:
    """The first operation on the prediction through which no gradient passes.

    Those that somebody's own line calls come before those inside a library's function.
    """
    harmless = {site.number for site in survey.reading.sites if site.status != "open"}
    found: list[tuple[bool, int, Where]] = []
    for number, eqn, around in equations(survey.subject.value):
        name = eqn.primitive.name
        if name not in names or number in harmless:
            continue
        if number not in survey.reading.varying and not bodies(eqn):
            continue
        if name == "convert_element_type" and _kind(eqn.outvars[0]) == "f":
            continue
        where = locate(eqn, around, survey.own)
        if where is not None:
            found.append((not calls_directly(eqn, survey.own), len(found), where))
    return min(found)[2] if found else None


def _kind(variable: Any) -> str:
    return str(variable.aval.dtype.kind)
