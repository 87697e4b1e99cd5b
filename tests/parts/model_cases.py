"""Small models of every kind, and what their tests compute of them."""

import functools
import importlib
import inspect
import pkgutil
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np

from landscape.parts import activations, models
from landscape.parts.models.cnn import cnn
from landscape.parts.models.cnn1d import cnn1d
from landscape.parts.models.dense import linear, mlp
from landscape.parts.models.resnet import resnet
from landscape.parts.models.transformer import transformer
from landscape.parts.models.unet import unet


def public_functions(module):
    return {
        name: function
        for name, function in vars(module).items()
        if not name.startswith("_")
        and callable(function)
        and not inspect.isclass(function)
        and getattr(function, "__module__", None) == module.__name__
    }


def menu_of_models():
    factories = {}
    for module in pkgutil.iter_modules([str(Path(models.__file__).parent)]):
        if not module.name.startswith("_"):
            factories |= public_functions(
                importlib.import_module(f"{models.__name__}.{module.name}")
            )
    return factories


ACTIVATIONS = public_functions(activations)
# Small and odd on purpose: name -> (factory, input shape, options, outputs for shape (batch, …)).
CASES = {
    "linear": (linear, (5,), {}, 3),
    "mlp": (mlp, (5,), {"widths": (7, 6)}, 3),
    "cnn": (cnn, (2, 9, 6), {"channels": (4, 5), "widths": (6,)}, 3),
    "resnet": (resnet, (2, 9, 6), {"width": 4}, 3),
    "unet": (unet, (2, 9, 6), {"channels": 3}, 1),
    "cnn1d": (cnn1d, (7, 2), {"channels": (4, 5), "kernel": 3}, 3),
    "transformer": (transformer, (7, 2), {"depth": 1, "width": 4, "heads": 2}, 3),
}
WITH_ACTIVATION = [name for name in CASES if name != "linear"]


def case(name, **options):
    factory, shape, defaults, outputs = CASES[name]
    return factory(shape, outputs, **defaults | options), shape, outputs


@functools.cache
def params_of(name):
    return case(name)[0].init(jax.random.key(0))


def inputs_of(shape, batch=4, seed=0):
    return jnp.asarray(np.random.default_rng(seed).normal(size=(batch, *shape)), jnp.float32)


def predictions_shape(name, batch, outputs):
    if name == "unet":
        return (batch, 9, 6) if outputs == 1 else (batch, 9, 6, outputs)
    return (batch,) if outputs == 1 else (batch, outputs)


def predict(model, params, inputs):
    return jax.jit(model.apply)(params, inputs)


def count_entries(params):
    return sum(leaf.size for leaf in jax.tree.leaves(params))


def paths_of(params):
    leaves = jax.tree_util.tree_leaves_with_path(params)
    return {jax.tree_util.keystr(path, simple=True, separator="/"): leaf for path, leaf in leaves}


def perturbed(params, seed=1):
    # Away from initialization, so that biases and normalization count in a comparison.
    rng = np.random.default_rng(seed)
    return jax.tree.map(
        lambda leaf: leaf + jnp.asarray(0.3 * rng.normal(size=leaf.shape), jnp.float32), params
    )


def arrays_of(params):
    return {path: np.asarray(leaf, np.float64) for path, leaf in paths_of(params).items()}
