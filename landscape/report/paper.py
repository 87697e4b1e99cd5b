"""Writes what a paper needs of an experiment: figures at their final size, and LaTeX tables."""

import difflib
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

from landscape.errors import UserError, first_line, nearest
from landscape.report import escapes, paper_tables, stored_report
from landscape.report.figures import rendering
from landscape.report.figures.all_figures import Drawing, drawings
from landscape.report.figures.view import Picture
from landscape.report.numbers import ReportNumbers, read_numbers
from landscape.report.tuned_comparison import TunedComparison
from landscape.storage import disk

FORMATS = ("pdf", "svg", "png")


class Paper(NamedTuple):
    """The folder that was written, the names of its figures, and why others are missing."""

    directory: Path
    figures: tuple[str, ...]
    undrawn: tuple[str, ...]


def build(
    experiment_dir: Path, settings: Mapping[str, Any], columns: Sequence[str] | None = None
) -> Paper:
    """Writes `report/paper`: each figure as pdf, svg and png, `table.tex` and `methods`.

    Raises UserError if the folder has no finished run or the table does not fit into the width;
    StorageError if a file cannot be written.
    """
    folder = stored_report.folder(experiment_dir) / "paper"
    disk.refuse_links(experiment_dir, [folder])
    numbers = read_numbers(experiment_dir)
    width = float(settings["figure.figsize"][0])
    methods = paper_tables.methods(numbers)
    texts = {
        "table.tex": paper_tables.latex(numbers, width, columns),
        "methods.md": f"{methods}\n",
        "methods.tex": f"{escapes.latex(methods)}\n",
    }
    written, undrawn = [], []
    for drawing in numbers.drawings():
        try:
            picture = _drawn(drawing, settings)
            if picture is None:
                continue
            contents = {
                folder / f"{picture.name}.{suffix}": rendering.image_bytes(
                    picture, suffix, settings
                )
                for suffix in FORMATS
            }
        except (ArithmeticError, ValueError) as error:
            undrawn.append(f"the figure {drawing.name} is omitted: {first_line(error)}")
            continue
        disk.write_files(contents, lasting=False)
        written.append(picture.name)
    disk.write_files({folder / name: text.encode() for name, text in texts.items()})
    return Paper(folder, tuple(written), tuple(undrawn))


def figure(
    experiment_dir: Path,
    name: str,
    out: Path,
    settings: Mapping[str, Any],
    losses: Sequence[str] = (),
) -> None:
    """Writes one figure of an experiment, of some losses only if they are named.

    The losses keep their colors and markers. Raises UserError if the experiment does not have the
    figure or a loss, or if the figure is too narrow; StorageError if it cannot be written.
    """
    if out.suffix.lower().removeprefix(".") not in FORMATS:
        raise UserError(
            f"figures cannot be written as `{out.name}`",
            hint=f"use a file name that ends in one of {', '.join(f'.{f}' for f in FORMATS)}",
        )
    numbers = read_numbers(experiment_dir)
    available = list(_drawings(numbers, losses))
    picture = None
    try:
        for drawing in available:
            if drawing.name == name:
                picture = picture or _drawn(drawing, settings)
        if picture is None:
            has = [each.name for each in available if _drawn(each, settings) is not None]
            closest = difflib.get_close_matches(name, has, n=1)
            question = f"did you mean `{closest[0]}`? " if closest else ""
            raise UserError(
                f"`{experiment_dir}` has no figure `{name}`",
                hint=f"{question}it has {', '.join(has)}",
            )
        content = rendering.image_bytes(picture, out.suffix, settings)
    except (ArithmeticError, ValueError) as error:
        raise UserError(
            f"the figure `{name}` cannot be drawn: {first_line(error)}",
            hint="choose a larger --width or fewer --losses",
        ) from None
    disk.write_bytes(out, content)


def _drawn(drawing: Drawing, settings: Mapping[str, Any]) -> Picture | None:
    with rendering.report_style(settings):
        return drawing.draw()


def _drawings(numbers: ReportNumbers, losses: Sequence[str]) -> Sequence[Drawing]:
    """Returns the figures of all losses or of those named, in their order in the config."""
    if not losses:
        return list(numbers.drawings())
    view = numbers.view
    for loss in losses:
        if loss not in view.runs:
            raise UserError(
                f"no finished run has the loss `{loss}`", hint=nearest(loss, list(view.runs))
            )
    runs = {name: runs for name, runs in view.runs.items() if name in losses}
    tuned = _of_losses(numbers.tuned.comparison, losses) if numbers.tuned else None
    shown = replace(view, runs=runs)
    return list(drawings(numbers.results, numbers.rows, shown, numbers.groups, tuned))


def _of_losses(comparison: TunedComparison, losses: Sequence[str]) -> TunedComparison:
    pairs = [pair for pair in comparison.pairs.pairs if pair.loss in losses]
    return replace(
        comparison,
        losses=tuple(loss for loss in comparison.losses if loss.name in losses),
        pairs=comparison.pairs._replace(pairs=tuple(pairs)),
    )
