"""Menus of parts, read from source text: nothing is imported, so reading one is fast."""

import ast
import functools
import operator
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from landscape.errors import Place, UserError, nearest, nearest_file, refuse_special

FAMILIES = (
    "tasks",
    "losses",
    "models",
    "activations",
    "datasets",
    "optimizers",
    "schedules",
    "metrics",
    "directions",
    "points",
)
# Arrays of a dataset that losses of the menu receive by the names of their parameters. A
# user-defined loss may name any array of its dataset.
FIELDS = ("weights", "mask", "groups", "events")
PARTS = Path(__file__).parent.parent / "parts"

# Number of leading positional arguments that the program passes; the others are options.
RUNTIME = {"losses": 2, "models": 2, "datasets": 1, "schedules": 2, "activations": 1}
# Arguments of any position that the program passes by name to a part that has them.
RUNTIME_NAMES = {
    "models": ("input_shape", "outputs", "output_shape", "vocabulary", "key", "rngs"),
}


def runtime_arguments(family: str, required: int) -> int:
    """Returns how many leading arguments of a part the program passes.

    `required` is the number of its positional arguments without a default. A metric that requires
    two or more takes predictions and targets, any other is a factory, all of whose arguments are
    options. A model takes shapes only in arguments that it requires.
    """
    if family == "metrics":
        return 2 if required >= 2 else 0
    count = RUNTIME.get(family, 0)
    return min(count, required) if family == "models" else count


class Expression(str):
    """A default that is not a literal, as written in the source."""


@dataclass(frozen=True)
class Option:
    """One option of a part: its annotation as written, and its default if it is not required."""

    annotation: str
    default: object = None
    required: bool = False

    @property
    def code(self) -> str:
        """The default as Python code."""
        return str(self.default) if isinstance(self.default, Expression) else repr(self.default)


@dataclass(frozen=True)
class Entry:
    """One part of a menu. `any_option`: it accepts further options.

    `fields` are the arrays of a dataset that a loss of the menu receives by name.
    """

    name: str
    family: str
    task: str | None
    file: Path
    line: int
    doc: str
    options: dict[str, Option]
    any_option: bool = False
    fields: tuple[str, ...] = ()

    @property
    def summary(self) -> str:
        """The first line of its docstring."""
        return self.doc.partition("\n")[0]

    @property
    def module(self) -> str:
        """The name of the module that defines the part."""
        path = self.file.relative_to(PARTS).with_suffix("")
        return ".".join(("landscape", "parts", *path.parts))


def check_family(family: str) -> str:
    """Returns the family. Raises UserError if it does not exist, with the nearest valid name."""
    if family not in FAMILIES:
        raise UserError(f"there is no family `{family}`", hint=nearest(family, FAMILIES))
    return family


@functools.cache
def entries(family: str) -> tuple[Entry, ...]:
    """Returns the parts of a family, by module and line; for losses, those of all tasks."""
    return tuple(entry for file in _sources(family) for entry in _entries_of(file, family))


def entries_named(family: str, name: str) -> tuple[Entry, ...]:
    """Returns the parts of a name, several for a loss of several tasks.

    Reads all modules of the family, but parses only those that define the name.
    """
    if not name.isidentifier():
        return ()
    definition = f"def {name}(".encode()
    files = [file for file, text in _sources(family).items() if definition in text]
    return tuple(e for file in files for e in _entries_of(file, family) if e.name == name)


def task_names() -> tuple[str, ...]:
    """Returns the names of all tasks."""
    return tuple(entry.name for entry in entries("tasks"))


@functools.cache
def _sources(family: str) -> dict[Path, bytes]:
    """Returns the text of the modules that define the parts of a family, by file."""
    folder = PARTS / check_family(family)
    files = sorted(folder.glob("*.py")) if folder.is_dir() else [PARTS / f"{family}.py"]
    return {file: file.read_bytes() for file in files if not file.name.startswith("_")}


@functools.cache
def _entries_of(file: Path, family: str) -> tuple[Entry, ...]:
    """Returns the parts of a family that a module defines."""
    return tuple(
        _entry(node, family, file.stem if family == "losses" else None, file)
        for node in ast.parse(_sources(family)[file], str(file)).body
        if isinstance(node, ast.FunctionDef) and not node.name.startswith("_")
    )


def menu(family: str, task: str | None = None) -> dict[str, Entry]:
    """Returns the parts of a family by name; losses of all tasks by `task/name`.

    Two tasks may have losses of the same name: `menu("losses", "binary")["focal"]` is
    `menu("losses")["binary/focal"]`.
    """
    if family != "losses":
        return {entry.name: entry for entry in entries(family)}
    if task is None:
        return {f"{entry.task}/{entry.name}": entry for entry in entries(family)}
    if task not in menu("tasks"):
        raise UserError(f"there is no task `{task}`", hint=nearest(task, menu("tasks")))
    return {entry.name: entry for entry in entries(family) if entry.task == task}


def describe(entry: Entry) -> dict[str, object]:
    """Returns an entry as plain JSON values, with defaults as Python code."""
    fields = ("family", "task", "name", "summary", "doc", "options", "file", "line")
    plain = {name: getattr(entry, name) for name in fields} | {"file": str(entry.file)}
    plain["options"] = {
        name: {
            "annotation": option.annotation,
            "required": option.required,
            "default": None if option.required else option.code,
        }
        for name, option in entry.options.items()
    }
    return plain


def read_source(path: Path) -> str:
    """Returns the text of a user's Python file. Raises UserError if it cannot be read."""
    refuse_special(path)
    try:
        return path.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError:
        raise UserError(f"{path} is not UTF-8 text") from None
    except FileNotFoundError:
        raise UserError(f"there is no file {path}", hint=nearest_file(path)) from None
    except OSError as error:
        raise UserError(f"cannot read {path}: {error.strerror}") from None
    except ValueError:  # of a character that no path contains
        raise UserError(f"{str(path)!r} is not the path of a file") from None


def user_entry(family: str, path: Path, name: str) -> Entry | None:
    """Returns a function of a user's file, None if the name is defined in another way.

    Raises UserError if the file cannot be read or parsed, or does not define the name.
    """
    text = read_source(path)
    try:
        tree = ast.parse(text, str(path))
    except (SyntaxError, ValueError) as error:
        raise syntax_error(error, path) from None
    statements = list(_statements(tree.body))
    functions = {node.name: node for node in statements if isinstance(node, ast.FunctionDef)}
    if name in functions:
        return _entry(functions[name], family, None, path)
    names = set().union(*map(defined_names, statements))
    if name not in names and "*" not in names:
        classes = [node.name for node in statements if isinstance(node, ast.ClassDef)]
        known = [*functions, *(classes if family == "models" else ())]
        public = [known_name for known_name in known if not known_name.startswith("_")]
        hint = nearest(name, public) if public else "define it there"
        raise UserError(f"{path} has no function `{name}`", hint=hint)
    return None


def syntax_error(error: SyntaxError | ValueError, path: Path) -> UserError:
    """Returns the error for a user's file that cannot be parsed, at its line and column."""
    if not isinstance(error, SyntaxError):
        return UserError(f"not valid Python: {error}", place=Place(str(path)))
    place = Place(str(path), error.lineno, error.offset, error.text)
    return UserError(f"not valid Python: {error.msg}", place=place)


def _entry(node: ast.FunctionDef, family: str, task: str | None, file: Path) -> Entry:
    doc, options = ast.get_docstring(node) or "", dict(_options(node.args, family))
    any_option = node.args.kwarg is not None
    in_menu = family == "losses" and file.is_relative_to(PARTS)
    fields = tuple(name for name in FIELDS if in_menu and name in options)
    options = {name: option for name, option in options.items() if name not in fields}
    return Entry(node.name, family, task, file, node.lineno, doc, options, any_option, fields)


def _options(arguments: ast.arguments, family: str) -> Iterator[tuple[str, Option]]:
    positional = [*arguments.posonlyargs, *arguments.args]
    missing: list[ast.expr | None] = [None] * (len(positional) - len(arguments.defaults))
    pairs = list(zip(positional, [*missing, *arguments.defaults], strict=True))
    first = max(runtime_arguments(family, len(missing)), len(arguments.posonlyargs))
    pairs = pairs[first:] + list(zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True))
    for argument, default in pairs:
        if argument.arg in RUNTIME_NAMES.get(family, ()):
            continue
        annotation = ast.unparse(argument.annotation) if argument.annotation else ""
        if family == "optimizers" and argument.arg == "learning_rate":
            annotation = "float"  # a config has a number; the program makes a schedule of it
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
    """Returns the value of a literal or of arithmetic such as 4 / 3."""
    match node:
        case ast.BinOp(left, operation, right):
            return _ARITHMETIC[type(operation)](_arithmetic(left), _arithmetic(right))
        case ast.UnaryOp(operation, operand):
            return _ARITHMETIC[type(operation)](_arithmetic(operand))
    return ast.literal_eval(node)


def _statements(body: Iterable[ast.stmt]) -> Iterator[ast.stmt]:
    """Yields the statements that run on import: those in `if`, `try` and `with` too."""
    for node in body:
        yield node
        if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            for field in ("body", "orelse", "finalbody"):
                yield from _statements(getattr(node, field, ()))
            for handler in getattr(node, "handlers", ()):
                yield from _statements(handler.body)


def defined_names(node: ast.stmt) -> set[str]:
    """Returns the names that a statement defines; `*` if it imports all names of a module."""
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        return {node.name}
    if isinstance(node, ast.Import | ast.ImportFrom):
        return {alias.asname or alias.name.partition(".")[0] for alias in node.names}
    return {
        inner.id
        for inner in ast.walk(node)
        if isinstance(inner, ast.Name) and isinstance(inner.ctx, ast.Store)
    }
