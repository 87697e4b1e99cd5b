"""Nothing of the menu is slower hoisted than not: planes and gradients of every model."""

import tempfile
from pathlib import Path
from typing import Any

import problems
from planes import stored
from race import agree, race

POINTS = 5
MORE: dict[str, tuple[str, dict[str, Any], int]] = {
    "linear": ("linear", {}, 1000),
    "mlp": ("mlp", {"widths": [64]}, 1000),
    "deep mlp": ("mlp", {"widths": [64, 64, 64, 64]}, 1000),
    "cnn": ("cnn", {}, 500),
    "cnn, stride 1": ("cnn", {"stride": 1, "channels": [8]}, 250),
    "resnet": ("resnet", {"depth": 8, "width": 8}, 100),
    "no shortcuts": ("resnet", {"depth": 8, "width": 8, "skip": False}, 100),
}
# Under names of their own, here and in the processes that import this for `plane`.
problems.PROBLEMS.update({f"menu: {name}": problem for name, problem in MORE.items()})


def measure(rounds: int) -> list[dict[str, Any]]:
    """A row for every model, for values alone and with gradients."""
    return [
        _of(name, gradients, rounds)
        for name in MORE
        for gradients in (False, True)
        if not (gradients and name == "no shortcuts")  # minutes of compilation for the same loop
    ]


def _of(name: str, gradients: bool, rounds: int) -> dict[str, Any]:
    with tempfile.TemporaryDirectory() as folder:
        ours, _ = stored(f"menu: {name}", Path(folder))
        given = {**ours, "points": POINTS, "gradients": gradients}
        timings = race(
            {
                "hoisted": ("menu:plane", {**given, "hoist": True}),
                "plain": ("menu:plane", {**given, "hoist": False}),
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
    """As `ours.plane`, for these models, three times over so that small ones can be timed."""
    import ours

    work = ours.plane(**settings)
    return lambda: [work() for _ in range(3)]
