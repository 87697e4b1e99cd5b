"""What recorders of all frameworks share: the rows of the trace, the folder, tables and figures."""

import atexit
import os
import platform
import time
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, NamedTuple, Self

import numpy as np
import pyarrow.parquet  # noqa: F401  (imported before the first row is written)

import landscape
from landscape.errors import UserError
from landscape.storage import array_files, recordings, store
from landscape.storage.recording_records import RecordingRecord
from landscape.storage.records import MetaRecord

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

Row = Mapping[str, Any]
# Files are written as often as takes at most this share of the time of the loop.
_WRITING = 0.02
_LONGEST_WAIT = 5.0  # seconds between two writes, if rows are recorded


class Source(NamedTuple):
    """Where the rows of a recorder come from; the fields are those of `RecordingRecord`."""

    framework: str
    loss: str
    every: int
    dead_on: str
    device: str
    packages: tuple[str, ...]
    metrics: tuple[str, ...] = ()
    evaluation_examples: int | None = None


class RecordedLoop(ABC):
    """The trace of a training loop, in memory and in `OUT/NAME/runs/LABEL/`.

    Row `s` describes the parameters after `s` updates and the step about to be taken from there.
    The files are written while the loop runs, so that a loop that is killed keeps its trace.
    """

    def __init__(
        self, source: Source, *, name: str, label: str, out: Path | str, fresh: bool
    ) -> None:
        check_every(source.every)
        check_name(name)
        self.directory = Path(out) / name
        self._source = source
        self._label = label
        self._rows: list[Row] = []
        self._steps = 0
        self._parameters = 0
        self._diverged_step: int | None = None
        self._closed = False
        self._ended_by: str | None = None
        self._process = os.getpid()
        self._next_write = 0.0
        self._meta = MetaRecord(
            started=datetime.now(UTC).isoformat(timespec="seconds"),
            device=source.device,
            machine=platform.platform(),
            versions={"python": platform.python_version(), "landscape": landscape.__version__}
            | {package: version(package) for package in source.packages},
        )
        self.folder = recordings.claim(self.directory, label, fresh=fresh).absolute()
        _keep_until_closed(self)

    def __repr__(self) -> str:
        state = "closed" if self._closed else "open"
        return f"<{type(self).__name__} {self._label!r}: {len(self._rows)} records, {state}>"

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if not self._closed:
            self._ended_by = None if kind is None else kind.__name__
            self._close()

    def finish(self) -> None:
        """Completes the last row and writes the files; nothing can be recorded afterwards."""
        self._require_open()
        self._close()

    @property
    def trace(self) -> "pd.DataFrame":
        """One row per recorded step; docs/definitions.md defines the columns."""
        import pandas as pd

        return pd.DataFrame(self._columns())

    def plot(self, kind: str = "gradients") -> "Figure":
        """Returns a figure of the trace, as in the report.

        Kinds: `risk`, `metrics`, `gradients`, `layers` (gradient norm per layer), `dead` and
        `updates`. Raises UserError if the trace does not have what it shows.
        """
        from landscape.report import recordings as recorded_report

        return recorded_report.figure([self._stored()], kind)

    def report(self) -> Path:
        """Builds the page of all labels of this name; returns its path."""
        from landscape.report import recordings as recorded_report

        if not self._closed:
            self._write()
        self._require_rows()
        recorded_report.build(self.directory)
        return self.directory / "report" / "index.html"

    def _repr_html_(self) -> str:
        """Returns the summary of the trace for a notebook."""
        from landscape.report import recordings as recorded_report

        return recorded_report.summary_html([self._stored()])

    def _stored(self) -> Any:
        from landscape.report import recordings as recorded_report

        self._require_rows()
        return recorded_report.recorded_run(self._record(), self.trace, closed=self._closed)

    def _require_rows(self) -> None:
        if not self._rows:
            raise UserError(
                "nothing has been recorded yet",
                hint="a row is complete when the next step begins, or the recorder is finished",
            )

    def _require_open(self) -> None:
        if self._closed:
            raise UserError(
                f"the recorder of `{self._label}` is closed",
                hint="create a recorder with another `label` for another loop",
            )

    @abstractmethod
    def _complete(self) -> None:
        """Appends the row whose step has been taken, if there is one; a framework defines it."""

    def _append(self, row: Row) -> None:
        """Appends a row, and writes the files unless that was done a moment ago."""
        self._rows.append(row)
        if time.monotonic() >= self._next_write:
            self._write()

    def _write(self) -> None:
        start = time.monotonic()
        recordings.write_open(self.folder, self._files())
        end = time.monotonic()
        self._next_write = end + min((end - start) / _WRITING, _LONGEST_WAIT)

    def _close(self) -> None:
        self._complete()
        self._discard()
        recordings.write_closed(self.folder, self._files())

    def _discard(self) -> None:
        """Closes the recorder without writing."""
        self._closed = True
        _open.pop(self.folder, None)

    def _files(self) -> dict[str, bytes]:
        return {
            "trace.parquet": array_files.trace_bytes(self._columns()),
            recordings.RECORDING: store.record_bytes(self._record()),
            "meta.json": store.record_bytes(self._meta),
        }

    def _record(self) -> RecordingRecord:
        source = self._source
        return RecordingRecord(
            label=self._label,
            framework=source.framework,
            loss=source.loss,
            every=source.every,
            steps=self._steps,
            parameters=self._parameters,
            dead_on=source.dead_on,
            metrics=source.metrics,
            evaluation_examples=source.evaluation_examples,
            diverged_step=self._diverged_step,
            ended_by=self._ended_by,
        )

    def _columns(self) -> dict[str, np.ndarray]:
        """Returns the rows as columns, up to the first one that shows a divergence."""
        diverged = self._diverged_step
        if diverged is None:
            return columns_of(self._rows)
        before = sum(int(row["step"]) < diverged for row in self._rows)
        return columns_of(self._rows[: before + 1])


def columns_of(rows: Sequence[Row]) -> dict[str, np.ndarray]:
    """Returns rows of scalars as columns; a missing number is NaN."""
    names = dict.fromkeys(["step", *(name for row in rows for name in row)])
    if not rows:
        return {"step": np.zeros(0, np.int64)}
    return {name: np.asarray([row.get(name, np.nan) for row in rows]) for name in names}


def check_every(every: int) -> None:
    """Raises UserError unless `every` is a positive integer."""
    if type(every) is not int or every < 1:
        raise UserError(
            f"`every`: found {every!r}, expected a positive number of steps",
            hint="every=20 records every 20th step, every=1 each step",
        )


def check_name(name: str) -> None:
    """Raises UserError unless `name` can be the name of a folder."""
    if not name or name.startswith(".") or any(c in '/\\:*?"<>|' or ord(c) < 32 for c in name):
        raise UserError(
            f"`name`: found {name!r}, expected a valid name of a folder",
            hint="pass the parent folder as `out`",
        )


# Recorders that are not closed, by folder: they are finished when the process ends.
_open: dict[Path, RecordedLoop] = {}


def _keep_until_closed(loop: RecordedLoop) -> None:
    """Keeps a recorder; an open one of the same folder, which it replaces, writes nothing more."""
    earlier = _open.get(loop.folder)
    if earlier is not None:
        earlier._discard()
    _open[loop.folder] = loop


@atexit.register
def _finish_all() -> None:
    for loop in [*_open.values()]:
        if os.getpid() == loop._process:  # not in a copy of the process
            loop.finish()
