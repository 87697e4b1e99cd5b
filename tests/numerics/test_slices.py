import jax
import jax.numpy as jnp
import numpy as np
import pytest

from landscape.numerics import slices
from landscape.numerics.loss import Loss, Targets
from landscape.numerics.risk import Examples
from landscape.parts.directions import Point, random
from landscape.parts.models import Model

RNG = np.random.default_rng(2)
CURVATURES = np.array([3.0, -1.0, 0.25, 10.0, 0.0])
CENTER = RNG.normal(size=5)
ONE = Examples(jnp.zeros((4, 1)), Targets(jnp.zeros(4)))

# A model that predicts its own parameters makes the risk any function of them that we like.
itself = Model(
    init=lambda key: {"a": jnp.zeros(2), "b": jnp.zeros((3, 1))},
    apply=lambda params, inputs: jnp.broadcast_to(
        jnp.concatenate([params["a"], params["b"].ravel()]), (inputs.shape[0], 5)
    ),
    filter_axes=lambda params: {"a": None, "b": 0},
)


def bowl(predictions, targets):
    curvatures = jnp.asarray(CURVATURES, predictions.dtype)
    center = jnp.asarray(CENTER, predictions.dtype)
    return 0.5 * jnp.sum(curvatures[None] * (predictions - center[None]) ** 2, axis=1)


def slicer(metrics=(), batch_size=8, gradients=False):
    return slices.slicer(slices.PointMeasure(itself, metrics, batch_size, gradients))


BOWL = Loss(bowl)


def as_params(vector):
    return {"a": jnp.asarray(vector[:2]), "b": jnp.asarray(vector[2:].reshape(3, 1))}


def test_plane_over_a_quadratic_bowl_is_exact_on_a_grid_that_is_not_square():
    with jax.enable_x64(True):
        start, first, second = RNG.normal(size=(3, 5))
        along = slicer()
        grid = slices.grid((7, 5), 2.0)
        planes = [(as_params(first), as_params(second))]
        points = np.asarray(grid.points, np.float64)
        risk = along(BOWL, as_params(start), planes, points, ONE)["risk"].reshape(grid.shape)
    assert risk.shape == (5, 7)
    for j, y in enumerate(np.linspace(-2, 2, 5)):
        for i, x in enumerate(np.linspace(-2, 2, 7)):
            w = start + np.float32(x) * first + np.float32(y) * second
            wanted = 0.5 * np.sum(CURVATURES * (w - CENTER) ** 2)
            np.testing.assert_allclose(risk[j, i], wanted, rtol=1e-12)


@pytest.mark.parametrize("points", [3, 150])
def test_each_of_several_lines_has_the_values_of_its_own_direction(points):
    """More lines than fit into a call, and more points than fit into a group."""
    start, *lines = RNG.normal(size=(12, 5)).astype(np.float32)
    coordinates = slices.axis(points, 2.0)
    directions = [(as_params(line),) for line in lines]
    along = slicer()
    risk = along(BOWL, as_params(start), directions, coordinates[:, None], ONE)["risk"]
    moved = start + coordinates[None, :, None] * np.stack(lines)[:, None]
    exact = 0.5 * np.sum(CURVATURES * (moved - CENTER) ** 2, axis=-1)
    np.testing.assert_allclose(risk, exact, rtol=1e-5)
    alone = along(BOWL, as_params(start), directions[9:10], coordinates[:, None], ONE)["risk"]
    np.testing.assert_array_equal(alone, risk[9:10])


def test_line_with_gradients_reports_the_gradient_of_the_bowl():
    def norm(snapshot):
        return {
            "g": jnp.concatenate(
                [leaf.ravel() for leaf in jax.tree.leaves(snapshot.evaluation_gradients)]
            )
        }

    start, direction = RNG.normal(size=(2, 5)).astype(np.float32)
    along = slicer([norm], 3, gradients=True)
    coordinates = slices.axis(5, 1.0)
    lines = [(as_params(direction),)]
    gradients = along(BOWL, as_params(start), lines, coordinates[:, None], ONE)["g"][0]
    for coordinate, gradient in zip(coordinates, gradients, strict=True):
        wanted = CURVATURES * (start + coordinate * direction - CENTER)
        np.testing.assert_allclose(gradient, wanted, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("points", [3, 21, 31, 101])
@pytest.mark.parametrize("radius", [1.0, 0.3, 1e-3])
def test_axis_is_symmetric_with_the_center_as_a_sample(points, radius):
    axis = slices.axis(points, radius)
    assert len(axis) == points
    assert axis[points // 2] == 0
    np.testing.assert_array_equal(axis, -axis[::-1])
    np.testing.assert_allclose(axis, np.linspace(-radius, radius, points), atol=1e-7 * radius)


def test_cosines_are_those_of_the_flattened_directions():
    vectors = RNG.normal(size=(4, 5)).astype(np.float32)
    found = slices.cosines([as_params(v) for v in vectors])
    unit = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    np.testing.assert_allclose(found, unit @ unit.T, atol=1e-6)
    pair = slices.cosine(as_params(vectors[0]), as_params(vectors[1]))
    np.testing.assert_allclose(pair, unit[0] @ unit[1], atol=1e-6)


def test_mean_curvature_over_gaussian_directions_is_trace_over_dimension():
    """E[d' H d] / N = trace(H) / N for d ~ N(0, I), here within five standard errors."""
    start = as_params(CENTER.astype(np.float32))
    draw = random(normalization="none", biases="random")
    keys = jax.random.split(jax.random.key(0), 4000)
    along = slicer()
    direct = jax.jit(jax.vmap(lambda key: draw(key, Point(start, itself.filter_axes(start)))))
    drawn = direct(keys)
    steps = np.array([[-0.5], [0.0], [0.5]], np.float32)
    drawn = jax.tree.map(np.asarray, drawn)
    lines = [(jax.tree.map(lambda a, i=i: a[i], drawn),) for i in range(len(keys))]
    low, middle, high = along(BOWL, start, lines, steps, ONE)["risk"].T
    found = (low - 2 * middle + high) / 0.25 / 5
    error = found.std() / np.sqrt(len(found))
    assert abs(found.mean() - CURVATURES.sum() / 5) < 5 * error
