"""Configs that tests write, load and expect to be refused."""

from pathlib import Path

import pytest

from landscape import config
from landscape.errors import UserError

BASE = "dataset: digits\nmodel: mlp\nlosses: [softmax_cross_entropy, brier]\n"


def write(folder: Path, text: str | bytes) -> Path:
    path = folder / "quick.yaml"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def load(folder: Path, text: str | bytes = BASE, *overrides: str) -> config.Experiment:
    return config.load(write(folder, text), overrides)


def refused(folder: Path, text: str | bytes = BASE, *overrides: str) -> UserError:
    with pytest.raises(UserError) as caught:
        load(folder, text, *overrides)
    return caught.value


def own_parts(folder: Path) -> str:
    """Returns a config of parts outside of the menu, whose defaults must not change these ids."""
    (folder / "own.py").write_text("def mine(p, t, *, scale: float = 1.0): return scale * p\n")
    return (
        'dataset: "mine.data:numbers"\nmodel: "mine.models:small"\n'
        'optimizer: "mine.optimizers:step"\nlosses: ["own.py:mine"]\nseeds: 1\n'
    )
