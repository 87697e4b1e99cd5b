"""Operations that cut a gradient, and their places in the source: for G201 to G204 and G207."""

from collections.abc import Sequence
from typing import NamedTuple

from landscape.audit.measure.survey import Survey
from landscape.audit.static.equations import bodies, equations
from landscape.audit.static.source import calls_directly, locate
from landscape.storage.audit_records import Where

_ROUNDING = ("floor", "ceil", "round", "sign")
_COMPARISONS = ("gt", "ge", "lt", "le", "eq", "ne")
_CAST = "convert_element_type"
CUTTERS = ("stop_gradient", *_ROUNDING, "argmax", "argmin", *_COMPARISONS, _CAST)


class Cut(NamedTuple):
    """An operation that passes no gradient, and its place; `direct`: a line of the user calls it.

    Others are inside of a library's function.
    """

    operation: str
    where: Where
    direct: bool


def first_cut(survey: Survey, names: Sequence[str] = CUTTERS) -> Cut | None:
    """Returns the first operation on the prediction that cuts its gradient, direct ones first."""
    harmless = {site.number for site in survey.reading.sites if site.status != "open"}
    cuts: list[Cut] = []
    for number, eqn, calls in equations(survey.subject.value):
        name = eqn.primitive.name
        to_float = name == _CAST and eqn.params["new_dtype"].kind == "f"
        if name not in names or number in harmless or to_float:
            continue
        where = locate(eqn, calls, survey.source_file)
        if where is not None and (number in survey.reading.varying or bodies(eqn)):
            cuts.append(Cut(name, where, calls_directly(eqn, survey.source_file)))
    return min(cuts, key=lambda cut: not cut.direct, default=None)


def cut_place(survey: Survey, names: Sequence[str] = CUTTERS) -> Where | None:
    """Returns the place of the first operation that cuts the gradient."""
    cut = first_cut(survey, names)
    return cut.where if cut else None


def is_stopped(survey: Survey) -> bool:
    """Whether a line of the user stops the gradient of the prediction, before any other cut."""
    cut = first_cut(survey)
    return cut is not None and cut.direct and cut.operation == "stop_gradient"
