"""The comparison's numbers, recomputed from the run folders with pandas, NumPy and scipy alone."""

import json
from itertools import combinations, product

import numpy as np
import pandas as pd
import pytest
from ruamel.yaml import YAML
from scipy import stats
from synthetic_runs import LOSSES, STEPS, Loss, write_experiment

from landscape.report.comparison import best_points, compare, comparison_frame
from landscape.report.comparison_row import frame
from landscape.report.figures.rendering import report_style
from landscape.report.figures.sweep_panels import metric_over_sweep
from landscape.report.results import read
from landscape.report.run_table import run_table

NAMES = [loss.name for loss in LOSSES]
FIRST = "cross_entropy"  # listed first, and none of the losses is the usual one of the task


def runs(directory, loss):
    """Status, trace and summary of each run of a loss, in the order of the seeds."""
    folders = sorted((directory / "runs").glob(f"{loss}-*"))
    return [
        (
            json.loads((folder / "status.json").read_text())["status"],
            pd.read_parquet(folder / "trace.parquet"),
            json.loads((folder / "summary.json").read_text()),
        )
        for folder in folders
    ]


def outcomes(directory, loss):
    """Final accuracy of runs that were done, the untrained accuracy of those that diverged."""
    ends = []
    for status, trace, summary in runs(directory, loss):
        last, first = trace["accuracy"].iloc[-1], trace["accuracy"].iloc[0]
        if "test" in summary:
            last, first = summary["test"]["accuracy"], summary["test_initial"]["accuracy"]
        ends.append(last if status == "done" else first)
    return np.array(ends)


def starts(directory, loss):
    return np.array(
        [
            summary.get("test_initial", {"accuracy": trace["accuracy"].iloc[0]})["accuracy"]
            for _, trace, summary in runs(directory, loss)
        ]
    )


def row(table, loss):
    return table.set_index("loss").loc[loss]


def corrected_interval_of_the_mean(values):
    """Hall's transformation, inverted by bisection; an end is at most twice as far as Student's."""
    n, s = len(values), values.std(ddof=1)
    g = stats.skew(values, bias=False) / np.sqrt(n)
    bound = stats.t.ppf(0.975, n - 1)

    def transformed(t):
        return t + g * t**2 / 3 + g**2 * t**3 / 27 + g / 6

    ends = []
    for goal in (bound, -bound):
        low, high = -1e6, 1e6
        for _ in range(200):
            middle = (low + high) / 2
            low, high = (middle, high) if transformed(middle) < goal else (low, middle)
        ends.append(values.mean() - s / np.sqrt(n) * np.clip(low, -2 * bound, 2 * bound))
    return ends


def wilson(successes, n):
    z = stats.norm.ppf(0.975)
    share = successes / n
    center = (share + z**2 / (2 * n)) / (1 + z**2 / n)
    half = z / (1 + z**2 / n) * np.sqrt(share * (1 - share) / n + z**2 / (4 * n**2))
    return center - half, center + half


def joint_test(table):
    """p and half widths of all pairs of columns, by enumeration of all flips with loops."""
    pairs = list(combinations(range(table.shape[1]), 2))
    n = len(table)

    def t(differences):
        return abs(differences.mean()) / (differences.std(ddof=1) / np.sqrt(n))

    flips = [np.array(signs) for signs in product([1, -1], repeat=n)]
    by_flip = np.array(
        [[t(signs * (table[:, i] - table[:, j])) for i, j in pairs] for signs in flips]
    )
    observed = by_flip[0]  # the identity
    p, last = {}, 0.0
    for index in np.argsort(-observed):
        smaller = observed <= observed[index] * (1 + 1e-9)
        share = np.mean(by_flip[:, smaller].max(axis=1) >= observed[index] * (1 - 1e-6))
        last = p[pairs[index]] = max(last, share)
    maxima = np.sort(by_flip.max(axis=1))[::-1]
    critical = max(maxima[int(0.05 * len(maxima))], stats.t.ppf(0.975, n - 1))
    half = {
        (i, j): critical * (table[:, i] - table[:, j]).std(ddof=1) / np.sqrt(n) for i, j in pairs
    }
    return p, half


@pytest.fixture(scope="module")
def judged(tmp_path_factory):
    """Five judged losses with six seeds; the second overfits, and the last diverges three times."""
    losses = tuple(
        Loss(**{**loss.__dict__, "test": -0.01, "overfits": 0.03 * (loss.name == NAMES[1])})
        for loss in LOSSES
    )
    directory = write_experiment(tmp_path_factory.mktemp("judged") / "x", losses, with_slices=False)
    return directory, comparison_frame(read(directory))


@pytest.fixture(params=["judged", "experiment"])
def compared(request):
    """The comparison of judged runs, and of runs without a test split."""
    directory, result = request.getfixturevalue(request.param)
    return directory, result if request.param == "judged" else result.comparison


@pytest.mark.parametrize("loss", NAMES)
def test_mean_interval_and_range_of_the_outcomes(compared, loss):
    directory, table = compared
    values, actual = outcomes(directory, loss), row(table, loss)
    assert actual["value"] == pytest.approx(values.mean())
    assert [actual["low"], actual["high"]] == pytest.approx(corrected_interval_of_the_mean(values))
    assert [actual["lowest"], actual["highest"]] == [values.min(), values.max()]
    assert actual["start"] == pytest.approx(starts(directory, loss).mean())


@pytest.mark.parametrize("loss", NAMES)
def test_gain_failures_and_successes(compared, loss):
    directory, table = compared
    values, actual = outcomes(directory, loss), row(table, loss)
    untrained, best = starts(directory, FIRST).mean(), outcomes(directory, FIRST).mean()
    gains = (values - untrained) / (best - untrained)
    diverged = np.array([status == "diverged" for status, _, _ in runs(directory, loss)])
    gains[diverged] = 0
    assert actual["reference"] == FIRST and actual["gain"] == pytest.approx(gains.mean())
    failures, successes = (gains < 0.1).sum(), (gains >= 0.95).sum()
    assert actual["failures"] == failures and actual["learns"] == (gains.mean() >= 0.1)
    for name, count in (("failure", failures), ("success", successes)):
        ends = [actual[f"{name}_low"], actual[f"{name}_high"]]
        assert actual[f"{name}_rate"] == pytest.approx(count / 6)
        assert ends == pytest.approx(wilson(count, 6), abs=1e-9)


@pytest.mark.parametrize("loss", NAMES)
def test_target_and_time_to_it(compared, loss):
    directory, table = compared
    traces = [trace["accuracy"] for _, trace, _ in runs(directory, FIRST)]
    begin = np.mean([values.iloc[0] for values in traces])
    end = np.mean([values.iloc[-1] for values in traces])
    target = begin + 0.95 * (end - begin)
    steps = []
    for status, trace, _ in runs(directory, loss):
        met = trace["accuracy"].to_numpy() >= target
        first = [s for s, a, b in zip(trace["step"], met, met[1:], strict=False) if a and b]
        steps.append(first[0] if first and status == "done" else np.inf)
    actual, reached = row(table, loss), np.isfinite(steps).sum()
    assert actual["target"] == pytest.approx(target)
    assert (actual["reached_runs"], actual["reached"]) == (reached, pytest.approx(reached / 6))
    half = np.sort(steps)[2]  # the third of six: half of the runs have reached it
    assert np.nan_to_num(actual["steps_to_target"], nan=np.inf) == half
    spent = np.minimum(steps, STEPS).sum()
    assert actual["expected_steps"] == (spent / reached if reached else np.inf)


def test_differences_are_tested_jointly(compared):
    directory, table = compared
    outcome_table = np.array([outcomes(directory, loss) for loss in NAMES]).T
    p, half = joint_test(outcome_table)
    for index, loss in enumerate(NAMES[1:], start=1):
        actual, difference = row(table, loss), np.diff(outcome_table[:, [0, index]]).mean()
        assert actual["pairs"] == 6 and actual["difference"] == pytest.approx(difference)
        assert actual["p_value"] == pytest.approx(p[0, index])
        ends = difference - half[0, index], difference + half[0, index]
        assert (actual["difference_low"], actual["difference_high"]) == pytest.approx(ends)
    reference = row(table, FIRST)
    assert np.isnan([reference["p_value"], reference["difference"]]).all()
    assert reference["verdict"] == "" and reference["may_be_best"]


def test_the_interval_for_other_samples_of_the_pool(judged):
    """Nadeau and Bengio: 400 test and 1000 training examples."""
    directory, table = judged
    reference = outcomes(directory, FIRST)
    for loss in NAMES[1:]:
        differences, actual = outcomes(directory, loss) - reference, row(table, loss)
        half = stats.t.ppf(0.975, 5) * differences.std(ddof=1) * np.sqrt(1 / 6 + 400 / 1000)
        ends = differences.mean() - half, differences.mean() + half
        assert (actual["corrected_low"], actual["corrected_high"]) == pytest.approx(ends)


def test_verdicts_follow_from_p_the_margin_and_the_failures(compared):
    table = compared[1].set_index("loss")
    assert (table["margin"] == 0.01).all()
    expected = {NAMES[1]: "worse", "hinge": "worse", "zero_one": "worse"}
    assert {loss: table["verdict"][loss] for loss in expected} == expected
    assert table["verdict"]["exponential"] == "rates differ"


def test_what_is_lost_after_the_best_step_is_measured_on_the_test_split(judged):
    directory, table = judged
    for loss in NAMES[:3]:
        steps = [trace["step"][trace["accuracy"].argmax()] for _, trace, _ in runs(directory, loss)]
        lost = np.array(
            [
                summary["test_at_best"]["accuracy"] - summary["test"]["accuracy"]
                for _, _, summary in runs(directory, loss)
            ]
        )
        actual = row(table, loss)
        assert actual["best_step"] == np.median(steps)
        assert actual["lost_after_best"] == pytest.approx(lost.mean(), abs=1e-12)
        if loss == NAMES[1]:
            ends = actual["lost_low"], actual["lost_high"]
            assert ends == pytest.approx(corrected_interval_of_the_mean(lost))
    assert "overfits: loses 3 points" in row(table, NAMES[1])["finding"]
    assert "overfits" not in row(table, FIRST)["finding"]


def test_rows_are_ordered_by_the_metric_and_failed_losses_come_last(experiment):
    values = experiment[1].comparison["value"].to_numpy()
    assert (np.diff(values[:-1]) <= 0).all() and np.isnan(values[-1])


def test_a_diverged_run_counts_as_untrained_and_never_reaches_the_target(experiment):
    actual = row(experiment[1].comparison, "exponential")
    assert actual["diverged"] == 0.5 and actual["diverged_step"] == 80
    assert actual["reached_runs"] <= 3 and actual["lowest"] < 0.2 < actual["value"] < 0.6


@pytest.mark.parametrize("loss", NAMES)
def test_gradients_and_dead_fractions_are_medians_over_runs(experiment, loss):
    directory, report = experiment
    traces = [trace for _, trace, _ in runs(directory, loss)]
    start = [trace["gradient_norm/global"].iloc[0] for trace in traces]
    end = [
        trace["gradient_norm/global"].replace(np.inf, np.nan).dropna().iloc[-1] for trace in traces
    ]
    actual = row(report.comparison, loss)
    assert actual["gradient_start"] == pytest.approx(np.median(start))
    assert actual["gradient_end"] == pytest.approx(np.median(end))
    for name in ("examples", "components", "weights", "units"):
        last = [trace[f"dead/{name}"].iloc[-1] for trace in traces]
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
    table = report.comparison
    assert row(table, "hinge")["relative_rise"] == pytest.approx(np.median(rises))
    assert row(table, "hinge")["roughness"] == pytest.approx(np.median(roughs))
    assert row(table, FIRST)["roughness"] == pytest.approx(0, abs=1e-9)
    assert np.isnan(row(table, "zero_one")["relative_rise"])


def test_pairs_without_a_partner_are_left_out(tmp_path):
    losses = (Loss("first", 0.95), Loss("second", 0.9, fails=(1, 4)))
    results = read(write_experiment(tmp_path / "x", losses, 6, with_slices=False))
    second = comparison_frame(results).set_index("loss").loc["second"]
    assert second["pairs"] == 4 and second["failed"] == 2 and second["seeds"] == 4
    assert "4 paired seeds are too few" in second["finding"]


def test_fewer_than_five_seeds_have_no_interval(tmp_path):
    directory = write_experiment(tmp_path / "x", LOSSES[:1], 4, with_slices=False)
    actual = row(comparison_frame(read(directory)), FIRST)
    assert np.isnan([actual["low"], actual["high"]]).all()
    values = outcomes(directory, FIRST)
    assert (actual["lowest"], actual["highest"]) == (values.min(), values.max())


def test_a_configured_target_is_used(tmp_path):
    results = read(write_experiment(tmp_path / "x", LOSSES[:2], 2, with_slices=False, target=0.5))
    assert (comparison_frame(results)["target"] == 0.5).all()


def test_there_is_no_target_if_the_reference_does_not_learn(tmp_path):
    losses = (Loss("stuck", zero_gradient=True), Loss("lost", diverges={0: 40, 1: 40}), Loss("ok"))
    table = comparison_frame(read(write_experiment(tmp_path / "x", losses, 2, with_slices=False)))
    assert table["target"].isna().all() and table["gain"].isna().all()
    assert table["learns"].tolist() == [False, False, True]


def test_there_is_no_target_if_the_reference_learns_on_the_test_split_alone(tmp_path):
    """By chance, as after few steps: 95 % of next to nothing would be met from the start."""
    directory = write_experiment(tmp_path / "x", LOSSES[:1], 2, with_slices=False)
    for path in directory.glob("runs/*/summary.json"):
        test = {"test": {"accuracy": 0.3}, "test_initial": {"accuracy": 0.1}}
        path.write_text(json.dumps(json.loads(path.read_text()) | test))
        trace = pd.read_parquet(path.parent / "trace.parquet")
        trace["accuracy"] = np.linspace(0.1, 0.11, len(trace))
        trace.to_parquet(path.parent / "trace.parquet", index=False)
    table = comparison_frame(read(directory))
    assert table["learns"].all() and table["target"].isna().all()


def test_the_reference_is_the_usual_loss_of_the_task_even_if_another_is_better(tmp_path):
    losses = (Loss("mine", 0.99), Loss("usual", 0.9))
    directory = write_experiment(tmp_path / "x", losses, 6, with_slices=False)
    path = directory / "experiment.yaml"
    path.write_text(
        path.read_text().replace(
            "{label: usual, name: any}", "{label: usual, name: softmax_cross_entropy}"
        )
    )
    results = read(directory)
    table = comparison_frame(results)
    assert results.reference == "usual" and (table["reference"] == "usual").all()
    assert row(table, "mine")["gain"] > 1 and row(table, "mine")["verdict"] == "better"


def test_reference_and_margin_are_those_of_the_config(tmp_path):
    """Focal is worse than cross entropy by 1.8 points, beyond the default margin."""
    directory = write_experiment(tmp_path / "x", LOSSES[:2], 6, with_slices=False)
    with (directory / "experiment.yaml").open("a") as file:
        file.write("compare: {reference: focal_gamma_2, margin: 0.05}\n")
    table = comparison_frame(read(directory)).set_index("loss")
    assert (table["reference"] == "focal_gamma_2").all() and (table["margin"] == 0.05).all()
    assert table["verdict"][FIRST] == "equivalent" and table["difference"][FIRST] > 0.01
    assert "equivalent to focal_gamma_2 within 5 points" in table["finding"][FIRST]


def test_where_lower_is_better_the_lowest_is_best(tmp_path):
    directory = write_experiment(tmp_path / "x", (Loss("big", 0.9), Loss("small", 0.5)), 6)
    for path in directory.glob("runs/*/summary.json"):
        summary = json.loads(path.read_text())
        summary["higher_is_better"] = {"accuracy": False, "f1": True}
        path.write_text(json.dumps(summary))
    results = read(directory)
    table = frame(best_points(compare(results)), results.swept)
    assert table["loss"].tolist() == ["small", "big"]
    small = row(table, "small")
    assert small["difference"] < 0 and small["verdict"] == "better"
    assert small["difference_low"] < small["difference"] < small["difference_high"]


def test_a_sweep_has_one_row_per_point_and_the_best_point_is_selected(tmp_path):
    sweep = {"optimizer.learning_rate": [0.1, 0.001, 0.01]}
    results = read(write_experiment(tmp_path / "x", LOSSES[:2], 3, with_slices=False, sweep=sweep))
    table = comparison_frame(results)
    assert table["optimizer.learning_rate"].tolist() == [0.001, 0.01, 0.1] * 2
    assert table["learning_rate"].tolist() == [0.001, 0.01, 0.1] * 2
    best = frame(best_points(compare(results)), results.swept)
    assert best["optimizer.learning_rate"].tolist() == [0.001, 0.001]  # the second of the sweep
    assert best["name"][0] == "cross_entropy (learning_rate=0.001)"
    assert (table["reference"] == "cross_entropy (learning_rate=0.001)").all()


def test_rows_are_compared_under_the_same_condition(tmp_path):
    """Label noise lowers what every loss reaches, and with it the target; a rate is tuned."""
    losses = (Loss("a", 0.9), Loss("b", 0.88))
    points = {
        loss.name: [
            (
                {"dataset.label_noise": noise, "optimizer.learning_rate": rate},
                Loss(loss.name, loss.final - noise - 0.05 * (rate == 0.1)),
            )
            for noise in (0.0, 0.3)
            for rate in (0.01, 0.1)
        ]
        for loss in losses
    }
    directory = write_experiment(tmp_path / "x", losses, 6, with_slices=False, points=points)
    table = comparison_frame(read(directory)).set_index(["dataset.label_noise", "loss"])
    for noise in (0.0, 0.3):
        rows = table.loc[noise]
        assert set(rows["reference"]) == {f"a (label_noise={noise}, learning_rate=0.01)"}
        assert rows["target"].nunique() == 1
    assert table.loc[0.3]["target"].iloc[0] < table.loc[0.0]["target"].iloc[0] - 0.2


def test_the_run_table_has_one_tidy_row_per_run(experiment):
    directory, _ = experiment
    table = run_table(read(directory), ())
    assert len(table) == 36 and table["run"].is_unique
    assert table["status"].value_counts().to_dict() == {"done": 27, "failed": 6, "diverged": 3}
    stored = pd.read_csv(directory / "report" / "results.csv")
    parquet = pd.read_parquet(directory / "report" / "results.parquet")
    assert stored["outcome"].to_numpy() == pytest.approx(table["outcome"].to_numpy(), nan_ok=True)
    assert parquet["outcome"].to_numpy() == pytest.approx(table["outcome"].to_numpy(), nan_ok=True)
    reached = stored.groupby("loss")["steps_to_target"].count()
    assert reached["hinge"] == row(experiment[1].comparison, "hinge")["reached_runs"] == 6


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
    table = comparison_frame(results)
    with report_style():
        picture = metric_over_sweep(compare(results), results.swept, results.losses)
    (panel,) = picture.figure.axes
    # The last of equal ends is kept: a line is drawn before the caps of its bars.
    lines = {tuple(line.get_xdata()): line.get_ydata() for line in reversed(panel.lines)}
    values = table.set_index("name")["value"]
    assert list(lines[0, 1]) == pytest.approx([values["a"]] * 2)  # from side to side
    assert list(lines[1, 4]) == pytest.approx([values["b (gamma=1)"], values["b (gamma=4)"]])
    assert "horizontal line" in picture.caption
