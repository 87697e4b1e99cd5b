"""The audit of a loss as it is trained: nothing is left for the audit to guess."""

from landscape.errors import UserError
from landscape.numerics.loss import Loss
from landscape.storage.audit_records import AuditRecord, FailedAudit


def audit_loss(loss: Loss, task: str, label: str) -> AuditRecord:
    """Returns the audit, or the reason why it failed, which affects no training.

    The audit would infer the order of the arguments and targets that suit the loss, such as -1 and
    1; training passes predictions first, and the targets of the dataset.
    """
    from landscape.audit import audit

    targets = "zero_one" if task == "binary" else target_form(loss, task)
    try:
        return audit(loss.bound, task=task, order="predictions-first", targets=targets, name=label)
    except UserError as error:
        return FailedAudit(label, str(error))
    except Exception as error:
        return FailedAudit(label, f"{type(error).__name__}: {error}")


def target_form(loss: Loss, task: str) -> str:
    """Returns how the loss receives its targets: `onehot` or `labels`, `auto` if there is one."""
    if task != "multiclass":
        return "auto"
    return "labels" if loss.classes is None else "onehot"
