"""The numbers beside each figure are those of the runs, and its code draws it again."""

import html
import re

import numpy as np
import pandas as pd
import pytest

from landscape.report.results import read


@pytest.fixture(scope="module")
def page(experiment):
    return experiment[1].index.read_text()


def table(experiment, name):
    return pd.read_csv(experiment[0] / "report" / "figures" / f"{name}.csv")


def test_the_curves_are_the_means_of_the_traces(experiment):
    drawn = table(experiment, "learning_curves")
    paths = experiment[0].glob("runs/cross_entropy-0-*/trace.parquet")
    traces = [pd.read_parquet(path) for path in paths]
    mean = np.mean([trace["accuracy"] for trace in traces], axis=0)
    curve = drawn[drawn["series"] == "cross_entropy"]
    assert len(traces) == 6 and len(curve) == len(mean)
    assert curve["x"].to_numpy() == pytest.approx(traces[0]["step"].to_numpy())
    assert curve["y"].to_numpy() == pytest.approx(mean)


def test_the_cells_of_a_plane_are_those_of_its_run(experiment):
    drawn = table(experiment, "contours")
    for loss, cells in drawn.groupby("loss"):
        (seed,) = cells["seed"].unique()
        arrays = np.load(experiment[0] / "runs" / f"{loss}-0-{seed}" / "slices.npz")
        risk = arrays["trained/planes/random/risk"][0]
        x, y = (arrays[f"trained/planes/random/{axis}"] for axis in "xy")
        row, column = 1, 2
        index = row * len(x) + column
        first = cells[cells["draw"] == 1].iloc[index]
        assert (first["x"], first["y"]) == pytest.approx((x[column], y[row]))
        assert first["risk"] == pytest.approx(risk[row, column], nan_ok=True)


def test_a_map_names_its_rows_and_columns_by_loss(experiment):
    drawn = table(experiment, "across")
    losses = set(read(experiment[0]).losses)
    assert {*drawn["x"], *drawn["y"]} <= losses
    assert len(drawn) == len(drawn.drop_duplicates(["x", "y"]))


@pytest.mark.parametrize("name", ["summary", "contours_eigenvector_random", "interpolations_seeds"])
def test_the_code_beside_a_figure_draws_it_again(rendered, monkeypatch, tmp_path, name):
    page = rendered[1].index.read_text()
    figure = re.search(rf'<figure id="figure-{name}">.*?</figure>', page, re.S)[0]
    code = html.unescape(re.search(r"<code>(.*?)</code>", figure, re.S)[1])
    assert f'sweep.plot("{name}")' in code.replace("'", '"')
    monkeypatch.chdir(rendered[0].parent)
    code = code.replace(f'"{name}.pdf"', f"{str(tmp_path / 'again.pdf')!r}")
    exec(code, {})
    again = (tmp_path / "again.pdf").read_bytes()
    # Dates and the resolution of images differ; the drawn paths and texts do not.
    stored = (rendered[0] / "report" / "figures" / f"{name}.pdf").read_bytes()
    assert abs(len(again) - len(stored)) < 0.02 * len(stored)
