"""Sizes, names and initialization of models, and what they refuse."""

import math
import re
from itertools import pairwise

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from model_cases import (
    ACTIVATIONS,
    WITH_ACTIVATION,
    arrays_of,
    case,
    count_entries,
    inputs_of,
    params_of,
    paths_of,
    predict,
)
from scipy.integrate import quad
from scipy.stats import norm

from landscape.errors import UserError
from landscape.parts import activations
from landscape.parts.models._normalization import group_normalized
from landscape.parts.models.cnn import cnn
from landscape.parts.models.dense import linear, mlp
from landscape.parts.models.resnet import resnet
from landscape.parts.models.unet import unet

# Counts and names.


def _resnet_count(channels, width, blocks, outputs):
    total = 9 * channels * width + 2 * width
    sizes = [width] + [width * factor for factor in (1, 2, 4) for _ in range(blocks)]
    for n, m in pairwise(sizes):
        total += 9 * n * m + 9 * m * m + 4 * m
    return total + sizes[-1] * outputs + outputs


@pytest.mark.parametrize(
    ("model", "expected"),
    [
        (linear((30,), 1), 31),
        (linear((1, 8, 8), 10), 650),
        (mlp((1, 8, 8), 10), 65 * 64 + 65 * 10),
        (mlp((13,), 3, widths=(20, 7)), 14 * 20 + 21 * 7 + 8 * 3),
        (cnn((1, 8, 8), 10), 10 * 16 + 145 * 32 + (32 * 2 * 2 + 1) * 64 + 65 * 10),
        (cnn((1, 28, 28), 10), 10 * 16 + 145 * 32 + (32 * 7 * 7 + 1) * 64 + 65 * 10),
        (cnn((3, 7, 5), 1, channels=(4,), kernel=5, widths=()), 76 * 4 + 4 * 4 * 3 + 1),
        (resnet((1, 8, 8), 10), _resnet_count(1, 16, 1, 10)),
        (resnet((3, 32, 32), 10, depth=20, skip=False), _resnet_count(3, 16, 3, 10)),
        (
            unet((1, 28, 28), 1, channels=4, depth=1),
            (9 + 1) * 4 + 37 * 4 + 37 * 8 + 73 * 8 + (9 * 12 + 1) * 4 + 37 * 4 + 5,
        ),
    ],
)
def test_the_number_of_parameters_matches_its_formula(model, expected):
    assert count_entries(jax.eval_shape(model.init, jax.random.key(0))) == expected


def test_resnet_20_has_the_size_that_was_published():
    # He et al. 2016, table 6: 0.27 million.
    params = jax.eval_shape(resnet((3, 32, 32), 10, depth=20).init, jax.random.key(0))
    assert round(count_entries(params) / 1e6, 2) == 0.27


@pytest.mark.parametrize(
    ("name", "path"),
    [
        ("linear", "output/weight"),
        ("mlp", "layers/0/weight"),
        ("cnn", "convolutions/1/bias"),
        ("cnn", "dense/layers/0/weight"),
        ("resnet", "blocks/2/second/normalization/weight"),
        ("unet", "up/1/first/weight"),
    ],
)
def test_paths_read_well(name, path):
    assert path in paths_of(params_of(name))


# Initialization.


@pytest.mark.parametrize(
    ("activation", "gain"),
    [
        ("relu", 2.0),
        ("identity", 1.0),
        ("selu", 1.0),
        ("step", 2.0),
        ("tanh", 1 / quad(lambda z: np.tanh(z) ** 2 * norm.pdf(z), -9, 9)[0]),
    ],
)
def test_weights_have_the_variance_that_suits_the_activation(activation, gain):
    params = mlp((400,), 300, widths=(500, 500), activation=activation).init(jax.random.key(0))
    for path, expected in [("layers/0", 1.0), ("layers/1", gain), ("output", 1.0)]:
        weight = arrays_of(params)[f"{path}/weight"]
        assert abs(weight.mean()) < 5 / math.sqrt(weight.size * weight.shape[1])
        np.testing.assert_allclose(weight.var() * weight.shape[1], expected, rtol=0.02)
        assert not np.any(arrays_of(params)[f"{path}/bias"])


def test_convolutions_count_every_input_of_a_filter():
    p = arrays_of(cnn((3, 8, 8), 2, channels=(64, 128), kernel=5).init(jax.random.key(0)))
    np.testing.assert_allclose(p["convolutions/1/weight"].var(), 2 / (64 * 25), rtol=0.02)


@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_a_deep_network_keeps_the_scale_of_its_signal(activation):
    model = mlp((256,), 128, widths=(256,) * 10, activation=activation)
    predictions = predict(model, model.init(jax.random.key(0)), inputs_of((256,), batch=32))
    # The output layer has gain 1, so it hands on the mean square of the last hidden layer.
    z = np.random.default_rng(0).normal(size=100_000)
    expected = np.mean(np.square(ACTIVATIONS[activation](jnp.asarray(z, jnp.float32))))
    assert 0.2 < np.mean(np.square(predictions)) / expected < 5


# What does not fit.


def test_blocks_of_a_resnet_normalize_by_groups_of_channels():
    keys = jax.random.split(jax.random.key(0), 3)
    image, weight, bias = (
        3 * jax.random.normal(k, s) + 1
        for k, s in zip(keys, ((24, 5, 7), (24,), (24,)), strict=True)
    )
    layer = eqx.nn.GroupNorm(8, 24)
    layer = eqx.tree_at(lambda n: (n.weight, n.bias), layer, (weight, bias))
    expected = layer(image)
    found = group_normalized(image.transpose(1, 2, 0), layer).transpose(2, 0, 1)
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("factory", [cnn, resnet, unet])
@pytest.mark.parametrize("shape", [(30,), (8, 8)])
def test_a_table_is_refused_with_a_hint_at_other_models(factory, shape):
    with pytest.raises(UserError, match="takes images") as caught:
        factory(shape, 1)
    assert "mlp" in str(caught.value)


@pytest.mark.parametrize(
    ("factory", "fits", "too_small", "options"),
    [
        (cnn, (1, 4, 4), (1, 4, 3), {}),
        (cnn, (1, 8, 8), (1, 7, 8), {"channels": (2, 2, 2)}),
        (cnn, (1, 1, 1), None, {"stride": 1}),
        (resnet, (1, 5, 5), (1, 8, 4), {}),
        (unet, (1, 4, 5), (1, 3, 8), {}),
        (unet, (1, 8, 8), (1, 7, 8), {"depth": 3}),
    ],
)
def test_an_image_too_small_is_refused_and_the_smallest_is_not(factory, fits, too_small, options):
    model = factory(fits, 1, **options)
    params = jax.eval_shape(model.init, jax.random.key(0))
    assert jax.eval_shape(model.apply, params, inputs_of(fits)).shape[0] == 4
    if too_small is not None:
        with pytest.raises(UserError, match="pixels"):
            factory(too_small, 1, **options)


@pytest.mark.parametrize("name", WITH_ACTIVATION)
def test_an_unknown_activation_suggests_the_nearest(name):
    with pytest.raises(UserError, match="no activation is named 'rleu'") as caught:
        case(name, activation="rleu")
    assert "`relu`" in str(caught.value)


@pytest.mark.parametrize("activation", ["jnp", "_relu", "sine", "", None, ["relu"]])
def test_only_the_menu_of_activations_has_names(activation, monkeypatch):
    monkeypatch.setattr(activations, "sine", jnp.sin, raising=False)
    with pytest.raises(UserError, match="no activation"):
        mlp((3,), 1, activation=activation)


@pytest.mark.parametrize(
    "activation", [lambda x: 0 * x, lambda x: x / 0.0, lambda x: jnp.sum(x), jnp.exp2]
)
def test_an_activation_that_cannot_be_rescaled_is_refused(activation):
    if activation is jnp.exp2:
        assert mlp((3,), 1, activation=activation)
        return
    with pytest.raises(UserError, match="activation"):
        mlp((3,), 1, activation=activation)


@pytest.mark.parametrize(
    ("factory", "shape", "options", "message"),
    [
        (mlp, (3,), {"widths": 64}, r"is 64; expected a list .*\n.*\[64\]"),
        (mlp, (3,), {"widths": (8, 0)}, r"`widths\[1\]` is 0; expected"),
        (mlp, (3,), {"widths": (-8,)}, r"`widths\[0\]` is -8; expected"),
        (mlp, (3,), {"widths": (8.0,)}, r"`widths\[0\]` is 8.0; expected"),
        (mlp, (3,), {"widths": (True,)}, r"`widths\[0\]` is True; expected"),
        (mlp, (3,), {"widths": "64"}, "is '64'; expected a list"),
        (cnn, (1, 8, 8), {"channels": ()}, "`channels` is empty"),
        (cnn, (1, 8, 8), {"kernel": 4}, "odd"),
        (cnn, (1, 8, 8), {"stride": 0}, "`stride`"),
        (resnet, (1, 8, 8), {"depth": 10}, r"is 10; expected 6 n \+ 2 .*\n.*use 8"),
        (resnet, (1, 8, 8), {"depth": 2}, r"is 2; expected 6 n \+ 2 .*\n.*use 8"),
        (resnet, (1, 8, 8), {"depth": 18}, r"is 18; .*\n.*use 20"),
        (resnet, (1, 8, 8), {"width": 0}, "`width`"),
        (resnet, (1, 8, 8), {"skip": "no"}, "`skip`"),
        (unet, (1, 8, 8), {"depth": 0}, "`depth`"),
        (unet, (1, 8, 8), {"channels": 1.5}, "`channels`"),
    ],
)
def test_a_bad_option_is_refused(factory, shape, options, message):
    with pytest.raises(UserError) as caught:
        factory(shape, 1, **options)
    assert re.search(message, str(caught.value))
