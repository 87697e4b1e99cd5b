"""Data, models, programs and audits, kept for the runs of one process that can share them."""

import json
import threading
from collections.abc import Sequence
from typing import Any

from landscape import catalog
from landscape.config import Run
from landscape.errors import UserError, raise_all
from landscape.parts.datasets import Dataset
from landscape.parts.models import Model
from landscape.run import program, traced_options
from landscape.run.program import Fit, Program, Shared, Subject

_MOST_DATA = 2**29  # bytes that the datasets of all seeds may take


class ProgramCache:
    """Everything is built when it is first asked for, and then once, whatever thread asks."""

    def __init__(self) -> None:
        self._sizes: dict[str, int] = {}
        self._building, self._auditing = threading.RLock(), threading.RLock()
        self._datasets: dict[str, Dataset] = {}
        self._models: dict[str, Model] = {}
        self._fits: dict[str, Fit] = {}
        self._arguments: dict[str, dict[str, list[str]]] = {}
        self._shared: dict[str, Shared] = {}
        self._audits: dict[str, dict[str, Any]] = {}

    def dataset(self, run: Run) -> Dataset:
        """The dataset of a run, split by its seed."""
        key = _canonical(run, {"dataset", "seed"})
        with self._building:
            if key not in self._datasets:
                make = catalog.build("datasets", run.dataset, folder=run.folder)
                self._datasets[key] = make(run.seed)
                self._forget_datasets(key)
            return self._datasets[key]

    def _forget_datasets(self, newest: str) -> None:
        """Drops the oldest splits where those of many seeds take too much memory."""
        arrays = [*self._datasets[newest].train, *self._datasets[newest].test]
        self._sizes[newest] = sum(array.nbytes for array in arrays)
        while sum(self._sizes.values()) > _MOST_DATA and len(self._sizes) > 1:
            oldest = next(iter(self._sizes))
            del self._sizes[oldest], self._datasets[oldest]

    def model(self, run: Run) -> Model:
        """The model of a run."""
        data = self.dataset(run)
        shape = data.train.inputs.shape[1:]
        key = json.dumps([_canonical(run, {"model"}), shape, data.outputs])
        with self._building:
            if key not in self._models:
                make = catalog.build("models", run.model, folder=run.folder)
                self._models[key] = make(shape, data.outputs)
            return self._models[key]

    def fit(self, run: Run) -> Fit:
        """The loss of a run, tried on predictions of its model. UserError where they do not fit."""
        key = _canonical(run, {"loss", "dataset", "model", "targets", "batch_size"})
        with self._building:
            if key not in self._fits:
                self._fits[key] = program.fit(run, self.dataset(run), self.model(run))
            return self._fits[key]

    def program(self, run: Run) -> Program:
        """The program of a run. UserError where its loss, model and dataset do not fit."""
        with self._building:
            given = data, model, fit = self.dataset(run), self.model(run), self.fit(run)
            arguments, key = self._arguments_of(run), self.key(run)
            if key not in self._shared:
                self._shared[key] = program.build_shared(run, *given, arguments, key)
            shared = self._shared[key]
        own = traced_options.of_run(run)
        values = {
            part: {name: own[part][name] for name in names}
            for part, names in shared.arguments.items()
        }
        return Program(
            model=model,
            metrics=shared.metrics,
            numbers=values,
            loop=shared.loop(values),
            loop_of_many=shared.loop_of_many,
            instruments=shared.instruments(values),
            subject=Subject(fit.loss, data.task, "zero_one" if data.task == "binary" else fit.form),
        )

    def audit(self, run: Run) -> dict[str, Any]:
        """The audit of a run's loss, as JSON: the same for all its seeds, models and optimizers."""
        subject = self.program(run).subject
        key = "\n".join([_canonical(run, {"loss"}), subject.task, subject.targets])
        with self._auditing:
            if key not in self._audits:
                self._audits[key] = program.audit(subject, run.loss.label)
            return self._audits[key]

    def key(self, run: Run) -> str:
        """What runs have in common that share a compiled program."""
        with self._building:
            return traced_options.structure(run, self._arguments_of(run))

    def _arguments_of(self, run: Run) -> dict[str, list[str]]:
        loosest = traced_options.loosest(run)
        if loosest not in self._arguments:
            given = self.dataset(run), self.model(run), self.fit(run)
            self._arguments[loosest] = program.find_arguments(run, *given)
        return self._arguments[loosest]


def prepare(runs: Sequence[Run], workshop: ProgramCache) -> None:
    """Builds and checks every program, so that no mistake is found after hours of training.

    Of runs that differ in their seed alone one is looked at. UserError with every mistake.
    """
    errors = []
    different: dict[str, Run] = {}
    for run in runs:
        different.setdefault(traced_options.structure(run, {}), run)
    for run in different.values():
        try:
            _check(run, workshop)
        except UserError as error:
            errors.append(error)
    raise_all(errors)


def _check(run: Run, workshop: ProgramCache) -> None:
    examples = len(workshop.dataset(run).train.targets)
    if run.batch_size > examples:
        raise UserError(
            f"batch_size is {run.batch_size}, but dataset `{run.dataset.name}` has only "
            f"{examples} training examples",
            hint=f"use batch_size={examples} or less",
        )
    workshop.fit(run)
    program.build_optimizer(run, {})
    program.check_directions(run, workshop.model(run))
    workshop.program(run)


def _canonical(run: Run, fields: set[str]) -> str:
    values = run.model_dump(mode="json", include=fields | {"folder"})
    return json.dumps(values, sort_keys=True)
