"""Curvature, geometry and measurements across runs, recomputed from the files with NumPy."""

import json

import numpy as np
import pandas as pd
import pytest
from synthetic_measures import EIGENVECTOR, MIXED, PARAMETERS
from synthetic_runs import LOSSES

NAMES = [loss.name for loss in LOSSES]
BY_NAME = {loss.name: loss for loss in LOSSES}


def table(experiment, name):
    return pd.read_csv(experiment[0] / "report" / "tables" / f"{name}.csv")


def folders(experiment, loss):
    paths = sorted((experiment[0] / "runs").glob(f"{loss}-0-*"))
    return [folder for folder in paths if (folder / "slices.npz").exists()]


def recorded(experiment, loss, matrix):
    """Returns point and matrix of curvature.json at the trained point of each run of a loss."""
    points = []
    for folder in folders(experiment, loss):
        stored = json.loads((folder / "curvature.json").read_text())["points"]
        (point,) = [p for p in stored if p["place"] == "trained"]
        points.append((point, point["operators"][matrix]))
    return points


@pytest.mark.parametrize("loss", ["cross_entropy", "focal_gamma_2", "hinge", "exponential"])
def test_curvature_is_the_median_over_runs(experiment, loss):
    rows = table(experiment, "curvature")
    row = rows[(rows["loss"] == loss) & (rows["matrix"] == "hessian")].iloc[0]
    records = recorded(experiment, loss, "hessian")
    largest = np.array([matrix["largest"][0] for _, matrix in records])
    smallest = np.array([matrix["smallest"][0] for _, matrix in records])
    trace = np.array([matrix["trace"]["value"] for _, matrix in records])
    norm = np.array([point["squared_norm"] for point, _ in records])
    drop = np.array([point["drop"] for point, _ in records])
    assert row["runs"] == len(records)
    assert row["largest"] == pytest.approx(np.median(largest))
    assert row["smallest"] == pytest.approx(np.median(smallest))
    assert row["mean"] == pytest.approx(np.median(trace) / PARAMETERS)
    assert row["largest_over_mean"] == pytest.approx(np.median(largest * PARAMETERS / trace))
    assert row["scale_free_sharpness"] == pytest.approx(np.median(largest * norm / drop))
    assert row["negative_over_positive"] == pytest.approx(np.median(-smallest / largest))
    assert row["trace_error"] == pytest.approx(
        np.median([matrix["trace"]["error"] for _, matrix in records])
    )


def test_the_sharpness_does_not_change_with_the_unit_of_the_loss(experiment):
    """The synthetic focal loss is 0.4 times cross entropy, in every number with a unit."""
    rows = table(experiment, "curvature").query("matrix == 'hessian'").set_index("loss")
    plain, scaled = rows.loc["cross_entropy"], rows.loc["focal_gamma_2"]
    assert scaled["largest"] == pytest.approx(0.4 * plain["largest"])
    assert scaled["scale_free_sharpness"] == pytest.approx(plain["scale_free_sharpness"], rel=0.03)


def test_ratios_without_drop_or_curvature_are_nan(experiment):
    rows = table(experiment, "curvature").query("matrix == 'hessian'").set_index("loss")
    flat = rows.loc["zero_one"]
    assert flat["largest"] == 0 and flat["mean"] == 0
    assert flat[["scale_free_sharpness", "largest_over_mean"]].isna().all()
    assert pd.isna(flat["twice_differentiable"])


def test_an_omitted_matrix_has_a_reason(experiment):
    rows = table(experiment, "curvature").query("matrix == 'gauss_newton'").set_index("loss")
    assert "not convex in the prediction" in rows.loc["hinge", "note"]
    assert rows.loc["hinge", "runs"] == 0 and np.isnan(rows.loc["hinge", "largest"])
    assert "kinks" in experiment[1].index.read_text()


def test_the_width_of_a_basin_is_that_of_its_parabola(experiment):
    """0.5 s |d|^2 x^2 = 0.1 drop at both ends of the basin, exactly, but for the spacing."""
    rows = table(experiment, "geometry")
    row = rows[(rows["loss"] == "cross_entropy") & (rows["set"] == EIGENVECTOR)].iloc[0]
    widths, shares = [], []
    for folder in folders(experiment, "cross_entropy"):
        arrays = np.load(folder / "slices.npz")
        trace = pd.read_parquet(folder / "trace.parquet")["risk/evaluation"]
        drop = trace.iloc[0] - trace.iloc[-1]
        curvature = float(arrays[f"trained/lines/{EIGENVECTOR}/curvature"][0])
        widths.append(2 * np.sqrt(0.2 * drop / curvature))
        radius = float(arrays[f"trained/lines/{EIGENVECTOR}/radius"])
        shares.append(0.5 * curvature * radius**2 / drop)
    assert row["basin_width"] == pytest.approx(np.median(widths), rel=0.1)
    assert row["relative_rise"] == pytest.approx(np.median(shares))
    assert row["roughness"] == pytest.approx(0, abs=1e-9) and row["unit"].endswith("norm")


def test_the_share_of_cells_that_are_not_convex(experiment):
    rows = table(experiment, "geometry_planes")
    row = rows[(rows["loss"] == "hinge") & (rows["set"] == MIXED)].iloc[0]
    shares, ratios = [], []
    for folder in folders(experiment, "hinge"):
        arrays = np.load(folder / "slices.npz")
        low, high = (
            arrays[f"trained/planes/{MIXED}/eigenvalue/{end}"][0] for end in ("smallest", "largest")
        )
        ratio = np.where(low < 0, -low / high, 0)
        shares.append(np.mean(ratio > 0.01))
        ratios.append(np.median(ratio))
    assert 0 < row["nonconvex_share"] < 1
    assert row["nonconvex_share"] == pytest.approx(np.median(shares))
    assert row["convexity_ratio"] == pytest.approx(np.median(ratios))
    assert rows[rows["set"] == "random"]["nonconvex_share"].isna().all()


def solutions(experiment):
    return json.loads((experiment[0] / "across.json").read_text())["solutions"]


@pytest.mark.parametrize("loss", NAMES)
def test_the_relative_excess_is_the_median_over_seeds(experiment, loss):
    row = table(experiment, "across").set_index("solution of").loc[loss]
    for other in NAMES:
        values = []
        for seed in range(6):
            of = {s["loss"]: s for s in solutions(experiment) if s["seed"] == seed}
            if loss in of and other in of:
                run = of[other]["run"]
                best = of[other]["risks"][run]
                drop = of[other]["initial"][run] - best
                values.append((of[loss]["risks"][run] - best) / drop if drop > 0 else np.nan)
        if other == "zero_one":
            assert np.isnan(values).all() and np.isnan(row[f"under {other}"])
        else:
            assert row[f"under {other}"] == pytest.approx(np.median(values))
    assert row["metric"] == pytest.approx(
        np.median([s["metric"] for s in solutions(experiment) if s["loss"] == loss])
    )


def test_barriers_have_the_heights_of_the_hills(experiment):
    """A segment is a chord plus a hill of 0.3 plus the ripples, in drops; the best has no hill."""
    rows = table(experiment, "interpolations")
    assert set(rows["between"]) == {"seeds", "losses"}
    for row in rows.query("between == 'losses'").to_dict("records"):
        loss = BY_NAME[row["under"]]
        if any(BY_NAME[row[end]].zero_gradient for end in ("from", "to")):
            assert np.isnan(row["barrier"])  # one end has not learned
        else:
            height = 0.0 if loss.final > 0.96 else 0.3 + loss.ripples
            assert row["barrier"] == pytest.approx(height, abs=1e-9)
    assert rows["metric_dip"].to_numpy() == pytest.approx(0.4)
    seeds = rows.query("between == 'seeds'").set_index("under")
    assert seeds.loc["hinge", "ways"] == 15 and seeds.loc["exponential", "ways"] == 3


def test_barriers_between_seeds_are_relative_to_the_mean_of_both_drops(experiment):
    segments = json.loads((experiment[0] / "across.json").read_text())["interpolations"]
    heights = []
    for segment in segments:
        if segment["kind"] == "seeds" and segment["to_loss"] == "hinge":
            risk, t = np.array(segment["risks"][segment["to"]]), np.array(segment["coordinates"])
            hill = risk - (risk[0] + (risk[-1] - risk[0]) * t)
            heights.append(hill.max() / np.mean(list(segment["drops"].values())))
    row = table(experiment, "interpolations").query("between == 'seeds' and under == 'hinge'")
    assert row["barrier"].item() == pytest.approx(np.median(heights))
    assert row["highest"].item() == pytest.approx(np.max(heights))


def test_the_page_describes_the_barriers(experiment):
    text = experiment[1].index.read_text().replace("\N{NO-BREAK SPACE}", " ")
    assert "Between the seeds of cross_entropy: no barrier (below 1 % of the drop)." in text
    assert "Between the seeds of hinge: a barrier of 69 % of the drop." in text
    assert "Between the seeds of zero_one: the height is undefined." in text
    assert "Under hinge, between its solution and that of cross_entropy: a barrier of 70 %" in text
    assert "&lt;b&gt;one&lt;/b&gt; run could not be read" in text


def test_the_run_table_has_the_measures_of_the_hessian(experiment):
    stored = pd.read_csv(experiment[0] / "report" / "results.csv").set_index("run")
    row = stored.loc["cross_entropy-0-2"]
    (point,) = [
        p
        for p in json.loads((experiment[0] / "runs/cross_entropy-0-2/curvature.json").read_text())[
            "points"
        ]
        if p["place"] == "trained"
    ]
    expected = point["operators"]["hessian"]["largest"][0] * point["squared_norm"] / point["drop"]
    assert row["hessian/scale_free_sharpness"] == pytest.approx(expected)
