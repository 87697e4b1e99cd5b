"""Draws the pictures of docs/differentiable.md: values and slopes, in one and two variables.

python docs/draw_losses.py
"""

import sys
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import jax
import jax.numpy as jnp
import matplotlib.pyplot as plt
import numpy as np

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT / "configs"))

import differentiable as losses  # noqa: E402

PICTURES = ROOT / "docs" / "pictures"
BLUE, RED, GRAY = "#0072B2", "#D55E00", "#6b6b6b"
# Title, loss of one prediction, and where it has corners or steps.
CURVES: list[tuple[str, Callable[[jax.Array], jax.Array], list[float]]] = [
    ("MSE", lambda x: losses.squared(x, 0.0), []),
    ("BCE, label 0", lambda x: losses.cross_entropy(x, 0.0), []),
    ("ABS", lambda x: losses.absolute(x, 0.0), [0.0]),
    ("ReLU", lambda x: losses.tolerant(x, 0.0, tolerance=0.5), [-0.5, 0.5]),
    ("CLIP", lambda x: losses.clipped(x, 0.0), [-1.0, 1.0]),
    ("ROUND", lambda x: losses.rounded(x, 0.0), [-1.5, -0.5, 0.5, 1.5]),
]


def pieces(corners: list[float], low: float = -2.2, high: float = 2.2) -> list[np.ndarray]:
    """Returns points of each interval between corners, so that no line crosses a step."""
    ends = [low, *corners, high]
    return [np.linspace(a + 1e-4, b - 1e-4, 200) for a, b in pairwise(ends)]


def draw_curves() -> plt.Figure:
    """One column per loss: its value above, its slope below."""
    figure, axes = plt.subplots(2, 6, figsize=(9, 3.6), sharex=True, layout="constrained")
    for (title, loss, corners), (upper, lower) in zip(CURVES, axes.T, strict=True):
        for x in pieces(corners):
            upper.plot(x, jax.vmap(loss)(x), color=BLUE)
            lower.plot(x, jax.vmap(jax.grad(loss))(x), color=RED)
        for corner in corners:
            for panel in (upper, lower):
                panel.axvline(corner, color=GRAY, linewidth=0.6, linestyle=":")
        upper.set(title=title, ylim=(-0.2, 4.2))
        lower.set(ylim=(-4.4, 4.4), xlabel="prediction")
    axes[0, 0].set_ylabel("value")
    axes[1, 0].set_ylabel("slope")
    return figure


def draw_planes() -> plt.Figure:
    """Losses of two predictions: contours, and arrows downhill."""
    grid = np.linspace(-3, 3, 121)
    coarse = np.linspace(-2.5, 2.5, 7)
    # The class is the second of two; of Dice, the first of two pixels is in the mask.
    onehot, mask = jnp.array([0.0, 1.0]), jnp.array([1.0, 0.0])
    panels = [
        ("max", lambda z: losses.maximum(z, onehot), ("logit 1", "logit 2, of the class")),
        ("softmax", lambda z: losses.softmax(z, onehot), ("logit 1", "logit 2, of the class")),
        (
            "Dice",
            lambda z: losses.dice(z, mask),
            ("logit of a pixel in the mask", "of one outside"),
        ),
        ("CLIP", lambda z: losses.clipped(z, 0.0).mean(), ("example 1", "example 2")),
    ]
    figure, axes = plt.subplots(1, 4, figsize=(9, 2.6), layout="constrained")
    for (title, loss, (across, up)), panel in zip(panels, axes, strict=True):
        points = np.stack(np.meshgrid(grid, grid), axis=-1)
        values = np.asarray(jax.vmap(jax.vmap(loss))(points))
        panel.contourf(grid, grid, values, levels=12, cmap="Blues", vmin=values.min() - 1e-9)
        starts = np.stack(np.meshgrid(coarse, coarse), axis=-1).reshape(-1, 2)
        downhill = -np.asarray(jax.vmap(jax.grad(loss))(starts))
        length = np.linalg.norm(downhill, axis=1, keepdims=True)
        moving = length[:, 0] > 1e-9
        unit = downhill / np.maximum(length, 1e-9)
        panel.quiver(*starts[moving].T, *unit[moving].T, color=RED, scale=14, width=0.008)
        panel.plot(*starts[~moving].T, "o", color=RED, markersize=3, fillstyle="none")
        panel.set(title=title, xlabel=across, ylabel=up, aspect="equal")
    return figure


def main() -> None:
    """Writes both pictures."""
    plt.rcParams.update({"font.size": 8, "axes.titlesize": 9, "svg.hashsalt": "losses"})
    for name, draw in (("losses_1d", draw_curves), ("losses_2d", draw_planes)):
        figure = draw()
        figure.savefig(PICTURES / f"{name}.png", dpi=150)
        print(PICTURES / f"{name}.png")


if __name__ == "__main__":
    main()
