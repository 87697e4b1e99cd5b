"""Sweeps under faults, with real processes: the results equal those of an undisturbed sweep."""

import contextlib
import json
import os
import random
import signal
import subprocess
import sys
import threading
import time
from types import SimpleNamespace

import psutil
import pytest
from helpers.misbehaving_sweep import (
    assert_same_results,
    plan_mischief,
    result_bytes,
    run_sweep,
    start_process,
    states_while_running,
    statuses,
    write_config,
)

from landscape import config
from landscape.storage import array_files, store
from landscape.sweep import lock
from landscape.sweep.executors import dispatch
from landscape.sweep.executors.protocol import Ended, ExecutorSpec, Lost
from landscape.sweep.run_states import run_states
from landscape.sweep.session import events, open_session

# --- losses that end their process


@pytest.mark.slow
@pytest.mark.exhaustive  # test_a_run_that_loses_its_worker ends workers too
def test_losses_that_end_their_process_do_not_change_the_results(tmp_path, undisturbed):
    path = write_config(tmp_path)
    # The first occurs while the loss is prepared, which is not reported: its runs are tried later.
    kinds = ["segfault", "kill", "leave", "spawn", "loop", "allocate", "hold"]
    reasons = ["SIGKILL", "exit code 0", "SIGSEGV", "time limit", "memory limit", "memory limit"]
    for number, kind in enumerate(kinds):
        plan_mischief(tmp_path, kind, number)
    limits = ("time_limit=20", "memory_limit=1GiB", "retries=9")
    overrides = [f"execution.{limit}" for limit in limits]
    items, directory = run_sweep(path, *overrides, executor="processes", jobs=1)
    lost = [event.reason for event in items if isinstance(event, Lost)]
    assert len(lost) == len(reasons)
    assert [reason in text for reason, text in zip(reasons, lost, strict=True)] == [True] * 6
    assert statuses(items) == ["done"] * 4
    assert_same_results(result_bytes(directory), undisturbed)
    logs = "".join(p.read_text() for p in directory.glob("runs/*/log.txt"))
    assert "Segmentation fault" in logs and "losses.py" in logs
    assert "sleep 1000" not in commands()


# A test below has a forked copy of one run; the size of logs is tested in `test_executors.py`.
@pytest.mark.slow
@pytest.mark.exhaustive
@pytest.mark.parametrize("kind", ["print", "fork"])
def test_a_loss_that_prints_megabytes_or_forks_does_not_change_the_results(
    tmp_path, undisturbed, kind
):
    path = write_config(tmp_path)
    for number in range(14):  # one per trace; the first is during preparation
        plan_mischief(tmp_path, kind, number)
    items, directory = run_sweep(path, executor="processes", jobs=1)
    assert statuses(items) == ["done"] * 4
    assert_same_results(result_bytes(directory), undisturbed)
    logs = [p.read_text() for p in directory.glob("runs/wicked*/log.txt")]
    assert all("done after" in log for log in logs)
    if kind == "print":
        assert any("mischief 0 " in log and "[output truncated]" in log for log in logs)
        assert max(len(log) for log in logs) <= 8 * 2**20


@pytest.mark.slow
def test_a_run_that_loses_its_worker_too_often_fails_and_can_be_retried(tmp_path, undisturbed):
    path = write_config(tmp_path)
    for number in range(3):  # during preparation, and in both attempts of its first run
        plan_mischief(tmp_path, "leave", number)
    items, directory = run_sweep(path, "seeds=1", executor="processes", jobs=1)
    assert sorted(statuses(items)) == ["done", "failed"]
    (failed,) = (e.run for e in items if isinstance(e, Ended) and e.status == "failed")
    assert failed.loss.label == "wicked"
    folder = store.run_folder(directory, failed.id)
    assert "exit code 0" in store.read_reason(folder)
    assert "lost 2 times" in store.read_failure(folder)
    kept, _ = run_sweep(path, "seeds=1")
    assert statuses(kept) == []
    again, _ = run_sweep(path, "seeds=1", retry_failed=True)
    assert statuses(again) == ["done"]
    results = result_bytes(directory)
    runs = {run_id for run_id, _ in results}
    assert len(runs) == 2
    assert_same_results(results, {key: undisturbed[key] for key in undisturbed if key[0] in runs})


def commands():
    """Returns the command line of every process that is not ending."""
    command_lines = (process.info["cmdline"] for process in psutil.process_iter(["cmdline"]))
    return {" ".join(words) for words in command_lines if words}


FORKED = """
import os
from pathlib import Path
import optax

def forks(predictions, targets):
    flag = Path(__file__).parent / "fork"
    if flag.exists():
        flag.unlink()
        if os.fork() == 0:
            Path(__file__).parent.joinpath("copy").write_text(str(os.getpid()))
            raise ValueError("the copy raises")
    return optax.softmax_cross_entropy(predictions, targets)
"""


@pytest.mark.slow
def test_a_forked_copy_of_a_run_writes_nothing_and_ends(tmp_path):
    path = write_config(tmp_path)
    (tmp_path / "forks.py").write_text(FORKED)
    few = ("losses=[{name: 'forks.py:forks', label: forks}]", "slices=null")
    run_sweep(path, *few, "seeds=1", executor="serial")  # its programs are compiled by now
    (tmp_path / "fork").touch()
    process = start_process(path, *few, "seeds=[1]", "--executor", "serial")
    _, stderr = process.communicate(timeout=200)
    assert process.returncode == 0, stderr
    copy = int((tmp_path / "copy").read_text())
    deadline = time.monotonic() + 10
    while psutil.pid_exists(copy) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert not psutil.pid_exists(copy)
    (log,) = (p.read_text() for p in tmp_path.glob("out/sweep/runs/*seed1*/log.txt"))
    assert "the copy raises" not in log and "done after" in log


# --- processes that are killed


# A kill at one moment is among the kinds of `test_losses_that_end_their_process_...`.
@pytest.mark.slow
@pytest.mark.exhaustive
def test_workers_killed_at_random_moments(tmp_path, undisturbed):
    path = write_config(tmp_path)
    chance, over = random.Random(5), threading.Event()
    me, killed = psutil.Process(), []

    def kill():
        while len(killed) < 3 and not over.wait(chance.uniform(1.0, 4.0)):
            with contextlib.suppress(psutil.NoSuchProcess):  # it may be ending
                workers = [p for p in me.children() if "spawn_main" in " ".join(p.cmdline())]
                if workers:
                    killed.append(chance.choice(workers).pid)
                    os.kill(killed[-1], signal.SIGKILL)

    killer = threading.Thread(target=kill)
    killer.start()
    items, directory = run_sweep(path, "execution.retries=9", executor="processes", jobs=2)
    over.set()
    killer.join()
    assert killed
    assert sorted(statuses(items)) == ["done"] * 4
    assert_same_results(result_bytes(directory), undisturbed)


@pytest.mark.slow
@pytest.mark.exhaustive  # test_ctrl_c_lets_the_current_runs_finish stops a parent too
def test_a_killed_parent_leaves_no_worker_and_no_run_is_performed_twice(tmp_path, undisturbed):
    path = write_config(tmp_path)
    directory = tmp_path / "out" / "sweep"
    process = start_process(path, "--executor", "processes", "--jobs", "2")
    deadline = time.monotonic() + 120
    while not any(s.status == "done" for s in states_while_running(directory).values()):
        assert time.monotonic() < deadline
        time.sleep(0.05)
    workers = psutil.Process(process.pid).children(recursive=True)
    process.kill()
    process.communicate()
    assert workers
    _, alive = psutil.wait_procs(workers, timeout=10)
    assert alive == []
    kept = [
        name for name, state in states_while_running(directory).items() if state.status == "done"
    ]
    with open_session(config.load(path), tmp_path / "out") as session:
        assert session.stale is not None and session.stale.pid == process.pid
        items = [*events(session, ExecutorSpec("processes", 2, None))]
    assert {e.run.id for e in items if isinstance(e, Ended)}.isdisjoint(kept)
    assert_same_results(result_bytes(directory), undisturbed)


# Per line of the input, a process that ends during its n-th durable write: the file is half
# written, or has just replaced the old file. Prints how it ended. The processes share their
# imports, which start no device.
KILLER = """
import os, sys
from pathlib import Path
from landscape import load, run
from landscape.run import perform
from landscape.sweep.executors import serial

def end_at_write(left):
    fsync, replace, before = os.fsync, Path.replace, left % 2

    def half(handle):
        nonlocal left
        if not before:
            left -= 1
            if left <= 0:
                os.ftruncate(handle, os.fstat(handle).st_size // 2)
                os.kill(os.getpid(), 9)
        fsync(handle)

    def renamed(self, target):
        nonlocal left
        result = replace(self, target)
        if before:
            left -= 1
            if left <= 0:
                os.kill(os.getpid(), 9)
        return result

    os.fsync, Path.replace = half, renamed

for line in sys.stdin:
    child = os.fork()
    if child == 0:
        end_at_write(int(line))
        run(load("sweep.yaml", *sys.argv[1:]), "out", executor="serial", tell=lambda text: None)
        os._exit(0)
    print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)
"""
BRIER = "losses=[brier]"
ONE_RUN = ("seeds=1", BRIER)
ENDLESS = (*ONE_RUN, "steps=400000", "batch_size=16", "record_every=1000")


@pytest.mark.slow
@pytest.mark.parametrize(
    "writes", [(5, 8), pytest.param((4, 7, 9, 10), marks=pytest.mark.exhaustive)]
)
def test_a_process_killed_inside_every_write_leaves_old_or_new_files(tmp_path, writes):
    whole = write_config(tmp_path / "whole")
    _, expected = run_sweep(whole, *ONE_RUN, executor="serial")
    path = write_config(tmp_path / "cut")
    directory = path.parent / "out" / "sweep"
    killer = subprocess.Popen(
        [sys.executable, "-W", "ignore", "-c", KILLER, *ONE_RUN],
        cwd=path.parent,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    for number in (*writes, 99):
        killer.stdin.write(f"{number}\n")
        killer.stdin.flush()
        assert int(killer.stdout.readline()) == (-signal.SIGKILL if number < 99 else 0)
        for folder in (directory / "runs").glob("*"):
            if store.read_status(folder) is not None:
                assert store.damaged(folder) == []
            for file in folder.glob("*.json"):
                json.loads(file.read_text())
            if store.read_status(folder) == "done":
                assert result_bytes(directory).keys() == result_bytes(expected).keys()
    killer.communicate(timeout=20)
    assert_same_results(result_bytes(directory), result_bytes(expected))
    run_sweep(path, *ONE_RUN, executor="serial")
    assert [p.name for p in directory.rglob(".*")] == []


# --- interruption and termination


@pytest.mark.slow
def test_ctrl_c_lets_the_current_runs_finish(tmp_path, undisturbed):
    path = write_config(tmp_path)
    directory = tmp_path / "out" / "sweep"
    process = start_process(path, BRIER, "--executor", "processes", "--jobs", "1")
    while not any(s.status == "running" for s in states_while_running(directory).values()):
        assert process.poll() is None
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    _, stderr = process.communicate(timeout=120)
    assert process.returncode == 130
    assert "finishing the current runs" in stderr and "rerun the command to resume" in stderr
    statuses_after = {state.status for state in run_states(directory, False).values()}
    assert statuses_after == {"done", "missing"}
    assert lock.holder(directory) is None and not (directory / "held.json").exists()
    run_sweep(path, BRIER, executor="serial")
    expected = {key: undisturbed[key] for key in undisturbed if "brier" in key[0]}
    assert_same_results(result_bytes(directory), expected)


@pytest.mark.slow
# Workers that are interrupted once are in the test above.
@pytest.mark.parametrize(
    "executor", ["serial", pytest.param("processes", marks=pytest.mark.exhaustive)]
)
def test_a_second_ctrl_c_stops_immediately(tmp_path, executor):
    path = write_config(tmp_path)
    process = start_process(
        path,
        *ENDLESS,
        "--executor",
        executor,
    )
    directory = tmp_path / "out" / "sweep"
    while not any(
        s.progress is not None and s.progress.step is not None
        for s in states_while_running(directory).values()
    ):
        assert process.poll() is None, process.communicate()
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    while "press Ctrl-C again" not in (line := process.stderr.readline()):
        assert line, "the command ended"
    process.send_signal(signal.SIGINT)
    _, stderr = process.communicate(timeout=20)
    assert process.returncode == 130 and stderr.endswith("interrupted\n")
    assert "Traceback" not in stderr
    (state,) = {s.status for s in run_states(directory, False).values() if s.progress}
    assert state == "interrupted"
    assert lock.holder(directory) is None


@pytest.mark.slow
def test_a_run_over_its_time_limit_keeps_its_recorded_steps(tmp_path, monkeypatch):
    """The clock jumps over the limit as soon as steps are recorded."""
    path = write_config(tmp_path)
    directory = tmp_path / "out" / "sweep"

    def hurried():
        states = states_while_running(directory).values()
        recorded = any(s.progress is not None and s.progress.step for s in states)
        return time.monotonic() + 3600 * recorded

    clock = SimpleNamespace(monotonic=hurried, sleep=time.sleep)
    monkeypatch.setattr(dispatch, "time", clock)
    limits = ("execution.time_limit=3000", "execution.retries=0")
    items, _ = run_sweep(path, *ENDLESS, *limits)
    assert statuses(items) == ["failed"]
    (folder,) = (directory / "runs").iterdir()
    assert store.read_reason(folder) == "time limit"
    trace = array_files.read_trace(folder)
    assert f"at step {trace['step'].iloc[-1]} of 400000" in store.read_failure(folder)
    assert trace["step"].tolist() == [1000 * i for i in range(len(trace))] and len(trace) > 1
    assert (trace["risk/evaluation"] > 0).all()
