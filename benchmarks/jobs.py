"""The quickstart with one and two jobs, and what each executor adds to a run."""

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
# The quickstart itself is timed with one and with two jobs.
WHOLE = ("serial", "processes, 2 jobs")
# Two steps of a tiny model, nothing measured: what is left is what a run costs in any case.
TINY = ["seeds={}", "losses=[brier]", "slices=null", "steps=2", "model.widths=[2]"]
FEW, MANY = 20, 220
OVERHEAD = """
import sys, time
from landscape import load, run
config, out, executor, jobs, few, many, *overrides = sys.argv[1:]
for number, count in enumerate((few, few, many)):  # the first one imports and compiles
    began = time.perf_counter()
    chosen = [text.format(count) for text in overrides]
    run(load(config, *chosen), f"{out}/{number}", executor=executor, jobs=int(jobs),
        tell=lambda line: None)
    print(time.perf_counter() - began)
"""


def measure(rounds: int) -> list[dict[str, Any]]:
    """A row for each executor: seconds of the quickstart, and milliseconds of a run."""
    whole: dict[str, list[float]] = {name: [] for name in WHOLE}
    each: dict[str, list[float]] = {name: [] for name in EXECUTORS}
    with tempfile.TemporaryDirectory() as cache:
        environment = os.environ | {"XDG_CACHE_HOME": cache}
        for name in WHOLE:  # so that all programs are compiled for each number of devices
            _quickstart(name, environment)
        for _ in range(rounds):
            for name in WHOLE:
                whole[name].append(_quickstart(name, environment))
            for name in EXECUTORS:
                each[name].append(_overhead(name, environment))
    medians = {name: statistics.median(seconds) for name, seconds in whole.items()}
    return [
        {
            "executor": name,
            "seconds": medians.get(name),
            "milliseconds a run": statistics.median(each[name]),
            "rounds": {"quickstart": whole.get(name), "milliseconds a run": each[name]},
        }
        for name in EXECUTORS
    ]


def _quickstart(name: str, environment: Any) -> float:
    command = [sys.executable, "-m", "landscape.cli", "run", "configs/quickstart.yaml"]
    with tempfile.TemporaryDirectory() as folder:
        began = time.perf_counter()
        _called([*command, *EXECUTORS[name], "--out", folder], environment)
        return time.perf_counter() - began


def _overhead(name: str, environment: Any) -> float:
    """Milliseconds that one more run takes: starting the executor is no part of it."""
    executor = EXECUTORS[name][1]
    jobs = EXECUTORS[name][-1] if len(EXECUTORS[name]) > 2 else "1"
    with tempfile.TemporaryDirectory() as folder:
        words = ["configs/quickstart.yaml", folder, executor, jobs, str(FEW), str(MANY), *TINY]
        told = _called([sys.executable, "-c", OVERHEAD, *words], environment)
    few, many = (float(line) for line in told.split()[-2:])
    return (many - few) / (MANY - FEW) * 1000


def _called(command: list[str], environment: Any) -> str:
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(f"{' '.join(command)} ended with {done.returncode}: {done.stderr}")
    return done.stdout
