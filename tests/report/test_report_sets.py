"""Sets of lines and planes: labels, missing and non-finite values, files of older reports."""

import json
import re
from dataclasses import replace

import numpy as np
import pytest
from helpers.blank_figures import blank_figures
from ruamel.yaml import YAML
from synthetic_measures import EIGENVECTOR, MIXED, PATH, radius
from synthetic_runs import LOSSES, Loss, write_experiment

from landscape.report import solutions
from landscape.report.assemble import build
from landscape.report.comparison import compare
from landscape.report.figures import (
    bundles,
    contours,
    convexity_maps,
    line_panels,
    plane_panels,
    rendering,
)
from landscape.report.figures.view import make_view
from landscape.report.results import read
from landscape.report.run_measures import slice_measures
from landscape.report.sets import labels, sets, slugs
from landscape.report.tables import failures

pytestmark = pytest.mark.usefixtures("unrendered_figures")

HOSTILE = {
    "random": "$x$ <b>",
    EIGENVECTOR: "a|b_c & {d}",
    PATH: "<script>alert(1)",
    MIXED: "50 % #1 ~^\\",
}


def load_view(directory):
    results = read(directory)
    return make_view(results, compare(results))


def rewrite(directory, change):
    """Applies `change` to the arrays of every slices.npz."""
    for path in (directory / "runs").glob("*/slices.npz"):
        with np.load(path) as arrays:
            contents = {name: arrays[name] for name in arrays.files}
        np.savez(path, **change(contents))


def relabel(name):
    place, kind, *rest = name.split("/")
    if kind not in ("lines", "planes"):
        return name
    return "/".join([place, kind, HOSTILE.get(rest[0], rest[0]), *rest[1:]])


def test_labels_come_in_the_order_of_the_file(experiment):
    run = next(run for run in read(experiment[0]).runs if run.slices)
    assert labels(run, "lines") == ["random", EIGENVECTOR]
    assert labels(run, "planes") == ["random", PATH, MIXED]
    plane_sets = sets([run], "planes")
    assert [plane_set.slug for plane_set in plane_sets] == [
        "",
        "trajectory_trajectory_component_2",
        "eigenvector_random",
    ]
    assert [d.name for plane_set in plane_sets for d in plane_set.axes] == (
        ["random"] * 2 + ["trajectory"] * 2 + ["eigenvector", "random"]
    )


def test_slugs_are_distinct_and_never_end_like_a_point():
    names = ["a b", "a-b", "A  B", "日本", "%", "initial", "x initial", "a_b_2", "a_b_initial"]
    distinct = slugs(names)
    assert len(set(distinct)) == len(names)
    assert all(re.fullmatch(r"[a-z0-9_]+", slug) for slug in distinct)
    assert not any(re.search(r"(^|_)(initial|trained)$", slug) for slug in distinct)


def test_the_comparison_takes_the_first_set(experiment):
    run = next(run for run in read(experiment[0]).runs if run.name == "hinge-0-1")
    both = slice_measures(run)
    only = {name: a for name, a in run.slices.items() if EIGENVECTOR not in name}
    assert slice_measures(replace(run, slices=only)) == both
    others = {name: a for name, a in run.slices.items() if "/random/" not in name}
    assert slice_measures(replace(run, slices=others)) != both


def test_lines_of_different_radii_are_drawn_over_the_radius(experiment):
    shown = load_view(experiment[0])
    plain, axis = (bundles.distance(shown, lines, "trained") for lines in shown.lines)
    assert not plain.relative and plain.label.endswith("filter norms)")
    radii = [radius(run.seed) for runs in shown.runs.values() for run in runs if run.slices]
    assert axis.relative
    assert axis.label == (
        f"distance / radius found (median {np.median(radii):.2g} \N{MULTIPLICATION SIGN} "
        "parameter norm)"
    )
    bundle = bundles.bundle(shown.runs["hinge"], shown.lines[1], "trained", "risk", True)
    assert bundle.values.shape == (6, 41)
    assert bundle.coordinates == pytest.approx(np.linspace(-1, 1, 41))
    assert bundle.radius == pytest.approx(np.median([radius(seed) for seed in range(6)]))


def test_equal_radii_need_no_scaling(tmp_path):
    shown = load_view(write_experiment(tmp_path / "x", LOSSES[:2], 1))
    axis = bundles.distance(shown, shown.lines[1], "trained")
    assert not axis.relative and axis.label.startswith("distance (")


def test_the_caption_counts_radii_that_were_not_found(experiment):
    shown = load_view(experiment[0])
    with rendering.report_style():
        picture = line_panels.risk_along_lines(shown, shown.lines[1], "trained")
    assert "In 6 of 27 runs the risk never rose to the requested level" in picture.caption


def test_axes_have_the_names_of_their_directions(experiment):
    shown = load_view(experiment[0])
    with rendering.report_style():
        path = contours.contours(shown, shown.planes[1], "trained")
        mixed = convexity_maps.convexity(shown, shown.planes[2], "trained")
        assert convexity_maps.convexity(shown, shown.planes[0], "trained") is None
    first = [axes for axes in path.figure.axes if axes.get_title(loc="left")]
    assert any(a.get_xlabel() == "trajectory 1 (79 % of the path)" for a in first)
    assert all("cosine 0.42" in axes.get_title(loc="left") for axes in first)
    assert {axes.get_xlabel() for axes in mixed.figure.axes} == {"eigenvector", ""}
    assert not any("cosine" in axes.get_title(loc="left") for axes in mixed.figure.axes)


def test_the_caption_has_the_share_of_the_path_in_the_plane(experiment):
    shown = load_view(experiment[0])
    with rendering.report_style():
        caption = contours.contours(shown, shown.planes[1], "trained").caption
    arrays = np.load(experiment[0] / "runs" / "hinge-0-4" / "slices.npz")
    x, y, away, risk, projected = (
        arrays[f"trained/planes/{PATH}/path/{name}"]
        for name in ("x", "y", "distance", "risk", "projected_risk")
    )
    (first, second), cosine = arrays[f"trained/planes/{PATH}/norm"][0], 0.42
    basis = np.array([[first, 0.0], [second * cosine, second * np.sqrt(1 - cosine**2)]])
    within = np.linalg.norm(np.stack([x, y], axis=1) @ basis, axis=1)
    off = np.median(away[:-1] / np.hypot(within, away)[:-1])
    misread = np.median(np.abs(risk - projected)) / np.ptp(risk)
    wrong = "<1" if misread < 0.01 else f"{100 * misread:.0f}"
    assert f"hinge: {100 * off:.0f} % off the plane, risk off by {wrong} %" in caption


def test_hostile_labels_are_escaped_everywhere(tmp_path):
    directory = write_experiment(tmp_path / "x", (Loss("a"), Loss("$y$<i>", 0.9)), 1)
    rewrite(directory, lambda arrays: {relabel(name): a for name, a in arrays.items()})
    with blank_figures(laid_out=True):
        report = build(directory).directory
    page = (report / "index.html").read_text()
    for label in HOSTILE.values():
        assert ("<" not in label) or label not in page
    assert "&lt;script&gt;alert(1)" in page and "$x$ &lt;b&gt;" in page
    assert "<i>" not in page
    for path in (report / "tables").glob("*.md"):
        rows = path.read_text().splitlines()
        assert len({len(re.findall(r"(?<!\\)\|", row)) for row in rows}) == 1
        assert "<b>" not in path.read_text() and "<script>" not in path.read_text()
    for path in (report / "tables").glob("*.tex"):
        rows = [row for row in path.read_text().splitlines() if row.endswith(r"\\")]
        assert len({len(re.findall(r"(?<!\\)&", row)) for row in rows}) == 1
    latex = (report / "tables" / "geometry.tex").read_text()
    assert r"a\textbar{}b\_c \& \{d\}" in latex and r"\$x\$ \textless{}b\textgreater{}" in latex
    names = {path.name for path in (report / "figures").iterdir()}
    assert all(re.fullmatch(r"[a-z0-9_]+\.(png|pdf|csv)", name) for name in names)
    assert {"contours.png", "contours_script_alert_1.png", "convexity_50_1.png"} <= names


def test_figures_of_removed_sets_are_deleted(tmp_path):
    directory = write_experiment(tmp_path / "x", LOSSES[:1], 1)
    folder = build(directory).directory / "figures"
    assert (folder / "slices_risk_eigenvector.png").exists()
    for name in ("mine.png", "contours_of_mine.svg", "contours of mine.png", "summary.txt"):
        (folder / name).write_bytes(b"kept")
    rewrite(directory, lambda arrays: {n: a for n, a in arrays.items() if EIGENVECTOR not in n})
    (directory / "across.json").unlink()
    for path in (directory / "runs").glob("*/curvature.json"):
        path.unlink()
    report = build(directory).directory
    left = {path.name for path in folder.iterdir()}
    assert {"mine.png", "contours_of_mine.svg", "contours of mine.png", "summary.txt"} <= left
    gone = ("eigenvector", "convexity", "curvature", "across", "interpolations", "directions")
    assert not [name for name in left if name.startswith(gone) or "eigenvector" in name]
    tables = {path.stem for path in (report / "tables").iterdir()}
    assert tables == {"comparison", "geometry", "geometry_planes", "checks"}


def test_all_values_may_be_nan(tmp_path):
    directory = write_experiment(tmp_path / "x", (Loss("a"), Loss("b", 0.9)), 2)
    rewrite(
        directory,
        lambda arrays: {
            n: a if n.endswith(("coordinates", "/x", "/y", "keys")) else np.full(a.shape, np.nan)
            for n, a in arrays.items()
        },
    )
    for path in (directory / "runs").glob("*/curvature.json"):
        record = json.loads(path.read_text(), parse_float=lambda _: None)
        path.write_text(json.dumps(record))
    across = json.loads((directory / "across.json").read_text(), parse_float=lambda _: None)
    for segment in across["interpolations"]:
        segment["coordinates"] = np.linspace(0, 1, len(segment["coordinates"])).tolist()
    (directory / "across.json").write_text(json.dumps(across))
    results = read(directory)
    assert not results.problem and not len(failures(results))
    with blank_figures(laid_out=True):
        report = build(directory)
    assert report.failed == [] and "the height is undefined" in report.index.read_text()
    assert report.comparison["relative_rise"].isna().all()


def test_slices_at_the_initial_point_have_separate_figures(tmp_path):
    directory = write_experiment(tmp_path / "x", LOSSES[:1], 1)
    rewrite(
        directory,
        lambda arrays: (
            arrays
            | {name.replace("trained/", "initial/", 1): array for name, array in arrays.items()}
        ),
    )
    path = next((directory / "runs").glob("*/curvature.json"))
    record = json.loads(path.read_text())
    record["points"].append(record["points"][0] | {"place": "initial", "step": 0})
    path.write_text(json.dumps(record))
    names = {path.stem for path in (build(directory).directory / "figures").iterdir()}
    stems = ("slices_risk", "slices_risk_eigenvector", "directions", "curvature")
    stems += ("contours", "surfaces", "convexity_eigenvector_random")
    assert {f"{stem}_initial" for stem in stems} | set(stems) <= names


def test_axes_come_from_the_labels_if_the_config_has_no_slices(tmp_path):
    directory = write_experiment(tmp_path / "x", LOSSES[:1], 1)
    path = directory / "runs" / "cross_entropy-0-0" / "config.yaml"
    config = YAML(typ="safe").load(path.read_text())
    config["slices"] = None
    with path.open("w") as file:
        YAML(typ="safe").dump(config, file)
    (run,) = read(directory).runs
    names = [[axis.name for axis in plane_set.axes] for plane_set in sets([run], "planes")]
    assert names == [["random"] * 2, ["trajectory"] * 2, ["eigenvector", "random"]]


@pytest.mark.parametrize("content", [b"{", b"[]", b'{"metric": 1}', b'{"solutions": [{}]}'])
def test_a_damaged_file_across_runs_is_reported(tmp_path, content):
    directory = write_experiment(tmp_path / "x", (Loss("a"),), 1, with_slices=False)
    (directory / "across.json").write_bytes(content)
    results = read(directory)
    assert results.across is None and "across.json cannot be read" in results.problem
    page = build(directory).index.read_text()
    assert "Measurements across runs are left out: across.json cannot be read" in page


def test_without_slices_the_page_has_no_sections_for_them(tmp_path):
    report = build(write_experiment(tmp_path / "x", LOSSES[:2], 1, with_slices=False))
    ids = re.findall(r'<section id="([a-z]+)"', report.index.read_text())
    assert ids == ["answer", "training", "numbers", "definitions", "settings"]


def test_solutions_are_compared_within_each_point_of_a_sweep(tmp_path):
    sweep = {"optimizer.learning_rate": [0.1, 0.001]}
    directory = write_experiment(tmp_path / "x", (Loss("a", 0.97), Loss("b", 0.9)), 1, sweep=sweep)
    results = read(directory)
    rows = compare(results)
    rates = ("(learning_rate=0.001)", "(learning_rate=0.1)")
    groups = solutions.groups(results, rows)
    assert [group.names for group in groups] == [(f"a {rate}", f"b {rate}") for rate in rates]
    excess = solutions.matrix(groups[0]).excess
    assert excess.shape == (2, 2) and np.diag(excess) == pytest.approx(0)
    assert {segment.losses for segment in solutions.interpolations(groups[1], "losses")} == {
        groups[1].names
    }


def test_losses_with_different_swept_options_are_compared(tmp_path):
    """If one loss has a swept option, runs with different swept values share initial params."""
    directory = write_experiment(tmp_path / "x", (Loss("a"), Loss("b", 0.9)), 2)
    for path in (directory / "runs").glob("b-*/config.yaml"):
        config = YAML(typ="safe").load(path.read_text())
        config["swept"] = {"losses.b.gamma": 2}
        with path.open("w") as file:
            YAML(typ="safe").dump(config, file)
    results = read(directory)
    (group,) = solutions.groups(results, compare(results))
    assert group.names == ("a", "b") and np.isfinite(solutions.matrix(group).excess).all()


def test_runs_that_are_no_longer_planned_are_left_out(tmp_path):
    directory = write_experiment(tmp_path / "x", (Loss("a"), Loss("b", 0.9)), 1)
    (directory / "plan.json").write_text(json.dumps(["a-0-0"]))
    results = read(directory)
    (group,) = solutions.groups(results, compare(results))
    assert group.names == ("a",) and solutions.interpolations(group, "losses") == []
    assert solutions.matrix(group).excess.tolist() == [[0.0]]


def test_every_draw_of_a_plane_is_shown_with_its_number(tmp_path):
    directory = write_experiment(tmp_path / "experiment", LOSSES[:2], seeds=1)
    for path in directory.glob("runs/*/slices.npz"):
        arrays = dict(np.load(path))
        for name in [n for n in arrays if n.startswith("trained/planes/random/")]:
            last = name.rpartition("/")[2]
            if last not in ("x", "y", "radius"):
                arrays[name] = np.concatenate([arrays[name], 2 * arrays[name]])
        np.savez(path, **arrays)
    results = read(directory)
    with rendering.report_style():
        shown = make_view(results, compare(results))
        planes = plane_panels.planes(shown, shown.planes[0], "trained")
        picture = contours.contours(shown, shown.planes[0], "trained")
    assert [plane.draw for plane in planes] == [(1, 2), (2, 2)] * 2
    np.testing.assert_array_equal(planes[1].values, 2 * planes[0].values)
    titles = [axes.get_title(loc="left") for axes in picture.figure.axes]
    assert [title.split("\n")[1][:19] for title in titles if title] == [
        "seed 0, draw 1 of 2",
        "seed 0, draw 2 of 2",
    ] * 2
