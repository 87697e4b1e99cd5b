"""The `landscape` command: the only package that prints or exits."""

from landscape.cli import audits, menu_commands, reports, runs  # noqa: F401  (each adds its commands)
from landscape.cli.root import main

__all__ = ["main"]
