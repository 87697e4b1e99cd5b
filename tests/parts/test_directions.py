import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from landscape import catalog, config
from landscape.errors import UserError
from landscape.parts.directions import (
    Point,
    eigenvector,
    gradient,
    interpolation,
    random,
    trajectory,
    update,
)

RNG = np.random.default_rng(3)
PARAMS = {
    "conv": jnp.asarray(RNG.normal(size=(4, 3, 2, 2)).astype(np.float32)),
    "dense": jnp.asarray(RNG.normal(size=(5, 7)).astype(np.float32)),
    "bias": jnp.asarray(RNG.normal(size=5).astype(np.float32)),
}
AXES = {"conv": 0, "dense": 1, "bias": None}
KEY = jax.random.key(5)


def test_filter_normalization_is_that_of_a_loop_over_filters():
    raw = random(normalization="none")(KEY, Point(PARAMS, AXES))
    found = random(normalization="filter")(KEY, Point(PARAMS, AXES))
    for f in range(4):
        d, w = np.asarray(raw["conv"][f], float), np.asarray(PARAMS["conv"][f], float)
        wanted = d / np.sqrt((d**2).sum()) * np.sqrt((w**2).sum())
        np.testing.assert_allclose(found["conv"][f], wanted, rtol=1e-5)
    for f in range(7):
        d, w = np.asarray(raw["dense"][:, f], float), np.asarray(PARAMS["dense"][:, f], float)
        wanted = d / np.linalg.norm(d) * np.linalg.norm(w)
        np.testing.assert_allclose(found["dense"][:, f], wanted, rtol=1e-5)
    assert not np.any(found["bias"])


def test_layer_and_whole_normalization_keep_the_norms_they_promise():
    layer = random(normalization="layer", biases="random")(KEY, Point(PARAMS, AXES))
    for name, value in PARAMS.items():
        norm = np.linalg.norm(np.asarray(layer[name], float))
        np.testing.assert_allclose(norm, np.linalg.norm(np.asarray(value, float)), rtol=1e-5)
    whole = random(normalization="whole")(KEY, Point(PARAMS, AXES))
    raw = random(normalization="none")(KEY, Point(PARAMS, AXES))
    moved = np.sqrt(sum(np.sum(np.asarray(PARAMS[n], float) ** 2) for n in ("conv", "dense")))
    drawn = np.sqrt(sum(np.sum(np.asarray(raw[n], float) ** 2) for n in ("conv", "dense")))
    for name in ("conv", "dense"):
        np.testing.assert_allclose(whole[name], raw[name] * moved / drawn, rtol=1e-5)


def test_directions_are_gaussian_and_nearly_orthogonal():
    large = {"w": jnp.zeros((200, 200))}
    draw = random(normalization="none")
    first, second = (draw(jax.random.key(s), Point(large, {"w": 0}))["w"].ravel() for s in (0, 1))
    sample = np.asarray(first, float)
    n = sample.size
    assert abs(sample.mean()) < 5 / np.sqrt(n)
    assert abs(sample.var() - 1) < 5 * np.sqrt(2 / n)
    assert abs((sample**4).mean() - 3) < 5 * np.sqrt(96 / n)
    cosine = sample @ np.asarray(second, float) / np.linalg.norm(sample) / np.linalg.norm(second)
    assert abs(cosine) < 5 / np.sqrt(n)


@pytest.mark.parametrize(
    ("normalization", "biases"),
    list(itertools.product(["filter", "layer", "whole", "none"], ["zero", "random"])),
)
def test_zero_filters_have_a_zero_direction_without_nan(normalization, biases):
    params = PARAMS | {"bias": jnp.zeros(5), "dense": PARAMS["dense"].at[:, 2].set(0.0)}
    found = random(normalization=normalization, biases=biases)(KEY, Point(params, AXES))
    assert all(np.isfinite(leaf).all() for leaf in jax.tree.leaves(found))
    if normalization == "filter":
        assert not np.any(found["dense"][:, 2])
    if biases == "zero" or normalization in ("filter", "layer"):
        assert not np.any(found["bias"])


@pytest.mark.parametrize(
    ("name", "shape"),
    [
        ("linear", (5,)),
        ("mlp", (5,)),
        ("cnn", (1, 8, 8)),
        ("resnet", (1, 8, 8)),
        ("unet", (1, 8, 8)),
    ],
)
@pytest.mark.parametrize("biases", ["zero", "random"])
def test_every_model_has_directions_that_move_its_weights_and_only_then_its_biases(
    name, shape, biases
):
    make = catalog.build("models", config.Part(name=name), folder=".")
    model = make(shape, 1)
    params = model.init(KEY)
    found = random(biases=biases)(KEY, Point(params, model.filter_axes(params)))
    assert jax.tree.structure(found) == jax.tree.structure(params)
    for path, leaf in jax.tree_util.tree_leaves_with_path(found):
        value = dict(jax.tree_util.tree_leaves_with_path(params))[path]
        assert leaf.shape == value.shape
        is_weight = jax.tree_util.keystr(path).endswith("weight") and leaf.ndim > 1
        moves = bool(jnp.any(value != 0)) and (is_weight or biases == "random")
        assert bool(jnp.any(leaf != 0)) == moves, path


INPUTS = jnp.asarray(RNG.normal(size=(16, 7)).astype(np.float32))
NET = {
    "first": jnp.asarray(RNG.normal(size=(5, 7)).astype(np.float32)),
    "bias": jnp.asarray(RNG.normal(size=5).astype(np.float32)),
    "second": jnp.asarray(RNG.normal(size=(2, 5)).astype(np.float32)),
}


def outputs(params):
    hidden = jax.nn.relu(INPUTS @ params["first"].T + params["bias"][None])
    return hidden @ params["second"].T


def along(params, normalization):
    axes = {"first": 0, "bias": None, "second": 0}
    direction = random(normalization=normalization)(KEY, Point(params, axes))
    points = [
        {name: params[name] + c * direction[name] for name in params}
        for c in (-1.0, -0.3, 0.0, 0.5, 1.0)
    ]
    return np.array([outputs(point) for point in points])


def rescaled(scales):
    """The same function: what enters each unit times its scale, what leaves it divided by it."""
    scales = jnp.asarray(scales, jnp.float32)
    return {
        "first": NET["first"] * scales[:, None],
        "bias": NET["bias"] * scales,
        "second": NET["second"] / scales[None],
    }


@pytest.mark.parametrize("scale", [0.01, 100.0])
def test_rescaling_a_relu_layer_does_not_change_the_filter_normalized_slice(scale):
    layer = rescaled([scale] * 5)
    np.testing.assert_allclose(along(layer, "filter"), along(NET, "filter"), rtol=1e-3, atol=1e-3)
    assert not np.allclose(along(layer, "none"), along(NET, "none"), rtol=0.1, atol=0.1)


def test_rescaling_one_unit_does_change_it_since_the_next_filters_mix_units():
    unit = rescaled([100.0, 1.0, 1.0, 1.0, 1.0])
    np.testing.assert_allclose(along(unit, "filter")[2], along(NET, "filter")[2], rtol=1e-3)
    assert not np.allclose(along(unit, "filter"), along(NET, "filter"), rtol=0.1, atol=0.1)


def per_filter(tree):
    """The weights of each filter in float64, one after the other."""
    conv, dense = np.asarray(tree["conv"], float), np.asarray(tree["dense"], float)
    return [conv[f].ravel() for f in range(4)] + [dense[:, f] for f in range(7)]


def test_filter_normalization_is_the_published_one_of_li_et_al():
    """d_f ||w_f|| / (||d_f|| + 1e-10), biases zero, on the same weights and draws."""
    raw = random(normalization="none")(KEY, Point(PARAMS, AXES))
    found = random()(KEY, Point(PARAMS, AXES))
    published = [
        d * (np.linalg.norm(w) / (np.linalg.norm(d) + 1e-10))
        for d, w in zip(per_filter(raw), per_filter(PARAMS), strict=True)
    ]
    for ours, theirs in zip(per_filter(found), published, strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("beside", [random(), random(normalization="none", biases="random")])
def test_plane_directions_are_orthogonal_within_each_filter_and_normalized_at_once(beside):
    other = beside(jax.random.key(1), Point(PARAMS, AXES))
    found = random()(KEY, Point(PARAMS, AXES, beside=other))
    for d, o, w in zip(per_filter(found), per_filter(other), per_filter(PARAMS), strict=True):
        assert abs(d @ o) < 1e-6 * np.linalg.norm(d) * np.linalg.norm(o)
        np.testing.assert_allclose(np.linalg.norm(d), np.linalg.norm(w), rtol=1e-5)


def test_a_filter_of_a_single_weight_keeps_its_norm_and_its_sign():
    params, axes = {"w": jnp.asarray([[0.5], [-2.0], [3.0]])}, {"w": 0}
    other = random()(jax.random.key(1), Point(params, axes))
    found = random()(KEY, Point(params, axes, beside=other))
    np.testing.assert_allclose(np.abs(found["w"]), np.abs(params["w"]), rtol=1e-6)


def test_whole_and_layer_directions_are_orthogonal_as_a_whole_and_by_layer():
    other = random(biases="random")(jax.random.key(1), Point(PARAMS, AXES))
    point = Point(PARAMS, AXES, beside=other)
    whole = random(normalization="whole", biases="random")(KEY, point)
    flat = [np.concatenate([np.ravel(t[n]) for n in PARAMS]).astype(float) for t in (whole, other)]
    assert abs(flat[0] @ flat[1]) < 1e-6 * np.linalg.norm(flat[0]) * np.linalg.norm(flat[1])
    layer = random(normalization="layer", biases="random")(KEY, point)
    for name in PARAMS:
        a, b = (np.ravel(t[name]).astype(float) for t in (layer, other))
        assert abs(a @ b) < 1e-6 * np.linalg.norm(a) * np.linalg.norm(b)


def like(values):
    """A tree like PARAMS of the given entries, in the order conv, dense, bias."""
    ends = np.cumsum([PARAMS[n].size for n in ("conv", "dense", "bias")])[:-1]
    parts = np.split(np.asarray(values, np.float32), ends)
    return {
        n: jnp.asarray(p.reshape(PARAMS[n].shape))
        for n, p in zip(("conv", "dense", "bias"), parts, strict=True)
    }


def flat(tree):
    return np.concatenate([np.ravel(tree[n]) for n in ("conv", "dense", "bias")]).astype(float)


SIZE = sum(leaf.size for leaf in PARAMS.values())
GIVEN = like(RNG.normal(size=SIZE))


@pytest.mark.parametrize(
    ("make", "point"),
    [
        (gradient, Point(PARAMS, AXES, gradient=lambda: GIVEN)),
        (update, Point(PARAMS, AXES, update=GIVEN)),
        (eigenvector, Point(PARAMS, AXES, eigenvector=lambda end, index: GIVEN)),
    ],
)
def test_computed_directions_have_the_norm_of_the_parameters(make, point):
    np.testing.assert_array_equal(flat(make(normalization="none")(KEY, point)), flat(GIVEN))
    found, norm = flat(make()(KEY, point)), np.linalg.norm(flat(PARAMS))
    np.testing.assert_allclose(found, flat(GIVEN) * norm / np.linalg.norm(flat(GIVEN)), rtol=1e-5)
    zero = like(np.zeros(SIZE))
    still = Point(
        PARAMS, AXES, gradient=lambda: zero, update=zero, eigenvector=lambda end, index: zero
    )
    assert not flat(make()(KEY, still)).any()


def test_an_eigenvector_is_selected_by_end_and_index():
    asked = []
    point = Point(PARAMS, AXES, eigenvector=lambda *which: asked.append(which) or GIVEN)
    eigenvector(index=3, end="smallest")(KEY, point)
    assert asked == [("smallest", 3)]


def test_components_of_the_trajectory_are_singular_vectors_of_the_path():
    rng = np.random.default_rng(8)
    path = rng.normal(size=(6, SIZE)) * np.array([9, 5, 3, 2, 1, 0])[:, None]
    path += flat(PARAMS)
    trees = [like(row) for row in path]
    stacked = {n: jnp.stack([t[n] for t in trees]) for n in PARAMS}
    _, _, components = np.linalg.svd(path - flat(PARAMS), full_matrices=False)
    for number in (1, 2, 3):
        found = flat(trajectory(component=number)(KEY, Point(PARAMS, AXES, path=stacked)))
        unit = components[number - 1]
        cosine = found @ unit / np.linalg.norm(found)
        np.testing.assert_allclose(abs(cosine), 1, rtol=1e-5)
        away = (path - flat(PARAMS)) @ unit
        np.testing.assert_allclose(np.linalg.norm(found), np.abs(away).max(), rtol=1e-4)
    projections = (path - flat(PARAMS)) @ found / (found @ found)
    np.testing.assert_allclose(projections.max(), 1, rtol=1e-4)


def test_interpolation_leads_to_the_other_end():
    found = interpolation()(KEY, Point(PARAMS, AXES, target=GIVEN))
    np.testing.assert_allclose(flat(PARAMS) + flat(found), flat(GIVEN), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (gradient(), "gradient is not known"),
        (update(), "no step of the optimizer"),
        (eigenvector(), "eigenvectors are not known"),
        (trajectory(), "needs as many checkpoints, found 0"),
        (interpolation(), "the other end of training is not known"),
    ],
)
def test_a_missing_value_of_a_point_is_reported(make, words):
    with pytest.raises(UserError, match=words):
        make(KEY, Point(PARAMS, AXES))


@pytest.mark.parametrize("make", [lambda: eigenvector(index=0), lambda: trajectory(component=0)])
def test_directions_are_counted_from_one(make):
    with pytest.raises(UserError, match="is 0; expected a whole number of at least 1"):
        make()
