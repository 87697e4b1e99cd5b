"""Audits functions by their names, one after the other, with a time limit for each."""

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
from typing import Any, NamedTuple

from landscape import catalog
from landscape.errors import Place, UserError, nearest
from landscape.numerics.user_calls import definition, last_user_line
from landscape.storage import schema
from landscape.storage.audit_records import Audit, AuditRecord, FailedAudit

MOST_HINTED = 3  # tasks that the hint of an error names


class AuditOptions(NamedTuple):
    """Options of `landscape.audit.audit`; `arguments` are options of the audited function.

    `example` is the path of an npz file.
    """

    kind: str
    task: str | None
    domain: str | None
    head: str | None
    order: str
    targets: str
    outputs: int | None
    arguments: Mapping[str, Any]
    aim: str = "auto"
    target_range: tuple[float, float] | None = None
    example: str | None = None
    call: str = "predictions-targets"
    result: str | None = None


class AuditOutcome(NamedTuple):
    """The audit of a function, or None and the error; `hangs` if its thread is still running."""

    loss: str
    audit: Audit | None
    error: UserError | None
    hangs: bool = False

    @property
    def record(self) -> AuditRecord:
        """The audit, or the name of the function and the error."""
        return self.audit or FailedAudit(self.loss, str(self.error))


def audit_each(
    names: Sequence[str], options: AuditOptions, folder: Path, seconds: float
) -> Iterator[AuditOutcome]:
    """Yields the outcome for each name, in order; a failure or a timeout affects no other name.

    A thread that hangs in a compiled loop cannot be ended and would block all later audits. After
    one, later names are audited in fresh processes, and the caller must exit without joining it.
    """
    stdout, hung = sys.stdout, False
    for name in names:
        audit_one = _audit_in_process if hung else _audit_in_thread
        outcome = audit_one(name, options, folder, seconds)
        sys.stdout = stdout  # a hanging thread has not restored it
        hung = hung or outcome.hangs
        yield outcome


def _audit_in_thread(
    name: str, options: AuditOptions, folder: Path, seconds: float
) -> AuditOutcome:
    outcomes: list[AuditOutcome] = []

    def work() -> None:
        # A note of the audit reports what a function prints; stdout is for the report itself.
        with contextlib.redirect_stdout(io.StringIO()):
            outcomes.append(_outcome(name, options, folder))

    thread = threading.Thread(target=work, name=f"audit of {name}", daemon=True)
    thread.start()
    thread.join(seconds)
    if outcomes:
        return outcomes[0]
    frame = sys._current_frames().get(thread.ident or 0)
    place = last_user_line(traceback.extract_stack(frame)) if frame is not None else None
    return AuditOutcome(name, None, _timeout_error(name, seconds, place), hangs=True)


def _audit_in_process(
    name: str, options: AuditOptions, folder: Path, seconds: float
) -> AuditOutcome:
    """Returns the outcome of another process; request and reply are JSON."""
    request = json.dumps({"name": name, "folder": str(folder), "options": options._asdict()})
    # The path is passed on because this package need not be installed.
    program = f"import sys; sys.path[:] = {sys.path}; "
    program += "from landscape.audit.by_name import reply; reply()"
    with subprocess.Popen(
        [sys.executable, "-c", program],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    ) as process:
        assert process.stdout is not None
        try:
            process.stdout.readline()  # the process has started and waits for the request
            text, _ = process.communicate(request, timeout=seconds)
        except subprocess.TimeoutExpired:
            return AuditOutcome(name, None, _timeout_error(name, seconds, None), hangs=True)
        finally:
            process.kill()
    try:
        record = schema.from_text(text, AuditRecord)
    except ValueError:
        error = UserError(f"auditing `{name}` ended the process (exit {process.returncode})")
        return AuditOutcome(name, None, error)
    if isinstance(record, FailedAudit):
        return AuditOutcome(name, None, UserError(record.error))
    return AuditOutcome(name, record, None)


def reply() -> None:
    """Performs the audit requested on standard input and writes its record to standard output.

    Writes a line before it reads the request: the time limit does not include starting the process.
    """

    print("started", flush=True)
    request = json.load(sys.stdin)
    with contextlib.redirect_stdout(io.StringIO()):
        options = AuditOptions(**request["options"])
        outcome = _outcome(request["name"], options, Path(request["folder"]))
    sys.stdout.write(schema.to_text(outcome.record))


def _timeout_error(name: str, seconds: float, place: Place | None) -> UserError:
    return UserError(
        f"auditing `{name}` timed out after {seconds:g} s",
        place=place,
        hint="raise --time-limit, or reduce the steps of its loop",
    )


def _outcome(name: str, options: AuditOptions, folder: Path) -> AuditOutcome:
    from landscape.audit import audit
    from landscape.audit.measure import example_arrays

    try:
        function, task = _function(name, options, folder)
        settings = options._asdict() | {"task": task, "name": name}
        del settings["arguments"]
        if options.example is not None:
            settings["example"] = example_arrays.read(Path(options.example))
        try:
            return AuditOutcome(name, audit(function, **settings), None)
        except UserError as error:
            raise _with_fitting_tasks(error, function, options, task) from error
    except UserError as error:
        return AuditOutcome(name, None, error)
    except BaseException as error:  # such as sys.exit() in a user's function
        place = last_user_line(traceback.extract_tb(error.__traceback__))
        message = f"raises {type(error).__name__}"
        if isinstance(error, Exception):
            first_line = (str(error).strip() or type(error).__name__).split("\n")[0]
            message = f"cannot be audited: {first_line}"
        return AuditOutcome(name, None, UserError(f"`{name}` {message}", place=place))


def _with_fitting_tasks(
    error: UserError, function: Any, options: AuditOptions, task: str | None
) -> UserError:
    """Returns the error of a loss with a hint at the other tasks for which it can be audited."""
    from landscape.audit.measure.build_subject import build
    from landscape.audit.measure.subject import SubjectOptions
    from landscape.audit.measure.task_examples import EXAMPLES

    if options.kind != "loss" or options.example is not None:
        return error
    fitting: list[str] = []
    for other in EXAMPLES:
        subject_options = SubjectOptions(
            task=other,
            domain=options.domain,
            head=options.head,
            order=options.order,
            form=options.targets,
            outputs=options.outputs,
            call=options.call,
            result=options.result,
        )
        with contextlib.suppress(Exception, SystemExit):
            build(function, subject_options)
            fitting.append(other)
        if len(fitting) == MOST_HINTED:
            break
    if not fitting or task in fitting:
        return error
    hint = f"it can be audited with {' or '.join(f'`--task {other}`' for other in fitting)}"
    hint = hint if error.hint is None else f"{error.hint}; {hint}"
    return UserError(error.message, place=error.place, hint=hint)


def _function(name: str, options: AuditOptions, folder: Path) -> tuple[Any, str | None]:
    """Returns the function with its options, and its task: the requested one, or the menu's."""
    task = options.task
    if ":" in name or options.kind == "function":
        return _bound(catalog.load(name, folder), name, options.arguments), task
    family = "losses" if options.kind == "loss" else "activations"
    entries = catalog.find(family, name, folder, task)
    if len(entries) > 1:
        tasks = ", ".join(str(entry.task) for entry in entries)
        raise UserError(
            f"`{name}` exists for several tasks: {tasks}", hint="choose one with --task"
        )
    task = task or entries[0].task
    part = catalog.Spec(name, options.arguments)
    return catalog.build(family, part, folder=folder, task=task), task


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
