"""Checks of slices in float64, each of which computes one number in two ways."""

from functools import partial
from typing import Any

import numpy as np
import torch
from problem import LINES, Mlp, Run, unpack
from slices import logits_at
from torch import Tensor
from torch.linalg import vector_norm
from torch.nn import functional

# The number of lines that are checked, and of random directions and sign vectors.
CHECKED, RANDOM, SIGNS = 3, 24, 64
NEAR, FAR = 1e-2 * 8.0 ** -np.arange(6), np.linspace(-1, 1, 9)
# The fastest number of simultaneous Hessian products.
PRODUCTS = 14


def check_slices(run: Run) -> None:
    """Checks the lines, the plane and the mean curvature."""
    params, drawn = run.trained.double(), run.directions.double()
    generator = torch.Generator().manual_seed(3000 + run.seed)
    size, norm = len(params), float(vector_norm(params))
    random = torch.randn(RANDOM, size, generator=generator, dtype=torch.float64)
    random = functional.normalize(random) * norm
    signs = torch.randint(0, 2, (SIGNS, size), generator=generator).double() * 2 - 1
    directions = torch.cat([drawn, random, signs * (norm / size**0.5)])
    gradient, images = hessian_products(run, directions)
    slope, curvature = (directions @ gradient).numpy(), (directions * images).sum(1).numpy()
    run.slope, run.curvature = slope[: LINES + 2], curvature[: LINES + 2]

    # Risks near the point for second differences, far from it on both halves of the test set.
    steps = torch.tensor(np.concatenate([-NEAR, NEAR, FAR]))[:, None]
    rays = torch.cat([drawn[:CHECKED], drawn[LINES:], random])
    points = (params + steps * rays[:, None]).flatten(0, 1)
    with torch.inference_mode():
        losses = torch.stack(
            [run.loss(logits, run.labels) for logits in logits_at(points, run.inputs.double())]
        )
    losses, half = losses.view(len(rays), len(steps), -1).numpy(), len(run.labels) // 2
    near, far = np.split(losses, [2 * len(NEAR)], 1)
    center = far[0, len(FAR) // 2].mean()
    differences = np.array([second_difference(row, center) for row in near.mean(2)])
    first, second = far[..., :half].mean(2), far[..., -half:].mean(2)

    risk, run.checks = float(run.trace["risk/evaluation"][-1]), []
    exact = np.concatenate([curvature[:CHECKED], curvature[LINES:]])
    for where, values, line, rows in (
        ("lines", run.lines[0], run.lines[0, 0], slice(CHECKED)),
        ("planes", run.plane[0], run.plane[0].ravel(), slice(CHECKED, CHECKED + 2)),
    ):
        share, noise = np.mean(~np.isfinite(values)), half_noise(first[rows], second[rows])
        run.checks += [
            check("center", where, line[len(line) // 2], risk, 1e-5 * abs(risk) + 1e-7),
            check("finite", where, share, 0.0, 0.05),
            check("second_difference", where, *farthest(*differences[rows].T, exact[rows])),
            check("evaluation_noise", where, noise, 0.0, 0.1),
        ]
    of_random, of_signs = differences[-RANDOM:] / norm**2, curvature[-SIGNS:] / norm**2
    image_norms = vector_norm(images[-SIGNS:], dim=1).numpy() / norm
    run.checks.append(check_mean_curvature(of_random, of_signs, image_norms / size**0.5))


def hessian_products(run: Run, directions: Tensor) -> tuple[Tensor, Tensor]:
    """Returns the gradient (N,) and Hd (K, N) of the directions, by double backward."""
    point = run.trained.double().requires_grad_()
    logits = torch.func.functional_call(Mlp(), unpack(point), run.inputs.double())
    risk = run.loss(logits, run.labels).mean()
    (gradient,) = torch.autograd.grad(risk, point, create_graph=True)
    products = partial(
        torch.autograd.grad, gradient, point, retain_graph=True, is_grads_batched=True
    )
    images = [products(group)[0] for group in directions.split(PRODUCTS)]
    return gradient.detach(), torch.cat(images)


def second_difference(near: np.ndarray, center: float) -> tuple[float, float]:
    """Returns the second difference and its rounding at the smallest usable step.

    A step is usable if its rounding is small. NaN if the differences of two steps disagree.
    """
    left, right = np.split(near, 2)
    differences = (left - 2 * center + right) / NEAR**2
    rounding = 4e-16 * np.abs([left, right, np.full_like(left, center)]).max(0) / NEAR**2
    usable = np.flatnonzero(rounding <= 0.02 * np.abs(differences))
    if len(usable) >= 2:
        chosen, finer = usable[-2:]
        tolerance = 0.02 * abs(differences[chosen]) + 4 * rounding[finer]
        converged = abs(differences[finer] - differences[chosen]) <= tolerance
    else:
        # If at least the last two differences are only rounding, the line has no curvature.
        curved = np.flatnonzero(np.abs(differences) > 4 * rounding)
        chosen = curved[-1] + 1 if len(curved) else 0
        converged = chosen < len(NEAR) - 1
    converged &= np.isfinite(differences).all()
    return (differences[chosen], rounding[chosen]) if converged else (np.nan, np.nan)


def check(name: str, where: str, value: float, expected: float, tolerance: float) -> dict[str, Any]:
    """Returns the record of a check; `passed` is None if the value is NaN."""
    passed = None if np.isnan(value) else bool(abs(value - expected) <= tolerance)
    numbers = {"value": float(value), "expected": float(expected), "tolerance": float(tolerance)}
    return {"check": name, "where": where, "passed": passed, **numbers}


def farthest(
    differences: np.ndarray, rounding: np.ndarray, exact: np.ndarray
) -> tuple[float, float, float]:
    """Returns second difference, d'Hd and tolerance of the direction where they differ most."""
    tolerance = 0.05 * np.maximum(np.abs(differences), np.abs(exact)) + 4 * rounding
    tolerance += 1e-3 * max(np.abs(exact).max(), 1e-300)
    worst = np.nan_to_num(np.abs(differences - exact) / tolerance, nan=-1).argmax()
    return differences[worst], exact[worst], tolerance[worst]


def half_noise(first: np.ndarray, second: np.ndarray) -> float:
    """Returns half the difference of lines (R, points) on two halves of the set, per range."""
    first, second = (half - half[:, len(FAR) // 2, None] for half in (first, second))
    noise = np.sqrt(np.mean(((first - second) / 2) ** 2, 1))
    ranges = np.ptp((first + second) / 2, 1)
    ranges[ranges <= 1e-12 * np.abs(first).max(initial=1e-300)] = np.inf
    return float(np.mean(noise / ranges))


def check_mean_curvature(
    differences: np.ndarray, probes: np.ndarray, image_norms: np.ndarray
) -> dict[str, Any]:
    """Compares the mean second difference over random unit directions with trace(H) / N."""
    trace, converged = probes.mean(), differences[np.isfinite(differences[:, 0])]
    if len(converged) < len(differences) / 2:
        return check("mean_curvature", "trained", np.nan, trace, np.nan)
    values, rounding = converged.T
    # The spread of the sample, but no less than that of a Gaussian with the Hessian's norm.
    least = 2**0.5 * np.sqrt(np.mean(image_norms**2))
    errors = [max(s.std(ddof=1), least) / len(s) ** 0.5 for s in (probes, values)]
    tolerance = 3.5 * np.hypot(*errors) + 1e-3 * abs(trace) + 4 * rounding.max()
    record = check("mean_curvature", "trained", values.mean(), trace, tolerance)
    if record["passed"] and tolerance > max(abs(trace), abs(values.mean())) > 4 * rounding.max():
        record["passed"] = None
    return record
