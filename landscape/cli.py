"""The `landscape` command: the only module that prints or exits."""

import functools
import json
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import rich_click as click

from landscape import __version__
from landscape.catalog.menu import TASKS
from landscape.errors import UserError

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

    from landscape.config import Run
    from landscape.examine import Answer
    from landscape.program import Workshop

click.rich_click.USE_MARKDOWN = True
click.rich_click.MAX_WIDTH = 100

SOME_RUNS_FAILED = 3


def _explained(command: Callable) -> Callable:
    """Turns a user's mistake into one message on stderr and exit code 2."""

    @functools.wraps(command)
    def wrapped(*args: Any, **kwargs: Any) -> None:
        try:
            command(*args, **kwargs)
        except UserError as error:
            _complain(error)
        except KeyboardInterrupt:
            click.echo("interrupted; finished runs are kept", err=True)
            sys.exit(130)
        except BrokenPipeError:
            sys.stderr.close()
            sys.exit(1)

    return wrapped


def _complain(error: UserError) -> NoReturn:
    click.echo(f"error: {error}", err=True)
    sys.exit(2)


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, "--version")
def main() -> None:
    """Which losses can be trained, and why the others cannot.

    Start with `landscape init`, then `landscape run experiment.yaml`.
    """


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
@_explained
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
    _say(f"{experiment.name}: {len(runs)} runs, {len(pending)} to do, into {directory}")
    workshop = _prepared(pending)
    if fresh and directory.exists():
        _say(f"deleting {directory}")
    sweep.open_directory(directory, configs.dump(experiment), list(plan), fresh=fresh)
    _train(pending, directory, workshop)
    failed = [r for r in runs if store.read_status(store.run_folder(directory, r.id)) == "failed"]
    _report(directory)
    if failed:
        _say(f"{len(failed)} of {len(runs)} runs failed:")
        for run in failed:
            _say(f"  {run.id}: {store.read_failure(store.run_folder(directory, run.id))}")
        sys.exit(SOME_RUNS_FAILED)


def _prepared(runs: "Sequence[Run]") -> "Workshop":
    """Data and programs of the runs, every mistake in them found."""
    from landscape.program import Workshop, prepare

    workshop = Workshop()
    prepare(runs, workshop)
    return workshop


def _train(runs: "list[Run]", directory: Path, workshop: "Workshop") -> None:
    """Performs the runs one after the other, with progress on stderr."""
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeRemainingColumn,
    )

    from landscape import sweep

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
            sweep.perform_all(runs, directory, workshop), 1
        ):
            progress.update(task, completed=number, description=run.label)
            if not console.is_terminal or status != "done":
                progress.console.print(
                    f"[{number}/{len(runs)}] {run.id} {status} {seconds:.1f} s",
                    markup=False,
                    highlight=False,
                    soft_wrap=True,
                )


@main.command()
@click.argument("directory", type=click.Path(path_type=Path), metavar="DIR")
@_explained
def report(directory: Path) -> None:
    """Rebuild tables, figures and page of DIR from its files alone.

    DIR is the folder of one experiment, such as `runs/quickstart`.
    """
    _report(directory)


def _report(directory: Path) -> None:
    from landscape.report.assemble import build

    built = build(directory)
    _print_comparison(built)
    _say(f"report: {built.index}")


def _print_comparison(built: Any) -> None:
    """The numbers as a table, and under it a sentence for each loss."""
    from rich.padding import Padding
    from rich.text import Text

    from landscape.report import tables

    shown = tables.display(built.comparison)
    numbers, sentences = shown.columns[:-1], shown.columns[-1]
    console = _console()
    console.print(_table(numbers, shown[numbers].values.tolist(), unbroken=2))
    console.print()
    for name, sentence in zip(shown[numbers[0]], shown[sentences], strict=True):
        console.print(Text(str(name), style="bold"))
        console.print(Padding(Text(str(sentence)), (0, 0, 0, 2), expand=False))


@main.command()
@click.argument("directory", type=click.Path(path_type=Path), metavar="DIR")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
@_explained
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
    _say(", ".join(f"{count} {state}" for state, count in counts.items()))


@main.command()
@click.argument("config", type=click.Path(path_type=Path))
@click.argument("overrides", nargs=-1, metavar="[KEY=VALUE]...")
@_explained
def validate(config: Path, overrides: tuple[str, ...]) -> None:
    """Check CONFIG, its data and its losses as `run` would, without training."""
    from landscape import config as configs

    experiment = configs.load(config, overrides)
    runs = configs.expand(experiment)
    _prepared(runs)
    click.echo(f"{config}: {len(runs)} runs, nothing wrong")


@main.command()
@click.argument("losses", nargs=-1, required=True, metavar="LOSS...")
@click.option("--task", type=click.Choice(TASKS), help="What the loss is for.")
@click.option(
    "--kind",
    type=click.Choice(["loss", "activation", "function"]),
    default="loss",
    show_default=True,
    help="A function of arrays is judged without targets.",
)
@click.option(
    "--domain",
    type=click.Choice(["real", "unit", "simplex", "positive"]),
    default="real",
    show_default=True,
    help="Where predictions live.",
)
@click.option("--head", type=click.Choice(["sigmoid", "softmax"]), help="What feeds the loss.")
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
    help="Form of targets; signed: -1 and 1.",
)
@click.option("--classes", type=click.IntRange(2, 1000), help="Number of classes. Default: 4.")
@click.option(
    "--option", "options", multiple=True, metavar="NAME=VALUE", help="An option of the loss."
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON: an object, or a list of them.")
@click.option(
    "--figure",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Draw the shapes into a png, pdf or svg file.",
)
@click.option("-v", "--verbose", is_flag=True, help="Show every suspect and its fate.")
@click.option(
    "--time-limit",
    type=click.FloatRange(min=0, min_open=True),
    default=60.0,
    show_default=True,
    help="Seconds for each loss.",
)
@_explained
def audit(
    losses: tuple[str, ...],
    task: str | None,
    kind: str,
    domain: str,
    head: str | None,
    order: str,
    targets: str,
    classes: int | None,
    options: tuple[str, ...],
    as_json: bool,
    figure: Path | None,
    verbose: bool,
    time_limit: float,
) -> None:
    """Judge each LOSS without training it: will it train, and if not, why?

    LOSS is a name of the menu, `package.module:name` or `file.py:name`. Exit code 1 when one is
    untrainable, 2 when one cannot be audited.
    """
    from landscape import config, examine

    if figure is not None:
        _check_figure(figure)
    given = config.options(options)
    question = examine.Question(kind, task, domain, head, order, targets, classes, given)
    answers = []
    for answer in examine.examine(losses, question, Path.cwd(), time_limit):
        answers.append(answer)
        if not as_json:
            _show_answer(answer, verbose)
    if as_json:
        found = [answer.to_json() for answer in answers]
        click.echo(json.dumps(found[0] if len(found) == 1 else found, indent=2))
    if figure is not None:
        _draw(answers, figure)
    _leave(answers)


def _check_figure(path: Path) -> None:
    """Refuses a figure that could not be written, before anything is computed."""
    if path.suffix.lower() not in (".png", ".pdf", ".svg"):
        raise UserError(
            f"a figure cannot be written as `{path.name}`", hint="name a .png, .pdf or .svg file"
        )
    if not path.absolute().parent.is_dir():
        raise UserError(f"there is no folder {path.absolute().parent}")


def _show_answer(answer: "Answer", verbose: bool) -> None:
    from landscape.report import terminal

    if answer.audit is None:
        _console().print(terminal.refused(answer.loss, str(answer.error)))
    else:
        _console().print(terminal.lines(answer.audit, verbose=verbose))


def _draw(answers: "Sequence[Answer]", path: Path) -> None:
    from landscape import store
    from landscape.report import figures
    from landscape.report.figures import audit as drawing

    found = [answer.audit or answer.to_json() for answer in answers]
    with figures.own_style():
        picture = figures.saved(drawing.shapes(found), path.suffix)
    try:
        store.write_bytes(path, picture)
    except OSError as error:
        raise UserError(f"cannot write {path}: {error.strerror}") from None
    _say(f"figure: {path}")


def _leave(answers: "Sequence[Answer]") -> NoReturn:
    """Exit 2 if one could not be audited, 1 if one is untrainable, else 0."""
    refused = any(answer.audit is None for answer in answers)
    untrainable = any(a.audit is not None and a.audit["verdict"] == "untrainable" for a in answers)
    code = 2 if refused else 1 if untrainable else 0
    if any(answer.hangs for answer in answers):
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)
    sys.exit(code)


@main.command(name="list")
@click.argument("family", required=False)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON list.")
@_explained
def list_parts(family: str | None, as_json: bool) -> None:
    """Name the parts that a config can use, all of them or one FAMILY."""
    from landscape import catalog

    families = catalog.FAMILIES if family is None else (catalog.check_family(family),)
    entries = [entry for name in families for entry in catalog.entries(name)]
    if as_json:
        click.echo(json.dumps([catalog.describe(entry) for entry in entries], indent=2))
        return
    console = _console()
    for name in families:
        rows = [
            [entry.name, entry.task or "", entry.summary]
            for entry in entries
            if entry.family == name
        ]
        tasks = any(row[1] for row in rows)
        columns = [name, "task", "what it is"] if tasks else [name, "what it is"]
        console.print(_table(columns, rows if tasks else [[r[0], r[2]] for r in rows]))


@main.command()
@_explained
def schema() -> None:
    """Print the JSON schema of a config, for editors that complete and check YAML."""
    from landscape import config as configs

    click.echo(json.dumps(configs.schema(), indent=2))


@main.command()
@click.argument(
    "directory", type=click.Path(path_type=Path, file_okay=False), default=Path(), metavar="[DIR]"
)
@_explained
def init(directory: Path) -> None:
    """Write a first experiment and a loss of your own into DIR, to run and to change."""
    from landscape import starter

    for path in starter.write(directory):
        click.echo(f"wrote {path}")
    click.echo(f"next: landscape run {directory / 'experiment.yaml'}")


def _say(text: str) -> None:
    click.echo(text, err=True)


def _console() -> "Console":
    from rich.console import Console

    return Console(highlight=False)


def _table(columns: Any, rows: list[list[str]], *, unbroken: int = 1) -> "Table":
    from rich import box
    from rich.table import Table
    from rich.text import Text

    table = Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False, padding=(0, 1, 0, 0))
    for number, column in enumerate(columns):
        table.add_column(str(column), overflow="fold", no_wrap=number < unbroken)
    for row in rows:
        table.add_row(*(Text(str(cell)) for cell in row))
    return table


if __name__ == "__main__":
    main()
