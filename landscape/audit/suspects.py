"""Lists the operations that can switch, with the result of measuring at their switches."""

from collections.abc import Sequence

from landscape.audit.findings import Suspect
from landscape.audit.measure.crossings import CODES, SMOOTH, UNCLEAR
from landscape.audit.measure.survey import Survey
from landscape.audit.measure.switching import crossings, switching
from landscape.audit.static.reader import OPEN, Site


def suspects(survey: Survey) -> list[Suspect]:
    """Returns every operation that can switch, in the order of the program, with its fate."""
    positions = {site.number: i for i, site in enumerate(survey.probe.sites)}
    return [_suspect(survey, site, positions.get(site.number)) for site in survey.reading.sites]


def _suspect(survey: Survey, site: Site, position: int | None) -> Suspect:
    if site.status != OPEN:
        fate, detail = site.status, site.reason
    elif position is None:
        fate, detail = "inconclusive", "no rule and no measurement applies to it"
    else:
        orders = [c.order for c in crossings(survey) if c.site == position]
        fate, detail = _fate(orders, position in switching(survey).moved)
    return Suspect(site.operation, fate, detail, survey.place_of(site))


def _fate(orders: Sequence[int], moved: bool) -> tuple[str, str]:
    """Returns the fate of a site with crossings of these orders, and the reason."""
    broken = [order for order in orders if order in CODES]
    if broken:
        codes = sorted({CODES[order] for order in broken})
        return "confirmed", f"{', '.join(codes)} at {len(broken)} of {len(orders)} switches"
    smooth = sum(order == SMOOTH for order in orders)
    if smooth:
        return "cancelled", f"smooth across {smooth} switches to the third derivative"
    if any(order == UNCLEAR for order in orders):
        return "inconclusive", "between a jump and a steep slope"
    if orders:
        return "unreachable", "only at the edge of the region where the function is finite"
    if moved:
        return "inconclusive", "it switches, but its switches could not be separated"
    return "unreachable", "never switched on any line"
