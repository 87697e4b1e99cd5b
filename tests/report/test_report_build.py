"""The whole report: its files, its texts, and its treatment of damaged files."""

import base64
import hashlib
import io
import itertools
import json
import re
import subprocess
import sys
import threading
import zlib
from concurrent.futures import Future
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import matplotlib as mpl
import numpy as np
import pandas as pd
import pytest
from helpers.blank_figures import blank_figures, rendered_figures
from matplotlib.ticker import FuncFormatter
from PIL import Image
from ruamel.yaml import YAML
from synthetic_runs import LOSSES, Loss, audit, write_experiment

from landscape.errors import UserError
from landscape.report import figure_process, page_images, tables
from landscape.report.assemble import build
from landscape.report.comparison import comparison_frame
from landscape.report.figures import rendering
from landscape.report.figures.panel_layout import PanelFigure
from landscape.report.results import read
from landscape.report.tables import failures

FIGURES = (
    "summary",
    "learning_curves",
    "risk",
    "gradient_norm",
    "dead_fractions",
    "slices_risk",
    "slices_metric",
    "slices_risk_eigenvector",
    "directions",
    "contours",
    "surfaces",
    "contours_trajectory_trajectory_component_2",
    "surfaces_trajectory_trajectory_component_2",
    "contours_eigenvector_random",
    "surfaces_eigenvector_random",
    "convexity_eigenvector_random",
    "curvature",
    "curvature_path",
    "across",
    "interpolations_seeds",
    "interpolations_losses",
)
TABLES = (
    "comparison",
    "failures",
    "curvature",
    "geometry",
    "geometry_planes",
    "across",
    "interpolations",
    "checks",
)


class Page(HTMLParser):
    """Collects tags, ids, texts and links."""

    def __init__(self, text):
        super().__init__()
        self.tags, self.ids, self.text, self.outside = [], [], [], []
        self._inside = ""
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        attributes = dict(attributes)
        self.tags.append((tag, attributes))
        self._inside = tag
        if "id" in attributes:
            self.ids.append(attributes["id"])
        for name in ("src", "href"):
            link = attributes.get(name, "#")
            if not link.startswith(("#", "data:")):
                self.outside.append(link)

    def handle_data(self, data):
        if self._inside not in ("script", "style"):
            self.text.append(data)


@pytest.fixture(scope="module")
def page(experiment):
    return Page(experiment[1].index.read_text(encoding="utf-8"))


def test_every_figure_and_table_is_there(experiment):
    folder = experiment[0] / "report"
    for name in FIGURES:
        assert (folder / "figures" / f"{name}.png").read_bytes().startswith(b"\x89PNG")
        assert (folder / "figures" / f"{name}.pdf").read_bytes().startswith(b"%PDF")
    assert {path.stem for path in (folder / "figures").iterdir()} == set(FIGURES)
    for name in TABLES:
        assert all(
            (folder / "tables" / f"{name}.{kind}").stat().st_size for kind in ("csv", "md", "tex")
        )
    assert not [path for path in folder.rglob("*") if path.name.startswith(".")]


def test_the_page_needs_nothing_from_outside(experiment, page):
    folder = experiment[0] / "report"
    assert page.outside and all(link.startswith("figures/") for link in page.outside)
    assert all((folder / link).is_file() for link in page.outside)
    assert {Path(link).stem for link in page.outside} == set(FIGURES)
    styles = "".join(re.findall(r"<style>(.*?)</style>", experiment[1].index.read_text(), re.S))
    assert "url(" not in styles and "@import" not in styles
    assert len([tag for tag, _ in page.tags if tag == "script"]) == 4


def test_phones_get_figures_but_surfaces_at_a_readable_size(rendered):
    assert_readable_on_phones(rendered[1], names_of_figures(rendered[1]))


@pytest.mark.exhaustive  # the test above has some of the figures
def test_phones_get_every_figure_but_surfaces_at_a_readable_size(tmp_path):
    directory = write_experiment(tmp_path / "x", LOSSES[:2], 2)
    assert_readable_on_phones(build(directory), FIGURES)


def names_of_figures(report):
    return {path.stem for path in (report.directory / "figures").iterdir()}


def assert_readable_on_phones(report, names):
    page = Page(report.index.read_text(encoding="utf-8"))
    sources = [attributes for tag, attributes in page.tags if tag == "source"]
    surfaces = [name for name in names if name.startswith("surfaces")]
    assert surfaces and len(sources) == len(names) - len(surfaces)
    for attributes in sources:
        assert attributes["media"] == "(max-width: 600px)"
        size = int(attributes["width"]), int(attributes["height"])
        data = attributes["srcset"].removeprefix("data:image/webp;base64,")
        with Image.open(io.BytesIO(base64.b64decode(data))) as image:
            assert image.format == "WEBP" and image.size == size
        # A phone that is 420 px wide shows them at 370 px; text of 8 pt is drawn at 150 dpi.
        assert 370 / size[0] * 150 * 8 / 72 > 11


def test_the_policy_of_the_page_allows_its_scripts_alone(experiment, page):
    """A script that someone's text brought into the page would not be executed by a browser."""
    meta = next(
        attributes for tag, attributes in page.tags if tag == "meta" and len(attributes) == 2
    )
    assert meta["http-equiv"] == "Content-Security-Policy"
    rules = dict(rule.split(" ", 1) for rule in meta["content"].split("; "))
    assert rules["default-src"] == rules["base-uri"] == rules["form-action"] == "'none'"
    assert rules["img-src"] == "data:" and "connect-src" not in rules
    text = experiment[1].index.read_text(encoding="utf-8")
    scripts = re.findall(r"<script>(.*?)</script>", text, re.S)
    (packed,) = re.findall(r'<script id="surface-library"[^>]*>(.*?)</script>', text, re.S)
    library = zlib.decompress(base64.b64decode(packed))
    assert b"plotly.js v" in library[:200]
    digests = [hashlib.sha256(s).digest() for s in [*(s.encode() for s in scripts), library]]
    listed = [f"'sha256-{base64.b64encode(digest).decode()}'" for digest in digests]
    assert rules["script-src"].split() == listed and len(listed) == 3
    assert not [name for _, attributes in page.tags for name in attributes if name.startswith("on")]


def test_the_page_has_the_findings(experiment, page):
    text = re.sub(r"\s+", " ", "".join(page.text))
    for finding in experiment[1].comparison["finding"]:
        assert finding in text
    assert "dead components" in text and "numpy" in text


def test_names_and_errors_are_escaped(experiment):
    text = experiment[1].index.read_text()
    assert "<script>alert" not in text and "bad_<b>" not in text
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in text


def test_the_page_is_sound_html(page):
    assert len(page.ids) == len(set(page.ids))
    images = [attributes for tag, attributes in page.tags if tag == "img"]
    assert len(images) == len(FIGURES) and all(image["alt"] for image in images)
    assert all("scope" in attributes for tag, attributes in page.tags if tag == "th")
    links = [attributes["href"] for tag, attributes in page.tags if tag == "a"]
    assert {link[1:] for link in links if link.startswith("#")} <= set(page.ids)
    levels = [int(tag[1]) for tag, _ in page.tags if tag in ("h1", "h2", "h3", "h4")]
    assert levels[0] == 1 and levels.count(1) == 1
    assert all(after - before <= 1 for before, after in itertools.pairwise(levels))
    assert {"header", "nav", "main", "footer"} <= {tag for tag, _ in page.tags}
    boxes = [attributes for tag, attributes in page.tags if tag == "div"]
    scrolled = [a for a in boxes if a.get("class", "").startswith(("scroll", "picture"))]
    assert scrolled and all(a["aria-label"] and a["tabindex"] == "0" for a in scrolled)


def test_the_surfaces_are_data_without_nan(experiment):
    text = experiment[1].index.read_text()
    match = re.search(r'<script id="surface-data" type="application/json">(.*?)</script>', text)
    data = json.loads(match[1], parse_constant=lambda name: pytest.fail(name))
    assert len(data["items"]) == 5 * 3
    item = next(i for i in data["items"] if i["loss"] == "cross_entropy" and "random" in i["name"])
    seed = int(re.search(r"seed (\d)", item["name"])[1])
    stored = np.load(experiment[0] / "runs" / f"cross_entropy-0-{seed}" / "slices.npz")
    assert np.array(item["risk"]) == pytest.approx(
        stored["trained/planes/random/risk"][0], rel=1e-4
    )
    holed = next(item for item in data["items"] if item["loss"] == "exponential")
    assert any(value is None for row in holed["risk"] for value in row)


def test_all_losses_are_shown_at_the_seed_closest_to_the_median(experiment):
    """Losses of one seed share their directions; a plane of another seed shows another slice."""
    finals: dict[str, dict[int, float]] = {}
    for path in experiment[0].glob("runs/*/slices.npz"):
        config = YAML(typ="safe").load(path.with_name("config.yaml"))
        trace = pd.read_parquet(path.with_name("trace.parquet"))["accuracy"]
        diverged = "diverged" in path.with_name("status.json").read_text()
        values = finals.setdefault(config["loss"]["label"], {})
        values[config["seed"]] = trace.iloc[0 if diverged else -1]
    shared = set.intersection(*map(set, finals.values()))
    off_middle = dict.fromkeys(shared, 0.0)
    for values in finals.values():
        order = sorted(values, key=lambda seed: (values[seed], seed))
        for seed in shared:
            off_middle[seed] += abs(order.index(seed) - (len(order) - 1) / 2)
    wanted = min(shared, key=lambda seed: (off_middle[seed], seed))
    shown = re.findall(r"seed (\d)\"", experiment[1].index.read_text())
    assert len(shown) >= len(finals) >= 2
    assert {int(seed) for seed in shown} == {wanted}


def test_the_same_runs_give_the_same_bytes_also_with_a_second_process(rendered, monkeypatch):
    def files():
        report = rendered[0] / "report"
        return {path.name: path.read_bytes() for path in report.rglob("*") if path.is_file()}

    def in_this_process(*_):
        pytest.fail("the second process has not rendered a figure")

    once = files()
    monkeypatch.setattr(figure_process, "_has_second_core", lambda: True)
    monkeypatch.setattr(rendering, "pdf_bytes", in_this_process)
    monkeypatch.setattr(Future, "cancel", lambda future: False)  # nothing is taken back
    with rendered_figures(*names_of_figures(rendered[1])), figure_process.started() as process:
        monkeypatch.setattr(page_images, "phone_image", in_this_process)
        build(rendered[0], process)
    twice = files()
    assert once.keys() == twice.keys()
    assert [name for name in once if once[name] != twice[name]] == []


@pytest.mark.parametrize("python", [sys.executable, "/bin/false"])
def test_a_figure_that_the_second_process_cannot_render_is_rendered_in_this_one(
    monkeypatch, python
):
    """It cannot be sent to the first; the second ends at once."""
    figure = PanelFigure(figsize=(1, 1))
    panel = figure.add_subplot()
    if python == sys.executable:
        panel.xaxis.set_major_formatter(FuncFormatter(lambda value, _: "text"))
    monkeypatch.setattr(figure_process, "_has_second_core", lambda: True)
    monkeypatch.setattr(sys, "executable", python)
    with figure_process.started() as process:
        pdf = process.pdf(figure)
        assert pdf() == rendering.pdf_bytes(figure)


def test_figures_that_the_second_process_has_not_begun_are_rendered_in_this_one():
    """The first request keeps it busy until all that wait for it have their bytes."""
    figures = [PanelFigure(figsize=(width, 1)) for width in (1, 2, 3)]
    begun, released = threading.Event(), threading.Event()

    def exchange(request):
        begun.set()
        assert released.wait(20)
        return b"+from the second process"

    process = figure_process.FigureProcess(exchange)
    first, *others = [process.pdf(figure) for figure in figures]
    assert begun.wait(20)
    for pdf, figure in zip(reversed(others), reversed(figures), strict=False):
        assert pdf() == rendering.pdf_bytes(figure)
    released.set()
    assert first() == b"from the second process"


def test_the_settings_of_matplotlib_are_restored(experiment):
    assert mpl.rcParams["axes.grid"] == mpl.rcParamsDefault["axes.grid"]
    assert mpl.rcParams["font.size"] == mpl.rcParamsDefault["font.size"]


def test_a_report_is_built_without_jax(tmp_path):
    """With the figure of its audits, which `landscape audit` draws alone."""
    losses = (replace(LOSSES[0], audit=audit("care", ("D102", "warning", "a kink"))),)
    write_experiment(tmp_path / "x", losses, 1, with_slices=False)
    code = """if True:
        import pathlib, sys
        sys.path.insert(0, sys.argv[1])
        from helpers.blank_figures import rendered_figures
        from landscape.report.assemble import build
        with rendered_figures("audit", "summary"):
            report = build(pathlib.Path("x"))
        files = {path.name for path in (report.directory / "figures").iterdir()}
        assert {"audit.png", "audit.pdf", "summary.png"} < files
        names = {name.split(".")[0] for name in sys.modules}
        assert not names & {"jax", "optax", "equinox"}
        assert "landscape.audit.judge" not in sys.modules
        assert "matplotlib.pyplot" not in sys.modules
    """
    tests = str(Path(__file__).parents[1])
    subprocess.run([sys.executable, "-c", code, tests], check=True, cwd=tmp_path)


def test_one_loss_and_one_seed(tmp_path):
    with blank_figures():
        report = build(write_experiment(tmp_path / "x", LOSSES[:1], 1))
    assert report.failed == [] and np.isnan(report.comparison["low"][0])
    assert "of all" not in report.comparison["finding"][0]


def test_twelve_losses_and_a_sweep(tmp_path, monkeypatch):
    """The page has the best rows of a long table, and csv has all."""
    monkeypatch.setattr(tables, "MOST_ROWS", 20)
    losses = tuple(Loss(f"candidate_{index}", 0.5 + 0.03 * index) for index in range(12))
    sweep = {"optimizer.learning_rate": [0.001, 0.01]}
    with blank_figures():
        report = build(write_experiment(tmp_path / "x", losses, 1, with_slices=False, sweep=sweep))
    assert len(report.comparison) == 12
    assert (report.directory / "figures" / "sweep.png").exists()
    assert len((report.directory / "tables" / "sweep.csv").read_text().splitlines()) == 1 + 24
    _, _, *shown = (report.directory / "tables" / "sweep.md").read_text().splitlines()
    assert len(shown) == 20 and shown[0].startswith(r"| candidate\_11 ")
    assert "20 of 24 rows; <code>tables/sweep.csv</code> has all" in report.index.read_text()


def test_stale_files_are_removed(tmp_path):
    directory = write_experiment(tmp_path / "x", (Loss("good"), Loss("bad", fails=(0,))), 1)
    with blank_figures():
        report = build(directory).directory
    (report / "figures" / "mine.png").write_bytes(b"kept")
    assert (report / "tables" / "failures.csv").exists()
    for path in (directory / "runs").glob("*/slices.npz"):
        path.unlink()
    for path in (directory / "runs" / "bad-0-0").iterdir():
        path.unlink()
    (directory / "runs" / "bad-0-0").rmdir()
    with blank_figures():
        build(directory)
    assert not (report / "tables" / "failures.csv").exists()
    assert not (report / "figures" / "contours.pdf").exists()
    assert (report / "figures" / "mine.png").exists()


@pytest.mark.parametrize(
    ("file", "content", "reason"),
    [
        ("trace.parquet", b"PAR1 but no more", "trace.parquet cannot be read"),
        ("trace.parquet", None, "trace.parquet cannot be read"),
        ("summary.json", b"{", "summary.json cannot be read"),
        ("summary.json", b"[]", "summary.json cannot be read"),
        ("status.json", b"", "status.json cannot be read"),
        ("config.yaml", b"a: [", "config.yaml cannot be read"),
        ("config.yaml", b"- a", "config.yaml cannot be read"),
        ("slices.npz", b"PK no zip", "slices.npz cannot be read"),
        ("curvature.json", b"{", "curvature.json cannot be read"),
        ("curvature.json", b'{"points": [{}]}', "curvature.json cannot be read"),
        ("status.json", None, "the run has not finished"),
    ],
)
def test_a_damaged_file_excludes_its_run_and_is_listed(tmp_path, file, content, reason):
    directory = write_experiment(tmp_path / "x", LOSSES[:1], 2)
    path = directory / "runs" / "cross_entropy-0-1" / file
    path.unlink() if content is None else path.write_bytes(content)
    results = read(directory)
    (listed,) = failures(results).to_dict("records")
    assert listed["run"] == "cross_entropy-0-1" and reason in listed["reason"]
    seeds = 2 if file in ("slices.npz", "curvature.json") else 1
    assert comparison_frame(results)["seeds"].tolist() == [seeds]


def test_a_report_is_built_without_the_damaged_runs(tmp_path):
    directory = write_experiment(tmp_path / "x", LOSSES[:1], 4, with_slices=False)
    runs = directory / "runs"
    (runs / "cross_entropy-0-0" / "trace.parquet").write_bytes(b"")
    (runs / "cross_entropy-0-1" / "status.json").unlink()
    (runs / "cross_entropy-0-2" / "config.yaml").write_bytes(b"a: [")
    with blank_figures():
        report = build(directory)
    assert sorted(report.failed) == ["cross_entropy-0-0", "cross_entropy-0-2"]
    assert len(pd.read_csv(report.directory / "tables" / "failures.csv")) == 3
    assert "1 unfinished, 2 unreadable" in report.index.read_text()


def test_the_plan_decides_which_runs_count(tmp_path):
    directory = write_experiment(tmp_path / "x", LOSSES[:2], 2, with_slices=False)
    plan = ["hinge-0-0", "cross_entropy-0-1", "cross_entropy-0-0"]
    (directory / "plan.json").write_text(json.dumps(plan))
    results = read(directory)
    assert sorted(run.name for run in results.runs) == sorted(plan)
    assert {run.name: run.status for run in results.runs}["hinge-0-0"] == "unfinished"
    assert comparison_frame(results)["loss"].tolist() == ["cross_entropy"]
    (directory / "plan.json").write_text("[")
    with pytest.raises(UserError, match=r"plan\.json"):
        read(directory)


def test_pickled_slices_are_not_loaded(tmp_path):
    directory = write_experiment(tmp_path / "x", LOSSES[:1], 2)
    path = directory / "runs" / "cross_entropy-0-0" / "slices.npz"
    np.savez(path, **{"trained/lines/random/risk": np.array([{"a": 1}], dtype=object)})
    run, other = read(directory).runs
    assert (run.status, other.status) == ("unreadable", "done")
    assert not run.slices and "slices.npz cannot be read" in run.error


@pytest.mark.parametrize("what", ["missing", "empty", "all failed", "a file"])
def test_an_experiment_without_results_is_a_user_error(tmp_path, what):
    directory = tmp_path / "x"
    if what == "empty":
        directory.mkdir()
    if what == "all failed":
        write_experiment(directory, (Loss("bad", fails=(0, 1)),), 2)
    if what == "a file":
        directory.write_text("")
    with pytest.raises(UserError) as caught:
        build(Path(directory))
    assert str(directory) in caught.value.message and caught.value.hint
    if what == "all failed":
        assert "2 failed" in caught.value.message and "ValueError" in caught.value.message


def test_a_folder_that_cannot_be_reported_says_what_to_do(tmp_path):
    directory = write_experiment(tmp_path / "x", LOSSES[:1], 2, with_slices=False)
    (directory / "report").write_text("")
    with pytest.raises(UserError, match=r"report` is a file.*\n.*move or delete"):
        build(directory)
    (directory / "report").unlink()
    first, second = sorted((directory / "runs").iterdir())
    (first / "status.json").unlink()
    with blank_figures():
        assert "1 of 2 runs has not finished" in build(directory).record.warnings
    (second / "status.json").unlink()
    with pytest.raises(UserError, match=r"2 unfinished\n.*cannot be verified\n +wait if"):
        build(directory)
