"""Compares the verdicts of the audit with short trainings: does what it calls untrainable learn?

    python benchmarks/audit_training.py runs/audit_training

tunes the losses of benchmarks/audit_training/*.yaml as `landscape compare` does, at 13 learning
rates with 3 seeds each, audits them, and writes benchmarks/results/audit_training.json and the
tables of docs/audit.md. Finished runs in the folder are kept, so an interrupted call resumes, and a
later one only audits again.
"""

import argparse
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from landscape import api, config
from landscape.run.program_cache import ProgramCache
from landscape.storage import store
from landscape.storage.audit_records import FailedAudit
from landscape.storage.compare_records import CompareRecord

ROOT = Path(__file__).parent.parent
CONFIGS = ROOT / "benchmarks" / "audit_training"
RESULTS = ROOT / "benchmarks" / "results" / "audit_training.json"
DOCS = ROOT / "docs" / "audit.md"
BEGIN, END = "<!-- trained -->", "<!-- end of trained -->"
VERDICTS = ("untrainable", "care", "trainable")
Row = dict[str, Any]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("folder", type=Path, help="the runs are stored here")
    arguments = parser.parse_args()
    files = sorted(CONFIGS.glob("*.yaml"))
    rows = [row for file in files for row in measure(file, arguments.folder)]
    RESULTS.write_text(json.dumps(rows, indent=2) + "\n")
    before, _, rest = DOCS.read_text().partition(BEGIN)
    DOCS.write_text(f"{before}{BEGIN}\n\n{markdown(rows)}\n\n{END}{rest.partition(END)[2]}")


def measure(file: Path, folder: Path) -> Iterator[Row]:
    """Yields a row per loss of a config: verdict, codes, and the gain at its best learning rate."""
    experiment = api.load(file)
    comparison = api.compare(experiment, folder)
    record = store.read_record(comparison.directory / "compare.json", CompareRecord)
    runs = {run.loss.label: run for run in config.expand(experiment)}
    cache = ProgramCache()
    for tuned in record.losses:
        run = runs[tuned.loss]
        audit = cache.audit(run)
        if isinstance(audit, FailedAudit):
            raise RuntimeError(audit.error)
        codes = {f.code for f in audit.findings if f.severity != "note"}
        yield {
            "task": file.stem,
            "loss": tuned.loss,
            "menu": ":" not in run.loss.name,
            "verdict": audit.verdict,
            "codes": sorted(codes),
            "learns": tuned.learns,
            "gain": tuned.gain,
            "rate": tuned.tuned_rate,
            "rates": len(tuned.grid),
        }


def markdown(rows: list[Row]) -> str:
    """Returns the tables: losses by verdict, those that contradict it, and all of them by task."""
    return "\n\n".join([_counts(rows), _contradictions(rows), _every(rows)])


def contradicts(row: Row) -> bool:
    """Whether training contradicts the verdict; `care` makes no claim."""
    return bool(row["learns"] == (row["verdict"] == "untrainable") and row["verdict"] != "care")


def _counts(rows: list[Row]) -> str:
    lines = []
    for verdict in VERDICTS:
        learns = [row["learns"] for row in rows if row["verdict"] == verdict]
        lines.append([verdict, len(learns), sum(learns), len(learns) - sum(learns)])
    return _table(["verdict", "losses", "learn at some rate", "learn at none"], lines)


def _contradictions(rows: list[Row]) -> str:
    lines = []
    for row in filter(contradicts, rows):
        codes = ", ".join(row["codes"]) or "none"
        lines.append([row["task"], f"`{row['loss']}`", row["verdict"], codes, f"{row['gain']:.2f}"])
    return _table(["task", "loss", "verdict", "errors and warnings", "gain"], lines)


def _every(rows: list[Row]) -> str:
    """Returns a table with a row per task; losses that do not learn are in italics."""
    lines = []
    for task in dict.fromkeys(row["task"] for row in rows):
        of_task = [row for row in rows if row["task"] == task]
        cells = [", ".join(_cell(r) for r in of_task if r["verdict"] == v) for v in VERDICTS]
        lines.append([task, *cells])
    return _table(["task", *VERDICTS], lines)


def _cell(row: Row) -> str:
    name = row["loss"].replace("_", r"\_")
    return name if row["learns"] else f"*{name}*"


def _table(head: list[str], lines: list[list[Any]]) -> str:
    rows = [head, ["---"] * len(head), *lines]
    return "\n".join("| " + " | ".join(map(str, row)) + " |" for row in rows)


if __name__ == "__main__":
    main()
