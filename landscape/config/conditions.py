"""The conditions under which losses are compared again: one changed setting each."""

from typing import Any, NamedTuple

from landscape.catalog import find
from landscape.config.compare_settings import CompareSettings
from landscape.config.fields import Experiment
from landscape.config.overrides import locate
from landscape.config.resolve import resolve
from landscape.config.structure import normalize
from landscape.config.yaml_source import Node, deepest_node, placed, plain, put
from landscape.errors import Place, UserError, raise_all

# The loss to which others are compared if the config names none; one per task.
USUAL_LOSSES = ("softmax_cross_entropy", "sigmoid_cross_entropy", "squared_error")
_KEYS = {
    "initialization": "model.initialization",
    "batch_size": "batch_size",
    "label_noise": "dataset.label_noise",
    "imbalance": "dataset.imbalance",
    "train_size": "dataset.train_size",
}
_HIDDEN_LAYERS = (1, 2, 4)
_MODEL_DEPTHS = {"resnet": (8, 14, 20), "unet": (1, 2, 3)}


class Condition(NamedTuple):
    """A value of an axis, and the dotted key that it sets.

    `swept`: the setting that it changes; empty if it is that of the config.
    """

    axis: str
    key: str
    value: Any
    swept: dict[str, Any]


def compare_settings(experiment: Experiment) -> CompareSettings:
    """Returns the `compare` block of an experiment, or its defaults."""
    return experiment.compare or CompareSettings.model_construct()


def reference_label(experiment: Experiment) -> str:
    """Returns the label of the loss to which the others are compared.

    As configured, else the first usual loss of a task, else the first loss.
    """
    configured = compare_settings(experiment).reference
    usual = [loss.label for loss in experiment.losses if loss.name in USUAL_LOSSES]
    return configured or (usual or [experiment.losses[0].label])[0]


def conditions(experiment: Experiment) -> tuple[Condition, ...]:
    """Returns the conditions of the robustness axes, in the order of the config.

    Raises UserError if the model has no depth.
    """
    tree = placed(experiment.model_dump(mode="json"), Place("compare.robustness"))
    return tuple(
        _condition(experiment, tree, axis, value)
        for axis, values in compare_settings(experiment).robustness.items()
        for value in (_depths(experiment) if values is None else values)
    )


def check_conditions(experiment: Experiment, tree: Node) -> None:
    """Raises UserError that lists every condition that the config cannot have."""
    axes = deepest_node(tree, ("compare", "robustness"))
    errors = []
    for condition in conditions(experiment):
        full = placed(experiment.model_dump(mode="json") | {"sweep": {}}, axes.place)
        try:
            for key, value in condition.swept.items():
                path = locate(full, key)
                full = normalize(put(full, path, placed(value, axes.place)))
            resolve(full, experiment.folder)
        except UserError as error:
            message = f"robustness axis `{condition.axis}`: {error.message}"
            errors.append(UserError(message, place=axes.place, hint=error.hint))
    raise_all(errors)


def _condition(experiment: Experiment, tree: Node, axis: str, value: Any) -> Condition:
    if axis == "depth":
        key, setting = _depth_setting(experiment, value)
    else:
        key, setting = _KEYS[axis], value
    present = plain(deepest_node(tree, locate(tree, key)))
    unchanged = present == setting or (axis, present, setting) == ("train_size", None, 1.0)
    return Condition(axis, key, value, {} if unchanged else {key: setting})


def _depth_setting(experiment: Experiment, depth: Any) -> tuple[str, Any]:
    """Returns the setting of the model for a depth: hidden layers of equal width, or an option."""
    model = experiment.model
    if "depth" in _options(experiment):
        return "model.depth", depth
    widths = model.options.get("widths")
    if not isinstance(widths, list) or not widths:
        raise UserError(
            f"robustness axis `depth`: the model `{model.name}` has no depth",
            hint="remove the axis, or use a model with `widths` or `depth`",
        )
    if type(depth) is not int or not 1 <= depth <= 100:
        raise UserError(f"robustness axis `depth`: found {depth!r}, expected 1 to 100 layers")
    return "model.widths", [widths[0]] * depth


def _depths(experiment: Experiment) -> tuple[int, ...]:
    """Returns the default grid of depths of the model."""
    if "depth" not in _options(experiment):
        return _HIDDEN_LAYERS
    name = experiment.model.name
    if name not in _MODEL_DEPTHS:
        raise UserError(
            f"robustness axis `depth` has no default values for the model `{name}`",
            hint="write the values: `robustness: {depth: [2, 4]}`",
        )
    return _MODEL_DEPTHS[name]


def _options(experiment: Experiment) -> set[str]:
    entries = find("models", experiment.model.name, experiment.folder)
    return {option for entry in entries for option in entry.options} | {*experiment.model.options}
