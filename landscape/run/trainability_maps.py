"""The trainability maps of an experiment: `maps.json`, one map per loss."""

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import jax
import numpy as np

from landscape import config
from landscape.config import Run
from landscape.errors import UserError
from landscape.numerics.compiling import one_blas_thread
from landscape.numerics.trainability import Cells
from landscape.run.memory_check import training_bytes
from landscape.run.program_cache import ProgramCache
from landscape.run.training_inputs import evaluation_set, training_inputs
from landscape.storage import disk, store
from landscape.storage.map_records import MapRecord, MapsRecord

MAPS = "maps.json"
# Cells that a device trains side by side, if their arrays take less than the budget of bytes: more
# are slower on a CPU, see docs/speed.md.
_WIDTH, _WIDTH_ELSEWHERE = 8, 1024
_BUDGET = 2**28


class MapRequest(NamedTuple):
    """One map: the loss and all settings of `run` but its seed, rate, initialization and steps.

    A training succeeds if its primary metric on the evaluation set reaches `target`.
    """

    run: Run
    rates: tuple[float, ...]
    scales: tuple[float, ...]
    seeds: tuple[int, ...]
    steps: int
    target: float


Notify = Callable[[str, int, int], None]


def _silent(label: str, trained: int, total: int) -> None:
    pass


@one_blas_thread()
def trainability_map(
    request: MapRequest, cache: ProgramCache, notify: Notify = _silent
) -> MapRecord:
    """Trains every cell of a map: each scale of the initial weights by each rate by each seed.

    Calls `notify(label, trained, total)` with numbers of trainings. Raises UserError if the rate of
    the optimizer cannot be an argument of a compiled program.
    """
    run = _unmeasured(request)
    program = cache.program(run)
    if "learning_rate" not in program.optimizer:
        raise UserError(
            f"a map varies the learning rate, but `learning_rate` of optimizer "
            f"`{run.optimizer.name}` cannot be traced",
            hint="use an optimizer of the menu, or remove `compare.maps`",
            part=run.optimizer.name,
        )
    scales, rates = np.meshgrid(request.scales, request.rates, indexing="ij")
    total, trained = scales.size * len(request.seeds), 0
    values = []
    for seed in request.seeds:
        of_seed: list[np.ndarray] = []
        for finals in _final_metrics(run.model_copy(update={"seed": seed}), cache, rates, scales):
            of_seed.append(finals)
            trained += len(finals)
            notify(run.loss.label, trained, total)
        values.append(np.concatenate(of_seed).reshape(scales.shape))
    return MapRecord(
        rates=request.rates,
        scales=request.scales,
        seeds=request.seeds,
        steps=request.steps,
        metric=program.primary,
        higher_is_better=program.metrics[program.primary].higher_is_better,
        target=request.target,
        values=_tuples(np.stack(values, axis=2)),
        key=_key(request),
    )


@one_blas_thread()
def measure_maps(
    requests: Sequence[MapRequest],
    directory: Path,
    cache: ProgramCache,
    notify: Notify = _silent,
) -> bool:
    """Writes `maps.json` with the requested maps; returns whether any was missing.

    The file is written after every map, so that a command that is stopped loses one at most. A map
    whose target alone has changed is not trained again.
    """
    stored = stored_maps(directory)
    maps = {}
    missing = []
    for request in requests:
        label = request.run.loss.label
        if label in stored and stored[label].key == _key(request):
            maps[label] = replace(stored[label], target=request.target)
        else:
            missing.append(request)
    cache.compile_together([_unmeasured(request) for request in missing])
    for request in missing:
        maps[request.run.loss.label] = trainability_map(request, cache, notify)
        store.write_record(directory / MAPS, MapsRecord(maps))
    if not missing:
        _write_if_changed(directory, stored, maps)
    return bool(missing)


def stored_maps(directory: Path) -> dict[str, MapRecord]:
    """Returns the maps of an experiment by the label of the loss; none if they cannot be read."""
    try:
        return dict(store.read_record(directory / MAPS, MapsRecord).maps)
    except (OSError, ValueError):
        return {}


def _write_if_changed(
    directory: Path, stored: dict[str, MapRecord], maps: dict[str, MapRecord]
) -> None:
    before, after = (store.record_bytes(MapsRecord(records)) for records in (stored, maps))
    if before != after:
        disk.write_bytes(directory / MAPS, after)


def _key(request: MapRequest) -> str:
    trained = config.same_training(request.run.id)
    return json.dumps([trained, request.rates, request.scales, request.seeds, request.steps])


def _unmeasured(request: MapRequest) -> Run:
    """Returns the run that the cells of a map vary: at scale 1, without records on the way."""
    run, steps = request.run, request.steps
    return run.model_copy(
        update={
            "model": run.model.model_copy(update={"initialization": 1.0}),
            "steps": steps,
            "record_every": steps,
            "checkpoints": 0,
            "slices": None,
            "curvature": None,
        }
    )


def _final_metrics(
    run: Run, cache: ProgramCache, rates: np.ndarray, scales: np.ndarray
) -> Iterator[np.ndarray]:
    """Yields the metric of the cells of a seed, in order, as many at a time as are computed."""
    program, data = cache.program(run), cache.dataset(run)
    inputs = training_inputs(run, program.model, program.optimizer, data, evaluation_set(run, data))
    devices = jax.local_device_count()
    shape = devices, _width(run, cache, -(-rates.size // devices))
    size = shape[0] * shape[1]
    for start in range(0, rates.size, size):
        some_rates, some_scales = (axis.ravel()[start : start + size] for axis in (rates, scales))
        cells = Cells(_padded(some_rates, shape), _padded(some_scales, shape))
        finals = np.asarray(program.training.cells(program.loss, cells, inputs))
        yield finals.ravel()[: len(some_rates)]


def _padded(values: np.ndarray, shape: tuple[int, int]) -> jax.Array:
    """Returns values in a shape, the last one repeated where there are too few."""
    missing = shape[0] * shape[1] - len(values)
    padded = np.pad(values.astype(np.float32), (0, missing), mode="edge")
    return jax.device_put(padded.reshape(shape))


def _width(run: Run, cache: ProgramCache, most: int) -> int:
    fitting = _BUDGET // training_bytes(run, cache.model(run), cache.dataset(run))
    usual = _WIDTH if jax.default_backend() == "cpu" else _WIDTH_ELSEWHERE
    return max(min(usual, fitting, most), 1)


def _tuples(values: np.ndarray) -> Any:
    """Returns an array as tuples of tuples of numbers."""
    return tuple(map(_tuples, values)) if values.ndim else float(values)
