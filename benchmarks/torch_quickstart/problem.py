"""The losses, the model and the data of the quickstart, and the record of a run."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from torch import Tensor, nn
from torch.nn import functional

SEEDS, STEPS, BATCH, RECORD_EVERY, LEARNING_RATE = 6, 600, 64, 20, 0.003
FEATURES, WIDTH, CLASSES = 64, 32, 10
LINES, LINE_POINTS, PLANE_POINTS = 8, 41, 31
LINE_COORDINATES = np.linspace(-1, 1, LINE_POINTS)
PLANE_COORDINATES = np.linspace(-1, 1, PLANE_POINTS)
SLICE_VALUES = ("risk", "accuracy", "f1")
DEAD_FRACTIONS = ("examples", "components", "weights", "units")

Loss = Callable[[Tensor, Tensor], Tensor]


# Losses map logits (n, classes) and labels (n,) to one value per example.


def softmax_cross_entropy(logits: Tensor, labels: Tensor) -> Tensor:
    return functional.cross_entropy(logits, labels, reduction="none")


def focal(logits: Tensor, labels: Tensor) -> Tensor:
    """(1 - p)^2 times the cross entropy; expm1 is accurate for 1 - p if p is nearly 1."""
    entropy = functional.cross_entropy(logits, labels, reduction="none")
    return torch.expm1(-entropy).square() * entropy


def brier(logits: Tensor, labels: Tensor) -> Tensor:
    return (logits.softmax(1) - functional.one_hot(labels, CLASSES)).square().sum(1)


def multiclass_hinge(logits: Tensor, labels: Tensor) -> Tensor:
    """The hinge of Crammer and Singer, with a hard maximum over classes."""
    margins = logits + 1 - functional.one_hot(labels, CLASSES)
    return margins.amax(1) - logits.gather(1, labels[:, None])[:, 0]


def zero_one(logits: Tensor, labels: Tensor) -> Tensor:
    """The 0-1 error; the second term gives autograd a zero gradient instead of none."""
    return (logits.argmax(1) != labels).to(logits.dtype) + 0 * logits.sum(1)


LOSSES: tuple[Loss, ...] = (softmax_cross_entropy, focal, brier, multiclass_hinge, zero_one)


class Mlp(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.hidden = nn.Linear(FEATURES, WIDTH)
        self.output = nn.Linear(WIDTH, CLASSES)

    def forward(self, inputs: Tensor) -> Tensor:
        return self.output(torch.relu(self.hidden(inputs)))


SHAPES = {name: parameter.shape for name, parameter in Mlp().named_parameters()}
SIZES = [shape.numel() for shape in SHAPES.values()]


def flat(tensors: Iterable[Tensor]) -> Tensor:
    """Returns one vector of all entries."""
    return torch.cat([tensor.detach().flatten() for tensor in tensors])


def unpack(vectors: Tensor) -> dict[str, Tensor]:
    """Returns views (..., *shape) of each parameter in vectors (..., N)."""
    parts = zip(vectors.split(SIZES, -1), SHAPES.items(), strict=True)
    return {name: part.unflatten(-1, shape) for part, (name, shape) in parts}


@dataclass
class Run:
    """A loss and a seed with their data; each stage stores its results in the later fields."""

    loss: Loss
    seed: int
    folder: Path
    train_inputs: Tensor
    train_labels: Tensor
    inputs: Tensor
    labels: Tensor
    batches: Tensor
    """Indices (steps + 1, BATCH) of the examples of each batch."""
    initial: Tensor = field(init=False)
    trained: Tensor = field(init=False)
    trace: dict[str, np.ndarray] = field(init=False)
    """Columns of the values recorded along training."""
    directions: Tensor = field(init=False)
    """Directions of the lines, then the two of the plane."""
    lines: np.ndarray = field(init=False)
    """Values (3, LINES, LINE_POINTS) in the order of SLICE_VALUES."""
    plane: np.ndarray = field(init=False)
    """Values (3, PLANE_POINTS, PLANE_POINTS) in the order of SLICE_VALUES."""
    checks: list[dict[str, Any]] = field(init=False)
    slope: np.ndarray = field(init=False)
    """d'g of each direction."""
    curvature: np.ndarray = field(init=False)
    """d'Hd of each direction."""


Groups = dict[str, list[Run]]
"""The runs of each loss."""


def load_data(seed: int) -> tuple[Tensor, ...]:
    """Returns examples for training and validation, and batches of shuffled epochs.

    The splits are stratified, and standardized over all pixels; the test split stays unread.
    """
    images, digits = load_digits(return_X_y=True)
    images, _, digits, _ = train_test_split(
        images, digits, test_size=0.25, stratify=digits, random_state=seed
    )
    parts = train_test_split(images, digits, test_size=0.2, stratify=digits, random_state=seed)
    mean, deviation = parts[0].mean(), parts[0].std()
    inputs = [torch.tensor((part - mean) / deviation).float() for part in parts[:2]]
    labels = [torch.tensor(part) for part in parts[2:]]
    # One batch more than updates: the last is only measured.
    count, total = len(labels[0]), (STEPS + 1) * BATCH
    generator = torch.Generator().manual_seed(1000 + seed)
    epochs = [torch.randperm(count, generator=generator) for _ in range(-(-total // count))]
    batches = torch.cat(epochs)[:total].view(-1, BATCH)
    return inputs[0], labels[0], inputs[1], labels[1], batches
