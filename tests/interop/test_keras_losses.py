"""Losses of Keras compute what Keras computes, in every dtype, and are audited in its words."""

import inspect
import os
from pathlib import Path

os.environ.setdefault("KERAS_BACKEND", "jax")

import jax
import jax.numpy as jnp
import keras
import keras_subclass
import numpy as np
import pytest
from helpers.command_line import invoke

from landscape import catalog
from landscape.audit import audit
from landscape.catalog.object_identity import identity
from landscape.errors import UserError
from landscape.interop.libraries import adapted, library_of
from landscape.numerics.loss_arguments import loss_arguments

FOLDER = Path(__file__).parent
SHAPES = {"Dice": (4, 3, 3), "Tversky": (4, 3, 3)}
LABELS = {"Circle", "SparseCategoricalCrossentropy"}
PUBLIC = {
    name: value
    for name, value in vars(keras.losses).items()
    if callable(value) and name not in ("Loss", "deserialize", "get", "serialize")
}
CLASSES = sorted(name for name, value in PUBLIC.items() if inspect.isclass(value))
FUNCTIONS = sorted(name for name in PUBLIC if name not in CLASSES)


def arrays(name, dtype):
    """Returns probabilities or embeddings, and targets that fit them."""
    random = np.random.default_rng(0)
    predictions = random.uniform(0.05, 0.95, SHAPES.get(name, (4, 3)))
    predictions /= predictions.sum(-1, keepdims=True)
    targets = np.eye(3)[random.integers(0, 3, predictions.shape[:-1])]
    if name in LABELS or name == "CategoricalGeneralizedCrossEntropy":
        targets = targets.argmax(-1)
    if name == "Circle":
        predictions /= np.linalg.norm(predictions, axis=-1, keepdims=True)
    return targets.astype(dtype), predictions.astype(dtype)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name", [name for name in CLASSES if name != "CTC"])
def test_value_and_gradient_of_a_class_are_those_of_keras(name, dtype):
    kind = PUBLIC[name]
    targets, predictions = arrays(name, dtype)
    with (
        jax.enable_x64(dtype == "float64"),
        jax.numpy_rank_promotion("allow"),
        jax.numpy_dtype_promotion("standard"),
    ):
        expected = jax.value_and_grad(lambda p: kind(dtype=dtype)(targets, p))(predictions)
    with jax.enable_x64(dtype == "float64"):
        for loss in (kind, kind()):
            value, gradient = jax.value_and_grad(lambda p, f=loss: adapted(f)(targets, p))(
                jnp.asarray(predictions)
            )
            assert value.dtype == gradient.dtype == dtype
            np.testing.assert_array_equal(value, expected[0])
            np.testing.assert_array_equal(gradient, expected[1])


def test_targets_of_a_wrong_shape_are_rejected_by_keras():
    with pytest.raises(UserError, match=r"raises ValueError.*max_length"):
        audit(keras.losses.CTC, task="multiclass")


@pytest.mark.parametrize("name", FUNCTIONS)
def test_functions_are_unchanged_and_take_the_targets_first(name):
    function = adapted(PUBLIC[name])
    assert function is PUBLIC[name] and library_of(function) == "Keras"
    assert loss_arguments(function, options=["q"]).targets_first


def test_options_and_reduction_of_a_class_are_options_in_a_config():
    targets, predictions = np.array([[1.0, 0.0]], "f"), np.array([[0.3, -2.0]], "f")
    for options in ({"from_logits": True, "reduction": "sum"}, {"reduction": None, "axis": 0}):
        part = catalog.Spec("keras.losses:BinaryCrossentropy", options)
        loss = catalog.build("losses", part, folder=FOLDER)
        expected = keras.losses.BinaryCrossentropy(**options)(targets, predictions)
        np.testing.assert_array_equal(loss(targets, predictions), expected)
    arguments = loss_arguments(loss, fields=["sample_weight"])
    assert arguments.targets_first and arguments.fields == ("sample_weight",)
    weighted = loss(targets, predictions, sample_weight=jnp.array([0.0, 2.0]))
    expected = keras.losses.BinaryCrossentropy(**options)(targets, predictions, [0.0, 2.0])
    np.testing.assert_array_equal(weighted, expected)


def test_a_subclass_with_keywords_has_the_options_of_keras():
    part = catalog.Spec("keras_subclass.py:Focal", {"gamma": 1.0, "reduction": "sum"})
    loss = catalog.build("losses", part, folder=FOLDER)
    targets, predictions = np.array([[1.0], [0.0]], "f"), np.array([[0.3], [-2.0]], "f")
    expected = keras_subclass.Focal(1.0, reduction="sum")(targets, predictions)
    np.testing.assert_array_equal(loss(targets, predictions), expected)


def test_equal_values_are_one_function_and_have_one_identity():
    assert adapted(keras.losses.Dice) is adapted(keras.losses.Dice)
    first, second, other = (keras_subclass.Focal(gamma) for gamma in (2.0, 2.0, 1.0))
    assert identity(first) == identity(second) != identity(other)


def test_a_subclass_is_audited_at_its_lines_in_words_of_keras():
    command = ("audit", "keras_subclass.py:Focal", "--task", "binary")
    printed = invoke(*command, cwd=FOLDER).stdout
    assert printed.splitlines()[1].strip() == "Keras loss"
    assert "keras_subclass.py:13" in printed and "ops.clip(ops.sigmoid(y_pred)" in printed
    assert "keras.losses.binary_crossentropy" in printed and "optax" not in printed


def test_functions_of_keras_ops_are_of_keras():
    assert library_of(keras_subclass.huber) == "Keras"
    assert adapted(keras_subclass.huber) is keras_subclass.huber
    assert library_of(jnp.tanh) is None


def test_another_backend_is_reported(monkeypatch):
    monkeypatch.setattr(keras.backend, "backend", lambda: "torch")
    for loss in (keras.losses.Dice, keras.losses.hinge, keras_subclass.Focal()):
        with pytest.raises(UserError, match="uses its backend `torch`, expected jax") as caught:
            adapted(loss)
        assert "KERAS_BACKEND=jax" in caught.value.hint
