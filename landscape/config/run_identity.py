"""Derives a run's id and measurement digest from everything that can change its results."""

import hashlib
import json
import re
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from landscape import catalog
from landscape.config.fields import Experiment
from landscape.config.measured import SliceSettings
from landscape.config.parts import LossPart, ModelPart, Part
from landscape.config.yaml_source import short_text

LONGEST_ID = 100

# The fields that, with the seed and the content of files, determine a training and so its id.
TRAINING_FIELDS = (
    "dataset",
    "task",
    "model",
    "optimizer",
    "loss",
    "steps",
    "batch_size",
    "record_every",
    "evaluation",
    "gradients",
    "metrics",
    "judge_by",
    "targets",
    "checkpoints",
    "point",
)


def training_identity(fields: dict[str, Any], folder: Path) -> dict[str, Any]:
    """Returns the plain values that determine a training, apart from its seed.

    `fields` are those of a run. Files count by their content, not by their path. The label counts
    in a look alone.
    """
    identity = {name: _identity(fields[name], folder) for name in TRAINING_FIELDS}
    for name in ("checkpoints", "task", "judge_by", "point"):
        if not fields[name]:  # the default is left out: ids predate these fields
            identity.pop(name)
    if fields["point"] is not None:  # looks of several labels at one point are several looks
        identity["label"] = fields["loss"].label
    # A training of a user-defined dataset had more examples before the validation split existed.
    return identity | {"splits": 3}


def measurement_digest(experiment: Experiment, judged: bool) -> str:
    """Returns the digest of everything that determines the measurements after training.

    `judged`: whether the test split is measured.
    """
    folder = experiment.folder
    slices = _identity(experiment.slices, folder)
    if slices is not None:
        for name in ("hoist", "side_by_side", "batch_statistics"):  # digests predate them
            if slices[name] == SliceSettings.model_fields[name].default:
                slices.pop(name)
    others: dict[str, Any] = {"judged": True} if judged else {}
    if experiment.audit:
        others["audit"] = True
    if experiment.curvature is not None:
        others["curvature"] = _identity(experiment.curvature, folder)
    # With slices alone the digest is that of the slices, as in results older than the other keys.
    return _digest({"slices": slices} | others if others else slices)


def run_id(
    loss: LossPart, swept: dict[str, Any], seed: int, training: dict[str, Any], folder: Path
) -> str:
    """Returns a readable id that is safe as a file name.

    The words at its start name the loss, its options and the swept values; its end, the seed and
    a digest of `training`, identifies the training. Labels have no influence.
    """
    defaults = catalog.bind("losses", catalog.Spec(loss.name), folder).options
    options = {k: v for k, v in loss.options.items() if k not in defaults or v != defaults[k]}
    others = {k.rpartition(".")[2]: v for k, v in swept.items() if not k.startswith("losses.")}
    words = [loss.name.rpartition(":")[2]]
    words += [f"{key}={_brief(value)}" for key, value in {**options, **others}.items()]
    end = f"-seed{seed}-{_digest(training | {'seed': seed})[:8]}"
    readable = re.sub(r"[^A-Za-z0-9._=+-]+", "_", "-".join(words))
    return readable[: LONGEST_ID - len(end)].rstrip("-_.") + end


def same_training(run_id: str) -> str:
    """Returns the end of a run's id, which is equal for equal trainings in different sweeps."""
    return "-".join(run_id.rsplit("-", 2)[1:])


def _identity(value: Any, folder: Path) -> Any:
    """Returns plain values without labels, with the content of files in place of their paths."""
    if isinstance(value, tuple):
        return [_identity(item, folder) for item in value]
    if not isinstance(value, BaseModel):
        return value
    plain = {name: _identity(getattr(value, name), folder) for name in type(value).model_fields}
    if isinstance(value, Part):
        contents = catalog.contents(value.family, value, folder)
        plain.pop("label", None)
        if isinstance(value, ModelPart) and ":" in (value.filter_axes or ""):
            function = catalog.Spec(str(value.filter_axes))
            plain["filter_axes"] = catalog.contents("models", function, folder).get("")
        for name in value.conditions:
            if getattr(value, name) == type(value).model_fields[name].default:
                plain.pop(name)
        plain["options"] = plain["options"] | contents
    return plain


def _digest(value: Any) -> str:
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=True)
    return hashlib.sha256(text.encode()).hexdigest()


def _brief(value: Any) -> str:
    return str(value["name"]) if isinstance(value, dict) and "name" in value else short_text(value)
