"""G203, an unreached component: some components of the prediction never get a gradient.

Others do, but these get none at any sampled prediction.

## Why

Nothing is learned for them.

## Severity

Warning.

## Instead

Use them in the loss, or remove them from the model.

## Example (--task multiclass)

    import jax
    import jax.numpy as jnp


    def cross_entropy(logits, labels):
        log_p = jax.nn.log_softmax(logits[:, :-1])
        return -jnp.sum(labels[:, :-1] * log_p, axis=-1)

## Fixed

    import jax
    import jax.numpy as jnp


    def cross_entropy(logits, labels):
        log_p = jax.nn.log_softmax(logits)
        return -jnp.sum(labels * log_p, axis=-1)
"""

import numpy as np

from landscape.audit.codes._cuts import CUTTERS, cut_place
from landscape.audit.measure.survey import Survey
from landscape.storage.audit_records import Finding, Where

Array = np.ndarray
SHOWN = 4  # components that are named
MOVE = 0.37  # added to unreached components, to test whether the value depends on them
SELECTING = ("slice", "gather", "dynamic_slice", "split")


def find(survey: Survey) -> list[Finding]:
    """Returns at most one finding, for all unreached components."""
    if survey.subject.size == 1 or survey.gradient_is_zero:
        return []
    gradients = [sample.derivatives.gradient for sample in survey.samples]
    unreached = ~np.any([np.any(gradient != 0, axis=0) for gradient in gradients], axis=0)
    if unreached.all() or not unreached.any():
        return []
    trials = sum(map(len, gradients))
    names = [str(index.tolist()) for index in np.argwhere(unreached)[:SHOWN]]
    if survey.subject.rows == 1:
        names = [name.replace("[0, ", "[") for name in names]
    noun = "input" if survey.subject.kind == "function" else "component"
    return [
        Finding(
            code="G203",
            severity="warning",
            message=(
                f"{int(unreached.sum())} of {unreached.size} {noun}s never receive a gradient "
                f"({noun} {', '.join(names)}; {trials} predictions tried): they learn nothing"
            ),
            where=_place(survey, unreached) or survey.definition,
            evidence={"components": names, "trials": trials},
            suggestion="use every component in the loss, or remove it from the model",
        )
    ]


def _place(survey: Survey, unreached: Array) -> Where | None:
    """Returns where the gradient is cut; where the components are dropped if the value has none."""
    cuts = (CUTTERS, SELECTING) if _affect_value(survey, unreached) else (SELECTING, CUTTERS)
    return cut_place(survey, cuts[0]) or cut_place(survey, cuts[1])


def _affect_value(survey: Survey, components: Array) -> bool:
    """Whether the value depends on these components, although the gradient does not show it."""
    domain = survey.subject.domain
    for sample in survey.plausible:
        moved = np.where(components, sample.points + MOVE, sample.points)
        values = survey.probe.values(np.clip(moved, domain.low, domain.high), sample.target)
        if np.any(values != sample.derivatives.value):
            return True
    return False
