"""Tasks: `name(*, options) -> Task`: shapes of predictions and targets, metrics, baselines."""

from landscape.parts.tasks._named import ALL, named
from landscape.parts.tasks._task import Fields, Shape, Task
