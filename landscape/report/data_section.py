"""The data of an experiment in words and tables: splits, classes, columns."""

from collections.abc import Sequence

import pandas as pd

from landscape.report import words
from landscape.report.results import Results
from landscape.report.tables import MOST_ROWS, ReportTable, TableColumn, value_column
from landscape.storage.data_records import STANDARDIZED, DataRecord

_CLASS_DEFINITIONS = {
    "class": "The name of the class, in the order of its numbers from 0",
    "train": "Examples for training, and their share",
    "validation": "Examples for validation, and their share",
    "test": "Examples for test, and their share",
}
_COLUMN_DEFINITIONS = {
    "column": "Name of the column or array in the file",
    "role": "What it is used for; ignored columns have no influence",
    "kind": "What its values are",
    "encoding": "How its values become inputs or targets",
}


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
    shown = [
        ("classes", "Classes", _class_rows(record), _CLASS_DEFINITIONS),
        ("columns", "Columns", _column_rows(record), _COLUMN_DEFINITIONS),
    ]
    return [
        ReportTable(name, title, "data", _columns(rows, definitions), rows, rows.head(MOST_ROWS))
        for name, title, rows, definitions in shown
        if len(rows)
    ]


def _columns(rows: pd.DataFrame, definitions: dict[str, str]) -> Sequence[TableColumn]:
    return [value_column(str(name), definitions[str(name)]) for name in rows]


def _class_rows(record: DataRecord) -> pd.DataFrame:
    names = [name for name in _CLASS_DEFINITIONS if name in record.class_counts]
    texts = {
        name: [
            f"{count} ({words.percentage(count / max(record.examples.get(name, 0), 1))})"
            for count in record.class_counts[name]
        ]
        for name in names
    }
    rows = zip(record.classes, *texts.values(), strict=False)
    return pd.DataFrame(rows, columns=["class", *names])


def _column_rows(record: DataRecord) -> pd.DataFrame:
    names = list(_COLUMN_DEFINITIONS)
    rows = [(c.name, c.role, c.kind, c.encoding) for c in record.columns]
    return pd.DataFrame(rows, columns=names)
