"""G206, an exploding gradient: the gradient grows too fast, or is far larger for one target.

The gradient is measured at predictions wrong by 1.25, 2.5, 5, ... 80: over one doubling it grows
more than 2^12-fold, and by an exponent at least one and a half times that of the doubling before,
which is faster than any polynomial. Or the median gradient for one target is at least 1e5, and at
least 1e5 times that for another.

## Why

One bad example can ruin the parameters.

## Severity

Warning.

## Instead

Bound the exponent, or clip gradients by norm.

## Example (--task binary)

    import jax.numpy as jnp


    def exponential(logits, labels):
        margins = (2 * labels - 1) * logits
        return jnp.exp(-margins)

## Fixed

    import jax


    def exponential(logits, labels):
        margins = (2 * labels - 1) * logits
        return jax.nn.softplus(-margins)
"""

import numpy as np

from landscape.audit.measure.survey import Path, Survey
from landscape.storage.audit_records import Finding

DOUBLED = (1.25, 2.5, 5.0, 10.0, 20.0, 40.0, 80.0)
EXPONENT = 12  # least exponent of the growth over one doubling of the step
ACCELERATION = 1.5  # least ratio of that exponent to the one of the doubling before
DOMINANT = 1e5  # the median gradient for one target, absolute and relative to the others
POINTS = 8  # a side of a path with fewer steps is not judged
GROWING = ("exp", "exp2", "expm1", "sinh", "cosh", "pow", "tan", "integer_pow")
POLES = ("div", "rsqrt", "pow", "integer_pow")


def find(survey: Survey) -> list[Finding]:
    """Returns at most one finding, for the first side of a path on which the gradient explodes."""
    if survey.gradient_is_zero:
        return []
    for path in survey.judged_paths if survey.subject.is_directed else ():
        for sign in (1, -1):
            slopes = _fastest_growth(path, sign)
            if slopes is not None:
                return [_explosion(survey, path.target.name, slopes)]
    return _dominance(survey)


def _fastest_growth(path: Path, sign: int) -> dict[float, float] | None:
    """Returns gradients by step over two doublings in which the growth itself grows, if any do."""
    side = path.steps * sign > 0
    steps, slopes = np.abs(path.steps[side]), path.norms[side]
    if steps.size < POINTS or steps.max() < DOUBLED[-1]:
        return None
    by_step = {s: float(slopes[np.argmin(np.abs(steps - s))]) for s in DOUBLED}
    for three in zip(DOUBLED, DOUBLED[1:], DOUBLED[2:], strict=False):
        levels = [by_step[step] for step in three]
        if min(levels) <= 0 or not np.isfinite(levels).all():
            continue
        before, after = np.diff(np.log2(levels))
        if after > EXPONENT and after > ACCELERATION * before > 0:
            return {sign * step: by_step[step] for step in three}
    return None


def _explosion(survey: Survey, target: str, slopes: dict[float, float]) -> Finding:
    shown = ", ".join(f"{slope:.3g} at {step:g}" for step, slope in slopes.items())
    return Finding(
        code="G206",
        severity="warning",
        message=(
            f"the gradient grows faster than any polynomial: {shown} ({target or 'input'}): one "
            "bad example can ruin the parameters"
        ),
        where=survey.place_of_operation(GROWING) or survey.definition,
        evidence={"target": target, "gradient": {str(step): v for step, v in slopes.items()}},
        suggestion="bound the exponent, clip gradients (`clip_norm`), or use a margin loss",
    )


def _dominance(survey: Survey) -> list[Finding]:
    """Returns a finding if the gradients for one target are far larger than for another."""
    sizes: dict[str, float] = {}
    judged = {path.target.name for path in survey.judged_paths}
    for sample in survey.plausible:
        if sample.target.name not in judged:
            continue
        finite = sample.norms[np.isfinite(sample.norms)]
        sizes[sample.target.name] = float(np.median(finite)) if len(finite) else 0.0
    name = max(sizes, key=lambda n: sizes[n])
    size = sizes.pop(name)
    others = min((other for other in sizes.values() if other), default=size)
    if size < DOMINANT * max(others, 1.0):
        return []
    return [
        Finding(
            code="G206",
            severity="warning",
            message=(
                f"for {name} the gradient is {size:.2g}, for others as little as {others:.2g}: one "
                "such example dominates its batch"
            ),
            where=survey.place_of_operation(POLES) or survey.definition,
            evidence={"target": name, "gradient": size, "others": others},
            suggestion="measure such targets by an absolute error, or leave them out",
        )
    ]
