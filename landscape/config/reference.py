"""The reference loss of an experiment: it fixes the target, and other losses are judged by it.

It is chosen before any result is known, so that the choice cannot favor the loss that was lucky.
"""

from collections.abc import Sequence

from landscape.config.parts import LossPart

# The usual loss of each task, by its name in the menu.
DEFAULT_LOSSES = {
    "binary": "sigmoid_cross_entropy",
    "multiclass": "softmax_cross_entropy",
    "regression": "squared_error",
    "segmentation": "sigmoid_cross_entropy",
}


def reference_loss(losses: Sequence[LossPart], task: str, reference: str | None = None) -> str:
    """Returns the label of the reference loss.

    It is `reference` if the config sets one, else the first listed loss that is the usual one of
    the task (`DEFAULT_LOSSES`), else the first listed loss.
    """
    if reference is not None:
        return reference
    usual = (loss.label for loss in losses if loss.name == DEFAULT_LOSSES.get(task))
    return next(usual, losses[0].label)
