"""Reports the runs' checks of their own numbers: the table, marks in figures, sentences."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import NamedTuple

import numpy as np

from landscape.report import words
from landscape.report.results import StoredRun
from landscape.report.tables import Item, TableColumn, file_column, value_column
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


def failed_column(names: Callable[[Item], str]) -> TableColumn[Item]:
    """Returns the column that marks rows with failed checks; not shown if none failed."""

    def text(item: Item) -> str:
        failed = names(item)
        return words.or_missing(mark([failed] if failed else []))

    definition = "checks that failed in a run behind this row"
    return TableColumn(
        "checks", definition, text, lambda item: {"checks_failed": names(item)}, "known"
    )


def failed_text(runs: Iterable[StoredRun], where: str = "") -> str:
    """Returns the names of the failed checks as one text: `center, finite`."""
    return ", ".join(failed(runs, where))


def mark(names: Sequence[str]) -> str:
    """Returns the mark in the title of a panel, such as `⚠ center`; empty if no check failed."""
    return f"{WARNING} {', '.join(names)}" if names else ""


def sentence(failed_of: Mapping[str, Sequence[str]]) -> str:
    """Returns the sentence of a caption on the failed checks by loss; empty if none failed."""
    parts = [f"{loss}: {', '.join(names)}" for loss, names in failed_of.items() if names]
    return f" A check failed (see Checks) for {'; '.join(parts)}." if parts else ""


class CheckSummary(NamedTuple):
    """A check of one loss at one place over its runs, and the worst result, that of `run`."""

    loss: str
    check: str
    where: str
    passed: int
    failed: int
    undecided: int
    worst: float
    run: str
    message: str


def summaries(groups: Mapping[str, Sequence[StoredRun]]) -> list[CheckSummary]:
    """Returns the checks by loss, check and place. Failed ones come first, then undecided ones."""
    rows = []
    for loss, runs in groups.items():
        results: dict[tuple[str, str], list[tuple[StoredRun, Check]]] = {}
        for run in runs:
            for check in run.checks:
                results.setdefault((check.where, check.name), []).append((run, check))
        rows += [_summary(loss, pairs) for pairs in results.values()]
    return sorted(rows, key=lambda row: (not row.failed, not row.undecided))


def _summary(loss: str, pairs: Sequence[tuple[StoredRun, Check]]) -> CheckSummary:
    answers = [check.passed for _, check in pairs]
    run, worst = max(pairs, key=lambda pair: _severity(pair[1]))
    return CheckSummary(
        loss,
        worst.name,
        worst.where,
        answers.count(True),
        answers.count(False),
        answers.count(None),
        worst.value,
        run.name,
        worst.message,
    )


def _severity(check: Check) -> tuple[int, float]:
    """Orders failed after undecided after passed checks, then by the error in tolerances."""
    rank = {False: 2, None: 1, True: 0}[check.passed]
    error = abs(check.value - check.expected) / check.tolerance if check.tolerance else np.nan
    return rank, float(error) if np.isfinite(error) else (np.inf if rank == 2 else -1.0)


def folded(rows: Sequence[CheckSummary]) -> list[CheckSummary]:
    """Returns the rows with one for all places at which a loss passed a check in every run.

    With many losses or points of the sweep, one row for all of them.
    """
    many = len({row.loss for row in rows}) > words.MOST_POINTS
    groups: dict[tuple[str, ...], list[CheckSummary]] = {}
    shown = []
    for row in rows:
        if row.failed or row.undecided:
            shown.append(row)
        else:
            groups.setdefault((row.check,) if many else (row.loss, row.check), []).append(row)
    return [*shown, *map(_folded, groups.values())]


def _folded(group: Sequence[CheckSummary]) -> CheckSummary:
    row = group[0]._replace(passed=sum(each.passed for each in group))
    if len(group) > 1:
        row = row._replace(where=f"{len(group)} places", worst=np.nan, message="")
    losses = len({each.loss for each in group})
    return row._replace(loss=f"{losses} losses or points of the sweep") if losses > 1 else row


COLUMNS: Sequence[TableColumn[CheckSummary]] = (
    value_column("loss", "label of the loss", lambda row: row.loss),
    value_column(
        "check",
        f"what was compared ({'; '.join(f'{k}: {v}' for k, v in MEANINGS.items())})",
        lambda row: row.check,
    ),
    value_column(
        "where",
        "point, or set of lines or planes; passed places share one row",
        lambda row: row.where,
    ),
    value_column(
        "passed", "number of runs in which it passed", lambda row: row.passed, words.count
    ),
    value_column(
        "failed", "number of runs in which it failed", lambda row: row.failed, words.count
    ),
    value_column(
        "undecided",
        "number of runs in which it could not be decided, which is not a failure",
        lambda row: row.undecided,
        words.count,
    ),
    value_column(
        "worst",
        "the value farthest from the expected value, in tolerances",
        lambda row: row.worst,
        words.scientific,
    ),
    file_column(lambda row: {"run": row.run}),
    value_column("message", "message of the worst one", lambda row: row.message, words.or_missing),
)
