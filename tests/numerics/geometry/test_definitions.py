"""Docstrings define every number, and the tables of the docs are generated from them."""

import re
import runpy
from pathlib import Path

import numpy as np
import pytest

from landscape.numerics.geometry import DEFINITIONS, NONCONVEX, describe_lines, describe_plane
from landscape.numerics.geometry.basin import LEVEL
from landscape.numerics.geometry.kinks import STANDS_OUT
from landscape.numerics.geometry.persistence import SHARE

DOCS = Path(__file__).parents[3] / "docs"
X = np.linspace(-1, 1, 41)


def test_every_number_has_one_definition_with_all_entries():
    lines = describe_lines([X**2], X, 0.0, 1.0)
    plane = describe_plane(np.add.outer(X**2, X**2), 0.0, 1.0)
    assert not lines.keys() & plane.keys()
    assert DEFINITIONS.keys() == {*lines, *plane, "barrier_height"}
    for name, definition in DEFINITIONS.items():
        assert definition.name == name and all(definition), name
        assert "\n" not in definition.formula and not re.search(r"\. [A-Z]", definition.formula)


@pytest.mark.parametrize(
    ("name", "threshold"),
    [
        ("basin_width", LEVEL),
        ("basin_share", LEVEL),
        ("local_minima", SHARE),
        ("plane_local_minima", SHARE),
        ("kinks", STANDS_OUT),
        ("nonconvex_share", NONCONVEX),
    ],
)
def test_definitions_state_the_threshold_that_the_code_uses(name, threshold):
    assert re.search(rf"(?<![\d.]){threshold:g}(?![\d.])", DEFINITIONS[name].formula)


@pytest.mark.parametrize("page", sorted(DOCS.glob("*.md")), ids=lambda path: path.name)
def test_generated_tables_are_up_to_date(page):
    text = page.read_text()
    updated = runpy.run_path(str(DOCS / "generate.py"))["updated"](text)
    assert updated == text, "run `python docs/generate.py`"


def test_the_page_of_numbers_has_a_row_for_every_number():
    rows = re.findall(r"^\| `(\w+)` \|", (DOCS / "geometry.md").read_text(), re.MULTILINE)
    assert rows == list(DEFINITIONS)
