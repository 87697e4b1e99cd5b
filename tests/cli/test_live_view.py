"""The live view of a sweep."""

import io
import time

import pytest
from helpers.misbehaving_sweep import write_config
from rich.console import Console

from landscape import config
from landscape.cli.live_view import LiveView, activity, duration
from landscape.storage import store
from landscape.storage.records import ProgressRecord
from landscape.sweep.executors.protocol import Ended, Started


@pytest.fixture
def runs(tmp_path):
    return config.expand(
        config.load(write_config(tmp_path), ("losses=[brier]", "seeds=4", "steps=90"))
    )


def progress(stage, step=None, steps=None, rate=None):
    return ProgressRecord(stage, "worker 1", 1, "host", step, steps, rate)


def drawn(view):
    console = Console(file=io.StringIO(), width=100)
    console.print(view._render())
    return console.file.getvalue()


def test_the_view_counts_performed_steps_and_time_since_the_first_run(runs, tmp_path, monkeypatch):
    now = [1000.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    first, second, third, fourth = runs
    trained = {first.id, second.id, third.id}
    view = LiveView(Console(file=io.StringIO()), tmp_path, 4, trained)
    now[0] += 300  # while programs are built and checked
    with view.shown():
        for run in (first, second):
            view.update(Started(run, "worker 1"))
            store.write_progress(store.run_folder(tmp_path, run.id), progress("train", 60, 90))
        now[0] += 10
        assert "12 steps/s" in drawn(view)  # 60 of each in 10 seconds
        assert "train 60/90" in drawn(view)
        view.update(Ended(first, "done", 10.0))
        view.update(Ended(second, "diverged", 10.0))
        view.update(Started(fourth, "worker 1"))
        view.update(Ended(fourth, "done", 0.0))  # only measured
        assert "15 steps/s" in drawn(view)  # 90 and 60
        assert "3/4 done" in drawn(view) and "1 diverged" in drawn(view)
        assert "3 s left" in drawn(view)  # 3 of 4 took 10 seconds


@pytest.mark.parametrize(
    ("record", "words"),
    [
        (None, "starting"),
        (progress("train"), "compile"),
        (progress("train", 5, 9), "train 5/9"),
        (progress("train", 5, 9, 1234.5), "1,234 steps/s"),
        (progress("slices"), "slices"),
    ],
)
def test_the_activity_of_a_run_in_words(record, words):
    assert words in activity(record)


def test_durations_are_readable():
    assert [duration(s) for s in (0.4, 59, 60, 3599, 3600, 7385)] == [
        "0 s",
        "59 s",
        "1 min 00 s",
        "59 min 59 s",
        "1 h 00 min",
        "2 h 03 min",
    ]
