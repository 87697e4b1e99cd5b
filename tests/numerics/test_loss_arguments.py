"""The order of the arguments of a loss, and the fields that it receives by name."""

import functools

import pytest

from landscape.errors import UserError
from landscape.numerics.loss_arguments import loss_arguments, names_say_targets_first

TARGETS_FIRST = [
    ("y_true", "y_pred"),
    ("target", "input"),
    ("labels", "logits"),
    ("labels", "embeddings"),
    ("y", "y_hat"),
    ("y", "p"),
    ("t", "output"),
    ("gt", "pred"),
    ("d", "y_pred"),
    ("y", "d"),
    ("y", "x"),
    ("Y_True", "Y_Pred"),
    ("y", "prob"),
    ("y", "score"),
]
PREDICTIONS_FIRST = [
    ("y_pred", "y_true"),
    ("input", "target"),
    ("logits", "labels"),
    ("embeddings", "labels"),
    ("p", "y"),
    ("y", "t"),
    ("a", "b"),
    ("x", "mask"),
    ("output", "t"),
    ("scores", "probs"),
    ("p", "predictions"),
    ("target_logits", "x"),
    ("pred_labels", "true_labels"),
]


@pytest.mark.parametrize("names", TARGETS_FIRST)
def test_names_of_targets_before_predictions(names):
    assert names_say_targets_first(names)
    assert not names_say_targets_first(names[::-1])


@pytest.mark.parametrize("names", PREDICTIONS_FIRST)
def test_other_names_have_the_predictions_first(names):
    assert not names_say_targets_first(names)


def keras_style(y_true, y_pred, weights=None, *, scale=1.0, confidence=None):
    """A loss as in other libraries."""


@pytest.mark.parametrize(
    ("options", "fields", "description"),
    [
        ((), (), "(y_true=targets, y_pred=predictions)"),
        ((), ("weights",), "(y_true=targets, y_pred=predictions, weights=weights)"),
        ((), ("confidence", "mask"), "(y_true=targets, y_pred=predictions, confidence=confidence)"),
        (("weights",), ("weights",), "(y_true=targets, y_pred=predictions)"),
    ],
)
def test_further_parameters_receive_the_fields_of_their_names(options, fields, description):
    arguments = loss_arguments(keras_style, options=options, fields=fields)
    assert arguments.describe() == description
    assert arguments.ordered("p", "t") == ("t", "p")


def test_the_order_of_the_config_overrules_the_names():
    arguments = loss_arguments(keras_style, order="predictions-first", fields=())
    assert arguments.describe() == "(y_true=predictions, y_pred=targets)"
    bound = functools.partial(keras_style, scale=2.0)
    assert loss_arguments(bound, fields=()).targets_first
    with pytest.raises(UserError, match="unknown order"):
        loss_arguments(keras_style, order="target-first")


def requires(predictions, targets, confidence, *, weights):
    """A loss that needs two fields."""


def test_a_required_parameter_is_an_option_or_a_field():
    both = loss_arguments(requires, fields=("weights", "confidence"))
    assert both.fields == ("confidence", "weights")
    with pytest.raises(UserError) as missing:
        loss_arguments(requires, options=("weights",), fields=("mask", "weights"))
    assert (
        "loss `requires` requires `confidence`, which is neither an option" in missing.value.message
    )
    assert "fields of the dataset: mask, weights" in missing.value.hint
    assert missing.value.place.line == requires.__code__.co_firstlineno
    with pytest.raises(UserError) as missing:
        loss_arguments(requires, fields=())
    assert "the dataset has no fields" in missing.value.hint


def test_a_function_of_one_argument_is_no_loss():
    with pytest.raises(UserError, match=r"takes too few arguments by position \(x\)") as audited:
        loss_arguments(lambda x: x)
    assert "--kind activation" in audited.value.hint
    with pytest.raises(UserError, match="a metric takes predictions and targets") as configured:
        loss_arguments(lambda x: x, fields=(), what="metric")
    assert "a function that returns a metric" in configured.value.hint
