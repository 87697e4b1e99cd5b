"""Writes the tables and pictures of the docs that are computed.

    python docs/generate.py          # tables and docs/codes/, which come from docstrings
    python docs/generate.py RUNS     # also tables and pictures from the results in the folder RUNS

RUNS holds the results of the commands that the pages name, in folders named after the configs. A
page holds each table between `<!-- generated: NAME -->` or `<!-- results: NAME -->` and
`<!-- end -->`.
"""

import re
import shutil
import sys
from collections.abc import Callable
from pathlib import Path

from landscape import catalog
from landscape.numerics.geometry import definitions
from landscape.parts import tasks
from landscape.report.code_pages import code_pages, reference_table

DOCS = Path(__file__).parent
PAGES = sorted(DOCS.glob("*.md"))
TABLES = {
    "codes": reference_table,
    "tasks": lambda: tasks_table(),
    "numbers of lines": lambda: definitions.markdown_table(definitions.LINE_NUMBERS),
    "numbers of planes": lambda: definitions.markdown_table(definitions.PLANE_NUMBERS),
    "numbers of paths": lambda: definitions.markdown_table(definitions.PATH_NUMBERS),
}
CODES = DOCS / "codes"
# Tables by the experiment: columns of its table `tuning`.
TUNED = ("tuned rate", r"accuracy \[95 % CI\]", "tolerance")
BUDGETS = ("best of 1", "best of 2", "best of 4", "best of 8", "success", "steps per success")
VERDICT = r"against softmax\_cross\_entropy"
COLUMNS = {
    "reversal": ("loss", "at the config's rate", *TUNED, VERDICT),
    "digits_losses": ("loss", *TUNED, *BUDGETS, VERDICT),
    "digits_losses_sgd": ("loss", *TUNED, *BUDGETS, VERDICT),
}
# Pictures by name: an experiment and a figure of its report.
PICTURES = {
    "quickstart_rates": ("quickstart", "tuning_rates"),
    "quickstart_differences": ("quickstart", "differences"),
    "quickstart_summary": ("quickstart", "summary"),
    "quickstart_lines": ("quickstart", "slices_risk"),
    "quickstart_robustness": ("quickstart", "robustness"),
    "reversal_rates": ("reversal", "tuning_rates"),
    "reading_across": ("reading_landscapes", "across"),
    "reading_barriers": ("reading_landscapes", "interpolations_losses"),
    "reading_convexity": ("reading_landscapes", "convexity_eigenvectors"),
    "reading_curvature": ("reading_landscapes", "curvature"),
    "reading_directions": ("reading_landscapes", "directions"),
    "reading_path": ("reading_landscapes", "contours_path"),
    "reading_slices_risk": ("reading_landscapes", "slices_risk"),
}


def updated(page: str) -> str:
    """Returns the text of a page with the tables regenerated that come from docstrings."""
    return _replaced(page, "generated", lambda name: TABLES[name]())


def with_results(page: str, runs: Path) -> str:
    """Returns the text of a page with the tables regenerated that come from results."""
    return _replaced(page, "results", lambda name: result_table(runs / name, COLUMNS[name]))


def tasks_table() -> str:
    """Returns the table of tasks in Markdown, from the values that the program uses."""
    headings = ("task", "what it is", "judged by", "usual loss", "baseline", "also for datasets of")
    rows = [headings, ["---"] * len(headings)]
    for name, make in tasks.ALL.items():
        task = make()
        summary = catalog.menu("tasks")[name].summary.rstrip(".")
        has_baseline = task.constant is not tasks.Task.constant
        cells = (
            ", ".join(f"`{metric}`" for metric in task.metrics) or "a metric of yours",
            f"`{task.reference}`" if task.reference else "a loss of yours",
            task.baseline.replace("_", " ") if has_baseline else "",
            ", ".join(task.accepts),
        )
        rows.append([f"`{name}`", summary, *cells])
    return "".join(f"| {' | '.join(row)} |\n" for row in rows)


def _replaced(page: str, kind: str, table: Callable[[str], str]) -> str:
    return re.sub(
        rf"(<!-- {kind}: (.+?) -->\n).*?(<!-- end -->)",
        lambda match: match[1] + table(match[2]) + match[3],
        page,
        flags=re.DOTALL,
    )


def result_table(experiment: Path, columns: tuple[str, ...]) -> str:
    """Returns columns of the table of losses at their tuned points, with its rows."""
    lines = (experiment / "report" / "tables" / "tuning.md").read_text().splitlines()
    headings, _, *rows = ([cell.strip() for cell in line.split("|")[1:-1]] for line in lines)
    places = [headings.index(column) for column in columns]
    table = [columns, ["---"] * len(columns), *([row[i] for i in places] for row in rows)]
    return "".join(f"| {' | '.join(row)} |\n" for row in table)


def copy_pictures(runs: Path) -> None:
    """Copies figures of reports to docs/pictures."""
    for name, (experiment, figure) in PICTURES.items():
        source = runs / experiment / "report" / "figures" / f"{figure}.png"
        shutil.copyfile(source, DOCS / "pictures" / f"{name}.png")


def pages_of_codes() -> dict[Path, str]:
    """Returns the text of each page in docs/codes/."""
    return {CODES / f"{code}.md": page.markdown for code, page in code_pages().items()}


def write_codes() -> None:
    """Writes docs/codes/; removes pages of codes that no longer exist."""
    pages = pages_of_codes()
    CODES.mkdir(exist_ok=True)
    for path in set(CODES.glob("*.md")) - pages.keys():
        path.unlink()
    for path, text in pages.items():
        path.write_text(text)


if __name__ == "__main__":
    folders = [Path(argument) for argument in sys.argv[1:]]
    for path in PAGES:
        text = updated(path.read_text())
        for runs in folders:
            text = with_results(text, runs)
        path.write_text(text)
    write_codes()
    for runs in folders:
        copy_pictures(runs)
