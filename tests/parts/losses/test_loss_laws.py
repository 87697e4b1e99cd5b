"""Laws that every loss of every menu obeys: a new loss is tested by existing."""

import inspect
import re
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from loss_cases import (
    LABELS,
    LOSSES,
    NUMBERS,
    SHAPES,
    VARIANTS,
    Case,
    every_case,
    every_loss,
    right_and_wrong,
    shapes,
)

from landscape.errors import UserError
from landscape.numerics.compiling import jit_once

# Tasks and losses whose value has the shape of the predictions, that shape without classes, or no
# shape. The others have one value per example.
ELEMENTWISE = {
    *("regression", "binary", "multilabel", "boxes/smooth_l1", "ranking/pointwise_squared_error"),
    *("segmentation/sigmoid_cross_entropy", "segmentation/focal"),
}
PER_POSITION = {"sequence", "segmentation/softmax_cross_entropy"}
PER_BATCH = {"embedding", "ranking", "survival", "multilabel/soft_macro_f1"}
# Piecewise constant by design: nothing to descend.
FLAT = {"binary/zero_one", "multiclass/zero_one", "segmentation/hard_dice"}
# exp(100) is above the largest float32: inf is the honest value, NaN would not be.
OVERFLOWS = {"binary/exponential"}
# The gradient is not that of the value by design: a factor counts as a constant.
CONSTANT_FACTOR = {"distribution/beta_nll", "boxes/ciou"}
# Values at different scales are not comparable by design.
NOT_COMPARABLE = {"distribution/beta_nll"}


def named_in(names, case):
    return case.name in names or case.task in names


def result_shape(case):
    if named_in(ELEMENTWISE, case) and case.name not in PER_BATCH:
        return case.shape
    if named_in(PER_BATCH, case) and case.name not in ELEMENTWISE:
        return ()
    return case.shape[:-1] if named_in(PER_POSITION, case) else case.shape[:1]


def at_each(function, predictions):
    """`function` of each array of a stack of predictions, compiled once."""
    return jit_once(jax.vmap(function))(jnp.asarray(predictions))


def slopes(case, batch, predictions=None):
    at = batch.predictions if predictions is None else predictions
    return jax.jit(jax.grad(lambda p: jnp.sum(value(case, batch, p))))(jnp.asarray(at))


def value(case, batch, predictions=None):
    at = batch.predictions if predictions is None else predictions
    return case.loss(at, batch.targets, **batch.fields)


def trace(case, predictions, targets, fields, **options):
    """Calls the loss without computing anything, which is enough for an error."""
    jax.eval_shape(partial(case.loss, **options), predictions, targets, **fields)


def numeric_options(loss):
    parameters = inspect.signature(loss).parameters.values()
    return {p.name: p.default for p in parameters if isinstance(p.default, (int, float))}


def test_the_variants_and_exceptions_name_losses_that_exist():
    names = {*LOSSES, *(name.split("/")[0] for name in LOSSES)}
    sets = (VARIANTS, SHAPES, FLAT, OVERFLOWS, ELEMENTWISE, PER_BATCH, PER_POSITION)
    assert set().union(*sets, CONSTANT_FACTOR, NOT_COMPARABLE) <= names


@every_case
def test_shape_and_dtype(case):
    expected = result_shape(case)
    evaluated = jax.eval_shape(lambda b: value(case, b), case.draw())
    assert evaluated.shape == expected and evaluated.dtype == jnp.float32
    with jax.enable_x64(True):
        evaluated = jax.eval_shape(lambda b: value(case, b), case.draw(np.float64))
        assert evaluated.shape == expected and evaluated.dtype == jnp.float64
        # A wide default dtype must not leak into a narrow computation.
        assert jax.eval_shape(lambda b: value(case, b), case.draw()).dtype == jnp.float32


@every_case
def test_finite_on_random_and_extreme_predictions_and_ties(case):
    batch = case.draw()
    extremes = [
        np.where(batch.predictions > 0, 100, -100),
        *right_and_wrong(case, batch),
        np.zeros(case.shape),
        np.ones(case.shape),
        right_and_wrong(case, batch)[0] / 100,
    ]
    points = np.stack([batch.predictions, *extremes]).astype(np.float32)
    if case.name in OVERFLOWS:
        points = points[np.abs(points).reshape(len(points), -1).max(axis=1) < 50]
    values, gradients = at_each(lambda p: (value(case, batch, p), slopes(case, batch, p)), points)
    assert np.isfinite(values).all() and np.isfinite(gradients).all()


@pytest.mark.parametrize("name", OVERFLOWS)
def test_an_overflow_is_infinite_but_never_nan(name):
    case = Case(name, LOSSES[name], shapes(name)[0], True)
    batch = case.draw()
    for predictions in right_and_wrong(case, batch):
        assert not np.isnan(value(case, batch, predictions)).any()
        assert not np.isnan(slopes(case, batch, predictions)).any()


@every_case
def test_gradient_matches_central_differences(case):
    if case.name in CONSTANT_FACTOR:
        return  # a test of the loss compares its gradient with that of its formula
    with jax.enable_x64(True):
        batch, shape = case.draw(np.float64, seed=1), case.shape
        width = 1e-6
        steps = width * np.eye(batch.predictions.size).reshape(-1, *shape)
        points = batch.predictions + np.concatenate([steps, -steps, np.zeros((1, *shape))])
        risk = jax.value_and_grad(lambda p: jnp.sum(value(case, batch, p)))
        values, gradients = at_each(risk, points)
        above, below = np.split(np.asarray(values[:-1]), 2)
        numeric = np.reshape(above - below, shape) / (2 * width)
        exact = gradients[-1]
        # Rounding of the value, over the width, is what a central difference cannot see below.
        noise = 1e-15 * max(1, np.abs(above).max()) / width
        np.testing.assert_allclose(exact, numeric, rtol=1e-6, atol=10 * noise)


@every_loss
def test_only_negative_controls_have_zero_gradient_everywhere(case):
    assert np.any(slopes(case, case.draw())) == (case.name not in FLAT)


@every_case
def test_a_row_does_not_depend_on_its_neighbors(case):
    batch = case.draw()
    compiled = jax.jit(lambda batch: value(case, batch))
    together = np.asarray(compiled(batch))
    order = np.random.default_rng(2).permutation(case.shape[0])
    shuffled = compiled(jax.tree.map(lambda array: array[order], batch))
    if result_shape(case) == ():
        np.testing.assert_allclose(shuffled, together, rtol=1e-5, atol=1e-6)
        return
    np.testing.assert_allclose(shuffled, together[order], rtol=1e-5, atol=1e-6)

    def one(example):
        return value(case, jax.tree.map(lambda array: array[None], example))[0]

    alone = jax.jit(jax.vmap(one))(batch)
    np.testing.assert_allclose(alone, together, rtol=1e-5, atol=1e-6)


@every_loss
def test_the_right_prediction_is_a_minimum_and_the_wrong_one_is_not(case):
    batch = case.draw(size=200)
    points = np.stack([batch.predictions, *right_and_wrong(case, batch)]).astype(np.float32)
    between, right, wrong = np.asarray(at_each(lambda p: value(case, batch, p), points))
    mask = batch.fields.get("mask")
    counted = mask > 0 if mask is not None and mask.shape == right.shape else ...
    assert case.name in NOT_COMPARABLE or np.all(right <= between + 1e-6)
    assert np.all(right[counted] < wrong[counted])


@every_case
def test_integer_and_boolean_targets_count_as_numbers(case):
    batch = case.draw()
    whole = batch.targets.astype(np.int32)
    dtypes = [np.float32, np.int32, bool]
    if case.task in NUMBERS or len(case.shape) == 4:
        dtypes = [np.float32, np.int32]
    if case.task in LABELS:
        dtypes = [np.int32, np.uint8]

    @jit_once
    def at_targets(*targets):
        return [value(case, batch._replace(targets=array)) for array in targets]

    expected, *others = at_targets(*(whole.astype(dtype) for dtype in dtypes))
    for values in others:
        np.testing.assert_array_equal(values, expected)


@every_loss
def test_labels_that_are_not_integers_are_refused(case):
    if case.task in LABELS:
        batch = case.draw()
        with pytest.raises(UserError, match="expected integer labels"):
            trace(case, *batch._replace(targets=batch.targets.astype(np.float32)))


@every_loss
def test_options_can_be_traced(case):
    batch = case.draw()
    options = {name: np.float32(number) for name, number in numeric_options(case.loss).items()}
    predictions, targets, fields = batch
    traced = jit_once(lambda options: case.loss(predictions, targets, **fields, **options))(options)
    static = jit_once(lambda: value(case, batch))()
    np.testing.assert_allclose(traced, static, rtol=1e-5, atol=1e-6)


@every_loss
def test_an_option_that_is_not_valid_is_refused(case):
    predictions, targets, fields = case.draw()
    for option in numeric_options(case.loss):
        for bad in (float("nan"), float("inf"), "two"):
            with pytest.raises(UserError, match=f"`{option}` is {bad!r}"):
                trace(case, predictions, targets, fields, **{option: bad})
    texts = {
        name: parameter.default
        for name, parameter in inspect.signature(case.loss).parameters.items()
        if isinstance(parameter.default, str)
    }
    for option, default in texts.items():
        with pytest.raises(UserError, match=f"`{option}` is 'two'; expected .*{default}"):
            trace(case, predictions, targets, fields, **{option: "two"})


@every_case
def test_shapes_that_would_broadcast_are_refused(case):
    predictions, targets, fields = case.draw()
    same = predictions.shape == targets.shape
    for other in (targets[:1], targets[..., None], targets[:, None], targets[:-1]):
        pairs = [(predictions, other), (other, predictions)]
        for pair in pairs if same else pairs[:1]:
            with pytest.raises(UserError) as caught:
                trace(case, *pair, fields)
            assert all(str(array.shape) in caught.value.message for array in pair)


@every_case
def test_fields_of_another_shape_are_refused(case):
    predictions, targets, fields = case.draw()
    for name, values in fields.items():
        for other in (values[:1], values[..., None], values[:-1]):
            with pytest.raises(UserError, match=f"`{name}` has shape") as caught:
                trace(case, predictions, targets, fields | {name: other})
            assert str(other.shape) in caught.value.message


@every_loss
def test_integer_predictions_are_refused(case):
    batch = case.draw()
    with pytest.raises(UserError, match="predictions are int32"):
        trace(case, *batch._replace(predictions=batch.predictions.astype(np.int32)))


@pytest.mark.parametrize("name", [name for name in LOSSES if name.startswith("multiclass")])
def test_multiclass_refuses_targets_that_are_not_one_hot(name):
    logits = np.zeros((6, 4), np.float32)
    with pytest.raises(UserError, match="one-hot") as caught:
        LOSSES[name](logits, np.zeros(6, np.int32))
    assert "(6, 4)" in caught.value.message and "(6,)" in caught.value.message
    for shape in ((6,), (6, 1), (6, 4, 4)):
        with pytest.raises(UserError, match=r"\(batch, classes\)"):
            LOSSES[name](np.zeros(shape, np.float32), np.zeros(shape, np.float32))


@pytest.mark.parametrize("name", [name for name in LOSSES if name.startswith("segmentation")])
def test_segmentation_refuses_other_ranks(name):
    for shape in ((4, 4), (2, 1, 4, 4)):
        with pytest.raises(UserError, match=r"\(batch, height, width\)"):
            LOSSES[name](np.zeros(shape, np.float32), np.zeros(shape, np.float32))


@pytest.mark.parametrize("loss", LOSSES.values(), ids=LOSSES)
def test_the_docstring_has_formula_source_and_use(loss):
    first, blank, *rest = inspect.getdoc(loss).splitlines()
    assert len(first) <= 90 and first.endswith(".") and blank == ""
    text = " ".join(rest)
    assert re.search(r"Source: .*\b(17|18|19|20)\d\d\b", text)
    assert "Choose it" in text
    mentioned = first + text
    assert all(option in mentioned for option in numeric_options(loss))
