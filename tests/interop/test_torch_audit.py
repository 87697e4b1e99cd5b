"""The audit judges a torch loss as its twin in jax.numpy, at the user's lines, in torch's words."""

import functools
from collections import Counter
from pathlib import Path

import jax
import jax.numpy as jnp
import pytest
from helpers.command_line import invoke

torch = pytest.importorskip("torch", reason="needs torch, see docs/torch_losses.md")

import torch_losses  # noqa: E402
import torch_twins  # noqa: E402
from messages_about_jax import JAX_WORD  # noqa: E402
from torch_twins import TWINS  # noqa: E402

from landscape.audit import audit  # noqa: E402
from landscape.numerics.loss_arguments import name_of  # noqa: E402


@pytest.mark.parametrize("twins", TWINS, ids=lambda twins: name_of(twins.torch_loss))
def test_verdict_and_findings_are_those_of_the_twin_in_words_of_torch(twins):
    judged, expected = (audit(f, task=twins.task) for f in (twins.torch_loss, twins.jax_loss))
    codes, expected_codes = (
        Counter((f.code, f.severity) for f in a.findings) for a in (judged, expected)
    )
    assert not codes - expected_codes
    assert tuple(sorted(code for code, _ in expected_codes - codes)) == twins.only_jax
    if not twins.only_jax:
        assert judged.verdict == expected.verdict
    assert judged.library == "PyTorch loss" and expected.library is None
    texts = [*judged.notes, *(t or "" for f in judged.findings for t in (f.message, f.suggestion))]
    assert not [text for text in texts if JAX_WORD.search(text)]


def test_a_finding_stands_at_the_line_and_columns_and_names_torch():
    judged = audit(torch_losses.clipped_bce, task="binary")
    finding = next(f for f in judged.findings if f.code == "G202")
    assert finding.where.file == torch_losses.__file__
    assert finding.where.text == "p = torch.clamp(torch.sigmoid(pred), 1e-7, 1 - 1e-7)"
    marked = finding.where.text[finding.where.column - 1 : finding.where.end_column - 1]
    assert marked == "torch.clamp(torch.sigmoid(pred), 1e-7, 1 - 1e-7)"
    assert "F.binary_cross_entropy_with_logits" in finding.suggestion
    assert "optax" not in finding.suggestion


@pytest.mark.parametrize(
    ("loss", "jax_function", "point", "slope"),
    [
        (torch_twins.torch_absolute, jnp.abs, [0.0], 0.0),
        (torch_twins.torch_distance, jnp.linalg.norm, [0.0, 0.0], 0.0),
        (torch_twins.torch_capped, lambda x: jnp.clip(x**2, None, 4.0).sum(), [2.0], 4.0),
    ],
)
def test_the_slope_of_jax_is_stated_where_that_of_torch_differs(loss, jax_function, point, slope):
    judged = audit(loss, task="regression")
    (kink,) = (f for f in judged.findings if f.code == "D102")
    along = jnp.ones(len(point)) / len(point) ** 0.5
    of_jax = jax.jvp(lambda x: jnp.sum(jax_function(x)), (jnp.array(point),), (along,))[1]
    assert abs(kink.evidence["autodiff"]) == slope
    assert f"autograd gives {slope:g} there, where JAX would give {of_jax:g}." in kink.message


def test_the_slope_of_jax_is_not_stated_where_that_of_torch_is_the_same():
    judged = audit(torch_twins.torch_hinge, task="binary")
    (kink,) = (f for f in judged.findings if f.code == "D102")
    assert "autograd gives 0 there. " in kink.message  # as jax.nn.relu, not as jnp.maximum


def with_detach(pred, target):
    error = pred - target
    return (error**2 / (1 + error.detach() ** 2)).mean()


def with_data(pred, target):
    error = pred - target
    return (error**2 / (1 + error.data**2)).mean()


def with_no_grad(pred, target):
    with torch.no_grad():
        scale = 1 + (pred - target) ** 2
    return ((pred - target) ** 2 / scale).mean()


@functools.cache
def stopped_in_jax():
    def stopped(pred, target):
        error = pred - target
        return jnp.mean(error**2 / (1 + jax.lax.stop_gradient(error) ** 2))

    return audit(stopped, task="regression")


@pytest.mark.parametrize(
    ("loss", "call"),
    [(with_detach, "error.detach()"), (with_data, "error.data"), (with_no_grad, "torch.no_grad()")],
)
def test_a_detached_tensor_is_named_at_its_call_with_the_severity_of_stop_gradient(loss, call):
    judged, expected = audit(loss, task="regression"), stopped_in_jax()
    finding, in_jax = (next(f for f in a.findings if f.code == "G207") for a in (judged, expected))
    assert judged.verdict == expected.verdict
    assert finding.severity == in_jax.severity == "note"
    assert finding.where.text[finding.where.column - 1 : finding.where.end_column - 1] == call
    assert call.removeprefix("error") in finding.message


def test_buffers_are_stated_to_be_constants_in_the_second_line():
    command = ("audit", "torch_losses.py:Weighted", "--task", "multiclass")
    second = invoke(*command, cwd=Path(__file__).parent).stdout.splitlines()[1].strip()
    assert second == "PyTorch loss: parameters and buffers (4 numbers) are constants"
    assert audit(torch_losses.Weighted(), task="multiclass").library == second
