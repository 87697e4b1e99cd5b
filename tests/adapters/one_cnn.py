"""One trained CNN in five libraries and in NumPy.

A convolution of 3 x 3 without padding, batch normalization, ReLU, dropout, the mean over positions,
and a dense layer. Weights are in the layout of Flax: (height, width, inputs, outputs).
"""

import os

os.environ.setdefault("KERAS_BACKEND", "jax")

import equinox as eqx
import haiku as hk
import jax
import jax.numpy as jnp
import keras
import numpy as np
from flax import linen, nnx

from landscape import adapters

CHANNELS, UNITS, CLASSES, EPSILON = 2, 4, 3, 1e-5
_random = np.random.default_rng(0)


def _draw(*shape):
    return _random.normal(size=shape).astype(np.float32)


WEIGHTS = {
    "kernel": 0.4 * _draw(3, 3, CHANNELS, UNITS),
    "kernel bias": _draw(UNITS),
    "scale": 1 + 0.3 * _draw(UNITS),
    "shift": _draw(UNITS),
    "dense": _draw(UNITS, CLASSES),
    "dense bias": _draw(CLASSES),
}
MEAN, VARIANCE = _draw(UNITS), np.exp(_draw(UNITS))
IMAGES = _draw(5, 6, 7, CHANNELS)
LABELS = np.asarray([0, 2, 1, 1, 0])


def in_numpy(weights, images, recomputed=False):
    """Predictions in float64; `images` have channels last."""
    w = {name: np.asarray(value, np.float64) for name, value in weights.items()}
    windows = np.lib.stride_tricks.sliding_window_view(images.astype(float), (3, 3), axis=(1, 2))
    hidden = np.einsum("nxychw,hwcu->nxyu", windows, w["kernel"]) + w["kernel bias"]
    mean, variance = MEAN, VARIANCE
    if recomputed:
        mean, variance = hidden.mean((0, 1, 2)), hidden.var((0, 1, 2))
    hidden = w["scale"] * (hidden - mean) / np.sqrt(variance + EPSILON) + w["shift"]
    return np.maximum(hidden, 0).mean((1, 2)) @ w["dense"] + w["dense bias"]


class LinenNet(linen.Module):
    @linen.compact
    def __call__(self, x, train: bool):
        x = linen.Conv(UNITS, (3, 3), padding="VALID")(x)
        x = linen.relu(linen.BatchNorm(use_running_average=not train)(x))
        x = linen.Dropout(0.5, deterministic=not train)(x)
        return linen.Dense(CLASSES)(x.mean((1, 2)))


class NnxNet(nnx.Module):
    def __init__(self, rngs):
        self.conv = nnx.Conv(CHANNELS, UNITS, (3, 3), padding="VALID", rngs=rngs)
        self.norm = nnx.BatchNorm(UNITS, rngs=rngs)
        self.dropout = nnx.Dropout(0.5, rngs=rngs)
        self.dense = nnx.Linear(UNITS, CLASSES, rngs=rngs)

    def __call__(self, x):
        x = self.dropout(nnx.relu(self.norm(self.conv(x))))
        return self.dense(x.mean((1, 2)))


class EquinoxNet(eqx.Module):
    conv: eqx.nn.Conv2d
    norm: eqx.nn.BatchNorm
    dropout: eqx.nn.Dropout
    dense: eqx.nn.Linear

    def __init__(self, key):
        self.conv = eqx.nn.Conv2d(CHANNELS, UNITS, 3, key=key)
        self.norm = eqx.nn.BatchNorm(UNITS, "batch", mode="ema")
        self.dropout = eqx.nn.Dropout(0.5)
        self.dense = eqx.nn.Linear(UNITS, CLASSES, key=key)

    def __call__(self, x, state, *, key=None):
        x, state = self.norm(self.conv(x), state)
        return self.dense(self.dropout(jax.nn.relu(x), key=key).mean((1, 2))), state


def haiku_net(x, is_training):
    x = hk.Conv2D(UNITS, 3, padding="VALID")(x)
    x = jax.nn.relu(hk.BatchNorm(True, True, 0.9)(x, is_training))
    if is_training:
        x = hk.dropout(hk.next_rng_key(), 0.5, x)
    return hk.Linear(CLASSES)(x.mean((1, 2)))


def keras_net():
    layers = keras.layers
    return keras.Sequential(
        [
            layers.Input((6, 7, CHANNELS)),
            layers.Conv2D(UNITS, 3),
            layers.BatchNormalization(epsilon=EPSILON),
            layers.ReLU(),
            layers.Dropout(0.5),
            layers.GlobalAveragePooling2D(),
            layers.Dense(CLASSES),
        ]
    )


def linen_variables():
    return {"params": linen_params(WEIGHTS), "batch_stats": {"BatchNorm_0": _statistics()}}


def _statistics():
    return {"mean": MEAN, "var": VARIANCE}


def linen_params(w):
    return {
        "Conv_0": {"kernel": w["kernel"], "bias": w["kernel bias"]},
        "BatchNorm_0": {"scale": w["scale"], "bias": w["shift"]},
        "Dense_0": {"kernel": w["dense"], "bias": w["dense bias"]},
    }


def nnx_params(w):
    tree = linen_params(w)
    return {"conv": tree["Conv_0"], "norm": tree["BatchNorm_0"], "dense": tree["Dense_0"]}


def nnx_module():
    module = NnxNet(nnx.Rngs(0))
    state = nnx.state(module)
    nnx.replace_by_pure_dict(state, {**nnx_params(WEIGHTS)})
    nnx.update(module, state)
    module.norm.mean.set_value(jnp.asarray(MEAN))
    module.norm.var.set_value(jnp.asarray(VARIANCE))
    return module


def equinox_params(w, like):
    """The parameters in the order of the fields of the module."""
    leaves = [
        w["kernel"].transpose(3, 2, 0, 1),
        w["kernel bias"][:, None, None],
        w["scale"],
        w["shift"],
        w["dense"].T,
        w["dense bias"],
    ]
    return jax.tree.unflatten(jax.tree.structure(like), leaves)


def equinox_module():
    module, state = eqx.nn.make_with_state(EquinoxNet)(jax.random.key(0))
    params, static = eqx.partition(module, eqx.is_inexact_array)
    state = state.set(module.norm.ema_state_index, (jnp.asarray(MEAN), jnp.asarray(VARIANCE)))
    state = state.set(module.norm.ema_first_time_index, jnp.asarray(False))
    return eqx.combine(equinox_params(WEIGHTS, params), static), state


def haiku_params(w):
    return {
        "conv2_d": {"w": w["kernel"], "b": w["kernel bias"]},
        "batch_norm": {
            "scale": w["scale"][None, None, None],
            "offset": w["shift"][None, None, None],
        },
        "linear": {"w": w["dense"], "b": w["dense bias"]},
    }


def haiku_state():
    def average(value):
        hidden = value[None, None, None]
        return {"counter": np.asarray(9, np.int32), "hidden": hidden, "average": hidden}

    return {"batch_norm/~/mean_ema": average(MEAN), "batch_norm/~/var_ema": average(VARIANCE)}


def keras_model():
    model = keras_net()
    weights = list(WEIGHTS.values())
    model.set_weights([*weights[:4], MEAN, VARIANCE, *weights[4:]])
    return model


def adapted(library):
    if library == "flax":
        return adapters.flax(LinenNet(), linen_variables())
    if library == "nnx":
        return adapters.nnx(nnx_module())
    if library == "equinox":
        return adapters.equinox(*equinox_module())
    if library == "haiku":
        transformed = hk.transform_with_state(haiku_net)
        return adapters.haiku(transformed, haiku_params(WEIGHTS), haiku_state())
    return adapters.keras(keras_model())


LIBRARIES = ("flax", "nnx", "equinox", "haiku", "keras")


def images_for(library):
    """The images as the library takes them."""
    return IMAGES.transpose(0, 3, 1, 2) if library == "equinox" else IMAGES


def params_for(library, weights, like):
    """Weights as the parameters of an adapted model."""
    if library == "flax":
        return linen_params(weights)
    if library == "nnx":
        return nnx_params(weights)
    if library == "equinox":
        return equinox_params(weights, like)
    if library == "haiku":
        return haiku_params(weights)
    return dict(zip(like, weights.values(), strict=True))
