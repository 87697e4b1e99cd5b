"""The work of `landscape run configs/quickstart.yaml` as a plain PyTorch script.

    python torch_quickstart.py OUT [--threads N]

Trains five losses with six seeds each on the digits of scikit-learn, one training after the other,
records gradients along training, slices the risk around every trained point, checks the slices,
and writes runs, tables, figures and a page into OUT.
"""

import argparse
import base64
import itertools
import json
import os
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
import pandas as pd
import torch
from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from plotly.subplots import make_subplots
from safetensors.torch import save_file
from scipy import stats
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from torch import Tensor, nn
from torch.linalg import vector_norm
from torch.nn import functional
from torch.nn.utils import vector_to_parameters

SEEDS, STEPS, BATCH, EVERY, LEARNING_RATE = 6, 600, 64, 20, 0.003
FEATURES, WIDTH, CLASSES = 64, 32, 10
VANISHING, EXPLODING = 1e-7, 1e3
LINES, LINE_POINTS, PLANE_POINTS = 8, 41, 31
# So many lines are checked, and so many random directions and vectors of signs with them.
CHECKED, RANDOM, SIGNS = 3, 24, 64
NEAR, FAR = 1e-2 * 8.0 ** -np.arange(6), np.linspace(-1, 1, 9)
# How many products with the Hessian at once are fastest.
PRODUCTS = 14
RESAMPLES, SHARE = 2000, 0.95

MEASURES = ("risk", "accuracy", "f1")
DEAD = ("examples", "components", "weights", "units")
AXIS, DISTANCE = np.linspace(-1, 1, PLANE_POINTS), np.linspace(-1, 1, LINE_POINTS)
COLORS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00")
STYLE = {"font.size": 8, "axes.titlesize": 8.5, "axes.grid": True, "grid.color": "#e3e3e3"}
AROUND = "accuracy around the trained point"
STATES = {True: "passed", False: "failed", None: "undecided"}
COLUMNS = {"accuracy": "accuracy", "gradient norm": "gradient_norm/global"}
COLUMNS |= {f"dead {name}": f"dead/{name}" for name in DEAD}

Loss = Callable[[Tensor, Tensor], Tensor]


# Losses: logits (n, classes) and labels (n,) to one value an example.


def softmax_cross_entropy(logits: Tensor, labels: Tensor) -> Tensor:
    return functional.cross_entropy(logits, labels, reduction="none")


def focal(logits: Tensor, labels: Tensor) -> Tensor:
    """(1 - p)^2 times the cross-entropy; expm1 keeps 1 - p where p is nearly 1."""
    entropy = functional.cross_entropy(logits, labels, reduction="none")
    return torch.expm1(-entropy).square() * entropy


def brier(logits: Tensor, labels: Tensor) -> Tensor:
    return (logits.softmax(1) - functional.one_hot(labels, CLASSES)).square().sum(1)


def multiclass_hinge(logits: Tensor, labels: Tensor) -> Tensor:
    """Crammer and Singer's: the hard maximum over classes."""
    margins = logits + 1 - functional.one_hot(labels, CLASSES)
    return margins.amax(1) - logits.gather(1, labels[:, None])[:, 0]


def zero_one(logits: Tensor, labels: Tensor) -> Tensor:
    """The error; the second term gives autograd a gradient of zero where it would find none."""
    return (logits.argmax(1) != labels).to(logits.dtype) + 0 * logits.sum(1)


LOSSES: tuple[Loss, ...] = (softmax_cross_entropy, focal, brier, multiclass_hinge, zero_one)


# Model, data, and what is known of a run


class Mlp(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.hidden = nn.Linear(FEATURES, WIDTH)
        self.output = nn.Linear(WIDTH, CLASSES)

    def forward(self, inputs: Tensor) -> Tensor:
        return self.output(torch.relu(self.hidden(inputs)))


SHAPES = {name: parameter.shape for name, parameter in Mlp().named_parameters()}
SIZES = [shape.numel() for shape in SHAPES.values()]
HIDDEN = sum(SIZES[:2])
# Where a vector of all parameters has everything and each layer, by the ends of columns' names.
PARTS = {"": slice(None), "/layer/hidden": slice(HIDDEN), "/layer/output": slice(HIDDEN, None)}


def flat(tensors: Iterable[Tensor]) -> Tensor:
    return torch.cat([tensor.detach().flatten() for tensor in tensors])


def unpack(vectors: Tensor) -> dict[str, Tensor]:
    """Views (..., *shape) of each parameter in vectors (..., N)."""
    parts = zip(vectors.split(SIZES, -1), SHAPES.items(), strict=True)
    return {name: part.unflatten(-1, shape) for part, (name, shape) in parts}


def load_data(seed: int) -> tuple[Tensor, ...]:
    """Stratified, with one mean and deviation over all pixels; shuffled epochs cut into batches."""
    images, digits = load_digits(return_X_y=True)
    parts = train_test_split(images, digits, test_size=0.25, stratify=digits, random_state=seed)
    mean, deviation = parts[0].mean(), parts[0].std()
    inputs = [torch.tensor((part - mean) / deviation).float() for part in parts[:2]]
    labels = [torch.tensor(part) for part in parts[2:]]
    # One batch more than updates: the last is only measured.
    count, wanted = len(labels[0]), (STEPS + 1) * BATCH
    generator = torch.Generator().manual_seed(1000 + seed)
    epochs = [torch.randperm(count, generator=generator) for _ in range(-(-wanted // count))]
    order = torch.cat(epochs)[:wanted].view(-1, BATCH)
    return inputs[0], labels[0], inputs[1], labels[1], order


@dataclass
class Run:
    """A loss and a seed, to which every stage adds what it finds.

    That is the parameters before and after training and the columns of its trace; directions of
    the lines and of the plane, and risk, accuracy and F1 on both; outcomes of checks, d'g and d'Hd.
    """

    loss: Loss
    seed: int
    folder: Path
    train_inputs: Tensor
    train_labels: Tensor
    inputs: Tensor
    labels: Tensor
    # Numbers of the examples in each batch.
    order: Tensor
    start: Tensor = field(init=False)
    end: Tensor = field(init=False)
    trace: dict[str, np.ndarray] = field(init=False)
    directions: Tensor = field(init=False)
    lines: np.ndarray = field(init=False)
    plane: np.ndarray = field(init=False)
    checks: list[dict[str, Any]] = field(init=False)
    slope: np.ndarray = field(init=False)
    curvature: np.ndarray = field(init=False)


Groups = dict[str, list[Run]]


# Stages of a run


def train(run: Run) -> None:
    """Adam; rows after 0, EVERY, … and STEPS updates, read out of the tensors at the end."""
    model, generator = Mlp(), torch.Generator().manual_seed(run.seed)
    for layer in (model.hidden, model.output):
        nn.init.normal_(layer.weight, std=layer.in_features**-0.5, generator=generator)
        nn.init.zeros_(layer.bias)
    parameters = list(model.parameters())
    optimizer = torch.optim.Adam(parameters, LEARNING_RATE, fused=True)
    run.start = flat(parameters)
    ones, twos, rows = [], [], []
    for step, few in enumerate(run.order):
        risk = run.loss(model(run.train_inputs[few]), run.train_labels[few]).mean()
        optimizer.zero_grad()
        risk.backward()
        gradient = flat(parameter.grad for parameter in parameters)
        ones.append(vector_norm(gradient, 1))
        twos.append(vector_norm(gradient))
        if step % EVERY:
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
    # The step from the last row was only proposed.
    run.end = before
    run.trace = {name: torch.stack([row[name] for row in rows]).numpy() for name in rows[0]}
    means, sizes = torch.stack(ones).numpy() / len(before), torch.stack(twos).numpy()
    dead, vanishing = means == 0, (means < VANISHING) & (means > 0)
    # At how many steps before each recorded one.
    for name, seen in (("vanishing", vanishing), ("exploding", sizes > EXPLODING), ("dead", dead)):
        run.trace[f"steps/{name}"] = (np.cumsum(seen) - seen)[::EVERY]


def evaluate(run: Run, model: Mlp) -> dict[str, Tensor]:
    """Risk, scores, gradient norm, and shares of exactly zero gradients on the test set."""
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
    """Accuracy, and F1 as the mean over the classes that are predicted or true, of (m, n)."""
    place = torch.arange(len(predicted))[:, None] * CLASSES**2
    pairs = place + labels * CLASSES + predicted
    cells = torch.bincount(pairs.flatten(), minlength=len(predicted) * CLASSES**2)
    confusion = cells.view(-1, CLASSES, CLASSES)
    both, total = confusion.diagonal(dim1=1, dim2=2), confusion.sum(1) + confusion.sum(2)
    f1 = (2 * both / total.clamp(min=1)).sum(1) / (total > 0).sum(1)
    return both.sum(1) / len(labels), f1


def slice_point(run: Run) -> None:
    """Eight lines and a plane through the point; every loss of a seed has the same draws."""
    generator = torch.Generator().manual_seed(2000 + run.seed)
    drawn = torch.randn(LINES + 2, len(run.end), generator=generator)
    directions = filter_normalized(run.end, drawn[:-1])
    second = filter_normalized(run.end, drawn[-1:], beside=directions[-1])
    run.directions = torch.cat([directions, second])
    lines, plane = run.directions.split([LINES, 2])
    along, axis = torch.linspace(-1, 1, LINE_POINTS)[:, None], torch.linspace(-1, 1, PLANE_POINTS)
    grid = torch.cartesian_prod(axis, axis).flip(1)
    points = run.end + torch.cat([*(along * lines[:, None]), grid @ plane])
    risks, predicted = [], []
    with torch.inference_mode():
        for logits in walk(points, run.inputs):
            risks.append(run.loss(logits, run.labels).mean())
            predicted.append(logits.argmax(1))
        found = torch.stack(risks), *scores(torch.stack(predicted), run.labels)
    values = torch.stack(found).numpy()
    run.lines = values[:, : LINES * LINE_POINTS].reshape(3, LINES, LINE_POINTS)
    run.plane = values[:, LINES * LINE_POINTS :].reshape(3, PLANE_POINTS, PLANE_POINTS)


def walk(points: Tensor, inputs: Tensor) -> Iterator[Tensor]:
    """The logits at each point, one after the other."""
    model, here = Mlp().to(points.dtype), torch.empty_like(points[0])
    # From here on the parameters are views of one vector, so that one copy writes them all.
    vector_to_parameters(here, model.parameters())
    for point in points:
        here.copy_(point)
        yield model(inputs)


def filter_normalized(params: Tensor, drawn: Tensor, beside: Tensor | None = None) -> Tensor:
    """Each filter with the norm of the parameters' (Li et al. 2018); biases stay where they are.

    `beside`: what lies along it is taken off within each filter first.
    """
    parts = []
    others = None if beside is None else unpack(beside)
    for (name, part), weight in zip(unpack(drawn).items(), unpack(params).values(), strict=True):
        if weight.ndim == 1:
            parts.append(torch.zeros_like(part))
            continue
        if others:
            other = functional.normalize(others[name], dim=-1)
            part = part - (part * other).sum(-1, keepdim=True) * other
        parts.append((functional.normalize(part, dim=-1) * weight.norm(dim=1)[:, None]).flatten(1))
    return torch.cat(parts, 1)


def check_slices(run: Run) -> None:
    """In float64, each number in two ways."""
    params, drawn = run.end.double(), run.directions.double()
    generator = torch.Generator().manual_seed(3000 + run.seed)
    size, unit = len(params), float(vector_norm(params))
    random = torch.randn(RANDOM, size, generator=generator, dtype=torch.float64)
    random = functional.normalize(random) * unit
    signs = torch.randint(0, 2, (SIGNS, size), generator=generator).double() * 2 - 1
    directions = torch.cat([drawn, random, signs * (unit / size**0.5)])
    gradient, images = hessian_products(run, directions)
    slope, curvature = (directions @ gradient).numpy(), (directions * images).sum(1).numpy()
    run.slope, run.curvature = slope[: LINES + 2], curvature[: LINES + 2]

    # Risks close to the point for second differences, far from it on both halves of the set.
    places = torch.tensor(np.concatenate([-NEAR, NEAR, FAR]))[:, None]
    rays = torch.cat([drawn[:CHECKED], drawn[LINES:], random])
    points = (params + places * rays[:, None]).flatten(0, 1)
    with torch.inference_mode():
        losses = torch.stack(
            [run.loss(logits, run.labels) for logits in walk(points, run.inputs.double())]
        )
    losses, half = losses.view(len(rays), len(places), -1).numpy(), len(run.labels) // 2
    near, far = np.split(losses, [2 * len(NEAR)], 1)
    middle = far[0, len(FAR) // 2].mean()
    settled = np.array([second_difference(row, middle) for row in near.mean(2)])
    first, second = far[..., :half].mean(2), far[..., -half:].mean(2)

    risk, run.checks = float(run.trace["risk/evaluation"][-1]), []
    exact = np.concatenate([curvature[:CHECKED], curvature[LINES:]])
    for where, values, line, own in (
        ("lines", run.lines[0], run.lines[0, 0], slice(CHECKED)),
        ("planes", run.plane[0], run.plane[0].ravel(), slice(CHECKED, CHECKED + 2)),
    ):
        share, noise = np.mean(~np.isfinite(values)), half_noise(first[own], second[own])
        run.checks += [
            check("center", where, line[len(line) // 2], risk, 1e-5 * abs(risk) + 1e-7),
            check("finite", where, share, 0.0, 0.05),
            check("second_difference", where, *farthest(*settled[own].T, exact[own])),
            check("evaluation_noise", where, noise, 0.0, 0.1),
        ]
    seen, probes = settled[-RANDOM:] / unit**2, curvature[-SIGNS:] / unit**2
    bends = vector_norm(images[-SIGNS:], dim=1).numpy() / unit
    run.checks.append(check_mean_curvature(seen, probes, bends / size**0.5))


def hessian_products(run: Run, directions: Tensor) -> tuple[Tensor, Tensor]:
    """The gradient (N,) and its derivatives along the directions (K, N), by double backward."""
    point = run.end.double().requires_grad_()
    logits = torch.func.functional_call(Mlp(), unpack(point), run.inputs.double())
    risk = run.loss(logits, run.labels).mean()
    (gradient,) = torch.autograd.grad(risk, point, create_graph=True)
    products = partial(
        torch.autograd.grad, gradient, point, retain_graph=True, is_grads_batched=True
    )
    images = [products(few)[0] for few in directions.split(PRODUCTS)]
    return gradient.detach(), torch.cat(images)


def second_difference(near: np.ndarray, middle: float) -> tuple[float, float]:
    """With its rounding, at the smallest steps whose rounding is small; NaN where two disagree."""
    left, right = np.split(near, 2)
    found = (left - 2 * middle + right) / NEAR**2
    rounding = 4e-16 * np.abs([left, right, np.full_like(left, middle)]).max(0) / NEAR**2
    usable = np.flatnonzero(rounding <= 0.02 * np.abs(found))
    if len(usable) >= 2:
        chosen, after = usable[-2:]
        room = 0.02 * abs(found[chosen]) + 4 * rounding[after]
        settled = abs(found[after] - found[chosen]) <= room
    else:
        # A line without curvature, if the last two differences are nothing but rounding.
        curved = np.flatnonzero(np.abs(found) > 4 * rounding)
        chosen = curved[-1] + 1 if len(curved) else 0
        settled = chosen < len(NEAR) - 1
    settled &= np.isfinite(found).all()
    return (found[chosen], rounding[chosen]) if settled else (np.nan, np.nan)


def check(name: str, where: str, value: float, expected: float, tolerance: float) -> dict[str, Any]:
    """Not passed, but not failed either, where there is no value."""
    passed = None if np.isnan(value) else bool(abs(value - expected) <= tolerance)
    numbers = {"value": float(value), "expected": float(expected), "tolerance": float(tolerance)}
    return {"check": name, "where": where, "passed": passed, **numbers}


def farthest(found: np.ndarray, rounding: np.ndarray, exact: np.ndarray) -> tuple[float, ...]:
    """Second difference, d'Hd and tolerance of the direction where the two are farthest apart."""
    room = 0.05 * np.maximum(np.abs(found), np.abs(exact)) + 4 * rounding
    room += 1e-3 * max(np.abs(exact).max(), 1e-300)
    worst = np.nan_to_num(np.abs(found - exact) / room, nan=-1).argmax()
    return found[worst], exact[worst], room[worst]


def half_noise(first: np.ndarray, second: np.ndarray) -> float:
    """Half the difference of lines (R, points) on two halves of the set, over their range."""
    first, second = (half - half[:, len(FAR) // 2, None] for half in (first, second))
    apart = np.sqrt(np.mean(((first - second) / 2) ** 2, 1))
    span = np.ptp((first + second) / 2, 1)
    span[span <= 1e-12 * np.abs(first).max(initial=1e-300)] = np.inf
    return float(np.mean(apart / span))


def check_mean_curvature(seen: np.ndarray, probes: np.ndarray, bends: np.ndarray) -> dict[str, Any]:
    """Mean second difference over random unit directions against trace(H) / N."""
    trace, settled = probes.mean(), seen[np.isfinite(seen[:, 0])]
    if len(settled) < len(seen) / 2:
        return check("mean_curvature", "trained", np.nan, trace, np.nan)
    values, rounding = settled.T
    # The spread of a sample, but no less than the one of a Gaussian with the Hessian's norm.
    least = 2**0.5 * np.sqrt(np.mean(bends**2))
    errors = [max(s.std(ddof=1), least) / len(s) ** 0.5 for s in (probes, values)]
    tolerance = 3.5 * np.hypot(*errors) + 1e-3 * abs(trace) + 4 * rounding.max()
    made = check("mean_curvature", "trained", values.mean(), trace, tolerance)
    if made["passed"] and tolerance > max(abs(trace), abs(values.mean())) > 4 * rounding.max():
        made["passed"] = None
    return made


def store(run: Run) -> None:
    """Trace, slices, parameters and checks."""
    run.folder.mkdir(parents=True, exist_ok=True)
    pd.DataFrame(run.trace).to_parquet(run.folder / "trace.parquet", index=False)
    arrays = {"lines/coordinates": DISTANCE, "lines/slope": run.slope[:LINES]}
    arrays |= {"plane/axis": AXIS, "lines/curvature": run.curvature[:LINES]}
    for name, drawn in zip(("lines", "plane"), run.directions.split([LINES, 2]), strict=True):
        units = functional.normalize(drawn)
        arrays[f"{name}/cosine"] = (units @ units.T).numpy()
    for name, line, plane in zip(MEASURES, run.lines, run.plane, strict=True):
        arrays |= {f"lines/{name}": line, f"plane/{name}": plane}
    np.savez(run.folder / "slices.npz", **arrays)
    tensors = {}
    for end, vector in (("initial", run.start), ("trained", run.end)):
        # Views of one vector are refused.
        tensors |= {f"{end}/{name}": part.clone() for name, part in unpack(vector).items()}
    save_file(tensors, run.folder / "params.safetensors")
    (run.folder / "checks.json").write_text(json.dumps(run.checks, indent=2) + "\n")


# Statistics over seeds, and tables


interquartile_mean = partial(stats.trim_mean, proportiontocut=0.25)


def interval(samples: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Bootstrap interval of the interquartile mean over the first axis, column by column."""
    found = stats.bootstrap(
        (samples,), interquartile_mean, n_resamples=RESAMPLES, method="percentile", rng=0
    )
    return found.confidence_interval


def series(runs: Sequence[Run], name: str) -> np.ndarray:
    return np.stack([run.trace[name] for run in runs]).astype(np.float64)


def run_table(groups: Groups) -> pd.DataFrame:
    """One row a run: the ends of its trace, and how fast it came near the best loss's accuracy."""
    best = max(interquartile_mean(series(runs, "accuracy")[:, -1]) for runs in groups.values())
    rows = []
    for run in itertools.chain(*groups.values()):
        reached = np.flatnonzero(run.trace["accuracy"] >= SHARE * best)
        row = {
            "loss": run.loss.__name__,
            "seed": run.seed,
            "target": SHARE * best,
            "steps_to_target": run.trace["step"][reached[0]] if len(reached) else np.nan,
            "checks_failed": sum(made["passed"] is False for made in run.checks),
            "start": float(run.trace["accuracy"][0]),
            "gradient_norm/start": float(run.trace["gradient_norm/global"][0]),
        }
        rows.append(row | {name: float(values[-1]) for name, values in run.trace.items()})
    return pd.DataFrame(rows)


def compare(results: pd.DataFrame) -> pd.DataFrame:
    """One row a loss, the best first: numbers over seeds."""
    samples = {loss: own["accuracy"].to_numpy() for loss, own in results.groupby("loss")}
    best = max(samples.values(), key=interquartile_mean)
    rows = []
    for loss, own in results.groupby("loss", sort=False):
        middle, differences = own.median(numeric_only=True), samples[loss] - best
        # All flips of signs of so few differences, so nothing is random here.
        test = stats.permutation_test((differences,), np.mean, permutation_type="samples")
        low, high = interval(samples[loss])
        row = {
            "loss": loss,
            "accuracy": interquartile_mean(samples[loss]),
            "low": low,
            "high": high,
            "start": interquartile_mean(own["start"]),
            "target": own["target"].iloc[0],
            "reached": own["steps_to_target"].count(),
            "seeds": len(own),
            "steps": middle["steps_to_target"],
            "p": test.pvalue if differences.any() else np.nan,
            "gradient, start": middle["gradient_norm/start"],
            "gradient, end": middle["gradient_norm/global"],
        }
        row |= {name: middle[f"steps/{name}"] / STEPS for name in ("vanishing", "exploding")}
        row |= {f"dead {name}": middle[f"dead/{name}"] for name in DEAD}
        rows.append(row | {"checks failed": own["checks_failed"].sum()})
    return pd.DataFrame(rows).sort_values("accuracy", ascending=False, kind="stable")


# Figures and page


def draw_curves(axes: Axes, groups: Groups, title: str) -> None:
    """All losses: a middle over seeds, or over lines of all seeds, and a band around it."""
    for index, (loss, runs) in enumerate(groups.items()):
        if title == AROUND:
            x, values = DISTANCE, np.concatenate([run.lines[1] for run in runs])
            (low, high), middle = np.percentile(values, [10, 90], axis=0), values.mean(0)
        else:
            x, values = runs[0].trace["step"], series(runs, COLUMNS[title])
            low, high, middle = values.min(0), values.max(0), np.median(values, 0)
        if title == "accuracy":
            (low, high), middle = interval(values), interquartile_mean(values)
        axes.fill_between(x, low, high, color=COLORS[index], alpha=0.14, linewidth=0)
        # Lines ever thinner, and markers beside each other, for those that coincide.
        style = {"marker": "os^Dv"[index], "markersize": 4, "markevery": (index, len(x) // 5)}
        style |= {"color": COLORS[index], "linewidth": 3 - 0.5 * index}
        axes.plot(x, middle, label=loss, **style)
    axes.set_title(title, loc="left")
    axes.set_xlabel("distance in filter norms" if title == AROUND else "updates")
    if title == "gradient norm":
        # Linear below, so that zeros have a place of their own.
        axes.set_yscale("symlog", linthresh=1e-2, linscale=0.3)
    else:
        axes.set_ylim(-0.06, 1.06)


def draw_risk(axes: Axes, runs: Sequence[Run], color: str) -> None:
    """Every seed and the median, on the evaluation set and on the batches."""
    steps, values = runs[0].trace["step"], series(runs, "risk/evaluation")
    batch = np.median(series(runs, "risk/batch"), 0)
    axes.plot(steps, values.T, color=color, linewidth=0.5, alpha=0.5)
    axes.plot(steps, batch, color="#6b6b6b", linestyle=":")
    axes.plot(steps, np.median(values, 0), color=color)
    if values.max() > 30 * values.min():
        axes.set_yscale("log")


def draw_line(axes: Axes, runs: Sequence[Run], color: str) -> None:
    """Mean, band and extremes of the risk over directions and seeds."""
    values = np.concatenate([run.lines[0] for run in runs])
    low, high = np.percentile(values, [10, 90], axis=0)
    axes.fill_between(DISTANCE, low, high, color=color, alpha=0.2, linewidth=0)
    axes.plot(DISTANCE, np.stack([values.min(0), values.max(0)]).T, color=color, linewidth=0.5)
    axes.plot(DISTANCE, values.mean(0), color=color)
    axes.axvline(0, color="#6b6b6b", linewidth=0.6, linestyle=":")


def draw_contours(axes: Axes, runs: Sequence[Run], _: str) -> None:
    values = runs[0].plane[0]
    levels = np.linspace(values.min(), values.max(), 14)
    filled = axes.contourf(AXIS, AXIS, values, levels, cmap="viridis")
    axes.contour(AXIS, AXIS, values, levels[1:-1], colors="white", linewidths=0.35, alpha=0.75)
    axes.plot(0, 0, marker="+", color="black", markersize=9)
    axes.set_aspect("equal")
    axes.grid(visible=False)
    axes.figure.colorbar(filled, ax=axes, fraction=0.046, format="%.2g")


def draw_surface(axes: Axes, runs: Sequence[Run], _: str) -> None:
    values, middle = runs[0].plane[0], PLANE_POINTS // 2
    fine = {"rstride": 1, "cstride": 1, "linewidth": 0.15, "edgecolor": "#00000030"}
    axes.plot_surface(*np.meshgrid(AXIS, AXIS), values, cmap="viridis", **fine)
    axes.plot(0, 0, values[middle, middle], marker="o", color="#D55E00", markersize=4, zorder=5)
    axes.view_init(elev=32, azim=-58)


def shared(groups: Groups, *titles: str, target: float | None = None) -> Figure:
    """Panels with all losses in each, and a legend below them."""
    side = 1 if len(titles) == 1 else 2
    figure, grid = plt.subplots(side, side, figsize=(7, 3 + 1.25 * side), squeeze=False)
    figure.subplots_adjust(0.1, 0.3 - 0.05 * side, 0.98, 0.94, wspace=0.28, hspace=0.45)
    for axes, title in zip(grid.flat, titles, strict=True):
        draw_curves(axes, groups, title)
    if target:
        grid[0, 0].axhline(target, color="#6b6b6b", linestyle=":", label=f"target {target:.3f}")
    figure.legend(*grid[0, 0].get_legend_handles_labels(), loc="lower center", ncols=3)
    return figure


def separate(groups: Groups, draw: Callable[..., None], gap: float = 0.3, **options: Any) -> Figure:
    """A panel for each loss, with its own scale."""
    figure, grid = plt.subplots(2, 3, figsize=(7, 4.8), **options)
    figure.subplots_adjust(0.08, 0.1, 0.94, 0.93, wspace=gap, hspace=0.4)
    for axes, (loss, runs), color in zip(grid.flat, groups.items(), COLORS, strict=False):
        draw(axes, runs, color)
        axes.set_title(loss, loc="left")
    grid.flat[-1].remove()
    return figure


def figures(groups: Groups, typical: Groups, target: float) -> Iterator[tuple[str, Figure]]:
    """The figures of the report and the names of their files, one at a time."""
    names = ("accuracy", "gradient norm", "dead components", AROUND)
    yield "summary", shared(groups, *names, target=target)
    yield "learning_curves", shared(groups, "accuracy", target=target)
    yield "risk", separate(groups, draw_risk)
    yield "gradient_norm", shared(groups, "gradient norm")
    yield "dead_fractions", shared(groups, *(f"dead {name}" for name in DEAD))
    yield "slices_risk", separate(groups, draw_line)
    yield "slices_metric", shared(groups, AROUND)
    yield "contours", separate(typical, draw_contours, 0.75)
    yield "surfaces", separate(typical, draw_surface, subplot_kw={"projection": "3d"})


def turnable(typical: Groups) -> str:
    """The planes as surfaces to turn, of risk and accuracy; a click in the legend shows a loss."""
    figure = make_subplots(1, 2, specs=[[{"type": "surface"}] * 2], subplot_titles=MEASURES[:2])
    for number, (loss, (run,)) in enumerate(typical.items()):
        options = {"x": AXIS, "y": AXIS, "showscale": False, "name": loss, "legendgroup": loss}
        options["visible"] = "legendonly" if number else True
        figure.add_surface(z=run.plane[0], showlegend=True, row=1, col=1, **options)
        figure.add_surface(z=run.plane[1], row=1, col=2, **options)
    figure.update_layout(height=520)
    return figure.to_html(full_html=False, include_plotlyjs=True)


def report(groups: Groups, folder: Path) -> pd.DataFrame:
    """Tables, figures, and a page that needs nothing else."""
    for name in ("tables", "figures"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    results = run_table(groups)
    results.to_csv(folder / "results.csv", index=False)
    results.to_parquet(folder / "results.parquet", index=False)
    table, made = compare(results), []
    for run in itertools.chain(*groups.values()):
        own = {"loss": run.loss.__name__}
        made += [{**own, **check, "state": STATES[check["passed"]]} for check in run.checks]
    # How often each check passed, failed, and could not be decided.
    checks = pd.DataFrame(made).value_counts(["loss", "check", "where", "state"], sort=False)
    checks = checks.unstack(fill_value=0).reset_index()
    shown = table.map(lambda cell: f"{cell:.3g}" if isinstance(cell, float) else cell)
    for name, raw, text in (("comparison", table, shown), ("checks", checks, checks)):
        raw.to_csv(folder / "tables" / f"{name}.csv", index=False)
        rows = [text.columns, ["---"] * len(text.columns), *text.itertuples(index=False)]
        lines = "".join(f"| {' | '.join(map(str, row))} |\n" for row in rows)
        (folder / "tables" / f"{name}.md").write_text(lines)
    # Of planes those of one seed are shown, whose runs rank nearest the middle of their losses.
    ranks = [stats.rankdata(series(runs, "accuracy")[:, -1]) for runs in groups.values()]
    seed = np.abs(np.array(ranks) - (SEEDS + 1) / 2).sum(0).argmin()
    typical = {loss: [runs[seed]] for loss, runs in groups.items()}
    title = "Five losses on handwritten digits"
    page = [f"<!doctype html><meta charset='utf-8'><title>{title}</title><h1>{title}</h1>"]
    page.append(shown.to_html(index=False))
    with mpl.rc_context(STYLE):
        for name, figure in figures(groups, typical, results["target"].iloc[0]):
            path = folder / "figures" / f"{name}.png"
            figure.savefig(path, dpi=150)
            figure.savefig(path.with_suffix(".pdf"))
            plt.close(figure)
            picture = base64.b64encode(path.read_bytes()).decode()
            page.append(f"<h2>{name}</h2><img src='data:image/png;base64,{picture}'>")
    page += ["<h2>Surfaces to turn</h2>", turnable(typical), checks.to_html(index=False)]
    (folder / "index.html").write_text("\n".join(page))
    return shown


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("out", type=Path, help="folder for runs and report")
    parser.add_argument("--threads", type=int, help="of torch; by default its own choice")
    options = parser.parse_args()
    if options.threads:
        torch.set_num_threads(options.threads)
    mpl.use("agg")
    seconds: dict[str, float] = defaultdict(float)

    def timed(stage: Callable[..., Any], *given: Any) -> Any:
        start = time.perf_counter()
        found = stage(*given)
        seconds[stage.__name__] += time.perf_counter() - start
        return found

    splits = [timed(load_data, seed) for seed in range(SEEDS)]
    groups: Groups = defaultdict(list)
    for loss, (seed, data) in itertools.product(LOSSES, enumerate(splits)):
        name = loss.__name__
        run = Run(loss, seed, options.out / "runs" / f"{name}-seed{seed}", *data)
        for stage in (train, slice_point, check_slices, store):
            timed(stage, run)
        groups[name].append(run)
    print(timed(report, groups, options.out / "report").to_string(index=False))
    print(f"\n{torch.get_num_threads()} threads of {os.cpu_count()} cores")
    for name, value in {**seconds, "all stages": sum(seconds.values())}.items():
        print(f"seconds, {name}: {value:.2f}")


if __name__ == "__main__":
    main()
