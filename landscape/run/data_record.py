"""The record of a dataset, for the summary of a run and for `validate`."""

from landscape.parts.datasets import Dataset
from landscape.storage.data_records import ColumnRecord, DataRecord


def data_record(data: Dataset) -> DataRecord:
    """Returns what a dataset holds and how its columns are used."""
    counts = data.counts
    examples = {name: len(split.targets) for name, split in data.splits.items()}
    sizes = ", ".join(f"{number} {name}" for name, number in examples.items())
    return DataRecord(
        description=data.description or f"{sizes} examples",
        examples=examples,
        classes=tuple(counts["train"]),
        positive=list(counts["train"])[1] if data.task == "binary" else "",
        class_counts={name: tuple(c.values()) for name, c in counts.items() if c},
        columns=tuple(ColumnRecord(*column) for column in data.columns),
        standardized_target=data.standardized_target,
    )
