"""How an experiment was performed: its facts, settings, versions, durations, and the command."""

from collections import Counter
from typing import Any

import pandas as pd

from landscape.errors import counted
from landscape.report import looks, words
from landscape.report.figures.view import View
from landscape.report.results import STATES, Results


def facts(results: Results, view: View) -> list[str]:
    """Returns the facts below the title: parts, steps, batch size, and runs by status."""
    if results.has_looks:
        return looks.facts(results)
    run = next(iter(view.runs.values()))[0]
    states = Counter(run.status for run in results.runs)
    counts = ", ".join(f"{states[state]} {state}" for state in STATES if state in states)
    texts = []
    if run.config is not None:
        texts += [f"dataset {run.config.dataset.name}", f"model {run.config.model.name}"]
        texts += [f"optimizer {run.config.optimizer.name}", f"{run.config.steps} steps"]
        texts.append(f"batches of {run.config.batch_size}")
    return [*texts, f"{counted(len(results.runs), 'run')}: {counts}"]


def commands(results: Results, *, compared: bool) -> list[str]:
    """Returns the commands that perform the experiment again and build its report again.

    They are for the folder that contains the one of the experiment.
    """
    name = results.directory.resolve().name
    if results.has_looks:
        return [f"landscape report {name}"]
    folder = f"'{name}'" if any(not (c.isalnum() or c in "._-") for c in name) else name
    perform = "compare" if compared else "run"
    again = f"landscape {perform} {folder}/experiment.yaml --out again"
    return [again, f"landscape report {folder}"] if results.settings is not None else []


def settings(results: Results) -> list[tuple[str, str]]:
    """Returns the settings of the experiment as pairs of dotted key and value."""
    pairs: list[tuple[str, str]] = []
    if results.settings is not None:
        _flatten(results.settings.model_dump(mode="json"), "", pairs)
    looked = results.has_looks
    return [pair for pair in pairs if not looked or looks.is_setting(pair[0])]


def _flatten(value: Any, prefix: str, pairs: list[tuple[str, str]]) -> None:
    if isinstance(value, dict) and value:
        for key, inner in value.items():
            _flatten(inner, f"{prefix}.{key}" if prefix else str(key), pairs)
    elif isinstance(value, list) and any(isinstance(inner, dict | list) for inner in value):
        for index, inner in enumerate(value):
            _flatten(inner, f"{prefix}[{index}]", pairs)
    else:
        text = ", ".join(map(str, value)) if isinstance(value, list) else str(value)
        pairs.append((prefix, words.MISSING if value is None else text))


def versions(results: Results) -> list[tuple[str, str]]:
    """Returns devices, revisions and versions of the finished runs."""
    metas = [run.meta for run in results.runs if run.counted]
    records = pd.DataFrame({"device": m.device, "git": m.git, **m.versions} for m in metas)
    values = ((name, filter(None, records[name].dropna().unique())) for name in records)
    return [(str(name), text) for name, texts in values if (text := " | ".join(texts))]


def durations(results: Results) -> list[tuple[str, str]]:
    """Returns the seconds of each stage over all runs, and their median per run."""
    seconds = pd.DataFrame(dict(run.meta.seconds) for run in results.runs)
    return [
        (
            str(stage),
            f"{column.sum():.1f} s over all runs, {column.median():.2f} s per run (median)",
        )
        for stage, column in seconds.items()
        if column.notna().any()
    ]
