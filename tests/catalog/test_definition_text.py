"""What a name in a user's file depends on, and so the identity of a run that uses it."""

import pytest

from landscape.catalog.definition_text import definition_text

FILE = '''
"""Losses of ours."""
import functools
import os
from numpy import *
import jax.numpy as jnp

LIMIT = 2.0  # of the ramp
TABLE = {}
TABLE["slope"] = 3.0
print("loading")


def scaled(factor):
    """Returns a decorator."""

    def decorate(function):
        return function

    return decorate


@scaled(TABLE["slope"])
def ramp(predictions, targets, limit=LIMIT):
    """A ramp.

    Of two lines.
    """
    # clipped on both sides
    return jnp.clip(_margin(predictions, targets), 0.0, limit)


def _margin(predictions, targets):
    return 1.0 - predictions * targets


def other(predictions, targets):
    return os.path.sep


class Wide:
    def __call__(self, predictions, targets):
        return ramp(predictions, targets, limit=WIDTH)


WIDTH = 9.0
wide = functools.partial(Wide())
if __name__ == "__main__":
    ramp(LIMIT, WIDTH)
'''

# A text of the file, its replacement, and the names whose text changes.
CHANGES = [
    ("# of the ramp", "# another comment", set()),
    ('"""Losses of ours."""', '"""Losses."""', set()),
    ('    """A ramp.\n\n    Of two lines.\n    """\n', "", set()),
    ("    # clipped on both sides\n", "", set()),
    ("os.path.sep", "os.path.join", {"other"}),
    ("LIMIT = 2.0", "LIMIT = 3.0", {"ramp", "wide"}),
    ("1.0 - predictions", "2.0 - predictions", {"ramp", "wide"}),
    ("import jax.numpy as jnp", "import numpy as jnp", {"ramp", "wide"}),
    ('TABLE["slope"] = 3.0', 'TABLE["slope"] = 4.0', {"ramp", "wide"}),
    ("return function\n", "return jnp.vectorize(function)\n", {"ramp", "wide"}),
    ("WIDTH = 9.0", "WIDTH = 8.0", {"wide"}),
    ("from numpy import *", "from scipy import *", {"ramp", "other", "wide"}),
    ('print("loading")', 'print("loaded")', {"ramp", "other", "wide"}),
    ("ramp(LIMIT, WIDTH)", "other(LIMIT, WIDTH)", set()),
]


@pytest.mark.parametrize(("old", "new", "expected"), CHANGES)
def test_the_text_changes_only_with_what_the_name_depends_on(old, new, expected):
    assert old in FILE
    changed = FILE.replace(old, new)
    names = ("ramp", "other", "wide")
    assert {n for n in names if definition_text(FILE, n) != definition_text(changed, n)} == expected


def test_the_text_is_that_of_the_statements_in_their_order():
    text = definition_text("a = 1\nb = 2\n\n\ndef f(x):\n    return x + b  # a\n", "f")
    assert text == "b = 2\n\n\ndef f(x):\n    return x + b\n"
    assert definition_text("try:\n    import a\nexcept ImportError:\n    a = None\n", "a") == (
        "try:\n    import a\nexcept ImportError:\n    a = None\n"
    )


def test_the_text_of_a_file_of_which_everything_is_used_is_the_file():
    text = "import numpy as np\n\nLIMIT = 2\n\n\ndef f(x):\n    return np.clip(x, 0, LIMIT)\n"
    assert definition_text(text, "f") == text
    above = "# a file\n\n" + text.replace("\n\n\n", "\n\n\ndef g():\n    pass\n\n\n# f\n")
    assert definition_text(above, "f") == text


@pytest.mark.parametrize("text", ["def f(:\n", "x = 1\n"])
def test_the_whole_text_if_the_name_cannot_be_found(text):
    assert definition_text(text, "f") == text
