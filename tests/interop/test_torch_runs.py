"""Runs train with torch losses, beside others, as with their twins in JAX."""

import numpy as np
import pandas as pd
import pytest

torch = pytest.importorskip("torch", reason="needs torch, see docs/torch_losses.md")

from helpers.in_process_runs import ended_runs  # noqa: E402

from landscape import config  # noqa: E402
from landscape.errors import UserError  # noqa: E402
from landscape.run.program import build_loss  # noqa: E402
from landscape.run.program_cache import ProgramCache, prepare  # noqa: E402
from landscape.storage import store  # noqa: E402

LOSSES = """
import jax.numpy as jnp
import torch
from torch import nn


class Focal(nn.Module):
    def __init__(self, gamma=2.0):
        super().__init__()
        self.gamma = gamma

    def forward(self, y_true, y_pred):
        p = torch.sigmoid(y_pred)
        right = torch.where(y_true > 0.5, p, 1 - p)
        loss = -((1 - right) ** self.gamma) * torch.log(right)
        return loss.mean(), {"right": right}


def twin(pred, target):
    p = 1 / (1 + jnp.exp(-pred))
    right = jnp.where(target > 0.5, p, 1 - p)
    return -((1 - right) ** 3) * jnp.log(right)


def reading(pred, target):
    return torch.mean((pred - target) ** 2) / pred.max().item()  # the line
"""
CONFIG = """\
dataset: moons
model: {name: mlp, widths: [4]}
losses: [%s]
seeds: 1
steps: 6
record_every: 2
slices: {lines: {directions: 1, points: 3}, gradients: true}
curvature: {eigenvalues: 1, iterations: 4}
"""


def runs_of(folder, losses):
    (folder / "my_losses.py").write_text(LOSSES)
    (folder / "tiny.yaml").write_text(CONFIG % losses)
    return config.expand(config.load(folder / "tiny.yaml"))


def test_a_run_with_a_torch_class_is_that_of_its_twin(tmp_path):
    names = '{name: "my_losses.py:Focal", gamma: 3.0}, "my_losses.py:twin"'
    runs, cache = runs_of(tmp_path, names), ProgramCache()
    prepare(runs, cache)
    for run, status, _ in ended_runs(runs, tmp_path / "out", cache):
        assert status == "done", store.read_failure(store.run_folder(tmp_path / "out", run.id))
    folders = [store.run_folder(tmp_path / "out", run.id) for run in runs]
    traces = [pd.read_parquet(folder / "trace.parquet") for folder in folders]
    slices = [np.load(folder / "slices.npz") for folder in folders]
    assert "loss/right" in traces[0]
    shared = [name for name in traces[1].select_dtypes("number") if name != "seconds"]
    np.testing.assert_allclose(traces[0][shared], traces[1][shared], rtol=2e-4, atol=1e-6)
    assert slices[0].files == slices[1].files
    for name in slices[0].files:
        np.testing.assert_allclose(slices[0][name], slices[1][name], rtol=2e-3, atol=1e-5)


def test_a_loss_that_reads_values_is_rejected_at_its_line(tmp_path):
    (run,) = runs_of(tmp_path, '"my_losses.py:reading"')
    cache = ProgramCache()
    with pytest.raises(UserError, match="takes a Python value") as caught:
        build_loss(run, cache.dataset(run), cache.model(run))
    assert caught.value.place.text.endswith("# the line")
