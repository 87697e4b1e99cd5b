"""A note on losses whose second derivative is zero almost everywhere."""

import numpy as np

from landscape.audit.measure.survey import Survey

FLAT = 1e-9  # a second derivative below this share of a slope is zero
ALMOST_ALL = 0.95  # of the plausible predictions with a gradient


def flatness_notes(survey: Survey) -> list[str]:
    """Returns a note for users of second derivatives if nearly all of them are zero."""
    if survey.subject.kind != "loss":
        return []
    zero, sloped = [], []
    for sample in survey.plausible:
        slopes, second = sample.norms, sample.derivatives.second
        known = np.isfinite(slopes) & np.isfinite(second) & (slopes > 0)
        sloped.append(known)
        zero.append(known & (np.abs(second) <= FLAT * slopes))
    count = int(np.concatenate(sloped).sum())
    if count == 0 or np.concatenate(zero).sum() < ALMOST_ALL * count:
        return []
    return [
        "its second derivative is zero almost everywhere: Newton's method and gradient boosting "
        "have no step size; first-order methods are not affected"
    ]
