"""Data, models, losses, compiled programs and audits, shared by the runs of one process."""

import contextlib
import json
import threading
from collections.abc import Iterable, Sequence
from typing import Any

import jax
import numpy as np

from landscape.config import Run
from landscape.errors import UserError, raise_all
from landscape.numerics.example_stream import ExampleStream
from landscape.numerics.loss import Loss, LossFamily
from landscape.numerics.risk import Examples
from landscape.parts.datasets import Dataset
from landscape.parts.models import Model
from landscape.parts.points import TrainedPoint
from landscape.run import model_check, point_check, preflight, program, run_checks, stored_sizes
from landscape.run.audited_batch import audited_batch
from landscape.run.loss_audit import audit_loss, is_onehot, needs_example
from landscape.run.loss_check import describe_call
from landscape.run.memory_check import check_memory
from landscape.run.point_data import point_dataset, point_stream
from landscape.run.point_model import PointVariables, point_model, point_variables
from landscape.run.program import ModelProgram, Program, TrainingLoops
from landscape.run.task_metrics import check_target
from landscape.run.traced_options import (
    all_floats,
    float_options,
    model_key,
    program_key,
    training_key,
)
from landscape.run.trained_points import build_point
from landscape.run.training_inputs import (
    checkpoint_count,
    evaluation_set,
    initial_params,
    split_bytes,
)
from landscape.storage.audit_records import AuditRecord

_MOST_DATA = 2**29  # bytes of the datasets of all seeds
# A family of 32 losses compiles in about 20 seconds, which the first of its runs waits for.
_MOST_MEMBERS = 32


class ProgramCache:
    """Lazy, thread-safe caches: each item is built once, on first use.

    `prepared`: a run of each program that `prepare` has checked.
    """

    def __init__(self) -> None:
        self._building, self._auditing = threading.RLock(), threading.RLock()
        self._datasets: dict[str, Dataset] = {}
        self._dataset_bytes: dict[str, int] = {}
        self._models: dict[str, Model] = {}
        self._points: dict[str, TrainedPoint] = {}
        self._losses: dict[str, Loss] = {}
        self._traced: dict[str, dict[str, list[str]]] = {}
        self._model_programs: dict[str, ModelProgram] = {}
        self._training_loops: dict[str, TrainingLoops] = {}
        self._signatures: dict[str, str | None] = {}
        self._families: dict[str, list[Loss]] = {}
        self._separated: set[str] = set()
        self._audits: dict[str, AuditRecord] = {}
        self.prepared: dict[tuple[str, str], Run] = {}

    def dataset(self, run: Run) -> Dataset:
        """Returns the dataset of a run, split by its seed."""
        key = _canonical(run, {"dataset", "task", "seed"})
        with self._building:
            if key not in self._datasets:
                self._datasets[key] = self._dataset(run)
                self._drop_datasets(key)
            return self._datasets[key]

    def _dataset(self, run: Run) -> Dataset:
        point = self.point(run)
        if point is None or not is_of_point(run, "dataset"):
            return preflight.build_dataset(run)
        return point_dataset(point, preflight.point_task(run), run.evaluation.size)

    def point(self, run: Run) -> TrainedPoint | None:
        """Returns the point of a run; None if the run is a training."""
        if run.point is None:
            return None
        key = _canonical(run, {"point"})
        with self._building:
            if key not in self._points:
                self._points[key] = build_point(run)
            return self._points[key]

    def stream(self, run: Run) -> ExampleStream | None:
        """Returns the evaluation set of a run if it streams from the host, else None."""
        point = self.point(run)
        if point is None or not is_of_point(run, "dataset"):
            return None
        return point_stream(point, preflight.point_task(run))

    def evaluation_set(self, run: Run) -> Examples | ExampleStream:
        """Returns the evaluation examples of a run."""
        stream = self.stream(run)
        return evaluation_set(run, self.dataset(run)) if stream is None else stream

    def _drop_datasets(self, newest: str) -> None:
        """Drops the oldest splits if those of many seeds take too much memory."""
        splits = self._datasets[newest].splits.values()
        self._dataset_bytes[newest] = sum(split_bytes(s) for s in splits)
        while sum(self._dataset_bytes.values()) > _MOST_DATA and len(self._dataset_bytes) > 1:
            oldest = next(iter(self._dataset_bytes))
            del self._dataset_bytes[oldest], self._datasets[oldest]

    def model(self, run: Run) -> Model:
        """Returns the model of a run."""
        point = self.point(run)
        if point is None:
            return self._configured_model(run)
        base = None if is_of_point(run, "model") else self._configured_model(run)
        key = json.dumps([_canonical(run, {"model", "point"}), base is None])
        with self._building:
            if key not in self._models:
                self._models[key] = point_model(point, base)
            return self._models[key]

    def point_variables(self, run: Run) -> PointVariables:
        """Returns the variables of the point of a run that is not trained."""
        point = self.point(run)
        assert point is not None
        base = None if is_of_point(run, "model") else self._configured_model(run)
        return point_variables(point, base)

    def _configured_model(self, run: Run) -> Model:
        """Returns the model that the config names."""
        shapes = model_check.model_shapes(run, self.dataset(run))
        key = json.dumps([_canonical(run, {"model"}), str(shapes)])
        with self._building:
            if key not in self._models:
                self._models[key] = model_check.build_model(run, shapes)
            return self._models[key]

    def loss(self, run: Run) -> Loss:
        """Returns the loss of a run, without traced options.

        Raises UserError if it does not fit the model and the dataset.
        """
        fields = {
            "loss",
            "dataset",
            "task",
            "model",
            "targets",
            "batch_size",
            "evaluation",
            "point",
        }
        key = _canonical(run, fields | {"point"})
        with self._building:
            if key not in self._losses:
                parts = self.dataset(run), self.model(run), self.point(run)
                self._losses[key] = program.build_loss(run, *parts)
            return self._losses[key]

    def loss_call(self, run: Run) -> str:
        """Returns how the loss of a run is called; empty for one of the menu, and for a risk."""
        point = self.point(run)
        if point is not None and point.risk is not None:
            return ""
        loss, fields = self.loss(run), self.dataset(run).train.fields
        uses_fields = loss.arguments.fields or "weights" in fields
        is_plain = ":" not in run.loss.name and not uses_fields
        return "" if is_plain else describe_call(loss, fields)

    def compile_together(self, runs: Iterable[Run]) -> None:
        """Makes each group of losses that can be compiled together a family.

        The programs of a run are then compiled once for its whole family. Without this call, and
        for other runs, each loss is compiled by itself. No result depends on it.
        """
        families: dict[str, dict[Any, Loss]] = {}
        with self._building:
            for run in runs:
                # The run itself raises it again.
                with contextlib.suppress(Exception, SystemExit):
                    loss = self._traced_loss(run)
                    family = families.setdefault(self.key(run), {})
                    family.setdefault(jax.tree.structure(loss), loss)
            for key in families.keys() - self._separated:
                self._families[key] = [*families[key].values()]

    def shares_program(self, run: Run) -> bool:
        """Returns whether the program of a run is compiled for other losses too."""
        with self._building:
            return len(self._family(run).members) > 1

    def compile_separately(self, run: Run) -> None:
        """From now on compiles each loss of a run's family by itself."""
        with self._building:
            self._separated.add(self.key(run))
            self._families.pop(self.key(run), None)

    def program(self, run: Run) -> Program:
        """Returns the program of a run.

        Raises UserError if its loss, model and dataset do not fit.
        """
        with self._building:
            traced = self._traced_options(run)
            key = model_key(run, traced)
            if key not in self._model_programs:
                data, model = self.dataset(run), self.model(run)
                loops = self._loops(run, traced) if run.point is None else None
                streamed = self.stream(run) is not None
                parts = run, data, model, key, loops
                built = program.build_model_program(*parts, streamed=streamed)
                self._model_programs[key] = built
            shared, family = self._model_programs[key], self._family(run)
        floats = float_options(run)["optimizer"]
        return Program(shared, family, {name: floats[name] for name in traced["optimizer"]})

    def _loops(self, run: Run, traced: dict[str, list[str]]) -> TrainingLoops:
        """Returns the functions that train a run, compiled once for all measurements."""
        key = training_key(run, traced)
        if key not in self._training_loops:
            data, model = self.dataset(run), self.model(run)
            self._training_loops[key] = program.build_training_loops(run, data, model)
        return self._training_loops[key]

    def _family(self, run: Run) -> LossFamily:
        loss = self._traced_loss(run)
        losses = self._families.get(self.key(run), [])
        structures = [jax.tree.structure(member) for member in losses]
        if jax.tree.structure(loss) not in structures:
            return LossFamily((loss,), np.int32(0))
        position = structures.index(jax.tree.structure(loss))
        first = position - position % _MOST_MEMBERS
        members = losses[first : first + _MOST_MEMBERS]
        members[position - first] = loss
        return LossFamily(tuple(members), np.int32(position - first))

    def _traced_loss(self, run: Run) -> Loss:
        return self.loss(run).traced(self._traced_options(run)["loss"])

    def audit(self, run: Run) -> AuditRecord:
        """Returns the audit of a run's loss: the same for all seeds, models and optimizers.

        Except for a loss that can only be audited on the predictions of the run's model.
        """
        loss, task = self.loss(run), preflight.build_task(run, self.dataset(run)).name
        on_example = needs_example(loss, task)
        onehot = is_onehot(loss, self.dataset(run).train.targets)
        parts = {"loss"} | ({"dataset", "model", "seed", "batch_size"} if on_example else set())
        key = "\n".join([_canonical(run, parts), task, str((onehot, loss.arguments))])
        with self._auditing:
            if key not in self._audits:
                example = None
                if on_example:
                    example = audited_batch(run, self.dataset(run), self.model(run))
                self._audits[key] = audit_loss(loss, task, run.loss.label, example, onehot=onehot)
            return self._audits[key]

    def key(self, run: Run) -> str:
        """Returns a text that is equal for runs whose programs are compiled together."""
        structure = self.structure(run)
        with self._building:
            model_structure = model_key(run, self._traced_options(run))
            # Losses of the menu can all be compiled together, so one of them is traced.
            traced = structure if ":" in run.loss.name else model_structure
            if traced not in self._signatures:
                parts = self.dataset(run), self.model(run), self._traced_loss(run)
                self._signatures[traced] = program.family_signature(run, *parts)
            signature = self._signatures[traced]
            return structure if signature is None else f"{model_structure}\n{signature}"

    def structure(self, run: Run) -> str:
        """Returns a text that is equal for runs that differ only in seed and traced options.

        These can be trained side by side.
        """
        with self._building:
            return program_key(run, self._traced_options(run))

    def _traced_options(self, run: Run) -> dict[str, list[str]]:
        key = program_key(run, all_floats(run))
        if key not in self._traced:
            parts = self.dataset(run), self.model(run), self.loss(run)
            self._traced[key] = program.find_traced_options(run, *parts)
        return self._traced[key]


def is_of_point(run: Run, family: str) -> bool:
    """Returns whether the dataset, the model or the loss of a run is that of its point."""
    return run.point is not None and getattr(run, family).name == run.point.name


def prepare(runs: Sequence[Run], cache: ProgramCache) -> None:
    """Builds and checks every program, so that no error appears after hours of training.

    Runs that differ only in their seed are checked once, also in several calls. Losses that can be
    compiled together will be, with those of earlier calls. Raises UserError with all errors.
    """
    errors = []
    distinct: dict[tuple[str, str], Run] = {}
    for run in runs:
        key = program_key(run, {}), _canonical(run, {"dataset", "task", "model"})
        distinct.setdefault(key, run)
    new = {key: run for key, run in distinct.items() if key not in cache.prepared}
    for run in new.values():
        try:
            _check(run, cache)
        except UserError as error:
            errors.append(error)
    raise_all(errors)
    cache.prepared |= new
    cache.compile_together(cache.prepared.values())


def _check(run: Run, cache: ProgramCache) -> None:
    examples = len(cache.dataset(run).train.targets)
    if run.point is None and run.batch_size > examples:
        raise UserError(
            f"batch_size is {run.batch_size}, but dataset `{run.dataset.name}` has only "
            f"{examples} training examples",
            hint=f"use batch_size={examples} or less",
        )
    run_checks.check_evaluation_set(run, cache.dataset(run))
    model = cache.model(run)
    check_memory(run, model, cache.dataset(run))
    params = initial_params(run, model)
    stored_sizes.check_run(run, len(jax.tree.leaves(params)))
    run_checks.check_optimizer(run)
    cache.loss(run)
    point = cache.point(run)
    if point is not None:
        point_check.check_settings(run, point)
        point_check.check_filters(run, model.filter_axes(params))
    preflight.check_directions(run, model, params, checkpoint_count(run))
    check_target(run.target, cache.program(run).metrics)
    if any(":" in part.name for part in run.metrics or ()):  # tests cover the menu
        run_checks.check_scores(run, cache.program(run), cache.dataset(run), params)


def _canonical(run: Run, fields: set[str]) -> str:
    values = run.model_dump(mode="json", include=fields | {"folder"})
    return json.dumps(values, sort_keys=True)
