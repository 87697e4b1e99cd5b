"""Renders figures in a second process, while this one draws and renders others.

Importing this module is cheap, so that the process can start before this one has imported the rest.
"""

import contextlib
import gc
import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from multiprocessing.connection import Connection
from multiprocessing.reduction import ForkingPickler
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from landscape.report.figures.all_figures import Drawing

# Returns the bytes of a file or an image when it is called, once they are ready.
Pending = Callable[[], bytes]
# The first byte of an answer, which may have no others: some figures have no image for phones.
_RENDERED = b"+"


class FigureProcess:
    """Renders figures in the order of the calls; what cannot be rendered there is rendered here.

    A pending figure that has not been begun when it is waited for is rendered in this process, so
    wait for the last one first. The bytes are the same in both.
    """

    def __init__(self, exchange: Callable[[bytes], bytes] | None = None) -> None:
        self._exchange = exchange
        self._thread = ThreadPoolExecutor(1)

    def phone_images(self, drawings: Sequence["Drawing"]) -> list[Pending]:
        """Begins to draw each figure for phones. Call it once, since the process keeps them all."""
        from landscape.report import page_images

        def here(drawing: "Drawing") -> Pending:
            return lambda: page_images.phone_image(drawing.draw, drawing.name)

        self._begin(list(drawings), lambda: b"")
        return [self._begin(index, here(each)) for index, each in enumerate(drawings)]

    def pdf(self, figure: "Figure") -> Pending:
        """Begins to render a figure, as it is now, to pdf."""
        from landscape.report.figures import rendering

        return self._begin(figure, lambda: rendering.pdf_bytes(figure))

    def _begin(self, request: Any, here: Pending) -> Pending:
        """Sends a request; what cannot be sent is rendered `here`."""
        from landscape.report.figures import style

        exchange = self._exchange
        if exchange is None:
            return here
        try:
            content = bytes(ForkingPickler.dumps((request, style.SETTINGS)))
        except Exception:
            return here
        future = self._thread.submit(exchange, content)

        def wait() -> bytes:
            if future.cancel():
                return here()
            try:
                answer = future.result()
            except (OSError, EOFError):  # the process has died
                answer = b""
            return answer.removeprefix(_RENDERED) if answer else here()

        return wait


@contextlib.contextmanager
def started() -> Iterator[FigureProcess]:
    """Starts the second process, if there is a second core for it, and ends it afterwards."""
    if os.name != "posix" or not _has_second_core():
        yield FigureProcess()
        return
    command = [sys.executable, "-P", "-m", __name__]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    pipes: dict[str, Any] = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    with subprocess.Popen(command, **pipes, stderr=subprocess.DEVNULL, env=environment) as process:
        assert process.stdin is not None and process.stdout is not None
        requests = Connection(os.dup(process.stdin.fileno()), readable=False)
        answers = Connection(os.dup(process.stdout.fileno()), writable=False)

        def exchange(request: bytes) -> bytes:
            requests.send_bytes(request)
            return answers.recv_bytes()

        figures = FigureProcess(exchange)
        try:
            yield figures
        finally:
            process.kill()
            figures._thread.shutdown(cancel_futures=True)


def _has_second_core() -> bool:
    affinity = getattr(os, "sched_getaffinity", None)
    return (os.cpu_count() or 1 if affinity is None else len(affinity(0))) > 1


def _serve() -> None:
    """Renders what arrives on standard input until it ends."""
    requests, answers = Connection(0, writable=False), Connection(os.dup(1), readable=False)
    os.dup2(2, 1)  # nothing else is written among the answers
    gc.set_threshold(100_000, 20, 100)  # as the command does
    from landscape.report.figures import all_figures, style  # noqa: F401  # before they are needed

    drawings: Sequence[Drawing] = ()
    with contextlib.suppress(EOFError):
        while True:
            request, settings = requests.recv()
            style.SETTINGS.update(settings)
            if isinstance(request, list):
                drawings = request
                answers.send_bytes(b"")
            else:
                answers.send_bytes(_rendered_or_nothing(request, drawings))


def _rendered_or_nothing(request: "int | Figure", drawings: Sequence["Drawing"]) -> bytes:
    """Returns a figure as pdf, or one of the drawings for phones, after `_RENDERED`.

    Nothing if that fails, so that the other process reports it.
    """
    from landscape.report import page_images
    from landscape.report.figures import rendering

    try:
        if isinstance(request, int):
            drawing = drawings[request]
            return _RENDERED + page_images.phone_image(drawing.draw, drawing.name)
        return _RENDERED + rendering.pdf_bytes(request)
    except Exception:
        return b""


if __name__ == "__main__":
    _serve()
