"""Faults of files: a full disk, damage, a clock that runs backwards, two processes at once."""

import os
import resource
import shutil
import signal
import subprocess
import sys

import psutil
import pytest
from helpers.misbehaving_sweep import (
    assert_same_results,
    result_bytes,
    run_command,
    run_sweep,
    start_python,
    states_while_running,
    statuses,
    write_config,
)

from landscape.errors import UserError
from landscape.report.results import read
from landscape.run.plan import Planned, plan
from landscape.storage import contents, store
from landscape.sweep import lock
from landscape.sweep.executors.protocol import Ended
from landscape.sweep.run_states import RunState, folder_state, run_states

FEW = ("losses=[brier]",)


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory):
    path = write_config(tmp_path_factory.mktemp("undisturbed"))
    events, directory = run_sweep(path, *FEW, executor="serial")
    assert statuses(events) == ["done"] * 2
    return directory


def copied(undisturbed, folder):
    path = write_config(folder)
    shutil.copytree(undisturbed, folder / "out" / "sweep")
    return path, folder / "out" / "sweep"


DAMAGES = {
    "cut": lambda content: content[: len(content) // 2],
    "emptied": lambda content: b"",
    "garbage": lambda content: bytes(range(256)) * 4,
    # The worst case: the file is still readable.
    "one bit": lambda content: content[:-9] + bytes([content[-9] ^ 1]) + content[-8:],
}


def test_a_folder_without_its_description_has_the_same_states(undisturbed, tmp_path):
    _, directory = copied(undisturbed, tmp_path)
    states = run_states(directory, False)
    (directory / "experiment.yaml").unlink()
    after, (warning,) = folder_state(directory, False)
    assert after == states and "`experiment.yaml` was removed" in warning
    (directory / "plan.json").unlink()
    assert run_states(directory, False).keys() == states.keys()


def test_a_folder_of_experiments_names_them(undisturbed, tmp_path):
    _, directory = copied(undisturbed, tmp_path)
    (tmp_path / "out" / "notes").mkdir()
    for call in (lambda: run_states(directory.parent, False), lambda: read(directory.parent)):
        with pytest.raises(UserError, match="has no runs") as caught:
            call()
        assert caught.value.hint == f"experiments in it: `{directory}`"


@pytest.mark.parametrize("kind", DAMAGES)
def test_damaged_files_are_detected_and_named(undisturbed, tmp_path, kind):
    path, directory = copied(undisturbed, tmp_path)
    (folder, _) = sorted((directory / "runs").iterdir())
    trained = ("trace.parquet", "params.safetensors")
    expected = dict.fromkeys(trained, "new")
    expected |= dict.fromkeys(("slices.npz", "summary.json", "meta.json", "config.yaml"), "measure")
    for name, action in expected.items():
        content = (folder / name).read_bytes()
        (folder / name).write_bytes(DAMAGES[kind](content))
        assert planned(path)[folder.name] == Planned(action, folder.name, (name,))
        state = run_states(directory, False)[folder.name]
        same_size = kind == "one bit"
        assert (state.status, state.reason) == (("done", None) if same_size else ("damaged", name))
        (folder / name).write_bytes(content)
    assert {p.action for p in planned(path).values()} == {"done"}
    contents.remove(directory)
    (folder / "status.json").write_text('{"status": "done"}')  # as written before digests existed
    assert planned(path)[folder.name] == Planned("done", folder.name)
    (folder / "trace.parquet").unlink()
    assert planned(path)[folder.name] == Planned("new", folder.name, ("trace.parquet",))
    (folder / "status.json").write_bytes(b"{")
    assert planned(path)[folder.name] == Planned("new", folder.name, ("status.json",))


def planned(path):
    from landscape import config

    experiment = config.load(path, FEW)
    directory = path.parent / "out" / "sweep"
    return plan(config.expand(experiment), directory, fresh=False, retry_failed=False)


# The next test also repairs one run of two; `test_damaged_files_...` has the kinds of damage.
@pytest.mark.slow
@pytest.mark.exhaustive
def test_only_damaged_runs_are_performed_again(undisturbed, tmp_path):
    path, directory = copied(undisturbed, tmp_path)
    one, other = sorted((directory / "runs").iterdir())
    (one / "params.safetensors").write_bytes(b"garbage")
    (other / "slices.npz").unlink()
    kept = (other / "trace.parquet").stat().st_mtime_ns
    events, _ = run_sweep(path, *FEW, executor="serial")
    assert statuses(events) == ["done"] * 2
    assert (other / "trace.parquet").stat().st_mtime_ns == kept
    assert_same_results(result_bytes(directory), result_bytes(undisturbed))
    assert statuses(run_sweep(path, *FEW)[0]) == []


@pytest.mark.slow
def test_what_was_changed_is_reported_and_computed_again(undisturbed, tmp_path):
    path, directory = copied(undisturbed, tmp_path)
    across = (*FEW, "across={losses: true, interpolations: [seeds], points: 3}")
    run_sweep(path, *across, executor="serial")
    assert folder_state(directory, False).warnings == ()
    measured = (directory / "across.json").read_bytes()
    (directory / "across.json").write_bytes(measured.replace(b'"metric": 0.', b'"metric": 0.9', 1))
    one, other = sorted((directory / "runs").iterdir())
    (one / "summary.json").write_bytes((other / "summary.json").read_bytes())
    store.write_run_files(one, {}, "done")
    states, (warning,) = folder_state(directory, False)
    assert warning.startswith("`across.json` was changed")
    assert states[one.name] == RunState("damaged", "status.json was changed")
    assert states[other.name].status == "done"
    kept = (other / "trace.parquet").stat().st_mtime_ns
    events, _ = run_sweep(path, *across, executor="serial")
    assert statuses(events) == ["done"]
    assert (other / "trace.parquet").stat().st_mtime_ns == kept
    assert (directory / "across.json").read_bytes() == measured
    assert_same_results(result_bytes(directory), result_bytes(undisturbed))
    assert folder_state(directory, False).warnings == ()
    # Nothing confirms across.json without the list, so it is measured again.
    (directory / "across.json").write_bytes(measured.replace(b'"metric": 0.', b'"metric": 0.9', 1))
    (directory / "contents.json").unlink()
    assert statuses(run_sweep(path, *across)[0]) == []
    assert (directory / "across.json").read_bytes() == measured
    assert folder_state(directory, False).warnings == ()


@pytest.fixture
def small_disk(tmp_path):
    place = tmp_path / "disk"
    place.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=96k", "tmpfs", str(place)]
    if subprocess.run(mount, capture_output=True).returncode:
        pytest.skip("only root can mount a separate disk")
    yield place
    subprocess.run(["umount", str(place)], check=True)


def remounted(place, how):
    subprocess.run(["mount", "-o", f"remount,{how}", str(place)], check=True)


@pytest.mark.slow
def test_a_full_disk_stops_the_sweep_without_loss(undisturbed, tmp_path, small_disk):
    path = write_config(tmp_path)
    words = [*FEW, "--executor", "processes", "--jobs", "1", "--out", str(small_disk)]
    (small_disk / "filler").write_bytes(b"x" * 40_000)
    ended = subprocess.run(run_command(path, *words), cwd=tmp_path, capture_output=True, text=True)
    assert ended.returncode == 1, ended.stderr
    assert "No space left on device" in ended.stderr and "free some space" in ended.stderr
    assert "Traceback" not in ended.stderr
    directory = small_disk / "sweep"
    for folder in (directory / "runs").glob("*"):
        assert store.damaged(folder) == []
    assert lock.holder(directory) is None
    (small_disk / "filler").unlink()
    remounted(small_disk, "size=16m")
    run_sweep(path, *FEW, executor="serial", out=small_disk)
    assert_same_results(result_bytes(directory), result_bytes(undisturbed))


@pytest.mark.slow
def test_a_read_only_folder_is_reported_at_once_and_can_be_read(undisturbed, small_disk, tmp_path):
    path = write_config(tmp_path)
    remounted(small_disk, "size=16m")
    shutil.copytree(undisturbed, small_disk / "sweep")
    remounted(small_disk, "ro")
    words = [*FEW, "--out", str(small_disk)]
    ended = subprocess.run(run_command(path, *words), cwd=tmp_path, capture_output=True, text=True)
    assert ended.returncode == 1
    assert "Read-only file system" in ended.stderr and "--out" in ended.stderr
    assert "Traceback" not in ended.stderr
    states = run_states(small_disk / "sweep", lock.holder(small_disk / "sweep") is not None)
    assert {state.status for state in states.values()} == {"done"}


BACKWARDS = """
import itertools, time
_start, _count, _real = time.time(), itertools.count(), time.time
time.time = lambda: _start - 7.0 * next(_count)
"""


@pytest.mark.slow
@pytest.mark.exhaustive  # no run reads the clock for its results: tests of equal bytes show it
def test_a_clock_that_runs_backwards_does_not_change_the_results(undisturbed, tmp_path):
    path = write_config(tmp_path)
    (tmp_path / "clock").mkdir()
    (tmp_path / "clock" / "sitecustomize.py").write_text(BACKWARDS)
    environment = os.environ | {"PYTHONPATH": str(tmp_path / "clock")}
    overrides = [*FEW, "execution.time_limit=100"]
    process = start_python(path, *overrides, jobs=2, env=environment)
    _, stderr = process.communicate(timeout=200)
    assert process.returncode == 0, stderr
    assert_same_results(result_bytes(tmp_path / "out" / "sweep"), result_bytes(undisturbed))
    check = "import time; assert time.time() > time.time()"
    subprocess.run([sys.executable, "-c", check], env=environment, check=True)


# --- two processes at once


def test_the_error_of_a_folder_in_use_names_the_process(tmp_path):
    path = write_config(tmp_path)
    directory = tmp_path / "out" / "sweep"
    with lock.hold(directory):
        holder = lock.holder(directory)
        assert holder is not None and holder.pid == os.getpid()
        with pytest.raises(UserError, match=rf"in use by process {os.getpid()} on .* since 20"):
            run_sweep(path, *FEW)
        assert sorted(p.name for p in directory.iterdir()) == [".lock", "held.json"]
    assert lock.holder(directory) is None
    assert not directory.exists()


HOLDING = """
import sys, time
from pathlib import Path
from landscape.sweep import lock
with lock.hold(Path(sys.argv[1])) as stale:
    print(stale.pid if stale else None, flush=True)
    time.sleep(100)
"""


def test_a_lock_of_a_process_that_was_killed_is_recognized(tmp_path):
    directory = tmp_path / "sweep"
    held = [sys.executable, "-c", HOLDING, str(directory)]
    first = subprocess.Popen(held, stdout=subprocess.PIPE, text=True)
    assert first.stdout.readline() == "None\n"
    assert lock.holder(directory).pid == first.pid
    with pytest.raises(UserError, match=f"process {first.pid}"), lock.hold(directory):
        pass
    first.send_signal(signal.SIGKILL)
    first.communicate()
    assert lock.holder(directory) is None
    with lock.hold(directory) as stale:
        assert stale.pid == first.pid
        assert lock.holder(directory).pid == os.getpid()


@pytest.mark.slow
def test_a_hundred_tiny_runs_on_two_workers(tmp_path):
    """More runs than a leak of one open file per run would survive."""
    path = write_config(tmp_path)
    tiny = ("losses=[brier]", "slices=null", "steps=2", "model.widths=[2]")
    process, runs = psutil.Process(), 100
    limits = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (process.num_fds() + runs // 2, limits[1]))
    try:
        events, directory = run_sweep(path, *tiny, f"seeds={runs}", jobs=2)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, limits)
    ended = [event for event in events if isinstance(event, Ended)]
    assert len(ended) == runs and {event.status for event in ended} == {"done"}
    some = [event.run for event in ended[:: runs // 4]]
    chosen = "seeds=[" + ",".join(str(run.seed) for run in some) + "]"
    _, alone = run_sweep(path, *tiny, chosen, out=tmp_path / "alone", executor="serial")
    expected = result_bytes(alone)
    results = result_bytes(directory)
    assert_same_results({key: results[key] for key in expected}, expected)
    assert len(expected) == 4 * 5
    assert states_while_running(directory)[some[0].id].status == "done"
