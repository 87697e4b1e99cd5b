"""N301, a non-finite value: float32 gives NaN or infinity for a prediction that training can meet.

One such example spoils the whole batch. A warning; an error if it happens for more than 1 % of the
plausible predictions of one target. `_nonfinite` says which predictions count.
"""

from landscape.audit.codes._nonfinite import value_failure
from landscape.audit.findings import Finding
from landscape.audit.measure.survey import Survey


def find(survey: Survey) -> list[Finding]:
    """At most one finding, for the smallest prediction at which it happens."""
    failure = value_failure(survey)
    if failure is None:
        return []
    return [
        Finding(
            code="N301",
            severity=failure.severity,
            message=failure.message(),
            where=failure.where(survey),
            evidence=failure.evidence(),
            suggestion=failure.suggestion(survey),
        )
    ]
