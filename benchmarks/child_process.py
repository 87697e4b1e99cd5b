"""Runs a command as a separate process and measures it."""

import os
import subprocess
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parent.parent


class Usage(NamedTuple):
    """Seconds on the wall and of all cores, and the peak memory of the process in MiB."""

    seconds: float
    cpu: float
    memory: float
    output: str


def measured(command: Sequence[str], cache: str | None = None) -> Usage:
    """Runs a command in the root of the repository. Raises RuntimeError if it fails.

    `cache`: the folder of compiled programs, by default the user's.
    """
    environment: Mapping[str, str] = os.environ | ({"XDG_CACHE_HOME": cache} if cache else {})
    start = time.perf_counter()
    process = subprocess.Popen(
        command,
        cwd=ROOT,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    assert process.stdout is not None
    output = process.stdout.read()
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise RuntimeError(f"{' '.join(command)} exited with {process.returncode}")
    seconds = time.perf_counter() - start
    return Usage(seconds, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024, output)
