"""The figure of an audit shows the content of the audit and nothing else."""

import re
from itertools import combinations, pairwise

import matplotlib as mpl
import numpy as np
import pytest
import synthetic_audits as synthetic
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.cbook import is_math_text
from matplotlib.colors import same_color
from matplotlib.contour import ContourSet
from matplotlib.quiver import Quiver
from matplotlib.text import Text

from landscape.errors import UserError
from landscape.report.figures import appearance, fitted_text, panel_layout, rendering, style
from landscape.report.figures.audit_figure import shapes


def draw(*audits):
    with rendering.report_style():
        return shapes([synthetic.record(audit) for audit in audits])


def panel(picture, name):
    (axes,) = (axes for axes in picture.figure.axes if axes.get_label() == name)
    return axes


def by_gid(axes, gid):
    return [artist for artist in axes.get_children() if artist.get_gid() == gid]


def the_line(axes, what):
    (line,) = by_gid(axes, f"line {what}")
    return line.get_xdata(), line.get_ydata()


def crosses(x, point):
    """Returns whether the point lies strictly inside a segment of the line."""
    return any(a < point < b for a, b in pairwise(x) if np.isfinite([a, b]).all())


def pieces(y):
    """Returns the number of unbroken pieces of a line."""
    known = np.isfinite(y).astype(int)
    return int(known[0] + (np.diff(known) == 1).sum())


def texts(picture):
    """Returns every visible text with its box in pixels."""
    with rendering.report_style():
        FigureCanvasAgg(picture.figure).draw()
    hidden = {
        label
        for axes in picture.figure.axes
        for axis in (axes.xaxis, axes.yaxis)
        for tick in axis.get_major_ticks()
        if not min(axis.get_view_interval()) <= tick.get_loc() <= max(axis.get_view_interval())
        for label in (tick.label1, tick.label2)
    }
    visible = [text for text in picture.figure.findobj(Text) if text not in hidden]
    visible = [text for text in visible if text.get_visible() and text.get_text().strip()]
    return [(text, text.get_window_extent()) for text in visible]


def legend(picture):
    """Returns the texts of the legend."""
    return [text.get_text() for text in picture.figure.legends[0].get_texts()]


def long_names():
    """Returns an audit with a very long name and long findings, full of dollar signs."""
    audit = synthetic.huber()
    audit["loss"] = "my_package.losses:" + "quite_a_long_name_for_$one$_loss_" * 6
    audit["shapes"]["x_label"] = "prediction of something with a long description " * 4
    audit["shapes"]["lines"][0]["label"] = "target (1, 0, 0, 0, 1, 1, 0, 1, 0, 0, 1, 1, 0, 1)"
    audit["findings"] += [
        synthetic.finding("N301", "error", "W" * 300, "x" * 300),
        synthetic.finding("G205", "warning", ("the $gradient$ of it_vanishes " * 12)[:300]),
    ]
    return audit


def crowd(count):
    """Returns losses of all kinds, including one that diverges and one that failed."""
    everything = [
        synthetic.absolute(),
        synthetic.reciprocal(),
        synthetic.exponential(),
        synthetic.zero_one(),
        long_names(),
        synthetic.refused(),
        synthetic.rounded(),
        synthetic.clipped_cross_entropy(),
    ]
    return everything[:count]


SETS = {
    "curves alone": [synthetic.huber()],
    "limit": [synthetic.absolute()],
    "jump": [synthetic.zero_one()],
    "plane beside one target": [synthetic.softmax_cross_entropy()],
    "plane and limit": [synthetic.multiclass_hinge()],
    "holes": [synthetic.holed()],
    "infinite": [synthetic.reciprocal()],
    "six targets": [synthetic.many_targets()],
    "long": [long_names()],
    "refused": [synthetic.refused("x" * 200)],
    "two": crowd(2),
    "five": crowd(5),
    "eight": crowd(8),
    "three planes": [
        synthetic.softmax_cross_entropy(),
        synthetic.multiclass_hinge(),
        synthetic.holed(),
    ],
    "eight planes": [synthetic.softmax_cross_entropy()] * 5 + [synthetic.holed()] * 3,
}


@pytest.mark.parametrize("audits", SETS.values(), ids=SETS)
def test_texts_are_inside_the_figure_readable_and_do_not_overlap(audits):
    picture = draw(*audits)
    width, height = picture.figure.bbox.size
    assert picture.figure.get_figwidth() == 7.0
    boxes = texts(picture)
    for text, box in boxes:
        assert text.get_fontsize() >= 8, text
        assert box.x0 >= -1 and box.x1 <= width + 1, text
        assert box.y0 >= -1 and box.y1 <= height + 1, text
        assert not is_math_text(text.get_text()) or r"\mathdefault" in text.get_text(), text
    for (one, box), (other, its) in combinations(boxes, 2):
        apart = box.x1 <= its.x0 + 1 or its.x1 <= box.x0 + 1
        apart = apart or box.y1 <= its.y0 + 2 or its.y1 <= box.y0 + 2
        assert apart, (one, other)


def test_no_line_crosses_a_jump_and_both_sides_reach_it():
    picture = draw(synthetic.zero_one())
    x, y = the_line(panel(picture, "value: target 1"), "value")
    assert not crosses(x, 0.0)
    assert sorted(y[x == 0]) == [0.0, 1.0]
    assert pieces(y) == 2 and pieces(x) == 2
    x, _ = the_line(panel(picture, "gradient: target 1"), "gradient")
    assert not crosses(x, 0.0)


def test_a_kink_breaks_the_gradient_alone():
    picture = draw(synthetic.absolute())
    x, y = the_line(panel(picture, "value: target 1"), "value")
    assert pieces(y) == 1 and crosses(x, 1.025)
    x, y = the_line(panel(picture, "gradient: target 1"), "gradient")
    assert not crosses(x, 1.0)
    assert sorted(y[x == 1]) == [-1.0, 1.0]


def test_a_jump_of_the_curvature_breaks_no_line():
    picture = draw(synthetic.huber())
    for what in ("value", "gradient"):
        _, y = the_line(panel(picture, f"{what}: target 1"), what)
        assert pieces(y) == 1


def test_lines_are_extrapolated_to_gaps_between_samples():
    x = np.linspace(-1, 1, 20)  # no sample at the jump
    value = np.where(x > 0, 3 * x + 1, x)
    line = synthetic.line("target 1", value, np.where(x > 0, 3.0, 1.0), [(0.0, "D101")])
    axes = panel(draw(synthetic.audit("jump", [line], x=x)), "value: target 1")
    at, y = the_line(axes, "value")
    assert sorted(y[at == 0]) == pytest.approx([0, 1])
    assert by_gid(axes, "filled") == []
    assert len(by_gid(axes, "open")) == 2


def test_circles_mark_one_sided_limits_and_values():
    def circles(axes):
        return {
            gid: sorted(line.get_xydata()[0].tolist() for line in by_gid(axes, gid))
            for gid in ("open", "filled")
        }

    picture = draw(synthetic.zero_one())
    assert circles(panel(picture, "value: target 1")) == {"open": [[0, 0]], "filled": [[0, 1]]}
    assert circles(panel(picture, "value: target 0")) == {"open": [[0, 1]], "filled": [[0, 0]]}
    kinked = circles(panel(draw(synthetic.hinge()), "gradient: target 1"))
    assert kinked["open"] == [pytest.approx([1, -1]), pytest.approx([1, 0])]
    assert kinked["filled"] == [pytest.approx([1, -0.5])]
    faces = [
        line.get_markerfacecolor() for line in by_gid(panel(picture, "value: target 1"), "open")
    ]
    assert faces == ["white"]


@pytest.mark.parametrize("kind", ["dead", "idle", "saturated"])
def test_spans_equal_the_intervals(kind):
    curve = synthetic.line("target 1", synthetic.X**2, 2 * synthetic.X, dead=[], idle=[])
    curve[kind] = [[-10.0, -4.5], ["-inf", -9.0], [2.25, 3.0]]
    picture = draw(synthetic.audit("spans", [curve]))
    for what in ("value", "gradient"):
        axes = panel(picture, f"{what}: target 1")
        spans = by_gid(axes, kind)
        intervals = [(span.get_x(), span.get_x() + span.get_width()) for span in spans]
        assert intervals == [(-10, -4.5), (-10, -9), (2.25, 3)]
        assert all(bool(span.get_hatch()) == (kind == "dead") for span in spans)
        others = {"dead", "idle", "saturated"} - {kind}
        assert not any(by_gid(axes, other) for other in others)
        low, high = axes.get_ylim()
        box = spans[0].get_window_extent()
        assert box.y0 <= axes.transData.transform((0, low))[1] + 1e-6
        assert box.y1 >= axes.transData.transform((0, high))[1] - 1e-6


def test_suspect_points_are_marked_at_their_positions():
    audit = synthetic.huber()
    audit["shapes"]["lines"][1]["marks"].append({"x": 11.0, "code": "D101"})  # out of sight
    picture = draw(audit)
    axes = panel(picture, "gradient: target 1")
    assert [line.get_xdata()[0] for line in by_gid(axes, "mark D103")] == [0.0, 2.0]
    assert by_gid(axes, "mark D101") == []
    assert legend(picture) == ["huber: trainable", "curvature jumps (D103)"]


def test_infinity_does_not_set_the_limits_and_the_cut_share_is_reported():
    audit = synthetic.reciprocal()
    picture = draw(audit)
    told = re.findall(r"([<\d]+) % of the (value|gradient) at target 0", picture.caption)
    assert [what for _, what in told] == ["value", "gradient"]
    for share, what in told:
        axes = panel(picture, f"{what}: target 0")
        values = np.array([float(v) for v in audit["shapes"]["lines"][0][what]])
        low, high = axes.get_ylim()
        assert np.isinf(values).any() and np.isfinite([low, high]).all()
        largest = np.abs(values[np.isfinite(values)]).max()
        assert max(abs(low), abs(high)) < largest / 2
        outside = np.mean((values < low) | (values > high))
        assert int(share) == round(100 * outside)
        assert axes.get_title("right") == f"{share} % cut"
        (bar,) = by_gid(axes, "not finite")
        places = bar.get_xdata()[np.isfinite(bar.get_ydata())]
        assert places.tolist() == synthetic.X[~np.isfinite(values)].tolist() == [0.0]


def test_infinite_points_count_as_cut_and_missing_ones_do_not():
    value = np.where(synthetic.X < -5, np.inf, synthetic.X**2)  # 100 of 401
    value[-100:] = np.nan
    picture = draw(synthetic.audit("partly", [synthetic.line("target 1", value, 2 * synthetic.X)]))
    assert "The frame cuts 33 % of the value at target 1:" in picture.caption


def test_a_parabola_is_not_cut():
    picture = draw(synthetic.squared())
    assert "cut" not in picture.caption
    low, high = panel(picture, "value: target 1").get_ylim()
    assert low < 0 and high > 121


def test_nothing_is_drawn_at_nan_values():
    axes = panel(draw(synthetic.holed()), "value: target 1")
    x, y = the_line(axes, "value")
    assert x[np.isfinite(y)].min() > 0
    (bar,) = by_gid(axes, "not finite")
    assert bar.get_xdata()[np.isfinite(bar.get_ydata())].max() == 0


def test_huge_values_do_not_hide_the_others():
    value = synthetic.X**2
    value[::100] = 1e308
    line = synthetic.line("target 1", value, 2 * synthetic.X)
    axes = panel(draw(synthetic.audit("huge", [line])), "value: target 1")
    assert 100 < axes.get_ylim()[1] < 1000


def test_targets_share_their_axes_unless_one_would_be_flat():
    picture = draw(synthetic.huber())
    for what in ("value", "gradient"):
        axes = [panel(picture, f"{what}: target {target}") for target in (0, 1, -3)]
        assert len({one.get_ylim() for one in axes}) == 1
    picture = draw(synthetic.many_targets())
    limits = {t: panel(picture, f"value: target {t}").get_ylim() for t in (0, 50)}
    assert limits[0][0] > limits[50][1]


@pytest.mark.parametrize("audits", SETS.values(), ids=SETS)
def test_panels_without_numbers_have_the_axis_of_the_first(audits):
    picture = draw(*audits)
    for what in ("value", "gradient"):
        row = [axes for axes in picture.figure.axes if axes.get_label().startswith(f"{what}: ")]
        silent = [axes for axes in row if not axes.yaxis.get_tick_params()["labelleft"]]
        assert all(axes.get_ylim() == row[0].get_ylim() for axes in silent)


def test_several_losses_lie_on_the_same_axes():
    audits = [synthetic.hinge(), synthetic.zero_one(), synthetic.exponential(), synthetic.refused()]
    picture = draw(*audits)
    for what in ("value", "gradient"):
        for target in (0, 1):
            lines = by_gid(panel(picture, f"{what}: target {target}"), f"line {what}")
            assert len(lines) == 3
            assert len({line.get_color() for line in lines}) == 3
            assert len({str(line._unscaled_dash_pattern) for line in lines}) == 3
        axes = [panel(picture, f"{what}: target {target}") for target in (0, 1)]
        assert len({one.get_xlim() for one in axes}) == 1
    values = [panel(picture, f"value: target {target}").get_ylim() for target in (0, 1)]
    assert values[0] == values[1]
    x, _ = [line.get_data() for line in by_gid(axes[1], "line gradient")][1]
    assert not crosses(x, 0.0)


def test_an_unbounded_loss_does_not_flatten_the_others():
    alone = panel(draw(synthetic.exponential()), "value: target 1").get_ylim()
    together = draw(synthetic.hinge(), synthetic.clipped_cross_entropy(), synthetic.exponential())
    low, high = panel(together, "value: target 1").get_ylim()
    assert alone[1] > 500
    assert 16.2 < high < 60 and low > -10
    assert "% of the value at target 1" in together.caption


def test_dead_regions_of_several_losses_are_bars_in_their_colors():
    audits = [synthetic.hinge(), synthetic.zero_one(), synthetic.clipped_cross_entropy()]
    picture = draw(*audits)
    axes = panel(picture, "gradient: target 1")
    colors = [line.get_color() for line in by_gid(axes, "line gradient")]
    bottoms, tops = [], []
    for audit, color in zip(audits, colors, strict=True):
        intervals = audit["shapes"]["lines"][0]["dead"]
        bars = by_gid(axes, f"dead {audit['loss']}")
        bar_intervals = [[bar.get_x(), bar.get_x() + bar.get_width()] for bar in bars]
        assert bar_intervals == intervals
        assert all(same_color(bar.get_facecolor(), color) for bar in bars)
        bottoms += [bar.get_y() for bar in bars]
        tops += [bar.get_y() + bar.get_height() for bar in bars]
    assert 0 < bottoms[0] < tops[0] < bottoms[1] < tops[1]
    lowest = min(np.nanmin(line.get_ydata()) for line in by_gid(axes, "line gradient"))
    assert axes.transData.inverted().transform(axes.transAxes.transform((0, max(tops))))[1] < lowest


def test_the_legend_has_the_verdict_of_each_loss_and_the_caption_its_reasons():
    picture = draw(synthetic.squared(), synthetic.zero_one(), synthetic.refused())
    assert legend(picture) == [
        "squared_error: trainable",
        ":zero_one: untrainable",
        ":numpy_loss: not audited",
    ]
    assert "squared_error: trainable." in picture.caption
    assert "my_losses.py:zero_one: untrainable (G201 my_losses.py:31, D101" in picture.caption


def test_failed_audits_are_named_and_not_drawn():
    alone = draw(synthetic.refused())
    assert alone.figure.axes == [] and legend(alone) == [":numpy_loss: not audited"]
    together = draw(synthetic.huber(), synthetic.refused())
    assert len(by_gid(panel(together, "value: target 0"), "line value")) == 1
    assert "Not audited and not drawn: my_losses.py:numpy_loss." in together.caption


def test_the_same_loss_twice_is_numbered():
    picture = draw(synthetic.huber(), synthetic.huber())
    assert legend(picture) == ["huber: trainable", "huber (2): trainable"]


def test_the_limit_shows_both_sides_and_autodiff():
    axes = panel(draw(synthetic.absolute()), "limit")
    left, right, autodiff = axes.get_lines()
    assert left.get_ydata().tolist() == [-1] * 8 and right.get_ydata().tolist() == [1] * 8
    assert set(autodiff.get_ydata()) == {0}
    assert axes.get_xscale() == "log" and axes.get_yscale() == "linear"
    low, high = axes.get_xlim()
    assert low > 0.1 and high < 1e-8  # steps shrink to the right
    entries = [text.get_text() for text in axes.get_legend().get_texts()]
    assert entries == ["left \N{MINUS SIGN}1", "right 1", "autodiff 0"]


def test_a_diverging_quotient_has_a_logarithmic_scale():
    axes = panel(draw(synthetic.zero_one()), "limit")
    assert axes.get_yscale() == "symlog"
    low, high = axes.get_ylim()
    assert low < -1e8 and high > 0


def test_arrows_point_down_and_are_omitted_at_zero_gradients():
    axes = panel(draw(synthetic.multiclass_hinge()), "plane")
    (arrows,) = [child for child in axes.get_children() if isinstance(child, Quiver)]
    assert len(arrows.U) > 20
    active = 1 + arrows.Y - arrows.X > 0
    assert active.all()
    assert (arrows.U > 0).all() and (arrows.V < 0).all()
    assert pytest.approx(-arrows.V) == arrows.U
    assert _hatched(axes) == ["...."]
    assert _hatched(panel(draw(synthetic.softmax_cross_entropy()), "plane")) == []


def _hatched(axes):
    sets = [child for child in axes.get_children() if isinstance(child, ContourSet)]
    return [one.hatches[0] for one in sets if one.hatches and one.hatches[0]]


def test_contours_omit_non_finite_values():
    axes = panel(draw(synthetic.holed()), "plane")
    filled = next(child for child in axes.get_children() if isinstance(child, ContourSet))
    vertices = np.concatenate([path.vertices for path in filled.get_paths() if len(path.vertices)])
    assert (vertices.prod(axis=1) > 0).all()


def test_planes_of_several_losses_share_their_axes():
    picture = draw(
        synthetic.softmax_cross_entropy(), synthetic.hinge(), synthetic.multiclass_hinge()
    )
    planes = [axes for axes in picture.figure.axes if axes.get_label().startswith("plane")]
    assert [axes.get_label() for axes in planes] == [
        "plane: softmax_cross_entropy",
        "plane: crammer_singer",
    ]
    assert len({(axes.get_xlim(), axes.get_ylim()) for axes in planes}) == 1
    assert "target (1, 0, 0)" in picture.caption


@pytest.mark.parametrize("suffix", [".png", "pdf", ".SVG"])
def test_the_same_audits_give_the_same_bytes(suffix, outlined_fonts, monkeypatch):
    monkeypatch.setitem(style.SETTINGS, "pdf.fonttype", outlined_fonts)
    start = {".png": b"\x89PNG", "pdf": b"%PDF", ".SVG": b"<?xml"}[suffix]
    audits = [synthetic.multiclass_hinge(), synthetic.zero_one()]
    once, twice = (rendering.image_bytes(draw(*audits), suffix) for _ in range(2))
    assert once.startswith(start) and once == twice
    if suffix == "pdf":  # letters can be searched and edited, as journals ask
        assert b"/FontFile2" in once and b"/Type3" not in once


@pytest.mark.parametrize("suffix", [".jpg", "", "gif"])
def test_an_unknown_suffix_is_an_error_that_lists_the_known_ones(suffix):
    with pytest.raises(UserError) as caught:
        rendering.image_bytes(draw(synthetic.huber()), suffix)
    assert all(kind in str(caught.value) for kind in (".png", ".pdf", ".svg"))


def test_drawing_no_audits_is_a_user_error():
    with pytest.raises(UserError):
        shapes([])


def test_matplotlib_settings_are_restored():
    rendering.image_bytes(draw(synthetic.huber()), "svg")
    assert mpl.rcParams["svg.hashsalt"] == mpl.rcParamsDefault["svg.hashsalt"]


def test_wrapped_lines_fit_the_width_and_keep_all_words_that_fit():
    with rendering.report_style():
        for text in ("W" * 300, "il " * 200, "a" * 30 + " " + "b" * 200):
            lines = fitted_text.wrap(text, 2.0, 100)
            assert all(fitted_text.inches(line) <= 2.0 for line in lines)
            (short,) = fitted_text.wrap(text, 2.0, 1)
            assert short.endswith("…") and fitted_text.inches(short) <= 2.0
        message = " ".join(f"word{number}" for number in range(40))
        assert " ".join(fitted_text.wrap(message, 2.0, 100)) == message


def test_names_wider_than_a_column_break_after_underscores_and_keep_their_options():
    with rendering.report_style():
        assert fitted_text.wrap("softmax_cross_entropy_smoothed", 1.2, 2) == [
            "softmax_cross_",
            "entropy_smoothed",
        ]
        assert fitted_text.wrap("clipped_squared_error (limit 0.1)", 1.3, 2) == [
            "clipped_squared_error",
            "(limit 0.1)",
        ]


def test_titles_end_within_a_narrow_figure():
    with rendering.report_style(appearance.settings(width=3.5)):
        figure, axes = panel_layout.panels(2, 2, 1.0)
        titles = []
        for panel in axes:
            panel.set_ylabel("two lines\nof a label")
            panel_layout.set_title(panel, "(d) accuracy around the trained point")
            titles += [text for text in panel.findobj(Text) if "(d)" in text.get_text()]
        figure.settle()
        ends = [title.get_window_extent().x1 for title in titles]
    assert len(ends) == 2 and max(ends) <= figure.bbox.x1 + 1
