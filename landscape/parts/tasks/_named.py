"""The task that a dataset names."""

from landscape.errors import UserError, nearest
from landscape.parts.tasks._task import Task
from landscape.parts.tasks.categorical import binary, multiclass, multilabel, ordinal, sequence
from landscape.parts.tasks.continuous import distribution, regression
from landscape.parts.tasks.custom import custom
from landscape.parts.tasks.relational import embedding, ranking, survival
from landscape.parts.tasks.spatial import boxes, segmentation

ALL = {
    make.__name__: make
    for make in (
        regression,
        distribution,
        binary,
        multiclass,
        ordinal,
        multilabel,
        segmentation,
        boxes,
        embedding,
        ranking,
        survival,
        sequence,
        custom,
    )
}


def named(name: str) -> Task:
    """Returns the task of this name with its default options.

    Raises UserError if there is no such task, with the nearest valid name.
    """
    if name not in ALL:
        raise UserError(f"there is no task `{name}`", hint=nearest(str(name), ALL))
    return ALL[name]()
