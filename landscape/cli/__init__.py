"""The `landscape` command: the only folder that prints or exits.

A command opens something, calls the library, and prints the result; everything else belongs there.
"""

from landscape.cli.commands import main

__all__ = ["main"]
