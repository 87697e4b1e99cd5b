"""Runs of models with batch statistics: what is stored, restored, measured and refused."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from helpers.configs import load

from landscape import config
from landscape.errors import UserError
from landscape.run.perform import perform
from landscape.run.program_cache import ProgramCache, prepare
from landscape.run.progress import Progress
from landscape.run.stored_training import read_training
from landscape.storage import array_files, store
from landscape.storage.records import SummaryRecord

NETS = """
from flax import linen

class Net(linen.Module):
    outputs: int

    @linen.compact
    def __call__(self, x, train: bool):
        x = linen.Dense(3)(x)
        x = linen.BatchNorm(use_running_average=not train)(x)
        x = linen.Dropout(0.1, deterministic=not train)(linen.tanh(x))
        return linen.Dense(self.outputs)(x)
"""
TEXT = """
dataset: {name: moons, size: 80}
model: "nets.py:Net"
losses: [sigmoid_cross_entropy]
seeds: 1
steps: 6
batch_size: 20
record_every: 2
checkpoints: 2
evaluation: {batch_size: 8}
slices: {lines: {directions: 1, points: 3}, planes: null, batch_statistics: recomputed}
"""


def test_the_state_of_training_is_stored_and_slices_recompute_it(tmp_path):
    (tmp_path / "nets.py").write_text(NETS)
    (run,) = config.expand(load(tmp_path, TEXT))
    cache, folder = ProgramCache(), tmp_path / "out"
    with jax.numpy_dtype_promotion("standard"), jax.numpy_rank_promotion("allow"):
        assert perform(run, folder, cache, Progress(folder)) == "done"
    model = cache.model(run)
    training = read_training(run, model, folder)
    initial, trained = (
        training.states[end]["batch_stats"]["BatchNorm_0"] for end in ("initial", "trained")
    )
    np.testing.assert_array_equal(initial["mean"], 0.0)
    assert bool(jnp.any(trained["mean"] != 0))
    path = training.states["checkpoints"]["batch_stats"]["BatchNorm_0"]["mean"]
    np.testing.assert_array_equal(path, jnp.stack([initial["mean"], trained["mean"]]))
    summary = store.read_record(folder / "summary.json", SummaryRecord)
    assert summary.batch_statistics == "recomputed"
    slices = array_files.read_slices(folder)
    center = slices["trained/lines/random/risk"][0, 1]
    assert not np.isclose(center, training.risk("trained"), rtol=1e-3)
    assert center == pytest.approx(_risk_in_batches(run, cache, training), rel=1e-4)


def _risk_in_batches(run, cache, training):
    """The mean cross entropy in NumPy, each batch normalized by its own statistics."""
    p = jax.tree.map(lambda a: np.asarray(a, np.float64), training.trained)
    data = cache.dataset(run).splits[run.evaluation.split]
    losses = []
    for start in range(0, len(data.targets), 8):
        x = np.asarray(data.inputs[start : start + 8], np.float64)
        hidden = x @ p["Dense_0"]["kernel"] + p["Dense_0"]["bias"]
        norm = p["BatchNorm_0"]
        hidden = (hidden - hidden.mean(0)) / np.sqrt(hidden.var(0) + 1e-5)
        hidden = np.tanh(norm["scale"] * hidden + norm["bias"])
        logits = (hidden @ p["Dense_1"]["kernel"] + p["Dense_1"]["bias"])[:, 0]
        losses += [*np.logaddexp(0, logits) - data.targets[start : start + 8] * logits]
    return np.mean(losses)


MODELS = """
import math
import jax
import jax.numpy as jnp
from landscape.parts.models import Model, TrainingMode

def growing(input_shape, outputs):
    def apply(params, inputs, state):
        return inputs @ params["w"]
    def train(params, inputs, state, key):
        return inputs @ params["w"], {"seen": jnp.concatenate([state["seen"], inputs[0, :1]])}
    mode = TrainingMode(lambda key: {"seen": jnp.zeros(1)}, train)
    return Model(lambda key: {"w": jnp.ones(2)}, apply, lambda p: {"w": None}, training=mode)

def vector(input_shape, outputs):
    return Model(
        lambda key: {"w": jnp.ones((2, 3))}, lambda p, x: x @ p["w"], lambda p: {"w": 1}
    )

def ending_in(function, input_shape):
    def apply(params, inputs):
        return function(inputs.reshape(len(inputs), -1)[:, 0] * params["w"])
    return Model(lambda key: {"w": jnp.ones(())}, apply, lambda p: {"w": None})

def sigmoid(input_shape, outputs):
    return ending_in(jax.nn.sigmoid, input_shape)

def small_logits(input_shape, outputs):
    return ending_in(lambda x: 0.5 + 0.02 * x, input_shape)

def softmax(input_shape, outputs):
    def apply(params, inputs):
        return jax.nn.softmax(inputs.reshape(len(inputs), -1) @ params["w"])
    shape = (math.prod(input_shape), outputs)
    return Model(lambda key: {"w": jnp.ones(shape)}, apply, lambda p: {"w": 1})

def of_probabilities(predictions, targets):
    return (predictions - targets) ** 2
"""


@pytest.mark.parametrize(
    ("model", "message"),
    [
        ("models.py:growing", r"changes its state from .*\[1\].* to .*\[2\]"),
        ("models.py:vector", r"predicts shape \(20, 3\) for 20 examples"),
        ("mlp", "recomputed` needs a model with batch normalization"),
        ("nets.py:Missing", "has no"),
        ("models.py:sigmoid", "returns probabilities, but loss `.*` takes logits"),
    ],
)
def test_models_that_do_not_fit_are_refused_before_training(model, message, tmp_path):
    (tmp_path / "models.py").write_text(MODELS)
    (tmp_path / "nets.py").write_text(NETS)
    with pytest.raises(UserError, match=message):
        prepare(config.expand(load(tmp_path, TEXT, f"model={model}")), ProgramCache())


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (["dataset=digits", "model=models.py:softmax"], "but loss `.*` takes logits"),
        (["model=models.py:sigmoid", "losses=models.py:of_probabilities"], "metric `accuracy`"),
        (["model=models.py:small_logits"], None),
        (
            ["dataset=digits", "model=models.py:softmax", "losses=models.py:of_probabilities"],
            None,
        ),
    ],
)
def test_probabilities_are_refused_where_logits_are_expected(overrides, message, tmp_path):
    (tmp_path / "models.py").write_text(MODELS)
    text = "dataset: moons\nmodel: mlp\noptimizer: {name: sgd, learning_rate: 0.1}\nsteps: 2\n"
    loss = "softmax_cross_entropy" if "dataset=digits" in overrides else "sigmoid_cross_entropy"
    overrides = (
        overrides if any("losses" in o for o in overrides) else [*overrides, f"losses={loss}"]
    )
    runs = config.expand(load(tmp_path, text + "losses: [brier]\nseeds: 1\n", *overrides))
    if message is None:
        prepare(runs, ProgramCache())
        return
    with pytest.raises(UserError, match=message):
        prepare(runs, ProgramCache())
