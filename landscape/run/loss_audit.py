"""The audit of a loss as it is trained: nothing is left for the audit to guess."""

import dataclasses
import functools
import inspect
from collections.abc import Mapping
from typing import Any

import jax
import numpy as np

from landscape.errors import UserError
from landscape.numerics.loss import Loss
from landscape.storage.audit_records import AuditRecord, FailedAudit

FIELDS = ("weights", "mask", "groups", "events")  # of which the audit draws its own


def audit_loss(
    loss: Loss,
    task: str,
    label: str,
    example: Mapping[str, np.ndarray] | None = None,
    *,
    onehot: bool,
) -> AuditRecord:
    """Returns the audit, or the reason why it failed, which affects no training.

    The audit would infer the order of the arguments and targets that suit the loss, such as -1 and
    1; training has an order of its own, and the targets of the dataset, which are `onehot` or
    labels of classes. `example` has arrays of a batch, if `needs_example`.
    """
    from landscape.audit import audit

    options: dict[str, Any] = {"task": task, "name": label, "order": "predictions-first"}
    if loss.arguments.targets_first:
        options["order"] = "targets-first"
    if example is None:
        options["targets"] = "zero_one" if task == "binary" else _target_form(task, onehot)
    else:
        known = ("predictions", "targets", *loss.arguments.fields)
        options["example"] = {name: example[name] for name in known}
    function = _with_required_fields(loss).bound
    try:
        return audit(jax.vmap(function) if loss.vmap else function, **options)
    except UserError as error:
        return FailedAudit(label, str(error))
    except Exception as error:
        return FailedAudit(label, f"{type(error).__name__}: {error}")


def _with_required_fields(loss: Loss) -> Loss:
    """Returns the loss with its fields as required parameters, as training passes them.

    The audit would leave a user-defined parameter such as `weights=None` at its default.
    """
    function, fields = loss.function, loss.arguments.fields
    parameters = [] if not fields else list(inspect.signature(function).parameters.values())
    optional = {p.name for p in parameters if p.name in fields and p.default is not p.empty}
    if not optional or str(function.__module__).startswith("landscape.parts"):
        return loss

    @functools.wraps(function)  # so that findings show the user's lines
    def call(*arguments: Any, **options: Any) -> Any:
        return function(*arguments, **options)

    required = [
        p.replace(default=p.empty, kind=p.KEYWORD_ONLY) if p.name in optional else p
        for p in parameters
    ]
    signature = inspect.Signature(sorted(required, key=lambda p: p.kind))
    vars(call)["__signature__"] = signature
    return dataclasses.replace(loss, function=call)


def needs_example(loss: Loss, task: str) -> bool:
    """Returns whether a loss can be audited only on arrays of the experiment."""
    return task == "custom" or bool({*loss.arguments.fields} - {*FIELDS})


def _target_form(task: str, onehot: bool) -> str:
    """Returns how the loss receives its targets: `onehot` or `labels`, `auto` if there is one."""
    if task != "multiclass":
        return "auto"
    return "onehot" if onehot else "labels"


def is_onehot(loss: Loss, targets: np.ndarray) -> bool:
    """Returns whether the loss receives a number per class; data of a look may have them."""
    return loss.classes is not None or (targets.ndim > 1 and targets.dtype.kind == "f")
