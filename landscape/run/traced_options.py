"""Options that are numbers: arguments of a compiled program, so that all their values share it."""

import json
from collections.abc import Callable
from typing import Any

from landscape.config import Part, Run

# What decides nothing about a program: every value of these shares it.
_APART = {"id", "seed", "swept", "audit", "measurement"}


def of_run(run: Run) -> dict[str, dict[str, float]]:
    """The options of loss and optimizer that are floating-point numbers, by part.

    Of parts of the menu: a function of the user's own may ask whether it was given a Python number,
    and silently do something else where it was not.
    """
    optimizer = _floats(run.optimizer)
    if run.optimizer.clip_norm is not None:
        optimizer["clip_norm"] = run.optimizer.clip_norm
    return {"loss": _floats(run.loss), "optimizer": optimizer}


def _floats(part: Part) -> dict[str, float]:
    if ":" in part.name:
        return {}
    return {name: value for name, value in part.options.items() if isinstance(value, float)}


def structure(run: Run, arguments: dict[str, list[str]]) -> str:
    """What two runs must have in common to share a program that takes `arguments`, by part."""
    values = run.model_dump(mode="json", exclude=_APART)
    values["loss"].pop("label")
    for part, names in arguments.items():
        for name in names:
            place = values[part] if name in values[part] else values[part]["options"]
            place[name] = "an argument"
    return json.dumps(values, sort_keys=True)


def loosest(run: Run) -> str:
    """What runs have in common that share a program if every number can be an argument of it."""
    return structure(run, {part: list(values) for part, values in of_run(run).items()})


def traceable(values: dict[str, float], trace: Callable[[dict[str, float]], Any]) -> list[str]:
    """The options that `trace` accepts as arguments: all, else those that it accepts alone.

    An option that decides the steps of a Python program, as in `if power > 1`, is none of them.
    """
    if _accepted(values, trace):
        return list(values)
    alone = {name: value for name, value in values.items() if _accepted({name: value}, trace)}
    return list(alone) if _accepted(alone, trace) else []


def _accepted(values: dict[str, float], trace: Callable[[dict[str, float]], Any]) -> bool:
    try:
        trace(values)
    except Exception:  # whatever a function raises where it is given no Python number
        return False
    return True
