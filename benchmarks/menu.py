"""Compares hoisted and plain slices, with and without gradients, for every built-in model."""

import tempfile
from pathlib import Path
from typing import Any

import problems
from planes import stored
from race import agree, race

POINTS = 5
MODELS: dict[str, tuple[str, dict[str, Any], int]] = {
    "linear": ("linear", {}, 1000),
    "mlp": ("mlp", {"widths": [64]}, 1000),
    "deep mlp": ("mlp", {"widths": [64, 64, 64, 64]}, 1000),
    "cnn": ("cnn", {}, 500),
    "cnn, stride 1": ("cnn", {"stride": 1, "channels": [8]}, 250),
    "resnet": ("resnet", {"depth": 8, "width": 8}, 100),
    "no shortcuts": ("resnet", {"depth": 8, "width": 8, "skip": False}, 100),
}
# Registered on import, since the processes that call `plane` import this module too.
problems.PROBLEMS.update({f"menu: {name}": problem for name, problem in MODELS.items()})


def measure(rounds: int) -> list[dict[str, Any]]:
    """Returns one row per model without gradients, and one with gradients."""
    return [
        _measure_model(name, gradients, rounds)
        for name in MODELS
        for gradients in (False, True)
        if not (gradients and name == "no shortcuts")  # compiles for minutes, for the same loop
    ]


def _measure_model(name: str, gradients: bool, rounds: int) -> dict[str, Any]:
    with tempfile.TemporaryDirectory() as folder:
        ours, _ = stored(f"menu: {name}", Path(folder))
        settings = {**ours, "points": POINTS, "gradients": gradients}
        timings = race(
            {
                "hoisted": ("menu:plane", {**settings, "hoist": True}),
                "plain": ("menu:plane", {**settings, "hoist": False}),
            },
            rounds,
        )
    agree(timings, ("hoisted", "plain"), 1e-4)
    return {
        "model": name,
        "gradients": gradients,
        "times plain": timings["plain"].median / timings["hoisted"].median,
    }


def plane(**settings: Any) -> Any:
    """Like `ours.plane` for these models; repeats three times, so that small ones can be timed."""
    import ours

    work = ours.plane(**settings)
    return lambda: [work() for _ in range(3)]
