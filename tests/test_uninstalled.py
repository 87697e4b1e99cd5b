"""A checkout whose dependencies are installed, but which itself is not."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

import landscape

ROOT = Path(__file__).parent.parent
# Every process that starts with this on its path neither finds the package by its installation
# nor its metadata.
HIDE_THE_INSTALLATION = """
import importlib.metadata, os, sys
from_name = importlib.metadata.Distribution.from_name.__func__

def without_landscape(cls, name):
    if name == "landscape":
        raise importlib.metadata.PackageNotFoundError(name)
    return from_name(cls, name)

importlib.metadata.Distribution.from_name = classmethod(without_landscape)
sys.path[:] = [path for path in sys.path if not os.path.isdir(os.path.join(path, "landscape"))]
"""
CONFIG = """\
dataset: moons
model: {name: mlp, widths: [4]}
losses: [hinge]
seeds: 2
steps: 2
record_every: 2
slices: null
"""


@pytest.fixture
def checkout(tmp_path):
    """Calls `python cli.py` of this checkout in another folder."""
    (tmp_path / "sitecustomize.py").write_text(HIDE_THE_INSTALLATION)
    (tmp_path / "tiny.yaml").write_text(CONFIG)
    environment = os.environ | {"PYTHONPATH": str(tmp_path)}

    def call(*words, exit_code=0):
        command = [sys.executable, str(ROOT / "cli.py"), *words]
        done = subprocess.run(
            command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=300
        )
        assert done.returncode == exit_code, done.stderr
        return done.stdout

    return call


def test_the_version_is_that_of_the_package(checkout):
    assert landscape.__version__ in checkout("--version")


@pytest.mark.slow
def test_runs_and_the_report_record_the_version(checkout, tmp_path):
    checkout("run", "tiny.yaml", "--executor", "processes", "--jobs", "1")
    experiment = tmp_path / "runs" / "tiny"
    metas = [json.loads(path.read_text()) for path in experiment.glob("runs/*/meta.json")]
    assert [meta["versions"]["landscape"] for meta in metas] == [landscape.__version__] * 2
    assert landscape.__version__ in (experiment / "report" / "index.html").read_text()


@pytest.mark.slow
def test_an_audit_after_one_that_hangs_finds_the_package(checkout, tmp_path):
    (tmp_path / "mine.py").write_text(
        "import time\ndef hangs(predictions, targets):\n    while True: time.sleep(0.1)\n"
    )
    names = ["mine.py:hangs", "absolute_error"]
    answers = json.loads(checkout("audit", *names, "--time-limit", "4", "--json", exit_code=2))
    assert "error" in answers[0] and "error" not in answers[1]
