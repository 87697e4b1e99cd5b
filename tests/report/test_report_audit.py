"""Audits compared with training: columns, section, agreement, and damaged files."""

import csv
import json
import re
from dataclasses import replace
from html.parser import HTMLParser

import numpy as np
import pandas as pd
import pytest
from synthetic_runs import LOSSES, Loss, audit, write_experiment

from landscape.report import audit_agreement, audits, tables, words
from landscape.report.assemble import build
from landscape.report.comparison import compare, comparison_frame, shown_points
from landscape.report.comparison_texts import display
from landscape.report.results import read
from landscape.report.run_table import run_table

COLUMNS = ("audit_verdict", "audit_findings", "audit_agrees")

pytestmark = pytest.mark.usefixtures("unrendered_figures")

NASTY = "it <b>jumps</b> & a_b | $c$ 50 % \\d {e}"
ROUNDED = audit(
    "untrainable",
    ("S401", "note", "not convex"),
    ("G201", "error", NASTY),
    ("D101", "warning", "the value jumps"),
    ("D101", "warning", "it jumps again"),
)
REFUSED = {"loss": "x", "error": "mine.py:3: <i>branches</i>\n    if p > 0:\n  use jnp.where"}
AUDITED = (
    Loss("learns", 0.96, audit=audit("trainable")),
    Loss("sticks", zero_gradient=True, audit=ROUNDED),
    Loss("lucky_<u>", 0.9, audit=audit("untrainable", ("N301", "error", "NaN"))),
    Loss("sound", zero_gradient=True, audit=audit("trainable", ("D102", "note", "a kink"))),
    Loss("careful", 0.95, audit=audit("care", ("G205", "warning", "saturates"))),
    Loss("refused", 0.94, audit=REFUSED),
    Loss("plain", 0.93),
    Loss("broken", fails=(0, 1), audit=audit("untrainable", ("G201", "error", "dead"))),
)


class Section(HTMLParser):
    """The text of each cell of the table in the section of the audit, and its images."""

    def __init__(self, text):
        super().__init__()
        self.rows, self.images, self.inside, self.cell = [], [], False, None
        self.prose = ""
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        attributes = dict(attributes)
        self.inside |= tag == "section" and attributes.get("id") == "audit"
        if self.inside and tag == "tr":
            self.rows.append([])
        if self.inside and tag in ("td", "th"):
            self.rows[-1].append("")
            self.cell = True
        if self.inside and tag == "img":
            self.images.append(attributes)

    def handle_endtag(self, tag):
        if tag == "section":
            self.inside = False
        if tag in ("td", "th"):
            self.cell = None

    def handle_data(self, data):
        if self.inside and self.cell:
            self.rows[-1][-1] += data
        elif self.inside:
            self.prose += re.sub(r"\s+", " ", data)


@pytest.fixture(scope="module")
def audited(tmp_path_factory):
    directory = write_experiment(
        tmp_path_factory.mktemp("audited") / "x", AUDITED, 2, with_slices=False
    )
    return directory, build(directory)


def test_the_comparison_has_verdict_findings_and_agreement(audited):
    table = audited[1].comparison.set_index("loss")
    cells = {name: tuple(row[list(COLUMNS)]) for name, row in table.iterrows()}
    assert cells == {
        "learns": ("trainable", "", "yes"),
        "sticks": ("untrainable", "D101, G201", "yes"),
        "lucky_<u>": ("untrainable", "N301", "no"),
        "sound": ("trainable", "", "no"),
        "careful": ("care", "G205", "no claim"),
        "refused": ("not audited", "mine.py:3: <i>branches</i>", ""),
        "plain": ("", "", ""),
        "broken": ("", "", ""),
    }
    assert list(table.columns)[-4:] == [*COLUMNS, "finding"]


def test_the_tables_of_the_comparison_show_it_escaped(audited):
    folder = audited[0] / "report" / "tables"
    raw = pd.read_csv(folder / "comparison.csv", keep_default_na=False).set_index("loss")
    assert raw.loc["sticks", "audit_findings"] == "D101, G201"
    header, _, *lines = (folder / "comparison.md").read_text().splitlines()
    assert header.endswith("| audit | audit findings | audit agrees | finding |")
    assert sum("| untrainable | D101, G201 | yes |" in line for line in lines) == 1
    assert any("mine.py:3: &lt;i&gt;branches&lt;/i&gt;" in line for line in lines)
    tex = (folder / "comparison.tex").read_text()
    assert "& untrainable & D101, G201 & yes &" in tex and r"\textless{}i\textgreater{}" in tex


def test_every_run_has_its_own_verdict(audited):
    stored = pd.read_csv(audited[0] / "report" / "results.csv", keep_default_na=False)
    columns = [name for name in stored.columns if name.startswith("audit")]
    assert columns == ["audit_verdict", "audit_findings"]
    verdicts = stored.groupby("loss")["audit_verdict"].agg(set).to_dict()
    assert verdicts["sticks"] == {"untrainable"} and verdicts["broken"] == {""}
    assert set(stored.loc[stored["loss"] == "sticks", "audit_findings"]) == {"D101, G201"}
    parquet = pd.read_parquet(audited[0] / "report" / "results.parquet")
    assert (parquet["audit_verdict"] == "untrainable").sum() == 4


def test_the_table_of_the_audit_has_every_finding(audited):
    folder = audited[0] / "report" / "tables"
    with (folder / "audit.csv").open() as file:
        rows = {row["loss"]: row for row in csv.DictReader(file)}
    assert list(rows["sticks"]) == ["loss", "audit", "findings", "training", "agree"]
    assert rows.keys() == {loss.name for loss in AUDITED} - {"plain", "broken"}
    assert rows["sticks"]["findings"] == (
        f"G201 (error): {NASTY} (my_losses.py:12); "
        "D101 (warning): the value jumps (my_losses.py:12); "
        "D101 (warning): it jumps again (my_losses.py:12); "
        "S401 (note): not convex (my_losses.py:12)"
    )
    assert rows["sticks"]["training"].startswith("never learns: the gradient is exactly zero")
    assert rows["refused"]["findings"] == REFUSED["error"]
    markdown, tex = ((folder / f"audit.{kind}").read_text() for kind in ("md", "tex"))
    assert r"it &lt;b&gt;jumps&lt;/b&gt; &amp; a\_b \| \$c\$ 50 % \\d {e}" in markdown
    escaped = r"it \textless{}b\textgreater{}jumps\textless{}/b\textgreater{} \& a\_b"
    assert escaped in tex and r"50 \% \textbackslash{}d \{e\}" in tex
    assert len(markdown.splitlines()) == 2 + 6
    assert {len(re.findall(r"(?<!\\)\|", line)) for line in markdown.splitlines()} == {6}


def test_the_page_compares_the_audit_with_training(audited):
    text = audited[1].index.read_text()
    section = Section(text)
    header, *rows = section.rows
    assert header == ["loss", "audit", "findings", "training result", "agree"]
    table = audited[1].comparison.set_index("loss")
    shown = {row[0]: row for row in rows}
    assert list(shown) == [name for name in table.index if table["audit_verdict"][name]]
    for name, row in shown.items():
        assert row[1] == table["audit_verdict"][name]
        assert row[3] == table["finding"][name]
        assert row[4] == (table["audit_agrees"][name] or words.MISSING)
    assert shown["sticks"][2].startswith(f"G201 error: {NASTY} (my_losses.py:12)D101 warning: the")
    assert shown["refused"][2] == REFUSED["error"]
    assert shown["learns"][2] == "none"
    assert "Training agrees with 2 of 4 claims of the audit." in section.prose
    assert "<b>jumps" not in text and "<i>branches" not in text and "<u>" not in text
    assert '<a href="#audit">Audit against training</a>' in text


def test_the_section_shows_the_shapes_once(audited):
    text = audited[1].index.read_text()
    (image,) = Section(text).images
    assert image["alt"] and image["src"].startswith("data:image/webp")
    assert text.count('id="audit"') == 1 and text.count('id="audit-title"') == 1
    for kind, start in (("png", b"\x89PNG"), ("pdf", b"%PDF")):
        assert (audited[0] / "report" / "figures" / f"audit.{kind}").read_bytes().startswith(start)


def test_the_same_runs_give_the_same_bytes_with_audits(audited):
    def files():
        report = audited[0] / "report"
        return {path.name: path.read_bytes() for path in report.rglob("*") if path.is_file()}

    once = files()
    build(audited[0])
    assert files() == once


def test_a_terminal_gets_the_verdict_as_a_line_below_the_finding(audited):
    table = audited[1].comparison
    rows = shown_points(compare(read(audited[0])))
    shown = display(rows).set_index("loss")
    plain = table.set_index("loss")["finding"]
    last = {name: text.removeprefix(plain[name]) for name, text in shown["finding"].items()}
    assert last == {
        "learns": "\naudit: trainable",
        "sticks": "\naudit: untrainable (D101, G201)",
        "lucky_<u>": "\naudit: untrainable (N301)",
        "sound": "\naudit: trainable",
        "careful": "\naudit: care (G205)",
        "refused": "\nnot audited: mine.py:3: <i>branches</i>",
        "plain": "",
        "broken": "",
    }
    without = display([replace(row, audit=None) for row in rows])
    assert list(shown.columns) == list(without.columns)[1:]


def test_without_audits_the_report_does_not_mention_them(experiment):
    directory, report = experiment
    assert not set(COLUMNS) & set(report.comparison.columns)
    assert "audit" not in (directory / "report" / "results.csv").read_text().splitlines()[0]
    assert 'id="audit"' not in report.index.read_text()
    assert not list((directory / "report").rglob("audit.*"))


LEARNED, STUCK = {"runs": 6, "learns": True}, {"runs": 6, "learns": False}
NONE = {"runs": 0, "learns": False}


@pytest.mark.parametrize(
    ("verdict", "row", "answer"),
    [
        ("trainable", LEARNED, "yes"),
        ("trainable", STUCK, "no"),
        ("trainable", NONE, "not trained"),
        ("untrainable", LEARNED, "no"),
        ("untrainable", STUCK, "yes"),
        ("untrainable", NONE, "not trained"),
        ("care", LEARNED, "no claim"),
        ("care", STUCK, "no claim"),
        ("care", NONE, "no claim"),
        ("not audited", STUCK, ""),
        ("", LEARNED, ""),
    ],
)
def test_the_rule_of_agreement(verdict, row, answer):
    assert audit_agreement.agrees(verdict, **row) == answer


def test_a_loss_that_always_diverges_has_not_learned(tmp_path):
    lost = Loss("lost", diverges={0: 40, 1: 60}, audit=audit("untrainable"))
    directory = write_experiment(tmp_path / "x", (LOSSES[0], lost), 2, with_slices=False)
    assert comparison_frame(read(directory)).set_index("loss")["audit_agrees"]["lost"] == "yes"


def test_the_tally_counts_claims_alone():
    def rows(*answers):
        return [audit_agreement.AuditRow("a", "care", (), "", "", answer) for answer in answers]

    assert audit_agreement.tally(rows("yes", "no", "no claim", "not trained", words.MISSING)) == (
        "Training agrees with 1 of 2 claims of the audit."
    )
    assert audit_agreement.tally(rows("yes")) == "Training agrees with 1 of 1 claim of the audit."
    assert "no claim" in audit_agreement.tally(rows("no claim", "not trained"))


def test_a_sweep_compares_every_point_with_the_audit_and_draws_it_once(tmp_path):
    losses = (Loss("a", audit=audit("trainable")), Loss("b", audit=audit("care", kink=1.0)))
    sweep = {"optimizer.learning_rate": [0.1, 0.01]}
    directory = write_experiment(tmp_path / "x", losses, 1, with_slices=False, sweep=sweep)
    results = read(directory)
    rows = compare(results)
    runs = {row.name: row.runs.runs for row in rows}
    assert len(audit_agreement.audit_rows(rows)) == 4
    assert [audit.loss for audit in audits.drawn(runs)] == ["a", "b"]
    assert [audit.shapes.lines[0].marks[0].x for audit in audits.drawn(runs)] == [0, 1]


def test_points_with_different_audits_are_drawn_separately(tmp_path):
    sweep = {"losses.a.width": [1.0, 2.0]}
    losses = (Loss("a", audit=audit("trainable")),)
    directory = write_experiment(tmp_path / "x", losses, 1, with_slices=False, sweep=sweep)
    (directory / "runs" / "a-1-0" / "audit.json").write_text(json.dumps(audit("care", kink=1.0)))
    results = read(directory)
    runs = {row.name: row.runs.runs for row in compare(results)}
    assert [audit.loss for audit in audits.drawn(runs)] == ["a (width=1.0)", "a (width=2.0)"]


def test_audits_that_failed_are_listed_by_the_figure_and_never_drawn_alone(tmp_path):
    losses = (Loss("a", audit=REFUSED), Loss("b", audit=GOOD))
    directory = write_experiment(tmp_path / "x", losses, 1, with_slices=False)
    runs = {run.loss: [run] for run in read(directory).runs}
    assert [audit.loss for audit in audits.drawn(runs)] == ["a", "b"]
    assert audits.drawn({"a": runs["a"]}) == []
    report = build(directory)
    (image,) = Section(report.index.read_text()).images
    assert "a: not audited; b: care" in image["alt"]


def test_a_failed_audit_is_replaced_by_the_audit_of_another_run(tmp_path):
    directory = write_experiment(tmp_path / "x", (Loss("a", audit=GOOD),), 2, with_slices=False)
    (directory / "runs" / "a-0-0" / "audit.json").write_text(json.dumps(REFUSED))
    results = read(directory)
    assert comparison_frame(results)["audit_verdict"].tolist() == ["care"]
    assert run_table(results, ())["audit_verdict"].tolist() == ["not audited", "care"]


def test_six_seeds_share_one_audit_in_memory(tmp_path):
    losses = (Loss("a", audit=audit("trainable")),)
    runs = read(write_experiment(tmp_path / "x", losses, 6, with_slices=False)).runs
    assert len({id(run.audit) for run in runs}) == 1 and runs[0].audit is not None


GOOD = audit("care", ("G205", "warning", "saturates"))


def changed(*path, to):
    value = json.loads(json.dumps(GOOD))
    place = value
    for step in path[:-1]:
        place = place[step]
    place[path[-1]] = to
    return json.dumps(value).encode()


DAMAGED = {
    "cut": b'{"loss": "a", "verd',
    "empty": b"",
    "no text": b"\xff\xfe\x00",
    "a list": b"[]",
    "nothing": b"null",
    "too deep": b"[" * 100_000,
    "no verdict": b"{}",
    "another verdict": changed("verdict", to="fine"),
    "verdict as a list": changed("verdict", to=["care"]),
    "no findings": changed("findings", to=None),
    "findings of text": changed("findings", to=["G205"]),
    "no code": changed("findings", 0, "code", to=5),
    "another severity": changed("findings", 0, "severity", to=["error"]),
    "place as text": changed("findings", 0, "where", to="line 3"),
    "shapes as text": changed("shapes", to="a bowl"),
    "no lines": changed("shapes", "lines", to=None),
    "a curve cut short": changed("shapes", "lines", 0, "value", to=[1.0, 2.0]),
    "a word in a curve": changed("shapes", "lines", 0, "gradient", 7, to="steep"),
    "no dead regions": changed("shapes", "lines", 0, "dead", to=None),
    "a plane without values": changed("shapes", "plane", to={"x": [0.0], "y": [0.0]}),
}


@pytest.mark.parametrize("how", DAMAGED)
def test_a_damaged_audit_is_named_and_breaks_nothing(tmp_path, how):
    losses = (Loss("a", audit=GOOD),)
    directory = write_experiment(tmp_path / "x", losses, 2, with_slices=False)
    (directory / "runs" / "a-0-0" / "audit.json").write_bytes(DAMAGED[how])
    results = read(directory)
    (listed,) = tables.failures(results).to_dict("records")
    assert listed["run"] == "a-0-0" and listed["status"] == "done"
    assert listed["reason"].startswith("audit.json cannot be read: ")
    (row,) = comparison_frame(results).to_dict("records")
    assert row["seeds"] == 2, "its training counts all the same"
    assert row["audit_verdict"] == "care", "another seed has the audit too"
    assert run_table(results, ())["audit_verdict"].tolist() == ["", "care"]


def test_the_report_is_built_if_every_audit_is_damaged(tmp_path):
    losses = (Loss("a", audit={}), Loss("b", 0.8))
    directory = write_experiment(tmp_path / "x", losses, 1)
    (directory / "runs" / "a-0-0" / "slices.npz").write_bytes(b"PK no zip")
    report = build(directory)
    text = report.index.read_text()
    assert "Some files could not be read" in text and 'id="audit"' not in text
    (listed,) = pd.read_csv(report.directory / "tables" / "failures.csv").to_dict("records")
    assert listed["reason"].startswith("slices.npz cannot be read")
    assert "; audit.json cannot be read" in listed["reason"]


@pytest.mark.exhaustive  # test_stale_files_are_removed deletes files of a report as well
def test_files_of_removed_audits_are_deleted_from_the_report(tmp_path):
    losses = (Loss("a", audit=GOOD),)
    directory = write_experiment(tmp_path / "x", losses, 1, with_slices=False)
    report = build(directory).directory
    assert (report / "tables" / "audit.tex").exists() and (
        report / "figures" / "audit.pdf"
    ).exists()
    (directory / "runs" / "a-0-0" / "audit.json").unlink()
    build(directory)
    assert not list(report.rglob("audit.*"))


def test_a_plane_is_accepted():
    grid = [[0.0, "inf"], ["nan", 1.0], [2.0, 3.0]]
    labels = {"label": "target 1", "x_label": "prediction 1", "y_label": "prediction 2"}
    axes = {"x": [0.0, 1.0], "y": [0.0, 1.0, 2.0], "value": grid}
    plane = labels | axes | {"gradient_x": grid, "gradient_y": grid}
    read_plane = audits.parse(changed("shapes", "plane", to=plane).decode()).shapes.plane
    expected = [[0.0, np.inf], [np.nan, 1.0], [2.0, 3.0]]
    np.testing.assert_array_equal(read_plane.gradient_y, expected)
    for name in set(plane) - set(labels):
        with pytest.raises(ValueError, match="shapes"):
            audits.parse(changed("shapes", "plane", to=plane | {name: [0.0]}).decode())
