"""Times planes of three models: landscape with and without hoisting, PyTorch, loss-landscapes."""

import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import problems
from race import Timing, agree, race

POINTS = {"mlp": 31, "cnn": 13, "resnet": 5}
OURS = "landscape"


def measure(rounds: int) -> list[dict[str, Any]]:
    """Returns one row per model."""
    return [_measure_model(problem, rounds) for problem in POINTS]


def _measure_model(problem: str, rounds: int) -> dict[str, Any]:
    points = POINTS[problem]
    with tempfile.TemporaryDirectory() as folder:
        ours, theirs = stored(problem, Path(folder))
        settings = {**ours, "points": points}
        peer_settings = {**theirs, "points": points}
        timings = race(
            {
                OURS: ("ours:plane", {**settings, "hoist": True}),
                "not hoisted": ("ours:plane", {**settings, "hoist": False}),
                "with scores": ("ours:plane", {**settings, "hoist": True, "scores": True}),
                "loss-landscapes": ("theirs:published_plane", {**peer_settings, "batches": True}),
                # Its documentation passes the whole set to its metric.
                "as documented": ("theirs:published_plane", {**peer_settings, "batches": False}),
                "PyTorch loop": ("theirs:plane", peer_settings),
            },
            rounds,
        )
    difference = agree(timings, (OURS, "PyTorch loop"), 1e-5)
    agree(timings, (OURS, "not hoisted"), 1e-5)
    rates = {name: points**2 / timing.median for name, timing in timings.items()}
    flops = forward_flops(problem)
    return {
        "model": problem,
        "points": points**2,
        "examples": problems.PROBLEMS[problem][2],
        "points per second": rates,
        "times loss-landscapes": rates[OURS] / rates["loss-landscapes"],
        "times as documented": rates[OURS] / rates["as documented"],
        "times a PyTorch loop": rates[OURS] / rates["PyTorch loop"],
        "times not hoisted": rates[OURS] / rates["not hoisted"],
        "share of the matrix product's peak": rates[OURS] * flops / peak(),
        "compilation": timings[OURS].first - timings[OURS].median,
        "difference": difference,
        "rounds": _rounds(timings),
    }


def stored(problem: str, folder: Path) -> tuple[dict[str, Any], dict[str, Any]]:
    """Stores weights and data for both sides; returns the settings of ours and of theirs."""
    weights, data = folder / "weights.npz", folder / "data.npz"
    problems.save(problem, weights)
    np.savez(data, **problems.data(problem)._asdict())
    name, options, _ = problems.PROBLEMS[problem]
    shared = {"weights": str(weights)}
    theirs = {**shared, "problem": name, "options": options, "data": str(data)}
    return {**shared, "problem": problem}, theirs


def forward_flops(problem: str) -> float:
    """Returns the arithmetic operations of a forward pass on all examples, without hoisting."""
    import jax

    model, data = problems.model(problem), problems.data(problem)
    params = jax.eval_shape(model.init, jax.random.key(0))
    inputs = jax.ShapeDtypeStruct(data.inputs.shape, np.float32)
    return operations_of(jax.make_jaxpr(model.apply)(params, inputs).jaxpr)


def operations_of(jaxpr: Any) -> float:
    """Returns the approximate arithmetic operations of a program; a loop body counts once."""
    from landscape.numerics.primitives import arithmetic_operations, called_program

    total = 0.0
    for eqn in jaxpr.eqns:
        called = called_program(eqn)
        total += arithmetic_operations(eqn) if called is None else operations_of(called.jaxpr)
    return total


def peak() -> float:
    """Returns operations per second of a large float32 matrix product in XLA, best of ten."""
    import time

    import jax
    import jax.numpy as jnp

    side = 2048
    matrix = jnp.ones((side, side))
    product = jax.jit(lambda a: a @ a)
    jax.block_until_ready(product(matrix))
    seconds = []
    for _ in range(10):
        start = time.perf_counter()
        jax.block_until_ready(product(matrix))
        seconds.append(time.perf_counter() - start)
    return 2 * side**3 / min(seconds)


def _rounds(timings: dict[str, Timing]) -> dict[str, list[float]]:
    return {name: [round(s, 5) for s in timing.seconds] for name, timing in timings.items()}
