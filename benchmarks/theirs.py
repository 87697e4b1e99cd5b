"""The contestants in PyTorch: plain loops, and the published tool loss-landscapes."""

from collections.abc import Callable

import numpy as np
import torch
import torch_models
import torch_planes
import torch_training

CLASSES = 10


def _stored(path: str, number: int) -> dict[str, np.ndarray]:
    stored, prefix = np.load(path), f"{number}/"
    return {
        name.removeprefix(prefix): stored[name] for name in stored.files if name.startswith(prefix)
    }


def _module(problem: str, options: dict, weights: str, data: str) -> torch.nn.Module:
    shape = _data(data)[0].shape[1:]
    module = getattr(torch_models, problem)(shape, CLASSES, **options)
    return torch_models.load(module, _stored(weights, 0))


def _data(path: str) -> tuple[np.ndarray, np.ndarray]:
    stored = np.load(path)
    return stored["inputs"], stored["labels"]


def published_plane(
    problem: str, options: dict, weights: str, data: str, points: int, batches: bool
) -> Callable[[], np.ndarray]:
    """Runs loss-landscapes on a random plane, in its fastest batch size or on the whole set."""
    module, (inputs, labels) = _module(problem, options, weights, data), _data(data)
    size = torch_models.BATCH[problem] if batches else None
    return lambda: torch_planes.loss_landscapes_plane(
        module, inputs, labels, points, batch_size=size
    )


def plane(
    problem: str, options: dict, weights: str, data: str, points: int
) -> Callable[[], np.ndarray]:
    """Runs a plain loop over the points of the plane that landscape uses."""
    module, (inputs, labels) = _module(problem, options, weights, data), _data(data)
    directions = [_stored(weights, 1), _stored(weights, 2)]
    axis = np.linspace(-1, 1, points, dtype=np.float32)
    coordinates = np.stack([a.ravel() for a in np.meshgrid(axis, axis)], axis=1)
    return lambda: torch_planes.torch_plane(
        module, inputs, labels, directions, coordinates, batch_size=torch_models.BATCH[problem]
    )


def training(
    problem: str,
    options: dict,
    weights: str,
    data: str,
    order: str,
    steps: int,
    record_every: int,
) -> Callable[[], np.ndarray]:
    """Runs the usual training loop with the records of landscape."""
    (inputs, labels), batches = _data(data), np.load(order)
    evaluated = len(labels) // 4

    def work() -> np.ndarray:
        module = _module(problem, options, weights, data)
        trace = torch_training.train_steps(
            module,
            inputs,
            labels,
            batches,
            inputs[:evaluated],
            labels[:evaluated],
            steps,
            record_every,
            batch_size=torch_models.BATCH[problem],
        )
        return trace.columns["risk/evaluation"]

    return work
