"""Measurements of synthetic runs in closed form: slices, curvature, checks, across runs."""

from typing import Any

import numpy as np

PARAMETERS = 2410
TIMES = "\N{MULTIPLICATION SIGN}"
RANDOM, EIGENVECTOR = "random", "eigenvector"
PATH = f"trajectory {TIMES} trajectory[component=2]"
MIXED = f"eigenvector {TIMES} random"
LINES = (RANDOM, EIGENVECTOR)
PLANES = (RANDOM, PATH, MIXED)
_FILTER = {"name": "random", "options": {"normalization": "filter", "biases": "zero"}}
_WHOLE = {
    "name": "eigenvector",
    "options": {"index": 1, "end": "largest", "normalization": "whole"},
}
SETTINGS: dict[str, Any] = {
    "at": ["trained"],
    "direction": _FILTER,
    "lines": [
        {"label": None, "direction": None, "directions": 8, "points": 41, "radius": 1.0},
        {"label": None, "direction": _WHOLE, "directions": None, "points": 41, "radius": "auto"},
    ],
    "planes": [
        {"label": None, "axes": None, "draws": 1, "points": [31, 25], "eigenvalues": None},
        {
            "label": None,
            "axes": [{"name": "trajectory", "options": {"component": number}} for number in (1, 2)],
        },
        {"label": None, "axes": [_WHOLE, _FILTER], "eigenvalues": 20},
    ],
    "gradients": True,
}


def radius(seed: int) -> float:
    """The radius that `auto` finds for the eigenvector, a different one per seed."""
    return 0.2 + 0.05 * seed


def sharpness(loss: Any, seed: int) -> float:
    """The largest eigenvalue of a loss's Hessian."""
    return 0.0 if loss.zero_gradient else loss.scale * (20.0 + seed)


def squared_norm(seed: int) -> float:
    return 30.0 + seed


def slices(loss: Any, seed: int, at: str, center: float, best: float) -> dict[str, np.ndarray]:
    """Bowls with ripples; a corner of one plane and one end of a line are not finite."""
    rng = np.random.default_rng([seed, 7])
    x = np.linspace(-1, 1, 41)
    bend = rng.uniform(1, 4, size=(8, 1)) * loss.scale
    lines = center + bend * x**2 + loss.ripples * (1 - np.cos(9 * np.pi * x)) * loss.scale
    if loss.zero_gradient:
        lines = center + 0.02 * np.round(3 * x**2 * rng.uniform(0, 1, (8, 1)))
    if loss.diverges:
        lines[0, -3:] = [1e9, np.inf, np.nan]
    norm = np.sqrt(squared_norm(seed))
    sharp = center + 0.5 * sharpness(loss, seed) * (norm * radius(seed) * x) ** 2
    random, along = f"{at}/lines/{RANDOM}", f"{at}/lines/{EIGENVECTOR}"
    arrays = {
        f"{at}/center/risk": np.array(center),
        f"{at}/center/accuracy": np.array(best),
        f"{random}/coordinates": x,
        f"{random}/risk": lines,
        f"{random}/accuracy": 0.1 + (best - 0.1) * np.exp(-bend / loss.scale * x**2),
        f"{random}/dead/weights": np.full((8, 41), float(loss.zero_gradient)),
        f"{random}/keys": np.zeros((8, 2), np.uint32),
        f"{random}/cosine": np.eye(8),
        f"{random}/norm": np.full(8, 0.9 * norm),
        f"{random}/slope": np.zeros(8),
        f"{random}/curvature": 2 * bend[:, 0] * (not loss.zero_gradient),
        f"{random}/radius": np.array(1.0),
        f"{along}/coordinates": radius(seed) * x,
        f"{along}/risk": sharp[None],
        f"{along}/accuracy": (0.1 + (best - 0.1) * np.exp(-3 * x**2))[None],
        f"{along}/cosine": np.eye(1),
        f"{along}/norm": np.array([norm]),
        f"{along}/slope": np.zeros(1),
        f"{along}/curvature": np.array([sharpness(loss, seed) * norm**2]),
        f"{along}/radius": np.array(radius(seed)),
        f"{along}/radius_found": np.array(not loss.zero_gradient),
    }
    return arrays | _planes(loss, seed, at, center, best)


def _planes(loss: Any, seed: int, at: str, center: float, best: float) -> dict[str, np.ndarray]:
    u, v = np.linspace(-1, 1, 31), np.linspace(-1, 1, 25)
    grid_u, grid_v = np.meshgrid(u, v)
    hills = loss.ripples * loss.scale * (1 - np.cos(6 * grid_u) * np.cos(5 * grid_v))
    bowl = center + loss.scale * (3 * grid_u**2 + 1.2 * (grid_v + 0.4 * grid_u) ** 2) + hills
    plane, dead = bowl, (grid_u**2 + grid_v**2 > 1.2).astype(float) * (loss.dead[0] > 0.5)
    if loss.zero_gradient:
        plane, dead = np.full_like(bowl, center), np.ones_like(bowl)
    if loss.diverges:
        plane = np.where(grid_u + grid_v > 1.5, np.nan, bowl * np.exp(3 * (grid_u + grid_v)))
    accuracy = 0.1 + (best - 0.1) * np.exp(-(grid_u**2) - grid_v**2)
    norm = np.sqrt(squared_norm(seed))
    arrays = {}
    for label, scale, cosine in ((RANDOM, 1.0, 0.0), (PATH, 1.2, 0.42), (MIXED, 0.5, -0.03)):
        name = f"{at}/planes/{label}"
        arrays |= {
            f"{name}/x": scale * u,
            f"{name}/y": scale * v,
            f"{name}/risk": plane[None],
            f"{name}/accuracy": accuracy[None],
            f"{name}/cosine": np.array([cosine]),
            f"{name}/norm": np.array([[norm, 0.5 * norm]]),
            f"{name}/radius": np.array(scale),
        }
    arrays[f"{at}/planes/{RANDOM}/dead/weights"] = dead[None]
    largest = sharpness(loss, seed) * (1 + 0.2 * grid_u**2)
    smallest = sharpness(loss, seed) * (0.05 - 0.9 * loss.ripples * grid_u**2 - 0.1 * grid_v**2)
    if loss.diverges:
        smallest = np.where(grid_u + grid_v > 1.5, np.nan, smallest)
    arrays[f"{at}/planes/{MIXED}/eigenvalue/smallest"] = smallest[None]
    arrays[f"{at}/planes/{MIXED}/eigenvalue/largest"] = largest[None]
    return arrays | _path(loss, seed, f"{at}/planes/{PATH}", center)


def _path(loss: Any, seed: int, name: str, center: float) -> dict[str, np.ndarray]:
    left = np.exp(-np.arange(21) / 6.0)
    left[-1] = 0.0
    risk = center + 2.2 * loss.scale * left
    return {
        f"{name}/path/step": 10 * np.arange(21),
        f"{name}/path/x": left,
        f"{name}/path/y": 0.4 * np.sin(3.1 * left) * (1 + 0.1 * seed),
        f"{name}/path/risk": risk,
        f"{name}/path/projected_risk": risk - 0.1 * loss.scale * left,
        f"{name}/path/distance": np.sqrt(squared_norm(seed)) * 0.3 * left,
        f"{name}/explained": np.array([0.83 - 0.01 * seed, 0.09]),
    }


def curvature(loss: Any, seed: int, center: float, drop: float) -> dict[str, Any]:
    """curvature.json: a bulk at zero, five outliers; sharper along training."""
    places = [
        {"place": "checkpoint", "step": step, **_point(loss, seed, 0.3 + step / 300, center, drop)}
        for step in (0, 50, 100, 150)
    ]
    trained = {"place": "trained", "step": 200, **_point(loss, seed, 1.0, center, drop)}
    trained["operators"]["gauss_newton"] = (
        {"reason": "the loss is not convex in the prediction"}
        if loss.ripples
        else _operator(0.9 * sharpness(loss, seed), 0.0, 0.8)
    )
    return {
        "smoothness": {"value": "C0" if loss.ripples else "smooth", "how": "measured"},
        "convex": None if loss.zero_gradient else not loss.ripples,
        "twice_differentiable": None if loss.zero_gradient else not loss.ripples,
        "note": "the Hessian misses the kinks of `relu`" if loss.ripples else "",
        "points": [trained, *places],
    }


def _point(loss: Any, seed: int, grown: float, center: float, drop: float) -> dict[str, Any]:
    top = sharpness(loss, seed) * grown
    return {
        "parameters": PARAMETERS,
        "squared_norm": squared_norm(seed),
        "risk": center,
        "drop": drop if drop > 0 else None,
        "operators": {"hessian": _operator(top, -0.04 * top, 1.0)},
    }


def _operator(top: float, bottom: float, bulk: float) -> dict[str, Any]:
    width = 0.01 * (top - bottom) or 1e-3
    grid = np.linspace(bottom - 4 * width, top + 4 * width, 200)
    outliers = top * np.array([1.0, 0.72, 0.5, 0.31, 0.2])
    peaks = np.exp(-0.5 * ((grid[:, None] - outliers) / width) ** 2).sum(axis=1) / PARAMETERS
    near = np.exp(-np.abs(grid) / (2 * bulk * width)) / (4 * bulk * width)
    mean = near + peaks / (width * np.sqrt(2 * np.pi))
    return {
        "largest": outliers.tolist(),
        "smallest": [bottom, 0.6 * bottom, 0.3 * bottom, 0.1 * bottom, 0.05 * bottom],
        "largest_residuals": [1e-4 * top] * 5,
        "smallest_residuals": [1e-3 * top] * 5,
        "iterations": 60,
        "trace": {"value": 3.1 * top, "error": 0.02 * top},
        "frobenius": {"value": 1.5 * top, "error": 0.01 * top},
        "layers": {"layers/0": {"parameters": PARAMETERS, "value": 3.1 * top, "error": 0.0}},
        "density": {
            "eigenvalue": grid.tolist(),
            "mean": mean.tolist(),
            "low": (0.7 * mean).tolist(),
            "high": (1.3 * mean).tolist(),
            "width": width,
            "probes": 16,
        },
    }


def checks(loss: Any, seed: int) -> list[dict[str, Any]]:
    """All checks pass; with ripples one fails and one is undecided."""
    where = f"trained/lines/{RANDOM}"
    failed = bool(loss.ripples) and seed % 2 == 0
    return [
        _check("center", where, True, 0.25, 0.25, 1e-5, "the center of the slice is the risk"),
        _check(
            "second_difference",
            where,
            not failed,
            9.0 + seed if failed else 5.0,
            5.0,
            0.2,
            f"second difference {9 + seed}, d'Hd 5" if failed else "they agree",
        ),
        _check(
            "mean_curvature",
            "trained",
            None if loss.ripples else True,
            None if loss.ripples else 0.02,
            0.02,
            None,
            "second differences do not settle",
        ),
        _check("finite", f"trained/planes/{RANDOM}", True, 0.0, 0.0, 0.05, "all are finite"),
    ]


def _check(name: str, where: str, passed: bool | None, *rest: Any) -> dict[str, Any]:
    value, expected, tolerance, message = rest
    return {
        "name": name,
        "where": where,
        "passed": passed,
        "value": value,
        "expected": expected,
        "tolerance": tolerance,
        "message": message,
    }


def across(runs: list[dict[str, Any]]) -> dict[str, Any]:
    """Returns across.json; `loss` of each run is the `Loss` object, not its name."""
    solutions, interpolations = [], []
    for run in runs:
        beside = [r for r in runs if (r["seed"], r["swept"]) == (run["seed"], run["swept"])]
        solutions.append(
            {
                "run": run["run"],
                "loss": run["loss"].name,
                "seed": run["seed"],
                "swept": run["swept"],
                "metric": run["metric"],
                "risks": {other["run"]: _risk(run, other) for other in beside},
                "initial": {other["run"]: other["initial"] for other in beside},
            }
        )
        for other in runs:
            ordered = runs.index(run) < runs.index(other) and run["swept"] == other["swept"]
            same = run["loss"].name == other["loss"].name
            if ordered and (same or run["seed"] == other["seed"]):
                interpolations.append(_interpolation(run, other, "seeds" if same else "losses"))
    return {
        "key": "made up",
        "metric": "accuracy",
        "higher_is_better": True,
        "solutions": solutions,
        "interpolations": interpolations,
        "problems": ["<b>one</b> run could not be read"],
    }


def _risk(run: dict[str, Any], other: dict[str, Any]) -> float | None:
    """The excess grows with the difference of the final accuracies of both losses."""
    if other["initial"] is None:
        return None
    share = abs(run["loss"].final - other["loss"].final) * (1 + 0.1 * run["seed"])
    drop = other["initial"] - other["center"]
    return other["center"] + share * drop


def _interpolation(run: dict[str, Any], other: dict[str, Any], kind: str) -> dict[str, Any]:
    """A hill of 0.3 plus the ripples of the loss, in drops; no hill for the best loss."""
    t = np.linspace(0, 1, 25)
    hill = 4 * t * (1 - t)
    risks, drops = {}, {}
    for end in (run, other):
        drop = end["initial"] - end["center"]
        height = (0.3 + end["loss"].ripples) * (end["loss"].final < 0.96)
        start, stop = _risk(run, end) or 0.0, _risk(other, end) or 0.0
        risks[end["run"]] = (start + (stop - start) * t + height * drop * hill).tolist()
        drops[end["run"]] = drop if drop > 0 else None
    return {
        "kind": kind,
        "from": run["run"],
        "to": other["run"],
        "from_loss": run["loss"].name,
        "to_loss": other["loss"].name,
        "from_seed": run["seed"],
        "to_seed": other["seed"],
        "swept": run["swept"],
        "coordinates": t.tolist(),
        "metric": (run["metric"] + (other["metric"] - run["metric"]) * t - 0.4 * hill).tolist(),
        "risks": risks,
        "drops": drops,
    }
