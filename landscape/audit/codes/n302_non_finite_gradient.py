"""N302, a non-finite gradient: NaN or infinity in float32, also if the value itself is finite.

So does the square root at 0, also in the branch of a `where` that is not taken. One such example
spoils the whole batch. A warning; an error if it happens for more than 1 % of the plausible
predictions of one target. `_nonfinite` says which predictions count.
"""

from landscape.audit.codes._nonfinite import gradient_failure
from landscape.audit.findings import Finding
from landscape.audit.measure.survey import Survey


def find(survey: Survey) -> list[Finding]:
    """At most one finding, for the smallest prediction at which it happens."""
    failure = gradient_failure(survey)
    if failure is None:
        return []
    return [
        Finding(
            code="N302",
            severity=failure.severity,
            message=failure.message(),
            where=failure.where(survey),
            evidence=failure.evidence(),
            suggestion=failure.suggestion(survey),
        )
    ]
