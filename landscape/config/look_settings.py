"""The config of a look: what describes a point, in the keys of an experiment."""

from dataclasses import replace
from typing import Any

from landscape.config.structure import normalize
from landscape.config.yaml_source import Node, node_at
from landscape.errors import UserError, raise_all

# Keys of an experiment that describe a training, or measurements across several.
OF_TRAINING = (
    "optimizer",
    "steps",
    "batch_size",
    "record_every",
    "target",
    "stop",
    "checkpoints",
    "across",
    "compare",
    "seeds_together",
    "sweep",
)


def look_tree(tree: Node) -> Node:
    """Returns the tree of a look with the keys of an experiment; any other tree as it is.

    With `point`, `loss` and `label` describe the only loss; the dataset, the model and the loss are
    those of the point by default. Raises UserError for keys that describe a training.
    """
    point = node_at(tree, ("point",)) if isinstance(tree.value, dict) else None
    if point is None or point.value is None:
        return tree
    raise_all([_refused(name, tree.value[name]) for name in OF_TRAINING if name in tree.value])
    tree = normalize(tree)
    values = dict(tree.value)
    point = _lifted(values)
    name = node_at(point, ("name",))
    for key in ("dataset", "model"):
        if key not in values and name is not None:
            values[key] = Node({"name": name}, point.place)
    values["losses"] = _losses(values, name)
    one = Node(1, tree.place)
    values = {"seeds": Node([Node(0, tree.place)], tree.place)} | values
    return normalize(replace(tree, value=values | {"steps": one, "record_every": one}))


def _refused(name: str, node: Node) -> UserError:
    message = f"`{name}` has no meaning for a point: nothing is trained"
    hint = "remove it, or remove `point` to train"
    return UserError(message, place=node.key or node.place, hint=hint)


def _lifted(values: dict[str, Any]) -> Node:
    """Returns the point; its model and dataset become keys of the experiment."""
    point: Node = values["point"]
    options = node_at(point, ("options",))
    if options is None or not isinstance(options.value, dict):
        return point
    inner = dict(options.value)
    for key in ("dataset", "model"):
        if key in inner:
            values.setdefault(key, inner.pop(key))
    point = replace(point, value=point.value | {"options": replace(options, value=inner)})
    values["point"] = point
    return point


def _losses(values: dict[str, Any], point: Node | None) -> Node:
    """Returns the losses of a look; takes `loss` and `label` out of the values."""
    loss, label = values.pop("loss", None), values.pop("label", None)
    losses = values.get("losses")
    if loss is not None and losses is not None:
        message = "found both `loss` and `losses`, expected one of them"
        raise UserError(message, place=losses.key or losses.place)
    if losses is None:
        default = None if point is None else Node({"name": point}, point.place)
        single = loss or default or Node({}, values["point"].place)
        losses = Node([single], single.place, single.key)
    if label is None:
        return losses
    if not isinstance(losses.value, list) or len(losses.value) != 1:
        message = "`label` names one look, but there are several losses"
        raise UserError(message, place=label.key or label.place, hint="label each of the losses")
    first = losses.value[0]
    named = first.value if isinstance(first.value, dict) else {"name": first}
    return replace(losses, value=[replace(first, value={**named, "label": label})])
