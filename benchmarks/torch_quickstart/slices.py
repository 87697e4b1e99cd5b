"""Slices of risk, accuracy and F1 along lines and on a plane through the trained point."""

from collections.abc import Iterator

import torch
from problem import LINE_POINTS, LINES, PLANE_POINTS, Mlp, Run, unpack
from torch import Tensor
from torch.nn import functional
from torch.nn.utils import vector_to_parameters
from training import scores


def slice_point(run: Run) -> None:
    """Slices along LINES lines and on a plane; every loss of a seed has the same draws."""
    generator = torch.Generator().manual_seed(2000 + run.seed)
    drawn = torch.randn(LINES + 2, len(run.trained), generator=generator)
    directions = filter_normalized(run.trained, drawn[:-1])
    second = filter_normalized(run.trained, drawn[-1:], other=directions[-1])
    run.directions = torch.cat([directions, second])
    lines, plane = run.directions.split([LINES, 2])
    along, axis = torch.linspace(-1, 1, LINE_POINTS)[:, None], torch.linspace(-1, 1, PLANE_POINTS)
    grid = torch.cartesian_prod(axis, axis).flip(1)
    points = run.trained + torch.cat([*(along * lines[:, None]), grid @ plane])
    risks, predicted = [], []
    with torch.inference_mode():
        for logits in logits_at(points, run.inputs):
            risks.append(run.loss(logits, run.labels).mean())
            predicted.append(logits.argmax(1))
        columns = torch.stack(risks), *scores(torch.stack(predicted), run.labels)
    values = torch.stack(columns).numpy()
    run.lines = values[:, : LINES * LINE_POINTS].reshape(3, LINES, LINE_POINTS)
    run.plane = values[:, LINES * LINE_POINTS :].reshape(3, PLANE_POINTS, PLANE_POINTS)


def logits_at(points: Tensor, inputs: Tensor) -> Iterator[Tensor]:
    """Yields the logits at each point."""
    model, params = Mlp().to(points.dtype), torch.empty_like(points[0])
    # This makes the parameters views of one vector, so that one copy sets them all.
    vector_to_parameters(params, model.parameters())
    for point in points:
        params.copy_(point)
        yield model(inputs)


def filter_normalized(params: Tensor, drawn: Tensor, other: Tensor | None = None) -> Tensor:
    """Scales each filter to the norm of the parameters' (Li et al. 2018), and biases to zero.

    With `other`, each filter is first made orthogonal to that of the other direction.
    """
    parts = []
    others = None if other is None else unpack(other)
    for (name, part), weight in zip(unpack(drawn).items(), unpack(params).values(), strict=True):
        if weight.ndim == 1:
            parts.append(torch.zeros_like(part))
            continue
        if others:
            unit = functional.normalize(others[name], dim=-1)
            part = part - (part * unit).sum(-1, keepdim=True) * unit
        parts.append((functional.normalize(part, dim=-1) * weight.norm(dim=1)[:, None]).flatten(1))
    return torch.cat(parts, 1)
