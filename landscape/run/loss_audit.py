"""The audit of a loss as it is trained: nothing is left for the audit to guess."""

from collections.abc import Mapping
from typing import Any

import jax
import numpy as np

from landscape.errors import UserError
from landscape.numerics.loss import Loss
from landscape.storage.audit_records import AuditRecord, FailedAudit

FIELDS = ("weights", "mask", "groups", "events")  # of which the audit draws its own


def audit_loss(
    loss: Loss, task: str, label: str, example: Mapping[str, np.ndarray] | None = None
) -> AuditRecord:
    """Returns the audit, or the reason why it failed, which affects no training.

    The audit would infer the order of the arguments and targets that suit the loss, such as -1 and
    1; training has an order of its own, and the targets of the dataset. `example` has arrays of a
    batch, if `needs_example`.
    """
    from landscape.audit import audit

    options: dict[str, Any] = {"task": task, "name": label, "order": "predictions-first"}
    if loss.arguments.targets_first:
        options["order"] = "targets-first"
    if example is None:
        options["targets"] = "zero_one" if task == "binary" else target_form(loss, task)
    else:
        known = ("predictions", "targets", *loss.arguments.fields)
        options["example"] = {name: example[name] for name in known}
    try:
        return audit(jax.vmap(loss.bound) if loss.vmap else loss.bound, **options)
    except UserError as error:
        return FailedAudit(label, str(error))
    except Exception as error:
        return FailedAudit(label, f"{type(error).__name__}: {error}")


def needs_example(loss: Loss, task: str) -> bool:
    """Returns whether a loss can be audited only on arrays of the experiment."""
    return task == "custom" or bool({*loss.arguments.fields} - {*FIELDS})


def target_form(loss: Loss, task: str) -> str:
    """Returns how the loss receives its targets: `onehot` or `labels`, `auto` if there is one."""
    if task != "multiclass":
        return "auto"
    return "labels" if loss.classes is None else "onehot"
