"""N302, a non-finite gradient: NaN or infinity in float32, also if the value itself is finite.

Such as the square root at 0, also in the branch of a `where` that is not taken. One such example
spoils the whole batch. A warning; an error if it happens for more than 1 % of the plausible
predictions of one target. `_nonfinite` defines which predictions count.
"""

from landscape.audit.codes._nonfinite import non_finite_gradient
from landscape.audit.measure.survey import Survey
from landscape.storage.audit_records import Finding


def find(survey: Survey) -> list[Finding]:
    """Returns at most one finding, for the smallest such prediction."""
    result = non_finite_gradient(survey)
    return [Finding(code="N302", **result._asdict())] if result is not None else []
