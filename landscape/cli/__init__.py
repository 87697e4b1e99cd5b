"""The `landscape` command: the only folder that prints or exits.

A command opens something, calls the library, and prints the result; everything else belongs there.
"""

import atexit
import gc
import sys

# Imports and tracing create many objects that live long, which the collector visits in vain.
gc.set_threshold(100_000, 20, 100)


def _keep_objects() -> None:
    # The interpreter visits all objects several times when it ends, a fifth of the time of a config
    # error. Where runs are made it has to: a copy of a run that a user's loss forked would hang.
    if "jax" not in sys.modules:
        gc.freeze()


atexit.register(_keep_objects)

from landscape.cli.commands import main  # noqa: E402

__all__ = ["main"]
