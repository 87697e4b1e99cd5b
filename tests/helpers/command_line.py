"""The `landscape` command, as a process of its own or inside this one.

A process takes seconds to start, of which the test learns nothing; so the entry point, the exit
codes and what else only a process can show are tested with one, and the rest in here.
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
    """A process that has ended, with its `returncode`, `stdout` and `stderr`."""
    command = [sys.executable, "-m", "landscape.cli", *map(str, words)]
    return subprocess.run(command, capture_output=True, text=True, cwd=cwd, timeout=300)


def invoke(*words, cwd):
    """The same of a call in this process; whatever escapes from the command is raised."""
    with contextlib.chdir(cwd), _as_for_a_user():
        done = CliRunner(env={"COLUMNS": "80"}).invoke(main, [*map(str, words)], "landscape")
    if done.exception is not None and not isinstance(done.exception, SystemExit):
        raise done.exception
    return SimpleNamespace(returncode=done.exit_code, stdout=done.stdout, stderr=done.stderr)


@contextlib.contextmanager
def _as_for_a_user():
    """Without what the tests of this repository forbid themselves, in all threads."""
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
