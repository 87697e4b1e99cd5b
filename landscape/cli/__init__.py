"""The `landscape` command: the only folder that prints or exits.

A command opens something, calls the library, and prints the result; everything else belongs there.
"""

import gc

# Imports and tracing create many objects that live long, which the collector visits in vain.
gc.set_threshold(100_000, 20, 100)

from landscape.cli.commands import main  # noqa: E402

__all__ = ["main"]
