"""Measures how time and memory of slices and sweeps grow with their sizes.

`python benchmarks/growth.py slice POINTS WIDTH EXAMPLES ROUNDS` prints the median seconds of one
slice; every size is measured in a process of its own, whose peak memory is recorded.
"""

import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from child_process import Usage, measured

CONFIG = """
dataset: digits
model: {name: mlp, widths: [32]}
losses: [LOSSES]
seeds: SEEDS
steps: 100
slices: {lines: {directions: 2, points: 11}, planes: null}
sweep: {optimizer.learning_rate: RATES}
"""
# Losses that differ in a constant of their code, so that each is a branch of its own.
LOSS = """
def power_NUMBER(predictions, targets):
    log_probability = (targets * jax.nn.log_softmax(predictions)).sum(-1)
    return -log_probability * (1 - jnp.exp(log_probability)) ** (1 + NUMBER / 20)
"""


def measure(rounds: int) -> list[dict[str, Any]]:
    """Returns one row per quantity: its sizes, seconds and memory, and how they grow."""
    quantities: list[tuple[str, Sequence[int], Callable[[int], Usage]]] = [
        ("points", (250, 1000, 4000), lambda n: _slice(n, 128, 1000, rounds)),
        ("parameters", (128, 256, 512, 1024), lambda n: _slice(100, n, 1000, rounds)),
        ("examples", (1000, 4000, 16000), lambda n: _slice(100, 128, n, rounds)),
        ("seeds", (2, 8, 32), lambda n: _sweep(seeds=n)),
        ("learning rates", (2, 8, 32), lambda n: _sweep(rates=n)),
        ("losses, first time", (1, 5, 10, 20, 40), lambda n: _sweep(losses=n, first=True)),
        ("losses, cached programs", (1, 5, 10, 20, 40), lambda n: _sweep(losses=n)),
    ]
    return [_row(name, sizes, [usage_of(n) for n in sizes]) for name, sizes, usage_of in quantities]


def _row(name: str, sizes: Sequence[int], usages: Sequence[Usage]) -> dict[str, Any]:
    if name == "parameters":
        sizes = [_parameters(width) for width in sizes]
    seconds = [usage.seconds for usage in usages]
    return {
        "grows with": name,
        "tried": sizes,
        "seconds": seconds,
        "exponent": float(np.polyfit(np.log(sizes), np.log(seconds), 1)[0]),
        "seconds for each more": float(np.polyfit(sizes, seconds, 1)[0]),
        "CPU seconds": [usage.cpu for usage in usages],
        "peak memory, MiB": [usage.memory for usage in usages],
    }


def _parameters(width: int) -> int:
    return 2 * (width + 1) * width + (width + 1) * 10


def _slice(points: int, width: int, examples: int, rounds: int) -> Usage:
    """Measures a slice of an MLP with two hidden layers; the seconds are those of one slice."""
    sizes = map(str, (points, width, examples, rounds))
    usage = measured([sys.executable, __file__, "slice", *sizes])
    return usage._replace(seconds=float(usage.output))


def _median_seconds(points: int, width: int, examples: int, rounds: int) -> float:
    import time

    import jax
    import jax.numpy as jnp

    from landscape import catalog
    from landscape.config import ModelPart
    from landscape.numerics import slices
    from landscape.numerics.compiling import use_all_cores
    from landscape.numerics.loss import Loss, Targets
    from landscape.numerics.risk import Examples
    from landscape.parts.losses.multiclass import softmax_cross_entropy

    use_all_cores()
    part = ModelPart(name="mlp", options={"widths": [width] * 2})
    model = catalog.build("models", part, folder=Path())((width,), 10)
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
        slice_points(*point_arguments, Examples(jnp.asarray(inputs), Targets(labels)))
        seconds.append(time.perf_counter() - start)
    return float(np.median(seconds[1:]))


def _sweep(losses: int = 2, seeds: int = 2, rates: int = 1, first: bool = False) -> Usage:
    """Measures `landscape run`, imports and report included.

    `first`: with compilation, else with cached programs.
    """
    names = [f"power_{number}" for number in range(losses)]
    values = np.geomspace(1e-4, 1e-2, rates).round(6).tolist()
    text = CONFIG.replace("LOSSES", ", ".join(f"'losses.py:{name}'" for name in names))
    text = text.replace("SEEDS", str(seeds)).replace("RATES", str(values))
    code = [LOSS.replace("NUMBER", str(number)) for number in range(losses)]
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "losses.py").write_text("import jax, jax.numpy as jnp\n" + "".join(code))
        Path(folder, "sweep.yaml").write_text(text)
        command = [sys.executable, "-m", "landscape.cli", "run", f"{folder}/sweep.yaml", "--fresh"]
        usage = measured([*command, "--out", folder], cache=f"{folder}/cache")
        return usage if first else measured([*command, "--out", folder], cache=f"{folder}/cache")


if __name__ == "__main__":
    print(_median_seconds(*map(int, sys.argv[2:])))
