"""Commands that run an experiment or read its folder: run, report, status, validate."""

import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import rich_click as click

from landscape.cli.root import console, explained, main, say, table

if TYPE_CHECKING:
    from landscape.config import Across, Run
    from landscape.workshop import Workshop

SOME_RUNS_FAILED = 3


@main.command()
@click.argument("config", type=click.Path(path_type=Path))
@click.argument("overrides", nargs=-1, metavar="[KEY=VALUE]...")
@click.option(
    "--out",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path("runs"),
    show_default=True,
    help="Folder for results.",
)
@click.option("--fresh", is_flag=True, help="Delete earlier results of this experiment first.")
@click.option("--retry-failed", is_flag=True, help="Try runs again that failed before.")
@click.option("--dry-run", is_flag=True, help="Print what would be done, and do nothing.")
@explained
def run(
    config: Path,
    overrides: tuple[str, ...],
    out: Path,
    fresh: bool,
    retry_failed: bool,
    dry_run: bool,
) -> None:
    """Train every loss of CONFIG, slice the landscapes, write the report.

    Finished runs are kept: the same command again does what is missing.

    `optimizer.learning_rate=0.01` changes a key, `optimizer.learning_rate=0.1,0.01` sweeps it.
    """
    from landscape import config as configs
    from landscape import store, sweep

    experiment = configs.load(config, overrides)
    runs = configs.expand(experiment)
    directory = out / experiment.name
    plan = sweep.plan(runs, directory, fresh=fresh, retry_failed=retry_failed)
    if dry_run:
        for run in runs:
            click.echo(f"{plan[run.id]:8} {run.id}")
        return
    pending = [run for run in runs if plan[run.id] in sweep.PENDING]
    say(f"{experiment.name}: {len(runs)} runs, {len(pending)} to do, into {directory}")
    workshop = _prepared(pending)
    if fresh and directory.exists():
        say(f"deleting {directory}")
    sweep.open_directory(directory, configs.dump(experiment), list(plan), fresh=fresh)
    _train(pending, directory, workshop, experiment.seeds_together)
    _across(experiment.across, runs, directory, workshop)
    failed = [r for r in runs if store.read_status(store.run_folder(directory, r.id)) == "failed"]
    _report(directory)
    if failed:
        say(f"{len(failed)} of {len(runs)} runs failed:")
        for run in failed:
            say(f"  {run.id}: {store.read_failure(store.run_folder(directory, run.id))}")
        sys.exit(SOME_RUNS_FAILED)


def _prepared(runs: "Sequence[Run]") -> "Workshop":
    """Data and programs of the runs, every mistake in them found."""
    from landscape.compiling import keep_compiled, use_all_cores
    from landscape.workshop import Workshop, prepare

    use_all_cores()
    keep_compiled()
    workshop = Workshop()
    prepare(runs, workshop)
    return workshop


def _train(runs: "list[Run]", directory: Path, workshop: "Workshop", together: "int | str") -> None:
    """Performs the runs, with progress on stderr."""
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeRemainingColumn,
    )

    from landscape import sweep
    from landscape.tuning import seeds_together

    console = Console(stderr=True)
    with Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        console=console,
        disable=not console.is_terminal,
    ) as progress:
        task = progress.add_task("compiling", total=len(runs))
        for number, (run, status, seconds) in enumerate(
            sweep.perform_all(runs, directory, workshop, seeds_together(together)), 1
        ):
            progress.update(task, completed=number, description=run.label)
            if not console.is_terminal or status != "done":
                progress.console.print(
                    f"[{number}/{len(runs)}] {run.id} {status} {seconds:.1f} s",
                    markup=False,
                    highlight=False,
                    soft_wrap=True,
                )


def _across(
    asked: "Across | None", runs: "Sequence[Run]", directory: Path, workshop: "Workshop"
) -> None:
    """Measures between runs what the experiment asks for."""
    from landscape import across

    if asked is None:
        (directory / "across.json").unlink(missing_ok=True)
    elif across.measure(asked, runs, directory, workshop):
        say("measured across runs")


@main.command()
@click.argument("directory", type=click.Path(path_type=Path), metavar="DIR")
@explained
def report(directory: Path) -> None:
    """Rebuild tables, figures and page of DIR from its files alone.

    DIR is the folder of one experiment, such as `runs/quickstart`.
    """
    _report(directory)


def _report(directory: Path) -> None:
    from landscape.report.assemble import build

    built = build(directory)
    _print_comparison(built)
    say(f"report: {built.index}")


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
@explained
def status(directory: Path, as_json: bool) -> None:
    """How far the experiment in DIR has come: its runs and their status."""
    from landscape import sweep

    found = sweep.statuses(directory)
    if as_json:
        click.echo(json.dumps(found, indent=2))
        return
    for run_id, state in found.items():
        click.echo(f"{state:8} {run_id}")
    counts = {s: list(found.values()).count(s) for s in sorted(set(found.values()))}
    say(", ".join(f"{count} {state}" for state, count in counts.items()))


@main.command()
@click.argument("config", type=click.Path(path_type=Path))
@click.argument("overrides", nargs=-1, metavar="[KEY=VALUE]...")
@explained
def validate(config: Path, overrides: tuple[str, ...]) -> None:
    """Check CONFIG, its data and its losses as `run` would, without training."""
    from landscape import config as configs

    experiment = configs.load(config, overrides)
    runs = configs.expand(experiment)
    _prepared(runs)
    click.echo(f"{config}: {len(runs)} runs, nothing wrong")
