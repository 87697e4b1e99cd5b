"""Arrays of the runs of an experiment, read from their files when they are used."""

import warnings
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from landscape.errors import UserError, counted, first_line, nearest
from landscape.storage import array_files, experiment_folder, store

if TYPE_CHECKING:
    import numpy as np

_SHOWN = 3  # run ids in a representation


class ArrayFile(NamedTuple):
    """A file of arrays of a run: its name, what it holds, and how it is read.

    `hint`: what to set in the experiment, so that `run` writes it.
    """

    name: str
    content: str
    read: "Callable[[Path], Mapping[str, np.ndarray]]"
    hint: str | None = None


def _sorted_params(folder: Path) -> "dict[str, np.ndarray]":
    return dict(sorted(array_files.read_params(folder).items()))


SLICES = ArrayFile(
    "slices.npz",
    "slices",
    array_files.read_slices,
    "with `slices` in the experiment, `run` measures them",
)
PARAMS = ArrayFile("params.safetensors", "parameters", _sorted_params)


class MissingRunError(UserError, KeyError):
    """A run that does not exist, or that does not have the arrays."""


class RunArrays(Mapping[str, "dict[str, np.ndarray]"]):
    """The arrays by name of each run that has them, by run id.

    The label of a loss with a single run is a key as well. Warns if the file was changed after
    `run` wrote it. Raises MissingRunError, a UserError, for other keys, with the nearest one.
    """

    def __init__(self, directory: Path, file: ArrayFile) -> None:
        self._directory, self._file = directory, file

    def __repr__(self) -> str:
        run_ids = list(self)
        more = ", ..." if len(run_ids) > _SHOWN else ""
        return (
            f"<{self._file.content} of {counted(len(run_ids), 'run')}: "
            f"{', '.join(run_ids[:_SHOWN])}{more}>"
        )

    def __iter__(self) -> Iterator[str]:
        for run_id in experiment_folder.planned_runs(self._directory):
            if (store.run_folder(self._directory, run_id) / self._file.name).exists():
                yield run_id

    def __len__(self) -> int:
        return sum(1 for _ in self)

    def __getitem__(self, run: str) -> "dict[str, np.ndarray]":
        folder = store.run_folder(self._directory, run_of(self._directory, str(run)))
        name, content = self._file.name, self._file.content
        if store.is_changed(folder, name):
            warnings.warn(
                f"the {content} of `{folder.name}` were changed after its run", stacklevel=2
            )
        try:
            arrays = dict(self._file.read(folder))
        except array_files.READ_ERRORS as error:
            reason = first_line(error) if (folder / name).exists() else f"there is no {name}"
            raise self._missing(folder, reason) from None
        if not arrays:
            raise self._missing(folder, f"there is no {name}")
        return arrays

    def _missing(self, folder: Path, reason: str) -> MissingRunError:
        message = f"{folder} has no {self._file.content}: {reason}"
        return MissingRunError(message, hint=self._file.hint)


def run_of(directory: Path, run: str) -> str:
    """Returns the id of a run: the id itself, or that of the single run of a label.

    Raises MissingRunError if there is no such run, or if the label has several.
    """
    from landscape.report.run_reader import stored_label

    run_ids = experiment_folder.planned_runs(directory)
    if run in run_ids:
        return run
    labeled = defaultdict(list)
    for run_id in run_ids:
        labeled[stored_label(store.run_folder(directory, run_id))].append(run_id)
    if len(labeled[run]) == 1:
        return labeled[run][0]
    if labeled[run]:
        message = f"`{run}` has {len(labeled[run])} runs in {directory}, expected the id of one"
        raise MissingRunError(message, hint=f"one of: {', '.join(labeled[run])}")
    names = [name for name, ids in labeled.items() if name and ids]
    hint = nearest(run, [*names, *run_ids], "the index of `status` lists the run ids")
    raise MissingRunError(f"{directory} has no run `{run}`", hint=hint)
