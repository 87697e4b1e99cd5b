"""The record of a dataset, for the summary of a run and for `validate`."""

from landscape.parts.datasets import Dataset
from landscape.storage.data_records import ColumnRecord, DataRecord


def data_record(data: Dataset) -> DataRecord:
    """Returns what a dataset holds and how its columns are used."""
    counts = data.counts
    return DataRecord(
        description=data.description,
        examples={name: len(split.targets) for name, split in data.splits.items()},
        classes=tuple(counts["train"]),
        class_counts={name: tuple(c.values()) for name, c in counts.items() if c},
        columns=tuple(ColumnRecord(*column) for column in data.columns),
        standardized_target=data.standardized_target,
    )
