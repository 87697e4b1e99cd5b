"""Each caution appears for what it is about, and only then."""

import json
import re
from dataclasses import replace

import pytest
from ruamel.yaml import YAML
from synthetic_runs import LOSSES, Loss, optimizer, write_experiment

from landscape.report.assemble import build
from landscape.report.cautions import cautions
from landscape.report.loss_rows import loss_rows
from landscape.report.results import RateGrid, read

pytestmark = pytest.mark.usefixtures("unrendered_figures")

RATE = "optimizer.learning_rate"
PAIR = (Loss("first", 0.95, scale=1.0), Loss("second", 0.94, scale=4.0))


def texts(directory, **changes):
    results = replace(read(directory), **changes)
    return cautions(results, loss_rows(results))


def edit_configs(directory, **changes):
    for path in directory.glob("runs/*/config.yaml"):
        config = YAML(typ="safe").load(path.read_text()) | changes
        with path.open("w") as file:
            YAML(typ="safe").dump(config, file)


def edit_summaries(directory, **changes):
    for path in directory.glob("runs/*/summary.json"):
        path.write_text(json.dumps(json.loads(path.read_text()) | changes))


def swept(tmp_path, key, finals, *, losses=("first", "second")):
    """Each loss at values 0.001, 0.01, ... of a key, with these final accuracies."""
    points = {
        name: [({key: 10.0 ** (i - 3)}, Loss(name, final)) for i, final in enumerate(finals)]
        for name in losses
    }
    behaviors = tuple(Loss(name) for name in losses)
    return write_experiment(tmp_path / "x", behaviors, 2, with_slices=False, points=points)


@pytest.fixture
def plain(tmp_path):
    return write_experiment(tmp_path / "plain", PAIR, 3, with_slices=False)


def test_one_rate_that_was_never_varied(plain):
    (text,) = texts(plain)
    assert text == (
        "all losses were trained at learning rate 0.001, and none was tuned: "
        "`landscape compare` tunes the rate of each loss"
    )


def test_one_loss_needs_no_tuning(tmp_path):
    assert texts(write_experiment(tmp_path / "x", PAIR[:1], 2, with_slices=False)) == []


def test_tuned_rates_are_no_reason_even_if_they_agree(plain):
    assert texts(plain, tuned={"first": RateGrid((0.001,), True)}) == []


def test_gradient_norms_far_apart_under_sgd(plain):
    """The norms of the second loss are four times those of the first."""
    edit_configs(plain, optimizer=optimizer({RATE: 0.05}, "sgd"))
    (text,) = texts(plain)
    assert text.startswith("SGD trained all losses at learning rate 0.05, and their initial ")
    assert "differ by a factor of 4 (1.6 for first and 6.6 for second)" in text


def test_gradient_norms_close_together_under_sgd(tmp_path):
    losses = (PAIR[0], replace(PAIR[1], scale=2.9))
    directory = write_experiment(tmp_path / "x", losses, 2, with_slices=False)
    edit_configs(directory, optimizer=optimizer({}, "sgd"))
    (text,) = texts(directory)
    assert text.startswith("all losses were trained at learning rate 0.01, ")


def test_the_best_rate_at_the_edge_of_its_grid(tmp_path):
    (text,) = texts(swept(tmp_path, RATE, [0.7, 0.8, 0.9]))
    assert text == (
        "the best optimizer.learning_rate is at the edge of its grid for first (0.1, the highest) "
        "and second (0.1, the highest): a value beyond may be better"
    )


def test_the_best_rate_inside_its_grid(tmp_path):
    assert texts(swept(tmp_path, RATE, [0.7, 0.9, 0.8])) == []


def test_the_edge_of_an_option_of_one_loss(tmp_path):
    (text,) = texts(swept(tmp_path, "losses.first.gamma", [0.9, 0.8, 0.7], losses=("first",)))
    assert "losses.first.gamma is at the edge of its grid for first (0.001, the lowest)" in text


def test_a_condition_has_no_edge(tmp_path):
    """Less label noise is always better."""
    texts_of_noise = texts(swept(tmp_path, "dataset.label_noise", [0.9, 0.8, 0.7]))
    assert not any("edge" in text for text in texts_of_noise)


def test_a_loss_that_learns_nowhere_has_no_edge(tmp_path):
    stuck = {"a": [({RATE: r}, Loss("a", zero_gradient=True)) for r in (0.1, 1.0)]}
    stuck["b"] = [({RATE: r}, Loss("b", f)) for r, f in ((0.1, 0.9), (0.5, 0.95), (1.0, 0.91))]
    losses = (Loss("b"), Loss("a"))
    directory = write_experiment(tmp_path / "x", losses, 2, with_slices=False, points=stuck)
    assert texts(directory) == []


def test_a_target_that_the_commonest_class_meets(tmp_path):
    directory = write_experiment(tmp_path / "x", PAIR[:1], 2, with_slices=False, target=0.6)
    edit_summaries(directory, baselines={"majority_class": 0.627, "untrained": 0.5})
    (text,) = texts(directory)
    assert text == (
        "the target of 60.0 % accuracy shows no learning: "
        "always predicting the commonest class has 62.7 %"
    )
    edit_summaries(directory, baselines={"majority_class": 0.59, "untrained": 0.7})
    assert texts(directory) == []


def test_few_test_examples_of_a_class(plain):
    edit_summaries(plain, smallest_class=12)
    assert texts(plain)[1:] == [
        "the test split has 12 examples of its rarest class, fewer than 20: "
        "single examples decide the accuracy"
    ]
    edit_summaries(plain, smallest_class=20)
    assert len(texts(plain)) == 1


def test_losses_with_identical_results(tmp_path):
    """The noise of a synthetic loss is by its name, so equal traces are copied."""
    losses = (Loss("a", 0.95), Loss("b", 0.94), Loss("c", 0.93), LOSSES[3])
    directory = write_experiment(tmp_path / "x", losses, 2, with_slices=False)
    for seed in (0, 1):
        trace = (directory / "runs" / f"a-0-{seed}" / "trace.parquet").read_bytes()
        for name in "bc":
            (directory / "runs" / f"{name}-0-{seed}" / "trace.parquet").write_bytes(trace)
    assert texts(directory)[1] == (
        "a, b and c have the same accuracy at every record of every run: "
        "they train alike, or the accuracy cannot tell them apart"
    )


def test_losses_that_do_not_learn_are_not_called_identical(tmp_path):
    losses = (Loss("ok"), Loss("stuck", zero_gradient=True), Loss("dead", zero_gradient=True))
    directory = write_experiment(tmp_path / "x", losses, 2, with_slices=False)
    assert not any("same accuracy" in text for text in texts(directory))


def test_page_and_terminal_have_the_cautions_and_the_page_the_baselines(plain):
    edit_summaries(plain, baselines={"majority_class": 0.12, "untrained": 0.1})
    report = build(plain)
    page = report.index.read_text().replace("\N{NO-BREAK SPACE}", " ")
    assert "none was tuned" in " ".join(report.record.warnings)
    assert "Warning: all losses were trained at learning rate 0.001" in page
    assert "always the commonest class 12.0 %, the untrained model 10.0 %" in page
    assert re.search(r"target is 89\.\d % accuracy: 95 % of what the reference, first, gains", page)
