"""Every experiment in configs/ runs as it stands, here with few steps and points."""

from pathlib import Path

import pytest

from landscape import config, store, sweep
from landscape.program import Workshop, prepare

CONFIGS = sorted((Path(__file__).parent.parent / "configs").glob("*.yaml"))
FEW = [
    "steps=2",
    "seeds=1",
    "batch_size=8",
    "record_every=1",
    "evaluation.size=8",
    "slices.lines=null",
    "slices.planes.points=[3, 3]",
]


@pytest.mark.slow
@pytest.mark.parametrize("path", CONFIGS, ids=lambda path: path.stem)
def test_config_runs(path, tmp_path):
    runs = config.expand(config.load(path, FEW))
    workshop = Workshop()
    prepare(runs, workshop)
    for run, status, _ in sweep.perform_all(runs, tmp_path, workshop):
        folder = store.run_folder(tmp_path, run.id)
        assert status == "done", (folder / "error.txt").read_text()
        assert store.read_trace(folder)["step"].tolist() == [0, 1, 2]
        label = run.slices.plane_labels()[0]
        assert store.read_slices(folder)[f"trained/planes/{label}/risk"].shape[1:] == (3, 3)


@pytest.mark.parametrize("path", CONFIGS, ids=lambda path: path.stem)
def test_header_says_the_command_the_minutes_and_what_to_expect(path):
    header = path.read_text().split("\n\n")[0]
    assert f"landscape run configs/{path.name}" in header
    for word in ("Minutes", "Expected"):
        assert f"# {word}" in header, f"{path.name} does not say {word.lower()}"


def test_there_is_a_config_for_every_task():
    tasks = set()
    for path in CONFIGS:
        runs = config.expand(config.load(path, ()))
        tasks.add(Workshop().dataset(runs[0]).task)
    assert tasks == {"regression", "binary", "multiclass", "segmentation"}
