"""Measures what one more loss, seed or value of an option costs an experiment.

Each experiment runs in a process with an empty cache. Compilation is tracing, lowering and XLA, in
seconds of one thread, as JAX reports them.
"""

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from statistics import median
from typing import Any, NamedTuple

ROOT = Path(__file__).parent.parent
LOSSES = (
    "softmax_cross_entropy",
    "focal",
    "brier",
    "multiclass_hinge",
    "zero_one",
    "poly",
    "logsumexp_margin",
    "absolute_probability_error",
    "generalized_cross_entropy",
    "symmetric_cross_entropy",
)
SCRIPT = """
import sys, time
import jax
from landscape import load, run
seconds = {"compilation": 0.0, "programs": 0}
def listen(event, duration, **details):
    if event.startswith("/jax/core/compile/"):
        seconds["compilation"] += duration
        seconds["programs"] += event.endswith("backend_compile_duration")
jax.monitoring.register_event_duration_secs_listener(listen)
config, out, *overrides = sys.argv[1:]
experiment = load(config, *overrides)
start = time.perf_counter()
run(experiment, out, executor="serial", tell=lambda line: None)
print(seconds["compilation"], seconds["programs"], time.perf_counter() - start)
"""


class Cost(NamedTuple):
    """Seconds of compilation, number of compiled programs, and seconds of a whole experiment."""

    compilation: float
    programs: int
    seconds: float


def measure(rounds: int) -> list[dict[str, Any]]:
    """Returns one row per quantity: what one more of it costs."""
    experiments: dict[str, tuple[int, dict[str, Any]]] = {
        "base": (0, {}),
        "loss": (5, {"losses": LOSSES}),
        "seed": (6, {"seeds": 8}),
        "learning rate": (2, {"optimizer.learning_rate": "0.001,0.003,0.01"}),
    }
    costs: dict[str, list[Cost]] = {name: [] for name in experiments}
    for _ in range(rounds):
        for name, (_, changes) in experiments.items():
            costs[name].append(_cost(changes))
    return [
        {"one more": name, **_difference(costs["base"], costs[name], added), "rounds": costs[name]}
        for name, (added, _) in experiments.items()
        if added
    ]


def _difference(base: Sequence[Cost], changed: Sequence[Cost], added: int) -> dict[str, float]:
    return {
        field: (
            median(getattr(cost, field) for cost in changed)
            - median(getattr(cost, field) for cost in base)
        )
        / added
        for field in Cost._fields
    }


def _cost(changes: dict[str, Any]) -> Cost:
    settings = {"losses": LOSSES[:5], "seeds": 2, "steps": 200} | changes
    with tempfile.TemporaryDirectory() as folder:
        overrides = [f"{key}={_text(value)}" for key, value in settings.items()]
        process = subprocess.run(
            [sys.executable, "-c", SCRIPT, "configs/quickstart.yaml", folder, *overrides],
            cwd=ROOT,
            env=os.environ | {"XDG_CACHE_HOME": folder},
            capture_output=True,
            text=True,
        )
    if process.returncode:
        raise RuntimeError(process.stderr)
    compilation, programs, seconds = process.stdout.split()[-3:]
    return Cost(float(compilation), int(programs), float(seconds))


def _text(value: Any) -> str:
    return json.dumps(value) if isinstance(value, tuple | list) else str(value)
