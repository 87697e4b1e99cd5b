"""Writes the starter files."""

from collections.abc import Mapping
from importlib import resources
from pathlib import Path

from landscape.errors import UserError
from landscape.storage import disk

FILES = ("experiment.yaml", "my_losses.py")


def write_starter(directory: Path) -> list[Path]:
    """Copies the starter files into a folder and returns their paths.

    Raises UserError and writes nothing if one of them exists.
    """
    return write_files(directory, {name: read_template(name) for name in FILES})


def read_template(name: str) -> str:
    """Returns the text of a file of this package."""
    return resources.files(__package__).joinpath(name).read_text(encoding="utf-8")


def write_files(directory: Path, texts: Mapping[str, str]) -> list[Path]:
    """Writes texts by file name and returns the paths.

    Raises UserError and writes nothing if one of the files exists.
    """
    existing = [name for name in texts if (directory / name).exists()]
    if existing:
        raise UserError(
            f"{directory / existing[0]} already exists; nothing was overwritten",
            hint="choose another folder: `landscape init my_experiment`",
        )
    for name, text in texts.items():
        disk.write_text(directory / name, text)
    return [directory / name for name in texts]
