"""N301, a non-finite value: float32 gives NaN or infinity for a prediction that training can meet.

One such example spoils the whole batch. A warning; an error if it happens for more than 1 % of the
plausible predictions of one target. `_nonfinite` defines which predictions count.
"""

from landscape.audit.codes._nonfinite import non_finite_value
from landscape.audit.measure.survey import Survey
from landscape.storage.audit_records import Finding


def find(survey: Survey) -> list[Finding]:
    """Returns at most one finding, for the smallest such prediction."""
    result = non_finite_value(survey)
    return [Finding(code="N301", **result._asdict())] if result is not None else []
