import functools
import json
import math
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.flatten_util import ravel_pytree

from landscape.numerics import curvature
from landscape.numerics.curvature.describe import exact_eigenvalues
from landscape.numerics.loss import Loss, Targets
from landscape.numerics.risk import Examples, mean_risk
from landscape.parts.datasets.images import digits
from landscape.parts.losses import multiclass, regression
from landscape.parts.metrics import Snapshot, gradient_norm
from landscape.parts.models import Model
from landscape.parts.models.cnn import cnn
from landscape.parts.models.dense import linear, mlp
from landscape.storage.curvature_records import OperatorRecord
from landscape.storage.schema import from_text, to_plain

RNG = np.random.default_rng(4)
SIZE = 20  # parameters of the bowls
LAYERS = {"first": slice(0, 12), "second": slice(12, 20)}  # in the order of ravel_pytree


# A model that predicts its own parameters, and examples that bring their own quadratic form: the
# risk is p'Ap / 2 with A the mean of the targets, so one compiled program serves every matrix.
def flattened(params, inputs):
    return jnp.broadcast_to(ravel_pytree(params)[0], (len(inputs), SIZE))


itself = Model(init=lambda key: None, apply=flattened, filter_axes=lambda params: None)


def bowl(predictions, targets):
    return 0.5 * jnp.einsum("ni,nij,nj->n", predictions, targets, predictions)


def as_params(vector):
    vector = jnp.asarray(vector)
    return {
        "first": {"weight": vector[:12].reshape(3, 4)},
        "second": {"bias": vector[12:15], "weight": vector[15:].reshape(5, 1)},
    }


def as_examples(*matrices):
    targets = jnp.asarray(np.stack(matrices), float)
    return Examples(jnp.zeros((len(matrices), 1)), Targets(targets))


def flat_rows(tree):
    leaves = [np.asarray(leaf, np.float64) for leaf in jax.tree.leaves(tree)]
    return np.hstack([leaf.reshape(len(leaf), -1) for leaf in leaves])


AXES = np.linalg.qr(RNG.normal(size=(SIZE, SIZE)))[0]


def rotated(eigenvalues):
    values = np.zeros(SIZE)
    values[: len(eigenvalues)] = eigenvalues
    return AXES @ np.diag(values) @ AXES.T


MATRICES = {
    "both signs": rotated([7.0, 5, 4, 3, -6, -2, -1, *np.linspace(-0.5, 0.5, 13)]),
    "zero": np.zeros((SIZE, SIZE)),
    "identity": np.eye(SIZE),
    "minus three": -3 * np.eye(SIZE),
    "rank 1": rotated([5.0]),
    "rank 3": rotated([3.0, 1, -2]),
    "ones": np.ones((SIZE, SIZE)),
    "two values": rotated([1.0] * 10 + [2.0] * 10),
    "two values on the axes": np.diag([1.0] * 10 + [0.0] * 10),
    "swaps": np.kron(np.eye(SIZE // 2), [[0.0, 1.0], [1.0, 0.0]]),
    "tiny": 1e-30 * np.diag(np.arange(-4.0, 16.0)),
    "huge": 1e30 * np.diag(np.arange(-4.0, 16.0)),
}
FEW_VALUES = [name for name in MATRICES if name not in ("both signs", "tiny", "huge")]
POINT = RNG.normal(size=SIZE)

OPERATORS = {
    "hessian": curvature.hessian_product,
    "gauss_newton": curvature.gauss_newton_product,
}
products = {
    name: functools.partial(make(itself, batch_size=8), Loss(bowl))
    for name, make in OPERATORS.items()
}


@functools.cache
def find_extremes(iterations):
    return jax.jit(curvature.extremes(products["hessian"], count=4, iterations=iterations))


@functools.cache
def find_quadrature(iterations):
    return jax.jit(curvature.quadrature(products["hessian"], probes=12, iterations=iterations))


def in_precision(dtype):
    return jax.enable_x64(dtype == "float64")


def size(matrix):
    """The largest absolute eigenvalue, or 1 for a matrix of zeros."""
    return np.abs(np.linalg.eigvalsh(matrix)).max() or 1.0


def quadrature(name, iterations):
    with in_precision("float64"):
        return jax.device_get(
            find_quadrature(iterations)(
                jax.random.key(3), as_params(POINT), as_examples(MATRICES[name])
            )
        )


@pytest.mark.parametrize(
    ("name", "iterations", "dtype"),
    [(name, 1000, dtype) for name in MATRICES for dtype in ("float32", "float64")]
    + [(name, 12, "float32") for name in FEW_VALUES],
)
def test_extremes_are_the_eigenvalues_with_their_multiplicity(name, iterations, dtype):
    """With one iteration per parameter, or fewer if the matrix has few eigenvalues."""
    matrix = MATRICES[name]
    with in_precision(dtype):
        rounding = float(jnp.finfo(dtype).eps) * size(matrix)
        found = find_extremes(iterations)(
            jax.random.key(1), as_params(POINT.astype(dtype)), as_examples(matrix)
        )
        assert found.largest.dtype == dtype
    values = np.linalg.eigvalsh(matrix)
    np.testing.assert_allclose(found.largest, values[::-1][:4], rtol=0, atol=20 * rounding)
    np.testing.assert_allclose(found.smallest, values[:4], rtol=0, atol=20 * rounding)
    for side in ("largest", "smallest"):
        vectors = flat_rows(getattr(found, f"{side}_vectors"))
        np.testing.assert_allclose(
            vectors @ vectors.T, np.eye(4), atol=20 * rounding / size(matrix)
        )
        value = np.asarray(getattr(found, side), np.float64)
        residual = np.linalg.norm(vectors @ matrix - value[:, None] * vectors, axis=1)
        reported = np.asarray(getattr(found, f"{side}_residuals"))
        np.testing.assert_allclose(reported, residual, rtol=0, atol=20 * rounding)
        assert (reported <= 100 * rounding).all()


def test_vectors_are_the_principal_axes_of_the_bowl():
    found = find_extremes(1000)(
        jax.random.key(2), as_params(POINT.astype("float32")), as_examples(MATRICES["both signs"])
    )
    largest = np.abs(flat_rows(found.largest_vectors) @ AXES[:, [0, 1, 2, 3]])
    smallest = np.abs(flat_rows(found.smallest_vectors) @ AXES[:, [4, 5, 6]])
    np.testing.assert_allclose(largest, np.eye(4), atol=1e-5)
    np.testing.assert_allclose(smallest[:3], np.eye(3), atol=1e-5)


def test_too_few_iterations_stay_inside_the_spectrum_with_correct_residuals():
    matrix = rotated(np.linspace(-1, 2, SIZE))
    values = np.linalg.eigvalsh(matrix)
    for number in range(5):
        found = find_extremes(12)(
            jax.random.key(number), as_params(POINT.astype("float32")), as_examples(matrix)
        )
        largest, smallest = np.asarray(found.largest), np.asarray(found.smallest)
        assert (np.diff(largest) < 0).all() and (np.diff(smallest) > 0).all()
        assert (largest <= values[::-1][:4] + 1e-6).all()
        assert (smallest >= values[:4] - 1e-6).all()
        for value, residual in zip(
            [*largest, *smallest],
            [*found.largest_residuals, *found.smallest_residuals],
            strict=True,
        ):
            assert np.abs(values - value).min() <= residual + 1e-6
        assert found.largest_residuals[3] > 0.01


def test_one_parameter_has_one_eigenvalue():
    alone = Model(lambda key: None, lambda p, x: p["a"] * x, lambda params: None)
    product = functools.partial(
        curvature.hessian_product(alone, batch_size=8), Loss(lambda p, t: jnp.sin(p))
    )
    examples = Examples(jnp.asarray([1.0, 2.0]), Targets(jnp.zeros(2)))
    found = curvature.extremes(product, count=5, iterations=30)(
        jax.random.key(0), {"a": jnp.asarray(0.7)}, examples
    )
    expected_product = -(math.sin(0.7) + 4 * math.sin(1.4)) / 2
    np.testing.assert_allclose(found.largest, [expected_product], rtol=1e-6)
    np.testing.assert_allclose(found.smallest, [expected_product], rtol=1e-6)


def test_a_risk_that_is_not_finite_has_eigenvalues_that_are_not_finite():
    broken = np.full((SIZE, SIZE), np.nan)
    params = as_params(POINT.astype("float32"))
    found = find_extremes(12)(jax.random.key(0), params, as_examples(broken))
    assert np.isnan(found.largest).all() and np.isnan(found.smallest_residuals).all()
    for node in (np.nan, np.inf):
        curve = curvature.density([[0.0, node]], [[0.5, 0.5]], points=50)
        assert np.isnan(curve.mean).all() and np.isnan(curve.width)


@pytest.mark.parametrize("name", MATRICES)
@pytest.mark.parametrize("iterations", [6, 1000])
def test_quadrature_is_a_gauss_rule_whose_nodes_are_eigenvalues(name, iterations):
    """For signs z and a diagonal matrix, z'A^p z = trace(A^p) for every probe, so the rule must
    give it up to degree 11 with six nodes; for any matrix it may not leave the spectrum."""
    matrix, (nodes, weights) = MATRICES[name], quadrature(name, iterations)
    values, scale = np.linalg.eigvalsh(matrix), size(matrix)
    assert nodes.shape == weights.shape == (12, min(iterations, SIZE))
    assert (nodes >= values.min() - 1e-12 * scale).all()
    assert (nodes <= values.max() + 1e-12 * scale).all()
    assert (weights >= 0).all()
    np.testing.assert_allclose(weights.sum(axis=1), 1, rtol=1e-12)
    if np.count_nonzero(matrix - np.diag(np.diag(matrix))) == 0:
        for degree in range(12):
            moments = np.sum(weights * (nodes / scale) ** degree, axis=1)
            np.testing.assert_allclose(moments, np.mean((values / scale) ** degree), atol=1e-12)


@pytest.mark.parametrize("name", MATRICES)
def test_density_integrates_to_one_and_has_the_moments_of_the_spectrum(name):
    matrix, (nodes, weights) = MATRICES[name], quadrature(name, 1000)
    curve = curvature.density(nodes, weights)
    grid, values = curve.eigenvalue / size(matrix), np.linalg.eigvalsh(matrix) / size(matrix)
    mean, width = curve.mean * size(matrix), curve.width / size(matrix)
    assert len(grid) == 200 and width > 0
    assert grid[0] < values.min() and grid[-1] > values.max()
    assert (curve.low <= curve.high).all() and (curve.low >= 0).all()
    first, second = (np.sum(weights * (nodes / size(matrix)) ** p, axis=1) for p in (1, 2))
    assert abs(np.trapezoid(mean, grid) - 1) < 2e-6
    for power, samples, beyond in ((1, first, 0), (2, second, width**2)):
        error = samples.std(ddof=1) / np.sqrt(len(samples))
        expected_product = np.mean(values**power) + beyond
        assert abs(np.trapezoid(mean * grid**power, grid) - expected_product) <= 5 * error + 1e-5


def test_density_of_single_eigenvalues_is_a_sum_of_gaussians():
    curve = curvature.density([[0.0, 2.0], [0.0, 2.0], [1.0, 2.0]], [[0.25, 0.75]] * 3, width=0.1)

    def bell(center):
        return np.exp(-((curve.eigenvalue - center) ** 2) / 0.02) / (0.1 * np.sqrt(2 * np.pi))

    assert curve.width == 0.1
    expected_product = 0.75 * bell(2) + 0.25 * (2 * bell(0) + bell(1)) / 3
    np.testing.assert_allclose(curve.mean, expected_product, atol=1e-12)
    assert curve.high[np.argmin(np.abs(curve.eigenvalue))] > 0.7
    assert curve.low[np.argmin(np.abs(curve.eigenvalue - 1))] < 1e-3
    sharp = curvature.density([[0.0, 1.0]], [[0.5, 0.5]], points=60, width=1e-9)
    assert abs(np.trapezoid(sharp.mean, sharp.eigenvalue) - 1) < 2e-6


PROBES = 32


@jax.jit
def sample_often(keys, params, examples):
    sample = curvature.traces(products["hessian"], probes=PROBES)
    return jax.vmap(lambda key: sample(key, params, examples)._replace(sizes={}))(keys)


def estimate_often(matrix, repetitions):
    """Returns, per quantity, its true value and estimates with errors, (repetitions, 2)."""
    keys = jax.random.split(jax.random.key(6), repetitions)
    params = as_params(POINT.astype("float32"))
    samples = jax.device_get(sample_often(keys, params, as_examples(matrix)))
    assert samples.trace.shape == (repetitions, PROBES)
    found = [
        curvature.mean_and_error(jax.tree.map(lambda a, i=i: a[i], samples))
        for i in range(repetitions)
    ]
    yield np.trace(matrix), np.array([f.trace for f in found])
    yield np.linalg.norm(matrix), np.array([f.frobenius for f in found])
    for layer, part in LAYERS.items():
        yield np.trace(matrix[part, part]), np.array([f.layers[layer] for f in found])


def test_standard_errors_have_the_right_coverage():
    """About 68% and 95% of the estimates lie within one and two of their errors."""
    for truth, found in estimate_often(MATRICES["both signs"], 2000):
        value, error = found.T
        off = np.abs(value - truth)
        assert abs(np.mean(off <= error) - 0.68) < 0.04
        assert abs(np.mean(off <= 2 * error) - 0.95) < 0.03
        assert abs(value.mean() - truth) < 5 * value.std() / np.sqrt(2000) + 0.02 * error.mean()


@pytest.mark.parametrize("name", ["zero", "identity", "two values on the axes"])
def test_estimates_of_diagonal_matrices_have_no_error(name):
    for truth, found in estimate_often(MATRICES[name], 2000):
        np.testing.assert_allclose(found, [[truth, 0]] * 2000, atol=1e-6 * (1 + truth))


def test_a_single_probe_has_no_error():
    samples = curvature.TraceSamples(np.ones(1), np.ones(1), {"a": np.ones(1)}, {"a": 3})
    found = curvature.mean_and_error(samples)
    assert found.trace.value == found.frobenius.value == found.layers["a"].value == 1
    assert np.isnan([found.trace.error, found.frobenius.error, found.layers["a"].error]).all()


@pytest.mark.parametrize("make", OPERATORS.values(), ids=OPERATORS)
def test_linear_regression_has_the_curvature_of_its_inputs_in_batches_too(make):
    rng = np.random.default_rng(1)
    inputs = rng.normal(size=(20, 4)).astype(np.float32)
    model = Model(lambda key: None, lambda p, x: x @ p["w"], lambda params: None)
    examples = Examples(jnp.asarray(inputs), Targets(jnp.asarray(rng.normal(size=20), jnp.float32)))
    gram = inputs.T.astype(float) @ inputs / 20
    point = {"w": jnp.asarray([0.3, -1.0, 2.0, 0.0])}
    for batch_size in (7, 20):
        product = functools.partial(
            make(model, batch_size=batch_size), Loss(regression.squared_error)
        )
        matrix = curvature.dense(product)
        np.testing.assert_allclose(matrix(point, examples), 2 * gram, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("operator", ["hessian", "gauss_newton"])
def test_every_example_has_the_same_weight_in_every_batch(operator):
    matrices = np.random.default_rng(2).normal(size=(19, SIZE, SIZE))
    matrices = matrices + matrices.transpose(0, 2, 1)
    with in_precision("float64"):
        found = curvature.dense(products[operator])(as_params(POINT), as_examples(*matrices))
    np.testing.assert_allclose(found, matrices.mean(axis=0), rtol=1e-12, atol=1e-12)


def test_a_loss_over_the_whole_batch_has_curvature_across_examples():
    """The mean over batches of (sum of the predictions)^2 / 2, for which L is a matrix of ones."""
    inputs = np.random.default_rng(3).normal(size=(5, 3)).astype(np.float32)
    model = Model(lambda key: None, lambda p, x: x @ p, lambda params: None)
    product = functools.partial(
        curvature.gauss_newton_product(model, batch_size=4),
        Loss(lambda p, t: 0.5 * jnp.sum(p) ** 2),
    )
    found = curvature.dense(product)(
        jnp.ones(3), Examples(jnp.asarray(inputs), Targets(jnp.zeros(5)))
    )
    first, last = inputs[:4].sum(axis=0, dtype=float), inputs[4].astype(float)
    expected_product = (4 * np.outer(first, first) + np.outer(last, last)) / 5
    np.testing.assert_allclose(found, expected_product, rtol=1e-5)


def test_products_have_full_precision_on_every_device():
    model = linear((3,), 2)
    params, key = model.init(jax.random.key(0)), jax.random.key(1)
    examples = Examples(jnp.ones((9, 3)), Targets(jnp.ones((9, 2))))
    for make in OPERATORS.values():
        product = functools.partial(make(model, batch_size=4), Loss(multiclass.brier))
        for program, first in (
            (product, params),
            (curvature.extremes(product, count=2, iterations=4), key),
            (curvature.traces(product, probes=2), key),
            (curvature.quadrature(product, probes=2, iterations=4), key),
        ):
            arguments = (params, first) if program is product else (first, params)
            text = str(jax.make_jaxpr(program)(*arguments, examples))
            assert text.count("dot_general[") > 0
            assert text.count("dot_general[") == text.count("precision=(Precision.HIGHEST")


# Networks: the loss of an example is chosen by its target, so that one program serves all losses.
CLASSES, COUNT = 5, 40
MENU = ["softmax_cross_entropy", "focal", "brier", "multiclass_hinge"]
CONVEX = {"softmax_cross_entropy", "multiclass_hinge"}


def any_loss(predictions, targets):
    onehot, choice = targets[:, :CLASSES], targets[:, CLASSES:]
    values = [getattr(multiclass, name)(predictions, onehot) for name in MENU]
    return jnp.sum(jnp.stack(values, axis=1) * choice, axis=1)


MODELS = {
    "linear": (linear, {}),
    "mlp": (mlp, {"widths": (6,), "activation": "tanh"}),
    "cnn": (cnn, {"channels": (4,), "widths": (), "activation": "relu"}),
}


class Network(NamedTuple):
    """A trained model and, by loss, its curvature in float64 from the definitions."""

    model: Model
    params: Any
    examples: dict[str, Examples]
    hessians: dict[str, np.ndarray]
    gauss_newtons: dict[str, np.ndarray]


def menu_losses(predictions, onehot):
    return jnp.stack([getattr(multiclass, name)(predictions, onehot) for name in MENU])


@jax.jit
def loss_curvature(predictions, onehot):
    """Second derivatives of every loss in the prediction: (losses, examples, classes, classes)."""
    one = jax.hessian(lambda p, t: menu_losses(p[None], t[None])[:, 0])
    return jnp.moveaxis(jax.vmap(one)(predictions, onehot), 1, 0)


@functools.cache
def network(name):
    factory, options = MODELS[name]
    model = factory((1, 8, 8), CLASSES, **options)
    data = digits(0).train
    chosen = np.flatnonzero(data.targets < CLASSES)[:COUNT]
    inputs, onehot = data.inputs[chosen], np.eye(CLASSES)[data.targets[chosen]]
    choices = np.eye(len(MENU)).repeat(COUNT, axis=0).reshape(len(MENU), COUNT, len(MENU))
    examples = {
        loss: Examples(
            jnp.asarray(inputs), Targets(jnp.asarray(np.hstack([onehot, choice]), jnp.float32))
        )
        for loss, choice in zip(MENU, choices, strict=True)
    }
    params = model.init(jax.random.key(0))
    risk = functools.partial(mean_risk(model), Loss(multiclass.softmax_cross_entropy))
    slope = jax.jit(jax.grad(risk))
    for _ in range(20):
        slopes = slope(
            params, Examples(jnp.asarray(inputs), Targets(jnp.asarray(onehot, jnp.float32)))
        )
        params = jax.tree.map(lambda w, g: w - 0.1 * g, params, slopes)

    with jax.enable_x64(True):
        point, unravel = ravel_pytree(jax.tree.map(lambda a: a.astype(float), params))
        x, t = jnp.asarray(inputs, float), jnp.asarray(onehot)

        def predict(vector):
            return model.apply(unravel(vector), x)

        hessians = jax.jit(jax.hessian(lambda v: menu_losses(predict(v), t).mean(axis=1)))(point)
        jacobian = np.asarray(jax.jit(jax.jacfwd(predict))(point))
        loss_curvatures = np.asarray(loss_curvature(predict(point), t))
    gauss_newtons = (
        np.einsum("nap,lnab,nbq->lpq", jacobian, loss_curvatures, jacobian, optimize=True) / COUNT
    )
    named = (dict(zip(MENU, np.asarray(m), strict=True)) for m in (hessians, gauss_newtons))
    return Network(model, params, examples, *named)


@functools.cache
def network_program(name, make, operator):
    on_loss = OPERATORS[operator](network(name).model, batch_size=COUNT)
    product = functools.partial(on_loss, Loss(any_loss))
    return jax.jit(make(product))


def three_outermost(product):
    return curvature.extremes(product, count=3, iterations=80)


def hundred_probes(product):
    return curvature.traces(product, probes=100)


@pytest.mark.slow
@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize("loss", MENU)
def test_outermost_eigenvalues_of_networks_are_those_of_the_dense_hessian(name, loss):
    """The smallest are often many zeros, which a single start yields one by one."""
    net = network(name)
    find = network_program(name, three_outermost, "hessian")
    found = jax.device_get(find(jax.random.key(0), net.params, net.examples[loss]))
    values = np.linalg.eigvalsh(net.hessians[loss])
    rounding = 1e-6 * np.abs(values).max()
    np.testing.assert_allclose(found.largest, values[::-1][:3], rtol=1e-4, atol=rounding)
    np.testing.assert_allclose(found.smallest[0], values[0], rtol=1e-4, atol=5 * rounding)
    assert (found.smallest >= values[:3] - rounding).all()
    for value, residual in zip(found.smallest, found.smallest_residuals, strict=True):
        assert np.abs(values - value).min() <= residual + rounding


@pytest.mark.slow
@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize("loss", MENU)
def test_gauss_newton_of_networks_equals_the_definition(name, loss):
    net = network(name)
    matrix = np.asarray(
        network_program(name, curvature.dense, "gauss_newton")(net.params, net.examples[loss])
    )
    scale = np.abs(net.hessians[loss]).max()
    np.testing.assert_allclose(matrix, net.gauss_newtons[loss], rtol=0, atol=1e-6 * scale)
    if name == "linear":
        np.testing.assert_allclose(matrix, net.hessians[loss], rtol=0, atol=1e-6 * scale)
    if loss in CONVEX:
        assert np.linalg.eigvalsh(matrix)[0] >= -1e-5 * scale
    elif (name, loss) == ("linear", "brier"):
        assert np.linalg.eigvalsh(matrix)[0] < -1e-3 * scale


@pytest.mark.slow
@pytest.mark.parametrize("loss", MENU)
def test_traces_of_layers_equal_those_of_blocks_of_the_dense_hessian(loss):
    net = network("cnn")
    sample = network_program("cnn", hundred_probes, "hessian")
    samples = jax.device_get(sample(jax.random.key(4), net.params, net.examples[loss]))
    found = curvature.mean_and_error(samples)
    hessian = net.hessians[loss]
    scale = np.linalg.norm(hessian)

    def holds(estimate, truth):
        return abs(estimate.value - truth) <= 5 * estimate.error + 1e-5 * scale

    assert holds(found.trace, np.trace(hessian))
    assert holds(found.frobenius, np.linalg.norm(hessian))
    total = sum(layer.value for layer in found.layers.values())
    assert abs(total - found.trace.value) <= 1e-5 * scale
    assert sum(samples.sizes.values()) == len(hessian)

    named = gradient_norm()(Snapshot(None, None, gradients=net.params))
    named = [key for key in named if key.startswith("gradient_norm/layer/")]
    assert set(named) == {f"gradient_norm/layer/{layer}" for layer in found.layers}
    diagonal, owner = np.diag(hessian), []
    for path, leaf in jax.tree_util.tree_leaves_with_path(net.params):
        owner += ["/".join(str(part).strip(".[]") for part in path[:-1])] * leaf.size
    for layer, estimate in found.layers.items():
        mine = np.array(owner) == layer
        assert mine.sum() == samples.sizes[layer] > 0
        assert holds(estimate, diagonal[mine].sum())


def test_zero_eigenvalues_have_no_sign():
    """Their signs are rounding, and would differ between machines."""
    vector = np.arange(1.0, 61)
    eigenvalues = exact_eigenvalues(np.outer(vector, vector))
    np.testing.assert_allclose(eigenvalues, [0] * 59 + [vector @ vector], rtol=1e-7)
    assert not np.signbit(eigenvalues).any()


def test_the_record_has_the_computed_numbers():
    params, examples = as_params(POINT.astype("float32")), as_examples(MATRICES["both signs"])
    found = find_extremes(1000)(jax.random.key(1), params, examples)
    samples = curvature.traces(products["hessian"], probes=4)(jax.random.key(2), params, examples)
    nodes, weights = quadrature("both signs", 1000)
    record = curvature.describe(found, samples, nodes, weights, iterations=60, points=30)
    values = to_plain(record)
    assert from_text(json.dumps(values), OperatorRecord) == record
    assert values["iterations"] == SIZE
    for key in ("largest", "smallest", "largest_residuals", "smallest_residuals"):
        assert values[key] == [float(value) for value in getattr(found, key)]
    trace = np.asarray(samples.trace, float)
    assert values["trace"]["value"] == trace.mean()
    assert values["trace"]["error"] == pytest.approx(trace.std(ddof=1) / 2, rel=1e-12)
    assert values["frobenius"]["value"] == pytest.approx(
        np.sqrt(np.mean(np.asarray(samples.squared_frobenius, float))), rel=1e-12
    )
    assert values["layers"]["first"]["parameters"] == 12
    assert values["layers"]["second"]["parameters"] == 8
    assert values["layers"]["first"]["value"] + values["layers"]["second"][
        "value"
    ] == pytest.approx(values["trace"]["value"], rel=1e-5)
    curve = curvature.density(nodes, weights, points=30)
    assert values["density"] == {
        "eigenvalue": curve.eigenvalue.tolist(),
        "mean": curve.mean.tolist(),
        "low": curve.low.tolist(),
        "high": curve.high.tolist(),
        "width": curve.width,
        "probes": 12,
    }
