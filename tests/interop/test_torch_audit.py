"""The audit judges a torch loss as its twin in jax.numpy, at the user's lines, in torch's words."""

import functools
import re
import shutil
from pathlib import Path

import jax
import jax.numpy as jnp
import pytest
from helpers.command_line import invoke

torch = pytest.importorskip("torch", reason="needs torch, see docs/torch_losses.md")

import optax  # noqa: E402
import torch.nn.functional as F  # noqa: E402, N812
import torch_losses  # noqa: E402
from torch import nn  # noqa: E402

from landscape.audit import audit  # noqa: E402


def clipped_bce(pred, target):
    p = jnp.clip(jax.nn.sigmoid(pred), 1e-7, 1 - 1e-7)
    return -(target * jnp.log(p) + (1 - target) * jnp.log(1 - p)).mean()


def zero_one(logits, labels):
    return (jnp.argmax(logits, axis=1) != labels).astype(jnp.float32).mean()


def focal(pred, target):
    bce = optax.sigmoid_binary_cross_entropy(pred, target)
    weight = 0.25 * target + 0.75 * (1 - target)
    return (weight * (1 - jnp.exp(-bce)) ** 2 * bce).mean()


def hinge(pred, target):
    return jnp.maximum(0, 1 - pred * target).mean()


def torch_hinge(pred, target):
    return torch.relu(1 - pred * target).mean()


TWINS = [
    (torch_losses.clipped_bce, clipped_bce, "binary"),
    (torch_losses.zero_one, zero_one, "multiclass"),
    (torch_losses.FocalLoss, focal, "binary"),
    (nn.BCEWithLogitsLoss(), optax.sigmoid_binary_cross_entropy, "binary"),
    (torch_hinge, hinge, "binary"),
    (functools.partial(F.huber_loss, delta=1.0), optax.huber_loss, "regression"),
    (nn.MSELoss, optax.squared_error, "regression"),
]


@pytest.mark.parametrize(("loss", "twin", "task"), TWINS)
def test_verdict_and_severe_findings_are_those_of_the_twin(loss, twin, task):
    judged, expected = (audit(function, task=task) for function in (loss, twin))
    assert judged.verdict == expected.verdict

    def severe(found):
        return {f.code for f in found.findings if f.severity != "note"}

    assert severe(judged) == severe(expected)


def test_a_finding_stands_at_the_line_and_columns_and_names_torch():
    judged = audit(torch_losses.clipped_bce, task="binary")
    finding = next(f for f in judged.findings if f.code == "G202")
    assert finding.where.file == torch_losses.__file__
    assert finding.where.text == "p = torch.clamp(torch.sigmoid(pred), 1e-7, 1 - 1e-7)"
    marked = finding.where.text[finding.where.column - 1 : finding.where.end_column - 1]
    assert marked == "torch.clamp(torch.sigmoid(pred), 1e-7, 1 - 1e-7)"
    assert "F.binary_cross_entropy_with_logits" in finding.suggestion
    assert "optax" not in finding.suggestion


def test_buffers_are_stated_to_be_constants():
    notes = audit(torch_losses.Weighted(), task="multiclass").notes
    assert "the 4 parameters and buffers of the module are constants" in notes


def test_the_code_and_the_commands_of_the_page_run(capsys, tmp_path):
    page = (Path(__file__).parents[2] / "docs" / "torch_losses.md").read_text()
    (code,) = re.findall(r"```python\n(.*?)```", page, re.DOTALL)
    exec(compile(code, "torch_losses.md", "exec"), {"__name__": "page"})
    assert capsys.readouterr().out == "care\n"
    (commands,) = re.findall(r"```console\n(.*?)```", page, re.DOTALL)
    shutil.copy(torch_losses.__file__, tmp_path / "my_losses.py")
    for command in commands.splitlines():
        done = invoke(*command.split()[1:], cwd=tmp_path)
        assert done.returncode == 0, done.stdout + done.stderr
