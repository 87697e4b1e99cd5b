"""Workers as Ray actors, on this machine or on a cluster that shares a file system."""

import contextlib
import math
import socket
import uuid
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from functools import partial
from pathlib import Path
from typing import Any

from landscape.config import Resources
from landscape.errors import UserError, last_line
from landscape.storage import disk
from landscape.sweep.executors import worker
from landscape.sweep.executors.ray_connection import Connection, connected, ray, within

_MAX_FAILED_STARTS = 3  # in a row, of one actor
_PROBE_TIMEOUT = 60.0  # seconds for a machine to report whether it sees the results folder


class Worker:
    """An actor that calls functions of the module `worker`, one at a time."""

    def __init__(self, settings: worker.Settings) -> None:
        worker.begin(settings)

    def call(self, function: Callable, *arguments: Any) -> Any:
        """Returns the result of the function."""
        return function(*arguments)


class RaySlot:
    """The place of one actor, on any machine with the requested resources."""

    def __init__(
        self,
        name: str,
        settings: worker.Settings,
        resources: Resources,
        connection: Connection,
    ) -> None:
        self.name, self._settings, self._resources = name, settings, resources
        self._connection = connection
        self._actor: Any = None
        self._start: Any = None
        self._failed_starts = 0

    def ready(self) -> bool:
        """Returns whether the actor has started on a machine.

        Raises ClusterError if the cluster is lost, UserError if the actor repeatedly dies on start:
        the setup, not the machine, is at fault.
        """
        self._connection.check()
        if self._actor is None:
            self._connection.call(self._request)
        if not ray.wait([self._start], timeout=0)[0]:
            return False
        try:
            ray.get(self._start)
        except ray.exceptions.RayError as error:
            self._connection.check(now=True)
            self.stop()
            self._failed_starts += 1
            if self._failed_starts == _MAX_FAILED_STARTS:
                raise UserError(
                    f"workers cannot start on the cluster: {_last_line(error)}",
                    hint="see Ray's logs on that machine",
                ) from error
            return False
        self._failed_starts = 0
        return True

    def _request(self) -> None:
        """Requests an actor, which starts as soon as a machine has the resources."""
        wanted = self._resources
        options = ray.remote(Worker).options(
            num_cpus=wanted.cpus, num_gpus=wanted.gpus, memory=wanted.memory
        )
        self._actor = options.remote(self._settings)
        self._start = self._actor.call.remote(worker.ready)

    def waiting_for(self) -> str:
        """Describes what the actor needs to start, and whether a machine has it."""
        nodes = self._connection.nodes()
        wanted, places = _describe(self._resources), _capacity(nodes, self._resources)
        machines = "1 machine" if len(nodes) == 1 else f"{len(nodes)} machines"
        if places == 0:
            return f"{wanted}, which no machine of the cluster has (it has {machines})"
        busy = f"the cluster has {machines} with room for {places} workers"
        return f"{wanted}; {busy}, which is taken, or the worker is still starting"

    def start(self, function: Callable, *arguments: Any) -> Future:
        """Calls a function in the actor; the future has its result or error."""
        call = self._connection.call(self._actor.call.remote, function, *arguments)
        return call.future()

    def stop(self) -> None:
        """Ends the actor immediately."""
        actor, self._actor = self._actor, None
        if actor is not None and ray.is_initialized() and not self._connection.lost:
            with contextlib.suppress(Exception):  # it may be dead, or its machine gone
                self._connection.call(partial(ray.kill, actor, no_restart=True))

    def death(self) -> str | None:
        """Returns None: the cluster reports a death as an error of the task.

        Raises ClusterError if the cluster is lost and so reports nothing more.
        """
        self._connection.check()
        return None

    def over_memory_limit(self) -> bool:
        """Returns False: the actor checks its own memory, perhaps on another machine."""
        return False

    def why_failed(self, error: BaseException) -> str | BaseException:
        """Describes why the actor died, or returns what the task itself raised.

        Raises ClusterError if the actor died with the cluster.
        """
        if isinstance(error, ray.exceptions.RayTaskError):  # its text is a Ray traceback
            return error.cause if isinstance(error.cause, BaseException) else error
        if isinstance(error, ray.exceptions.OutOfMemoryError):
            return "memory limit"
        if isinstance(error, ray.exceptions.RayError):
            if f"exit code {worker.OUT_OF_MEMORY}" in str(error):
                return "memory limit"
            self._connection.check(now=True)
            return "worker or its machine lost"
        return error


@contextlib.contextmanager
def cluster(
    address: str | None,
    jobs: int | None,
    memory: int | None,
    together: int | str,
    resources: Resources,
) -> Iterator[list[RaySlot]]:
    """Yields slots on the cluster at `address`, by default on a new cluster of this machine.

    There are `jobs` slots, by default as many as fit. `resources` are those of a run. Raises
    UserError if the cluster cannot be reached or none of its machines has the resources.
    """
    cores = jobs and max(math.ceil(jobs * resources.cpus), 1)
    with connected(address, cores) as connection:
        yield _slots(connection, jobs, memory, together, resources)


def _slots(
    connection: Connection,
    jobs: int | None,
    memory: int | None,
    together: int | str,
    resources: Resources,
) -> list[RaySlot]:
    capacity = _capacity(connection.nodes(), resources)
    if capacity == 0:
        raise UserError(
            f"no machine of the cluster has the resources of a run: {_describe(resources)}",
            hint="request less in `resources:`",
        )
    gpu = resources.gpus or 1.0
    cores = max(int(resources.cpus), 1)
    settings = worker.Settings(cores, (), memory, None, together, gpu)
    numbers = range(1, (jobs or capacity) + 1)
    return [RaySlot(f"worker {number}", settings, resources, connection) for number in numbers]


def _describe(resources: Resources) -> str:
    words = [f"CPU {resources.cpus:g}", f"GPU {resources.gpus:g}"]
    memory = [f"{resources.memory / 2**30:.3g} GiB"] if resources.memory else []
    return ", ".join([*words, *memory])


def _capacity(nodes: Sequence[dict], resources: Resources) -> int:
    """Returns how many workers fit on the living machines of a cluster."""
    wanted = {"CPU": resources.cpus, "GPU": resources.gpus, "memory": resources.memory or 0}
    return sum(
        min(
            int(node["Resources"].get(name, 0) / amount)  # 1 // 0.2 is 4
            for name, amount in wanted.items()
            if amount
        )
        for node in nodes
    )


def check_shared(directory: Path) -> None:
    """Raises UserError if a machine of the cluster does not see the results folder or cannot reply.

    Writes a file with a unique name, which every machine reads and answers with another file.
    """
    name, content = f".probe-{uuid.uuid4().hex}", uuid.uuid4().hex
    disk.write_bytes(directory / name, content.encode(), lasting=False)
    nodes = [node for node in within(_PROBE_TIMEOUT, ray.nodes) if node["Alive"]]
    try:
        limit = 2 * _PROBE_TIMEOUT
        blind, unresponsive = within(limit, _probe, nodes, directory.absolute(), name, content)
    finally:
        for path in (directory / name, *(directory / _answer(name, node) for node in nodes)):
            path.unlink(missing_ok=True)
    if unresponsive:
        raise UserError(
            "machines of the cluster cannot run workers: " + "; ".join(unresponsive),
            hint="landscape must be installed on every machine, in the same version",
        )
    if blind:
        raise UserError(
            f"{directory} is not the same folder on every machine of the cluster: "
            f"{', '.join(blind)} cannot see what {socket.gethostname()} writes there",
            hint="use --out to name a folder that all machines share",
        )


def _probe(
    nodes: Sequence[dict], directory: Path, name: str, content: str
) -> tuple[list[str], list[str]]:
    """Returns the machines that do not see the file, and those that do not reply, with reasons."""
    probe = ray.remote(worker.probe_folder)
    probes = {}
    for node in nodes:
        on_node = ray.util.scheduling_strategies.NodeAffinitySchedulingStrategy(
            node["NodeID"], soft=False
        )
        options = probe.options(num_cpus=0, scheduling_strategy=on_node, max_retries=0)
        reference = options.remote(directory, name, content, _answer(name, node))
        probes[reference] = node["NodeManagerHostname"], directory / _answer(name, node)
    ray.wait(list(probes), num_returns=len(probes), timeout=_PROBE_TIMEOUT)
    blind, unresponsive = [], []
    for reference, (host, answer) in probes.items():
        try:
            sees = ray.get(reference, timeout=0)
        except ray.exceptions.GetTimeoutError:
            unresponsive.append(f"{host} (no reply within {_PROBE_TIMEOUT:.0f} s)")
        except ray.exceptions.RayError as error:
            unresponsive.append(f"{host} ({_last_line(error)})")
        else:
            if not (sees and answer.is_file()):
                blind.append(host)
    return blind, unresponsive


def _answer(name: str, node: dict) -> str:
    return f"{name}.{node['NodeID']}"


def _last_line(error: BaseException) -> str:
    """Returns the last line of an error of Ray, which names the actual error."""
    return last_line(str(error)) or type(error).__name__
