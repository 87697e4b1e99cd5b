"""Laws that every loss of every menu obeys: a new loss is tested by existing."""

import inspect
import re
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from landscape.errors import UserError
from landscape.numerics.compiling import jit_once
from landscape.parts.losses import binary, multiclass, regression, segmentation

MODULES = (regression, binary, multiclass, segmentation)
SHAPES = {
    "regression": [(6,), (6, 3)],
    "binary": [(6,), (6, 3)],
    "multiclass": [(6, 4)],
    "segmentation": [(6, 5, 4)],
}
PIXELWISE = {"segmentation/sigmoid_cross_entropy", "segmentation/focal"}
# Piecewise constant by design: nothing to descend.
FLAT = {"binary/zero_one", "multiclass/zero_one", "segmentation/hard_dice"}
# exp(100) is above the largest float32: inf is the honest value, NaN would not be.
OVERFLOWS = {"binary/exponential"}
# Options under which the formula is another one than under the defaults.
VARIANTS = {
    "regression/huber": [{"delta": 0.3}],
    "regression/quantile": [{"level": 0.9}],
    "regression/barron": [
        {"alpha": alpha, "scale": 0.7}
        for alpha in (2, 2 - 1e-7, 2.5, 0.5, 1e-12, 0.0, -1e-3, -2.0, -1e5, -np.inf)
    ],
    "binary/focal": [{"gamma": 0.0}, {"gamma": 0.5, "alpha": 0.25}],
    "multiclass/softmax_cross_entropy": [{"label_smoothing": 0.2}],
    "multiclass/focal": [{"gamma": 0.0}, {"gamma": 0.5}],
    "multiclass/logsumexp_margin": [{"temperature": 0.1}],
    "multiclass/generalized_cross_entropy": [{"q": 1.0}, {"q": 1e-6}],
    "segmentation/focal_tversky": [{"gamma": 0.5}, {"gamma": 3.0}],
    "segmentation/focal": [{"gamma": 0.5, "alpha": 0.25}],
}


def public_functions(module):
    return {
        name: function
        for name, function in vars(module).items()
        if inspect.isfunction(function)
        and function.__module__ == module.__name__
        and not name.startswith("_")
    }


LOSSES = {
    f"{module.__name__.rsplit('.', 1)[1]}/{name}": function
    for module in MODULES
    for name, function in public_functions(module).items()
}


def cases():
    for name, loss in LOSSES.items():
        shapes = SHAPES[name.split("/")[0]]
        pairs = [({}, shape) for shape in shapes]
        pairs += [(options, shapes[-1]) for options in VARIANTS.get(name, [])]
        for options, shape in pairs:
            given = partial(loss, **options)
            yield pytest.param(name, given, shape, id=f"{name}-{options}-{shape}")


CASES = list(cases())
every_case = pytest.mark.parametrize(("name", "loss", "shape"), CASES)
every_loss = pytest.mark.parametrize(("name", "loss"), LOSSES.items())


def make(name, shape, dtype=np.float32, seed=0):
    rng = np.random.default_rng(seed)
    predictions = 2 * rng.normal(size=shape)
    return predictions.astype(dtype), make_targets(name, shape, rng).astype(dtype)


def make_targets(name, shape, rng):
    task = name.split("/")[0]
    if task == "regression":
        return 2 * rng.normal(size=shape)
    if task == "multiclass":
        return np.eye(shape[1])[rng.integers(shape[1], size=shape[0])]
    return rng.integers(2, size=shape).astype(float)


def at_each(function, predictions):
    """`function` of each array of a stack of predictions, compiled once."""
    return jit_once(jax.vmap(function))(jnp.asarray(predictions))


def right_and_wrong(name, targets):
    if name.startswith("regression"):
        return targets, targets + 100
    return 100 * (2 * targets - 1), -100 * (2 * targets - 1)


def slopes(loss, predictions, targets):
    return jax.jit(jax.grad(lambda p: jnp.sum(loss(p, targets))))(jnp.asarray(predictions))


def numeric_options(loss):
    parameters = inspect.signature(loss).parameters.values()
    return {p.name: p.default for p in parameters if isinstance(p.default, (int, float))}


def test_the_variants_and_exceptions_name_losses_that_exist():
    assert {*VARIANTS, *FLAT, *OVERFLOWS, *PIXELWISE} <= set(LOSSES)


@every_case
def test_shape_and_dtype(name, loss, shape):
    each_row = name.startswith(("multiclass", "segmentation")) and name not in PIXELWISE
    expected = shape[:1] if each_row else shape
    found = jax.eval_shape(loss, *make(name, shape))
    assert found.shape == expected and found.dtype == jnp.float32
    with jax.enable_x64(True):
        found = jax.eval_shape(loss, *make(name, shape, np.float64))
        assert found.shape == expected and found.dtype == jnp.float64
        # A wide default dtype must not leak into a narrow computation.
        assert jax.eval_shape(loss, *make(name, shape)).dtype == jnp.float32


@every_case
def test_finite_on_random_and_extreme_predictions_and_ties(name, loss, shape):
    predictions, targets = make(name, shape)
    extremes = [
        np.where(predictions > 0, 100, -100),
        *right_and_wrong(name, targets),
        np.zeros(shape),
        np.ones(shape),
        2 * targets - 1,
    ]
    points = np.stack([predictions, *extremes]).astype(np.float32)
    if name in OVERFLOWS:
        points = points[np.abs(points).reshape(len(points), -1).max(axis=1) < 50]
    values, gradients = at_each(lambda p: (loss(p, targets), slopes(loss, p, targets)), points)
    assert np.isfinite(values).all() and np.isfinite(gradients).all()


@pytest.mark.parametrize("name", OVERFLOWS)
def test_an_overflow_is_infinite_but_never_nan(name):
    targets = make(name, SHAPES[name.split("/")[0]][0])[1]
    for at in right_and_wrong(name, targets):
        assert not np.isnan(LOSSES[name](at, targets)).any()
        assert not np.isnan(slopes(LOSSES[name], at, targets)).any()


@every_case
def test_gradient_matches_central_differences(name, loss, shape):
    with jax.enable_x64(True):
        predictions, targets = make(name, shape, np.float64, seed=1)
        width = 1e-6
        steps = width * np.eye(predictions.size).reshape(-1, *shape)
        points = predictions + np.concatenate([steps, -steps, np.zeros((1, *shape))])
        risk = jax.value_and_grad(lambda p: jnp.sum(loss(p, targets)))
        values, gradients = at_each(risk, points)
        above, below = np.split(np.asarray(values[:-1]), 2)
        numeric = np.reshape(above - below, shape) / (2 * width)
        exact = gradients[-1]
        # Rounding of the value, over the width, is what a central difference cannot see below.
        noise = 1e-15 * max(1, np.abs(above).max()) / width
        np.testing.assert_allclose(exact, numeric, rtol=1e-6, atol=10 * noise)


@every_loss
def test_only_negative_controls_have_zero_gradient_everywhere(name, loss):
    predictions, targets = make(name, SHAPES[name.split("/")[0]][-1])
    assert np.any(slopes(loss, predictions, targets)) == (name not in FLAT)


@every_case
def test_a_row_does_not_depend_on_its_neighbors(name, loss, shape):
    predictions, targets = make(name, shape)
    compiled = jax.jit(loss)
    together = np.asarray(compiled(predictions, targets))
    order = np.random.default_rng(2).permutation(shape[0])
    shuffled = compiled(predictions[order], targets[order])
    np.testing.assert_allclose(shuffled, together[order], rtol=1e-5, atol=1e-6)
    alone = jax.jit(jax.vmap(lambda p, t: loss(p[None], t[None])[0]))(predictions, targets)
    np.testing.assert_allclose(alone, together, rtol=1e-5, atol=1e-6)


@every_loss
def test_the_right_prediction_is_a_minimum_and_the_wrong_one_is_not(name, loss):
    shape = SHAPES[name.split("/")[0]][-1]
    predictions, targets = make(name, (200, *shape[1:]))
    points = np.stack([predictions, *right_and_wrong(name, targets)]).astype(np.float32)
    between, right, wrong = np.asarray(at_each(lambda p: loss(p, targets), points))
    assert np.all(right <= between + 1e-6)
    assert np.all(right < wrong)


@every_case
def test_integer_and_boolean_targets_count_as_numbers(name, loss, shape):
    predictions, targets = make(name, shape)
    whole = targets.astype(np.int32)
    kinds = (
        [np.float32, np.int32] if name.startswith("regression") else [np.float32, np.int32, bool]
    )

    @jit_once
    def at_targets(*targets):
        return [loss(predictions, one) for one in targets]

    expected, *others = at_targets(*(whole.astype(kind) for kind in kinds))
    for values in others:
        np.testing.assert_array_equal(values, expected)


@every_loss
def test_options_can_be_traced(name, loss):
    predictions, targets = make(name, SHAPES[name.split("/")[0]][-1])
    options = {option: np.float32(value) for option, value in numeric_options(loss).items()}
    traced = jit_once(lambda options: loss(predictions, targets, **options))(options)
    static = jit_once(loss)(predictions, targets)
    np.testing.assert_allclose(traced, static, rtol=1e-5, atol=1e-6)


@every_loss
@pytest.mark.parametrize("bad", [float("nan"), float("inf"), "two"])
def test_an_option_that_is_not_a_valid_number_is_refused(name, loss, bad):
    predictions, targets = make(name, SHAPES[name.split("/")[0]][-1])
    for option in numeric_options(loss):
        with pytest.raises(UserError, match=f"`{option}` is {bad!r}"):
            loss(predictions, targets, **{option: bad})


@every_case
def test_shapes_that_would_broadcast_are_refused(name, loss, shape):
    predictions, targets = make(name, shape)
    for other in (targets[:1], targets[..., None], targets[:, None], targets[:-1]):
        for pair in ((predictions, other), (other, predictions)):
            with pytest.raises(UserError) as caught:
                loss(*pair)
            assert all(str(array.shape) in caught.value.message for array in pair)


@every_loss
def test_integer_predictions_are_refused(name, loss):
    predictions, targets = make(name, SHAPES[name.split("/")[0]][-1])
    with pytest.raises(UserError, match="predictions are int32"):
        loss(predictions.astype(np.int32), targets)


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


@every_loss
def test_the_docstring_has_formula_source_and_use(name, loss):
    first, blank, *rest = inspect.getdoc(loss).splitlines()
    assert len(first) <= 90 and first.endswith(".") and blank == ""
    text = " ".join(rest)
    assert re.search(r"Source: .*\b(17|18|19|20)\d\d\b", text)
    assert "Choose it" in text
    mentioned = first + text
    assert all(option in mentioned for option in numeric_options(loss))
