"""What a notebook shows: the table of the terminal as HTML, and figures of the report."""

from html.parser import HTMLParser

import pytest
import synthetic_compare
from synthetic_runs import LOSSES, write_experiment
from test_compare_report import SETTING

import landscape
from landscape.errors import UserError
from landscape.report import experiment_views, tuned_report
from landscape.report.results import read


class Table(HTMLParser):
    """The tags of a fragment of HTML, the cells of its table by row, and its paragraphs."""

    def __init__(self, html):
        super().__init__()
        self.tags, self.rows, self.paragraphs = set(), [], []
        self.feed(html)

    def handle_starttag(self, tag, attrs):
        self.tags.add(tag)
        assert not attrs
        if tag == "tr":
            self.rows.append([])
        elif tag in ("td", "th"):
            self.rows[-1].append("")
        elif tag == "p":
            self.paragraphs.append("")
        elif tag == "br":
            self._append("\n")

    def handle_data(self, data):
        self._append(data.replace("\n", " "))

    def _append(self, data):
        texts = self.rows[-1] if self.rows else self.paragraphs
        texts[-1] += data


@pytest.fixture(scope="module")
def compared(tmp_path_factory):
    return synthetic_compare.write(tmp_path_factory.mktemp("compared") / "losses", SETTING)


@pytest.fixture(scope="module")
def single(tmp_path_factory):
    """The folder of one loss with one seed."""
    return write_experiment(tmp_path_factory.mktemp("single") / "x", LOSSES[:1], 1)


def test_the_table_is_that_of_the_terminal(experiment):
    directory, report = experiment
    shown = Table(experiment_views.comparison_html(directory))
    assert shown.tags <= {"table", "thead", "tbody", "tr", "th", "td", "br"}
    head, *rows = shown.rows
    assert tuple(head) == report.record.headings
    assert rows == [list(row) for row in report.record.rows]


def test_a_comparison_begins_with_its_conclusions(compared):
    shown, loaded = Table(experiment_views.tuned_html(compared)), tuned_report.load(compared)
    assert tuple(shown.paragraphs) == loaded.conclusions
    whole = [list(loaded.display), *loaded.display.to_numpy().tolist()]
    main, further = shown.rows[: len(whole)], shown.rows[len(whole) :]
    assert [row + more[1:] for row, more in zip(main, further, strict=True)] == whole
    assert [row[0] for row in main] == [row[0] for row in further]
    assert max(map(len, main)) <= 6


def test_a_folder_of_a_comparison_is_read_as_one(compared, experiment):
    comparison = landscape.results(compared)
    assert type(comparison).__name__ == "Comparison"
    assert type(landscape.results(experiment[0])).__name__ == "Sweep"
    shown = tuned_report.load(compared).display
    assert comparison.table["loss"].tolist() == shown.iloc[:, 0].tolist()


def test_a_comparison_without_judged_runs_shows_the_runs_as_configured(single):
    assert experiment_views.tuned_html(single) == experiment_views.comparison_html(single)


@pytest.mark.parametrize("kind", ["summary", "slices", "contours"])
def test_every_kind_is_a_figure_of_the_report(kind, single):
    figure = experiment_views.figure(single, kind)
    assert figure.axes and figure.get_size_inches()[0] > 4


def test_a_figure_of_a_comparison_shows_the_judged_runs(compared):
    results = read(compared)
    labels = {
        text.get_text()
        for legend in experiment_views.figure(compared, "curves").legends
        for text in legend.get_texts()
    }
    assert labels & set(results.losses)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("curve",), "no kind of figure `curve`\n  did you mean `curves`"),
        (("slices", "end"), "no place `end`\n  one of: initial, trained"),
    ],
)
def test_what_cannot_be_drawn_is_an_error(arguments, message, single):
    with pytest.raises(UserError, match=message):
        experiment_views.figure(single, *arguments)
