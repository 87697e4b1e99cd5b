"""The snippets about looks on docs/own_model.md run in order, and its configs load."""

import contextlib
import re
import sys
from pathlib import Path

import jax
import pytest
from helpers.notebook_cell import run_cell

from landscape import config, results

pytestmark = pytest.mark.usefixtures("unrendered_figures")

PAGE = Path(__file__).parents[2] / "docs" / "own_model.md"
# As a user of JAX has them, in all threads.
PROMOTIONS = {"jax_numpy_rank_promotion": "allow", "jax_numpy_dtype_promotion": "standard"}
FEW = "slices={'lines': {'directions': 2, 'points': 3}, 'planes': None},"


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A folder with the files of the page, from which they can be imported."""
    for language in ("python", "yaml"):
        for code in re.findall(rf"```{language}\n(.*?)```", PAGE.read_text(), re.DOTALL):
            if named := re.match(r"# (\w+\.(?:py|yaml))\n", code):
                (tmp_path / named[1]).write_text(code.replace("steps=200", "steps=20"))
    monkeypatch.syspath_prepend(tmp_path)
    strict = {name: getattr(jax.config, name) for name in PROMOTIONS}
    for name, value in PROMOTIONS.items():
        jax.config.update(name, value)
    yield tmp_path
    for name, value in strict.items():
        jax.config.update(name, value)
    sys.modules.pop("my_regression", None)


def snippets():
    text = PAGE.read_text().partition("\n## Adapters\n")[0]
    codes = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    return [code for code in codes if not code.startswith("# ")]


def test_the_snippets_run_one_after_the_other(folder, capsys):
    names = None
    with contextlib.chdir(folder):
        for code in snippets():
            code = code.replace('filter_axes="last")', f'filter_axes="last", {FEW})')
            code = code.replace('"points": 11', '"points": 3, "directions": 2')
            names = run_cell(code, names)
        table = names["look"].table
    assert table["loss"].tolist() == ["mine", "20 steps", "200 steps", "head", "streamed"]
    assert set(table["status"]) == {"looked"}
    (head,) = table.loc[table["loss"] == "head", "parameters"]
    assert head == 8
    assert results(folder / "runs" / "physics").status.tolist() == ["looked"]


def test_the_configs_name_what_they_measure(folder):
    (run,) = config.expand(config.load(folder / "look.yaml"))
    assert (run.point.name, run.loss.label) == ("my_point.py:point", "tanh network")
    assert run.model.name == run.dataset.name == run.point.name
