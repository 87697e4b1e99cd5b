"""The reference loss of an experiment: it fixes the target, and other losses are judged by it.

It is chosen before any result is known, so that the choice cannot favor the loss that was lucky.
"""

from collections.abc import Sequence

from landscape.config.parts import LossPart
from landscape.parts import tasks


def reference_loss(losses: Sequence[LossPart], task: str, reference: str | None = None) -> str:
    """Returns the label of the reference loss.

    It is `reference` if the config sets one, else the first listed loss that is the usual one of
    the task (`Task.reference`), else the first listed loss.
    """
    if reference is not None:
        return reference
    usual_name = tasks.named(task).reference if task in tasks.ALL else None
    usual = (loss.label for loss in losses if loss.name == usual_name)
    return next(usual, losses[0].label)
