"""What the data of a run is: splits, classes, and what became of each column of the file."""

from collections.abc import Mapping
from dataclasses import field

from landscape.storage.schema import Name, Natural, Text, record

STANDARDIZED = (
    "The target is standardized: losses and errors are in units of its standard deviation in "
    "training."
)


@record
class ColumnRecord:
    """A column of a table or an array of a file."""

    name: Text
    """Name in the file."""
    kind: Name
    """`number`, `boolean`, `category`, `label`, `table`, `images`, `series` or `tokens`; empty if
    it is not encoded."""
    encoding: Text
    """How its values become inputs or targets."""
    role: Text
    """`input`, `target`, `split`, `group`, `ignored` or the field."""


@record
class DataRecord:
    """The data that a run was trained and evaluated on."""

    description: Text
    """The dataset in one sentence."""
    examples: Mapping[Name, Natural]
    """Number of examples of each split."""
    classes: tuple[Text, ...] = ()
    """Names of the classes, in the order of their numbers from 0; empty without classes."""
    positive: Text = ""
    """Name of class 1 of a binary target, to which F1, precision and thresholds refer."""
    class_counts: Mapping[Name, tuple[Natural, ...]] = field(default_factory=dict)
    """Number of examples of each class, in this order, by split; for several labels and for masks
    of several classes, of those that contain it."""
    columns: tuple[ColumnRecord, ...] = ()
    """The columns of the file, ignored ones included; empty without a file."""
    standardized_target: bool = False
    """Whether the target is in units of its standard deviation in training."""

    @property
    def lines(self) -> list[str]:
        """The record as lines for a terminal or a log."""
        texts = [f"data: {self.description}"]
        for name, counts in self.class_counts.items():
            pairs = zip(self.classes, counts, strict=False)
            texts.append(f"{name}: " + ", ".join(f"{label} ({count})" for label, count in pairs))
        if self.positive:
            texts.append(f"class 1 (positive): {self.positive}")
        if self.standardized_target:
            texts.append(STANDARDIZED)
        for column in self.columns:
            parts = ", ".join(part for part in (column.kind, column.encoding) if part)
            texts.append(f"{column.role} `{column.name}`" + (f": {parts}" if parts else ""))
        return texts
