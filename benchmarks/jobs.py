"""Times the quickstart with one and two jobs, and the overhead of each executor per run."""

import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parent.parent
EXECUTORS = {
    "serial": ["--executor", "serial"],
    "processes, 1 job": ["--executor", "processes", "--jobs", "1"],
    "processes, 2 jobs": ["--executor", "processes", "--jobs", "2"],
    "ray, 2 jobs": ["--executor", "ray", "--jobs", "2"],
}
# The executors with which the whole quickstart is timed.
QUICKSTART = ("serial", "processes, 2 jobs")
# Two steps of a tiny model without measurements: only the overhead of a run remains.
TINY = ["seeds={}", "losses=[brier]", "slices=null", "steps=2", "model.widths=[2]"]
FEW, MANY = 20, 220
OVERHEAD = """
import sys, time
from landscape import load, run
config, out, executor, jobs, few, many, *overrides = sys.argv[1:]
for number, count in enumerate((few, few, many)):  # the first imports and compiles
    start = time.perf_counter()
    settings = [text.format(count) for text in overrides]
    run(load(config, *settings), f"{out}/{number}", executor=executor, jobs=int(jobs),
        tell=lambda line: None)
    print(time.perf_counter() - start)
"""


def measure(rounds: int) -> list[dict[str, Any]]:
    """Returns one row per executor: seconds of the quickstart, and milliseconds per run."""
    quickstart: dict[str, list[float]] = {name: [] for name in QUICKSTART}
    overhead: dict[str, list[float]] = {name: [] for name in EXECUTORS}
    with tempfile.TemporaryDirectory() as cache:
        environment = os.environ | {"XDG_CACHE_HOME": cache}
        for name in QUICKSTART:  # compiles all programs for each number of devices
            _quickstart(name, environment)
        for _ in range(rounds):
            for name in QUICKSTART:
                quickstart[name].append(_quickstart(name, environment))
            for name in EXECUTORS:
                overhead[name].append(_overhead(name, environment))
    medians = {name: statistics.median(seconds) for name, seconds in quickstart.items()}
    return [
        {
            "executor": name,
            "seconds": medians.get(name),
            "milliseconds per run": statistics.median(overhead[name]),
            "rounds": {"quickstart": quickstart.get(name), "milliseconds per run": overhead[name]},
        }
        for name in EXECUTORS
    ]


def _quickstart(name: str, environment: Any) -> float:
    command = [sys.executable, "-m", "landscape.cli", "run", "configs/quickstart.yaml"]
    with tempfile.TemporaryDirectory() as folder:
        start = time.perf_counter()
        _output([*command, *EXECUTORS[name], "--out", folder], environment)
        return time.perf_counter() - start


def _overhead(name: str, environment: Any) -> float:
    """Returns the milliseconds of an additional run, without the start of the executor."""
    executor = EXECUTORS[name][1]
    jobs = EXECUTORS[name][-1] if len(EXECUTORS[name]) > 2 else "1"
    with tempfile.TemporaryDirectory() as folder:
        words = ["configs/quickstart.yaml", folder, executor, jobs, str(FEW), str(MANY), *TINY]
        output = _output([sys.executable, "-c", OVERHEAD, *words], environment)
    few, many = (float(line) for line in output.split()[-2:])
    return (many - few) / (MANY - FEW) * 1000


def _output(command: list[str], environment: Any) -> str:
    """Returns the standard output of a command. Raises RuntimeError if it fails."""
    process = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True)
    if process.returncode:
        code = process.returncode
        raise RuntimeError(f"{' '.join(command)} exited with {code}: {process.stderr}")
    return process.stdout
