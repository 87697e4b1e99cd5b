"""What is measured between runs, once all have finished: solutions under other losses, barriers."""

import itertools
import json
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
from landscape.run.perform import restored
from landscape.run.plan import across_key, across_missing, done
from landscape.run.program import Program, evaluation_set
from landscape.run.program_cache import ProgramCache
from landscape.storage import disk, store

PyTree = Any
_displaced = jax.jit(hoist.displace)


class Solution(NamedTuple):
    """A finished run: the ends of its training, and its program."""

    run: Run
    program: Program
    trained: PyTree
    initial: PyTree


@one_blas_thread()
def measure(
    asked: AcrossSettings, runs: Sequence[Run], directory: Path, workshop: ProgramCache
) -> bool:
    """Writes across.json for the runs that are done, unless it is there for these runs already.

    Returns whether anything was measured. What goes wrong is told in the file's `problems`.
    """
    measured = done(runs, directory)
    if not across_missing(asked, measured, directory):
        return False
    key = across_key(asked, measured)
    found: dict[str, Any] = {"key": key, "solutions": [], "interpolations": [], "problems": []}
    for group in _groups(measured):
        try:
            solutions = [_load(run, directory, workshop) for run in group]
            examples = evaluation_set(group[0], workshop.dataset(group[0]))
            if asked.losses:
                found["solutions"] += _under_each_other(solutions, examples)
            if "losses" in asked.interpolations:
                found["interpolations"] += _between(
                    "losses", itertools.combinations(solutions, 2), asked.points, examples, examples
                )
        except Exception as error:
            found["problems"].append(f"seed {group[0].seed}: {first_line(error)}")
    if "seeds" in asked.interpolations:
        for first, second in _neighbors(measured):
            try:
                pair = (_load(first, directory, workshop), _load(second, directory, workshop))
                sets = [evaluation_set(run, workshop.dataset(run)) for run in (first, second)]
                found["interpolations"] += _between("seeds", [pair], asked.points, *sets)
            except Exception as error:
                found["problems"].append(
                    f"{first.label} to seed {second.seed}: {first_line(error)}"
                )
    metrics = workshop.program(measured[0]).metrics
    if found["problems"]:  # asked for again, it is tried again
        found["key"] = None
    disk.write_json(directory / "across.json", found | {"metric": metrics[0]})
    return True


def _shared(run: Run) -> str:
    """What runs have in common that can be compared: the swept values that are no loss's own."""
    swept = {k: v for k, v in run.swept.items() if not k.startswith("losses.")}
    return json.dumps(swept, sort_keys=True)


def _groups(runs: Sequence[Run]) -> Iterator[list[Run]]:
    """Runs of one seed and point of the sweep: the same start, split and order under every loss."""
    found: dict[tuple[str, int], list[Run]] = {}
    for run in runs:
        found.setdefault((_shared(run), run.seed), []).append(run)
    yield from found.values()


def _neighbors(runs: Sequence[Run]) -> Iterator[tuple[Run, Run]]:
    """Runs of one loss and point of the sweep, each seed with the next."""
    found: dict[str, list[Run]] = {}
    for run in runs:
        name = json.dumps([run.loss.label, run.swept], sort_keys=True)
        found.setdefault(name, []).append(run)
    for group in found.values():
        yield from itertools.pairwise(sorted(group, key=lambda run: run.seed))


def _load(run: Run, directory: Path, workshop: ProgramCache) -> Solution:
    program = workshop.program(run)
    trained, initial = restored(program, store.run_folder(directory, run.id))
    return Solution(run, program, trained, initial)


def _under_each_other(solutions: list[Solution], examples: Examples) -> list[dict[str, Any]]:
    """The cross-loss matrix of one group: every solution under the loss of every other."""
    rows = []
    for solution in solutions:
        program = solution.program.instruments
        made = program.predict(solution.trained, examples)
        before = program.predict(solution.initial, examples)
        losses = {other.run.id: other.program.instruments.risk_of for other in solutions}
        rows.append(
            {
                "run": solution.run.id,
                "loss": solution.run.loss.label,
                "seed": solution.run.seed,
                "swept": solution.run.swept,
                "metric": float(program.metrics_of(made, examples)[solution.program.metrics[0]]),
                "risks": {name: float(risk(made, examples)) for name, risk in losses.items()},
                "initial": {name: float(risk(before, examples)) for name, risk in losses.items()},
            }
        )
    return rows


def _between(
    kind: str,
    pairs: Iterable[tuple[Solution, Solution]],
    points: int,
    from_examples: Examples,
    to_examples: Examples,
) -> list[dict[str, Any]]:
    """Risk and metric on the straight way between two solutions.

    The risk is told under the loss and on the evaluation set of either end: two seeds have sets of
    their own, and each end's risk is then the one that its run recorded.
    """
    coordinates = np.linspace(0, 1, points, dtype=np.float32)
    sets = (from_examples, to_examples)
    return [_interpolated(kind, pair, sets, coordinates) for pair in pairs]


def _interpolated(
    kind: str,
    pair: tuple[Solution, Solution],
    sets: tuple[Examples, Examples],
    coordinates: np.ndarray,
) -> dict[str, Any]:
    first, second = pair
    way = jax.tree.map(lambda a, b: b - a, first.trained, second.trained)
    metric = first.program.metrics[0]
    ends = list(zip(pair, sets, strict=True))
    risks: dict[str, list[float]] = {end.run.id: [] for end in pair}
    metrics = []
    for coordinate in coordinates:
        params = _displaced(first.trained, (way,), jnp.asarray([coordinate]))
        scores = []
        for end, examples in ends:
            tools = end.program.instruments
            made = tools.predict(params, examples)
            risks[end.run.id].append(float(tools.risk_of(made, examples)))
            scores.append(float(tools.metrics_of(made, examples)[metric]))
        metrics.append(float(np.mean(scores)))
    return {
        "kind": kind,
        "from": first.run.id,
        "to": second.run.id,
        "from_loss": first.run.loss.label,
        "to_loss": second.run.loss.label,
        "from_seed": first.run.seed,
        "to_seed": second.run.seed,
        "swept": first.run.swept,
        "coordinates": coordinates.astype(np.float64).tolist(),
        "metric": metrics,
        "risks": risks,
        "drops": {end.run.id: _drop(end, examples) for end, examples in ends},
    }


def _drop(end: Solution, examples: Examples) -> float | None:
    """How far training brought a loss down on these examples; None where it did not."""
    tools = end.program.instruments
    before, after = (
        float(tools.risk_of(tools.predict(params, examples), examples))
        for params in (end.initial, end.trained)
    )
    return before - after if before > after else None
