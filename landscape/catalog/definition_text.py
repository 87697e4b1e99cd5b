"""The source text that a name in a Python file depends on, without the rest of the file."""

import ast
import io
import tokenize
from collections.abc import Iterable, Iterator, Sequence

from landscape.catalog.menu import defined_names


def definition_text(text: str, name: str) -> str:
    """Returns the statements of a file on which a name depends, without comments and docstrings.

    These are the definition of the name, those of the module-level names that it refers to, and so
    on; statements that define nothing, such as calls, and star imports, since anything may depend
    on them. The whole text if it is not valid Python or does not define the name.
    """
    try:
        body = ast.parse(text).body
    except (SyntaxError, ValueError):
        return text
    if not any(name in _changed_names(node) for node in body):
        return text
    numbers = {number for number, node in enumerate(body) if _has_effect(node)}
    reached, remaining = (
        set[str](),
        {name}.union(*(_used_names(body[number]) for number in numbers)),
    )
    while remaining:
        reached |= remaining
        new = {
            number for number, node in enumerate(body) if _changed_names(node) & remaining
        } - numbers
        numbers |= new
        remaining = set[str]().union(*(_used_names(body[number]) for number in new)) - reached
    used = {line for number in numbers for line in _lines_of(body[number])}
    unused = {line for node in body for line in _lines_of(node)} - used
    unused |= {line for docstring in _docstrings(body) for line in _lines_of(docstring)}
    lines = enumerate(_without_comments(text), start=1)
    return _spaced(line for number, line in lines if line is not None and number not in unused)


def _has_effect(node: ast.stmt) -> bool:
    """Returns whether a statement may change anything without defining a name that is used."""
    if isinstance(node, ast.Expr):
        return not isinstance(node.value, ast.Constant)
    names = _changed_names(node)
    return "*" in names or (not names and not isinstance(node, ast.Pass) and not _is_main(node))


def _is_main(node: ast.stmt) -> bool:
    return isinstance(node, ast.If) and "__name__" in _used_names(node)


def _changed_names(node: ast.stmt) -> set[str]:
    """Returns the names that a statement defines or changes, as `TABLE["key"] = 1` does."""
    if _is_main(node):
        return set()
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        return {node.name}
    names = set(defined_names(node))
    for inner in ast.walk(node):
        if isinstance(inner, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            names.add(inner.name)
        elif isinstance(inner, ast.Import | ast.ImportFrom):
            names |= defined_names(inner)
        elif isinstance(inner, ast.Subscript | ast.Attribute) and isinstance(inner.ctx, ast.Store):
            names |= {n.id for n in ast.walk(inner) if isinstance(n, ast.Name)}
    return names


def _used_names(node: ast.stmt) -> set[str]:
    return {inner.id for inner in ast.walk(node) if isinstance(inner, ast.Name)}


def _docstrings(body: Sequence[ast.stmt]) -> Iterator[ast.Expr]:
    """Yields docstrings that are not the only statement and that stand on lines of their own."""
    kinds = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef
    for node in body:
        for inner in ast.walk(node):
            if not isinstance(inner, kinds) or len(inner.body) < 2:
                continue
            first, second = inner.body[:2]
            is_text = isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant)
            alone = inner.lineno < first.lineno and (first.end_lineno or 0) < second.lineno
            if isinstance(first, ast.Expr) and is_text and alone:
                yield first


def _without_comments(text: str) -> list[str | None]:
    """Returns the lines of a file without comments, None for a line that is nothing else."""
    lines: list[str | None] = list(text.splitlines())
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        if token.type == tokenize.COMMENT:
            row, column = token.start
            code = token.line[:column].rstrip()
            lines[row - 1] = code or None
    return lines


def _lines_of(node: ast.stmt) -> range:
    """Returns the numbers of the lines of a statement, from 1."""
    decorators = getattr(node, "decorator_list", [])
    first = min([node.lineno, *(decorator.lineno for decorator in decorators)])
    return range(first, (node.end_lineno or first) + 1)


def _spaced(lines: Iterable[str]) -> str:
    """Returns the lines as a text with at most two empty lines in a row, and none at its ends."""
    text: list[str] = []
    for line in lines:
        if line.strip() or (text and any(text[-2:])):
            text.append(line)
    return "\n".join(text).rstrip() + "\n"
