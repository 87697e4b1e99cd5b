"""Runs train with torch losses, beside others, as with their twins in JAX."""

import jax.numpy as jnp
import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="torch is not installed")

from landscape import api  # noqa: E402

LOSSES = '''
import jax.numpy as jnp
import torch
from torch import nn


class Squared(nn.Module):
    def __init__(self, scale=1.0):
        super().__init__()
        self.scale = scale

    def forward(self, y_true, y_pred):
        return (self.scale * (y_true - y_pred) ** 2).mean()


def twin(pred, target):
    return (3.0 * (pred - target) ** 2).mean()


def reading(pred, target):
    return torch.mean((pred - target) ** 2) / target.max().item()
'''
CONFIG = """\
dataset: sine
model: {{name: mlp, widths: [4]}}
losses: [{losses}]
seeds: 1
steps: 4
record_every: 2
slices: null
audit: false
"""


def run(folder, losses):
    (folder / "my_losses.py").write_text(LOSSES)
    config = folder / "tiny.yaml"
    config.write_text(CONFIG.format(losses=losses))
    return api.run(api.load(config), out=folder / "runs")


def test_training_with_a_torch_class_is_training_with_its_twin(tmp_path):
    sweep = run(tmp_path, '{name: "my_losses.py:Squared", scale: 3.0}, "my_losses.py:twin"')
    first, second = (sweep.runs[label].trace for label in sweep.runs)
    np.testing.assert_allclose(first["risk"], second["risk"], rtol=1e-6)
