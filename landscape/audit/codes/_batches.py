"""A random batch of examples: for B501 and B502."""

from typing import Any

from landscape.audit.measure.domains import batch
from landscape.audit.measure.survey import Survey

ROWS = 5  # not the number of classes, so that axes can be told apart by their length


def random_batch(survey: Survey) -> tuple[Any, Any]:
    """Predictions and targets of ROWS examples."""
    subject = survey.subject
    return batch(str(subject.task), subject.form, subject.domain.name, ROWS, subject.shape[-1])
