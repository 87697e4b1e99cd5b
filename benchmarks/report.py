"""Measures the report of 30, 420 and 2,000 runs: seconds, also if it is up to date, and memory."""

import shutil
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from landscape import config, load, run
from landscape.config import Experiment
from landscape.storage import disk, experiment_folder, store

CONFIG = """
dataset: digits
model: {name: mlp, widths: [16]}
losses:
  - softmax_cross_entropy
  - poly
  - focal
  - brier
  - multiclass_hinge
  - zero_one
  - {name: focal, gamma: 1.0, label: focal_1}
  - {name: focal, gamma: 3.0, label: focal_3}
  - {name: poly, epsilon: 1.0, label: poly_1}
  - {name: softmax_cross_entropy, label_smoothing: 0.1, label: smoothed}
seeds: 2
steps: 100
record_every: 10
slices: {lines: {directions: 4, points: 21}, planes: {draws: 1, points: [11, 11]}}
"""
# Learning rates and seeds of each experiment of ten losses.
SIZES = {30: (1, 3), 420: (7, 6), 2000: (10, 20)}
BUILD = """
import os, resource, sys, time
from pathlib import Path
start = time.perf_counter()
from landscape.report import figure_process, stored_report
if stored_report.up_to_date(Path(sys.argv[1])) is None:
    with figure_process.started() as process:
        from landscape.report.assemble import build
        build(Path(sys.argv[1]), process)
seconds, processor = time.perf_counter() - start, sum(os.times()[:4])
# Not the maximum of getrusage, which this process inherits from the one that started it.
(peak,) = (line.split()[1] for line in open("/proc/self/status") if line.startswith("VmHWM"))
second = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
print(seconds, processor, (int(peak) + second) / 1024)
"""


def measure(rounds: int, sizes: tuple[int, ...] = tuple(SIZES)) -> list[dict[str, Any]]:
    """Returns one row per number of runs: medians of seconds, with the imports, and peak memory."""
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "config.yaml"
        path.write_text(CONFIG)
        source = run(load(path), folder, tell=lambda line: None).directory
        for size in sizes:
            rates, seeds = SIZES[size]
            values = [0.001 * 1.5**index for index in range(rates)]
            sweep = f"sweep={{optimizer.learning_rate: {values}}}"
            experiment = load(path, sweep, f"seeds={seeds}", f"name=runs{size}")
            directory = multiply(source, experiment, Path(folder) / str(size))
            first, again = [], []
            for _ in range(rounds):
                shutil.rmtree(directory / "report", ignore_errors=True)
                first.append(_build(directory))
                again.append(_build(directory))
            seconds, cpu, peak = (statistics.median(values) for values in zip(*first, strict=True))
            rows.append(
                {
                    "runs": size,
                    "seconds": seconds,
                    "processor seconds": cpu,
                    "seconds, up to date": statistics.median(values[0] for values in again),
                    "peak memory, MiB": peak,
                    "page, MiB": (directory / "report" / "index.html").stat().st_size / 2**20,
                }
            )
    return rows


def multiply(source: Path, experiment: Experiment, directory: Path) -> Path:
    """Writes an experiment whose runs have the files of the runs of `source` with their loss."""
    stored: dict[str, list[Path]] = {}
    for path in sorted((source / "runs").iterdir()):
        label = config.run_from((path / "config.yaml").read_text()).loss.label
        stored.setdefault(label, []).append(path)
    runs = config.expand(experiment)
    for item in runs:
        folder, originals = store.run_folder(directory, item.id), stored[item.loss.label]
        shutil.copytree(originals[item.seed % len(originals)], folder)
        (folder / "config.yaml").write_text(config.dump(item))
        store.write_run_files(folder, {}, store.read_status(folder) or "")
    disk.write_text(directory / "experiment.yaml", config.dump(experiment))
    experiment_folder.write_plan(directory, [item.id for item in runs])
    return directory


def _build(directory: Path) -> list[float]:
    command = [sys.executable, "-c", BUILD, str(directory)]
    process = subprocess.run(command, check=True, capture_output=True, text=True)
    return [float(text) for text in process.stdout.split()]
