"""Audits of losses by their names, one after the other, each within its time."""

import contextlib
import functools
import inspect
import io
import json
import subprocess
import sys
import threading
import traceback
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from types import FrameType
from typing import Any, NamedTuple

from landscape import catalog
from landscape.errors import Place, UserError, nearest
from landscape.numerics.user_calls import definition, last_user_line
from landscape.storage import schema
from landscape.storage.audit_records import Audit, AuditRecord, FailedAudit

_STARTING = 20.0  # seconds for a fresh process to start
_FAMILIES = {"loss": "losses", "activation": "activations", "function": "activations"}


class Question(NamedTuple):
    """What is asked of each function: see `landscape.audit.audit`."""

    kind: str
    task: str | None
    domain: str | None
    head: str | None
    order: str
    targets: str
    outputs: int | None
    options: Mapping[str, Any]


class Answer(NamedTuple):
    """The audit of a loss, or None and the error."""

    loss: str
    audit: Audit | None
    error: UserError | None
    hangs: bool = False

    @property
    def record(self) -> AuditRecord:
        """The audit, or the loss and the error."""
        return self.audit or FailedAudit(self.loss, str(self.error))

    def to_json(self) -> dict[str, Any]:
        """The audit without its shapes, or the loss and the error."""
        return self.record.to_json()


def examine(
    names: Sequence[str], question: Question, folder: Path, seconds: float
) -> Iterator[Answer]:
    """An answer for each name, in order; one that fails or takes too long costs only itself.

    A thread that hangs in a compiled loop cannot be ended and holds up all that follows: `hangs`
    says that the process should not wait for it, and later names are audited by fresh processes.
    """
    stdout, hung = sys.stdout, False
    for name in names:
        ask = _apart if hung else _within
        answer = ask(name, question, folder, seconds)
        sys.stdout = stdout  # what hangs has not put it back
        hung = hung or answer.hangs
        yield answer


def _within(name: str, question: Question, folder: Path, seconds: float) -> Answer:
    found: list[Answer] = []

    def work() -> None:
        # A user's function may print; the audit says so, and stdout is for what was asked.
        try:
            with contextlib.redirect_stdout(io.StringIO()):
                found.append(_answer(name, question, folder))
        except BaseException as error:  # such as sys.exit() in somebody's function
            place = last_user_line(traceback.extract_tb(error.__traceback__))
            told = UserError(f"`{name}` raises {type(error).__name__}", place=place)
            found.append(Answer(name, None, told))

    thread = threading.Thread(target=work, name=f"audit of {name}", daemon=True)
    thread.start()
    thread.join(seconds)
    if found:
        return found[0]
    frame = sys._current_frames().get(thread.ident or 0)
    return Answer(name, None, _too_long(name, seconds, _place(frame)), hangs=True)


def _apart(name: str, question: Question, folder: Path, seconds: float) -> Answer:
    """The answer of another process, asked and told in JSON."""
    request = json.dumps({"name": name, "folder": str(folder), "question": question._asdict()})
    # The path is handed over because this package need not be installed.
    program = f"import sys; sys.path[:] = {sys.path}; "
    program += "from landscape.audit.by_name import reply; reply()"
    command = [sys.executable, "-c", program]
    try:
        done = subprocess.run(
            command, input=request, capture_output=True, text=True, timeout=seconds + _STARTING
        )
    except subprocess.TimeoutExpired:
        return Answer(name, None, _too_long(name, seconds, None), hangs=True)
    try:
        record = schema.from_text(done.stdout, AuditRecord)
    except ValueError:
        error = UserError(f"`{name}` ended the process that audited it (exit {done.returncode})")
        return Answer(name, None, error)
    if isinstance(record, FailedAudit):
        return Answer(name, None, UserError(record.error))
    return Answer(name, record, None)


def reply() -> None:
    """Answers one question on standard input, for another process."""
    asked = json.load(sys.stdin)
    with contextlib.redirect_stdout(io.StringIO()):
        answer = _answer(asked["name"], Question(**asked["question"]), Path(asked["folder"]))
    sys.stdout.write(schema.to_text(answer.record))


def _too_long(name: str, seconds: float, place: Place | None) -> UserError:
    return UserError(
        f"`{name}` is not audited after {seconds:g} s",
        place=place,
        hint="give it longer with --time-limit, or fewer steps of its loop",
    )


def _place(frame: FrameType | None) -> Place | None:
    """The line of the user's own that a thread is at."""
    return last_user_line(traceback.extract_stack(frame)) if frame is not None else None


def _answer(name: str, question: Question, folder: Path) -> Answer:
    from landscape.audit import audit

    try:
        function, task = _function(name, question, folder)
        found = audit(
            function,
            task=task,
            kind=question.kind,
            domain=question.domain,
            head=question.head,
            order=question.order,
            targets=question.targets,
            outputs=question.outputs,
            name=name,
        )
    except UserError as error:
        return Answer(name, None, error)
    except Exception as error:
        place = last_user_line(traceback.extract_tb(error.__traceback__))
        first = (str(error).strip() or type(error).__name__).split("\n")[0]
        wrapped = UserError(f"`{name}` cannot be audited: {first}", place=place)
        return Answer(name, None, wrapped)
    return Answer(name, found, None)


def _function(name: str, question: Question, folder: Path) -> tuple[Any, str | None]:
    """The function with its options, and the task that the menu knows it for."""
    family, task = _FAMILIES[question.kind], question.task
    if ":" not in name:
        if question.kind == "function":
            raise UserError(
                f"`{name}` does not name a function", hint="write `module:name` or `file.py:name`"
            )
        entries = catalog.find(family, name, folder, task)
        part = catalog.Spec(name, question.options)
        if len(entries) > 1:
            tasks = ", ".join(str(entry.task) for entry in entries)
            raise UserError(
                f"`{name}` stands in several tasks: {tasks}", hint="name one with --task"
            )
        task = task or entries[0].task
        return catalog.build(family, part, folder=folder, task=task), task
    function = catalog.load(name, folder)
    return _bound(function, name, question.options), task


def _bound(function: Any, name: str, options: Mapping[str, Any]) -> Any:
    if not options:
        return function
    parameters: Mapping[str, inspect.Parameter] = {}
    with contextlib.suppress(TypeError, ValueError):
        parameters = inspect.signature(function).parameters
    open_ended = any(p.kind is p.VAR_KEYWORD for p in parameters.values())
    for option in options:
        if option not in parameters and not open_ended:
            raise UserError(
                f"`{name}` has no option `{option}`",
                place=definition(function),
                hint=nearest(option, list(parameters)),
            )
    return functools.partial(function, **options)
