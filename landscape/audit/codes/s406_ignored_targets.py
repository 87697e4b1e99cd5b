"""S406, ignored targets: the gradient is the same for every target, or for some of them.

*Proved* if no target reaches the program of the gradient, else *measured* at all samples. Not
reported for a loss without a lower bound (S402), nor with `--aim none`.

## Why

Training learns nothing about targets that the loss does not tell apart.

## Severity

Error. Warning if only some of the classes are the same to the loss.

## Instead

Compare the predictions with the targets; check the order of the arguments.

## Example (--task binary)

    def squared_logit(predictions, targets):
        return predictions**2

## Fixed

    import optax


    def cross_entropy(predictions, targets):
        return optax.sigmoid_binary_cross_entropy(predictions, targets)
"""

from itertools import combinations

from landscape.audit.measure.aims import aim
from landscape.audit.measure.survey import Survey
from landscape.audit.measure.targets import (
    learns_nothing,
    same_gradients,
    targets_ignored,
    targets_proved_ignored,
)
from landscape.storage.audit_records import Finding


def find(survey: Survey) -> list[Finding]:
    """Returns at most one finding."""
    subject = survey.subject
    if subject.kind != "loss" or survey.gradient_is_zero or aim(survey).name == "none":
        return []
    if learns_nothing(survey):
        how = "proved" if targets_proved_ignored(survey) else "measured"
        effect = "the gradient is the same for every target"
        return [_finding(survey, effect, how, [target.name for target in subject.targets])]
    if targets_ignored(survey) or subject.rows > 1 or subject.goal != "classes":
        return []
    for first, second in combinations(survey.plausible, 2):
        if same_gradients(survey, first, second):
            names = [first.target.name, second.target.name]
            effect = f"the gradient is the same for {names[0]} and for {names[1]}"
            return [_finding(survey, effect, "measured", names)]
    return []


def _finding(survey: Survey, effect: str, how: str, names: list[str]) -> Finding:
    return Finding(
        code="S406",
        severity="error" if len(names) == len(survey.subject.targets) else "warning",
        message=f"{effect}: training cannot learn to tell them apart",
        where=survey.definition,
        evidence={"how": how, "targets": names},
        suggestion="compare the predictions with the targets; check the order of the arguments",
    )
