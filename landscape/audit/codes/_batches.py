"""A random batch of examples: for B501 and B502."""

from typing import Any

from landscape.audit.measure.domains import Arguments
from landscape.audit.measure.survey import Survey

ROWS = 5  # not the number of classes, so that axes of both kinds differ in length


def random_batch(survey: Survey) -> tuple[Any, Any]:
    """Returns predictions and targets of ROWS examples, as the loss takes them."""
    assert survey.subject.draw is not None
    return survey.subject.draw(ROWS)


def values_of(targets: Any) -> Any:
    """Returns the targets without the further arrays that a loss takes."""
    return targets.values if isinstance(targets, Arguments) else targets
