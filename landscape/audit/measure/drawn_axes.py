"""The axes of the figure of an audit: its line and components, and their names."""

import numpy as np

from landscape.audit.measure.domains import Target
from landscape.audit.measure.subject import Subject
from landscape.audit.measure.survey import route
from landscape.audit.measure.walks import Line

Array = np.ndarray
_PARTS = {
    "multilabel": "label",
    "ordinal": "threshold",
    "segmentation": "pixel",
    "sequence": "position",
    "multiclass": "class",
    "embedding": "dimension",
    "boxes": "number",
    "custom": "number",
}


def axis_label(subject: Subject) -> str:
    """Returns the name of the axis of the curves."""
    if subject.kind != "loss":
        return "input"
    if subject.size == 1:
        is_logit = subject.task == "binary" and subject.domain.name == "real"
        return "logit" if is_logit else "prediction"
    of_each = "every example" if subject.rows > 1 else f"every {_part(subject)}"
    if subject.goal == "classes":
        one_place = subject.rows == 1 and len(subject.shape) == 2
        return f"margin of {'the true class' if one_place else of_each}"
    if subject.goal == "sides":
        return f"margin of {of_each}"
    if subject.goal == "order":
        return "spread of the right order"
    if subject.goal == "numbers":
        return f"error of {of_each}" if subject.domain.name == "real" else f"value of {of_each}"
    if subject.task == "embedding":
        return "distance between the labels"
    if subject.task == "distribution":
        return "output 0, the others fixed"
    return "all predictions together"


def component_label(subject: Subject, number: int) -> str:
    """Returns the name of one component of the predictions, by its number."""
    if subject.kind != "loss":
        return f"component {number}"
    if len(subject.shape) == 1:
        return f"prediction of example {number}"
    per_example = int(np.prod(subject.shape[1:]))
    row, index = divmod(number, per_example)
    if subject.goal == "classes":
        place, choice = divmod(index, subject.shape[-1])
        at = f" at {_part(subject)} {place}" if len(subject.shape) > 2 else ""
        label = f"logit of class {choice}{at}"
    else:
        label = f"{'logit of ' if subject.goal == 'sides' else ''}{_part(subject)} {index}"
    return label if subject.rows == 1 else f"{label} of example {row}"


def _part(subject: Subject) -> str:
    if subject.task == "ordinal" and subject.goal == "classes":
        return "class"
    return _PARTS.get(str(subject.task), "output")


def drawn_line(subject: Subject, target: Target, steps: Array) -> Line:
    """Returns the line of a curve, toward the right prediction."""
    base, direction = np.zeros(subject.shape), np.ones(subject.shape)
    if subject.size == 1 or subject.kind != "loss":
        return Line(target, base, direction, steps)
    to_wrong = route(subject, target)
    if subject.domain.bounded:
        return Line(target, to_wrong.base + to_wrong.direction, -to_wrong.direction, steps)
    if subject.domain.name != "real":
        return Line(target, base, direction, steps)
    if subject.goal in ("classes", "sides", "order"):
        direction = -to_wrong.direction / (2 if subject.goal == "classes" else 1)
    elif subject.task == "embedding":
        direction = _by_label(subject, target)
    else:
        base, direction = to_wrong.base, to_wrong.direction
    return Line(target, base, direction, steps)


def _by_label(subject: Subject, target: Target) -> Array:
    """Returns the direction that moves each label along a dimension of its own."""
    dimensions = subject.shape[-1]
    return np.eye(dimensions)[np.asarray(target.value, int) % dimensions]


def plane_center(subject: Subject, target: Target) -> Array:
    """Returns the values of the components that a plane leaves fixed."""
    if subject.domain.name != "real":
        return np.full(subject.shape, 0.5 if subject.domain.name == "unit" else 0.1)
    if subject.goal == "numbers" and subject.size > 1:
        return np.broadcast_to(target.center, subject.shape).astype(float)
    if subject.goal == "free" and subject.kind == "loss":
        return np.broadcast_to(route(subject, target).base, subject.shape).astype(float)
    return np.zeros(subject.shape)
