"""The benchmark's own parts: what stands in the docs is what was measured, and races are fair."""

import json
from pathlib import Path

import numpy as np
import pytest

ROOT = Path(__file__).parent.parent
RESULTS = ROOT / "benchmarks" / "results"


@pytest.fixture(autouse=True)
def on_the_path(monkeypatch):
    monkeypatch.syspath_prepend(str(ROOT / "benchmarks"))


def test_the_page_on_speed_shows_the_stored_results():
    import table

    text = (ROOT / "docs" / "speed.md").read_text()
    measured = text.partition(table.BEGIN)[2].partition(table.END)[0]
    stored = [name for name in table.TABLES if (RESULTS / f"{name}.json").is_file()]
    assert len(stored) >= 10
    for name in stored:
        results = json.loads((RESULTS / f"{name}.json").read_text())
        assert table.markdown(name, results) in measured, f"{name}: run benchmarks/run.py"


def test_a_goal_is_reached_at_its_bound_and_each_has_a_part_that_is_measured():
    import goals
    import run

    assert {goal.part for goal in goals.GOALS} <= {*run.PARTS}
    goal = goals.Goal("bound", "part", lambda rows: rows[0]["value"], 2.0, at_least=True)
    assert goal.reached(2.0) and not goal.reached(1.9)
    assert goal._replace(at_least=False).reached(1.9)


def test_every_part_has_a_module_and_a_table():
    import run
    import table

    for name in run.PARTS:
        assert (ROOT / "benchmarks" / f"{name}.py").is_file(), name
        assert name in table.TABLES, name


def test_stored_ratios_are_those_of_the_medians():
    rows = json.loads((RESULTS / "planes.json").read_text())["rows"]
    for row in rows:
        medians = {name: np.median(seconds) for name, seconds in row["rounds"].items()}
        ratio = medians["loss-landscapes"] / medians["landscape"]
        np.testing.assert_allclose(row["times loss-landscapes"], ratio, rtol=1e-3)
        assert row["difference"] < 1e-5
    for row in json.loads((RESULTS / "training.json").read_text())["rows"]:
        medians = {name: np.median(seconds) for name, seconds in row["rounds"].items()}
        ratio = medians["PyTorch"] / medians["landscape"]
        np.testing.assert_allclose(row["times PyTorch"], ratio, rtol=1e-6)


CONTESTANTS = """
import time

def sleeping(seconds, value):
    def work():
        time.sleep(seconds)
        return [value, 2.0]
    return work

def failing():
    raise ValueError("no such data")
"""


@pytest.mark.slow
def test_contestants_take_turns_and_are_compared(tmp_path, monkeypatch):
    import race

    (tmp_path / "contestants.py").write_text(CONTESTANTS)
    monkeypatch.syspath_prepend(str(tmp_path))
    timings = race.race(
        {
            "short": ("contestants:sleeping", {"seconds": 0.0, "value": 1.0}),
            "long": ("contestants:sleeping", {"seconds": 0.3, "value": 1.1}),
        },
        rounds=2,
    )
    assert [len(t.seconds) for t in timings.values()] == [2, 2]
    assert timings["long"].median >= 0.3 > timings["short"].median
    assert race.agree(timings, ("short", "long"), 0.1) == pytest.approx(0.05)
    with pytest.raises(RuntimeError, match=r"differ by 0\.05"):
        race.agree(timings, ("short", "long"), 0.01)
    with pytest.raises(RuntimeError, match="no such data"):
        race.race({"failing": ("contestants:failing", {})}, rounds=1)


def test_the_page_on_the_audit_shows_the_trained_losses_and_explains_each_contradiction():
    import audit_training

    rows = json.loads(audit_training.RESULTS.read_text())
    text = audit_training.DOCS.read_text()
    assert audit_training.markdown(rows) in text, "run benchmarks/audit_training.py"
    assert len(rows) >= 60 and f"### {len(rows)} losses" in text
    explained = text.partition(audit_training.END)[2]
    for row in filter(audit_training.contradicts, rows):
        assert f"`{row['loss']}`" in explained, row["loss"]
