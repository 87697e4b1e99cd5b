"""Measurements between runs, once all have finished: solutions under other losses, barriers."""

import itertools
import json
import math
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from landscape.config import AcrossSettings, Run
from landscape.errors import first_line
from landscape.numerics import hoist
from landscape.numerics.compiling import one_blas_thread
from landscape.numerics.risk import Examples
from landscape.numerics.train import Variables
from landscape.run.plan import across_key, across_missing, done
from landscape.run.program import Program
from landscape.run.program_cache import ProgramCache
from landscape.run.stored_training import read_ends
from landscape.run.training_inputs import evaluation_set
from landscape.storage import store
from landscape.storage.records import CrossRunRecord, InterpolationRecord, SolutionRecord

PyTree = Any
_displaced = jax.jit(hoist.displace)


class FinishedRun(NamedTuple):
    """A finished run: the ends of its training, and its program."""

    run: Run
    program: Program
    trained: Variables
    initial: Variables

    def predict(self, variables: Variables, examples: Examples) -> jax.Array:
        """Returns the predictions of the run's model."""
        at_state = examples._replace(state=variables.state)
        return self.program.instruments.predict(variables.params, at_state)

    def risk_of(self, predictions: jax.Array, examples: Examples) -> float:
        """Returns the risk of any model's predictions under the run's loss."""
        risk_of = self.program.instruments.risk_of
        return float(risk_of(self.program.loss, predictions, examples))

    def metric_of(self, predictions: jax.Array, examples: Examples) -> float:
        """Returns the first task metric of any model's predictions."""
        metrics = self.program.instruments.metrics_of(predictions, examples)
        return float(metrics[self.program.primary])


@one_blas_thread()
def measure_across(
    settings: AcrossSettings, runs: Sequence[Run], directory: Path, cache: ProgramCache
) -> bool:
    """Writes across.json for the runs that are done, unless it is up to date.

    Returns whether anything was measured. Failures are recorded in the file's `problems`.
    """
    measured = done(runs, directory)
    if not across_missing(settings, measured, directory):
        return False
    cache.compile_together(measured)
    cross_losses: list[SolutionRecord] = []
    interpolations: list[InterpolationRecord] = []
    problems: list[str] = []
    for group in _groups(measured):
        try:
            solutions = [_load(run, directory, cache) for run in group]
            examples = evaluation_set(group[0], cache.dataset(group[0]))
            if settings.losses:
                cross_losses += _under_each_other(solutions, examples)
            if "losses" in settings.interpolations:
                pairs = itertools.combinations(solutions, 2)
                sets = (examples, examples)
                interpolations += _between("losses", pairs, settings.points, sets)
        except Exception as error:
            problems.append(f"seed {group[0].seed}: {first_line(error)}")
    if "seeds" in settings.interpolations:
        for first, second in _neighbors(measured):
            try:
                pair = (_load(first, directory, cache), _load(second, directory, cache))
                ends = (
                    evaluation_set(first, cache.dataset(first)),
                    evaluation_set(second, cache.dataset(second)),
                )
                interpolations += _between("seeds", [pair], settings.points, ends)
            except Exception as error:
                problem = f"{first.label} to seed {second.seed}: {first_line(error)}"
                problems.append(problem)
    record = CrossRunRecord(
        metric=cache.program(measured[0]).primary,
        solutions=tuple(cross_losses),
        interpolations=tuple(interpolations),
        problems=tuple(problems),
        # Without a key, the next command tries again.
        key=None if problems else across_key(settings, measured),
    )
    store.write_record(directory / "across.json", record)
    return True


def _shared_point(run: Run) -> str:
    """Identifies the sweep point of a run without options of losses: these can be compared."""
    swept = {k: v for k, v in run.swept.items() if not k.startswith("losses.")}
    return json.dumps(swept, sort_keys=True)


def _groups(runs: Sequence[Run]) -> Iterator[list[Run]]:
    """Yields runs of one seed and sweep point: the same start, split and order for every loss."""
    groups: dict[tuple[str, int], list[Run]] = {}
    for run in runs:
        groups.setdefault((_shared_point(run), run.seed), []).append(run)
    yield from groups.values()


def _neighbors(runs: Sequence[Run]) -> Iterator[tuple[Run, Run]]:
    """Yields runs of one loss and sweep point, each seed with the next."""
    groups: dict[str, list[Run]] = {}
    for run in runs:
        name = json.dumps([run.loss.label, run.swept], sort_keys=True)
        groups.setdefault(name, []).append(run)
    for group in groups.values():
        yield from itertools.pairwise(sorted(group, key=lambda run: run.seed))


def _load(run: Run, directory: Path, cache: ProgramCache) -> FinishedRun:
    program = cache.program(run)
    trained, initial = read_ends(program.model, store.run_folder(directory, run.id))
    return FinishedRun(run, program, trained, initial)


def _under_each_other(solutions: list[FinishedRun], examples: Examples) -> list[SolutionRecord]:
    """Measures every solution of a group under the loss of every other."""
    rows = []
    for solution in solutions:
        trained = solution.predict(solution.trained, examples)
        initial = solution.predict(solution.initial, examples)
        rows.append(
            SolutionRecord(
                run=solution.run.id,
                loss=solution.run.loss.label,
                seed=solution.run.seed,
                swept=solution.run.swept,
                metric=solution.metric_of(trained, examples),
                risks={o.run.id: o.risk_of(trained, examples) for o in solutions},
                initial={o.run.id: o.risk_of(initial, examples) for o in solutions},
            )
        )
    return rows


def _between(
    kind: str,
    pairs: Iterable[tuple[FinishedRun, FinishedRun]],
    points: int,
    sets: tuple[Examples, Examples],
) -> list[InterpolationRecord]:
    """Measures risk and metric on the straight line between two solutions.

    The state of a model, such as batch statistics, lies on the straight line between theirs too.
    The risk is measured under the loss and on the evaluation set of either end (`sets`): two seeds
    have sets of their own, and each end's risk is then the one that its run recorded.
    """
    coordinates = np.linspace(0, 1, points, dtype=np.float32)
    return [_interpolated(kind, pair, sets, coordinates) for pair in pairs]


def _interpolated(
    kind: str,
    pair: tuple[FinishedRun, FinishedRun],
    sets: tuple[Examples, Examples],
    coordinates: np.ndarray,
) -> InterpolationRecord:
    first, second = pair
    direction = jax.tree.map(_step, first.trained, second.trained)
    ends = list(zip(pair, sets, strict=True))
    risks: dict[str, list[float]] = {end.run.id: [] for end in pair}
    metrics = []
    for coordinate in coordinates:
        variables = _displaced(first.trained, (direction,), jnp.asarray([coordinate]))
        scores = []
        for end, examples in ends:
            predictions = end.predict(variables, examples)
            risks[end.run.id].append(end.risk_of(predictions, examples))
            scores.append(end.metric_of(predictions, examples))
        metrics.append(float(np.mean(scores)))
    return InterpolationRecord(
        kind=kind,
        from_run=first.run.id,
        to_run=second.run.id,
        from_loss=first.run.loss.label,
        to_loss=second.run.loss.label,
        from_seed=first.run.seed,
        to_seed=second.run.seed,
        swept=first.run.swept,
        coordinates=tuple(coordinates.astype(np.float64).tolist()),
        metric=tuple(metrics),
        risks={name: tuple(values) for name, values in risks.items()},
        drops={end.run.id: _drop(end, examples) for end, examples in ends},
    )


def _step(start: jax.Array, end: jax.Array) -> jax.Array:
    """Returns the way between two arrays: zero for counters, which stay those of the start."""
    is_float = jnp.issubdtype(start.dtype, jnp.floating)
    return end - start if is_float else jnp.zeros_like(start)


def _drop(end: FinishedRun, examples: Examples) -> float:
    """Returns how far training decreased the risk on these examples; NaN if it did not."""
    before, after = (
        end.risk_of(end.predict(variables, examples), examples)
        for variables in (end.initial, end.trained)
    )
    return before - after if before > after else math.nan
