"""The data of an experiment in words and tables: splits, classes, columns."""

from collections.abc import Sequence

from landscape.report import words
from landscape.report.results import Results
from landscape.report.tables import ReportTable, TableColumn, report_table, value_column
from landscape.storage.data_records import STANDARDIZED, ColumnRecord, DataRecord

_CLASS = "The name of the class, in the order of its numbers from 0"
_SPLITS = {
    "train": "Examples for training, and their share",
    "validation": "Examples for validation, and their share",
    "test": "Examples for test, and their share",
}
_COLUMNS: Sequence[TableColumn[ColumnRecord]] = (
    value_column("column", "Name of the column or array in the file", lambda column: column.name),
    value_column(
        "role",
        "What it is used for; ignored columns have no influence",
        lambda column: column.role,
    ),
    value_column("kind", "What its values are", lambda column: column.kind),
    value_column(
        "encoding", "How its values become inputs or targets", lambda column: column.encoding
    ),
)


def recorded(results: Results) -> DataRecord | None:
    """Returns the data of the first run that recorded it."""
    records = (run.summary.data for run in results.runs if run.counted and run.summary is not None)
    return next((record for record in records if record is not None), None)


def sentences(record: DataRecord | None, baselines: str) -> list[str]:
    """Returns the sentences at the start of the section; `baselines` is one of them or empty."""
    if record is None:
        return []
    texts = [f"{record.description}.", baselines]
    if record.positive:
        texts.append(f"Class 1, the positive one: {record.positive}.")
    if record.standardized_target:
        texts.append(STANDARDIZED)
    texts.append("Numbers are those of the first run; other seeds have other splits of the data.")
    return [text for text in texts if text]


def tables(record: DataRecord | None) -> list[ReportTable]:
    """Returns the classes of each split and the columns of the file, as far as there are any."""
    if record is None:
        return []
    splits = [name for name in _SPLITS if name in record.class_counts]
    classes = [
        value_column("class", _CLASS, lambda place: record.classes[place]),
        *(_split_column(record, name) for name in splits),
    ]
    counts = [record.class_counts[name] for name in splits]
    places = range(min(map(len, [record.classes, *counts])))
    built = [
        report_table("classes", "Classes", "data", classes, places),
        report_table("columns", "Columns", "data", _COLUMNS, record.columns),
    ]
    return [table for table in built if len(table.rows)]


def _split_column(record: DataRecord, name: str) -> TableColumn[int]:
    total = max(record.examples.get(name, 0), 1)

    def text(place: int) -> str:
        count = record.class_counts[name][place]
        return f"{count} ({words.percentage(count / total)})"

    return value_column(name, _SPLITS[name], text)
