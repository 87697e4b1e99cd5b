"""The goals of speed, and whether the stored results reach them."""

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

Rows = Sequence[dict[str, Any]]


class Goal(NamedTuple):
    """A bound on one number of a part of the benchmarks."""

    name: str
    part: str
    value: Callable[[Rows], float]
    bound: float
    at_least: bool

    def reached(self, value: float) -> bool:
        return value >= self.bound if self.at_least else value <= self.bound


def _row(rows: Rows, key: str, name: Any) -> dict[str, Any]:
    return next(row for row in rows if row[key] == name)


def _of(key: str, name: Any, number: str) -> Callable[[Rows], float]:
    return lambda rows: _row(rows, key, name)[number]


GOALS = (
    Goal(
        "quickstart the first time, times PyTorch",
        "quickstart",
        lambda rows: rows[0]["times PyTorch, first time"],
        2.5,
        at_least=True,
    ),
    Goal(
        "quickstart again, times PyTorch",
        "quickstart",
        lambda rows: rows[0]["times PyTorch, again"],
        5,
        at_least=True,
    ),
    Goal(
        "training an MLP, times PyTorch",
        "training",
        _of("model", "mlp on digits", "times PyTorch"),
        6,
        at_least=True,
    ),
    Goal(
        "training a CNN, times PyTorch",
        "training",
        _of("model", "cnn", "times PyTorch"),
        1,
        at_least=True,
    ),
    Goal(
        "share of training that recording takes",
        "training",
        lambda rows: max(row["cost of recording"] for row in rows),
        0.15,
        at_least=False,
    ),
    Goal(
        "plane of an MLP, times loss-landscapes",
        "planes",
        _of("model", "mlp", "times loss-landscapes"),
        6,
        at_least=True,
    ),
    Goal(
        "planes of a CNN and a ResNet, times loss-landscapes",
        "planes",
        lambda rows: min(row["times loss-landscapes"] for row in rows if row["model"] != "mlp"),
        1,
        at_least=True,
    ),
    Goal(
        "compilation of one more loss, s",
        "increments",
        _of("one more", "loss", "compilation"),
        1,
        at_least=False,
    ),
    Goal(
        "compilation of one more seed, s",
        "increments",
        _of("one more", "seed", "compilation"),
        0.1,
        at_least=False,
    ),
    Goal(
        "programs of one more learning rate",
        "increments",
        _of("one more", "learning rate", "programs"),
        0,
        at_least=False,
    ),
    Goal(
        "a sweep of 420 runs the first time, s",
        "sweeps",
        _of("runs", 420, "seconds"),
        60,
        at_least=False,
    ),
    Goal(
        "report over 2,000 runs, s",
        "report",
        _of("runs", 2000, "seconds"),
        60,
        at_least=False,
    ),
    Goal(
        "memory of a report over 2,000 runs, MiB",
        "report",
        _of("runs", 2000, "peak memory, MiB"),
        2048,
        at_least=False,
    ),
    Goal(
        "start of a command, times the imports of its libraries",
        "start",
        lambda rows: max(row["times the imports, wall"] for row in rows if row["goal"]),
        2,
        at_least=False,
    ),
    Goal(
        "an audit in one process, median, processor s",
        "audit",
        lambda rows: max(row["processor median"] for row in rows[1:]),
        1,
        at_least=False,
    ),
    Goal(
        "an audit in one process, worst, processor s",
        "audit",
        lambda rows: max(row["processor worst"] for row in rows[1:]),
        5,
        at_least=False,
    ),
    Goal(
        "make test, s",
        "suite",
        lambda rows: rows[0]["seconds"],
        540,
        at_least=False,
    ),
)


def markdown(results: Path) -> str:
    """Returns a Markdown table of all goals whose part has been measured."""
    lines = ["**Goals**", "", "| goal | bound | measured | reached |", "| --- | --- | --- | --- |"]
    for goal in GOALS:
        path = results / f"{goal.part}.json"
        if path.is_file():
            value = goal.value(json.loads(path.read_text())["rows"])
            sign = "at least" if goal.at_least else "at most"
            verdict = "yes" if goal.reached(value) else "no"
            lines.append(f"| {goal.name} | {sign} {goal.bound:g} | {value:.3g} | {verdict} |")
    return "\n".join(lines)
