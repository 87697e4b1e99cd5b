"""The loops of docs/own_loop.md run, and their page shows them side by side."""

import contextlib
import re
from pathlib import Path

import jax
import pytest
from helpers.command_line import invoke

pytestmark = pytest.mark.usefixtures("unrendered_figures")

PAGE = Path(__file__).parents[2] / "docs" / "own_loop.md"


@contextlib.contextmanager
def promotion_of_a_user():
    with jax.numpy_rank_promotion("allow"), jax.numpy_dtype_promotion("standard"):
        yield


@pytest.mark.slow
def test_the_loops_run_and_are_reported(tmp_path):
    pytest.importorskip("torch", reason="torch is not installed")
    pytest.importorskip("flax", reason="Flax is not installed")
    blocks = re.findall(r"```python\n(.*?)```", PAGE.read_text(), re.DOTALL)
    names: dict = {}
    with contextlib.chdir(tmp_path), promotion_of_a_user():
        for block in blocks:
            exec(block.replace("range(100)", "range(41)"), names)
    result = invoke("report", "runs/recorded", cwd=tmp_path)
    assert result.returncode == 0, result.stderr
    for label in ("optax", "flax", "equinox", "torch"):
        assert f"{label}\n  Ended after 41 steps." in result.stdout
    page = (tmp_path / "runs" / "recorded" / "report" / "index.html").read_text()
    assert "on the evaluation set for flax" in page
    assert len(names["recorder"].trace) == 3
