"""Times the whole quickstart: without and with cached compiled programs, and in PyTorch."""

import statistics
import sys
import tempfile
from typing import Any

from child_process import measured

OURS = [sys.executable, "-m", "landscape.cli", "run", "configs/quickstart.yaml", "--fresh"]
THEIRS = [sys.executable, "benchmarks/torch_quickstart"]


def measure(rounds: int) -> list[dict[str, Any]]:
    """Returns one row: seconds of each process, and ratios."""
    seconds: dict[str, list[float]] = {"first time": [], "again": [], "PyTorch script": []}
    memory: dict[str, float] = {}
    for _ in range(rounds):
        with tempfile.TemporaryDirectory() as folder:
            usages = {
                "first time": measured([*OURS, "--out", folder], folder),
                "again": measured([*OURS, "--out", folder], folder),
                "PyTorch script": measured([*THEIRS, folder]),
            }
        for name, usage in usages.items():
            seconds[name].append(usage.seconds)
            memory[name] = max(memory.get(name, 0.0), usage.memory)
    medians = {name: statistics.median(values) for name, values in seconds.items()}
    return [
        {
            "seconds": medians,
            "times PyTorch, first time": medians["PyTorch script"] / medians["first time"],
            "times PyTorch, again": medians["PyTorch script"] / medians["again"],
            "peak memory, MiB": memory,
            "rounds": seconds,
        }
    ]
