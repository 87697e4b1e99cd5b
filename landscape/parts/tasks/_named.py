"""The task that a dataset names."""

from landscape.errors import UserError, nearest
from landscape.parts.tasks._task import Task
from landscape.parts.tasks.categorical import binary, multiclass
from landscape.parts.tasks.continuous import regression
from landscape.parts.tasks.spatial import segmentation

ALL = {make.__name__: make for make in (regression, binary, multiclass, segmentation)}


def named(name: str) -> Task:
    """Returns the task of this name with its default options.

    Raises UserError if there is no such task, with the nearest valid name.
    """
    if name not in ALL:
        raise UserError(f"there is no task `{name}`", hint=nearest(str(name), ALL))
    return ALL[name]()
