"""What `landscape.audit` returns shows itself: the words of the terminal, a table, a figure."""

from html.parser import HTMLParser

import jax.numpy as jnp
import numpy as np
import pytest
from rich.console import Console

import landscape
from landscape.audit import judge
from landscape.report import terminal

pytestmark = pytest.mark.usefixtures("unrendered_figures")


def cut(predictions, targets):
    """<script>alert('read me')</script>"""
    return jnp.minimum(jnp.square(predictions - targets), 0.5)


LINE = cut.__code__.co_firstlineno + 2


@pytest.fixture(scope="module")
def judged():
    return landscape.audit(cut, task="regression", name="<b>cut</b>")


class Content(HTMLParser):
    """The tags and the words of a fragment of HTML."""

    def __init__(self, html):
        super().__init__()
        self.tags, self.words = set(), []
        self.feed(html)

    def handle_starttag(self, tag, attrs):
        self.tags.add(tag)
        assert all(name == "style" and "color" not in value for name, value in attrs)

    def handle_data(self, data):
        self.words += data.split()


def test_a_notebook_shows_the_words_of_the_terminal(judged):
    console = Console(width=10_000, color_system=None)
    with console.capture() as printed:
        console.print(terminal.audit_lines(judged, verbose=False))
    lines = [line.strip() for line in printed.get().splitlines()]
    shown = Content(judged._repr_html_())
    text = " ".join(shown.words)
    assert shown.tags == {"p", "strong", "table", "thead", "tbody", "tr", "th", "td", "br"}
    assert " ".join(lines[0].split()) in text and "<b>cut</b> regression care" in text
    for finding in judged.findings:
        assert any(line.endswith(finding.message) for line in lines)
        cells = f"{finding.severity} {finding.code} {finding.message}"
        assert " ".join(cells.split()) in text
    assert f"test_audit_results.py:{LINE}: return jnp.minimum(" in text


def test_the_result_is_the_audit_itself(judged):
    record = judge.audit(cut, task="regression", name="<b>cut</b>")
    assert vars(judged) == vars(record) and judged.to_json() == record.to_json()
    assert repr(judged).startswith("<AuditResult '<b>cut</b>': care, G202")


def test_the_table_has_a_row_per_finding(judged):
    table = judged.table
    assert table["code"].tolist() == [finding.code for finding in judged.findings]
    assert set(table["verdict"]) == {"care"} and table["line"].iloc[0] == LINE


def test_the_figure_shows_the_loss_and_its_gradient(judged):
    """min((p - t)^2, 0.5), with the gradient 2 (p - t) inside and 0 outside."""
    value, gradient = judged.plot().axes[:2]
    target = float(np.squeeze(judged.targets[value.get_label().removeprefix("value: ")]))
    for panel, expected in (
        (value, lambda error: np.minimum(error**2, 0.5)),
        (gradient, lambda error: np.where(error**2 < 0.5, 2 * error, 0.0)),
    ):
        (line,) = [line for line in panel.lines if str(line.get_gid()).startswith("line")]
        x, y = (np.asarray(values, float) for values in line.get_data())
        error = x - target
        apart = np.isfinite(y) & (np.abs(error**2 - 0.5) > 0.02)
        np.testing.assert_allclose(y[apart], expected(error[apart]), atol=1e-5)
