"""Tables that all results have: one row per run and what it recorded."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from landscape.errors import UserError

if TYPE_CHECKING:
    import pandas as pd

    from landscape.report.stored_run import StoredRun


class RunTables(ABC):
    """The tables of finished runs; every property reads the folder again.

    Unreadable runs are omitted with a warning.
    """

    directory: Path

    @abstractmethod
    def _finished(self) -> "tuple[Sequence[StoredRun], Sequence[str]]":
        """Returns the finished runs and the swept keys."""

    @property
    def traces(self) -> "pd.DataFrame":
        """One row per run and recorded step.

        Columns: `run`, `loss`, `seed`, the swept keys, then `step`, `risk/batch`,
        `risk/evaluation`, the metrics, `loss/NAME` of what the loss reports, gradient norms and
        dead fractions; docs/definitions.md defines them.
        """
        from landscape.report import record_tables

        return record_tables.trace_table(*self._finished())

    @property
    def curvature(self) -> "pd.DataFrame":
        """One row per run, point of training and matrix.

        Columns: `run`, `loss`, `seed`, the swept keys, then `place`, `step`, `matrix`,
        `parameters`, `risk`, `drop`, the numbers of curvature.csv in the report (`largest`,
        `smallest`, `trace`, ...), and `omitted`, the reason for a matrix without numbers. Raises
        UserError if it was not measured.
        """
        from landscape.report import record_tables

        rows = record_tables.curvature_table(*self._finished())
        return self._measured(rows, "curvature", "curvature: {}")

    @property
    def audits(self) -> "pd.DataFrame":
        """One row per loss, point of the sweep and finding, the most severe first.

        Columns: `loss`, the swept keys, `verdict`, `code`, `severity`, `message`, `file`, `line`,
        `suggestion`. A loss without findings has one row without a code. Raises UserError if no
        loss was audited.
        """
        from landscape.report import record_tables

        rows = record_tables.audits_table(*self._finished())
        return self._measured(rows, "audit", "audit: true")

    def _measured(self, rows: "pd.DataFrame", content: str, setting: str) -> "pd.DataFrame":
        if rows.empty:
            raise UserError(
                f"no finished run in {self.directory} has {content}",
                hint=f"with `{setting}` in the experiment, `run` measures it",
            )
        return rows
