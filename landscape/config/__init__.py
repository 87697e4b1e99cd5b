"""YAML -> a frozen experiment, its overrides, and its expansion into runs."""

import hashlib
import itertools
import json
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from landscape import catalog
from landscape.config.execution import Execution, Resources
from landscape.config.fields import EvaluationSettings, Experiment, GradientSettings, Run
from landscape.config.measured import (
    COMPUTED,
    AcrossSettings,
    CurvatureSettings,
    Lines,
    Planes,
    SliceSettings,
)
from landscape.config.overrides import locate, normalize, override
from landscape.config.parts import (
    DatasetPart,
    DirectionPart,
    LossPart,
    MetricPart,
    ModelPart,
    OptimizerPart,
    Part,
    SchedulePart,
)
from landscape.config.resolve import check_sweep, read_as, resolve
from landscape.config.yaml_source import Node, at, parse, placed, plain, put, read, shown, write
from landscape.errors import Place, UserError

__all__ = [
    "COMPUTED",
    "AcrossSettings",
    "CurvatureSettings",
    "DatasetPart",
    "DirectionPart",
    "EvaluationSettings",
    "Execution",
    "Experiment",
    "GradientSettings",
    "Lines",
    "LossPart",
    "MetricPart",
    "ModelPart",
    "OptimizerPart",
    "Part",
    "Planes",
    "Resources",
    "Run",
    "SchedulePart",
    "SliceSettings",
    "dump",
    "expand",
    "load",
    "options",
    "read_run",
    "run_from",
    "schema",
]

LONGEST_ID = 100

# What decides the training of a run, and so its id; with the seed and the content of files.
TRAINING = (
    "dataset",
    "model",
    "optimizer",
    "loss",
    "steps",
    "batch_size",
    "record_every",
    "evaluation",
    "gradients",
    "metrics",
    "targets",
    "checkpoints",
)


def load(path: Path | str, overrides: Sequence[str] = ()) -> Experiment:
    """The experiment of a YAML file, with `key=value` overrides applied and defaults filled in.

    Parts and their options are checked without importing them. UserError lists everything that is
    wrong, each with its file, line and column, or with the override at fault.
    """
    path = Path(path)
    tree = normalize(read(path))
    folder = _folder(tree, path)
    for key, value in (("folder", str(folder)), ("name", path.stem)):
        written = at(tree, (key,))
        if key == "folder" or written is None or written.value is None:
            tree = put(tree, (key,), Node(value, tree.place))
    tree = override(tree, overrides, folder)
    folder = _folder(tree, path)
    tree = put(tree, ("folder",), Node(str(folder), tree.place))
    experiment = resolve(tree, folder)
    check_sweep(tree, folder)
    return experiment


def _folder(tree: Node, path: Path) -> Path:
    written = at(tree, ("folder",))
    if written is None or written.value is None:
        return path.parent.absolute()
    folder = path.parent.absolute() / str(written.value)
    if not isinstance(written.value, str) or not folder.is_dir():
        message = f"`folder`: found `{written.value}`, expected a folder that exists"
        raise UserError(message, place=written.place)
    return folder


def expand(experiment: Experiment) -> tuple[Run, ...]:
    """The runs of an experiment: for each point of the sweep and each seed, every loss.

    A sweep over an option of one loss multiplies that loss alone. Reads the user's own files and
    data files, whose content is part of each run's id.
    """
    shared = {key: v for key, v in experiment.sweep.items() if not key.startswith("losses.")}
    runs = []
    for point in _points(shared):
        variants = [
            (swept, _fields(resolved, index))
            for index in range(len(experiment.losses))
            for swept, resolved in _variants(experiment, point, index)
        ]
        for seed in experiment.seeds:
            runs += [_run(fields, seed, swept) for swept, fields in variants]
    _refuse_same(runs)
    return tuple(runs)


def _points(sweep: dict[str, Any]) -> Iterator[dict[str, Any]]:
    for values in itertools.product(*sweep.values()):
        yield dict(zip(sweep, values, strict=True))


def _variants(
    experiment: Experiment, point: dict[str, Any], index: int
) -> Iterator[tuple[dict[str, Any], Experiment]]:
    """The experiment at one point of the sweep, and there at each point of one loss's own."""
    tree = placed(experiment.model_dump(mode="json") | {"sweep": {}}, Place("sweep"))
    paths = {key: locate(tree, key) for key in experiment.sweep}
    own = {key: v for key, v in experiment.sweep.items() if paths[key][:2] == ("losses", index)}
    for more in _points(own):
        swept = point | more
        place = Place("sweep point " + ", ".join(f"{k}={shown(v)}" for k, v in swept.items()))
        changed = tree
        for key in sorted(swept, key=lambda key: len(paths[key])):  # a part before its options
            changed = normalize(put(changed, paths[key], placed(swept[key], place)))
        yield swept, resolve(changed, experiment.folder)


def _fields(experiment: Experiment, index: int) -> dict[str, Any]:
    """The fields of the runs of one loss, with `training`: what their ids are made of."""
    names = [*TRAINING, "slices", "curvature", "audit", "folder"]
    fields = {name: getattr(experiment, name) for name in names if name != "loss"}
    fields["loss"] = experiment.losses[index]
    folder = experiment.folder
    training = {name: _identity(fields[name], folder) for name in TRAINING}
    if not experiment.checkpoints:  # keeping none is what was always done: the id stays
        training.pop("checkpoints")
    return {**fields, "training": training, "measurement": _measurement(experiment)}


def _measurement(experiment: Experiment) -> str:
    folder = experiment.folder
    slices = _identity(experiment.slices, folder)
    if slices is not None:
        for name in ("hoist", "side_by_side"):  # as it is by default, it stands for no other result
            if slices[name] == SliceSettings.model_fields[name].default:
                slices.pop(name)
    more: dict[str, Any] = {"audit": True} if experiment.audit else {}
    if experiment.curvature is not None:
        more["curvature"] = _identity(experiment.curvature, folder)
    # Where only slices are asked for the digest is theirs alone, as in results without these keys.
    return _digest({"slices": slices} | more if more else slices)


def _identity(value: Any, folder: Path) -> Any:
    """A field as plain values, with the content of files in place of their paths; no labels."""
    if isinstance(value, tuple):
        return [_identity(item, folder) for item in value]
    if not isinstance(value, BaseModel):
        return value
    plain = {name: _identity(getattr(value, name), folder) for name in type(value).model_fields}
    if isinstance(value, Part):
        contents = catalog.contents(value.family, value, folder)
        plain.pop("label", None)
        plain["options"] = plain["options"] | contents
    return plain


def _digest(value: Any) -> str:
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=True)
    return hashlib.sha256(text.encode()).hexdigest()


def _run(fields: dict[str, Any], seed: int, swept: dict[str, Any]) -> Run:
    fields = dict(fields)
    digest = _digest(fields.pop("training") | {"seed": seed})
    name = _run_id(fields["loss"], swept, seed, digest, fields["folder"])
    return Run(id=name, seed=seed, swept=swept, **fields)


def _run_id(loss: LossPart, swept: dict[str, Any], seed: int, digest: str, folder: Path) -> str:
    """Readable, safe as a file name, without labels; its end is decided by the training alone."""
    defaults = catalog.bind("losses", Part(name=loss.name), folder).options
    options = {k: v for k, v in loss.options.items() if k not in defaults or v != defaults[k]}
    others = {k.rpartition(".")[2]: v for k, v in swept.items() if not k.startswith("losses.")}
    words = [loss.name.rpartition(":")[2]]
    words += [f"{key}={_brief(value)}" for key, value in {**options, **others}.items()]
    end = f"-seed{seed}-{digest[:8]}"
    readable = re.sub(r"[^A-Za-z0-9._=+-]+", "_", "-".join(words))
    return readable[: LONGEST_ID - len(end)].rstrip("-_.") + end


def same_training(run_id: str) -> str:
    """The end of a run's id, which runs share that are the same training under other sweeps."""
    return "-".join(run_id.rsplit("-", 2)[1:])


def _brief(value: Any) -> str:
    return str(value["name"]) if isinstance(value, dict) and "name" in value else shown(value)


def _refuse_same(runs: list[Run]) -> None:
    seen: dict[str, Run] = {}
    for run in runs:
        other = seen.setdefault(run.id, run)
        if other is not run:
            raise UserError(
                f"two runs are the same training: `{other.label}` and `{run.label}`",
                hint="take one of the two values out of the sweep",
            )


def dump(value: Experiment | Run) -> str:
    """YAML of an experiment or a run with everything filled in; it reads back as an equal value."""
    return write(value.model_dump(mode="json"))


def run_from(text: str, file: str = "config.yaml") -> Run:
    """The run that `dump` wrote. Its parts are not looked up, so old results stay readable."""
    return read_as(Run, text, file)


def read_run(path: Path) -> Run:
    """The run of a `config.yaml` that `dump` wrote."""
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"cannot read this run: {error}", place=Place(str(path))) from None
    return run_from(text, str(path))


def options(arguments: Sequence[str]) -> dict[str, Any]:
    """Options of a part from `name=value` texts, each value read as YAML."""
    found = {}
    for argument in arguments:
        name, equals, text = argument.partition("=")
        if not equals or not name.isidentifier():
            raise UserError(f"`{argument}` is no option", hint="write NAME=VALUE, as in delta=0.5")
        found[name] = plain(parse(text, f"option {name}"))
    return found


def schema() -> dict[str, Any]:
    """The JSON schema of a config, for editors that complete and check YAML."""
    return Experiment.model_json_schema()
