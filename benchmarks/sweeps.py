"""Measures sweeps of many runs: all of it, nothing to do, and `status`."""

import sys
import tempfile
from pathlib import Path
from typing import Any

from child_process import measured

SWEEP = "benchmarks/sweep_420.yaml"
# Two steps of a tiny model: only what a run costs beside its training.
TINY = ["losses=[brier]", "seeds=2000", "steps=2", "model.widths=[2]", "sweep=null"]
SWEEPS: dict[str, list[str]] = {"10 losses, 7 rates, 6 seeds": [], "2,000 tiny runs": TINY}


def measure(rounds: int) -> list[dict[str, Any]]:
    """Returns one row per sweep. Each is measured once: the runs of a sweep are its repetitions."""
    return [_row(name, overrides) for name, overrides in SWEEPS.items()]


def _row(name: str, overrides: list[str]) -> dict[str, Any]:
    landscape = [sys.executable, "-m", "landscape.cli"]
    with tempfile.TemporaryDirectory() as folder:
        command = [*landscape, "run", SWEEP, *overrides, "--out", f"{folder}/out"]
        first = measured(command, f"{folder}/cache")
        again = measured(command, f"{folder}/cache")
        directory = Path(folder, "out", "sweep_420")
        status = measured([*landscape, "status", str(directory)])
        files = [path for path in (directory / "runs").rglob("*") if path.is_file()]
        return {
            "sweep": name,
            "runs": len([*(directory / "runs").iterdir()]),
            "seconds": first.seconds,
            "CPU seconds": first.cpu,
            "nothing to do": again.seconds,
            "status": status.seconds,
            "files": len(files),
            "MiB": sum(path.stat().st_size for path in files) / 2**20,
            "peak memory, MiB": first.memory,
        }
