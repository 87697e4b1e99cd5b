"""Measures the peak memory of a plane: a million parameters, 60,000 examples, 51 x 51 points."""

import subprocess
import sys
from typing import Any

PROGRAM = """
import resource, time
import jax, jax.numpy as jnp, numpy as np
from pathlib import Path
from landscape import catalog
from landscape.numerics import slices
from landscape.numerics.loss import Loss, Targets
from landscape.numerics.compiling import use_all_cores
from landscape.config import ModelPart
from landscape.parts.losses.multiclass import softmax_cross_entropy
from landscape.numerics.risk import Examples
use_all_cores()
make = catalog.build("models", ModelPart(name="mlp", options={"widths": [800, 460]}), folder=Path())
model = make((784,), 10)
params, *directions = (model.init(jax.random.key(n)) for n in range(3))
inputs = jax.random.normal(jax.random.key(3), (60000, 784))
labels = jax.nn.one_hot(jnp.arange(60000) % 10, 10)
slice_points = slices.slicer(slices.PointMeasure(model, [], 512, gradients=False))
loss = Loss(softmax_cross_entropy)
grid = slices.grid((51, 51), 1.0)
points = grid.points[:POINTS]
start = time.perf_counter()
planes, examples = [tuple(directions)], Examples(inputs, Targets(labels))
risk = slice_points(loss, params, planes, points, examples)["risk"][0]
assert np.isfinite(risk).all() and len(risk) == len(points)
size = sum(leaf.size for leaf in jax.tree.leaves(params))
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
print(size, len(points), time.perf_counter() - start, peak)
"""


def measure(rounds: int, points: int = 160) -> list[dict[str, Any]]:
    """Returns one row. A few groups of points suffice: memory depends on the size of a group."""
    program = f"POINTS = {points}\n{PROGRAM}"
    process = subprocess.run(
        [sys.executable, "-c", program], check=True, capture_output=True, text=True
    )
    size, count, seconds, peak = map(float, process.stdout.split())
    return [
        {
            "parameters": int(size),
            "examples": 60000,
            "points": int(count),
            "seconds": seconds,
            "peak memory, MiB": peak,
        }
    ]
