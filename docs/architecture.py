"""Draws docs/pictures/architecture.png: the folders of landscape/ and the imports between them.

    python docs/architecture.py

The arrows are read from the source. An arrow that follows from others is left out: if `cli` imports
`sweep` and `sweep` imports `run`, the arrow from `cli` to `run` is not drawn.
"""

import ast
from collections.abc import Iterator, Set
from pathlib import Path

from matplotlib.figure import Figure

ROOT = Path(__file__).parent.parent
PICTURE = ROOT / "docs" / "pictures" / "architecture.png"
# Folders by their place in the picture: from the left, in tenths of the width, and from the top.
PLACES = {
    "__main__": (5.4, -1),
    "cli": (5.4, 0),
    "api": (3.0, 1),
    "testing": (0.85, 2),
    "torch": (9.0, 0),
    "recorder": (9.0, 1),
    "sweep": (3.0, 2),
    "export": (5.8, 2),
    "starter": (9.0, 2),
    "run": (2.3, 3),
    "report": (6.2, 3),
    "audit": (1.2, 4),
    "numerics": (6.2, 5),
    "compare": (4.8, 4),
    "storage": (8.8, 6),
    "config": (3.0, 7),
    "adapters": (8.6, 7),
    "parts": (6.6, 8),
    "catalog": (1.6, 8),
    "interop": (2.4, 9),
    "errors": (5.0, 10),
}
CONTENTS = {
    "__main__": "python -m landscape",
    "cli": "commands",
    "api": "load, run, results",
    "testing": "assert_trainable",
    "torch": "Recorder",
    "recorder": "loops of the user",
    "sweep": "executors, resuming",
    "export": "MLflow, W&B, TensorBoard",
    "starter": "files of init",
    "run": "train, measure, audit one run",
    "report": "tables, figures, page",
    "audit": "static rules, probes, codes",
    "numerics": "risk, training, slices, curvature",
    "compare": "tuning, joint test, verdicts",
    "storage": "records of stored files",
    "config": "YAML, run identity",
    "adapters": "trained modules as functions",
    "parts": "tasks, losses, models, data",
    "catalog": "parts by name",
    "interop": "losses of PyTorch",
    "errors": "messages with a place",
}


def imports() -> dict[str, set[str]]:
    """Returns for each folder the folders that it imports, at top level or inside functions."""
    package = ROOT / "landscape"
    targets: dict[str, set[str]] = {folder: set() for folder in PLACES}
    for path in package.rglob("*.py"):
        folder = path.relative_to(package).with_suffix("").parts[0]
        if folder in targets:
            targets[folder] |= {*_imported(path)} & targets.keys() - {folder}
    return targets


def _imported(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and node.module is not None:
            names = [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
            yield from (name.split(".")[1] for name in names if name.startswith("landscape."))


def direct(targets: dict[str, set[str]]) -> dict[str, set[str]]:
    """Returns the arrows that do not follow from others."""

    def reachable(start: str) -> Set[str]:
        return targets[start].union(*(reachable(target) for target in targets[start]))

    return {
        folder: {
            target
            for target in imported
            if not any(target in reachable(other) for other in imported - {target})
        }
        for folder, imported in targets.items()
    }


def _escaped(name: str) -> str:
    return name.replace("_", r"\_")


def draw() -> None:
    """Writes the picture."""
    figure = Figure(figsize=(8, 9.6), dpi=130)
    axes = figure.add_axes((0, 0, 1, 1))
    axes.set_axis_off()
    axes.set_xlim(0, 10)
    axes.set_ylim(10.6, -1.6)
    style = {"boxstyle": "round,pad=0.45", "facecolor": "#e8eef7", "edgecolor": "#33527a"}
    boxes = {
        folder: axes.text(
            *place,
            f"$\\bf{{{_escaped(folder)}}}$\n{CONTENTS[folder]}",
            ha="center",
            va="center",
            fontsize=9,
            bbox=style,
        )
        for folder, place in PLACES.items()
    }
    figure.canvas.draw()  # boxes have no outline, at which arrows end, until drawn
    for folder, targets in direct(imports()).items():
        for target in targets:
            axes.annotate(
                "",
                xy=PLACES[target],
                xytext=PLACES[folder],
                arrowprops={
                    "arrowstyle": "-|>",
                    "color": "#777777",
                    "patchA": boxes[folder].get_bbox_patch(),
                    "patchB": boxes[target].get_bbox_patch(),
                },
            )
    figure.savefig(PICTURE, metadata={"Software": None})


if __name__ == "__main__":
    draw()
