"""Reads the tables of the pages on the audit, so that a test can compute what they claim."""

import re
from collections.abc import Callable
from pathlib import Path

import jax
import jax.numpy as jnp
import optax
from jax import lax

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "audit.md"
REFERENCE = ROOT / "docs" / "audit_reference.md"
NAMES = {"jax": jax, "jnp": jnp, "lax": lax, "optax": optax}


def table(*columns: str) -> list[dict[str, str]]:
    """The rows of the table with these columns, each as text by column."""
    lines = iter((PAGE.read_text() + REFERENCE.read_text()).splitlines())
    for line in lines:
        if _cells(line) == list(columns):
            next(lines)
            rows = []
            for row in lines:
                if not row.startswith("|"):
                    return rows
                rows.append(dict(zip(columns, _cells(row), strict=True)))
    raise AssertionError(f"no page has a table with the columns {', '.join(columns)}")


def _cells(line: str) -> list[str]:
    return [cell.strip() for cell in line.strip().strip("|").split("|")]


def function(expression: str, *arguments: str) -> Callable:
    """The function that a cell such as `jnp.abs(x)` means."""
    code = re.fullmatch("`(.*)`", expression)
    assert code, f"{expression} is not code"
    return eval(f"lambda {', '.join(arguments)}: {code[1]}", dict(NAMES))
