"""Executors: equal results from all of them, selection, dispatch, and loss of workers."""

import dataclasses
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from concurrent.futures import Future

import psutil
import pytest
from helpers.misbehaving_sweep import (
    assert_same_results,
    result_bytes,
    run_sweep,
    statuses,
    write_config,
)
from hypothesis import given
from hypothesis import strategies as st

from landscape import config
from landscape.errors import ClusterError, StorageError, UserError
from landscape.storage import contents
from landscape.sweep import session
from landscape.sweep.executors import processes, worker
from landscape.sweep.executors.affinity_queue import AffinityQueue, choose_program
from landscape.sweep.executors.pool import WorkerPool
from landscape.sweep.executors.protocol import Ended, ExecutorSpec, Lost, Note, Prepared, Started
from landscape.sweep.executors.selection import select_executor

ALL_MEASUREMENTS = """
dataset: digits
model: {name: mlp, widths: [4]}
losses: [brier]
seeds: 2
steps: 12
batch_size: 16
record_every: 6
checkpoints: 3
audit: true
slices:
  lines: [{directions: 2, points: 5, radius: auto}, {direction: eigenvector, points: 3}]
  planes: {axes: [trajectory, random], points: [5, 3]}
curvature: {operators: [hessian]}
across: {interpolations: [seeds], points: 3}
"""
MEASURED = ("curvature.json", "audit.json")


def all_bytes(directory):
    more = {
        (path.parent.name, path.name): path.read_bytes()
        for name in MEASURED
        for path in directory.glob(f"runs/*/{name}")
    }
    return (
        result_bytes(directory) | more | {("", "across"): (directory / "across.json").read_bytes()}
    )


@pytest.mark.slow
def test_every_executor_writes_the_same_bytes(tmp_path, monkeypatch):
    """The serial executor splits points across two devices; the worker has one device."""
    results, cores = {}, getattr(os, "sched_getaffinity", lambda pid: {0})(0)
    for executor in ("serial", "processes"):
        path = write_config(tmp_path / executor, ALL_MEASUREMENTS)
        events, directory = run_sweep(path, executor=executor, jobs=1)
        assert statuses(events) == ["done"] * 2
        results[executor] = all_bytes(directory)
        monkeypatch.setattr(os, "sched_getaffinity", lambda pid: {min(cores)}, raising=False)
    assert len(results["serial"]) == 2 * (6 + 2) + 1
    assert_same_results(results["processes"], results["serial"])
    monkeypatch.setattr(
        session, "running_executor", None
    )  # nobody is started who has nothing to do
    events, _ = run_sweep(path, executor="processes", jobs=1)
    assert statuses(events) == []


# --- selection of the executor


def selected(tmp_path, *overrides, executor=None, jobs=None, address=None):
    experiment = config.load(write_config(tmp_path), overrides)
    return select_executor(experiment, executor, jobs, address)


def test_the_simplest_executor_that_satisfies_the_config_is_selected(tmp_path):
    assert selected(tmp_path).executor == "serial"
    assert selected(tmp_path, jobs=1).executor == "serial"
    assert selected(tmp_path, jobs=3) == ExecutorSpec("processes", 3, None)
    limited = selected(tmp_path, "execution.time_limit=1h")
    assert limited == ExecutorSpec("processes", 1, None)
    assert selected(tmp_path, "execution.memory_limit=4GiB").executor == "processes"
    assert selected(tmp_path, address="auto") == ExecutorSpec("ray", None, "auto")


@pytest.mark.parametrize(
    ("overrides", "options", "words"),
    [
        ((), {"executor": "serial", "jobs": 2}, "has one job"),
        (("execution.time_limit=1h",), {"executor": "serial"}, "cannot stop its own runs"),
        ((), {"executor": "processes", "address": "auto"}, "--address requires"),
        ((), {"executor": "Ray"}, "no executor `Ray`"),
        ((), {"executor": "processes", "jobs": -1}, "at least 1"),
    ],
)
def test_contradicting_options_are_refused(tmp_path, overrides, options, words):
    with pytest.raises(UserError, match=words):
        selected(tmp_path, *overrides, **options)


# --- dispatch of runs


@given(
    st.dictionaries(st.sampled_from("abcdef"), st.integers(0, 4)),
    st.sets(st.sampled_from("abcdef")),
    st.sets(st.sampled_from("abcdef")),
)
def test_a_worker_is_idle_only_if_no_runs_are_left(counts, compiled, begun):
    key = choose_program(counts, compiled, begun | compiled)
    if not any(counts.values()):
        assert key is None
        return
    assert counts[key] > 0
    if any(counts.get(name) for name in compiled):
        assert key in compiled
    elif any(count and name not in begun for name, count in counts.items()):
        assert key not in begun
    else:
        assert counts[key] == max(counts.values())


def prepared(pool, runs, stop=None):
    """Prepares runs and returns the number of their programs, if it was not stopped."""
    items = pool.prepare(runs, stop or threading.Event())
    return sum(event.programs for event in items if isinstance(event, Prepared))


class FakeSlot:
    """A slot that completes every task without performing it, and logs it."""

    def __init__(self, name, log):
        self.name, self._log = name, log

    def ready(self):
        return True

    def start(self, function, *arguments):
        future = Future()
        if function is worker.prepare:
            keys = {run.id: run.loss.label for run in arguments[0]}
            future.set_result((keys, keys, 1))
        else:
            (run, _, name, _) = arguments
            self._log.append((name, run.loss.label, run.seed))
            future.set_result("done")
        return future

    def stop(self):
        pass

    def death(self):
        return None

    def over_memory_limit(self):
        return False

    def why_failed(self, error):
        return error


@pytest.mark.parametrize("workers", [1, 2, 3])
def test_runs_that_share_a_program_go_to_one_worker(tmp_path, workers):
    path = write_config(tmp_path)
    experiment = config.load(path, ("losses=[brier, focal, zero_one]", "seeds=4"))
    runs, log = config.expand(experiment), []
    slots = [FakeSlot(f"w{number}", log) for number in range(workers)]
    pool = WorkerPool(slots, None, 0)
    assert prepared(pool, runs) == 3
    events = [*pool.perform(runs, tmp_path, threading.Event())]
    assert len(log) == 12 and len({(loss, seed) for _, loss, seed in log}) == 12
    at = {loss: {name for name, label, _ in log if label == loss} for _, loss, _ in log}
    # Each program is at one worker, but where one that would be idle helps.
    assert sum(len(names) for names in at.values()) <= 3 + (workers - 1 if workers < 3 else 0)
    assert Counter(type(event) for event in events) == {Started: 12, Ended: 12}


class DiesAfterWriting(FakeSlot):
    """A slot whose worker dies after it has written all files of its run."""

    def __init__(self, name, log, results):
        super().__init__(name, log)
        self._results = results

    def start(self, function, *arguments):
        future = super().start(function, *arguments)
        if function is worker.perform:
            run, directory, _, _ = arguments
            place = directory / "runs" / run.id
            shutil.copytree(self._results / "runs" / run.id, place, dirs_exist_ok=True)
            future = Future()
            future.set_exception(OSError("gone"))
        return future

    def why_failed(self, error):
        return "killed"


def test_a_run_whose_worker_dies_after_the_last_write_is_done(tmp_path):
    path = write_config(tmp_path)
    overrides = ("losses=[brier]", "slices=null", "steps=2")
    _, results = run_sweep(path, *overrides, executor="serial")
    runs = config.expand(config.load(path, overrides))
    pool = WorkerPool([DiesAfterWriting("w", [], results)], None, 0)
    prepared(pool, runs)
    assert statuses(pool.perform(runs, tmp_path / "late", threading.Event())) == ["done"] * 2


class TrainsSideBySide(FakeSlot):
    """A slot that trains side by side until the test ends the training."""

    def __init__(self, name, log):
        super().__init__(name, log)
        self.training = None

    def start(self, function, *arguments):
        if function is worker.train_together:
            self._log.append((self.name, "together", [run.seed for run in arguments[0]]))
            self.training = Future()
            return self.training
        future = super().start(function, *arguments)
        if function is worker.prepare:
            keys = {run.id: "same" for run in arguments[0]}
            future = Future()
            structures = {run.id: run.loss.label for run in arguments[0]}
            future.set_result((keys, structures, 3))
        return future

    def why_failed(self, error):
        return str(error)


@pytest.mark.parametrize("lost", [False, True])
def test_other_workers_leave_runs_that_train_side_by_side_alone(tmp_path, lost):
    runs = config.expand(config.load(write_config(tmp_path), ("losses=[brier]", "seeds=4")))
    log = []
    slots = [TrainsSideBySide("a", log), TrainsSideBySide("b", log)]
    pool = WorkerPool(slots, None, 0)
    prepared(pool, runs)

    def end():
        while not any(label == "brier" for _, label, _ in log):
            time.sleep(0.01)  # until the other worker has performed the remaining run
        time.sleep(0.5)
        future = next(slot.training for slot in slots if slot.training is not None)
        log.append(("", "trained", []))
        if lost:
            future.set_exception(OSError("killed"))
        else:
            future.set_result(None)

    ends = threading.Thread(target=end)
    ends.start()
    events = [*pool.perform(runs, tmp_path, threading.Event())]
    ends.join()
    assert statuses(events) == ["done"] * 4
    before = log[: log.index(("", "trained", []))]
    assert sorted(label for _, label, _ in before) == ["brier", "together"]
    ((_, _, together),) = (entry for entry in before if entry[1] == "together")
    after = [seed for _, label, seed in log[len(before) + 1 :]]
    assert sorted(after) == sorted(together) and len(after) == 3
    notes = [str(event) for event in events if isinstance(event, Note)]
    expected = "lost 3 runs that it trained side by side: killed; training them one by one"
    assert [note.split(" ", 1)[1] for note in notes] == ([expected] if lost else [])


class TrainsAtOnce(TrainsSideBySide):
    """A slot that trains runs side by side in no time."""

    def start(self, function, *arguments):
        future = super().start(function, *arguments)
        if function is worker.train_together:
            self._log[-1] = ("together", [(run.loss.label, run.seed) for run in arguments[0]])
            future.set_result(None)
        return future


def test_runs_that_are_compiled_together_train_side_by_side_with_runs_of_their_loss(tmp_path):
    overrides = ("losses=[brier, focal]", "seeds=2")
    runs = config.expand(config.load(write_config(tmp_path), overrides))
    log = []
    pool = WorkerPool([TrainsAtOnce("a", log)], None, 0)
    assert prepared(pool, runs) == 1
    assert statuses([*pool.perform(runs, tmp_path, threading.Event())]) == ["done"] * 4
    batches = [sorted(entry[1]) for entry in log if entry[0] == "together"]
    assert sorted(batches) == [[("brier", 0), ("brier", 1)], [("focal", 0), ("focal", 1)]]


class DiesWithSeveralLosses(FakeSlot):
    """A slot whose worker dies while it compiles a program for several losses."""

    def start(self, function, *arguments):
        future = super().start(function, *arguments)
        if function is worker.prepare:
            keys = {run.id: "same" for run in arguments[0]}
            structures = {run.id: run.loss.label for run in arguments[0]}
            future = Future()
            future.set_result((keys, structures, 1))
        elif len(arguments[-1]) > 1:
            future = Future()
            future.set_exception(OSError("killed"))
        return future

    def why_failed(self, error):
        return str(error)


def test_a_program_that_ends_its_worker_is_compiled_for_each_loss_by_itself(tmp_path):
    overrides = ("losses=[brier, focal, zero_one]", "seeds=2")
    runs = config.expand(config.load(write_config(tmp_path), overrides))
    pool = WorkerPool([DiesWithSeveralLosses("a", [])], None, 0)
    prepared(pool, runs)
    events = [*pool.perform(runs, tmp_path, threading.Event())]
    assert statuses(events) == ["done"] * 6
    assert sum(isinstance(event, Lost) for event in events) == 1


@pytest.mark.parametrize("crashed", [False, True])
def test_after_a_crash_the_serial_executor_compiles_each_loss_by_itself(
    tmp_path, monkeypatch, crashed
):
    shared = []

    def performed(runs, directory, cache, *_):
        shared.extend(cache.shares_program(run) for run in runs)
        return iter(())

    monkeypatch.setattr("landscape.sweep.executors.serial.perform_all", performed)
    experiment = config.load(write_config(tmp_path), ("losses=[brier, focal]", "seeds=1"))
    serial = select_executor(experiment, "serial", None, None)
    with session.open_session(experiment, tmp_path / "out") as opened:
        stale = object() if crashed else None  # the process that held the folder
        list(session.events(dataclasses.replace(opened, stale=stale), serial))
    assert shared == [not crashed] * 2


@pytest.mark.parametrize("error", [ClusterError("lost"), StorageError("full")])
def test_after_a_lost_cluster_no_list_tells_late_results_from_changes(tmp_path, monkeypatch, error):
    """A worker on another machine may end its run after the sweep has ended."""

    def performed(*arguments):
        raise error

    monkeypatch.setattr("landscape.sweep.executors.serial.perform_all", performed)
    experiment = config.load(write_config(tmp_path), ("losses=[brier]", "seeds=1"))
    serial = select_executor(experiment, "serial", None, None)
    with session.open_session(experiment, tmp_path / "out") as opened, pytest.raises(type(error)):
        list(session.events(opened, serial))
    listed = contents.read(opened.directory)
    assert (listed.files is None) == isinstance(error, ClusterError)


class NeverReady(FakeSlot):
    """A slot for which no machine has room."""

    def ready(self):
        return False

    def waiting_for(self):
        return "GPU 9"


def test_a_worker_that_never_starts_does_not_block_the_others(tmp_path):
    path = write_config(tmp_path)
    runs = config.expand(config.load(path, ("losses=[brier]",)))
    pool = WorkerPool([FakeSlot("w", []), NeverReady("x", [])], None, 0)
    prepared(pool, runs)
    assert statuses(pool.perform(runs, tmp_path, threading.Event())) == ["done"] * 2
    stopped = threading.Event()
    stopped.set()
    alone = WorkerPool([NeverReady("x", [])], None, 0)
    prepared(alone, runs, stopped)


def test_an_idle_worker_helps_with_the_program_that_has_most_runs():
    queue = AffinityQueue({"a": [1, 2, 3], "b": [4]})
    assert queue.take("one") == ("a", [1, 2, 3])
    assert queue.take("two") == ("b", [4])
    queue.take("two")[1].pop()
    assert queue.take("two") == ("a", [1, 2, 3])
    assert len(queue) == 3


def test_a_worker_that_dies_while_it_is_idle_is_replaced():
    (slot,) = processes.slots(1, None, 1)
    try:
        assert slot.start(worker.ready).result(timeout=60)
        (child,) = [p for p in psutil.Process().children() if "spawn_main" in str(p.cmdline())]
        os.kill(child.pid, signal.SIGKILL)
        time.sleep(0.5)
        assert slot.start(worker.ready).result(timeout=60)
        (child,) = [p for p in psutil.Process().children() if "spawn_main" in str(p.cmdline())]
        future = slot.start(time.sleep, 60)
        time.sleep(0.5)
        os.kill(child.pid, signal.SIGTERM)
        assert slot.why_failed(future.exception(timeout=20)) == "worker killed (SIGTERM)"
    finally:
        slot.stop()


PRINTING_SCRIPT = """
from pathlib import Path
from landscape.sweep.executors import worker
with worker._output_to_log(Path("run/log.txt")):
    print("first")
    for number in range(200_000):
        print(number, "x" * 90)
    print("last")
"""


def test_the_size_of_a_log_is_bounded_even_if_it_is_not_watched(tmp_path):
    subprocess.run([sys.executable, "-c", PRINTING_SCRIPT], cwd=tmp_path, check=True, timeout=100)
    log = (tmp_path / "run" / "log.txt").read_text()
    assert log.startswith("first\n0 x") and log.endswith("\nlast\n")
    assert "[output truncated]" in log and len(log) < 8 * 2**20
