"""A direction that could not be measured is refused before anything is trained."""

import pytest

from landscape import config
from landscape.errors import UserError
from landscape.run.program_cache import ProgramCache, prepare

OWN = """
import jax, jax.numpy as jnp

def raising():
    def direction(key, point):
        return undefined_name
    return direction

def flat():
    def direction(key, point):
        return jnp.zeros(3)
    return direction

def narrow():
    def direction(key, point):
        return jax.tree.map(lambda leaf: leaf[:1], point.params)
    return direction

def fine():
    def direction(key, point):
        return jax.tree.map(lambda leaf: 0.1 * leaf, point.eigenvector("largest", 1))
    return direction

def unit(difference):
    norm = jnp.sqrt(sum(jnp.sum(leaf**2) for leaf in jax.tree.leaves(difference)))
    return jax.tree.map(lambda leaf: leaf / norm, difference)

def along_path():
    return lambda key, point: unit(jax.tree.map(lambda leaf: leaf[-1] - leaf[0], point.path))

def to_target():
    return lambda key, point: unit(jax.tree.map(jnp.subtract, point.target, point.params))

def along_update():
    return lambda key, point: unit(point.update)
"""
CONFIG = """
dataset: wine
model: linear
losses: [softmax_cross_entropy]
seeds: 1
steps: 20
record_every: 10
checkpoints: 9
slices: {planes: null, lines: {direction: DIRECTION, points: 3}}
"""


def refused(folder, direction):
    (folder / "mine.py").write_text(OWN)
    (folder / "own.yaml").write_text(CONFIG.replace("DIRECTION", direction))
    runs = config.expand(config.load(folder / "own.yaml"))
    with pytest.raises(UserError) as caught:
        prepare(runs, ProgramCache())
    return caught.value


@pytest.mark.parametrize(
    ("name", "words", "line"),
    [
        ("raising", "raises NameError", "return undefined_name"),
        ("flat", "not return a tree like the parameters", "def direction(key, point):"),
        (
            "narrow",
            "has shape (1, 13) at `output/weight`; the parameters there have shape (3, 13)",
            None,
        ),
    ],
)
def test_mistakes_of_a_custom_direction_are_reported_at_its_line(tmp_path, name, words, line):
    error = refused(tmp_path, f"'mine.py:{name}'")
    assert words in str(error)
    assert error.place.file.endswith("mine.py")
    if line:
        assert error.place.text.strip() == line


@pytest.mark.parametrize("name", ["fine", "along_path", "to_target", "along_update"])
def test_a_sound_custom_direction_is_accepted(tmp_path, name):
    (tmp_path / "mine.py").write_text(OWN)
    (tmp_path / "own.yaml").write_text(CONFIG.replace("DIRECTION", f"'mine.py:{name}'"))
    runs = config.expand(config.load(tmp_path / "own.yaml"))
    assert prepare(runs, ProgramCache()) is None


@pytest.mark.parametrize(
    ("direction", "words"),
    [
        ("{name: eigenvector, index: 43}", "the model has 42 parameters"),
        ("{name: eigenvector, index: 0}", "expected a whole number of at least 1"),
        ("{name: trajectory, component: 3}", "only 3 of 9 fit into 20 steps recorded every 10"),
    ],
)
def test_more_than_there_is(tmp_path, direction, words):
    assert words in str(refused(tmp_path, direction))
