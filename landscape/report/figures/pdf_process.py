"""Renders figures to pdf in a second process, while this one draws and renders to png."""

import contextlib
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from multiprocessing.connection import Connection
from multiprocessing.reduction import ForkingPickler
from typing import TYPE_CHECKING, Any

from matplotlib.figure import Figure

from landscape.report.figures import rendering, style

if TYPE_CHECKING:
    from landscape.report.figures.view import Picture

# Begins to render a figure to pdf, and returns a function that waits for the bytes.
PdfRenderer = Callable[["Picture"], Callable[[], bytes]]


@contextlib.contextmanager
def pdf_renderer(*, parallel: bool) -> Iterator[PdfRenderer]:
    """Yields a renderer that uses a second process if `parallel` and if there is a second core.

    A figure that the process cannot render is rendered in this one. The bytes are the same.
    """
    if not parallel or os.name != "posix" or not _has_second_core():
        yield lambda picture: lambda: rendering.pdf_bytes(picture.figure)
        return
    command = [sys.executable, "-P", "-m", __name__]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    pipes: dict[str, Any] = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    with (
        subprocess.Popen(command, **pipes, stderr=subprocess.DEVNULL, env=environment) as process,
        ThreadPoolExecutor(1) as thread,
    ):
        assert process.stdin is not None and process.stdout is not None
        requests = Connection(os.dup(process.stdin.fileno()), readable=False)
        answers = Connection(os.dup(process.stdout.fileno()), writable=False)
        try:
            yield lambda picture: _begin(picture, thread, requests, answers)
        finally:
            process.kill()


def _has_second_core() -> bool:
    affinity = getattr(os, "sched_getaffinity", None)
    return (os.cpu_count() or 1 if affinity is None else len(affinity(0))) > 1


def _begin(
    picture: "Picture", thread: ThreadPoolExecutor, requests: Connection, answers: Connection
) -> Callable[[], bytes]:
    """Sends a figure as it is now; what cannot be sent or rendered is rendered when waited for."""
    try:
        content = ForkingPickler.dumps((picture.figure, style.SETTINGS))
    except Exception:
        return lambda: rendering.pdf_bytes(picture.figure)

    def exchange() -> bytes:
        requests.send_bytes(content)
        return answers.recv_bytes()

    future = thread.submit(exchange)

    def wait() -> bytes:
        try:
            content = future.result()
        except (OSError, EOFError):  # the process has died
            content = b""
        return content or rendering.pdf_bytes(picture.figure)

    return wait


def _serve() -> None:
    """Renders the figures that arrive on standard input until it ends."""
    requests, answers = Connection(0, writable=False), Connection(os.dup(1), readable=False)
    os.dup2(2, 1)  # nothing else is written among the answers
    with contextlib.suppress(EOFError):
        while True:
            figure, settings = requests.recv()
            style.SETTINGS.update(settings)
            answers.send_bytes(_pdf_or_nothing(figure))


def _pdf_or_nothing(figure: Figure) -> bytes:
    """Returns the figure as pdf; nothing if that fails, so that the other process reports it."""
    try:
        return rendering.pdf_bytes(figure)
    except Exception:
        return b""


if __name__ == "__main__":
    _serve()
