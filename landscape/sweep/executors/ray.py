"""Workers as actors of a Ray cluster: of this machine, or of many that share a file system."""

import contextlib
import logging
import math
import os
import socket
import uuid
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from pathlib import Path
from typing import Any

from landscape.config import Resources
from landscape.errors import UserError, last_line
from landscape.storage import disk
from landscape.sweep.executors import worker

_TRIES = 3  # how often in a row a worker may die before it has begun
_ANSWER = 60.0  # seconds that a machine may take to say whether it sees the folder of results

try:
    import ray
except ImportError:
    raise UserError(
        "the executor `ray` needs the package ray", hint="pip install 'landscape[ray]'"
    ) from None


class Worker:
    """An actor: calls functions of `worker`, one at a time."""

    def __init__(self, settings: worker.Settings) -> None:
        worker.begin(settings)

    def call(self, function: Callable, *arguments: Any) -> Any:
        """What the function returns."""
        return function(*arguments)


class Slot:
    """The place of one actor, on whatever machine has room for it."""

    def __init__(self, name: str, settings: worker.Settings, resources: Resources) -> None:
        self.name, self._settings, self._resources = name, settings, resources
        self._actor: Any = None
        self._begun: Any = None
        self._vain = 0

    def ready(self) -> bool:
        """Whether the actor has found a machine and started there.

        UserError where it has died of that several times: then it is no machine that has left.
        """
        if self._actor is None:
            self._actor = (
                ray.remote(Worker).options(**_demand(self._resources)).remote(self._settings)
            )
            self._begun = self._actor.call.remote(worker.ready)
        if not ray.wait([self._begun], timeout=0)[0]:
            return False
        try:
            ray.get(self._begun)
        except ray.exceptions.RayError as error:
            self.stop()
            self._vain += 1
            if self._vain == _TRIES:
                raise UserError(
                    f"no worker can begin on the cluster: {_said(error)}",
                    hint="see Ray's own logs on that machine",
                ) from error
            return False
        self._vain = 0
        return True

    def start(self, function: Callable, *arguments: Any) -> Future:
        """Has the actor call a function; its result or error is the future's."""
        return self._actor.call.remote(function, *arguments).future()

    def stop(self) -> None:
        """Ends the actor at once."""
        actor, self._actor = self._actor, None
        if actor is not None and ray.is_initialized():
            with contextlib.suppress(Exception):  # it is dead or its machine is gone
                ray.kill(actor, no_restart=True)

    def dead(self) -> str | None:
        """Nothing: the cluster tells by an error."""
        return None

    def overdrawn(self) -> bool:
        """Left to the actor itself, which is on another machine."""
        return False

    def why(self, error: BaseException) -> str | BaseException:
        """Why the actor was lost; or what the task itself raised."""
        if isinstance(error, ray.exceptions.RayTaskError):  # its text is a traceback of Ray's
            return error.cause if isinstance(error.cause, BaseException) else error
        if isinstance(error, ray.exceptions.OutOfMemoryError):
            return "memory limit"
        if isinstance(error, ray.exceptions.RayError):
            if f"exit code {worker.OUT_OF_MEMORY}" in str(error):
                return "memory limit"
            return "worker or its machine lost"
        return error


@contextlib.contextmanager
def cluster(
    address: str | None, jobs: int | None, memory: int | None, together: int | str, asked: Resources
) -> Iterator[list[Slot]]:
    """Slots on the cluster at `address`, without one on a cluster of this machine alone.

    As many as were asked for, else as many as fit. UserError where there is no such cluster, or no
    machine of it that has what a run asks for.
    """
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    own = not ray.is_initialized()
    if own:
        _refuse_unreachable(address)
        try:
            ray.init(
                address=address or "local",
                log_to_driver=False,
                logging_level=logging.ERROR,
                **_of_this_machine(jobs, asked) if address is None else {},
            )
        except (ConnectionError, ValueError, RuntimeError) as error:
            raise _no_cluster(address, str(error).splitlines()[0]) from error
    try:
        with _clean_stdout():
            yield _slots(jobs, memory, together, asked)
    finally:
        if own:
            ray.shutdown()


def _refuse_unreachable(address: str | None) -> None:
    """Ray itself would try for minutes."""
    host, colon, port = (address or "").removeprefix("ray://").rpartition(":")
    if not colon or not port.isdigit():
        return
    try:
        socket.create_connection((host, int(port)), timeout=10).close()
    except (OSError, OverflowError) as error:
        raise _no_cluster(address, str(error)) from None


def _no_cluster(address: str | None, reason: str) -> UserError:
    return UserError(
        f"there is no Ray cluster at {address or 'this machine'}: {reason}",
        hint="start one with `ray start --head`, or leave --address out",
    )


def _slots(
    jobs: int | None, memory: int | None, together: int | str, asked: Resources
) -> list[Slot]:
    fitting = _fitting(asked)
    if fitting == 0:
        raise UserError(
            f"no machine of the cluster has what a run asks for: {_in_words(asked)}",
            hint="ask for less in `resources:`",
        )
    gpu = asked.gpus or 1.0
    cores = max(int(asked.cpus), 1)
    settings = worker.Settings(cores, (), memory, None, together, gpu)
    return [Slot(f"worker {n}", settings, asked) for n in range(1, (jobs or fitting) + 1)]


def _of_this_machine(jobs: int | None, asked: Resources) -> dict[str, Any]:
    """A cluster of its own, which has room for as many workers as were asked for."""
    here = {} if jobs is None else {"num_cpus": max(math.ceil(jobs * asked.cpus), 1)}
    return {"include_dashboard": False, **here}


@contextlib.contextmanager
def _clean_stdout() -> Iterator[None]:
    """Ray prints to stdout that a worker has died, where this program's results go.

    It has no setting for that. The same is told by the run that was lost.
    """
    from ray._private import worker as internals

    before = getattr(internals, "print_to_stdstream", None)
    if before is not None:
        internals.print_to_stdstream = lambda *arguments, **options: None
    try:
        yield
    finally:
        if before is not None:
            internals.print_to_stdstream = before


def _demand(resources: Resources) -> dict[str, Any]:
    found: dict[str, Any] = {"num_cpus": resources.cpus, "num_gpus": resources.gpus}
    if resources.memory is not None:
        found["memory"] = resources.memory
    return found


def _in_words(asked: Resources) -> str:
    words = [f"CPU {asked.cpus:g}", f"GPU {asked.gpus:g}"]
    memory = [f"{asked.memory / 2**30:.3g} GiB"] if asked.memory else []
    return ", ".join([*words, *memory])


def _fitting(asked: Resources) -> int:
    """How many workers the machines of the cluster have room for."""
    wanted = {"CPU": asked.cpus, "GPU": asked.gpus, "memory": asked.memory or 0}
    return sum(
        min(
            int(node["Resources"].get(name, 0) / amount)  # 1 // 0.2 is 4
            for name, amount in wanted.items()
            if amount
        )
        for node in ray.nodes()
        if node["Alive"]
    )


def check_shared(directory: Path) -> None:
    """UserError where a machine of the cluster does not see the folder of results, or cannot say.

    A file of a name of its own is written there, read on every machine, and answered by another.
    """
    name, content = f".probe-{uuid.uuid4().hex}", uuid.uuid4().hex
    disk.write_bytes(directory / name, content.encode(), lasting=False)
    nodes = [node for node in ray.nodes() if node["Alive"]]
    try:
        blind, silent = _asked(nodes, directory.absolute(), name, content)
    finally:
        for path in (directory / name, *(directory / _answer(name, node) for node in nodes)):
            path.unlink(missing_ok=True)
    if silent:
        raise UserError(
            "machines of the cluster that cannot work: " + "; ".join(silent),
            hint="landscape must be installed on every machine, in the same version",
        )
    if blind:
        raise UserError(
            f"{directory} is not the same folder on every machine of the cluster: "
            f"{', '.join(blind)} cannot see what {socket.gethostname()} writes there",
            hint="name a folder that all machines share with --out",
        )


def _asked(
    nodes: Sequence[dict], directory: Path, name: str, content: str
) -> tuple[list[str], list[str]]:
    """The machines that do not see the file, and those that cannot say, with the reason."""
    probe = ray.remote(worker.seen)
    asked = {}
    for node in nodes:
        here = ray.util.scheduling_strategies.NodeAffinitySchedulingStrategy(
            node["NodeID"], soft=False
        )
        options = probe.options(num_cpus=0, scheduling_strategy=here, max_retries=0)
        reference = options.remote(directory, name, content, _answer(name, node))
        asked[reference] = node["NodeManagerHostname"], directory / _answer(name, node)
    ray.wait(list(asked), num_returns=len(asked), timeout=_ANSWER)
    blind, silent = [], []
    for reference, (host, answer) in asked.items():
        try:
            sees = ray.get(reference, timeout=0)
        except ray.exceptions.GetTimeoutError:
            silent.append(f"{host} (no answer within {_ANSWER:.0f} s)")
        except ray.exceptions.RayError as error:
            silent.append(f"{host} ({_said(error)})")
        else:
            if not (sees and answer.is_file()):
                blind.append(host)
    return blind, silent


def _answer(name: str, node: dict) -> str:
    return f"{name}.{node['NodeID']}"


def _said(error: BaseException) -> str:
    """What Ray says in the end, where the error itself stands."""
    return last_line(str(error)) or type(error).__name__
