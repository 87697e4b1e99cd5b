"""The table of docs/differentiable.md against audits, and its limits against arithmetic."""

import re
import sys
from pathlib import Path

import pytest

from landscape.audit.judge import audit

ROOT = Path(__file__).parent.parent
PAGE = (ROOT / "docs" / "differentiable.md").read_text()
ROW = re.compile(
    r"^\| `(\w+)` \(\w+\) \| ([^|]+) \| (yes|no) \| (yes|no) \| (\w+) \|([^|]*)\|$", re.M
)
TASKS = {"cross_entropy": "binary", "dice": "binary"}
TASKS |= dict.fromkeys(("maximum", "softmax"), "multiclass")
ROWS = {row[0]: row[1:] for row in ROW.findall(PAGE)}


@pytest.fixture(scope="module")
def losses():
    sys.path.insert(0, str(ROOT / "configs"))
    import differentiable

    sys.path.pop(0)
    return differentiable


@pytest.mark.parametrize("name", ROWS)
def test_each_row_states_what_the_audit_finds(name, losses):
    everywhere, smooth, convex, verdict, reason = ROWS[name]
    record = audit(getattr(losses, name), task=TASKS.get(name, "regression"))
    assert record.verdict == verdict
    assert (record.properties["smoothness"].value == "smooth") == (smooth == "yes")
    assert record.properties["convex"].value is (convex == "yes")
    codes = {finding.code for finding in record.findings}
    assert set(re.findall(r"[A-Z]\d{3}", reason)) <= codes
    assert (everywhere == "yes") == (not codes & {"D101", "D102"})


def test_every_loss_of_the_file_has_a_row(losses):
    functions = {name for name, value in vars(losses).items() if callable(value)}
    assert functions == set(ROWS)


def test_the_quotients_of_the_limits():
    rows = re.findall(r"^\| (-?0\.\d+) \| (-?[\d.]+) \| (-?\d) \| (\d+) \|$", PAGE, re.M)
    assert len(rows) == 3
    for texts in rows:
        h, square, absolute, stair = map(float, texts)
        assert square == pytest.approx(h * h / h)
        assert absolute == abs(h) / h
        # round(x) = floor(x + 1/2): the step at 0.5 belongs to the right
        step = (1.0 if h > 0 else 0.0) - 0.0
        assert stair == pytest.approx(step / h)
