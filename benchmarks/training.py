"""Times training with records: the compiled loop of landscape and the usual PyTorch loop."""

import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import problems
from planes import stored
from race import agree, race

STEPS = {"mlp on digits": 1000, "cnn": 100}
BATCH, RECORD_EVERY = 64, 20


def measure(rounds: int) -> list[dict[str, Any]]:
    """Returns one row per model."""
    return [_measure_model(problem, rounds) for problem in STEPS]


def _measure_model(problem: str, rounds: int) -> dict[str, Any]:
    steps = STEPS[problem]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        ours, theirs = stored(problem, folder)
        examples = len(problems.data(problem).labels)
        order = np.random.default_rng(0).integers(0, examples, (steps + 1, BATCH)).astype(np.int32)
        np.save(folder / "order.npy", order)
        training = {"order": str(folder / "order.npy"), "steps": steps}
        timings = race(
            {
                "landscape": ("ours:training", {**ours, **training, "record_every": RECORD_EVERY}),
                # Records only the first and the last step.
                "recording nothing": ("ours:training", {**ours, **training, "record_every": steps}),
                "PyTorch": (
                    "theirs:training",
                    {**theirs, **training, "record_every": RECORD_EVERY},
                ),
            },
            rounds,
        )
    # Rounding makes trainings diverge; the first recorded rows are still comparable.
    first = {name: t._replace(values=t.values[:3]) for name, t in timings.items()}
    difference = agree(first, ("landscape", "PyTorch"), 1e-3)
    rates = {name: steps / timing.median for name, timing in timings.items()}
    return {
        "model": problem,
        "steps": steps,
        "batch": BATCH,
        "recorded every": RECORD_EVERY,
        "steps per second": rates,
        "times PyTorch": rates["landscape"] / rates["PyTorch"],
        "cost of recording": 1 - rates["landscape"] / rates["recording nothing"],
        "compilation": timings["landscape"].first - timings["landscape"].median,
        "difference after 40 steps": difference,
        "rounds": {name: timing.seconds for name, timing in timings.items()},
    }
