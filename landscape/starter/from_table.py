"""Writes an experiment for a user's table: the dataset as it can be read, and losses to compare."""

import json
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from landscape.errors import refuse_special
from landscape.parts.datasets import Proposal, propose
from landscape.starter.writing import read_template, write_files

# Below this share of the rarest class, accuracy says little.
_IMBALANCED = 0.2
_LARGEST_BATCH = 64
_PLAIN = re.compile(r"(\.\./)*[A-Za-z][\w./]*")
# Plain words that are not texts in one of the versions of YAML.
_NOT_TEXTS = ("true", "false", "null", "yes", "no", "on", "off", "y", "n")
_TRAINED = 0.6  # share of the rows that are trained on with the default fractions


class _Candidates(NamedTuple):
    """Losses to compare, and the file that defines those that are not in the menu."""

    losses: tuple[str, ...]
    template: str


_LOSSES = {
    "binary": _Candidates(
        (
            "sigmoid_cross_entropy",
            "focal",
            '{name: "my_losses.py:weighted_cross_entropy", positive_weight: WEIGHT}',
            '"my_losses.py:soft_f1"',
        ),
        "my_binary_losses.py",
    ),
    "multiclass": _Candidates(
        ("softmax_cross_entropy", "focal", "brier", '"my_losses.py:ramp"'), "my_losses.py"
    ),
    "regression": _Candidates(
        ("squared_error", "absolute_error", "huber", '"my_losses.py:asymmetric_squared_error"'),
        "my_regression_losses.py",
    ),
}


def write_from_table(directory: Path, table: Path, target: str) -> list[Path]:
    """Writes `experiment.yaml` and `my_losses.py` for a column of a csv or parquet file.

    Returns the paths. Raises UserError and writes nothing if one of them exists, or if the table
    cannot be used.
    """
    refuse_special(table)
    proposal = propose(table, target)
    path = os.path.relpath(table.absolute(), directory.absolute())
    template = _LOSSES[proposal.options["task"]].template
    texts = {
        "experiment.yaml": experiment_text(proposal, Path(path).as_posix()),
        "my_losses.py": read_template(template),
    }
    return write_files(directory, texts)


def experiment_text(proposal: Proposal, path: str) -> str:
    """Returns the config of an experiment; `path` is that of the table, from the config."""
    target, task = proposal.options["target"], proposal.options["task"]
    options = {"name": proposal.reader, "path": path, **proposal.options}
    batch = _LARGEST_BATCH
    while batch > 1 and batch > _TRAINED * proposal.rows:
        batch //= 2
    lines = [
        *_header(proposal, Path(path).name, target),
        f"title: {_yaml(f'Which loss for {target}?')}",
        "dataset:",
        *(f"  {name}: {_yaml(value)}" for name, value in options.items()),
        *_judge(proposal),
        "model: {name: mlp, widths: [32], activation: relu}",
        "optimizer: {name: adam, learning_rate: 0.003}",
        "losses:",
        *(f"  - {loss.replace('WEIGHT', _weight(proposal))}" for loss in _LOSSES[task].losses),
        "seeds: 3",
        "steps: 300",
        f"batch_size: {batch}",
        "record_every: 20",
        "slices:",
        "  lines: {directions: 4, points: 31, radius: 1.0}",
    ]
    return "\n".join([*lines, ""])


def _header(proposal: Proposal, file: str, target: str) -> Iterator[str]:
    yield f"# Losses for the column {_comment(target)} of {_comment(file)}."
    yield "#"
    yield "#   landscape validate experiment.yaml   # how each column is used"
    yield "#   landscape run experiment.yaml        # one learning rate for all losses, 3 seeds"
    yield "#   landscape compare experiment.yaml    # each loss at its own rate"
    if proposal.reasons:
        yield "#"
        yield "# Left out or encoded as categories (`ignore` and `categories` below):"
    for reason in proposal.reasons.values():
        yield f"# - {_comment(reason)}"
    yield ""


def _judge(proposal: Proposal) -> Iterator[str]:
    """Yields the metric by which losses are compared if classes are rare."""
    if not proposal.counts:
        return
    share = min(proposal.counts.values()) / proposal.rows
    metrics = {"binary": "average_precision", "multiclass": "balanced_accuracy"}
    if share < _IMBALANCED / max(len(proposal.counts) - 1, 1):
        yield f"# The rarest class has {share:.1%} of the rows: accuracy would hardly notice it."
        yield f"judge_by: {metrics[proposal.options['task']]}"


def _weight(proposal: Proposal) -> str:
    """Returns the number of negative examples per positive one."""
    positive = proposal.counts.get(proposal.options.get("positive", ""), 0)
    return f"{(proposal.rows - positive) / max(positive, 1):.1f}"


def _yaml(value: Any) -> str:
    """Returns a value in the flow style of YAML: plain words, all other texts in quotes."""
    if isinstance(value, dict):
        return f"{{{', '.join(f'{_yaml(key)}: {_yaml(item)}' for key, item in value.items())}}}"
    if isinstance(value, list):
        return f"[{', '.join(map(_yaml, value))}]"
    if isinstance(value, str) and _PLAIN.fullmatch(value) and value.lower() not in _NOT_TEXTS:
        return value
    return json.dumps(value, ensure_ascii=False)


def _comment(text: str) -> str:
    return " ".join(text.split())
