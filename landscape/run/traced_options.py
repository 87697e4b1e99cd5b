"""Options that are numbers are traced: all of their values share one compiled program."""

import json
from collections.abc import Callable
from typing import Any

from landscape.config import Part, Run

# Fields that do not affect a compiled program.
_IRRELEVANT = ("id", "seed", "swept", "audit", "judged", "stop", "target", "measurement")
# Fields of parts that change the numbers in the arguments of a program, not their shapes.
_CONDITIONS = (("dataset", "label_noise"), ("model", "initialization"))


def float_options(run: Run) -> dict[str, dict[str, float]]:
    """Returns the options of loss and optimizer that are floating-point numbers, by part.

    Parts from the menu only: a user-defined function may test for a Python number, and silently
    compute something else if it receives a tracer.
    """
    optimizer = _floats(run.optimizer)
    if run.optimizer.clip_norm is not None:
        optimizer["clip_norm"] = run.optimizer.clip_norm
    return {"loss": _floats(run.loss), "optimizer": optimizer}


def _floats(part: Part) -> dict[str, float]:
    if ":" in part.name:
        return {}
    return {name: value for name, value in part.options.items() if isinstance(value, float)}


def program_key(run: Run, traced: dict[str, list[str]]) -> str:
    """Returns a text that is equal for runs that share a program with these traced options."""
    return json.dumps(_structure(run, traced), sort_keys=True)


def model_key(run: Run, traced: dict[str, list[str]]) -> str:
    """Returns a text that is equal for runs that differ at most in seed, loss, and traced options.

    Their losses can be compiled together.
    """
    values = _structure(run, traced)
    del values["loss"], values["targets"]
    return json.dumps(values, sort_keys=True)


def training_key(run: Run, traced: dict[str, list[str]]) -> str:
    """Returns a text that is equal for runs whose training differs at most as in `model_key`."""
    unmeasured = run.model_copy(update={"slices": None, "curvature": None})
    return model_key(unmeasured, traced)


def all_floats(run: Run) -> dict[str, list[str]]:
    """Returns the names of all options that are floating-point numbers, by part."""
    return {part: list(values) for part, values in float_options(run).items()}


def _structure(run: Run, traced: dict[str, list[str]]) -> dict[str, Any]:
    values = run.model_dump(mode="json", exclude=set(_IRRELEVANT))
    for part, name in _CONDITIONS:
        values[part].pop(name)
    values["loss"].pop("label")
    for part, names in traced.items():
        for name in names:
            fields = values[part] if name in values[part] else values[part]["options"]
            fields[name] = "traced"
    return values


def traceable(values: dict[str, float], trace: Callable[[dict[str, float]], Any]) -> list[str]:
    """Returns the options that `trace` accepts as tracers: all, else those it accepts alone.

    Excludes options that decide Python control flow, as in `if power > 1`.
    """
    if _accepts(values, trace):
        return list(values)
    alone = {name: value for name, value in values.items() if _accepts({name: value}, trace)}
    return list(alone) if _accepts(alone, trace) else []


def _accepts(values: dict[str, float], trace: Callable[[dict[str, float]], Any]) -> bool:
    try:
        trace(values)
    except Exception:  # a function may raise anything if it receives a tracer
        return False
    return True
