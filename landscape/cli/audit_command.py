"""The command `audit`, which judges a loss without training it."""

import json
import os
import sys
from collections.abc import Sequence
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, NoReturn

import rich_click as click

from landscape.cli.audited_losses import Selection, examples_of, select_losses
from landscape.cli.output import console, message, reports_errors, terminal_text
from landscape.errors import UserError

if TYPE_CHECKING:
    from landscape.audit.by_name import AuditOptions, AuditOutcome
    from landscape.storage.audit_records import AuditRecord


class TaskName(click.Choice):
    """A task of the menu, which is read only when a task is checked or shown."""

    def __init__(self) -> None:
        self.case_sensitive = True

    @property
    def choices(self) -> tuple[str, ...]:  # type: ignore[override]
        from landscape.catalog import task_names

        return task_names()


class AuditArguments(NamedTuple):
    """The options of the command, by the names of their parameters."""

    task: str | None
    kind: str
    domain: str | None
    head: str | None
    order: str
    targets: str
    aim: str
    outputs: int | None
    target_range: tuple[float, float] | None
    example: Path | None
    data: Path | None
    call: str
    result: str | None
    options: tuple[str, ...]
    form: str
    as_json: bool
    fail_on: str
    figure: Path | None
    verbose: bool
    time_limit: float

    @property
    def printed(self) -> str:
        """What is printed: `text`, `json` or `sarif`."""
        return "json" if self.as_json else self.form

    def audit_options(self, loss_options: dict[str, Any]) -> "AuditOptions":
        """Returns the options of the audit; `--data` states the task and the examples."""
        from landscape.audit.by_name import AuditOptions

        task = self.task
        example = None if self.example is None else str(self.example.absolute())
        if self.data is not None:
            task, example = examples_of(self.data, task, self.example)
        return AuditOptions(
            kind=self.kind,
            task=task,
            domain=self.domain,
            head=self.head,
            order=self.order,
            targets=self.targets,
            outputs=self.outputs,
            arguments=loss_options,
            aim=self.aim,
            target_range=self.target_range,
            example=example,
            call=self.call,
            result=self.result,
        )


@click.command()
@click.argument("losses", nargs=-1, required=True, metavar="LOSS...")
@click.option("--task", type=TaskName(), help="Task of the loss.")
@click.option(
    "--kind",
    type=click.Choice(["loss", "activation", "function"]),
    default="loss",
    show_default=True,
    help="What LOSS names; a function of arrays is audited without targets.",
)
@click.option(
    "--domain",
    type=click.Choice(
        ["real", "unit", "simplex", "positive", "symmetric", "log_simplex", "sphere"]
    ),
    help="Domain of the predictions. Default: real.",
)
@click.option(
    "--head",
    type=click.Choice(
        ["sigmoid", "softmax", "log_softmax", "tanh", "softplus", "exp", "normalize"]
    ),
    help="Layer before the loss.",
)
@click.option(
    "--order",
    type=click.Choice(["auto", "predictions-first", "targets-first"]),
    default="auto",
    show_default=True,
    help="Order of the arguments.",
)
@click.option(
    "--targets",
    type=click.Choice(["auto", "onehot", "labels", "signed", "zero_one"]),
    default="auto",
    show_default=True,
    help="Encoding of the targets; signed means -1 and 1.",
)
@click.option(
    "--aim",
    type=click.Choice(["auto", "target", "order", "distribution", "decision", "none"]),
    default="auto",
    show_default=True,
    help="What the loss leads predictions to.",
)
@click.option(
    "--outputs",
    "--classes",
    type=click.IntRange(1, 1000),
    help="Number of outputs per example, or of classes. Default: 4 if there are several.",
)
@click.option(
    "--target-range",
    "target_range",
    metavar="LOW:HIGH",
    callback=lambda context, parameter, text: _interval(text),
    help="Least and largest target of a regression.",
)
@click.option(
    "--example",
    type=click.Path(path_type=Path, dir_okay=False, exists=True),
    help="An npz file with arrays of some examples, named like the arguments of the loss.",
)
@click.option(
    "--data",
    type=click.Path(path_type=Path, dir_okay=False, exists=True),
    help="A config: audit on a batch of its dataset, and predictions of its untrained model.",
)
@click.option(
    "--call",
    type=click.Choice(["predictions-targets", "model-inputs-targets", "params-batch"]),
    default="predictions-targets",
    show_default=True,
    help="Arguments of the loss.",
)
@click.option("--result", metavar="KEY", help="Entry of a returned dictionary that is the loss.")
@click.option(
    "--option", "options", multiple=True, metavar="NAME=VALUE", help="Set an option of the loss."
)
@click.option(
    "--format",
    "form",
    type=click.Choice(["text", "json", "sarif"]),
    default="text",
    show_default=True,
    help="What to print; sarif is for code hosts.",
)
@click.option(
    "--json", "as_json", is_flag=True, help="Print JSON: an object, or a list for several losses."
)
@click.option(
    "--fail-on",
    type=click.Choice(["untrainable", "care"]),
    default="untrainable",
    show_default=True,
    help="Mildest verdict that makes the exit code 1.",
)
@click.option(
    "--figure",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Draw the shapes to a PNG, PDF or SVG file.",
)
@click.option("-v", "--verbose", is_flag=True, help="Show every suspicion and how it was resolved.")
@click.option(
    "--time-limit",
    type=click.FloatRange(min=0, max=86400, min_open=True),
    default=60.0,
    show_default=True,
    help="Seconds per loss.",
)
@reports_errors
def audit(losses: tuple[str, ...], **options: Any) -> None:
    """Judge each LOSS without training it: will it train, and if not, why?

    LOSS is a built-in loss, `package.module:name` or `file.py:name`; `file.py` and `package.module`
    stand for all of their public functions, one line each. The exit code is 1 if a loss is
    untrainable, 2 if one cannot be audited. `landscape explain CODE` explains a finding.
    """
    from landscape import config
    from landscape.audit.module_functions import is_module

    parsed = AuditArguments(**options)
    _check_time_limit(parsed.time_limit)
    if parsed.figure is not None:
        _check_figure(parsed.figure)
    loss_options = config.options(parsed.options)
    audit_options = parsed.audit_options(loss_options)
    selection = select_losses(losses, parsed.kind, loss_options)
    brief = any(map(is_module, losses)) and not parsed.verbose
    width = max(map(len, selection.names)) if brief else None
    outcomes = _audit(selection, audit_options, parsed, width)
    records = [o.record for o in sorted(outcomes, key=lambda o: selection.names.index(o.loss))]
    if parsed.printed != "text":
        _print_json(records, parsed.printed, as_list=len(records) > 1 or is_module(losses[0]))
    elif brief:
        _show_tally(records, selection.skipped)
    if parsed.figure is not None:
        _draw(outcomes, parsed.figure)
    _exit(outcomes, parsed.fail_on)


def _audit(
    selection: Selection, options: "AuditOptions", arguments: AuditArguments, width: int | None
) -> "list[AuditOutcome]":
    """Returns the outcome for each name; as text, prints each as soon as it is known."""
    from landscape.audit import by_name

    outcomes = []
    seconds, guessed = arguments.time_limit, options.task is None
    audits = by_name.audit_each(selection.functions, options, Path.cwd(), seconds)
    try:
        for outcome in chain(selection.failures, audits):
            outcomes.append(outcome)
            if arguments.printed == "text":
                _show_outcome(outcome, arguments.verbose, width, guessed=guessed)
    except KeyboardInterrupt:
        message("interrupted")
        os._exit(130)  # a thread that still compiles would abort the process
    return outcomes


def _interval(text: str | None) -> tuple[float, float] | None:
    """Returns the ends of LOW:HIGH. Raises BadParameter unless LOW is the smaller number."""
    if text is None:
        return None
    low, _, high = text.partition(":")
    try:
        ends = float(low), float(high)
    except ValueError:
        ends = (0.0, 0.0)
    if not ends[0] < ends[1]:
        raise click.BadParameter(f"expected LOW:HIGH, such as 0:100, found {text!r}")
    return ends


def _check_time_limit(seconds: float) -> None:
    """Raises UserError for nan, which no range refuses."""
    if seconds != seconds:
        raise UserError(
            "--time-limit must be a number, found nan", hint="use seconds: --time-limit 120"
        )


def _check_figure(path: Path) -> None:
    """Raises UserError if the figure could not be written, before anything is computed."""
    if path.suffix.lower() not in (".png", ".pdf", ".svg"):
        raise UserError(
            f"cannot write a figure as `{path.name}`", hint="use a .png, .pdf or .svg file"
        )
    if not path.absolute().parent.is_dir():
        raise UserError(f"the folder {path.absolute().parent} does not exist")


def _show_outcome(
    outcome: "AuditOutcome", verbose: bool, width: int | None, *, guessed: bool
) -> None:
    """Prints the whole audit; one line if a width of the column of names is set.

    `guessed`: the command does not state the task, which only built-in losses know.
    """
    from landscape.report import audit_list, terminal

    if width is not None:
        guessed = guessed and ":" in outcome.loss
        line = audit_list.audit_line(outcome.record, width, guessed=guessed)
        console().print(line, soft_wrap=True)
    elif outcome.audit is None:
        console().print(terminal.not_audited(outcome.loss, str(outcome.error)))
    else:
        console().print(terminal.audit_lines(outcome.audit, verbose=verbose))


def _show_tally(records: "Sequence[AuditRecord]", skipped: Sequence[str]) -> None:
    from landscape.report.audit_list import audit_tally

    console().print(terminal_text(f"\n{audit_tally(records, skipped)}"))


def _print_json(records: "Sequence[AuditRecord]", form: str, *, as_list: bool) -> None:
    from landscape.report.sarif import sarif_log

    values: Any = [record.to_json() for record in records]
    if form == "sarif":
        values = sarif_log(records, Path.cwd())
    elif not as_list:
        values = values[0]
    click.echo(json.dumps(values, indent=2))


def _draw(outcomes: "Sequence[AuditOutcome]", path: Path) -> None:
    from landscape.report.figures import audit_figure, rendering
    from landscape.storage import disk

    audits = [outcome.record for outcome in outcomes]
    with rendering.report_style():
        picture = rendering.image_bytes(audit_figure.shapes(audits), path.suffix)
    disk.write_bytes(path, picture)
    message(f"figure: {path}")


def _exit(outcomes: "Sequence[AuditOutcome]", fail_on: str) -> NoReturn:
    """Exits with 2 if a loss could not be audited, 1 if a verdict is too severe, else 0."""
    too_severe = {"untrainable", fail_on}
    refused = any(outcome.audit is None for outcome in outcomes)
    failed = any(a.audit is not None and a.audit.verdict in too_severe for a in outcomes)
    code = 2 if refused else 1 if failed else 0
    if any(outcome.hangs for outcome in outcomes):
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)
    sys.exit(code)
