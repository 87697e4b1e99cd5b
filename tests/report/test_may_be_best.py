"""The answer of a page without tuned points: which rows may have the best metric."""

import pandas as pd
import pytest

from landscape.report.notes import may_be_best


def table(best, losses, points=1):
    """A table of `losses` at `points` points each; the first of each loss in `best` may be best."""
    rows = [
        {
            "loss": loss,
            "name": f"{loss}/{point}",
            "may_be_best": loss in best and point < best[loss],
        }
        for loss in losses
        for point in range(points)
    ]
    return pd.DataFrame(rows)


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
    ],
)
def test_the_answer_names_few_rows_and_counts_many(rows, answer):
    assert may_be_best(rows, "accuracy") == answer
