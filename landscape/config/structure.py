"""Walks the tree of a config beside the models that describe it."""

from collections.abc import Callable
from dataclasses import replace
from types import NoneType, UnionType
from typing import Any, NamedTuple, Union, get_args, get_origin

from pydantic import BaseModel

from landscape.config.fields import Experiment
from landscape.config.part_names import short_names
from landscape.config.parts import Part
from landscape.config.yaml_source import KeyPath, Node, node_at, plain


def model_in(annotation: Any) -> type[BaseModel] | None:
    """Returns the model that an annotation contains: alone, in a list or beside null."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    models = (model_in(argument) for argument in get_args(annotation))
    return next((model for model in models if model is not None), None)


def is_list(annotation: Any) -> bool:
    """Returns whether a field takes a list of values, and nothing else but null."""
    if get_origin(annotation) in (Union, UnionType):
        return all(is_list(kind) for kind in get_args(annotation) if kind is not NoneType)
    if hasattr(annotation, "__metadata__"):
        return is_list(get_args(annotation)[0])
    return get_origin(annotation) is tuple


def annotation_at(path: KeyPath, model: type[BaseModel] = Experiment) -> Any:
    """Returns the annotation of the field at a path, None if the models have no such field."""
    annotation: Any = model
    for step in path:
        inner = model_in(annotation)
        if inner is None:
            return None
        field = inner.model_fields.get(step)
        annotation = inner if isinstance(step, int) else field and field.annotation
    return annotation


def visit(
    node: Node,
    change: Callable[[KeyPath, Node, type[BaseModel]], Node],
    model: type[BaseModel] = Experiment,
    path: KeyPath = (),
) -> Node:
    """Returns the tree with `change` applied to every node that a model describes.

    A node is changed before its children, which are those of the changed node. A single mapping in
    place of a list becomes a list, unless it is a part.
    """
    node = change(path, node, model)
    if not isinstance(node.value, dict):
        return node
    children = dict(node.value)
    for name, field in model.model_fields.items():
        inner, child = model_in(field.annotation), children.get(name)
        if inner is None or child is None:
            continue
        if not is_list(field.annotation):
            children[name] = visit(child, change, inner, (*path, name))
            continue
        if isinstance(child.value, dict) and not issubclass(inner, Part):
            child = replace(child, value=[child])
        if isinstance(child.value, list):
            items = enumerate(child.value)
            visited = [visit(item, change, inner, (*path, name, index)) for index, item in items]
            children[name] = replace(child, value=visited)
    return replace(node, value=children)


def normalize(tree: Node) -> Node:
    """Returns the tree with each part as a mapping of its name, its fields and its options.

    Values of the wrong shape are left for the models to report.
    """
    return visit(tree, _normalize_part)


def _normalize_part(_: KeyPath, node: Node, model: type[BaseModel]) -> Node:
    if issubclass(model, Part) and isinstance(node.value, str):
        return replace(node, value={"name": Node(node.value, node.place)})
    if not issubclass(model, Part) or not isinstance(node.value, dict):
        return node
    fields = {key: child for key, child in node.value.items() if key in model.model_fields}
    options = {key: child for key, child in node.value.items() if key not in model.model_fields}
    if not options:
        return node
    nested = fields.get("options")
    if nested is not None and isinstance(nested.value, dict):
        options = {**nested.value, **options}
    return replace(node, value={**fields, "options": Node(options, node.place)})


class PlacedPart(NamedTuple):
    """A part in a tree, with its path and its model."""

    path: KeyPath
    node: Node
    model: type[Part]


def parts(tree: Node) -> list[PlacedPart]:
    """Returns every part of a normalized tree."""
    placed_parts: list[PlacedPart] = []

    def collect(path: KeyPath, node: Node, model: type[BaseModel]) -> Node:
        if issubclass(model, Part) and node.value is not None:
            placed_parts.append(PlacedPart(path, node, model))
        return node

    visit(tree, collect)
    return placed_parts


def loss_labels(tree: Node) -> list[str]:
    """Returns the label of each loss: as written, else as `short_names` finds it."""
    listed = node_at(tree, ("losses",))
    nodes = listed.value if listed is not None and isinstance(listed.value, list) else []
    return short_names([loss if isinstance(loss, dict) else {} for loss in map(plain, nodes)])
