"""Operations that cut a gradient, and their places in the source: for G201 to G204 and G207."""

from collections.abc import Sequence

from landscape.audit.measure.survey import Survey
from landscape.audit.static.equations import bodies, equations
from landscape.audit.static.source import calls_directly, locate
from landscape.storage.audit_records import Where

_ROUNDING = ("floor", "ceil", "round", "sign")
_COMPARISONS = ("gt", "ge", "lt", "le", "eq", "ne")
_CAST = "convert_element_type"
CUTTERS = ("stop_gradient", *_ROUNDING, "argmax", "argmin", *_COMPARISONS, _CAST)


def cut_place(survey: Survey, names: Sequence[str] = CUTTERS) -> Where | None:
    """Returns the place of the first operation on the prediction that no gradient passes through.

    Operations that a line of the user calls precede those inside a library's function.
    """
    harmless = {site.number for site in survey.reading.sites if site.status != "open"}
    cuts: list[tuple[bool, int, Where]] = []
    for number, eqn, calls in equations(survey.subject.value):
        name = eqn.primitive.name
        to_float = name == _CAST and eqn.params["new_dtype"].kind == "f"
        if name not in names or number in harmless or to_float:
            continue
        where = locate(eqn, calls, survey.source_file)
        if where is not None and (number in survey.reading.varying or bodies(eqn)):
            cuts.append((not calls_directly(eqn, survey.source_file), len(cuts), where))
    return min(cuts)[2] if cuts else None
