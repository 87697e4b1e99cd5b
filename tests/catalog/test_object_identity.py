"""The identity of an object changes with what it computes, and with nothing else."""

from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pandas as pd
import pytest
from helpers.notebook_cell import run_cell

from landscape.catalog.object_identity import WithoutIdentityError, identity

CELL = '''
import functools
import equinox as eqx
import jax
import jax.numpy as jnp

LIMIT = 5.0
TABLE = {"scale": [1.0, 2.0]}

def capped(x):
    return jnp.minimum(x, LIMIT) * TABLE["scale"][0]

@jax.custom_jvp
def rounded(x):
    return jnp.round(x)

@rounded.defjvp
def rule(values, tangents):
    return rounded(values[0]), tangents[0]

def weighted(weight):
    def inner(predictions, targets):
        return weight * jnp.square(predictions - targets)
    return inner

@jax.jit
def loss(predictions, targets, power=2):
    """Raises errors to a power."""
    return capped(rounded(predictions - targets) ** power)  # the cap is last

class Scaled:
    """Scales a loss."""
    offset = 1.0

    def __init__(self, factor):
        self.factor = factor

    def __call__(self, predictions, targets):
        return self.factor * loss(predictions, targets) + self.offset

class Net(eqx.Module):
    layer: eqx.nn.Linear

    def __call__(self, x):
        return capped(self.layer(x))

bound = functools.partial(weighted(3.0), 0.0)
scaled = Scaled(2.0)
net = Net(eqx.nn.Linear(2, 1, key=jax.random.key(0)))
unrelated = 1
'''
NAMES = ("loss", "bound", "scaled", "net")


def identities(text):
    cell = run_cell(text)
    return {name: identity(cell[name]) for name in NAMES}


def test_comments_docstrings_layout_and_unrelated_names_change_nothing():
    text = CELL.replace("  # the cap is last", "").replace(
        '    """Raises errors to a power."""\n', ""
    )
    text = text.replace("weight * jnp", "(weight\n            * jnp").replace(
        "- targets)\n    r", "- targets))\n    r"
    )
    text = text.replace('    """Scales a loss."""\n', "").replace("unrelated = 1", "unrelated = 2")
    assert text.count("\n") != CELL.count("\n")
    assert identities(text) == identities(CELL)


@pytest.mark.parametrize(
    ("old", "new", "changed"),
    [
        ("LIMIT = 5.0", "LIMIT = 4.0", {"loss", "scaled", "net"}),
        ('"scale": [1.0, 2.0]', '"scale": [1.5, 2.0]', {"loss", "scaled", "net"}),
        ("jnp.minimum(x", "jnp.maximum(x", {"loss", "scaled", "net"}),
        ("tangents[0]\n", "2 * tangents[0]\n", {"loss", "scaled"}),
        ("power=2", "power=3", {"loss", "scaled"}),
        ("weighted(3.0)", "weighted(3.5)", {"bound"}),
        (", 0.0)", ", 1.0)", {"bound"}),
        ("jnp.square", "jnp.abs", {"bound"}),
        ("Scaled(2.0)", "Scaled(2.5)", {"scaled"}),
        ("offset = 1.0", "offset = 2.0", {"scaled"}),
        ("jax.random.key(0)", "jax.random.key(1)", {"net"}),
        ("capped(self.layer(x))", "self.layer(x)", {"net"}),
    ],
)
def test_a_change_of_code_or_values_changes_what_depends_on_it(old, new, changed):
    before, after = identities(CELL), identities(CELL.replace(old, new))
    assert CELL.count(old) == 1
    assert {name for name in NAMES if before[name] != after[name]} == changed


def test_lambdas_of_one_line_differ():
    cell = run_cell("first, second = (lambda p, t: p - t), (lambda p, t: p + t)")
    assert identity(cell["first"]) != identity(cell["second"])


@pytest.mark.parametrize(
    ("value", "other"),
    [
        (np.arange(3.0), np.array([0.0, 1.0, 2.5])),
        (np.arange(4.0), np.arange(4.0).reshape(2, 2)),
        (np.arange(4), np.arange(4.0)),
        (np.array(["a", None], object), np.array(["b", None], object)),
        (
            pd.DataFrame({"a": [1, 2], "b": ["x", None]}),
            pd.DataFrame({"a": [1, 2], "b": ["x", "y"]}),
        ),
        (pd.DataFrame({"a": [1, 2]}), pd.DataFrame({"b": [1, 2]})),
        (optax.adam(1e-3), optax.adam(2e-3)),
        (
            optax.sgd(optax.cosine_decay_schedule(0.1, 10)),
            optax.sgd(optax.cosine_decay_schedule(0.1, 20)),
        ),
        (jnp.sum, jnp.prod),
        (jax.nn.relu, jax.nn.gelu),
        ({"a": 1, "b": 2}, {"a": 1, "b": 3}),
        ({1, 2}, {1, 3}),
    ],
)
def test_values_decide(value, other):
    assert identity(value) != identity(other)
    copied = value.copy() if hasattr(value, "copy") else value
    assert identity(value) == identity(copied)


def test_a_function_that_refers_to_itself_has_an_identity():
    text = "def even(n): return n == 0 or odd(n - 1)\ndef odd(n): return n > 0 and even(n - 1)\n"
    assert identity(run_cell(text)["even"]) == identity(run_cell(text)["even"])
    other = text.replace("n > 0", "n > 1")
    assert identity(run_cell(text)["even"]) != identity(run_cell(other)["even"])


def test_objects_without_text_are_refused_with_the_reason():
    names = {"__name__": "__main__"}
    exec("def loss(p, t): return p - t", names)
    with pytest.raises(WithoutIdentityError, match="`loss` was defined where Python keeps no text"):
        identity(names["loss"])
    cell = run_cell("def noisy(p, t): return p - t + RANDOM.normal()\n", {"__name__": "__main__"})
    cell["RANDOM"] = np.random.default_rng(0)
    with pytest.raises(WithoutIdentityError, match="a value of type Generator has no text"):
        identity(cell["noisy"])
    with Path(__file__).open() as file, pytest.raises(WithoutIdentityError, match="TextIOWrapper"):
        identity(file)
