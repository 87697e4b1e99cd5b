"""Commands that read the folder of an experiment: report, status, export."""

import json
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import rich_click as click

from landscape.cli.output import (
    console,
    message,
    reports_errors,
    terminal_text,
    wrapped,
)
from landscape.cli.paper_commands import Appearance, appearance_options, write_paper
from landscape.errors import UserError, counted, printable

if TYPE_CHECKING:
    from landscape.storage.records import Holder, ReportRecord
    from landscape.sweep.run_states import RunState

TRACKERS = ("mlflow", "tensorboard", "wandb")
_POLL = 1.0  # seconds between two updates of `status --watch`
# `report --watch` pauses at least this many times as long as the last report took.
_PAUSE = 3.0


@click.command()
@click.argument("directory", type=click.Path(path_type=Path), metavar="DIR")
@click.option("--watch", is_flag=True, help="Rebuild it as runs end, until the sweep ends.")
@appearance_options
@click.option("--columns", help="Columns of the LaTeX table, separated by commas.")
@reports_errors
def report(
    directory: Path,
    watch: bool,
    style: str,
    width: float | None,
    font: str | None,
    columns: str | None,
) -> None:
    """Build the tables, figures and web page of DIR from its files.

    DIR is the folder of one experiment, such as `runs/quickstart`. A report that is up to date is
    not built again. With `--style paper`, figures at their final size and a LaTeX table are
    written to `DIR/report/paper` instead.
    """
    look = Appearance(style, width, font)
    if style != "report":
        if watch:
            raise UserError("--watch rebuilds the page", hint="leave out --style or --watch")
        write_paper(directory, look, columns)
        return
    if width is not None or font is not None or columns is not None:
        raise UserError("--width, --font and --columns are for papers", hint="add --style paper")
    if watch:
        _watch_report(directory)
    show_report(directory)


def _watch_report(directory: Path) -> None:
    """Rebuilds the report while a sweep is at work; prints each reason why it cannot once."""
    from landscape.report import figure_process, stored_report
    from landscape.report.assemble import build
    from landscape.sweep import lock
    from landscape.sweep.run_states import run_states

    last = ""
    while lock.holder(directory) is not None:
        start, line = time.monotonic(), ""
        try:
            if stored_report.up_to_date(directory) is None:
                with figure_process.started() as process:
                    build(directory, process)
                states = _summary(run_states(directory, True))
                line = f"report: {directory / 'report' / 'index.html'} ({states})"
        except UserError as error:  # no run has finished, or the folder is not complete yet
            line = f"no report yet: {error.message.splitlines()[0]}"
        if line and line != last:
            last = line
            message(wrapped(line))
        time.sleep(max(_POLL, _PAUSE * (time.monotonic() - start)))


def show_report(directory: Path) -> None:
    """Builds the report unless it is up to date, and prints its comparison."""
    from landscape.report import figure_process, stored_report

    record = stored_report.up_to_date(directory)
    if record is None:
        with figure_process.started() as process:
            from landscape.report.assemble import build  # while the process starts

            record = build(directory, process).record
    else:
        message("nothing has changed since the report was built")
    _print_comparison(record)
    _print_unreadable(record.unreadable)
    _print_warnings(record.warnings)
    message(f"report: {directory / 'report' / 'index.html'}")


def _print_unreadable(unreadable: Mapping[str, str]) -> None:
    for name, reason in unreadable.items():
        message(wrapped(f"omitted: {name}: {reason}"))


def _print_warnings(warnings: Sequence[str]) -> None:
    for text in warnings:
        message(wrapped(f"warning: {text}"))


def _print_comparison(record: "ReportRecord") -> None:
    from landscape.cli.comparison_view import print_comparison

    print_comparison(console(), record)


@click.command()
@click.argument("directory", type=click.Path(path_type=Path), metavar="DIR")
@click.option("--json", "as_json", is_flag=True, help="Print a JSON object.")
@click.option("--watch", is_flag=True, help="Keep watching until the sweep ends.")
@reports_errors
def status(directory: Path, as_json: bool, watch: bool) -> None:
    """Show the status of each run of the experiment in DIR."""
    from landscape.sweep import lock
    from landscape.sweep.run_states import folder_state

    if as_json and watch:
        raise UserError(
            "--json and --watch exclude each other", hint="call `status --json` repeatedly"
        )
    holder = lock.holder(directory)
    states, warnings = folder_state(directory, holder is not None)
    if watch and holder is not None:
        _watch(directory)
        holder = lock.holder(directory)
        states, warnings = folder_state(directory, holder is not None)
    if as_json:
        values = _states_as_json(holder, states) | {"warnings": warnings}
        click.echo(json.dumps(values, indent=2))
        return
    lines = [f"{state.status:11} {name}{_details(state)}\n" for name, state in states.items()]
    click.echo(printable("".join(lines)), nl=False)
    message(_summary(states) or "no run has started: programs are being built and checked")
    _print_warnings(warnings)
    if holder is not None:
        message(f"in use by {holder}")


def _states_as_json(holder: "Holder | None", states: "Mapping[str, RunState]") -> dict[str, Any]:
    from landscape.storage.schema import to_plain

    return {
        "held": None if holder is None else to_plain(holder),
        "counts": _counts(states),
        "runs": {
            name: {"status": state.status, "reason": state.reason}
            | ({} if state.progress is None else to_plain(state.progress))
            for name, state in states.items()
        },
    }


def _counts(states: "Mapping[str, RunState]") -> dict[str, int]:
    statuses = [state.status for state in states.values()]
    return {status: statuses.count(status) for status in sorted(set(statuses))}


def _summary(states: "Mapping[str, RunState]") -> str:
    return ", ".join(f"{count} {status}" for status, count in _counts(states).items())


def _details(state: "RunState") -> str:
    from landscape.cli.live_view import activity

    if state.reason is not None:
        return f": {state.reason}"
    return f": {activity(state.progress)}" if state.progress else ""


def _watch(directory: Path) -> None:
    """Shows the current runs until the sweep ends; without a terminal, prints changes as lines."""
    from rich.console import Console, Group
    from rich.live import Live

    from landscape.sweep import lock
    from landscape.sweep.run_states import run_states

    console, last = Console(stderr=True), ""
    with Live(console=console, transient=True, auto_refresh=False) as live:
        while (holder := lock.holder(directory)) is not None:
            states = run_states(directory, True)
            running = {name: s for name, s in states.items() if s.status == "running"}
            lines = [_summary(states), *(f"{name}{_details(s)}" for name, s in running.items())]
            if console.is_terminal:
                lines.insert(0, f"{directory}: in use by {holder}")
                live.update(Group(*map(terminal_text, lines)), refresh=True)
            elif lines[0] != last:
                last = lines[0]
                message(last)
            time.sleep(_POLL)


@click.command()
@click.argument("directory", type=click.Path(path_type=Path), metavar="DIR")
@click.option("--to", "tracker", type=click.Choice(TRACKERS), required=True, help="The tracker.")
@click.option(
    "--at",
    "destination",
    help="Destination: a tracking URI (mlflow), a folder (tensorboard), a project (wandb). "
    "Default: the environment variables of the tracker, else a folder inside DIR.",
)
@reports_errors
def export(directory: Path, tracker: str, destination: str | None) -> None:
    """Export the finished runs of DIR to a tracker: parameters, metrics per step, files.

    Nothing is sent over the network unless `--at` or the environment variables of the tracker
    request it. Runs that were exported before are not exported again.
    """
    from landscape.export import trackers

    exported = trackers.export(directory, tracker, destination)
    _print_unreadable(exported.unreadable)
    _print_warnings(exported.warnings)
    known = f", {exported.known} exported before" if exported.known else ""
    message(f"{counted(exported.new, 'run')} exported to {exported.destination}{known}")
