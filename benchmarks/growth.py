"""Measures how the time of slices and sweeps grows: exponents of points, width, examples, runs."""

import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from landscape import catalog
from landscape.config import ModelPart
from landscape.numerics import slices
from landscape.numerics.compiling import use_all_cores
from landscape.numerics.loss import Loss
from landscape.numerics.risk import Examples
from landscape.parts.losses.multiclass import softmax_cross_entropy

use_all_cores()
CONFIG = """
dataset: digits
model: {name: mlp, widths: [32]}
losses: [%s]
seeds: %d
steps: 100
slices: {lines: {directions: 2, points: 11}, planes: null}
"""
LOSSES = ("softmax_cross_entropy", "brier", "focal", "poly", "multiclass_hinge")


def measure(rounds: int) -> list[dict[str, Any]]:
    """Returns one row per quantity: its sizes, the seconds, and the fitted exponent."""
    quantities: list[tuple[str, Sequence[int], Callable[[int], float]]] = [
        ("points", (250, 1000, 4000), lambda n: _slice(n, 128, 1000, rounds)),
        ("width of the mlp", (128, 256, 512), lambda n: _slice(100, n, 1000, rounds)),
        ("examples", (1000, 4000, 16000), lambda n: _slice(100, 128, n, rounds)),
        ("seeds", (2, 8, 32), lambda n: _sweep(1, n)),
        ("losses", (1, 2, 5), lambda n: _sweep(n, 2)),
    ]
    rows = []
    for name, sizes, seconds_of in quantities:
        seconds = [seconds_of(n) for n in sizes]
        exponent = float(np.polyfit(np.log(sizes), np.log(seconds), 1)[0])
        rows.append({"grows with": name, "tried": sizes, "seconds": seconds, "exponent": exponent})
    return rows


def _slice(points: int, width: int, examples: int, rounds: int) -> float:
    """Returns the median seconds of a slice of an MLP."""
    make = catalog.build(
        "models", ModelPart(name="mlp", options={"widths": [width] * 2}), folder=Path()
    )
    model = make((width,), 10)
    params, *directions = (model.init(jax.random.key(n)) for n in range(3))
    rng = np.random.default_rng(0)
    labels = jax.nn.one_hot(rng.integers(0, 10, examples), 10)
    inputs = rng.normal(size=(examples, width)).astype(np.float32)
    slice_points = slices.slicer(slices.PointMeasure(model, [], 512, gradients=False))
    loss, coordinates = Loss(softmax_cross_entropy), rng.normal(size=(points, 2))
    point_arguments = (loss, params, [tuple(directions)], coordinates.astype(np.float32))
    seconds = []
    for _ in range(rounds + 1):
        start = time.perf_counter()
        slice_points(*point_arguments, Examples(jnp.asarray(inputs), labels))
        seconds.append(time.perf_counter() - start)
    return float(np.median(seconds[1:]))


def _sweep(losses: int, seeds: int) -> float:
    """Returns the seconds of `landscape run` with cached programs, imports and report included."""
    with tempfile.TemporaryDirectory() as folder:
        config = Path(folder) / "sweep.yaml"
        config.write_text(CONFIG % (", ".join(LOSSES[:losses]), seeds))
        command = [sys.executable, "-m", "landscape.cli", "run", str(config), "--fresh"]
        for _ in range(2):
            start = time.perf_counter()
            subprocess.run([*command, "--out", folder], check=True, capture_output=True)
            seconds = time.perf_counter() - start
    return seconds
