"""What the runs' checks of their own numbers say: the table, the marks beside figures, clauses."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from landscape.report import words
from landscape.report.results import StoredRun
from landscape.report.tables import TableColumn
from landscape.storage.records import Check

WARNING = "\N{WARNING SIGN}"
NAMES = {
    "center": "the middle of a slice is the risk that was recorded at the point",
    "second_difference": "second differences along the directions of a slice are d'Hd",
    "mean_curvature": "the mean curvature over random directions is trace(H) / N",
    "lanczos": "eigenvalues by Lanczos are those of the dense Hessian",
    "finite": "few points of a slice are NaN or infinite",
    "evaluation_noise": "two halves of the evaluation set see the same shape",
}


def failed(runs: Iterable[StoredRun], where: str) -> list[str]:
    """The names of the checks that some run failed at a place, or at the point that it lies at."""
    found = [
        check.name
        for run in runs
        for check in run.checks
        if check.passed is False and _concerns(check, where)
    ]
    return sorted(set(found))


def _concerns(check: Check, where: str) -> bool:
    return f"{where}/".startswith(f"{check.where}/")


def failed_column(table: pd.DataFrame) -> list[TableColumn]:
    """The column that marks the rows whose numbers failed a check, where there are any."""
    if not (table["checks_failed"] != "").any():
        return []

    def text(row: pd.Series) -> str:
        return mark([row["checks_failed"]]) if row["checks_failed"] else words.MISSING

    return [TableColumn("checks", text, "checks that failed in some run behind this row")]


def mark(names: Sequence[str]) -> str:
    """What stands in a panel's title: `⚠ center`; empty where nothing failed."""
    return f"{WARNING} {', '.join(names)}" if names else ""


def sentence(marked: Mapping[str, Sequence[str]]) -> str:
    """What a caption says of the panels that are marked; `marked` by loss."""
    parts = [f"{loss}: {', '.join(names)}" for loss, names in marked.items() if names]
    return f" A check failed (see Checks) for {'; '.join(parts)}." if parts else ""


def columns(runs: Iterable[StoredRun]) -> dict[str, str]:
    """The checks that failed in any of the runs, for the comparison: `center, finite`."""
    names = {check.name for run in runs for check in run.checks if check.passed is False}
    return {"checks_failed": ", ".join(sorted(names))}


def table(groups: Mapping[str, Sequence[StoredRun]]) -> pd.DataFrame:
    """A row for each loss, check and place: how often it passed, and the worst that was found.

    What failed comes first, then what could not be decided.
    """
    rows = []
    for loss, runs in groups.items():
        found: dict[tuple[str, str], list[tuple[StoredRun, Check]]] = {}
        for run in runs:
            for check in run.checks:
                found.setdefault((check.where, check.name), []).append((run, check))
        rows += [_row(loss, pairs) for pairs in found.values()]
    names = ["loss", "check", "where", "passed", "failed", "undecided", "worst", "run", "message"]
    made = pd.DataFrame(rows, columns=names)
    grave = 2 * (made["failed"] == 0) + (made["undecided"] == 0)
    return made.iloc[np.argsort(grave.to_numpy(), kind="stable")].reset_index(drop=True)


def _row(loss: str, pairs: Sequence[tuple[StoredRun, Check]]) -> dict[str, Any]:
    answers = [check.passed for _, check in pairs]
    run, worst = max(pairs, key=lambda pair: _badness(pair[1]))
    return {
        "loss": loss,
        "check": worst.name,
        "where": worst.where,
        "passed": answers.count(True),
        "failed": answers.count(False),
        "undecided": answers.count(None),
        "worst": worst.value,
        "run": run.name,
        "message": worst.message,
    }


def _badness(check: Check) -> tuple[int, float]:
    """Failed before undecided before passed; then by how far off it is, in tolerances."""
    rank = {False: 2, None: 1, True: 0}[check.passed]
    off = abs(check.value - check.expected) / check.tolerance if check.tolerance else np.nan
    return rank, float(off) if np.isfinite(off) else (np.inf if rank == 2 else -1.0)


def folded(table: pd.DataFrame) -> pd.DataFrame:
    """The table with one row for all places at which a loss passed a check in every run."""
    passed = (table["failed"] == 0) & (table["undecided"] == 0)
    rows = [table[~passed]]
    for _, group in table[passed].groupby(["loss", "check"], sort=False):
        row = group.head(1).assign(passed=group["passed"].sum())
        if len(group) > 1:
            row = row.assign(where=f"{len(group)} places", worst=np.nan, message="")
        rows.append(row)
    return pd.concat(rows, ignore_index=True)


COLUMNS = (
    TableColumn("loss", lambda row: str(row["loss"]), "the candidate, by its label"),
    TableColumn(
        "check",
        lambda row: str(row["check"]),
        f"what was compared ({'; '.join(f'{name}: {text}' for name, text in NAMES.items())})",
    ),
    TableColumn(
        "where",
        lambda row: str(row["where"]),
        "the point, or its set of lines or planes; places at which all passed share a row",
    ),
    TableColumn("passed", lambda row: words.count(row["passed"]), "runs in which it passed"),
    TableColumn("failed", lambda row: words.count(row["failed"]), "runs in which it failed"),
    TableColumn(
        "undecided",
        lambda row: words.count(row["undecided"]),
        "runs in which it could not be decided; this is no failure",
    ),
    TableColumn(
        "worst",
        lambda row: words.scientific(row["worst"]),
        "the value farthest from what was expected, in tolerances",
    ),
    TableColumn("message", lambda row: row["message"] or words.MISSING, "what the worst one found"),
)
