"""What a recorder stores of a training loop of the user, beside the trace."""

from landscape.storage.records import OmitsNull
from landscape.storage.schema import Name, Natural, Text, record


@record
class RecordingRecord(OmitsNull):
    """`recording.json` of a training loop that was recorded, not performed, by this program."""

    label: Text
    """Name of the loop in the report."""
    framework: Name
    """Library of the loop: `jax` or `torch`."""
    loss: Text
    """Name of the loss."""
    every: Natural
    """Steps between two records."""
    steps: Natural
    """Steps that the recorder has seen."""
    parameters: Natural
    """Number of parameters that have a gradient."""
    dead_on: Name
    """Examples of the dead fractions: `evaluation`, a fixed set, or `batch`, that of the step."""
    metrics: tuple[Name, ...] = ()
    """Columns of the trace that are metrics of the evaluation set."""
    evaluation_examples: Natural | None = None
    """Number of examples of the evaluation set; missing without one."""
    diverged_step: Natural | None = None
    """First step after which no gradient was finite; missing if the loop did not diverge. With
    torch, the first recorded one."""
    ended_by: Text | None = None
    """Exception that ended the loop, such as `KeyboardInterrupt`; missing if none did."""
