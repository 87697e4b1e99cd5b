"""The files that `landscape init` writes: an experiment to run and a loss to change."""

from importlib import resources
from pathlib import Path

from landscape.errors import UserError
from landscape.storage import disk

FILES = ("experiment.yaml", "my_losses.py")


def write(directory: Path) -> list[Path]:
    """Copies the files into the folder. UserError, and nothing written, where one is there."""
    present = [name for name in FILES if (directory / name).exists()]
    if present:
        raise UserError(
            f"{directory / present[0]} is there already, and nothing is overwritten",
            hint="choose another folder: `landscape init my_experiment`",
        )
    for name in FILES:
        text = resources.files(__package__).joinpath(name).read_text(encoding="utf-8")
        disk.write_text(directory / name, text)
    return [directory / name for name in FILES]
