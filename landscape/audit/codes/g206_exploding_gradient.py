"""G206, an exploding gradient: it grows faster than any polynomial, or drowns other targets.

Measured at predictions wrong by 1.25, 2.5, 5, ... 80: over one doubling it grows more than
2^12-fold, and by an exponent at least one and a half times that of the doubling before. Otherwise
for one kind of target it is 1e5 and 1e5 times that of the others. One such prediction can throw the
parameters away. A warning.
"""

import numpy as np

from landscape.audit.findings import Finding
from landscape.audit.measure.survey import Path, Survey

DOUBLED = (1.25, 2.5, 5.0, 10.0, 20.0, 40.0, 80.0)
EXPONENT = 12  # of the growth over one doubling of the step,
ACCELERATION = 1.5  # and how many times that of the doubling before
DROWNING = 1e5  # the median gradient for one target, absolute and relative to the others
POINTS = 8  # a side of a path with fewer steps is not judged
GROWING = ("exp", "exp2", "expm1", "sinh", "cosh", "pow", "tan", "integer_pow")
POLES = ("div", "rsqrt", "pow", "integer_pow")


def find(survey: Survey) -> list[Finding]:
    """At most one finding, for the first side of a path on which the gradient explodes."""
    if survey.gradient_is_zero:
        return []
    for path in survey.paths:
        for sign in (1, -1):
            slopes = _fastest_growth(path, sign)
            if slopes is not None:
                return [_explosion(survey, path.target.name, slopes)]
    return _drowning(survey)


def _fastest_growth(path: Path, sign: int) -> dict[float, float] | None:
    """Steps and gradients of two doublings over which the growth itself grows, if any do."""
    side = path.steps * sign > 0
    steps, slopes = np.abs(path.steps[side]), path.norms[side]
    if steps.size < POINTS or steps.max() < DOUBLED[-1]:
        return None
    at = {s: float(slopes[np.argmin(np.abs(steps - s))]) for s in DOUBLED}
    for three in zip(DOUBLED, DOUBLED[1:], DOUBLED[2:], strict=False):
        levels = [at[step] for step in three]
        if min(levels) <= 0 or not np.isfinite(levels).all():
            continue
        before, after = np.log2(levels[1] / levels[0]), np.log2(levels[2] / levels[1])
        if after > EXPONENT and after > ACCELERATION * before > 0:
            return {sign * step: at[step] for step in three}
    return None


def _explosion(survey: Survey, target: str, slopes: dict[float, float]) -> Finding:
    shown = ", ".join(f"{slope:.3g} at {step:g}" for step, slope in slopes.items())
    return Finding(
        code="G206",
        severity="warning",
        message=(
            f"the gradient grows faster than any polynomial: {shown} ({target or 'input'}): one "
            "bad prediction can throw the parameters away"
        ),
        where=survey.place_of_operation(GROWING) or survey.definition,
        evidence={"target": target, "gradient": {str(step): v for step, v in slopes.items()}},
        suggestion=(
            "bound the exponent, clip the gradient by norm (`clip_norm`), or use a margin loss"
        ),
    )


def _drowning(survey: Survey) -> list[Finding]:
    sizes: dict[str, float] = {}
    for sample in survey.plausible:
        finite = sample.norms[np.isfinite(sample.norms)]
        sizes[sample.target.name] = float(np.median(finite)) if len(finite) else 0.0
    if len(sizes) < 2:
        return []
    name = max(sizes, key=lambda n: sizes[n])
    others = float(np.median([size for other, size in sizes.items() if other != name]))
    if sizes[name] < DROWNING or sizes[name] < DROWNING * max(others, 1e-30):
        return []
    return [
        Finding(
            code="G206",
            severity="warning",
            message=(
                f"for {name} the gradient is {sizes[name]:.2g}, that of other targets "
                f"{others:.2g}: one such example drowns all others of its batch"
            ),
            where=survey.place_of_operation(POLES) or survey.definition,
            evidence={"target": name, "gradient": sizes[name], "others": others},
            suggestion="measure such targets by an absolute error, or leave them out",
        )
    ]
