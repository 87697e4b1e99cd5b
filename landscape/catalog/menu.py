"""What a family offers, read from source text: nothing is imported, so nothing heavy is loaded."""

import ast
import functools
import operator
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from landscape.errors import Place, UserError, nearest

FAMILIES = (
    "losses",
    "models",
    "activations",
    "datasets",
    "optimizers",
    "schedules",
    "metrics",
    "directions",
)
TASKS = ("regression", "binary", "multiclass", "segmentation")
PARTS = Path(__file__).parent.parent / "parts"

# How many leading positional arguments the program itself hands over; the rest are options.
RUNTIME = {"losses": 2, "models": 2, "datasets": 1, "schedules": 2, "activations": 1}


class Expression(str):
    """A default that is not a literal, as it stands in the source."""


@dataclass(frozen=True)
class Option:
    """One option of a part: its annotation as written, and its default unless it is required."""

    annotation: str
    default: object = None
    required: bool = False


@dataclass(frozen=True)
class Entry:
    """One part of a menu. `any_option` says that it takes options beyond those named."""

    name: str
    family: str
    task: str | None
    file: Path
    line: int
    summary: str
    doc: str
    options: dict[str, Option]
    any_option: bool = False

    @property
    def module(self) -> str:
        """The module to import it from."""
        inside = self.file.relative_to(PARTS).with_suffix("")
        return ".".join(("landscape", "parts", *inside.parts))


def check_family(family: str) -> str:
    """The family itself; UserError with the nearest name for one that does not exist."""
    if family not in FAMILIES:
        raise UserError(f"there is no family `{family}`", hint=nearest(family, FAMILIES))
    return family


@functools.cache
def entries(family: str) -> tuple[Entry, ...]:
    """Every part of a family, in the order of modules and lines; losses of all tasks."""
    folder = PARTS / check_family(family)
    files = sorted(folder.glob("*.py")) if folder.is_dir() else [PARTS / f"{family}.py"]
    found: list[Entry] = []
    for file in files:
        if file.name.startswith("_") or not file.exists():
            continue
        task = file.stem if family == "losses" else None
        found += [
            _entry(node, family, task, file)
            for node in ast.parse(file.read_bytes(), str(file)).body
            if isinstance(node, ast.FunctionDef) and not node.name.startswith("_")
        ]
    return tuple(found)


def menu(family: str, task: str | None = None) -> dict[str, Entry]:
    """The parts of a family by name; losses without a task by `task/name`.

    The same name may stand in the losses of two tasks, so `focal` alone would be ambiguous:
    `menu("losses", "binary")["focal"]` and `menu("losses")["binary/focal"]` are the same entry.
    """
    if family != "losses":
        return {entry.name: entry for entry in entries(family)}
    if task is None:
        return {f"{entry.task}/{entry.name}": entry for entry in entries(family)}
    if task not in TASKS:
        raise UserError(f"there is no task `{task}`", hint=nearest(task, TASKS))
    return {entry.name: entry for entry in entries(family) if entry.task == task}


def describe(entry: Entry) -> dict[str, object]:
    """An entry as plain JSON values; a default stands as Python would write it."""
    options = {
        name: {
            "annotation": option.annotation,
            "required": option.required,
            "default": None if option.required else _written(option.default),
        }
        for name, option in entry.options.items()
    }
    return {
        "family": entry.family,
        "task": entry.task,
        "name": entry.name,
        "summary": entry.summary,
        "doc": entry.doc,
        "options": options,
        "file": str(entry.file),
        "line": entry.line,
    }


def read_source(path: Path, place: Place | None = None) -> str:
    """The text of a user's Python file; UserError where it cannot be read."""
    try:
        return path.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError:
        raise UserError(f"{path} is not UTF-8 text", place=place) from None
    except OSError as error:
        hint = "a path is relative to the folder of the config"
        message = f"cannot read {path}: {error.strerror}"
        raise UserError(message, place=place, hint=hint) from None


def user_entry(family: str, path: Path, name: str) -> Entry | None:
    """A function of a user's file; None where it is defined in a way that cannot be read off.

    UserError where the file cannot be read or parsed, or has no such name.
    """
    text = read_source(path)
    try:
        tree = ast.parse(text, str(path))
    except (SyntaxError, ValueError) as error:
        raise syntax_error(error, path) from None
    names: set[str] = set()
    for node in _statements(tree.body):
        if isinstance(node, ast.FunctionDef) and node.name == name:
            return _entry(node, family, None, path)
        names.update(_defined(node))
    if name not in names and "*" not in names:
        public = [found for found in _functions(tree) if not found.startswith("_")]
        raise UserError(
            f"{path} has no function `{name}`",
            hint=nearest(name, public) if public else "define it there",
        )
    return None


def syntax_error(error: SyntaxError | ValueError, path: Path) -> UserError:
    """A user's file that is no Python, at the line and column where it stops being it."""
    if not isinstance(error, SyntaxError):
        return UserError(f"not valid Python: {error}", place=Place(str(path)))
    place = Place(str(path), error.lineno, error.offset, error.text)
    return UserError(f"not valid Python: {error.msg}", place=place)


def _entry(node: ast.FunctionDef, family: str, task: str | None, file: Path) -> Entry:
    doc = ast.get_docstring(node) or ""
    return Entry(
        name=node.name,
        family=family,
        task=task,
        file=file,
        line=node.lineno,
        summary=doc.partition("\n")[0],
        doc=doc,
        options=dict(_options(node.args, family)),
        any_option=node.args.kwarg is not None,
    )


def _options(arguments: ast.arguments, family: str) -> Iterator[tuple[str, Option]]:
    positional = [*arguments.posonlyargs, *arguments.args]
    missing: list[ast.expr | None] = [None] * (len(positional) - len(arguments.defaults))
    pairs = list(zip(positional, [*missing, *arguments.defaults], strict=True))
    first = max(RUNTIME.get(family, 0), len(arguments.posonlyargs))
    pairs = pairs[first:] + list(zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True))
    for argument, default in pairs:
        annotation = ast.unparse(argument.annotation) if argument.annotation else ""
        if family == "optimizers" and argument.arg == "learning_rate":
            annotation = "float"  # a config names a number; a schedule is made of it later
        value = None if default is None else _literal(default)
        yield argument.arg, Option(annotation, value, required=default is None)


_ARITHMETIC: dict[type[ast.AST], Callable[..., Any]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.USub: operator.neg,
    ast.UAdd: operator.pos,
}


def _literal(node: ast.expr) -> object:
    try:
        return _arithmetic(node)
    except (ArithmeticError, TypeError, ValueError, KeyError):
        return Expression(ast.unparse(node))


def _arithmetic(node: ast.expr) -> Any:
    """The value of a literal, or of an expression of numbers such as 4 / 3."""
    match node:
        case ast.BinOp(left, operation, right):
            return _ARITHMETIC[type(operation)](_arithmetic(left), _arithmetic(right))
        case ast.UnaryOp(operation, operand):
            return _ARITHMETIC[type(operation)](_arithmetic(operand))
    return ast.literal_eval(node)


def _written(default: object) -> str:
    return str(default) if isinstance(default, Expression) else repr(default)


def _statements(body: Iterable[ast.stmt]) -> Iterator[ast.stmt]:
    """The statements that run at import: into `if`, `try` and `with`, not into definitions."""
    for node in body:
        yield node
        if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            for field in ("body", "orelse", "finalbody"):
                yield from _statements(getattr(node, field, ()))
            for handler in getattr(node, "handlers", ()):
                yield from _statements(handler.body)


def _defined(node: ast.stmt) -> set[str]:
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        return {node.name}
    if isinstance(node, ast.Import | ast.ImportFrom):
        return {alias.asname or alias.name.partition(".")[0] for alias in node.names}
    return {
        inner.id
        for inner in ast.walk(node)
        if isinstance(inner, ast.Name) and isinstance(inner.ctx, ast.Store)
    }


def _functions(tree: ast.Module) -> list[str]:
    return [node.name for node in _statements(tree.body) if isinstance(node, ast.FunctionDef)]
