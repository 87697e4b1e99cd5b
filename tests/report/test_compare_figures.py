"""The figures of a comparison at tuned points draw its numbers, in the styles of the losses."""

from dataclasses import replace

import matplotlib.colors
import numpy as np
import pytest
import synthetic_compare as synthetic
from test_compare_measures import SETTING, TARGET, final

from landscape.report import compare_results, tuned_comparison
from landscape.report.figures import (
    compare_curves,
    difference_forest,
    rate_curves,
    rendering,
    success_cells,
    success_maps,
)
from landscape.report.figures.style import styles
from landscape.storage.map_records import MapRecord


@pytest.fixture(scope="module")
def compared():
    return compare_results.join(*synthetic.comparison(SETTING))


@pytest.fixture(scope="module")
def comparison(compared):
    return tuned_comparison.measure(compared, TARGET)


@pytest.fixture(scope="module")
def style_of(comparison):
    return styles([loss.name for loss in comparison.losses])


def lines(panel, style):
    """The lines of a panel in the color of a loss, as pairs of arrays."""
    return [
        line.get_data()
        for line in panel.lines
        if matplotlib.colors.to_hex(line.get_color()).upper() == style.color.upper()
    ]


def texts(figure):
    return [text.get_text() for panel in figure.axes for text in panel.texts]


def test_rates_show_means_seeds_tolerance_and_the_rate_of_the_config(
    compared, comparison, style_of
):
    with rendering.report_style():
        figure = rate_curves.rate_curves(comparison, style_of).figure
    curve, bars = figure.axes
    for loss in comparison.losses:
        drawn = lines(curve, style_of[loss.name])
        values = np.array([final(compared, trial.runs) for trial in loss.entry.trials])
        np.testing.assert_allclose(drawn[0][1], values.mean(axis=1))
        seeds = np.concatenate([drawn[1][1], drawn[2][1]])
        np.testing.assert_allclose(np.sort(seeds), np.sort(values.ravel()))
        tolerance = loss.curve.tolerance
        bar = [x for x, y in lines(bars, style_of[loss.name]) if len(x) == 2]
        if loss.entry.learns:
            np.testing.assert_allclose(bar, [[tolerance.low_rate, tolerance.high_rate]])
        else:
            assert not bar
    assert [label.get_text() for label in bars.get_yticklabels()][-1] == "dead"
    vertical = [line.get_xdata() for line in curve.lines if list(line.get_ydata()) == [0, 1]]
    assert vertical == [[synthetic.OWN_RATE] * 2]
    assert "does not learn" in texts(figure)


def test_the_forest_shows_each_difference_to_the_reference(comparison, style_of):
    with rendering.report_style():
        figure = difference_forest.difference_forest(comparison, style_of).figure
    (panel,) = figure.axes
    pairs = [pair for pair in comparison.pairs.pairs if pair.other == "reference"]
    limit = panel.get_xlim()[1]
    for row, pair in enumerate(pairs):
        drawn = lines(panel, style_of[pair.loss])
        assert all((y == row).all() for y in (np.asarray(data[1]) for data in drawn))
        ends = np.concatenate([data[0] for data in drawn])
        assert ends.min() == pytest.approx(max(pair.low, -limit))
        assert ends.max() == pytest.approx(np.clip(pair.high, -limit, limit))
        assert pair.verdict in texts(figure)
    assert [label.get_text() for label in panel.get_yticklabels()] == [p.loss for p in pairs]


def test_the_share_at_the_target_ends_at_the_runs_that_reached_it(comparison, style_of):
    with rendering.report_style():
        figure = compare_curves.target_curves(comparison, style_of).figure
    (panel,) = figure.axes
    for loss in comparison.losses:
        x, y = lines(panel, style_of[loss.name])[0]
        assert x[-1] == synthetic.STEPS and y[-1] == pytest.approx(loss.reached.value)
        steps = np.sort(loss.times[np.isfinite(loss.times)])
        for step in np.unique(steps):
            share = y[np.searchsorted(x, step, side="right") - 1]
            assert share == pytest.approx((steps <= step).mean() * loss.reached.value)
    assert "7/10" in texts(figure)


def test_lines_of_the_best_of_k_and_of_profiles_are_their_numbers(comparison, style_of):
    with rendering.report_style():
        (panel,) = compare_curves.best_of_k_curves(comparison, style_of).figure.axes
        (profiled,) = compare_curves.profile_curves(comparison, style_of).figure.axes
    for row, loss in enumerate(comparison.losses):
        ((x, y),) = lines(panel, style_of[loss.name])
        assert tuple(x) == (1, 2, 4, 8) and tuple(y) == loss.best_of
        _, shares = lines(profiled, style_of[loss.name])[0]
        np.testing.assert_array_equal(shares, comparison.profiles.shares[row])


def test_cells_hold_the_successes_of_each_condition(comparison, style_of):
    with rendering.report_style():
        figure = success_cells.success_cells(comparison, style_of).figure
    batch, noise = figure.axes
    assert [label.get_text() for label in noise.get_xticklabels()] == ["0", "0.3"]
    assert [label.get_text() for label in noise.get_yticklabels()][:2] == ["reference", "retuned"]
    drawn = {(t.get_position(), t.get_text()) for t in noise.texts}
    for cell in comparison.cells:
        if cell.axis == "label_noise":
            row = 2 * [loss.name for loss in comparison.losses].index(cell.loss)
            column = (0.0, 0.3).index(cell.value)
            share = cell.tuned.success
            assert ((column, row), f"{share.number}/{share.total}") in drawn
    bold = [label.get_text() for label in batch.get_xticklabels() if label.get_weight() == "bold"]
    assert bold == ["64"]


def test_maps_show_the_share_of_seeds_in_each_cell(comparison, style_of):
    shares = np.array([[0.0, 0.5, 1.0], [1.0, 0.0, 0.5]])
    values = tuple(
        tuple((0.9 if share > 0 else 0.1, 0.9 if share == 1 else np.nan) for share in row)
        for row in shares
    )
    record = MapRecord(
        rates=(1e-3, 1e-2, 1e-1),
        scales=(0.5, 2.0),
        seeds=(0, 1),
        steps=100,
        metric="accuracy",
        higher_is_better=True,
        target=0.8,
        values=values,
    )
    with rendering.report_style():
        assert success_maps.success_maps(comparison, style_of) is None
        mapped = replace(comparison, maps={"reference": record, "dead": record})
        figure = success_maps.success_maps(mapped, style_of).figure
    panel, dead, _ = figure.axes
    (mesh,) = panel.collections
    np.testing.assert_array_equal(mesh.get_array(), shares)
    corners = mesh.get_coordinates()
    np.testing.assert_allclose(corners[0, :, 0], 10.0 ** np.array([-3.5, -2.5, -1.5, -0.5]))
    np.testing.assert_allclose(corners[:, 0, 1], [0.25, 1.0, 4.0])
    assert panel.get_title(loc="left") == "reference\n50 % succeed"
    tuned = comparison.of("reference").entry.tuned_rate
    assert [line.get_xydata().tolist() for line in panel.lines] == [[[tuned, 1.0]]]
    assert not dead.lines  # it was not tuned: no rate is better


def test_without_conditions_or_a_target_their_figures_are_left_out(style_of):
    setting = synthetic.Setting(SETTING.losses[:2], SETTING.rates)
    compared = compare_results.join(*synthetic.comparison(setting))
    comparison = tuned_comparison.measure(compared, np.nan)
    with rendering.report_style():
        assert success_cells.success_cells(comparison, style_of) is None
        assert compare_curves.profile_curves(comparison, style_of) is None
        assert compare_curves.target_curves(comparison, style_of) is None
