"""Losses of images and series in PyTorch have the classes in the second axis."""

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="needs torch, see docs/torch_losses.md")

import jax  # noqa: E402
import jax.numpy as jnp  # noqa: E402
from scipy.special import log_softmax, softmax  # noqa: E402

from landscape.audit import audit  # noqa: E402
from landscape.interop.libraries import adapted  # noqa: E402
from landscape.numerics.loss import Loss, Targets  # noqa: E402
from landscape.parts.tasks import named  # noqa: E402
from landscape.run.loss_check import fit_targets  # noqa: E402

RNG = np.random.default_rng(3)
IMAGES = RNG.normal(size=(3, 2, 5, 4)), RNG.integers(4, size=(3, 2, 5))
SERIES = RNG.normal(size=(3, 5, 4)), RNG.integers(4, size=(3, 5))


class SoftDice(torch.nn.Module):
    def forward(self, logits, target):
        p = torch.softmax(logits, dim=1)
        classes = torch.nn.functional.one_hot(target.long(), logits.shape[1])
        classes = classes.permute(0, 3, 1, 2).to(p.dtype)
        overlap = (p * classes).sum((0, 2, 3))
        return 1 - (2 * overlap / (p.sum((0, 2, 3)) + classes.sum((0, 2, 3)))).mean()


def joined_places(logits, target):
    return torch.nn.functional.cross_entropy(logits.reshape(-1, 4), target.reshape(-1))


def cross_entropy(predictions, labels):
    return -np.take_along_axis(log_softmax(predictions, -1), labels[..., None], -1).mean()


def dice(predictions, labels):
    p, classes = softmax(predictions, -1), np.eye(4)[labels]
    axes = tuple(range(p.ndim - 1))
    return 1 - (2 * (p * classes).sum(axes) / (p.sum(axes) + classes.sum(axes))).mean()


def fitted(loss, task, predictions, labels):
    """Returns the loss as it is trained, with its arguments."""
    arguments = jnp.asarray(predictions, jnp.float32), Targets(jnp.asarray(labels, jnp.int32))
    return fit_targets(Loss(adapted(loss)), "mine", "auto", *arguments, named(task)), arguments


@pytest.mark.parametrize(
    ("loss", "task", "data", "formula"),
    [
        (torch.nn.CrossEntropyLoss(), "segmentation", IMAGES, cross_entropy),
        (torch.nn.CrossEntropyLoss(reduction="none"), "segmentation", IMAGES, cross_entropy),
        (SoftDice(), "segmentation", IMAGES, dice),
        (torch.nn.CrossEntropyLoss(), "sequence", SERIES, cross_entropy),
        (joined_places, "sequence", SERIES, cross_entropy),
    ],
)
def test_trained_losses_have_the_value_of_the_formula_over_the_last_axis(loss, task, data, formula):
    trained, arguments = fitted(loss, task, *data)
    assert trained.mean(*arguments) == pytest.approx(formula(*data), rel=1e-5)
    slopes = jax.grad(trained.mean)(*arguments)
    step = RNG.normal(size=data[0].shape)
    difference = formula(data[0] + 1e-5 * step, data[1]) - formula(data[0] - 1e-5 * step, data[1])
    assert np.vdot(slopes, step) == pytest.approx(difference / 2e-5, rel=1e-4, abs=1e-6)


@pytest.mark.parametrize("loss", [SoftDice(), torch.nn.CrossEntropyLoss()])
def test_losses_of_several_classes_of_pixels_are_audited_with_the_classes_second(loss):
    result = audit(loss, task="segmentation")
    assert any("4 classes of pixels, in the second axis" in note for note in result.notes)
    assert result.verdict == "care"
    assert not {"D101", "G201", "G202"} & {finding.code for finding in result.findings}


def test_losses_of_masks_are_audited_on_masks():
    result = audit(torch.nn.BCEWithLogitsLoss(), task="segmentation")
    assert result.verdict == "trainable"
    assert not any("classes of pixels" in note for note in result.notes)
