"""Every experiment in configs/ runs, here with few steps and points."""

import json
import re
from pathlib import Path

import pytest
from helpers.in_process_runs import ended_runs

from landscape import catalog, config
from landscape.run import cross_run
from landscape.run.program_cache import ProgramCache, prepare
from landscape.storage import array_files, store

CONFIGS = sorted((Path(__file__).parent.parent / "configs").glob("*.yaml"))
FEW = ["steps=2", "seeds=1", "batch_size=8", "record_every=1", "audit=false"]
# One loss where much is measured. Few channels and examples: unoptimized convolutions are slow.
CONVOLVING = {"multiclass", "resnet_shortcuts", "segmentation", "segmentation_classes"}
FEWER = {
    "multiclass": ["model.channels=[2, 3]"],
    "reading_landscapes": ["losses=softmax_cross_entropy", "checkpoints=3"],
    "resnet_shortcuts": ["model.depth=8", "model.width=2", "model.skip=true"],
    "segmentation": ["model.depth=1", "model.channels=2"],
    "segmentation_classes": ["model.depth=1", "model.channels=2"],
}
# Their tasks are trained end to end in tests/run/test_every_task.py, on smaller models; slices of
# the network for segmentation are computed in tests/numerics/test_hoist.py.
TRAINED_ELSEWHERE = set(catalog.task_names()) - {"regression", "binary", "multiclass"}
TRAINED_ELSEWHERE |= {"segmentation_classes"}


def shortened(path):
    """Returns overrides that keep a config's parts and directions, but few points of each."""
    size = 2 if path.stem in CONVOLVING else 8
    overrides = [*FEW, f"evaluation.size={size}", *FEWER.get(path.stem, [])]
    slices = config.load(path, overrides).slices
    if slices is None:
        return overrides
    lines = [f"slices.lines.{i}.points=3" for i in range(len(slices.lines or ()))]
    planes = [f"slices.planes.{i}.points=[3, 3]" for i in range(len(slices.planes or ()))]
    if len(lines) == 1:
        lines = ["slices.lines=null"]
    if "curvature:" in path.read_text():
        overrides = [
            *overrides,
            "curvature.iterations=4",
            "curvature.probes=2",
            "curvature.eigenvalues=1",
        ]
    return [*overrides, *lines, *planes]


@pytest.mark.slow
@pytest.mark.parametrize("path", CONFIGS, ids=lambda path: path.stem)
def test_config_runs(path, tmp_path):
    experiment = config.load(path, shortened(path))
    runs = config.expand(experiment)
    cache = ProgramCache()
    prepare(runs, cache)
    # `prepare` has evaluated every loss on its data; training is compiled for one.
    if path.stem in TRAINED_ELSEWHERE:
        return
    runs = [run for run in runs if run.loss.label == experiment.losses[-1].label]
    for run in runs:
        cache.compile_separately(run)
    for run, status, _ in ended_runs(runs, tmp_path, cache):
        folder = store.run_folder(tmp_path, run.id)
        assert status == "done", (folder / "error.txt").read_text()
        assert array_files.read_trace(folder)["step"].tolist() == [0, 1, 2]
        if run.slices is None:
            continue
        stored = array_files.read_slices(folder)
        for label in run.slices.plane_labels():
            assert stored[f"trained/planes/{label}/risk"].shape == (1, 3, 3)
        assert all("/lines/" not in name for name in stored) == (run.slices.lines is None)
    if experiment.across is not None:
        assert cross_run.measure_across(experiment.across, runs, tmp_path, cache)
        assert json.loads((tmp_path / "across.json").read_text())["problems"] == []


@pytest.mark.parametrize("path", CONFIGS, ids=lambda path: path.stem)
def test_the_header_states_the_command_the_minutes_and_the_expected_result(path):
    header = path.read_text().split("\n\n")[0]
    assert re.search(rf"landscape (run|compare) configs/{path.name}", header)
    for word in ("Minutes", "Expected"):
        assert f"# {word}" in header, f"{path.name} lacks the line {word.lower()}"


def test_there_is_a_config_for_every_task():
    tasks = set()
    for path in CONFIGS:
        runs = config.expand(config.load(path, ()))
        tasks.add(ProgramCache().dataset(runs[0]).task)
    assert tasks == set(catalog.task_names())
