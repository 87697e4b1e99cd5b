import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from landscape import catalog, config
from landscape.parts.directions import random

RNG = np.random.default_rng(3)
PARAMS = {
    "conv": jnp.asarray(RNG.normal(size=(4, 3, 2, 2)).astype(np.float32)),
    "dense": jnp.asarray(RNG.normal(size=(5, 7)).astype(np.float32)),
    "bias": jnp.asarray(RNG.normal(size=5).astype(np.float32)),
}
AXES = {"conv": 0, "dense": 1, "bias": None}
KEY = jax.random.key(5)


def test_filter_normalization_is_that_of_a_loop_over_filters():
    raw = random(normalization="none")(KEY, PARAMS, AXES)
    found = random(normalization="filter")(KEY, PARAMS, AXES)
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
    layer = random(normalization="layer", biases="random")(KEY, PARAMS, AXES)
    for name, value in PARAMS.items():
        norm = np.linalg.norm(np.asarray(layer[name], float))
        np.testing.assert_allclose(norm, np.linalg.norm(np.asarray(value, float)), rtol=1e-5)
    whole = random(normalization="whole")(KEY, PARAMS, AXES)
    raw = random(normalization="none")(KEY, PARAMS, AXES)
    moved = np.sqrt(sum(np.sum(np.asarray(PARAMS[n], float) ** 2) for n in ("conv", "dense")))
    drawn = np.sqrt(sum(np.sum(np.asarray(raw[n], float) ** 2) for n in ("conv", "dense")))
    for name in ("conv", "dense"):
        np.testing.assert_allclose(whole[name], raw[name] * moved / drawn, rtol=1e-5)


def test_directions_are_gaussian_and_nearly_orthogonal():
    large = {"w": jnp.zeros((200, 200))}
    draw = random(normalization="none")
    first, second = (draw(jax.random.key(s), large, {"w": 0})["w"].ravel() for s in (0, 1))
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
def test_zero_filters_give_a_zero_direction_and_never_a_nan(normalization, biases):
    params = PARAMS | {"bias": jnp.zeros(5), "dense": PARAMS["dense"].at[:, 2].set(0.0)}
    found = random(normalization=normalization, biases=biases)(KEY, params, AXES)
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
    found = random(biases=biases)(KEY, params, model.filter_axes(params))
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
    direction = random(normalization=normalization)(KEY, params, axes)
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
