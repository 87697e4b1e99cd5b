"""One network in four libraries: dense, batch normalization, relu, dropout, dense, one output."""

import os

os.environ.setdefault("KERAS_BACKEND", "jax")

import equinox as eqx
import jax
import keras
import numpy as np
from flax import linen, nnx

WIDTH, FEATURES, MOMENTUM = 5, 4, 0.9


class EquinoxNet(eqx.Module):
    hidden: eqx.nn.Linear
    norm: eqx.nn.BatchNorm
    dropout: eqx.nn.Dropout
    output: eqx.nn.Linear

    def __init__(self, input_shape, outputs, *, rate=0.5, key):
        first, second = jax.random.split(key)
        self.hidden = eqx.nn.Linear(input_shape[0], WIDTH, key=first)
        self.norm = eqx.nn.BatchNorm(
            WIDTH, "batch", momentum=MOMENTUM, mode="batch", dtype=np.float32
        )
        self.dropout = eqx.nn.Dropout(rate)
        self.output = eqx.nn.Linear(WIDTH, outputs, key=second)

    def __call__(self, x, state, *, key):
        x, state = self.norm(self.hidden(x), state)
        return self.output(self.dropout(jax.nn.relu(x), key=key)), state


class LinenNet(linen.Module):
    outputs: int
    rate: float = 0.5

    @linen.compact
    def __call__(self, x, train: bool):
        x = linen.Dense(WIDTH)(x)
        x = linen.BatchNorm(use_running_average=not train, momentum=MOMENTUM)(x)
        x = linen.Dropout(self.rate, deterministic=not train)(linen.relu(x))
        return linen.Dense(self.outputs)(x)


class NnxNet(nnx.Module):
    def __init__(self, input_shape, outputs, *, rate=0.5, rngs: nnx.Rngs):
        self.hidden = nnx.Linear(input_shape[0], WIDTH, rngs=rngs)
        self.norm = nnx.BatchNorm(WIDTH, momentum=MOMENTUM, rngs=rngs)
        self.dropout = nnx.Dropout(rate, rngs=rngs)
        self.output = nnx.Linear(WIDTH, outputs, rngs=rngs)

    def __call__(self, x):
        return self.output(self.dropout(nnx.relu(self.norm(self.hidden(x)))))


def keras_net(input_shape, outputs, *, rate=0.5):
    return keras.Sequential(
        [
            keras.layers.Dense(WIDTH),
            keras.layers.BatchNormalization(momentum=MOMENTUM, epsilon=1e-5),
            keras.layers.ReLU(),
            keras.layers.Dropout(rate),
            keras.layers.Dense(outputs),
        ]
    )


BUILDERS = {"equinox": EquinoxNet, "linen": LinenNet, "nnx": NnxNet, "keras": keras_net}


def numbers(library, params, state):
    """The weights in NumPy: (features, width), (width,), (width, outputs); and the statistics."""
    if library == "equinox":
        count, (mean, var) = state[0], state[1:]
        scale = 1 - MOMENTUM ** float(count) if count > 0 else 1.0
        names = (
            params.hidden.weight.T,
            params.hidden.bias,
            params.norm.weight,
            params.norm.bias,
            params.output.weight.T,
            params.output.bias,
            mean / scale,
            var / scale,
        )
    elif library == "linen":
        hidden, norm, output = (params[n] for n in ("Dense_0", "BatchNorm_0", "Dense_1"))
        stats = state["batch_stats"]["BatchNorm_0"]
        names = (hidden["kernel"], hidden["bias"], norm["scale"], norm["bias"])
        names += (output["kernel"], output["bias"], stats["mean"], stats["var"])
    elif library == "nnx":
        hidden, norm, output = (params[n] for n in ("hidden", "norm", "output"))
        names = (hidden["kernel"], hidden["bias"], norm["scale"], norm["bias"])
        names += (output["kernel"], output["bias"], state["norm"]["mean"], state["norm"]["var"])
    else:
        names = (*params.values(), *list(state.values())[:2])
    return [np.asarray(value, np.float64) for value in names]
