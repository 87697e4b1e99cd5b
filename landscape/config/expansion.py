"""Expands an experiment into its runs: one per sweep point, seed and loss."""

import itertools
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, NamedTuple

from landscape.config.fields import Experiment, Run
from landscape.config.limits import MOST_RUNS
from landscape.config.overrides import locate
from landscape.config.resolve import resolve
from landscape.config.run_identity import measurement_digest, run_id, training_identity
from landscape.config.structure import normalize
from landscape.config.yaml_source import Node, placed, put, short_text
from landscape.errors import Place, UserError


class _Variant(NamedTuple):
    """One loss at one point of the sweep: the runs of a variant differ only in their seed."""

    swept: dict[str, Any]
    fields: dict[str, Any]
    training: dict[str, Any]

    def run(self, seed: int) -> Run:
        loss, folder = self.fields["loss"], self.fields["folder"]
        name = run_id(loss, self.swept, seed, self.training, folder)
        return Run(id=name, seed=seed, swept=self.swept, **self.fields)


def expand(experiment: Experiment, *, judged: bool = True) -> tuple[Run, ...]:
    """Returns the runs of an experiment: for each sweep point and each seed, every loss.

    `judged`: whether the test split is measured after each training.
    A sweep over an option of one loss multiplies only that loss. Reads the user's code and data
    files, since their content is part of each run's id. Raises UserError if two runs are equal, or
    if there are more than `MOST_RUNS`.
    """
    _check_number(experiment)
    shared = {key: v for key, v in experiment.sweep.items() if not key.startswith("losses.")}
    runs = []
    for point in _points(shared):
        variants = [
            variant
            for index in range(len(experiment.losses))
            for variant in _variants(experiment, point, index, judged)
        ]
        runs += [variant.run(seed) for seed in experiment.seeds for variant in variants]
    _check_distinct(runs)
    return tuple(runs)


def _check_number(experiment: Experiment) -> None:
    """Raises UserError if there are too many runs, before any of them is made."""
    tree = _tree(experiment)
    shared, of_loss = 1, [1] * len(experiment.losses)
    for key, values in experiment.sweep.items():
        family, *index = locate(tree, key)[:2]
        if family == "losses" and index:
            of_loss[index[0]] *= len(values)
        else:
            shared *= len(values)
    number = shared * sum(of_loss) * len(experiment.seeds)
    if number > MOST_RUNS:
        raise UserError(
            f"the experiment has {number} runs, expected at most {MOST_RUNS}",
            hint="use fewer seeds or fewer values in the sweep, or split it into experiments",
        )


def _points(sweep: dict[str, Any]) -> Iterator[dict[str, Any]]:
    for values in itertools.product(*sweep.values()):
        yield dict(zip(sweep, values, strict=True))


def _variants(
    experiment: Experiment, point: dict[str, Any], index: int, judged: bool
) -> Iterator[_Variant]:
    """Yields the variants of a loss at a point of the shared sweep, one per value of its sweep."""
    for loss_point in _points(_sweep_of(experiment, index)):
        yield _variant(experiment, point | loss_point, index, judged)


def _sweep_of(experiment: Experiment, index: int) -> dict[str, Any]:
    tree = _tree(experiment)
    paths = {key: locate(tree, key) for key in experiment.sweep}
    return {key: v for key, v in experiment.sweep.items() if paths[key][:2] == ("losses", index)}


def option_points(experiment: Experiment, label: str) -> tuple[dict[str, Any], ...]:
    """Returns the points of the sweep over options of one loss; empty if none is swept."""
    sweep = _sweep_of(experiment, [loss.label for loss in experiment.losses].index(label))
    return tuple(_points(sweep)) if sweep else ()


def runs_at(
    experiment: Experiment,
    label: str,
    swept: Mapping[str, Any],
    seeds: Iterable[int],
    *,
    judged: bool = True,
) -> tuple[Run, ...]:
    """Returns the runs of one loss at one point, one per seed, whatever the config sweeps.

    `swept` maps dotted keys to values; `judged` as in `expand`. Raises UserError if the point is
    not valid.
    """
    index = [loss.label for loss in experiment.losses].index(label)
    variant = _variant(experiment, dict(swept), index, judged)
    return tuple(variant.run(seed) for seed in seeds)


def _tree(experiment: Experiment) -> Node:
    return placed(experiment.model_dump(mode="json") | {"sweep": {}}, Place("sweep"))


def _variant(experiment: Experiment, swept: dict[str, Any], index: int, judged: bool) -> _Variant:
    place = Place("sweep point " + ", ".join(f"{k}={short_text(v)}" for k, v in swept.items()))
    changed = _tree(experiment)
    paths = {key: locate(changed, key) for key in swept}
    for key in sorted(swept, key=lambda key: len(paths[key])):  # a part before its options
        changed = normalize(put(changed, paths[key], placed(swept[key], place)))
    experiment = resolve(changed, experiment.folder)
    judged = judged and experiment.point is None  # a point has no test split
    shared = Run.model_fields.keys() & Experiment.model_fields.keys()
    fields = {name: getattr(experiment, name) for name in shared}
    fields |= {"loss": experiment.losses[index], "judged": judged}
    fields["measurement"] = measurement_digest(experiment, judged)
    return _Variant(swept, fields, training_identity(fields, experiment.folder))


def _check_distinct(runs: list[Run]) -> None:
    first: dict[str, Run] = {}
    for run in runs:
        other = first.setdefault(run.id, run)
        if other is not run:
            raise UserError(
                f"two runs are the same training: `{other.label}` and `{run.label}`",
                hint="remove one of the two values from the sweep",
            )
