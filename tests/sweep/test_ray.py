"""Ray: workers, machines and clusters that are lost, and clusters that cannot be used."""

import contextlib
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from concurrent.futures import Future
from pathlib import Path

import psutil
import pytest
from helpers.misbehaving_sweep import (
    assert_same_results,
    plan_mischief,
    result_bytes,
    run_command,
    run_sweep,
    states_while_running,
    statuses,
    write_config,
)

from landscape import config
from landscape.errors import ClusterError, StorageError, UserError
from landscape.sweep import lock
from landscape.sweep.executors import ray, ray_connection
from landscape.sweep.executors.dispatch import dispatch
from landscape.sweep.executors.protocol import Lost, Note
from landscape.sweep.run_states import run_states


class Connection:
    """A fake of the connection to a cluster of `machines` that is not lost."""

    lost = False

    def __init__(self, *machines):
        self.machines = machines

    def nodes(self):
        return [{"Resources": resources} for resources in self.machines]

    def check(self, *, now=False):
        pass

    def call(self, function, *arguments):
        return function(*arguments)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")  # Ray forks to start its daemons
def test_a_ray_worker_that_is_killed_costs_one_attempt(tmp_path, undisturbed):
    path = write_config(tmp_path)
    plan_mischief(tmp_path, "kill", 0)  # while it is prepared
    plan_mischief(tmp_path, "kill", 1)  # in the first run
    with contextlib.chdir(tmp_path):  # a worker has another current folder
        events, _ = run_sweep(path, "seeds=1", executor="ray", jobs=1, out=Path("results"))
    directory = tmp_path / "results" / "sweep"
    lost = [event for event in events if isinstance(event, Lost)]
    assert [event.reason for event in lost] == ["worker or its machine lost"]
    assert statuses(events) == ["done"] * 2
    expected = {key: undisturbed[key] for key in undisturbed if "-seed0-" in key[0]}
    assert_same_results(result_bytes(directory), expected)


def test_an_unreachable_cluster_is_reported_at_once():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # bound, but not listening
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        with (
            pytest.raises(UserError, match=f"no Ray cluster at {address}: .*refused"),
            ray.cluster(address, 1, None, 1, config.Resources()),
        ):
            pass


def test_errors_of_a_task_on_a_cluster_are_unwrapped():
    slot = ray.RaySlot("worker 1", None, config.Resources(), Connection())
    for error in (UserError("wrong", hint="mend it"), StorageError("full"), OSError("gone")):
        shown = ray.ray.exceptions.RayTaskError("call", "Traceback", error).as_instanceof_cause()
        reason = slot.why_failed(shown)
        assert type(reason) is type(error) and str(reason) == str(error)
    assert slot.why_failed(ray.ray.exceptions.ActorDiedError()) == "worker or its machine lost"


def test_as_many_workers_as_fit_on_each_machine():
    resources = ({"CPU": 4.0, "GPU": 1.0}, {"CPU": 3.0, "GPU": 2.0}, {"CPU": 8.0})
    machines = [{"Resources": amounts} for amounts in resources]
    for cpus, gpus, expected in [(1, 0, 15), (0.1, 0.2, 15), (1, 0.4, 5), (1, 0.1, 7), (2, 1, 2)]:
        assert ray._capacity(machines, config.Resources(cpus=cpus, gpus=gpus)) == expected


class Cluster:
    """A fake of Ray in which every task raises."""

    def __init__(self, monkeypatch, ray, error):
        self.error, self.calls = error, 0
        monkeypatch.setattr(ray.ray, "remote", lambda thing: self)
        monkeypatch.setattr(ray.ray, "wait", lambda references, **more: (references, []))
        monkeypatch.setattr(ray.ray, "get", self.get)
        monkeypatch.setattr(ray.ray, "kill", lambda *arguments, **options: None)
        node = {"Alive": True, "NodeID": "a" * 56, "NodeManagerHostname": "there"}
        monkeypatch.setattr(ray.ray, "nodes", lambda: [node])
        self.call = self

    def options(self, **options):
        return self

    def remote(self, *arguments):
        return self

    def get(self, reference, timeout=None):
        self.calls += 1
        raise self.error


def test_a_cluster_on_which_workers_cannot_start_is_given_up_with_the_reason(monkeypatch):
    why = ray.ray.exceptions.RayTaskError("begin", "Traceback\nImportError: landscape", None)
    cluster = Cluster(monkeypatch, ray, ray.ray.exceptions.ActorDiedError(why))
    slot = ray.RaySlot("worker 1", None, config.Resources(), Connection())
    assert not slot.ready() and not slot.ready()  # machines come and go
    with pytest.raises(
        UserError, match="workers cannot start on the cluster: ImportError: landscape"
    ):
        slot.ready()
    assert cluster.calls == 3


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        ("RayTaskError", r"cannot run workers: there \(ModuleNotFoundError: landscape\)"),
        ("GetTimeoutError", r"cannot run workers: there \(no reply within 60 s\)"),
    ],
)
def test_a_machine_that_cannot_reply_is_not_reported_as_blind(monkeypatch, tmp_path, kind, words):
    errors = {
        "RayTaskError": ray.ray.exceptions.RayTaskError(
            "seen", "Traceback\nModuleNotFoundError: landscape", ImportError("landscape")
        ),
        "GetTimeoutError": ray.ray.exceptions.GetTimeoutError(),
    }
    Cluster(monkeypatch, ray, errors[kind])
    with pytest.raises(UserError, match=words):
        ray.check_shared(tmp_path)
    assert [*tmp_path.iterdir()] == []


# --- clusters that do not reply, and clusters that are lost

# The command, with less patience.
IMPATIENT = """
from landscape.cli import main
from landscape.sweep.executors import ray_connection
ray_connection._REPLY_TIMEOUT, ray_connection._CONNECT_TIMEOUT = 5.0, 1.0
main()
"""
HEALTH_CHECKS = {  # by which the control store (GCS) detects that a machine is lost
    "RAY_health_check_initial_delay_ms": "0",
    "RAY_health_check_period_ms": "500",
    "RAY_health_check_timeout_ms": "2000",
    "RAY_health_check_failure_threshold": "3",
}


def start_impatient(path, *words):
    return subprocess.Popen(
        [sys.executable, "-c", IMPATIENT, *run_command(path, "--executor", "ray", *words)[3:]],
        cwd=path.parent,
        env=os.environ | HEALTH_CHECKS,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def lose_cluster(path, daemon, begun):
    """Kills a daemon of the cluster of a command once it has `begun`; returns its outcome."""
    process = start_impatient(path, "--jobs", "1")
    while not begun():
        assert process.poll() is None, process.communicate()
        time.sleep(0.1)
    processes = psutil.Process(process.pid).children(recursive=True)
    (victim,) = (p for p in processes if p.name() == daemon)
    workers = [p for p in processes if p.name().startswith("ray::Worker")]
    victim.kill()
    stdout, stderr = process.communicate(timeout=120)
    _, alive = psutil.wait_procs(workers, timeout=20)
    assert workers and not alive
    assert (process.returncode, stdout) == (1, ""), stderr
    assert "rerun the command to resume" in stderr and "Traceback" not in stderr
    return " ".join(stderr.split())


@pytest.mark.slow
@pytest.mark.exhaustive  # test_a_ray_worker_that_is_killed loses less of the cluster
def test_a_command_that_loses_its_cluster_stops_and_can_be_resumed(tmp_path, undisturbed):
    path = write_config(tmp_path)
    directory = tmp_path / "out" / "sweep"
    for number in range(50):  # the first run hangs, and later the check of the losses
        plan_mischief(tmp_path, "hang", number)

    def runs():
        return "running" in {s.status for s in states_while_running(directory).values()}

    stderr = lose_cluster(path, "raylet", runs)
    assert re.search(r"error: the Ray cluster was lost: .*raylet.* has died", stderr)
    assert {state.status for state in run_states(directory, False).values()} == {
        "interrupted",
        "missing",
    }
    assert lock.holder(directory) is None
    flags = set(tmp_path.glob("mischief-*"))
    stderr = lose_cluster(path, "gcs_server", lambda: flags - set(tmp_path.glob("mischief-*")))
    assert "error: the Ray cluster was lost: it has not replied for" in stderr
    for flag in tmp_path.glob("mischief-*"):
        flag.unlink()
    run_sweep(path, executor="serial")
    assert_same_results(result_bytes(directory), undisturbed)


@pytest.mark.slow
def test_an_address_at_which_something_else_listens_is_reported(tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as other:
        address = f"127.0.0.1:{other.getsockname()[1]}"
        process = start_impatient(write_config(tmp_path), "--address", address)
        _, stderr = process.communicate(timeout=60)
    assert process.returncode == 2, stderr
    assert f"no Ray cluster at {address}: no reply within 1 s" in " ".join(stderr.split())


def test_a_call_of_ray_has_a_time_limit():
    assert ray_connection.within(9, divmod, 7, 2) == (3, 1)
    with pytest.raises(ZeroDivisionError):
        ray_connection.within(9, divmod, 7, 0)
    with pytest.raises(TimeoutError, match="by itself"):
        ray_connection.within(9, raise_error, TimeoutError("by itself"))
    with pytest.raises(ClusterError, match="not replied for 0 s"):
        ray_connection.within(0.01, time.sleep, 1)


def test_a_call_of_ray_that_ends_with_its_time_limit_has_its_result(monkeypatch):
    class LateFuture(Future):
        """A future that is done when its time limit is over."""

        def result(self, timeout=None):
            value = super().result()
            if timeout is not None:
                raise TimeoutError
            return value

    monkeypatch.setattr(ray_connection, "Future", LateFuture)
    assert ray_connection.within(9, divmod, 7, 2) == (3, 1)


def raise_error(error):
    raise error


def test_the_command_keeps_its_handler_of_sigterm(monkeypatch):
    def init(**options):
        signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(number))

    monkeypatch.setattr(ray.ray, "init", init)
    before = signal.getsignal(signal.SIGTERM)
    ray_connection._init("local")
    assert signal.getsignal(signal.SIGTERM) is before


class FakeRay:
    """A fake of Ray on two machines, one of which may die; it replies while `replies` is set."""

    def __init__(self, monkeypatch):
        self.alive, self.replies = True, threading.Event()
        self.replies.set()
        monkeypatch.setattr(ray.ray, "get_runtime_context", lambda: self)
        monkeypatch.setattr(ray.ray, "nodes", self.nodes)
        monkeypatch.setattr(ray_connection, "_PERIOD", 0.01)
        monkeypatch.setattr(ray_connection, "_REPLY_TIMEOUT", 0.3)
        monkeypatch.setattr(ray_connection, "_RECENT", 0.2)

    def get_node_id(self):
        return "this"

    def nodes(self):
        self.replies.wait()
        alive = {"this": self.alive, "other": True}
        return [{"NodeID": name, "Alive": state} for name, state in alive.items()]


def test_a_cluster_without_the_machine_of_this_process_is_lost(monkeypatch):
    cluster = FakeRay(monkeypatch)
    with contextlib.closing(ray_connection.Connection()) as connection:
        connection.check()
        cluster.alive = False
        with pytest.raises(ClusterError, match=r"raylet.* has died"):
            connection.check(now=True)
        assert [node["NodeID"] for node in connection.nodes()] == ["other"]
        assert connection.lost


def test_a_daemon_that_accepts_a_request_and_does_not_reply_is_frozen(monkeypatch):
    """The kernel accepts connections to a process that is stopped; a dead one refuses them."""
    monkeypatch.setattr(ray_connection, "_DAEMON_TIMEOUT", 0.5)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        address, port = silent.getsockname()
        node = {"NodeID": "this", "Alive": True, "NodeManagerAddress": address}
        nodes = [node | {"NodeManagerPort": port}]
        assert ray_connection._is_frozen(nodes, "this")
        assert not ray_connection._is_frozen(nodes, "other")
    assert not ray_connection._is_frozen(nodes, "this")


def test_a_cluster_that_does_not_reply_is_lost_unless_this_process_was_suspended(monkeypatch):
    cluster = FakeRay(monkeypatch)
    with contextlib.closing(ray_connection.Connection()) as connection:
        cluster.replies.clear()
        time.sleep(0.4)
        threading.Timer(0.05, cluster.replies.set).start()
        connection.check()
        cluster.replies.clear()
        connection.check()
        time.sleep(0.4)
        with pytest.raises(ClusterError, match="not replied for 0 s; finished runs are kept"):
            connection.check()
        cluster.replies.set()


@pytest.mark.parametrize(
    ("machines", "reason"),
    [
        ([{"CPU": 2.0}], "CPU 4, GPU 0, which no machine of the cluster has (it has 1 machine)"),
        ([{"CPU": 9.0}] * 2, "CPU 4, GPU 0; the cluster has 2 machines with room for 4 workers"),
    ],
)
def test_a_sweep_without_a_worker_says_what_it_waits_for(monkeypatch, machines, reason):
    """Later and later: after 1, 3 and 9 units of time."""
    monkeypatch.setattr("landscape.sweep.executors.dispatch._PATIENCE", 0.05)
    slot = ray.RaySlot("worker 1", None, config.Resources(cpus=4), Connection(*machines))
    monkeypatch.setattr(slot, "ready", lambda: False)
    stop, began = threading.Event(), time.monotonic()
    notes = []
    for note in dispatch([slot], lambda slot: None, lambda: True, stop):
        notes.append(note)
        assert isinstance(note, Note) and f"waiting for {reason}" in note.text
        if len(notes) == 3:
            stop.set()
    assert time.monotonic() - began > 0.05 * 9
