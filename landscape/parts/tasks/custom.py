"""The task of a user whose problem fits none of the others."""

from landscape.parts.tasks._task import Data, Task, vector


def custom() -> Task:
    """Any predictions and targets, whose first axis counts the examples.

    Nothing else is checked. The task has no baseline, and no loss or metric of the menu: `losses`
    and `metrics` of the config name functions of yours. The model gets the `outputs` of the
    dataset. Choose it if no other task fits.
    """
    return Task(
        "custom", metrics=(), any_shape=True, outputs=_outputs_of_dataset, prediction_shape=vector
    )


def _outputs_of_dataset(data: Data) -> int:
    return data.outputs
