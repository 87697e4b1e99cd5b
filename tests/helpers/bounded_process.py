"""Runs `landscape` in one process whose memory is bounded, and which is replaced if it hangs."""

import multiprocessing
import resource
from pathlib import Path

# What a command may allocate beyond the libraries that it imports.
MOST_BYTES = 2**30
# Commands end within 10 s on an idle machine.
MOST_SECONDS = 90


class BoundedCommands:
    """Runs commands in a process of their own; use as a context manager."""

    def __enter__(self):
        self._start()
        return self

    def __exit__(self, *_):
        self._pool.terminate()

    def _start(self):
        context = multiprocessing.get_context("spawn")
        self._pool = context.Pool(1, initializer=_limit_memory)

    def run(self, *words, cwd):
        """Returns the exit code and all output. Fails if the command hangs or its process ends."""
        answer = self._pool.apply_async(_invoke, (words, cwd))
        try:
            return answer.get(MOST_SECONDS)
        except multiprocessing.TimeoutError:
            self._pool.terminate()
            self._start()
            raise AssertionError(f"`landscape {' '.join(words)}` hangs or has died") from None


def _limit_memory():
    import landscape.report.assemble  # noqa: F401

    fields = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines())
    most = int(fields["VmData"].split()[0]) * 1024 + MOST_BYTES
    resource.setrlimit(resource.RLIMIT_DATA, (most, most))


def _invoke(words, cwd):
    from helpers.command_line import invoke

    done = invoke(*words, cwd=cwd)
    return done.returncode, done.stdout + done.stderr
