"""Training that records risk, scores, gradient norms and dead fractions."""

import numpy as np
import torch
from problem import CLASSES, LEARNING_RATE, RECORD_EVERY, SIZES, Mlp, Run, flat, unpack
from torch import Tensor, nn
from torch.linalg import vector_norm

# A gradient vanishes if its mean magnitude is below the first, and explodes above the second.
VANISHING, EXPLODING = 1e-7, 1e3
HIDDEN = sum(SIZES[:2])
# The entries of each layer in a vector of all parameters, by suffix of the column.
PARTS = {"": slice(None), "/layer/hidden": slice(HIDDEN), "/layer/output": slice(HIDDEN, None)}


def train(run: Run) -> None:
    """Trains by Adam, with rows after 0, RECORD_EVERY, … and STEPS updates."""
    model, generator = Mlp(), torch.Generator().manual_seed(run.seed)
    for layer in (model.hidden, model.output):
        nn.init.normal_(layer.weight, std=layer.in_features**-0.5, generator=generator)
        nn.init.zeros_(layer.bias)
    parameters = list(model.parameters())
    optimizer = torch.optim.Adam(parameters, LEARNING_RATE, fused=True)
    run.initial = flat(parameters)
    absolute_sums, norms, rows = [], [], []
    for step, batch in enumerate(run.batches):
        risk = run.loss(model(run.train_inputs[batch]), run.train_labels[batch]).mean()
        optimizer.zero_grad()
        risk.backward()
        gradient = flat(parameter.grad for parameter in parameters)
        absolute_sums.append(vector_norm(gradient, 1))
        norms.append(vector_norm(gradient))
        if step % RECORD_EVERY:
            optimizer.step()
            continue
        before = flat(parameters)
        row = {"step": torch.tensor(step), "risk/batch": risk.detach(), **evaluate(run, model)}
        optimizer.step()
        update = flat(parameters) - before
        for name, part in PARTS.items():
            row[f"gradient_norm{name or '/global'}"] = vector_norm(gradient[part])
            row[f"update_ratio{name}"] = vector_norm(update[part]) / vector_norm(before[part])
        rows.append(row)
    # The update after the last row is measured but not part of training.
    run.trained = before
    # Tensors are converted only at the end, so that recording does not interrupt training.
    run.trace = {name: torch.stack([row[name] for row in rows]).numpy() for name in rows[0]}
    means = torch.stack(absolute_sums).numpy() / len(before)
    run.trace |= counts(means, torch.stack(norms).numpy())


def counts(means: np.ndarray, norms: np.ndarray) -> dict[str, np.ndarray]:
    """Returns how many steps before each row had a vanishing, exploding or zero gradient."""
    dead = means == 0
    steps = {"vanishing": (means < VANISHING) & ~dead, "exploding": norms > EXPLODING, "dead": dead}
    return {
        f"steps/{name}": (np.cumsum(seen) - seen)[::RECORD_EVERY] for name, seen in steps.items()
    }


def evaluate(run: Run, model: Mlp) -> dict[str, Tensor]:
    """Returns risk, scores, gradient norm and shares of zero gradients on the test set."""
    logits = model(run.inputs)
    losses = run.loss(logits, run.labels)
    slopes, *gradients = torch.autograd.grad(losses.sum(), [logits, *model.parameters()])
    gradient = flat(gradients) / len(losses)
    accuracy, f1 = scores(logits.argmax(1)[None], run.labels)
    units = torch.cat([(part == 0).all(1) for part in unpack(gradient).values() if part.ndim == 2])
    return {
        "risk/evaluation": losses.detach().mean(),
        "accuracy": accuracy[0],
        "f1": f1[0],
        "gradient_norm/evaluation": vector_norm(gradient),
        "dead/examples": (slopes == 0).all(1).float().mean(),
        "dead/components": (slopes == 0).float().mean(),
        "dead/weights": (gradient == 0).float().mean(),
        "dead/units": units.float().mean(),
    }


def scores(predicted: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
    """Returns accuracy and F1 of predictions (m, n); F1 is the mean over classes that occur."""
    offsets = torch.arange(len(predicted))[:, None] * CLASSES**2
    pairs = offsets + labels * CLASSES + predicted
    cells = torch.bincount(pairs.flatten(), minlength=len(predicted) * CLASSES**2)
    confusion = cells.view(-1, CLASSES, CLASSES)
    both, total = confusion.diagonal(dim1=1, dim2=2), confusion.sum(1) + confusion.sum(2)
    f1 = (2 * both / total.clamp(min=1)).sum(1) / (total > 0).sum(1)
    return both.sum(1) / len(labels), f1
