"""Writes docs/file_formats.md from the records of landscape/storage.

python docs/file_formats.py
"""

import ast
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parent.parent
MODULES = (
    "records",
    "data_records",
    "compare_records",
    "map_records",
    "curvature_records",
    "audit_records",
    "recording_records",
)
PAGE = ROOT / "docs" / "file_formats.md"
INTRODUCTION = """# The JSON files of results

`runs/README.md` lists all files of an experiment. Its JSON files are described here, one table per
record, one row per key. The page is generated from `records.py`, `data_records.py`,
`compare_records.py`, `map_records.py`, `curvature_records.py`, `audit_records.py` and
`recording_records.py` in `landscape/storage/`, which writer and reader share: change the docstrings
there and run `python docs/file_formats.py`.

A *number* is a JSON number or one of the texts `"NaN"`, `"Infinity"` and `"-Infinity"`, since JSON
has no other way to write these. Earlier versions wrote null instead, and `"nan"`, `"inf"` and
`"-inf"` in `audit.json`; such files are still read. Keys are sorted. Readers ignore unknown keys.

An *integer* is not negative and has at most 63 bits. A reader shortens long texts, and refuses
names of more than 1,000 characters.

`plan.json` is a list of texts: the ids of the runs, in the order of the config.
"""
_PLAIN = {"str": "text", "int": "integer", "float": "number", "bool": "true or false"}
_PLAIN |= {"Number": "number", "Vector": "list of numbers", "Value": "any value"}
_PLAIN |= {"Grid": "list of lists of numbers", "None": "null", "Interval": "[number, number]"}
_PLAIN |= {"Severity": "text", "Verdict": "text", "Name": "text", "Text": "text"}
_PLAIN |= {"Natural": "integer", "RunId": "text", "RunIds": "list of text", "Rate": "number"}
_PLAIN |= {"Block": "list of lists of lists of numbers"}


class Key(NamedTuple):
    """One row of a table."""

    name: str
    kind: str
    text: str


def page() -> str:
    """Returns the whole page."""
    return "\n".join([INTRODUCTION, *sections()]) + "\n"


def sections() -> Iterator[str]:
    """Yields a section per record, in the order of the modules."""
    for module in MODULES:
        tree = ast.parse((ROOT / "landscape" / "storage" / f"{module}.py").read_text())
        for node in tree.body:
            if isinstance(node, ast.ClassDef) and node.decorator_list:
                yield from _section(node)


def _section(node: ast.ClassDef) -> Iterator[str]:
    base = node.bases[0].id if node.bases and isinstance(node.bases[0], ast.Name) else "OmitsNull"
    yield f"## {node.name}\n"
    text = " ".join((ast.get_docstring(node) or "").split())
    yield f"{text}\n" if base == "OmitsNull" else f"{text} It has the keys of {base} as well.\n"
    yield "| key | value | meaning |\n| --- | --- | --- |"
    for key in _keys(node):
        yield f"| `{key.name}` | {key.kind} | {key.text} |"
    yield ""


def _keys(node: ast.ClassDef) -> Iterator[Key]:
    for statement, docstring in zip(node.body, node.body[1:], strict=False):
        if isinstance(statement, ast.AnnAssign) and isinstance(statement.target, ast.Name):
            assert isinstance(docstring, ast.Expr) and isinstance(docstring.value, ast.Constant)
            name = _alias(statement.annotation) or statement.target.id
            text = " ".join(str(docstring.value.value).split()).replace("|", r"\|")
            yield Key(name, _kind(statement.annotation), text)


def _alias(annotation: ast.expr) -> str | None:
    for node in ast.walk(annotation):
        if isinstance(node, ast.keyword) and node.arg == "alias":
            return str(ast.literal_eval(node.value))
    return None


def _kind(annotation: ast.expr) -> str:
    """Describes a type in words."""
    match annotation:
        case ast.Name(name):
            return _PLAIN.get(name, name)
        case ast.Constant(None):
            return "null"
        case ast.BinOp(left, ast.BitOr(), right):
            return f"{_kind(left)} or {_kind(right)}"
        case ast.Subscript(ast.Name("Annotated"), ast.Tuple([kind, *_])):
            return _kind(kind)
        case ast.Subscript(ast.Name("Mapping"), ast.Tuple([_, kind])):
            return f"object, each value: {_kind(kind)}"
        case ast.Subscript(ast.Name("tuple"), ast.Tuple([kind, _])):
            return f"list of {_kind(kind)}"
        case ast.Subscript(ast.Name("Literal"), choices):
            return " or ".join(f'"{value}"' for value in ast.literal_eval(choices))
    raise TypeError(f"no words for {ast.unparse(annotation)}")


if __name__ == "__main__":
    PAGE.write_text(page())
