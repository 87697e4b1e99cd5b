"""Draws the shapes of audited losses from their audits."""

from collections.abc import Sequence

from landscape.errors import UserError
from landscape.report.figures import audit_one, audit_several
from landscape.report.figures.view import Picture
from landscape.storage.audit_records import AuditRecord


def shapes(audits: Sequence[AuditRecord]) -> Picture:
    """Draws one audit on a page, or several on common axes; call within `report_style()`.

    Failed audits are listed but not drawn. Raises UserError if there are no audits.
    """
    if not audits:
        raise UserError("there is no audit to draw", hint="name at least one loss")
    return audit_one.draw(audits[0]) if len(audits) == 1 else audit_several.draw(audits)
