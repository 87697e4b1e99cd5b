"""Commands that read an experiment's folder: report, status, export."""

import json
import time
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import rich_click as click

from landscape.cli.root import console, counted, explained, main, say, table
from landscape.errors import UserError

if TYPE_CHECKING:
    from landscape.sweep.carry_out import RunState
    from landscape.sweep.lock import Holder

TRACKERS = ("mlflow", "tensorboard", "wandb")
_BETWEEN_LOOKS = 1.0  # seconds


@main.command()
@click.argument("directory", type=click.Path(path_type=Path), metavar="DIR")
@explained
def report(directory: Path) -> None:
    """Rebuild tables, figures and page of DIR from its files alone.

    DIR is the folder of one experiment, such as `runs/quickstart`.
    """
    show_report(directory)


def show_report(directory: Path) -> None:
    """Builds the report and prints its comparison."""
    from landscape.report.assemble import build

    built = build(directory)
    _print_comparison(built)
    _say_left_out(built.unreadable)
    say(f"report: {built.index}")


def _say_left_out(unreadable: Mapping[str, str]) -> None:
    for name, reason in unreadable.items():
        say(f"left out: {name}: {reason}")


def _print_comparison(built: Any) -> None:
    """The numbers as a table, and under it a sentence for each loss."""
    from rich.padding import Padding
    from rich.text import Text

    from landscape.report import tables

    shown = tables.display(built.comparison)
    numbers, sentences = shown.columns[:-1], shown.columns[-1]
    screen = console()
    screen.print(table(numbers, shown[numbers].values.tolist(), unbroken=2))
    screen.print()
    for name, sentence in zip(shown[numbers[0]], shown[sentences], strict=True):
        screen.print(Text(str(name), style="bold"))
        screen.print(Padding(Text(str(sentence)), (0, 0, 0, 2), expand=False))


@main.command()
@click.argument("directory", type=click.Path(path_type=Path), metavar="DIR")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
@click.option("--watch", is_flag=True, help="Go on until nobody works on it any more.")
@explained
def status(directory: Path, as_json: bool, watch: bool) -> None:
    """How far the experiment in DIR has come: its runs and their status."""
    from landscape.sweep import carry_out, lock

    if as_json and watch:
        raise UserError("--json and --watch do not go together", hint="ask with --json repeatedly")
    holder = lock.holder(directory)
    found = carry_out.states(directory, holder is not None)
    if watch and holder is not None:
        _watch(directory)
        holder = lock.holder(directory)
        found = carry_out.states(directory, holder is not None)
    if as_json:
        click.echo(json.dumps(_state_as_json(holder, found), indent=2))
        return
    for run_id, state in found.items():
        click.echo(f"{state.status:11} {run_id}{_more(state)}")
    say(_summed(found) or "no run has begun: the programs are built and checked")
    if holder is not None:
        say(f"in use by {holder}")


def _state_as_json(holder: "Holder | None", found: "Mapping[str, RunState]") -> dict[str, Any]:
    return {
        "held": None if holder is None else holder._asdict(),
        "counts": _counts(found),
        "runs": {
            name: {"status": state.status, "reason": state.reason, **state.progress}
            for name, state in found.items()
        },
    }


def _counts(found: "Mapping[str, RunState]") -> dict[str, int]:
    states = [state.status for state in found.values()]
    return {status: states.count(status) for status in sorted(set(states))}


def _summed(found: "Mapping[str, RunState]") -> str:
    return ", ".join(f"{count} {status}" for status, count in _counts(found).items())


def _more(state: "RunState") -> str:
    from landscape.cli.live_view import at_work

    if state.reason is not None:
        return f": {state.reason}"
    return f": {at_work(state.progress)}" if state.progress else ""


def _watch(directory: Path) -> None:
    """Shows what is running until nobody works on the folder; lines where it is no terminal."""
    from rich.console import Console, Group
    from rich.live import Live
    from rich.text import Text

    from landscape.sweep import carry_out, lock

    console, last = Console(stderr=True), ""
    with Live(console=console, transient=True, auto_refresh=False) as live:
        while (holder := lock.holder(directory)) is not None:
            found = carry_out.states(directory, True, thorough=False)
            running = {name: s for name, s in found.items() if s.status == "running"}
            lines = [_summed(found), *(f"{name}{_more(s)}" for name, s in running.items())]
            if console.is_terminal:
                shown = [Text(f"{directory}: in use by {holder}"), *map(Text, lines)]
                live.update(Group(*shown), refresh=True)
            elif lines[0] != last:
                last = lines[0]
                say(last)
            time.sleep(_BETWEEN_LOOKS)


@main.command()
@click.argument("directory", type=click.Path(path_type=Path), metavar="DIR")
@click.option("--to", "tracker", type=click.Choice(TRACKERS), required=True, help="Which tracker.")
@click.option(
    "--at",
    "destination",
    help="Where: a tracking URI (mlflow), a folder (tensorboard), a project (wandb). "
    "Default: inside DIR, or as the tracker's own environment variables say.",
)
@explained
def export(directory: Path, tracker: str, destination: str | None) -> None:
    """Hand the finished runs of DIR to a tracker: parameters, metrics by step, files.

    Nothing is sent anywhere unless `--at` or the tracker's own environment variables say so. A run
    that is there already is not written twice.
    """
    from landscape.export import trackers

    found = trackers.export(directory, tracker, destination)
    _say_left_out(found.unreadable)
    again = f", {found.known} there before" if found.known else ""
    say(f"{counted(found.new, 'run')} exported to {found.destination}{again}")
