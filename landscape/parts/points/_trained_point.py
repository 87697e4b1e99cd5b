"""The type of a point that was trained elsewhere."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

PyTree = Any


class TrainedPoint(NamedTuple):
    """Parameters that were trained elsewhere, and what is needed to measure the risk around them.

    - `params`: pytree of floating-point arrays
    - `apply`: `apply(params, inputs)` returns predictions in evaluation,
      `apply(params, inputs, state)` with a state; None for a model of the config
    - `data`: `(inputs, targets)`, each with a leading axis of examples; with a risk, batches of one
      structure and one shape
    - `state`: what the model keeps beside its parameters, such as batch statistics; it stays as it
      is
    - `filter_axes`: `first`, `last`, a function of the parameters, or a pytree like them: the axis
      that counts the output units of each weight, None for biases
    - `initial`: parameters before training, like `params`
    - `checkpoints`: parameters along training, the earliest first, each like `params`; or a mapping
      from steps to them
    - `update`: the last step of the optimizer, like `params`
    - `description`: what the point is, in a line for the report
    - `risk`: `risk(params, batch) -> scalar` in place of `apply` and a loss
    - `trainable`: `trainable(path) -> bool` selects the arrays that move, by paths such as
      `layers/0/weight`; all others are constants
    - `training`: the model in training mode, see `landscape.parts.models.TrainingMode`
    """

    params: PyTree
    apply: Callable[..., Any] | None = None
    data: Any = None
    state: PyTree = None
    filter_axes: Any = None
    initial: PyTree = None
    checkpoints: Sequence[PyTree] | Mapping[int, PyTree] | None = None
    update: PyTree = None
    description: str = ""
    risk: Callable[[PyTree, Any], Any] | None = None
    trainable: Callable[[str], bool] | None = None
    training: Any = None
