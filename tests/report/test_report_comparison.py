"""The comparison's numbers, recomputed from the run folders with pandas and NumPy alone."""

import json

import numpy as np
import pandas as pd
import pytest
from ruamel.yaml import YAML
from synthetic_runs import EVERY, LOSSES, Loss, write_experiment

from landscape.report.comparison import best_points, compare, run_table
from landscape.report.figures.rendering import report_style
from landscape.report.figures.sweep_panels import metric_over_sweep
from landscape.report.results import read


def traces(directory, loss):
    traces = {}
    for folder in sorted((directory / "runs").glob(f"{loss}-*")):
        status = json.loads((folder / "status.json").read_text())["status"]
        traces[int(folder.name.rsplit("-", 1)[1])] = (
            status,
            pd.read_parquet(folder / "trace.parquet"),
        )
    return traces


def outcomes(directory, loss):
    """Final accuracy of runs that were done, the untrained accuracy of those that diverged."""
    return np.array(
        [
            trace["accuracy"].iloc[-1] if status == "done" else trace["accuracy"].iloc[0]
            for _, (status, trace) in sorted(traces(directory, loss).items())
        ]
    )


def row(report, loss):
    return report.comparison.set_index("loss").loc[loss]


@pytest.mark.parametrize("loss", [loss.name for loss in LOSSES])
def test_the_metric_is_the_interquartile_mean_of_the_outcomes(experiment, loss):
    directory, report = experiment
    middle = np.sort(outcomes(directory, loss))[1:5]
    assert row(report, loss)["value"] == pytest.approx(middle.mean())
    assert row(report, loss)["low"] <= middle.mean() <= row(report, loss)["high"]


def test_rows_are_ordered_by_the_metric_and_failed_losses_come_last(experiment):
    values = experiment[1].comparison["value"].to_numpy()
    assert (np.diff(values[:-1]) <= 0).all() and np.isnan(values[-1])


def test_the_target_is_95_percent_of_the_best(experiment):
    directory, report = experiment
    best = np.sort(outcomes(directory, "cross_entropy"))[1:5].mean()
    assert report.comparison["target"].to_numpy() == pytest.approx(0.95 * best)


@pytest.mark.parametrize("loss", [loss.name for loss in LOSSES])
def test_steps_and_share_that_reached_the_target(experiment, loss):
    directory, report = experiment
    target = float(row(report, loss)["target"])
    first = []
    for status, trace in traces(directory, loss).values():
        above = trace.loc[trace["accuracy"] >= target, "step"]
        if status == "done" and len(above):
            first.append(above.iloc[0])
    actual = row(report, loss)
    assert actual["reached_runs"] == len(first)
    assert actual["reached"] == pytest.approx(len(first) / 6)
    if first:
        assert actual["steps_to_target"] == np.median(first)
        assert actual["steps_to_target"] % (EVERY / 2) == 0
    else:
        assert np.isnan(actual["steps_to_target"])


def test_a_diverged_run_counts_as_untrained_and_never_reaches_the_target(experiment):
    actual = row(experiment[1], "exponential")
    assert actual["diverged"] == 0.5 and actual["diverged_step"] == 80
    assert actual["reached_runs"] <= 3
    assert actual["low"] < 0.2 < actual["value"] < 0.6


@pytest.mark.parametrize("loss", [loss.name for loss in LOSSES])
def test_gradients_and_dead_fractions_are_medians_over_runs(experiment, loss):
    directory, report = experiment
    runs = [trace for _, trace in traces(directory, loss).values()]
    start = [trace["gradient_norm/global"].iloc[0] for trace in runs]
    end = [
        trace["gradient_norm/global"].replace(np.inf, np.nan).dropna().iloc[-1] for trace in runs
    ]
    actual = row(report, loss)
    assert actual["gradient_start"] == pytest.approx(np.median(start))
    assert actual["gradient_end"] == pytest.approx(np.median(end))
    for name in ("examples", "components", "weights", "units"):
        last = [trace[f"dead/{name}"].iloc[-1] for trace in runs]
        assert actual[f"dead_{name}"] == pytest.approx(np.median(last))


def test_slice_measures_are_medians_of_means_over_lines(experiment):
    directory, report = experiment
    rises, roughs = [], []
    for seed in range(6):
        folder = directory / "runs" / f"hinge-0-{seed}"
        lines = np.load(folder / "slices.npz")["trained/lines/random/risk"]
        trace = pd.read_parquet(folder / "trace.parquet")["risk/evaluation"]
        center, drop = trace.iloc[-1], trace.iloc[0] - trace.iloc[-1]
        rises.append(np.mean([((a + b) / 2 - center) / drop for a, b in lines[:, [0, -1]]]))
        roughs.append(
            np.mean(
                [
                    (np.abs(np.diff(line)).sum() - line[0] - line[-1] + 2 * line.min())
                    / np.ptp(line)
                    for line in lines
                ]
            )
        )
    assert row(report, "hinge")["relative_rise"] == pytest.approx(np.median(rises))
    assert row(report, "hinge")["roughness"] == pytest.approx(np.median(roughs))
    assert row(report, "cross_entropy")["roughness"] == pytest.approx(0, abs=1e-9)
    assert np.isnan(row(report, "zero_one")["relative_rise"])


def test_differences_are_paired_by_seed(experiment):
    directory, report = experiment
    difference = outcomes(directory, "hinge") - outcomes(directory, "cross_entropy")
    actual = row(report, "hinge")
    assert actual["difference"] == pytest.approx(difference.mean())
    assert actual["pairs"] == 6 and actual["p_value"] == pytest.approx(2 / 2**6)
    assert np.isnan(row(report, "cross_entropy")["p_value"])


def test_pairs_without_a_partner_are_left_out(tmp_path):
    losses = (Loss("first", 0.95), Loss("second", 0.9, fails=(1, 4)))
    results = read(write_experiment(tmp_path / "x", losses, 6, with_slices=False))
    second = compare(results).set_index("loss").loc["second"]
    assert second["pairs"] == 4 and second["failed"] == 2 and second["seeds"] == 4
    assert "4 paired seeds are too few" in second["finding"]


def test_a_configured_target_is_used(tmp_path):
    results = read(write_experiment(tmp_path / "x", LOSSES[:2], 2, with_slices=False, target=0.5))
    assert (compare(results)["target"] == 0.5).all()


def test_a_target_that_the_untrained_model_meets_is_nan(tmp_path):
    stuck = (Loss("stuck", zero_gradient=True), Loss("lost", diverges={0: 40, 1: 40}))
    table = compare(read(write_experiment(tmp_path / "x", stuck, 2, with_slices=False)))
    assert table["target"].isna().all() and table["reached"].isna().all()
    assert not any("best" in finding for finding in table["finding"])


def test_if_lower_is_better_the_smallest_wins_and_there_is_no_default_target(tmp_path):
    directory = write_experiment(
        tmp_path / "x", (Loss("big", 0.9), Loss("small", 0.3)), 6, with_slices=False
    )
    for path in (directory / "runs").glob("*/summary.json"):
        summary = json.loads(path.read_text()) | {"higher_is_better": {"accuracy": False}}
        path.write_text(json.dumps(summary))
    table = best_points(compare(read(directory)))
    assert table["loss"].tolist() == ["small", "big"]
    assert table["target"].isna().all() and (table["best"] == "small").all()
    assert "worse than small" in table["finding"][1]


def test_a_sweep_has_one_row_per_point_and_the_best_point_is_selected(tmp_path):
    sweep = {"optimizer.learning_rate": [0.1, 0.001, 0.01]}
    results = read(write_experiment(tmp_path / "x", LOSSES[:2], 3, with_slices=False, sweep=sweep))
    table = compare(results)
    assert table["optimizer.learning_rate"].tolist() == [0.001, 0.01, 0.1] * 2
    best = best_points(table)
    assert best["optimizer.learning_rate"].tolist() == [0.001, 0.001]  # the second of the sweep
    assert best["name"][0] == "cross_entropy (learning_rate=0.001)"


def test_the_run_table_has_one_tidy_row_per_run(experiment):
    directory, _ = experiment
    table = run_table(read(directory), 0.5)
    assert len(table) == 36 and table["run"].is_unique
    assert table["status"].value_counts().to_dict() == {"done": 27, "failed": 6, "diverged": 3}
    stored = pd.read_csv(directory / "report" / "results.csv")
    parquet = pd.read_parquet(directory / "report" / "results.parquet")
    assert stored["outcome"].to_numpy() == pytest.approx(table["outcome"].to_numpy(), nan_ok=True)
    assert parquet["outcome"].to_numpy() == pytest.approx(table["outcome"].to_numpy(), nan_ok=True)


def test_a_loss_without_the_swept_option_is_a_horizontal_line(tmp_path):
    losses = (Loss("a"), Loss("b", 0.9), Loss("b2", 0.8))
    directory = write_experiment(tmp_path / "x", losses, 3, with_slices=False)
    for label, gamma in (("b", 1), ("b2", 4)):
        for path in (directory / "runs").glob(f"{label}-*/config.yaml"):
            config = YAML(typ="safe").load(path.read_text())
            config["swept"], config["loss"]["label"] = {"losses.b.gamma": gamma}, "b"
            with path.open("w") as file:
                YAML(typ="safe").dump(config, file)
    results = read(directory)
    table = compare(results)
    with report_style():
        picture = metric_over_sweep(table, results.swept, results.losses)
    (panel,) = picture.figure.axes
    # The last of equal ends is kept: a line is drawn before the caps of its bars.
    lines = {tuple(line.get_xdata()): line.get_ydata() for line in reversed(panel.lines)}
    values = table.set_index("name")["value"]
    assert list(lines[0, 1]) == pytest.approx([values["a"]] * 2)  # from side to side
    assert list(lines[1, 4]) == pytest.approx([values["b (gamma=1)"], values["b (gamma=4)"]])
    assert "horizontal line" in picture.caption
