"""An experiment whose losses are compared: its settings, and the runs at any point of a loss."""

import json
from collections.abc import Iterable, Mapping
from typing import Any

from landscape.catalog import find
from landscape.catalog.menu import Expression
from landscape.config import (
    Condition,
    Experiment,
    Run,
    compare_settings,
    conditions,
    option_points,
    reference_label,
    runs_at,
)
from landscape.errors import UserError

RATE = "optimizer.learning_rate"
# Swept options of a loss by dotted key, with a value each.
Options = Mapping[str, Any]
_UNMEASURED = {"slices": None, "curvature": None, "across": None, "audit": False}


class ComparedExperiment:
    """The settings of a comparison, and its runs, each of which is built once.

    `reference`: the label of the loss to which the others are compared. `own_rate`: the learning
    rate of the config. `center`: that in the middle of the reference's grid. `options`: the points
    of each loss's swept options, by label. Raises UserError if the config sweeps anything else, or
    if the optimizer has no learning rate.
    """

    def __init__(self, experiment: Experiment) -> None:
        _refuse_shared_sweep(experiment)
        self.experiment = experiment
        self.settings = compare_settings(experiment)
        self.reference = reference_label(experiment)
        self.labels = tuple(loss.label for loss in experiment.losses)
        self.own_rate = _own_rate(experiment)
        self.center = _default_rate(experiment) or self.own_rate
        self.options: dict[str, tuple[Options, ...]] = {
            label: option_points(experiment, label) for label in self.labels
        }
        self.conditions: tuple[Condition, ...] = conditions(experiment)
        self._unmeasured = experiment.model_copy(update=_UNMEASURED)
        self._runs: dict[str, tuple[Run, ...]] = {}

    @property
    def plain_gradients(self) -> bool:
        """Whether steps are proportional to the gradient, so that a grid must follow its scale."""
        optimizer = self.experiment.optimizer
        return optimizer.name == "sgd" and optimizer.clip_norm is None

    @property
    def condition_seeds(self) -> tuple[int, ...]:
        """The seeds that judge a loss under a condition: as many as there are tuning seeds."""
        return self.settings.judging_seeds[: len(self.settings.tuning_seeds)]

    def trials(
        self, label: str, rate: float, options: Options, condition: Options | None = None
    ) -> tuple[Run, ...]:
        """Returns the runs of a trial: on the tuning seeds, without measurements or test split."""
        swept = {RATE: rate, **options, **(condition or {})}
        return self._at(label, swept, self.settings.tuning_seeds, judged=False)

    def judged(
        self, label: str, rate: float, options: Options, *, measured: bool = False
    ) -> tuple[Run, ...]:
        """Returns the runs on the judging seeds; `measured`: with all measurements."""
        swept, seeds = {RATE: rate, **options}, self.settings.judging_seeds
        return self._at(label, swept, seeds, judged=True, measured=measured)

    def under_condition(
        self, label: str, rate: float, options: Options, condition: Options
    ) -> tuple[Run, ...]:
        """Returns the runs that judge a loss under a condition."""
        swept = {RATE: rate, **options, **condition}
        return self._at(label, swept, self.condition_seeds, judged=True)

    def _at(
        self,
        label: str,
        swept: dict[str, Any],
        seeds: Iterable[int],
        *,
        judged: bool,
        measured: bool = False,
    ) -> tuple[Run, ...]:
        key = json.dumps([label, swept, [*seeds], judged, measured])
        if key not in self._runs:
            experiment = self.experiment if measured else self._unmeasured
            self._runs[key] = runs_at(experiment, label, swept, seeds, judged=judged)
        return self._runs[key]


def _refuse_shared_sweep(experiment: Experiment) -> None:
    """Raises UserError if the sweep has anything but options of losses."""
    for key in experiment.sweep:
        if key == RATE:
            raise UserError(
                f"`landscape compare` tunes `{key}` for each loss, but the config sweeps it",
                hint="remove it from the sweep; set the rates to try with `compare.rates`",
            )
        if not key.startswith("losses."):
            raise UserError(
                f"`landscape compare` compares losses at one point, but the config sweeps `{key}`",
                hint="set one value; other conditions belong into `compare.robustness`",
            )


def _own_rate(experiment: Experiment) -> float:
    rate = experiment.optimizer.options.get("learning_rate", _default_rate(experiment))
    if rate is None:
        name = experiment.optimizer.name
        raise UserError(
            f"`landscape compare` tunes the learning rate, but that of the optimizer `{name}` is "
            "not known",
            hint="set `optimizer.learning_rate`, which must be an option of the optimizer",
        )
    if isinstance(rate, bool) or not isinstance(rate, int | float) or not rate > 0:
        raise UserError(
            f"`landscape compare` tunes the learning rate, found {rate!r} for the optimizer "
            f"`{experiment.optimizer.name}`",
            hint="set `optimizer.learning_rate` to a number greater than 0",
        )
    return float(rate)


def _default_rate(experiment: Experiment) -> float | None:
    """Returns the default of the optimizer, None if it has none or it is not known yet."""
    for entry in find("optimizers", experiment.optimizer.name, experiment.folder):
        option = entry.options.get("learning_rate")
        default = None if option is None or option.required else option.default
        if isinstance(default, int | float) and not isinstance(default, bool | Expression):
            return float(default) if default > 0 else None
    return None
