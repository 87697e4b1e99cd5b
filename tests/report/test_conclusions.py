"""What a comparison at tuned points concludes: each sentence appears under its condition only."""

from dataclasses import replace

import pytest
import synthetic_compare as synthetic
from synthetic_compare import START, Loss, Setting

from landscape.report import compare_results, compare_text, tuned_comparison
from landscape.report.conclusions import conclusions, scope
from landscape.report.words import MINUS

RATES = tuple(10.0 ** (-4 + i / 3) for i in range(10))
REFERENCE = Loss("reference", 0.9, noise=0.001)


def concluded(*losses, seeds=10, margin=0.01, change=lambda record: record):
    setting = Setting((REFERENCE, *losses), RATES, seeds, margin=margin)
    record, results = synthetic.comparison(setting)
    compared = compare_results.join(change(record), results)
    return conclusions(tuned_comparison.measure(compared, 0.8))


def only(sentences, start):
    """The one sentence that starts so."""
    (sentence,) = [text for text in sentences if text.startswith(start)]
    return sentence


def test_one_loss_may_be_best_if_all_others_are_worse():
    texts = concluded(Loss("low", 0.8, noise=0.001))
    assert texts[0] == "May be best: only reference, of 2 losses."
    assert only(texts, f"Worse than reference: low {MINUS}10.").endswith(", p = 0.002.")
    assert len(texts) == 2


def test_several_that_may_be_best_are_listed_with_what_separates_them():
    texts = concluded(Loss("same", 0.902, noise=0.001), Loss("noisy", 0.88, noise=0.04))
    assert texts[0].startswith("May be best: reference, same and noisy (all 3 losses). ")
    assert "same has the highest mean (90.2 % accuracy), equivalent to reference" in texts[0]
    assert texts[0].endswith(" and not distinguishable from noisy.")
    assert "within 1 point: same " in only(texts, "Equivalent to reference")
    assert "noisy " in only(texts, "Undecided against reference")


def test_five_seeds_decide_nothing():
    texts = concluded(Loss("low", 0.8, noise=0.001), seeds=5)
    expected = "low (5 seeds in common, at least 6 are needed)."
    assert only(texts, "Undecided against reference").endswith(expected)
    assert not [text for text in texts if text.startswith("Worse")]


def test_different_failure_rates_are_the_result():
    texts = concluded(Loss("unstable", 0.9, diverges=(1, 2, 3, 4)))
    assert only(texts, "unstable fails in 4/10 [17 %, 69 %] of its runs, reference in 0/10")
    assert not [text for text in texts if text.startswith(("Worse", "Undecided"))]


def test_a_loss_that_fails_more_often_is_not_called_indistinguishable():
    texts = concluded(Loss("unstable", 0.97, diverges=(1,)))
    assert texts[0].endswith("with a failure rate other than unstable.")


def test_gains_are_undefined_where_the_reference_gains_nothing():
    def change(record):
        dead = replace(record.losses[0], judged=record.losses[1].judged)
        return replace(record, losses=(dead, *record.losses[1:]))

    assert only(concluded(Loss("dead", START), change=change), "reference is not better than")


def test_a_loss_does_not_learn_only_if_its_whole_grid_fails():
    texts = concluded(Loss("dead", START), Loss("sunk", 0.9, diverges=tuple(range(10))))
    assert only(texts, "dead does not learn: none of its 10 trials gains 10 %")
    assert only(texts, "sunk does not learn at learning rate 0.01 in any of its 10 judged runs.")


def test_an_edge_a_loss_without_judged_runs_and_unfinished_stages_are_named():
    def change(record):
        broken = replace(record.losses[2], judged=(), problem="every trial failed")
        return replace(record, losses=(*record.losses[:2], broken), complete=False)

    texts = concluded(Loss("edge", 0.9, log_rate=-1.0), Loss("broken", 0.9), change=change)
    assert texts[0].startswith("The comparison is not complete")
    edge = only(texts, "The tuned learning rate of edge")
    assert edge.endswith("(0.1) is the highest of its grid: a higher one may be better.")
    assert only(texts, "broken was not judged: every trial failed.")


def test_the_scope_names_reference_seeds_and_margin():
    setting = Setting((REFERENCE, Loss("low", 0.8)), RATES, 5, margin=0.02)
    compared = compare_results.join(*synthetic.comparison(setting))
    texts = scope(tuned_comparison.measure(compared, 0.8))
    assert "The reference is reference." in texts[0] and "3 tuning seeds" in texts[0]
    assert texts[1].endswith("within 2 points.") and "5 judging seeds" in texts[3]


@pytest.mark.parametrize(
    ("metric", "value", "text"),
    [
        ("accuracy", -0.0213, "-2.1 points [-3.0, -1.0]"),
        ("r2", -0.0213, "-0.021 [-0.030, -0.010]"),
        ("rmse", -2.134, "-2.13 [-0.03, -0.01]"),
        ("iou/0.5", 0.0, "0.0 points [-3.0, -1.0]"),
    ],
)
def test_differences_of_shares_are_in_points(metric, value, text):
    assert compare_text.interval_text(metric, value, -0.03, -0.01) == text.replace("-", MINUS)
