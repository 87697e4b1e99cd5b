"""The mean cross entropy on a plane of parameter space: loss-landscapes and plain PyTorch."""

from collections.abc import Callable, Mapping, Sequence

import numpy as np
import torch
import torch_models
from loss_landscapes import random_plane
from loss_landscapes.metrics import Metric
from loss_landscapes.model_interface.model_wrapper import ModelWrapper
from torch import Tensor, nn
from torch.nn import functional


class BatchedLoss(Metric):
    """Mean cross entropy on a set, batch by batch; `Loss` of the tool evaluates it as a whole."""

    def __init__(self, inputs: Tensor, labels: Tensor, batch_size: int | None) -> None:
        super().__init__()
        self.batches = batches(inputs, labels, batch_size)

    def __call__(self, model_wrapper: ModelWrapper) -> float:
        return mean_loss(model_wrapper.forward, self.batches).item()


def loss_landscapes_plane(
    module: nn.Module,
    inputs: np.ndarray,
    labels: np.ndarray,
    points: int,
    *,
    distance: float = 1.0,
    batch_size: int | None = None,
) -> np.ndarray:
    """Returns `(points, points)` losses by loss_landscapes on a random filter-normalized plane.

    The tool draws its directions, so only the work is comparable, not the values. The module is
    copied, since the tool does not restore its parameters. The tool divides by zero if all biases
    of a layer are zero, as before training.
    """
    metric = BatchedLoss(torch.tensor(inputs), torch.tensor(labels).long(), batch_size)
    with torch.inference_mode():
        return random_plane(
            module, metric, distance, points, normalization="filter", deepcopy_model=True
        )


@torch.inference_mode()
def torch_plane(
    module: nn.Module,
    inputs: np.ndarray,
    labels: np.ndarray,
    directions: Sequence[Mapping[str, np.ndarray]],
    coordinates: np.ndarray,
    *,
    batch_size: int | None = None,
) -> np.ndarray:
    """Returns `(P,)` losses at `params + sum(c_i * d_i)` for the rows of `coordinates` `(P, m)`.

    `directions` have the names of the parameters in landscape. Each point is computed independently
    and written into the module; at the end the weights are restored.
    """
    parts = batches(torch.tensor(inputs), torch.tensor(labels).long(), batch_size)
    parameters = list(module.parameters())
    start = [parameter.clone() for parameter in parameters]
    steps = [list(torch_models.named(module, direction).values()) for direction in directions]
    losses = torch.empty(len(coordinates))
    for index, point in enumerate(coordinates.tolist()):
        for parameter, value, *along in zip(parameters, start, *steps, strict=True):
            torch.add(value, along[0], alpha=point[0], out=parameter)
            for step, coordinate in zip(along[1:], point[1:], strict=True):
                parameter.add_(step, alpha=coordinate)
        losses[index] = mean_loss(module, parts)
    for parameter, value in zip(parameters, start, strict=True):
        parameter.copy_(value)
    return losses.numpy()


def batches(
    inputs: Tensor, labels: Tensor, batch_size: int | None
) -> list[tuple[Tensor, Tensor, float]]:
    """Returns inputs, labels and share of each batch; one batch if `batch_size` is None."""
    size = batch_size or len(labels)
    split = zip(inputs.split(size), labels.split(size), strict=True)
    return [(batch, targets, len(targets) / len(labels)) for batch, targets in split]


def mean_loss(
    predict: Callable[[Tensor], Tensor], parts: Sequence[tuple[Tensor, Tensor, float]]
) -> Tensor:
    """Returns the mean cross entropy over all batches."""
    losses = [functional.cross_entropy(predict(x), labels) * share for x, labels, share in parts]
    return losses[0] if len(losses) == 1 else torch.stack(losses).sum()
