"""Writes the starter files."""

from importlib import resources
from pathlib import Path

from landscape.errors import UserError
from landscape.storage import disk

FILES = ("experiment.yaml", "my_losses.py")


def write_starter(directory: Path) -> list[Path]:
    """Copies the starter files into a folder and returns their paths.

    Raises UserError and writes nothing if one of them exists.
    """
    existing = [name for name in FILES if (directory / name).exists()]
    if existing:
        raise UserError(
            f"{directory / existing[0]} already exists; nothing was overwritten",
            hint="choose another folder: `landscape init my_experiment`",
        )
    for name in FILES:
        text = resources.files(__package__).joinpath(name).read_text(encoding="utf-8")
        disk.write_text(directory / name, text)
    return [directory / name for name in FILES]
