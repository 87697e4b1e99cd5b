"""A text of someone else's is shown as a text, whatever it holds, in every file of a report."""

import csv
import html.parser
import io
import json
import re
import xml.etree.ElementTree as ET
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import synthetic_audits
from comparison_rows import comparison_row
from helpers.blank_figures import blank_figures
from helpers.command_line import invoke
from markdown_it import MarkdownIt
from matplotlib import cbook
from matplotlib.text import Text
from rich.console import Console
from synthetic_runs import Loss, audit, write_experiment

from landscape.errors import printable
from landscape.report import assemble, escapes, sets, tables, terminal
from landscape.report.figures import audit_figure, rendering, sweep_panels

PAGE = Path(__file__).parents[2] / "docs" / "results_from_elsewhere.md"
ESC, REVERSED, TAB, RETURN = "\x1b[31m", "\u202e", "\t", "\r"
CONTROLS = {"\x1b", "\x07", "\u202e", "\u2066", "\r", "\x9b", "\x00"}
# The mark `!A0` finds the text again in every format.
PRINTABLE = (
    "=1+cmd|'/c calc'!A0 </script><script>alert(1)</script><img src=x onerror=alert(1)> "
    r"[x](javascript:alert(1)) ![x](https://x.y/z) www.x.y $\frac{1}{2}$ \input{x} `x` ]]> --> "
)
NASTY = f"{PRINTABLE}{ESC}{REVERSED}{TAB}{RETURN}"
LABEL = r"=1!A0 <b>[x](javascript:y) $\frac{1}{2}$ | \input{x} www.x.y"
SWEPT = "@=2!A0 <b>[x](javascript:y) $a$ |"
METRIC = r"$a$ =1!A0 <b>[x](javascript:alert(1))"
# Fields with a fixed set of values, the ids of runs, and the names of metrics and points.
STRUCTURE = {
    *("status", "primary_metric", "metrics", "metric", "kind", "how", "verdict", "severity"),
    *("run", "from", "to", "smoothness", "operator", "point"),
}
LOSSES = (
    Loss(LABEL, audit=audit("care", ("D102", "warning", "a kink"))),
    Loss("other", 0.9, fails=(1,), audit=audit("trainable")),
)


def nasty(value, key=""):
    """Replaces every text that is not part of the structure, and the names of versions."""
    if isinstance(value, dict):
        named = {NASTY: NASTY} if key == "versions" else {}
        return named | {name: nasty(item, name) for name, item in value.items()}
    if isinstance(value, list):
        return [nasty(item, key) for item in value]
    number = value in ("nan", "inf", "-inf", "NaN", "Infinity", "-Infinity")
    return NASTY if isinstance(value, str) and key not in STRUCTURE and not number else value


def rename_metric(path):
    """Calls the metric `accuracy` of a stored file `METRIC`."""
    if path.suffix == ".parquet":
        pd.read_parquet(path).rename(columns={"accuracy": METRIC}).to_parquet(path, index=False)
    elif path.suffix == ".npz":
        arrays = {name.replace("accuracy", METRIC): a for name, a in np.load(path).items()}
        np.savez(path, **arrays)
    elif path.suffix == ".json":
        path.write_text(path.read_text().replace('"accuracy"', json.dumps(METRIC)))


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """A report on an experiment in which every text is nasty, and the texts of its figures."""
    directory = tmp_path_factory.mktemp("nasty") / "x"
    sweep = {"dataset.separation": [SWEPT, -1.5]}
    write_experiment(directory, LOSSES, 2, sweep=sweep, title=PRINTABLE)
    for path in sorted(directory.rglob("*.*")):
        if path.suffix == ".json":
            path.write_text(json.dumps(nasty(json.loads(path.read_text()))))
        if path.name == "error.txt":
            path.write_text(f"ValueError: {NASTY}")
        if path.name != "experiment.yaml":
            rename_metric(path)
    texts, original = [], rendering.image_bytes

    def image_bytes(picture, *arguments):
        texts.extend(text.get_text() for text in picture.figure.findobj(Text))
        return original(picture, *arguments)

    with (
        blank_figures(laid_out=True),
        pytest.MonkeyPatch.context() as patch,
        np.errstate(all="ignore"),
    ):
        patch.setattr(rendering, "image_bytes", image_bytes)
        assert not assemble.build(directory).unreadable
    page = (directory / "report" / "index.html").read_text()
    assert "cannot be read" not in page and "is omitted" not in page
    return directory, texts


def files(directory, suffix):
    return sorted((directory / "report").rglob(f"*{suffix}"))


def test_no_file_has_a_control_character(built):
    checked = [path for kind in (".csv", ".md", ".tex", ".html") for path in files(built[0], kind)]
    assert len(checked) > 20
    for path in checked:
        assert not CONTROLS & {*path.read_bytes().decode()}, path
        known = path.parent.name == "figures" or "geometry" in path.name  # numbers alone
        assert known or "!A0" in path.read_text(), path


def test_no_cell_of_csv_is_a_formula(built):
    for path in files(built[0], ".csv"):
        rows = list(csv.reader(io.StringIO(path.read_text())))
        for cell in (cell for row in rows for cell in row):
            number = re.fullmatch(r"-?[0-9.e+-]+|-?inf", cell)
            assert number or cell.lstrip()[:1] not in {*"=+-@"}, (path, cell)
    swept = pd.read_csv(built[0] / "report" / "results.csv")["dataset.separation"]
    assert set(swept) == {f"'{SWEPT}", "-1.5"}
    exact = pd.read_parquet(built[0] / "report" / "results.parquet")
    assert set(exact["dataset.separation"]) == {SWEPT, "-1.5"}


def test_the_code_of_the_docs_restores_the_texts_of_csv(built):
    code = re.search(r"```python\n(.*?)```", PAGE.read_text(), re.DOTALL)[1]
    scope = {}
    exec(code.replace("runs/quickstart", str(built[0])), scope)
    exact = pd.read_parquet(built[0] / "report" / "results.parquet")["loss"]
    assert scope["labels"].tolist() == exact.tolist() and LABEL in set(exact)


class Tags(html.parser.HTMLParser):
    """Collects the tags, the attributes and the texts of a page; scripts are not texts."""

    def __init__(self, text):
        super().__init__()
        self.tags, self.attributes, self.texts, self._inside = [], [], [], []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes += [name for name, _ in attrs]
        self._inside.append(tag)

    def handle_data(self, data):
        if self._inside[-1:] not in (["script"], ["style"]):
            self.texts.append(data)

    def handle_endtag(self, tag):
        self._inside.append(f"/{tag}")


def test_the_page_has_only_its_own_elements(built):
    page = Tags((built[0] / "report" / "index.html").read_text())
    assert page.tags.count("script") == 4
    assert not [name for name in page.attributes if name.startswith("on")]
    assert {"iframe", "object", "embed", "link", "base", "form"}.isdisjoint(page.tags)
    shown = "".join(page.texts)
    assert shown.count("!A0") > 20 and PRINTABLE.strip() in shown


def test_a_table_of_markdown_has_only_text(built):
    for path in files(built[0], ".md"):
        rendered = MarkdownIt("commonmark").enable("table").render(path.read_text())
        table = Tags(rendered)
        assert set(table.tags) == {"table", "thead", "tbody", "tr", "th", "td"}, path
        width = table.tags.count("th")
        assert len(table.tags) == 3 + (table.tags.count("tr")) * (width + 1), path
        assert not re.search(r"(?<!\\)://|www\.", path.read_text()), path


def test_a_table_of_latex_has_only_its_own_commands(built):
    own = set(re.findall(r"\\([a-z]+)", " ".join(map(str, escapes._LATEX.values()))))
    own |= {"begin", "end", "toprule", "midrule", "bottomrule", "linewidth", "usepackage"}
    for path in files(built[0], ".tex"):
        text = path.read_text()
        assert set(re.findall(r"\\([a-z]+)", text)) <= own, path
        assert not re.search(r"(?<!\\)\\\\\s*[\[*]|midrule\s*\[", text), path


def test_no_text_of_a_figure_is_mathematics(built):
    shown = [text for text in built[1] if "frac" in text or "a$" in text or "A0" in text]
    assert len(shown) > 20
    for text in shown:
        assert not cbook.is_math_text(text) and not CONTROLS & {*text}, text


def test_an_svg_has_only_shapes():
    stored = synthetic_audits.record(nasty(audit("care", ("D102", "warning", NASTY))))
    with rendering.report_style():
        picture = audit_figure.shapes([stored])
        root = ET.fromstring(rendering.image_bytes(picture, "svg"))
    names = {element.tag.rpartition("}")[2] for element in root.iter()}
    assert not names & {"script", "a", "image", "foreignObject", "text"}


@pytest.mark.parametrize("command", ["report", "status"])
def test_a_terminal_shows_no_control_character(built, tmp_path, command):
    done = invoke(command, str(built[0]), cwd=tmp_path)
    assert done.returncode == 0
    assert not CONTROLS & {*done.stdout, *done.stderr}
    assert command == "status" or "!A0" in done.stdout


def test_a_terminal_shows_an_audit_as_text():
    stored = synthetic_audits.record(nasty(audit("care", ("D102", "warning", NASTY + "[/b]"))))
    screen = Console(file=io.StringIO(), width=400)
    screen.print(terminal.audit_lines(stored, verbose=True))
    screen.print(terminal.not_audited(NASTY, NASTY))
    text = screen.file.getvalue()
    assert not CONTROLS & {*text} and text.count("[x](javascript:alert(1))") >= 4


@pytest.mark.parametrize("mark", ["=", "+", "-", "@", "\t=", " @", " -", "\uff1d", "'", "'="])
def test_a_text_that_looks_like_a_formula_is_marked_and_restored(mark):
    text = f"{mark}1"
    cell = escapes.csv_cell(text)
    assert cell[0] == "'" and cell.removeprefix("'") == printable(text)
    assert escapes.csv_cell(-1.5) == -1.5 and escapes.csv_cell("a=-1") == "a=-1"


@pytest.mark.parametrize("text", ["[1cm]", "*", " [x]"])
def test_a_cell_of_latex_is_no_argument_of_the_line_break_before_it(text):
    lines = tables.latex(pd.DataFrame({"a": [text, text]})).split("\\midrule")[1]
    assert not re.search(r"(?:^|\\\\)\s*[\[*]", lines)


def test_numbers_of_csv_are_as_pandas_writes_them():
    table = pd.DataFrame({"a": [-1.5, np.inf, np.nan], "b": [True, False, True], "c": [-1, 2, 3]})
    assert escapes.csv(table) == table.to_csv(index=False)
    mixed = pd.DataFrame({"d": [-1, None, "-1"]})
    assert escapes.csv(mixed).split("\n")[1:4] == ["-1", '""', "'-1"]


def test_a_cell_of_markdown_reads_as_the_text():
    table = pd.DataFrame({"a": [NASTY]})
    rendered = MarkdownIt("commonmark").enable("table").render(tables.markdown(table))
    shown = "".join(Tags(rendered).texts).split()
    assert shown == ["a", *printable(NASTY.removesuffix(RETURN)).split()]


def test_a_swept_number_that_cannot_be_drawn_has_no_panel():
    points = (
        {"steps": 1, "a": 10**400, "b": np.inf, "c": "1"},
        {"steps": 2, "a": 1, "b": 1.0, "c": 2},
    )
    row = comparison_row()
    rows = [replace(row, runs=replace(row.runs, swept=swept)) for swept in points]
    assert sweep_panels.numeric_keys(rows, ("steps", "a", "b", "c")) == ["steps"]


def test_a_figure_of_a_set_with_a_long_label_has_a_short_name():
    first, second = sets.slugs(["x" * 300, "x" * 301])
    assert len(first) == 100 and first != second
