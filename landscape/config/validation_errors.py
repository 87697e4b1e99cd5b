"""Translates pydantic's validation errors into errors at the lines of a config."""

from typing import Any

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from landscape.catalog.menu import FAMILIES, entries
from landscape.config.fields import Experiment
from landscape.config.overrides import nearest_key
from landscape.config.parts import Part
from landscape.config.structure import annotation_at, model_in
from landscape.config.yaml_source import KeyPath, Node, deepest_node, describe, plain
from landscape.errors import UserError, nearest

_EXPECTED = {
    "int": "a whole number",
    "float": "a number",
    "string": "text",
    "bool": "true or false",
    "tuple": "a list",
    "list": "a list",
}


def translate(error: ValidationError, tree: Node, model: type[BaseModel]) -> list[UserError]:
    """Returns one UserError per mistake, placed where the tree of the config has it."""
    details = error.errors(include_url=False)
    return [_translate(detail, tree, model) for detail in _root_causes(details)]


def _root_causes(details: list[ErrorDetails]) -> list[ErrorDetails]:
    """Drops errors that only follow from others.

    For pydantic, a list is too short if one of its items is invalid, and a loss without a name
    lacks its label.
    """
    locations = [detail["loc"] for detail in details]

    def follows(detail: ErrorDetails) -> bool:
        location = detail["loc"]
        if detail["type"] == "missing" and location[-1] == "label":
            return (*location[:-1], "name") in locations
        inside = any(
            other[: len(location)] == location and other != location for other in locations
        )
        return detail["type"] == "too_short" and inside

    return [detail for detail in details if not follows(detail)]


def _translate(detail: ErrorDetails, tree: Node, model: type[BaseModel]) -> UserError:
    location, kind = detail["loc"], detail["type"]
    key, node = _dotted(location), deepest_node(tree, location)
    if kind == "sentence":
        place = deepest_node(node, [detail["ctx"]["key"]]).place
        return UserError(detail["msg"], place=place, hint=detail["ctx"]["hint"])
    if kind == "extra_forbidden":
        outer = model_in(annotation_at(location[:-1], model))
        names = [_dotted((*location[:-1], name)) for name in outer.model_fields] if outer else []
        hint = nearest(key, names, "`landscape schema` describes all keys")
        if model is Experiment and len(location) == 1:
            hint = nearest_key(tree, (), "", [key])
        return UserError(f"there is no key `{key}`", place=node.key, hint=hint)
    if kind == "missing" and isinstance(location[-1], str):
        return UserError(f"the key `{key}` is missing", place=node.place, hint=_name_hint(node))
    if kind == "missing":
        key, node = _dotted(location[:-1]), deepest_node(tree, location[:-1])
    expected = _expected(detail, annotation_at(location, model))
    message = f"`{key}`: found {describe(node)}, expected {expected}"
    return UserError(message, place=node.place, hint=_hint(detail, node))


def _name_hint(node: Node) -> str | None:
    """Suggests `name: brier` for a part that is written as `{brier: {}}`."""
    options = plain(node).get("options") if isinstance(node.value, dict) else None
    first = next(iter(options), None) if isinstance(options, dict) else None
    menu = {entry.name for family in FAMILIES for entry in entries(family)}
    return f"write `name: {first}`, and its options beside the name" if first in menu else None


def _expected(detail: ErrorDetails, annotation: Any) -> str:
    match detail["type"]:
        case "model_type" | "dict_type" | "model_attributes_type":
            model = model_in(annotation)
            is_part = model is not None and issubclass(model, Part)
            return "a name, or a mapping with a `name`" if is_part else "a mapping of keys"
        case "too_short" | "missing" | "too_long":
            context = detail.get("ctx", {})
            limit = context.get("min_length", context.get("max_length", 2))
            if limit > 2:
                return f"at most {limit} values"
            return "at least one value" if limit == 1 else f"{limit} values"
        case "string_too_long":
            return f"text of at most {detail.get('ctx', {}).get('max_length')} characters"
    kind = detail["type"].removesuffix("_type").removesuffix("_from_float")
    if kind in _EXPECTED:
        return _EXPECTED[kind]
    text = detail["msg"].removeprefix("Input should be ")
    return f"a number {text}" if text.startswith(("greater", "less")) else text


def _hint(detail: ErrorDetails, node: Node) -> str | None:
    kind = detail["type"]
    if kind == "literal_error" and isinstance(node.value, str):
        choices = str(detail.get("ctx", {}).get("expected", ""))
        names = choices.replace(" or ", ", ").replace("'", "").split(", ")
        hint = nearest(node.value, names)
        return None if hint.startswith("one of") else hint  # the message lists them
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


def _dotted(location: KeyPath) -> str:
    text = ""
    for step in location:
        if step != "options":
            text += f"[{step}]" if isinstance(step, int) else f".{step}"
    return text.removeprefix(".")
