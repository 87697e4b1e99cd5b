"""The summary of a run: its outcome, metrics, sizes, data and checks."""

from collections.abc import Sequence

import jax

from landscape.config import Run
from landscape.parts.datasets import Dataset
from landscape.parts.models import Model
from landscape.run.data_record import data_record
from landscape.run.measurements import Training, best_number
from landscape.run.measurements.judgment import Judgment
from landscape.run.program import Program
from landscape.storage.records import Check, SummaryRecord


def batch_statistics(run: Run, model: Model) -> str | None:
    """Returns which batch statistics slices use; None for a model without any."""
    if model.training is None or model.training.recompute is None:
        return None
    return "frozen" if run.slices is None else run.slices.batch_statistics


def run_summary(
    program: Program,
    data: Dataset,
    training: Training,
    judgment: Judgment,
    checks: Sequence[Check],
    *,
    loss_call: str,
    looked: bool,
) -> SummaryRecord:
    """Returns the summary of a run; `looked`: of a point that was trained elsewhere."""
    best = len(training.trace["step"]) - 1 if looked else best_number(program, training)
    status = "done" if training.diverged_step is None else "diverged"
    higher = {name: metric.higher_is_better for name, metric in program.metrics.items()}
    ends = {name: metric.best for name, metric in program.metrics.items()}
    return SummaryRecord(
        status="looked" if looked else status,
        diverged_step=training.diverged_step,
        task=data.task,
        primary_metric=program.primary,
        metrics=tuple(program.metrics),
        higher_is_better=higher or {program.primary: False},
        perfect={name: end for name, end in ends.items() if end is not None},
        parameters=sum(leaf.size for leaf in jax.tree.leaves(training.trained)),
        training_examples=None if looked else len(data.train.targets),
        best_step=int(training.trace["step"][best]),
        best={name: float(training.trace[name][best]) for name in program.metrics},
        **judgment._asdict(),
        data=data_record(data),
        loss_call=loss_call,
        checks=tuple(checks),
    )
