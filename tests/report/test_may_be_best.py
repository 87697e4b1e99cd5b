"""The answer of a page without tuned points: which rows may have the best metric."""

from types import SimpleNamespace

import pytest

from landscape.report.notes import may_be_best


def table(best, losses, points=1, missing=()):
    """Rows of losses at `points` points each; `best` counts those that may be best by loss."""
    return [
        SimpleNamespace(
            loss=loss,
            name=f"{loss}/{point}",
            joint=SimpleNamespace(may_be_best=point < best.get(loss, 0)),
            estimate=SimpleNamespace(seeds=0 if loss in missing else 6),
        )
        for loss in losses
        for point in range(points)
    ]


@pytest.mark.parametrize(
    ("rows", "answer"),
    [
        (table({}, "a"), "One loss alone: there is nothing to compare it with."),
        (
            table({}, "ab"),
            "None may have the best accuracy: each loss fails in every run, or is worse than "
            "another.",
        ),
        (
            table({"a": 1, "b": 1}, "ab"),
            "Any of the losses may have the best accuracy: the runs tell none apart.",
        ),
        (
            table({"b": 1}, "abc"),
            "b/0 is the only one that may have the best accuracy: each other one is worse or "
            "fails.",
        ),
        (
            table({"a": 4, "b": 5}, "abc", 7),
            "9 of 21 points of the sweep may have the best accuracy: the runs do not tell these "
            "apart. No point of c may: each is worse or fails.",
        ),
        (
            table(dict.fromkeys("abcdefghi", 1), "abcdefghij"),
            "9 of 10 losses may have the best accuracy: the runs do not tell these apart.",
        ),
        (
            table({"a": 1, "b": 1}, "abc", missing="c"),
            "Any of the losses may have the best accuracy: the runs tell none apart. 1 row of the "
            "table has no finished run.",
        ),
    ],
)
def test_the_answer_names_few_rows_and_counts_many(rows, answer):
    assert may_be_best(rows, "accuracy") == answer
