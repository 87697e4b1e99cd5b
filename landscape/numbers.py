"""Options that are numbers: arguments of a compiled program, so that all their values share it."""

import json
from collections.abc import Callable
from typing import Any

from landscape.config import Run

# What decides nothing about a program: every value of these shares it.
_APART = {"id", "seed", "swept", "audit", "measurement"}


def of_run(run: Run) -> dict[str, dict[str, float]]:
    """Every option of the loss and the optimizer that is a floating-point number, by part."""
    optimizer = _floats(run.optimizer.options)
    if run.optimizer.clip_norm is not None:
        optimizer["clip_norm"] = run.optimizer.clip_norm
    return {"loss": _floats(run.loss.options), "optimizer": optimizer}


def _floats(options: dict[str, Any]) -> dict[str, float]:
    return {name: value for name, value in options.items() if isinstance(value, float)}


def structure(run: Run, arguments: dict[str, list[str]]) -> str:
    """What two runs must have in common to share a program that takes `arguments`, by part."""
    values = run.model_dump(mode="json", exclude=_APART)
    values["loss"].pop("label")
    for part, names in arguments.items():
        for name in names:
            place = values[part] if name in values[part] else values[part]["options"]
            place[name] = "an argument"
    return json.dumps(values, sort_keys=True)


def traceable(values: dict[str, float], trace: Callable[[dict[str, float]], Any]) -> list[str]:
    """The options that `trace` accepts as arguments: all, else those that it accepts alone.

    An option that decides the steps of a Python program, as in `if power > 1`, is none of them.
    """
    if _accepted(values, trace):
        return list(values)
    return [name for name, value in values.items() if _accepted({name: value}, trace)]


def _accepted(values: dict[str, float], trace: Callable[[dict[str, float]], Any]) -> bool:
    try:
        trace(values)
    except Exception:  # whatever a user's function raises where it is given no Python number
        return False
    return True
