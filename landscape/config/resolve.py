"""Resolves a tree to an experiment with everything filled in, or reports every mistake in it."""

import contextlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

from pydantic import ValidationError
from pydantic_core import to_json

from landscape.catalog import Problem, Spec, bind, entries
from landscape.config import yaml_entries
from landscape.config.fields import Experiment
from landscape.config.limits import LONGEST_NAME, misfit
from landscape.config.overrides import locate
from landscape.config.parts import Frozen, Part
from landscape.config.run_identity import TRAINING_FIELDS
from landscape.config.structure import PlacedPart, loss_labels, normalize, parts
from landscape.config.validation_errors import translate
from landscape.config.yaml_source import (
    KeyPath,
    Node,
    deepest_node,
    describe,
    node_at,
    parse,
    placed,
    plain,
    put,
)
from landscape.errors import UserError, describe_value, nearest, raise_all

Model = TypeVar("Model", bound=Frozen)

# Runs are comparable only with the same task, metrics and checkpoints.
_FIXED = ("task", "metrics", "judge_by", "checkpoints", "point")
SWEEPABLE = tuple(
    "losses" if name == "loss" else name for name in TRAINING_FIELDS if name not in _FIXED
)


def resolve(tree: Node, folder: Path) -> Experiment:
    """Returns the experiment of a tree, with the defaults of its parts filled in.

    Paths and user code are looked up in `folder`. Raises UserError that lists every mistake.
    """
    tree = _labeled(normalize(tree))
    errors: list[UserError] = []
    for part in parts(tree):
        errors += _check_part(part, folder)
    try:
        experiment = Experiment.model_validate_json(to_json(plain(tree)))
        raise_all(errors)
        experiment = _with_defaults(experiment, tree, folder)
    except ValidationError as error:
        raise_all(errors + translate(error, tree, Experiment))
        raise
    raise_all(_check_losses(experiment, tree))
    return experiment


def check_sweep(tree: Node, folder: Path) -> None:
    """Raises UserError that lists the mistakes in the sweep of a tree that is valid otherwise."""
    tree = normalize(tree)
    sweep = node_at(tree, ("sweep",))
    errors: list[UserError] = []
    for key, values in (sweep.value or {}).items() if sweep is not None else ():
        try:
            path = _sweep_path(tree, key)
        except UserError as error:
            errors.append(UserError(error.message, place=values.key, hint=error.hint))
            continue
        seen: list[Any] = []
        for value in values.value:
            if plain(value) in seen:
                message = f"the sweep over `{key}` lists {describe(value)} twice"
                errors.append(UserError(message, place=value.place))
            seen.append(plain(value))
            try:
                resolve(put(tree, path, replace(value, key=values.key)), folder)
            except UserError as error:
                errors.append(error)
    raise_all(errors)


def _sweep_path(tree: Node, key: str) -> KeyPath:
    path = locate(tree, key)
    if path[0] not in SWEEPABLE:
        raise UserError(
            f"`{key}` cannot be swept: all runs share it, or it already differs between them",
            hint=f"sweepable keys: {', '.join(SWEEPABLE)}",
        )
    if path[0] == "losses":
        if len(path) < 4 or path[2] != "options":
            raise UserError(
                f"`{key}` cannot be swept: all losses in the list are compared already",
                hint="sweep an option of one loss, for example `losses.focal.gamma`",
            )
        index, option = path[1], path[3]
        loss = deepest_node(tree, path[:2])
        in_label = node_at(loss, ("options", option)) and loss_labels(tree)[index].endswith("]")
        if in_label and node_at(loss, ("label",)) is None:
            raise UserError(
                f"`{key}` cannot be swept: the option is part of the loss's label",
                hint="set the `label:` of this loss",
            )
    return path


def read_as(model: type[Model], text: str, file: str) -> Model:
    """Returns the value that `dump` wrote, without filling in defaults of parts."""
    values = yaml_entries.read(text)
    if values is not None:
        with contextlib.suppress(ValidationError):  # raised again, with its place
            return model.model_validate_json(to_json(values))
    tree = parse(text, file)
    try:
        return model.model_validate_json(to_json(plain(tree)))
    except ValidationError as error:
        raise_all(translate(error, tree, model))
        raise


def _labeled(tree: Node) -> Node:
    for index, label in enumerate(loss_labels(tree)):
        loss = deepest_node(tree, ("losses", index))
        written = node_at(loss, ("label",))
        unlabeled = written is None or written.value is None
        if isinstance(loss.value, dict) and "name" in loss.value and unlabeled:
            tree = put(tree, ("losses", index, "label"), Node(label, loss.place))
    return tree


def _with_defaults(experiment: Experiment, tree: Node, folder: Path) -> Experiment:
    """Fills in the options of the parts. May raise ValidationError: defaults are checked too."""
    full = placed(experiment.model_dump(mode="json"), tree.place)
    for path, node, model in parts(full):
        part = plain(node)
        options = bind(model.family, Spec(part["name"], part["options"]), folder).options
        full = put(full, (*path, "options"), placed(options, tree.place))
    return Experiment.model_validate_json(to_json(plain(full)))


def _check_part(part: PlacedPart, folder: Path) -> list[UserError]:
    """Checks a part's name and options; a part of the wrong shape is reported elsewhere."""
    node, model = part.node, part.model
    name_node, options_node = node_at(node, ("name",)), node_at(node, ("options",))
    name = name_node.value if name_node is not None else model.model_fields["name"].default
    is_name = isinstance(name, str) and 0 < len(name) <= LONGEST_NAME
    if not isinstance(node.value, dict) or not is_name:
        return []
    if options_node is not None and not isinstance(options_node.value, dict):
        return []
    options = {} if options_node is None else plain(options_node)
    name_place = name_node.place if name_node is not None else node.place
    try:
        bound = bind(model.family, Spec(name, options), folder)
    except UserError as error:
        return [UserError(error.message, place=error.place or name_place, hint=error.hint)]
    problems = [*bound.problems, *_misfits(name, bound.options, options)]
    errors = []
    for problem in problems:
        option = node_at(options_node, (problem.option,)) if options_node is not None else None
        place, hint = name_place, problem.hint
        if option is not None:
            place = (option.key or option.place) if problem.misplaced else option.place
        if option is not None and problem.misplaced:
            hint = _hint_at_field(problem.option, hint, model)
        errors.append(UserError(problem.message, place=place, hint=hint))
    return errors


def _misfits(name: str, bound: Mapping[str, Any], written: Iterable[str]) -> Iterator[Problem]:
    """Yields the options whose numbers a compiled program cannot represent."""
    for option in written:
        expected = misfit(bound.get(option))
        if expected is not None:
            value = describe_value(bound[option])
            message = f"option `{option}` of `{name}`: found {value}, expected {expected}"
            yield Problem(option, False, message)


def _hint_at_field(option: str, hint: str | None, model: type[Part]) -> str | None:
    """Suggests a field of the part: `scedule` is meant for the optimizer, not an option of adam."""
    if option in {entry.name for entry in entries(model.family)}:
        return f"write `name: {option}`, and its options beside the name"
    fields = [name for name in model.model_fields if name != "options"]
    field_hint = nearest(option, fields)
    is_close = field_hint.startswith("did") and not (hint or "").startswith("did")
    return field_hint if is_close else hint


def _check_losses(experiment: Experiment, tree: Node) -> list[UserError]:
    errors = []
    for index, loss in enumerate(experiment.losses):
        place = deepest_node(tree, ("losses", index)).place
        earlier = experiment.losses[:index]
        if any((other.name, other.options) == (loss.name, loss.options) for other in earlier):
            message = f"the loss `{loss.name}` is listed twice with the same options"
            errors.append(UserError(message, place=place, hint="remove one of them"))
        elif any(other.label == loss.label for other in earlier):
            message = f"two losses have the label `{loss.label}`"
            errors.append(UserError(message, place=place, hint="change one `label:`"))
    return errors
