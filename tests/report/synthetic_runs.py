"""Writes run folders as the program does, from closed forms and fixed generators."""

import json
import zlib
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import synthetic_measures as measures
from ruamel.yaml import YAML

STEPS, EVERY = 200, 20
PARTS = {
    "dataset": {"name": "digits", "options": {}},
    "model": {"name": "mlp", "options": {}},
    "optimizer": {"name": "adam", "options": {}},
}


@dataclass(frozen=True)
class Loss:
    """How a loss behaves: final accuracy, speed, gradients and shape.

    `test` is what the test split adds to the accuracy of the evaluation split, and `overfits` what
    the best step adds to the last one there; without `test` the runs are not judged.
    """

    name: str
    final: float = 0.95
    speed: float = 40.0
    scale: float = 1.0
    dead: tuple[float, float, float, float] = (0.0, 0.0, 0.1, 0.0)
    zero_gradient: bool = False
    diverges: dict[int, int] = field(default_factory=dict)
    fails: tuple[int, ...] = ()
    ripples: float = 0.0
    audit: dict[str, Any] | None = None
    test: float | None = None
    overfits: float = 0.0


LOSSES = (
    Loss("cross_entropy", 0.965, 35),
    Loss("focal_gamma_2", 0.955, 45, scale=0.4),
    Loss("hinge", 0.94, 25, scale=2.0, dead=(0.7, 0.8, 0.25, 0.3), ripples=0.4),
    Loss("zero_one", 0.11, 40, dead=(1.0, 1.0, 1.0, 1.0), zero_gradient=True),
    Loss("exponential", 0.93, 30, scale=30.0, diverges={0: 60, 3: 80, 5: 120}),
)


def accuracy(loss: Loss, seed: int, steps: np.ndarray) -> np.ndarray:
    """Rises from chance to the final value; the same start for all losses of a seed."""
    noise = np.random.default_rng([seed, zlib.crc32(loss.name.encode())]).normal(0, 0.006)
    start = 0.1 + 0.01 * np.sin(seed)
    if loss.zero_gradient:
        return np.full(len(steps), start)
    return start + (loss.final + noise - start) * (1 - np.exp(-steps / loss.speed))


def trace(loss: Loss, seed: int) -> pd.DataFrame:
    steps = np.arange(0, STEPS + 1, EVERY)
    stop = loss.diverges.get(seed)
    if stop is not None:
        steps = np.append(steps[steps < stop], stop)
    values = accuracy(loss, seed, steps)
    decay = np.exp(-steps / loss.speed)
    risk = loss.scale * (0.05 + 2.2 * decay * (1 + 0.05 * np.cos(seed)))
    gradient = loss.scale * (0.02 + 1.5 * decay) * (1 + 0.1 * np.sin(seed + steps))
    if loss.zero_gradient:
        risk, gradient = np.full(len(steps), 0.9), np.zeros(len(steps))
    columns = {
        "step": steps,
        "risk/batch": risk * (1 + 0.04 * np.sin(7 * steps + seed)),
        "risk/evaluation": risk,
        "accuracy": values,
        "f1": values - 0.01,
        "gradient_norm/global": gradient,
        "gradient_norm/evaluation": 0.8 * gradient,
        "update_ratio": 0.01 * decay,
    }
    for name, end in zip(("examples", "components", "weights", "units"), loss.dead, strict=True):
        grown = end if loss.zero_gradient else end * (1 - decay)
        columns[f"dead/{name}"] = np.broadcast_to(grown, len(steps))
    columns["steps/vanishing"] = np.zeros(len(steps), dtype=np.int64)
    columns["steps/exploding"] = np.zeros(len(steps), dtype=np.int64)
    columns["steps/dead"] = steps if loss.zero_gradient else np.zeros(len(steps), dtype=np.int64)
    frame = pd.DataFrame(columns)
    if stop is not None:
        frame.loc[frame.index[-1], ["risk/batch", "risk/evaluation"]] = np.nan
        frame.loc[frame.index[-1], "gradient_norm/global"] = np.inf
    return frame


def audit(verdict: str, *findings: tuple[str, str, str], kink: float = 0.0) -> dict[str, Any]:
    """An audit as the program stores it: findings as code, severity, message; an absolute value."""
    x = [float(value) for value in np.linspace(-4, 4, 401)]
    line = {
        "label": "target 1",
        "value": [abs(value - kink) for value in x],
        "gradient": ["nan" if value == kink else float(np.sign(value - kink)) for value in x],
        "dead": [[-4.0, -3.0]] if verdict == "untrainable" else [],
        "idle": [],
        "saturated": [],
        "marks": [{"x": kink, "code": "D102"}],
    }
    return {
        "loss": "the name it was audited by",
        "kind": "loss",
        "task": "multiclass",
        "domain": "real",
        "head": None,
        "verdict": verdict,
        "properties": {"smoothness": {"value": "C0", "how": "measured"}},
        "findings": [
            {
                "code": code,
                "severity": severity,
                "message": message,
                "where": {"file": "/home/me/my_losses.py", "line": 12, "text": "jnp.round(p)"},
                "evidence": {},
                "suggestion": None,
            }
            for code, severity, message in findings
        ],
        "suspects": [],
        "notes": [],
        "shapes": {
            "x_label": "prediction",
            "x": x,
            "lines": [line],
            "plane": None,
            "limit": None,
        },
    }


def optimizer(swept: dict[str, object], name: str = "adam") -> dict[str, Any]:
    """The optimizer of a run, with the options that the sweep sets."""
    options = {key.partition(".")[2]: v for key, v in swept.items() if key.startswith("optimizer.")}
    return {"name": name, "options": options}


def judgment(loss: Loss, seed: int, frame: pd.DataFrame) -> dict[str, Any]:
    """What the summary of a judged run has about the test split."""
    if loss.test is None:
        return {}
    first, last = (float(frame["accuracy"].iloc[i]) + loss.test for i in (0, -1))
    at_best = last + loss.overfits * (1 + 0.1 * np.cos(seed))
    return {
        "best_step": int(frame["step"].iloc[frame["accuracy"].argmax()]),
        "best": {"accuracy": float(frame["accuracy"].max())},
        "test": {"accuracy": last},
        "test_at_best": {"accuracy": at_best},
        "test_initial": {"accuracy": first},
        "baselines": {"majority_class": 0.12, "untrained": first},
        "smallest_class": 40,
        "test_examples": 400,
    }


def write_run(
    folder: Path, loss: Loss, seed: int, swept: dict[str, object], with_slices: bool = True
) -> None:
    """One run folder, in the form that the store writes."""
    folder.mkdir(parents=True)
    config = {
        "id": folder.name,
        "loss": {"name": "any", "label": loss.name, "options": {}},
        "seed": seed,
        "swept": swept,
        **PARTS,
        "optimizer": optimizer(swept),
        "steps": STEPS,
        "batch_size": 64,
        "record_every": EVERY,
        "evaluation": {},
        "gradients": {},
        "metrics": None,
        "targets": "auto",
        "slices": measures.SETTINGS,
        "checkpoints": 21,
        "measurement": "made up",
        "folder": "/home/me",
    }
    with (folder / "config.yaml").open("w") as file:
        YAML(typ="safe").dump(config, file)
    if seed in loss.fails:
        (folder / "error.txt").write_text(
            'Traceback (most recent call last):\n  File "x.py"\n'
            "ValueError: <script>alert(1)</script> & a_b | c\n"
        )
        (folder / "status.json").write_text(json.dumps({"status": "failed"}))
        return
    frame = trace(loss, seed)
    frame.to_parquet(folder / "trace.parquet", index=False)
    status = "diverged" if seed in loss.diverges else "done"
    measured = with_slices and status == "done"
    summary = {
        "status": status,
        "diverged_step": loss.diverges.get(seed),
        "task": "multiclass",
        "primary_metric": "accuracy",
        "metrics": ["accuracy", "f1"],
        "higher_is_better": {"accuracy": True, "f1": True},
        "checks": measures.checks(loss, seed) if measured else [],
        "parameters": measures.PARAMETERS,
        "training_examples": 1000,
    } | judgment(loss, seed, frame)
    (folder / "summary.json").write_text(json.dumps(summary))
    meta = {
        "versions": {"python": "3.11", "numpy": "2"},
        "device": "cpu",
        "seconds": {"train": 1.5, "slices": 0.5},
        "git": None,
    }
    (folder / "meta.json").write_text(json.dumps(meta))
    if loss.audit is not None:
        (folder / "audit.json").write_text(json.dumps(loss.audit))
    if measured:
        center, initial = (float(frame["risk/evaluation"].iloc[i]) for i in (-1, 0))
        best = accuracy(loss, seed, np.array([STEPS]))[0]
        np.savez(folder / "slices.npz", **measures.slices(loss, seed, "trained", center, best))
        record = measures.curvature(loss, seed, center, initial - center)
        (folder / "curvature.json").write_text(json.dumps(record))
    (folder / "status.json").write_text(json.dumps({"status": status}))


def write_experiment(
    directory: Path,
    losses: tuple[Loss, ...] = LOSSES,
    seeds: int = 6,
    *,
    with_slices: bool = True,
    sweep: dict[str, list[float]] | None = None,
    target: float | None = None,
    title: str | None = "Losses on made-up runs",
    points: dict[str, list[tuple[dict[str, Any], Loss]]] | None = None,
) -> Path:
    """A whole experiment folder; with a sweep, the second value of the key is the better one.

    `with_slices`: curvature, checks and measurements across runs as well. `points`: the swept
    values of each loss by name, with how it behaves there, in place of a sweep.
    """
    directory.mkdir(parents=True)
    settings = {
        "title": title,
        **PARTS,
        "losses": [{"name": "any", "label": loss.name} for loss in losses],
        "seeds": list(range(seeds)),
        "steps": STEPS,
        "target": target,
    }
    with (directory / "experiment.yaml").open("w") as file:
        YAML(typ="safe").dump(settings, file)
    if points is None:
        points = {loss.name: _sweep_points(loss, sweep) for loss in losses}
    ends = []
    for loss in losses:
        for index, (point, changed) in enumerate(points[loss.name]):
            for seed in range(seeds):
                name = f"{loss.name}-{index}-{seed}"
                safe = "".join(c if c.isalnum() or c in "_-" else "_" for c in name)
                write_run(directory / "runs" / safe, changed, seed, point, with_slices)
                if seed not in loss.fails and seed not in loss.diverges:
                    ends.append(_ends(safe, changed, seed, point))
    if with_slices:
        (directory / "across.json").write_text(json.dumps(measures.across(ends)))
    return directory


def _sweep_points(
    loss: Loss, sweep: dict[str, list[float]] | None
) -> list[tuple[dict[str, Any], Loss]]:
    if sweep is None:
        return [({}, loss)]
    swept = [{key: value} for key, values in sweep.items() for value in values]
    return [
        (point, replace(loss, final=loss.final - 0.05 * abs(index - 1)))
        for index, point in enumerate(swept)
    ]


def _ends(name: str, loss: Loss, seed: int, swept: dict[str, Any]) -> dict[str, Any]:
    """Returns the solution of a run, for `across`."""
    frame = trace(loss, seed)
    initial, center = (float(frame["risk/evaluation"].iloc[i]) for i in (0, -1))
    metric = float(frame["accuracy"].iloc[-1])
    known = {"run": name, "loss": loss, "seed": seed, "swept": swept}
    return known | {"center": center, "initial": initial, "metric": metric}
