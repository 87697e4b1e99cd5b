"""Tasks whose targets are places in an image."""

from landscape.parts.tasks._task import Task, commoner_of_two


def segmentation() -> Task:
    """A mask of each image: logits and targets 0 or 1, (n, height, width).

    Baseline: the more frequent value of the training masks. Choose it to mark the pixels of a kind.
    """
    return Task(
        "segmentation",
        metrics=("iou", "dice"),
        reference="sigmoid_cross_entropy",
        baseline="majority_class",
        audited=True,
        constant=commoner_of_two,
    )
