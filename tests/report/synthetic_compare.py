"""A comparison at tuned points whose numbers are known: runs in memory, or as folders on disk.

The gain of a loss over the decimal logarithm of its learning rate is a trapezoid: flat up to
`plateau` decades from the best rate, then linear down to 0 at `plateau + slope`.
"""

import json
import zlib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from ruamel.yaml import YAML
from synthetic_runs import PARTS

from landscape.report.results import Results
from landscape.report.stored_run import StoredRun
from landscape.storage import store
from landscape.storage.compare_records import (
    ComparedLoss,
    CompareRecord,
    ConditionRecord,
    StageRecord,
    TrialRecord,
)
from landscape.storage.records import SummaryRecord

STEPS, EVERY, START = 200, 10, 0.1
OWN_RATE = 1e-3
TUNING_SEEDS = (10000, 10001, 10002)
METRIC = "accuracy"
RATE = "optimizer.learning_rate"
KEYS = {
    "label_noise": "dataset.label_noise",
    "initialization": "model.initialization",
    "batch_size": "batch_size",
}
UNCHANGED = {"label_noise": 0.0, "initialization": 1.0, "batch_size": 64}


@dataclass(frozen=True)
class Loss:
    """How a loss behaves: best accuracy and rate, tolerance, speed, failures, noise of seeds."""

    name: str
    best: float = 0.96
    log_rate: float = -2.0
    plateau: float = 1 / 3
    slope: float = 2.0
    speed: float = 25.0
    noise: float = 0.003
    diverges: tuple[int, ...] = ()
    diverges_above: float = np.inf
    trials: tuple[dict[str, Any], ...] = ()
    loses: dict[str, float] = field(default_factory=dict)

    def gain(self, rate: float) -> float:
        """Share of the best gain that is reached at a learning rate."""
        away = abs(np.log10(rate) - self.log_rate) - self.plateau
        return float(np.clip(1 - away / self.slope, 0, 1))


@dataclass(frozen=True)
class Setting:
    """Losses, grid and conditions of a synthetic comparison."""

    losses: tuple[Loss, ...]
    rates: tuple[float, ...] = tuple(10.0 ** (-5 + i / 3) for i in range(13))
    seeds: int = 10
    condition_seeds: int = 10
    axes: dict[str, tuple[float, ...]] = field(default_factory=dict)
    retuned: tuple[str, ...] = ()
    margin: float = 0.01


def trace(loss: Loss, rate: float, seed: int, lost: float) -> pd.DataFrame:
    """The recorded metric: it rises from chance to its final value."""
    steps = np.arange(0, STEPS + 1, EVERY)
    rng = np.random.default_rng([seed, zlib.crc32(loss.name.encode()), int(1e6 * lost)])
    shared = np.random.default_rng(seed).normal(0, 0.004)
    final = START + (loss.best - START) * loss.gain(rate) * (1 - lost)
    final += (rng.normal(0, loss.noise) + shared) * (loss.noise > 0 and loss.best > START)
    values = START + (final - START) * -np.expm1(-steps / loss.speed)
    return pd.DataFrame({"step": steps, METRIC: values, "risk/evaluation": 1 - values})


def stored_run(name: str, loss: Loss, rate: float, seed: int, lost: float = 0.0) -> StoredRun:
    """One run in memory, without a config."""
    diverged = rate > loss.diverges_above or seed in loss.diverges
    frame = trace(loss, rate, seed, lost)
    status = "diverged" if diverged else "done"
    summary = SummaryRecord(
        status=status,
        primary_metric=METRIC,
        higher_is_better={METRIC: True},
        diverged_step=100 if diverged else None,
        metrics=(METRIC,),
        training_examples=800,
    )
    if diverged:
        frame = frame[frame["step"] <= 100].reset_index(drop=True)
        frame.loc[frame.index[-1], "risk/evaluation"] = np.nan
    swept = {RATE: rate}
    return StoredRun(name, loss.name, seed, swept, status, None, "", frame, summary=summary)


class _Builder:
    """Collects the runs that the entries of a record name."""

    def __init__(self, setting: Setting) -> None:
        self.setting = setting
        self.runs: dict[str, StoredRun] = {}

    def names(
        self, loss: Loss, rate: float, seeds: Any, place: str = "", of_loss: float = 1.0
    ) -> tuple[str, ...]:
        """Adds the runs at a rate under a condition, and returns their names."""
        lost = of_loss * loss.loses.get(place, 0.0)
        names = []
        for seed in seeds:
            name = f"{loss.name}-{rate:.4g}{place and '-' + place}-{seed}".replace(" ", "_")
            self.runs[name] = stored_run(name, loss, rate, seed, lost)
            if place:
                axis, value = place.split()
                run = self.runs[name]
                run.swept[KEYS[axis]] = float(value)  # type: ignore[index]
            names.append(name)
        return tuple(names)

    def entry(self, loss: Loss) -> ComparedLoss:
        """The record of a loss, tuned at the rate nearest to its best one."""
        rates, seeds = self.setting.rates, range(self.setting.seeds)
        trials = tuple(
            TrialRecord(rate=rate, runs=self.names(loss, rate, TUNING_SEEDS)) for rate in rates
        )
        learns = loss.best > START
        center = rates[len(rates) // 2]
        tuned = min(rates, key=lambda rate: abs(np.log10(rate) - loss.log_rate))
        tuned = tuned if learns else center
        edge = "low" if tuned == rates[0] else "high" if tuned == rates[-1] else ""
        judged = self.names(loss, tuned, seeds)
        return ComparedLoss(
            loss=loss.name,
            own_rate=OWN_RATE,
            grid=rates,
            trials=trials,
            rates=trials,
            tuned_rate=tuned,
            edge=edge,
            gain=loss.gain(tuned) * (loss.best - START) / (self.setting.losses[0].best - START),
            learns=learns,
            judged=judged,
            judged_at_own_rate=self.names(loss, OWN_RATE, seeds),
            conditions=tuple(
                self._condition(loss, tuned, axis, value, judged)
                for axis, values in self.setting.axes.items()
                for value in values
            ),
        )

    def _condition(
        self, loss: Loss, tuned: float, axis: str, value: float, judged: tuple[str, ...]
    ) -> ConditionRecord:
        known = {"axis": axis, "key": KEYS[axis], "value": value}
        if value == UNCHANGED[axis]:
            return ConditionRecord(**known, runs=judged[: self.setting.condition_seeds])
        place = f"{axis} {value:g}"
        seeds = range(min(self.setting.seeds, self.setting.condition_seeds))
        runs = self.names(loss, tuned, seeds, place)
        if axis not in self.setting.retuned:
            return ConditionRecord(**known, runs=runs)
        again = tuned * 10 ** (-1 / 3)
        retuned = self.names(loss, again, seeds, place, 0.5)
        return ConditionRecord(**known, runs=runs, retuned_rate=again, retuned_runs=retuned)


def comparison(setting: Setting) -> tuple[CompareRecord, Results]:
    """The record of a comparison and its runs; the first loss is the reference."""
    builder = _Builder(setting)
    entries = tuple(builder.entry(loss) for loss in setting.losses)
    reference = entries[0]
    chosen = next(trial for trial in reference.trials if trial.rate == reference.tuned_rate)
    values = [builder.runs[name].trace[METRIC].iloc[-1] for name in chosen.runs]
    record = CompareRecord(
        reference=reference.loss,
        metric=METRIC,
        higher_is_better=True,
        margin=setting.margin,
        tuning_seeds=TUNING_SEEDS,
        judging_seeds=tuple(range(setting.seeds)),
        losses=entries,
        stages=(
            StageRecord(name="tuning", runs=tuple(n for t in reference.trials for n in t.runs)),
        ),
        reference_value=float(np.mean(values)),
        complete=True,
    )
    losses = tuple(loss.name for loss in setting.losses)
    runs = tuple(builder.runs.values())
    results = Results(
        Path("nowhere"), "Synthetic", None, runs, losses, (RATE,), METRIC, True, reference=losses[0]
    )
    return record, results


def write(directory: Path, setting: Setting) -> Path:
    """Writes the folder of a comparison as `landscape compare` does."""
    record, results = comparison(setting)
    yaml = YAML(typ="safe")
    directory.mkdir(parents=True)
    settings = {
        "title": "Losses at their tuned points",
        **PARTS,
        "losses": [{"name": "any", "label": loss.name} for loss in setting.losses],
        "seeds": setting.seeds,
        "steps": STEPS,
        "target": None,
    }
    with (directory / "experiment.yaml").open("w") as file:
        yaml.dump(settings, file)
    for run in results.runs:
        _write_run(directory / "runs" / run.name, run)
    (directory / "plan.json").write_text(json.dumps([run.name for run in results.runs]))
    store.write_record(directory / "compare.json", record)
    return directory


def _write_run(folder: Path, run: StoredRun) -> None:
    folder.mkdir(parents=True)
    config = {
        "id": folder.name,
        "loss": {"name": "any", "label": run.loss, "options": {}},
        "seed": run.seed,
        "swept": dict(run.swept),
        **PARTS,
        "steps": STEPS,
        "batch_size": 64,
        "record_every": EVERY,
        "evaluation": {},
        "gradients": {},
        "metrics": None,
        "targets": "auto",
        "slices": None,
        "measurement": "made up",
        "folder": "/home/me",
    }
    (folder / "config.yaml").write_text(json.dumps(config))  # JSON is YAML
    run.trace.to_parquet(folder / "trace.parquet", index=False)
    store.write_record(folder / "summary.json", run.summary, lasting=False)
    (folder / "status.json").write_text(json.dumps({"status": run.status}))


_NOISE = "label_noise 0.1", "label_noise 0.3", "label_noise 0.5"
_SCALES = "initialization 0.25", "initialization 0.5", "initialization 2", "initialization 4"


def _loses(places: tuple[str, ...], shares: tuple[float, ...]) -> dict[str, float]:
    return dict(zip(places, shares, strict=True))


SIX = Setting(
    losses=(
        Loss("cross_entropy", 0.962, loses=_loses(_NOISE, (0.02, 0.08, 0.25))),
        Loss(
            "focal",
            0.959,
            log_rate=-5 / 3,
            plateau=2 / 3,
            speed=35,
            loses=_loses(_NOISE, (0.03, 0.12, 0.4)) | _loses(_SCALES, (0.09, 0.01, 0.0, 0.03)),
        ),
        Loss(
            "brier",
            0.952,
            log_rate=-4 / 3,
            slope=1.2,
            speed=45,
            loses=_loses(_NOISE, (0.0, 0.02, 0.05)) | _loses(_SCALES, (0.5, 0.06, 0.02, 0.3)),
        ),
        Loss("hinge", 0.925, log_rate=-8 / 3, plateau=0.0, slope=1.0, speed=15),
        Loss("exponential", 0.95, log_rate=-11 / 3, diverges=(2, 5, 7), diverges_above=4e-3),
        Loss("zero_one", START),
    ),
    axes={
        "label_noise": (0.0, 0.1, 0.3, 0.5),
        "initialization": (0.25, 0.5, 1.0, 2.0, 4.0),
        "batch_size": (16, 64, 256),
    },
    retuned=("label_noise",),
)
