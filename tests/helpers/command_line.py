"""The `landscape` command, in a separate process or in this one.

A process takes seconds to start. It is used for the entry point, the exit codes and whatever else
only a process can show; everything else runs in this process.
"""

import contextlib
import subprocess
import sys
import warnings
from types import SimpleNamespace

import jax
from click.testing import CliRunner

from landscape.cli import main


def run_process(*words, cwd):
    """Runs the command in a process; returns its `returncode`, `stdout` and `stderr`."""
    command = [sys.executable, "-m", "landscape.cli", *map(str, words)]
    return subprocess.run(command, capture_output=True, text=True, cwd=cwd, timeout=300)


def invoke(*words, cwd):
    """Runs the command in this process; raises any exception that escapes from it."""
    with contextlib.chdir(cwd), _as_for_a_user():
        done = CliRunner(env={"COLUMNS": "80"}).invoke(main, [*map(str, words)], "landscape")
    if done.exception is not None and not isinstance(done.exception, SystemExit):
        raise done.exception
    return SimpleNamespace(returncode=done.exit_code, stdout=done.stdout, stderr=done.stderr)


@contextlib.contextmanager
def _as_for_a_user():
    """Lifts the restrictions that only the tests of this repository set, in all threads."""
    forbidden = {"jax_numpy_rank_promotion": "allow", "jax_numpy_dtype_promotion": "standard"}
    before = {name: getattr(jax.config, name) for name in forbidden}
    for name, value in forbidden.items():
        jax.config.update(name, value)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        for name, value in before.items():
            jax.config.update(name, value)
