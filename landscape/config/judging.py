"""Which metric judges the losses of an experiment."""

from collections import Counter
from collections.abc import Sequence

from landscape.catalog.menu import entries
from landscape.config.part_names import metric_names
from landscape.config.parts import MetricPart, sentence
from landscape.errors import nearest

# Columns of the trace and the slices, and of tables in a file or a terminal, without their ends
# such as `_low`.
RESERVED = {
    *("step", "risk"),
    *("loss", "fails", "reached", "gradient", "finding"),
    *("failure", "success", "difference", "corrected", "lost", "tolerance", "rate", "p"),
    *("verdict", "tuned_rate", "decades_tolerated", "best_of_1", "best_of_8"),
    *("grid_success", "at_target", "steps_per_success", "trials"),
}


def check_judge(judge_by: str | None, metrics: Sequence[MetricPart] | None) -> None:
    """Raises an error if a metric is listed twice or named like a column of a table.

    Raises one too if `judge_by` names none of them.

    Without `metrics`, `judge_by` is a metric of the menu, added to those of the task.
    """
    names = metric_names(metrics or ())
    for name, number in Counter(names).items():
        if number > 1:
            message = f"the metric `{name}` is listed twice with the same options"
            raise sentence(message, "remove one of them", "metrics")
        if name in RESERVED:
            message = f"the metric `{name}` is named like a column of the tables"
            raise sentence(message, "rename the function", "metrics")
    if judge_by is None or judge_by in names:
        return
    menu = [entry.name for entry in entries("metrics")]
    if metrics is None and judge_by in menu:
        return
    expected = "one of `metrics`" if metrics else "a metric of the menu"
    message = f"`judge_by`: found {judge_by!r}, expected {expected}"
    hint = nearest(judge_by, names or menu)
    if judge_by in menu or ":" in judge_by:
        hint = "add it to `metrics`"
    raise sentence(message, hint, "judge_by")
