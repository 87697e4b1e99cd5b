"""A tree of what a user wrote -> an experiment with everything filled in, or all that is wrong."""

from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails, to_json

from landscape.catalog import Spec, bind
from landscape.config.fields import Experiment
from landscape.config.overrides import labels, locate, model_in, normalize, parts
from landscape.config.parts import Frozen, Part
from landscape.config.yaml_source import Node, at, describe, find, parse, placed, plain, put
from landscape.errors import UserError, nearest, raise_all

Kind = TypeVar("Kind", bound=Frozen)

# What a sweep may change: whatever decides a training, and no list that is compared as a whole.
SWEEPABLE = (
    "dataset",
    "model",
    "optimizer",
    "losses",
    "steps",
    "batch_size",
    "record_every",
    "evaluation",
    "gradients",
    "targets",
)


def resolve(tree: Node, folder: Path) -> Experiment:
    """The experiment of a tree, defaults of its parts included; UserError lists all that is wrong.

    `folder` is where paths and the user's own code are looked up.
    """
    tree = _labeled(normalize(tree))
    experiment, errors = _check(tree, folder)
    if experiment is not None:
        errors += _check_losses(experiment, tree)
    if experiment is None or errors:
        raise_all(errors)
        raise AssertionError("a config that is wrong has errors")
    return experiment


def check_sweep(tree: Node, folder: Path) -> None:
    """Raise what is wrong with the keys and values of the sweep; the rest of the tree is right."""
    tree = normalize(tree)
    sweep = at(tree, ("sweep",))
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
                message = f"`{key}` is swept over {describe(value)} twice"
                errors.append(UserError(message, place=value.place))
            seen.append(plain(value))
            try:
                resolve(put(tree, path, replace(value, key=values.key)), folder)
            except UserError as error:
                errors.append(error)
    raise_all(errors)


def _sweep_path(tree: Node, key: str) -> tuple[Any, ...]:
    path = locate(tree, key)
    if path[0] not in SWEEPABLE:
        raise UserError(
            f"`{key}` cannot be swept: it is the same for all runs, or already compared",
            hint=f"what can be swept: {', '.join(SWEEPABLE)}",
        )
    if path[0] == "losses":
        if len(path) < 4 or path[2] != "options":
            raise UserError(
                f"`{key}` cannot be swept: losses are compared by being listed",
                hint="sweep an option of one, as in `losses.focal.gamma`",
            )
        loss, option = find(tree, path[:2]), path[3]
        shown_in_label = at(loss, ("options", option)) and labels(tree)[path[1]].endswith("]")
        if shown_in_label and at(loss, ("label",)) is None:
            raise UserError(
                f"`{key}` cannot be swept: the option stands in the loss's label",
                hint="give the loss a `label:` of its own",
            )
    return path


def read_as(kind: type[Kind], text: str, file: str) -> Kind:
    """What `dump` wrote, as it stands."""
    tree = parse(text, file)
    try:
        return kind.model_validate_json(to_json(plain(tree)))
    except ValidationError as error:
        raise_all([_translate(detail, tree, kind) for detail in error.errors()])
        raise


def _labeled(tree: Node) -> Node:
    for number, label in enumerate(labels(tree)):
        loss = find(tree, ("losses", number))
        written = at(loss, ("label",))
        unlabeled = written is None or written.value is None
        if isinstance(loss.value, dict) and "name" in loss.value and unlabeled:
            tree = put(tree, ("losses", number, "label"), Node(label, loss.place))
    return tree


def _check(tree: Node, folder: Path) -> tuple[Experiment | None, list[UserError]]:
    """The validated experiment with defaults filled in, unless something is wrong with it."""
    errors: list[UserError] = []
    for _, node, kind in parts(tree):
        errors += _check_part(node, kind, folder)
    try:
        experiment = Experiment.model_validate_json(to_json(plain(tree)))
    except ValidationError as error:
        details = _worth_telling(error.errors(include_url=False))
        return None, errors + [_translate(detail, tree, Experiment) for detail in details]
    if errors:
        return None, errors
    full = placed(experiment.model_dump(mode="json"), tree.place)
    for path, node, kind in parts(full):
        part = plain(node)
        options = bind(kind.family, Spec(part["name"], part["options"]), folder).options
        full = put(full, (*path, "options"), placed(options, tree.place))
    try:
        return Experiment.model_validate_json(to_json(plain(full))), []
    except ValidationError as error:  # what only shows once defaults are filled in
        details = error.errors(include_url=False)
        return None, [_translate(detail, tree, Experiment) for detail in details]


def _check_part(node: Node, kind: type[Part], folder: Path) -> list[UserError]:
    """What is wrong with a part's name and options; nothing where its very shape is wrong."""
    name, options = at(node, ("name",)), at(node, ("options",))
    default = kind.model_fields["name"].default
    written = name.value if name is not None else default
    if not isinstance(node.value, dict) or not isinstance(written, str) or not written:
        return []
    if options is not None and not isinstance(options.value, dict):
        return []
    given = {} if options is None else plain(options)
    where = name.place if name is not None else node.place
    try:
        problems = bind(kind.family, Spec(written, given), folder).problems
    except UserError as error:
        return [UserError(error.message, place=error.place or where, hint=error.hint)]
    errors = []
    for problem in problems:
        option = at(options, (problem.option,)) if options is not None else None
        place = where
        hint = problem.hint
        if option is not None:
            place = (option.key or option.place) if problem.misplaced else option.place
        if option is not None and problem.misplaced:
            hint = _with_own_keys(problem.option, hint, kind)
        errors.append(UserError(problem.message, place=place, hint=hint))
    return errors


def _with_own_keys(option: str, hint: str | None, kind: type[Part]) -> str | None:
    """`scedule` is nearest to a key of the optimizer itself, which is no option of adam's."""
    own = [name for name in kind.model_fields if name != "options"]
    close = nearest(option, own)
    return close if close.startswith("did") and not (hint or "").startswith("did") else hint


def _check_losses(experiment: Experiment, tree: Node) -> list[UserError]:
    errors = []
    losses = experiment.losses
    for number, loss in enumerate(losses):
        place = find(tree, ("losses", number)).place
        for earlier in losses[:number]:
            if (earlier.name, earlier.options) == (loss.name, loss.options):
                message = f"the loss `{loss.name}` is listed twice with the same options"
                errors.append(UserError(message, place=place, hint="remove one of them"))
                break
            if earlier.label == loss.label:
                message = f"two losses have the label `{loss.label}`"
                errors.append(UserError(message, place=place, hint="change one `label:`"))
                break
    return errors


def _translate(detail: ErrorDetails, tree: Node, model: type[BaseModel]) -> UserError:
    """A complaint of pydantic's in terms of what stands in the file."""
    location = detail["loc"]
    key = _dotted(location)
    node = find(tree, location)
    kind = detail["type"]
    if kind == "sentence":
        return UserError(detail["msg"], place=node.place, hint=detail["ctx"]["hint"])
    if kind == "extra_forbidden":
        names = _names(model, location[:-1])
        dotted = [_dotted((*location[:-1], name)) for name in names]
        return UserError(f"there is no key `{key}`", place=node.key, hint=nearest(key, dotted))
    if kind == "missing" and isinstance(location[-1], str):
        return UserError(f"the key `{key}` is missing", place=node.place)
    if kind == "missing":
        key, node = _dotted(location[:-1]), find(tree, location[:-1])
    expected = _expected(detail, _model_at(model, location))
    message = f"`{key}`: found {describe(node)}, expected {expected}"
    return UserError(message, place=node.place, hint=_hint(detail, node))


def _expected(detail: ErrorDetails, model: type[BaseModel] | None) -> str:
    match detail["type"]:
        case "model_type" | "dict_type" | "model_attributes_type":
            is_part = model is not None and issubclass(model, Part)
            return "a name, or a mapping with a `name`" if is_part else "a mapping of keys"
        case "too_short" | "missing" | "too_long":
            context = detail.get("ctx", {})
            limit = context.get("min_length", context.get("max_length", 2))
            return "at least one value" if limit == 1 else f"{limit} values"
    kind = detail["type"].removesuffix("_type").removesuffix("_from_float")
    if kind in _WORDS:
        return _WORDS[kind]
    text = detail["msg"].removeprefix("Input should be ")
    return f"a number {text}" if text.startswith(("greater", "less")) else text


_WORDS = {
    "int": "a whole number",
    "float": "a number",
    "string": "text",
    "bool": "true or false",
    "tuple": "a list",
    "list": "a list",
}


def _worth_telling(details: list[ErrorDetails]) -> list[ErrorDetails]:
    """Without what only follows: a list is too short for pydantic where one of its items is wrong,
    and a loss without a name can have no label."""
    places = [detail["loc"] for detail in details]

    def follows(detail: ErrorDetails) -> bool:
        place = detail["loc"]
        inside = any(other[: len(place)] == place and other != place for other in places)
        if detail["type"] == "missing" and place[-1] == "label":
            return (*place[:-1], "name") in places
        return detail["type"] == "too_short" and inside

    return [detail for detail in details if not follows(detail)]


def _hint(detail: ErrorDetails, node: Node) -> str | None:
    kind = detail["type"]
    if kind == "literal_error" and isinstance(node.value, str):
        choices = str(detail.get("ctx", {}).get("expected", ""))
        names = choices.replace(" or ", ", ").replace("'", "").split(", ")
        return nearest(node.value, names)
    if kind in ("int_type", "float_type") and isinstance(node.value, str):
        return "write the number without quotes" if _is_number(node.value) else None
    if kind == "string_type":
        return "write it in quotes"
    if kind == "tuple_type":
        return "write it in brackets, as in [a, b]"
    return None


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _dotted(location: tuple[int | str, ...]) -> str:
    text = ""
    for step in location:
        if step != "options":
            text += f"[{step}]" if isinstance(step, int) else f".{step}"
    return text.removeprefix(".")


def _model_at(model: type[BaseModel], location: tuple[int | str, ...]) -> type[BaseModel] | None:
    found: type[BaseModel] | None = model
    for step in location:
        if isinstance(step, int) or found is None:
            continue
        field = found.model_fields.get(step)
        found = model_in(field.annotation) if field is not None else None
    return found


def _names(model: type[BaseModel], location: tuple[int | str, ...]) -> list[str]:
    found = _model_at(model, location)
    return list(found.model_fields) if found is not None else []
