"""Measures the audit: cold starts of the command, and every built-in loss in one process.

`make bench` runs this, prints a table, and writes benchmarks/results/audit.json.
"""

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
import time
from importlib.metadata import version
from pathlib import Path
from typing import Any

from rich import box
from rich.console import Console
from rich.table import Table

from landscape import catalog
from landscape.audit import by_name

RESULTS = Path(__file__).parent / "results" / "audit.json"
COMMANDS = {
    "landscape audit huber": [str(Path(sys.executable).with_name("landscape")), "audit", "huber"],
    "import jax": [sys.executable, "-c", "import jax"],
}
STARTS = 5
TIME_LIMIT = 60.0


def cold_starts() -> dict[str, list[float]]:
    """Returns wall seconds per command; they take turns, so that load affects all of them."""
    seconds: dict[str, list[float]] = {name: [] for name in COMMANDS}
    for _ in range(STARTS):
        for name, command in COMMANDS.items():
            start = time.perf_counter()
            subprocess.run(command, check=True, capture_output=True)
            seconds[name].append(time.perf_counter() - start)
    return seconds


def each_loss() -> list[dict[str, str | float]]:
    """Returns the seconds of every built-in loss; those of the first include the imports."""
    rows: list[dict[str, str | float]] = []
    for entry in catalog.entries("losses"):
        options = by_name.AuditOptions("loss", entry.task, "real", None, "auto", "auto", None, {})
        start = time.perf_counter()
        (outcome,) = by_name.audit_each([entry.name], options, Path.cwd(), TIME_LIMIT)
        seconds = time.perf_counter() - start
        verdict = outcome.audit.verdict if outcome.audit else "not audited"
        rows.append(
            {"loss": entry.name, "task": str(entry.task), "seconds": seconds, "verdict": verdict}
        )
    return rows


def main() -> None:
    argparse.ArgumentParser(description=__doc__.partition("\n")[0]).parse_args()
    machine = _machine()
    starts, losses = cold_starts(), each_loss()
    seconds = [float(row["seconds"]) for row in losses[1:]]
    summary = {
        **{f"{name}, median of {STARTS}": statistics.median(s) for name, s in starts.items()},
        "a menu loss, median": statistics.median(seconds),
        f"a menu loss, slowest ({slowest(losses[1:])})": max(seconds),
        f"all {len(losses)} menu losses, one process": sum(float(r["seconds"]) for r in losses),
    }
    RESULTS.parent.mkdir(exist_ok=True)
    results = {"machine": machine, "summary": summary, "cold_starts": starts, "losses": losses}
    RESULTS.write_text(json.dumps(results, indent=2) + "\n")
    table = Table("what", "seconds", box=box.SIMPLE_HEAD)
    for name, value in summary.items():
        table.add_row(name, f"{value:.2f}")
    Console().print(table)


def _machine() -> dict[str, Any]:
    """Describes the machine; a load above 0 means that other processes were running."""
    return {
        "python": platform.python_version(),
        "jax": version("jax"),
        "cores": os.cpu_count(),
        "load before": os.getloadavg()[0],
        "machine": platform.machine(),
    }


def slowest(losses: list[dict[str, str | float]]) -> str:
    """Returns task and name of the slowest loss."""
    row = max(losses, key=lambda row: float(row["seconds"]))
    return f"{row['task']} {row['loss']}"


if __name__ == "__main__":
    main()
