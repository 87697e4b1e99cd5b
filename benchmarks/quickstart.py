"""Times the whole quickstart: without and with cached compiled programs, and in PyTorch."""

import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parent.parent
OURS = [sys.executable, "-m", "landscape.cli", "run", "configs/quickstart.yaml", "--fresh"]
THEIRS = [sys.executable, "benchmarks/torch_quickstart"]


def measure(rounds: int) -> list[dict[str, Any]]:
    """Returns one row: seconds of each process, and ratios."""
    seconds: dict[str, list[float]] = {"first time": [], "again": [], "PyTorch script": []}
    memory: dict[str, float] = {}
    for _ in range(rounds):
        with tempfile.TemporaryDirectory() as folder:
            cache = os.environ | {"XDG_CACHE_HOME": folder}
            for name in ("first time", "again"):
                seconds[name].append(_timed([*OURS, "--out", folder], cache, memory, name))
            theirs = [*THEIRS, folder]
            seconds["PyTorch script"].append(_timed(theirs, None, memory, "PyTorch script"))
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


def _timed(command: list[str], env: Any, memory: dict[str, float], name: str) -> float:
    start = time.perf_counter()
    process = subprocess.Popen(
        command, cwd=ROOT, env=env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    _, status, usage = os.wait4(process.pid, 0)
    if status:
        raise RuntimeError(f"{' '.join(command)} exited with {status}")
    memory[name] = max(memory.get(name, 0.0), usage.ru_maxrss / 1024)
    return time.perf_counter() - start
