"""An audit that shows itself in a notebook."""

import functools
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from landscape.audit import judge
from landscape.storage.audit_records import Audit

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure


class AuditResult(Audit):
    """An audit with its table and its figure; as the last line of a cell it shows its findings."""

    def __repr__(self) -> str:
        codes = ", ".join(finding.code for finding in self.findings) or "no findings"
        return f"<AuditResult {self.loss!r}: {self.verdict}, {codes}>"

    @property
    def table(self) -> "pd.DataFrame":
        """One row per finding, the most severe first, with the columns of `Sweep.audits`."""
        from landscape.report import record_tables

        return record_tables.audit_table(self)

    def plot(self) -> "Figure":
        """Returns the figure of the audit: value and gradient against a prediction, with marks."""
        from landscape.report import audit_views

        return audit_views.figure(self)

    def _repr_html_(self) -> str:
        """Returns verdict, properties and findings in the words of `landscape audit`."""
        from landscape.report import audit_views

        return audit_views.audit_html(self)


@functools.wraps(judge.audit)
def audit(loss: Callable[..., Any], **settings: Any) -> AuditResult:
    return AuditResult(**vars(judge.audit(loss, **settings)))
