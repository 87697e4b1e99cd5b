"""Tasks whose examples are judged by comparing them with each other."""

import numpy as np

from landscape.parts._options import check_whole
from landscape.parts.tasks._checks import check_at_least, check_axes, check_labels, check_zero_one
from landscape.parts.tasks._task import Fields, Task, vector


def embedding(*, dimension: int = 16) -> Task:
    """A point per example, (n, dimension), near to those of its class: labels (n,) from 0.

    Losses and metrics compare the examples of a batch. Trains datasets for multiclass or binary.
    There is no baseline: points that ignore the inputs have no nearest neighbor. Choose it for
    retrieval, and if classes of later use are not known.
    """
    check_whole(2, dimension=dimension)
    return Task(
        "embedding",
        metrics=("recall_at_1", "map_at_r"),
        reference="supervised_contrastive",
        labels=True,
        stratified=True,
        accepts=("multiclass", "binary"),
        outputs=lambda data: dimension,
        prediction_shape=vector,
        check=_check_label_per_example,
    )


def ranking() -> Task:
    """An order within groups: scores and relevance (n,), and the field `groups`.

    Relevance is 0 or more. A group is the documents of one query; its examples stay in one split
    and in one batch. There is no baseline: constant scores order nothing. Choose it for search
    results and recommendations.
    """
    return Task(
        "ranking",
        metrics=("ndcg", "mrr"),
        reference="ranknet",
        fields=("groups",),
        order_by="groups",
        check=_check_relevance,
    )


def survival() -> Task:
    """Time until an event: risks and times (n,), and the field `events`.

    `events` is 1 if the event was observed at the time, 0 if the time is censored. A prediction is
    a log hazard: a higher risk means an earlier event. Baseline: the same risk for all, a
    concordance of one half. Choose it if the event has not yet happened to some examples.
    """
    return Task(
        "survival",
        metrics=("concordance",),
        reference="cox",
        fields=("events",),
        baseline="equal_risk",
        check=_check_times,
        constant=lambda values, fields, outputs: np.zeros((), np.float32),
    )


def _check_label_per_example(values: np.ndarray, fields: Fields) -> None:
    check_axes(values, "one label per example, (n,)", 1)
    check_labels(values)


def _check_relevance(values: np.ndarray, fields: Fields) -> None:
    check_axes(values, "one relevance per example, (n,)", 1)
    check_at_least(0, values, "a relevance")


def _check_times(values: np.ndarray, fields: Fields) -> None:
    check_axes(values, "one time per example, (n,)", 1)
    check_at_least(0, values, "a time")
    check_zero_one(np.asarray(fields["events"]), "the field `events`")
