"""The audit of a loss as it is trained: nothing is left for the audit to guess."""

import dataclasses
import functools
import inspect
from collections.abc import Callable, Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from landscape.errors import UserError
from landscape.numerics.loss import Loss, Targets
from landscape.storage.audit_records import AuditRecord, FailedAudit


def audit_loss(loss: Loss, task: str, label: str, fields: Mapping[str, np.ndarray]) -> AuditRecord:
    """Returns the audit, or the reason why it failed, which affects no training.

    The audit would infer the order of the arguments and targets that suit the loss, such as -1 and
    1; training passes them as the config states, and the targets of the dataset. `fields` are those
    of the training split.
    """
    from landscape.audit import audit

    targets = "zero_one" if task == "binary" else target_form(loss, task)
    function = _of_two_arguments(loss, fields)
    try:
        return audit(function, task=task, order="predictions-first", targets=targets, name=label)
    except UserError as error:
        return FailedAudit(label, str(error))
    except Exception as error:
        return FailedAudit(label, f"{type(error).__name__}: {error}")


def _of_two_arguments(loss: Loss, fields: Mapping[str, np.ndarray]) -> Callable[..., Any]:
    """Returns the function of predictions and targets that is audited, the loss's own if it is one.

    The fields that the loss takes are neutral, see `_neutral_field`.
    """
    arguments = loss.arguments
    if not (arguments.fields or arguments.targets_first or loss.vmap or loss.has_metrics):
        return loss.bound
    plain = dataclasses.replace(loss, classes=None)  # the audit makes targets one-hot

    def function(predictions: jax.Array, targets: jax.Array) -> jax.Array:
        neutral = {
            name: _neutral_field(name, predictions, targets, np.shape(fields[name])[1:])
            for name in arguments.fields
        }
        return plain(predictions, Targets(targets, neutral))

    signature = inspect.signature(function)
    functools.update_wrapper(function, loss.function)  # so that findings show the user's lines
    vars(function)["__signature__"] = signature
    return function


def _neutral_field(
    name: str, predictions: jax.Array, targets: jax.Array, shape: tuple[int, ...]
) -> jax.Array:
    """Returns one group for `groups`, else ones: equal weights, a full mask, observed events.

    `shape` is that of an example in the dataset.
    """
    if name == "mask" and len(shape) == targets.ndim - 1:
        return jnp.ones(targets.shape, predictions.dtype)
    whole = (len(predictions), *shape)
    return jnp.zeros(whole, jnp.int32) if name == "groups" else jnp.ones(whole, predictions.dtype)


def target_form(loss: Loss, task: str) -> str:
    """Returns how the loss receives its targets: `onehot` or `labels`, `auto` if there is one."""
    if task != "multiclass":
        return "auto"
    return "labels" if loss.classes is None else "onehot"
