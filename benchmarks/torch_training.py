"""Training in plain PyTorch with the records of landscape."""

from collections.abc import Iterable
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor, nn
from torch.linalg import vector_norm
from torch.nn import functional
from torch.nn.utils import vector_to_parameters

LEARNING_RATE = 1e-3
# A gradient vanishes if its mean magnitude is below the first; it explodes if its norm is above the
# second.
VANISHING, EXPLODING = 1e-7, 1e3


class Trace(NamedTuple):
    """Columns by their names in landscape, and trained parameters by their names in the module."""

    columns: dict[str, np.ndarray]
    params: dict[str, np.ndarray]


def train_steps(
    module: nn.Module,
    inputs: np.ndarray,
    labels: np.ndarray,
    order: np.ndarray,
    evaluation_inputs: np.ndarray,
    evaluation_labels: np.ndarray,
    steps: int,
    record_every: int,
    *,
    batch_size: int | None = None,
) -> Trace:
    """Trains by Adam on the batches of `order`.

    Records rows after 0, `record_every`, … and `steps` updates. The last row describes the batch of
    row `steps` of `order`, or of its last row if there are only `steps`. `batch_size` is that of
    the evaluation.
    """
    examples, targets = torch.tensor(inputs), torch.tensor(labels).long()
    evaluation = torch.tensor(evaluation_inputs), torch.tensor(evaluation_labels).long()
    batches = torch.tensor(order).long()
    parameters, parts = list(module.parameters()), layer_parts(module)
    optimizer = torch.optim.Adam(parameters, LEARNING_RATE, fused=True)
    # Norms of the gradient at every step, to count vanishing and exploding gradients.
    absolute_sums, norms = torch.zeros(steps + 1), torch.zeros(steps + 1)
    rows = []
    for step in range(steps + 1):
        batch = batches[min(step, len(batches) - 1)]
        risk = functional.cross_entropy(module(examples[batch]), targets[batch])
        optimizer.zero_grad()
        risk.backward()
        gradient = flat(parameter.grad for parameter in parameters)
        absolute_sums[step], norms[step] = vector_norm(gradient, 1), vector_norm(gradient)
        if step % record_every and step != steps:
            optimizer.step()
            continue
        before = flat(parameters)
        row = {"step": torch.tensor(step), "risk/batch": risk.detach()}
        row |= evaluate(module, *evaluation, batch_size or len(evaluation_labels))
        optimizer.step()
        update = flat(parameters) - before
        for name, part in parts.items():
            row[f"gradient_norm{name or '/global'}"] = vector_norm(gradient[part])
            size = vector_norm(update[part])
            ratio = size / vector_norm(before[part])
            # 0 instead of 0 / 0, for parameters that are zero and stay zero.
            row[f"update_ratio{name}"] = torch.where(size == 0, size, ratio)
        rows.append(row)
    # The update after the last row is measured but not part of training.
    vector_to_parameters(before, parameters)
    columns = {name: torch.stack([row[name] for row in rows]).numpy() for name in rows[0]}
    columns |= counts(columns["step"], absolute_sums.numpy() / len(before), norms.numpy())
    trained = {name: value.numpy().copy() for name, value in module.state_dict().items()}
    return Trace(columns, trained)


def flat(tensors: Iterable[Tensor]) -> Tensor:
    return torch.cat([tensor.detach().flatten() for tensor in tensors])


def layer_parts(module: nn.Module) -> dict[str, slice]:
    """Returns the entries of each layer in a vector of all parameters, by suffix of the column."""
    parts, start = {"": slice(None)}, 0
    for path, parameter in module.named_parameters():
        name = "/layer/" + path.rpartition(".")[0].replace(".", "/")
        first = parts[name].start if name in parts else start
        start += parameter.numel()
        parts[name] = slice(first, start)
    return parts


def evaluate(module: nn.Module, inputs: Tensor, labels: Tensor, size: int) -> dict[str, Tensor]:
    """Returns risk, scores, gradient norm and shares of zero gradients, batch by batch."""
    parameters = list(module.parameters())
    gradients = [torch.zeros_like(parameter) for parameter in parameters]
    risks, predicted, slopes = [], [], []
    for batch, targets in zip(inputs.split(size), labels.split(size), strict=True):
        logits = module(batch)
        risk = functional.cross_entropy(logits, targets, reduction="sum")
        # One backward pass gives the gradients of predictions and of parameters.
        slope, *gradients_of_batch = torch.autograd.grad(risk, [logits, *parameters])
        torch._foreach_add_(gradients, gradients_of_batch)
        risks.append(risk.detach())
        predicted.append(logits.argmax(1))
        slopes.append(slope)
    torch._foreach_div_(gradients, len(labels))
    gradient, zero = flat(gradients), torch.cat(slopes) == 0
    accuracy, f1 = scores(torch.cat(predicted), labels, slope.shape[1])
    units = torch.cat([(part == 0).flatten(1).all(1) for part in gradients if part.ndim > 1])
    return {
        "risk/evaluation": torch.stack(risks).sum() / len(labels),
        "accuracy": accuracy,
        "f1": f1,
        "gradient_norm/evaluation": vector_norm(gradient),
        "dead/examples": zero.all(1).float().mean(),
        "dead/components": zero.float().mean(),
        "dead/weights": (gradient == 0).float().mean(),
        "dead/units": units.float().mean(),
    }


def scores(predicted: Tensor, labels: Tensor, classes: int) -> tuple[Tensor, Tensor]:
    """Returns accuracy, and F1 as the mean over the classes that are predicted or true."""
    pairs = torch.bincount(labels * classes + predicted, minlength=classes**2)
    confusion = pairs.view(classes, classes)
    both, total = confusion.diagonal(), confusion.sum(0) + confusion.sum(1)
    present = total > 0
    return both.sum() / len(labels), (2 * both[present] / total[present]).mean()


def counts(recorded: np.ndarray, means: np.ndarray, norms: np.ndarray) -> dict[str, np.ndarray]:
    """Returns how many steps before each row had a vanishing, exploding or zero gradient."""
    dead = means == 0
    steps = {"vanishing": (means < VANISHING) & ~dead, "exploding": norms > EXPLODING, "dead": dead}
    return {f"steps/{name}": (np.cumsum(seen) - seen)[recorded] for name, seen in steps.items()}
