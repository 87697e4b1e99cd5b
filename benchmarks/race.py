"""Times contestants that take turns, each in a separate process, so that none slows the others.

A contestant is a function in a module of this folder. Called with its settings, it prepares the
work and returns a function that does it once and returns numbers. These are used to compare the
contestants.
"""

import importlib
import multiprocessing
import os
import platform
import statistics
import time
from collections.abc import Callable, Mapping
from importlib.metadata import PackageNotFoundError, version
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

PACKAGES = ("jax", "jaxlib", "optax", "numpy", "torch", "loss-landscapes", "scikit-learn")


class Timing(NamedTuple):
    """Seconds of each round and of the first call, which includes compilation."""

    seconds: list[float]
    first: float
    values: np.ndarray

    @property
    def median(self) -> float:
        return statistics.median(self.seconds)


def race(contestants: Mapping[str, tuple[str, dict[str, Any]]], rounds: int) -> dict[str, Timing]:
    """Times `name: ("module:function", settings)`; in each round every contestant has one turn."""
    context = multiprocessing.get_context("spawn")
    pipes: dict[str, Connection] = {}
    for name, (function, settings) in contestants.items():
        pipes[name], other = context.Pipe()
        context.Process(target=_serve, args=(function, settings, other), daemon=True).start()
    first = {name: _ask(pipe) for name, pipe in pipes.items()}
    seconds: dict[str, list[float]] = {name: [] for name in pipes}
    for _ in range(rounds):
        for name, pipe in pipes.items():
            seconds[name].append(_ask(pipe)[0])
    for pipe in pipes.values():
        pipe.send(False)
    return {name: Timing(seconds[name], first[name][0], first[name][1]) for name in pipes}


def _ask(pipe: Connection) -> tuple[float, np.ndarray]:
    pipe.send(True)
    answer = pipe.recv()
    if isinstance(answer, str):
        raise RuntimeError(answer)
    return answer


def _serve(name: str, settings: dict[str, Any], pipe: Connection) -> None:
    try:
        module, function = name.split(":")
        work: Callable[[], Any] = getattr(importlib.import_module(module), function)(**settings)
        while pipe.recv():
            start = time.perf_counter()
            values = np.asarray(work())
            pipe.send((time.perf_counter() - start, values))
    except Exception as error:
        pipe.send(f"{name}: {type(error).__name__}: {error}")


def agree(timings: Mapping[str, Timing], names: tuple[str, str], tolerance: float) -> float:
    """Returns the largest difference of two contestants, relative to the largest value.

    Raises RuntimeError if it exceeds the tolerance.
    """
    first, second = (timings[name].values.astype(np.float64) for name in names)
    difference = float(np.abs(first - second).max() / np.abs(second).max())
    if not difference <= tolerance:
        raise RuntimeError(f"{names[0]} and {names[1]} differ by {difference:.2g}")
    return difference


def machine() -> dict[str, Any]:
    """Describes the machine and the versions of the packages."""
    return {
        "processor": _processor(),
        "cores": os.cpu_count(),
        "load": round(os.getloadavg()[0], 2),
        "python": platform.python_version(),
        "versions": {name: _version(name) for name in PACKAGES},
    }


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor()
    names = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()


def _version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None
