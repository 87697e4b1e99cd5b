"""Reports the runs' checks of their own numbers: the table, marks in figures, sentences."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from landscape.report import words
from landscape.report.results import StoredRun
from landscape.report.tables import TableColumn, value_column
from landscape.storage.records import Check

WARNING = "\N{WARNING SIGN}"
MEANINGS = {
    "center": "the middle of a slice is the risk that was recorded at the point",
    "second_difference": "second differences along the directions of a slice are d'Hd",
    "mean_curvature": "the mean curvature over random directions is trace(H) / N",
    "lanczos": "eigenvalues by Lanczos are those of the dense Hessian",
    "finite": "few points of a slice are NaN or infinite",
    "evaluation_noise": "two halves of the evaluation set see the same shape",
}


def failed(runs: Iterable[StoredRun], where: str = "") -> list[str]:
    """Returns the names of the checks that failed in a run, sorted.

    `where` limits them to a set of slices or a matrix, with the checks of the point it belongs to.
    """
    return sorted(
        {
            check.name
            for run in runs
            for check in run.checks
            if check.passed is False and (not where or f"{where}/".startswith(f"{check.where}/"))
        }
    )


def columns(runs: Iterable[StoredRun], where: str = "") -> dict[str, str]:
    """Returns the column of a table with the names of the failed checks: `center, finite`."""
    return {"checks_failed": ", ".join(failed(runs, where))}


def failed_column(table: pd.DataFrame) -> list[TableColumn]:
    """Returns the column that marks rows with failed checks, in a list; empty if none failed."""
    if not table["checks_failed"].any():
        return []

    def text(names: str) -> str:
        return words.or_missing(mark([names] if names else []))

    definition = "checks that failed in a run behind this row"
    return [value_column("checks", definition, text, "checks_failed")]


def mark(names: Sequence[str]) -> str:
    """Returns the mark in the title of a panel, such as `⚠ center`; empty if no check failed."""
    return f"{WARNING} {', '.join(names)}" if names else ""


def sentence(failed_of: Mapping[str, Sequence[str]]) -> str:
    """Returns the sentence of a caption on the failed checks by loss; empty if none failed."""
    parts = [f"{loss}: {', '.join(names)}" for loss, names in failed_of.items() if names]
    return f" A check failed (see Checks) for {'; '.join(parts)}." if parts else ""


def table(groups: Mapping[str, Sequence[StoredRun]]) -> pd.DataFrame:
    """Returns one row per loss, check and place: results over runs, and the worst of them.

    Failed checks come first, then undecided ones.
    """
    rows = []
    for loss, runs in groups.items():
        results: dict[tuple[str, str], list[tuple[StoredRun, Check]]] = {}
        for run in runs:
            for check in run.checks:
                results.setdefault((check.where, check.name), []).append((run, check))
        rows += [_row(loss, pairs) for pairs in results.values()]
    rows.sort(key=lambda row: (not row["failed"], not row["undecided"]))
    names = ["loss", "check", "where", "passed", "failed", "undecided", "worst", "run", "message"]
    return pd.DataFrame(rows, columns=names)


def _row(loss: str, pairs: Sequence[tuple[StoredRun, Check]]) -> dict[str, Any]:
    answers = [check.passed for _, check in pairs]
    run, worst = max(pairs, key=lambda pair: _severity(pair[1]))
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


def _severity(check: Check) -> tuple[int, float]:
    """Orders failed after undecided after passed checks, then by the error in tolerances."""
    rank = {False: 2, None: 1, True: 0}[check.passed]
    error = abs(check.value - check.expected) / check.tolerance if check.tolerance else np.nan
    return rank, float(error) if np.isfinite(error) else (np.inf if rank == 2 else -1.0)


def folded(table: pd.DataFrame) -> pd.DataFrame:
    """Returns the table with one row for all places at which a loss passed a check in every run.

    With many losses or points of the sweep, one row for all of them.
    """
    passed = (table["failed"] == 0) & (table["undecided"] == 0)
    rows = [table[~passed]]
    many = table["loss"].nunique() > words.MOST_POINTS
    for _, group in table[passed].groupby(["check"] if many else ["loss", "check"], sort=False):
        row = group.head(1).assign(passed=group["passed"].sum())
        if len(group) > 1:
            row = row.assign(where=f"{len(group)} places", worst=np.nan, message="")
        if (losses := group["loss"].nunique()) > 1:
            row = row.assign(loss=f"{losses} losses or points of the sweep")
        rows.append(row)
    return pd.concat(rows, ignore_index=True)


COLUMNS = (
    value_column("loss", "label of the loss"),
    value_column(
        "check", f"what was compared ({'; '.join(f'{k}: {v}' for k, v in MEANINGS.items())})"
    ),
    value_column("where", "point, or set of lines or planes; passed places share one row"),
    value_column("passed", "number of runs in which it passed", words.count),
    value_column("failed", "number of runs in which it failed", words.count),
    value_column(
        "undecided",
        "number of runs in which it could not be decided, which is not a failure",
        words.count,
    ),
    value_column(
        "worst", "the value farthest from the expected value, in tolerances", words.scientific
    ),
    value_column("message", "message of the worst one", words.or_missing),
)
