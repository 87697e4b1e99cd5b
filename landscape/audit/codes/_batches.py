"""A random batch of examples: for B501 and B502."""

from typing import Any

from landscape.audit.measure.domains import batch
from landscape.audit.measure.survey import Survey

ROWS = 5  # not the number of classes, so that axes of both kinds differ in length


def random_batch(survey: Survey) -> tuple[Any, Any]:
    """Returns predictions and targets of ROWS examples."""
    subject = survey.subject
    return batch(str(subject.task), subject.form, subject.domain.name, ROWS, subject.shape[-1])
