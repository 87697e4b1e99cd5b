"""The connection to a Ray cluster: bounded waits, and an error when the cluster is lost.

Ray's calls have no time limits: without its control store (GCS) they wait for a minute and then end
the process, and without the daemon of this machine (raylet) they wait forever.
"""

import atexit
import contextlib
import logging
import os
import signal
import socket
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from typing import Any

from landscape.errors import ClusterError, UserError, first_line

try:
    import ray
except ImportError:
    raise UserError(
        "the executor `ray` needs the package ray", hint="pip install 'landscape[ray]'"
    ) from None

_PORT_TIMEOUT = 10.0  # seconds for a port to accept a connection
_CONNECT_TIMEOUT = 60.0  # seconds for a cluster to accept this process
_REPLY_TIMEOUT = 15.0  # seconds for a cluster to reply before it counts as lost
_DAEMON_TIMEOUT = 5.0  # seconds for the daemon of this machine to reply
_LEAVE_TIMEOUT = 30.0  # seconds for a cluster to release this process
_LOST_TIMEOUT = 5.0  # seconds for a lost cluster to do so
_PERIOD = 1.0  # seconds between two requests to the cluster
_RECENT = 3.0  # seconds to wait for the reply to the next request


class Connection:
    """The connection of this process to a cluster, which a thread tests once per second."""

    def __init__(self) -> None:
        self._node = ray.get_runtime_context().get_node_id()
        self._nodes: list[dict] = within(_REPLY_TIMEOUT, ray.nodes)
        self._replied, self._reply_time = threading.Event(), time.monotonic()
        self._closed = threading.Event()
        self.lost = False
        self._thread = threading.Thread(target=self._watch, daemon=True, name="cluster")
        self._thread.start()

    def nodes(self) -> list[dict]:
        """Returns the living machines of the cluster, as of its last reply."""
        return [node for node in self._nodes if node["Alive"]]

    def check(self, *, now: bool = False) -> None:
        """Raises ClusterError if the cluster does not reply or the daemon of this machine died.

        `now`: waits for a new reply instead of using one that may be seconds old.
        """
        silence = time.monotonic() - self._reply_time
        if now or silence > _REPLY_TIMEOUT:  # or this process was suspended
            self._replied.clear()
            if not self._replied.wait(_RECENT) and silence > _REPLY_TIMEOUT:
                self._lose(f"it has not replied for {silence:.0f} s")
        if self._node not in {node["NodeID"] for node in self.nodes()}:
            self._lose("the daemon (raylet) that this process is connected to has died")

    def call(self, function: Callable, *arguments: Any) -> Any:
        """Returns the result of a function of Ray; raises ClusterError if that takes too long."""
        try:
            return within(_REPLY_TIMEOUT, function, *arguments)
        except ClusterError:
            self.lost = True
            raise

    def close(self) -> None:
        """Ends the thread, unless it waits for a cluster that is lost."""
        self._closed.set()
        if not self.lost:
            self._thread.join(_RECENT)

    def _lose(self, reason: str) -> None:
        self.lost = True
        raise lost_cluster(reason)

    def _watch(self) -> None:
        while not self._closed.wait(_PERIOD):
            with contextlib.suppress(Exception):  # silence is reported
                self._nodes = ray.nodes()
                if not _is_frozen(self._nodes, self._node):
                    self._reply_time = time.monotonic()
                    self._replied.set()


def _is_frozen(nodes: list[dict], node_id: str) -> bool:
    """Returns whether the daemon (raylet) of a machine accepts a request and does not reply.

    The control store asks the same question, but takes more than a minute to give up.
    """
    try:
        import grpc
    except ImportError:  # not a requirement of every version of Ray
        return False
    node = next((node for node in nodes if node["NodeID"] == node_id and node["Alive"]), None)
    if node is None or "NodeManagerPort" not in node:
        return False
    address = f"{node['NodeManagerAddress']}:{node['NodeManagerPort']}"
    with grpc.insecure_channel(address) as channel:
        check = channel.unary_unary("/grpc.health.v1.Health/Check")
        try:
            check(b"", timeout=_DAEMON_TIMEOUT)
        except grpc.RpcError as error:  # any other error is a reply, or its death, which is listed
            return error.code() == grpc.StatusCode.DEADLINE_EXCEEDED
    return False


def lost_cluster(reason: str) -> ClusterError:
    """Returns the error for a cluster that was lost."""
    return ClusterError(
        f"the Ray cluster was lost: {reason}; finished runs are kept",
        hint="start the cluster again if it has ended, and rerun the command to resume",
    )


def within(seconds: float, function: Callable, *arguments: Any) -> Any:
    """Returns the result of a function of Ray.

    Raises ClusterError if that takes longer. The call itself cannot be canceled.
    """
    result: Future = Future()

    def call() -> None:
        try:
            result.set_result(function(*arguments))
        except BaseException as error:
            result.set_exception(error)

    threading.Thread(target=call, daemon=True).start()
    try:
        return result.result(seconds)
    except TimeoutError:
        if result.done():  # it has just ended, or it has raised this error itself
            return result.result()
        raise lost_cluster(f"it has not replied for {seconds:.0f} s") from None


@contextlib.contextmanager
def connected(address: str | None, cores: int | None) -> Iterator[Connection]:
    """Connects this process to the cluster at `address`, unless it is connected already.

    The default is a new cluster with `cores` cores of this machine, which ends with the context.
    Raises UserError if the cluster cannot be reached, ClusterError if it does not reply at the end.
    """
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    connects = not ray.is_initialized()
    if connects:
        _connect(address, cores)
    try:
        connection = Connection()
        with contextlib.closing(connection), _clean_stdout():
            yield connection
    except BaseException as error:
        with contextlib.suppress(ClusterError):
            lost = isinstance(error, ClusterError)
            _disconnect(connects, _LOST_TIMEOUT if lost else _LEAVE_TIMEOUT)
        raise
    _disconnect(connects, _LEAVE_TIMEOUT)


def _connect(address: str | None, cores: int | None) -> None:
    _refuse_unreachable(address)
    try:
        if address is None:  # in this thread: Linux ends the daemons with the thread
            _init("local", include_dashboard=False, num_cpus=cores)
        else:
            within(_CONNECT_TIMEOUT, _init, address)
    except ClusterError:
        raise _no_cluster(address, f"no reply within {_CONNECT_TIMEOUT:.0f} s") from None
    except (ConnectionError, ValueError, RuntimeError, ray.exceptions.RayError) as error:
        raise _no_cluster(address, first_line(error)) from error


def _init(address: str, **local: Any) -> None:
    terminate = signal.getsignal(signal.SIGTERM)
    ray.init(address=address, log_to_driver=False, logging_level=logging.ERROR, **local)
    if threading.current_thread() is threading.main_thread():  # Ray has replaced the handler
        signal.signal(signal.SIGTERM, terminate)


def _disconnect(connects: bool, seconds: float) -> None:
    if not connects:
        return
    try:
        within(seconds, ray.shutdown)
    except ClusterError:
        atexit.unregister(ray.shutdown)  # it would wait again when this process exits
        raise


def _refuse_unreachable(address: str | None) -> None:
    """Raises UserError if the port is closed, which takes Ray minutes to report."""
    host, colon, port = (address or "").removeprefix("ray://").rpartition(":")
    if not colon or not port.isdigit():
        return
    try:
        socket.create_connection((host, int(port)), timeout=_PORT_TIMEOUT).close()
    except (OSError, OverflowError) as error:
        raise _no_cluster(address, str(error)) from None


def _no_cluster(address: str | None, reason: str) -> UserError:
    return UserError(
        f"there is no Ray cluster at {address or 'this machine'}: {reason}",
        hint="start one with `ray start --head`, or omit --address",
    )


@contextlib.contextmanager
def _clean_stdout() -> Iterator[None]:
    """Keeps Ray from printing the death of a worker to stdout, where the results go.

    Ray has no setting for this. The event of the lost run reports the same.
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
