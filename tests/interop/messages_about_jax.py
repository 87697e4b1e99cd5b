"""The messages of the audit that name functions of JAX."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import landscape

JAX_WORD = re.compile(
    r"(?<![\w.])(jnp|jax|optax|lax|stop_gradient|custom_jvp|custom_vjp|astype)(?!\w)"
)
# Names of operations, and of the packages that JAX consists of.
_NAMES = {"stop_gradient", "jax"}


def messages() -> Iterator[str]:
    """Yields the strings in the source of the audit that name JAX, except docstrings."""
    for package in ("audit", "numerics"):
        for path in sorted((Path(landscape.__file__).parent / package).rglob("*.py")):
            tree = ast.parse(path.read_text())
            docstrings = {
                node.body[0].value
                for node in ast.walk(tree)
                if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef)
                and isinstance(node.body[0], ast.Expr)
            }
            for node in ast.walk(tree):
                value = node.value if isinstance(node, ast.Constant) else None
                if not isinstance(value, str) or node in docstrings or value in _NAMES:
                    continue
                if JAX_WORD.search(value):
                    yield value
