"""A loss that fails at a batch size that occurs in the run is refused before training."""

import jax
import numpy as np
import pytest

from landscape import config
from landscape.errors import UserError
from landscape.numerics.loss import Targets
from landscape.numerics.risk import BatchMeasure, Examples, over_batches
from landscape.run.program_cache import ProgramCache, prepare
from landscape.run.training_inputs import evaluation_batch_sizes

# 178 examples: 106 to train, 45 to evaluate.
CONFIG = """
dataset: wine
model: linear
losses: ["mine.py:loss"]
seeds: 1
steps: 10
record_every: 10
evaluation: {split: test}
batch_size: 32
slices: null
"""
SQUARES = "((p - t) ** 2).sum(axis=1)"
REFUSED = {
    "32 examples": ("return (p - t).reshape(32, -1).sum()", "45 of", "mine.py:3"),
    "raises": (f"assert len(p) == 32, 'not 32'; return {SQUARES}", "raises AssertionError", ":3"),
    "integers": (f"return {SQUARES} if len(p) == 32 else (p > 0).sum(axis=1)", "int32", ":2"),
    "booleans": (f"return {SQUARES} if len(p) == 32 else p[:, 0] > 0", "bool", ":2"),
    "columns": (f"return {SQUARES}[:, None] if len(p) != 32 else {SQUARES}", "(45, 1)", ":2"),
    "fixed length": (f"return {SQUARES}[:32]", "shape (32,) for predictions of shape (45,", ":2"),
    "last batch": (f"return {SQUARES} if len(p) != 5 else p[0, 0] > 0", "5 of", ":2"),
    "tuple": (f"return {SQUARES} if len(p) == 32 else (p, t)", "returns tuple", ":2"),
    "one example": (f"return {SQUARES} if len(p) > 1 else p[0]", "shape (3,)", ":2"),
}
EVALUATION = {
    "last batch": ["evaluation.batch_size=20"],
    "one example": ["evaluation.batch_size=44"],
}


def load(folder, body, *overrides):
    (folder / "mine.py").write_text(f"import jax.numpy as jnp\ndef loss(p, t):\n    {body}\n")
    (folder / "own.yaml").write_text(CONFIG)
    return config.expand(config.load(folder / "own.yaml", overrides))


@pytest.mark.parametrize("name", REFUSED)
def test_a_loss_that_fails_at_another_batch_size_is_refused(tmp_path, name):
    body, message, place = REFUSED[name]
    with pytest.raises(UserError) as refused:
        prepare(load(tmp_path, body, *EVALUATION.get(name, [])), ProgramCache())
    assert message in refused.value.message
    assert str(refused.value.place).endswith(place)


def test_a_batch_size_that_does_not_occur_is_not_checked(tmp_path):
    prepare(load(tmp_path, f"assert len(p) in (32, 45); return {SQUARES}"), ProgramCache())


def test_one_example_is_no_evaluation_set(tmp_path):
    with pytest.raises(UserError, match="the evaluation set has 1 example") as refused:
        prepare(load(tmp_path, f"return {SQUARES}", "evaluation.size=1"), ProgramCache())
    assert "`evaluation.size`" in refused.value.hint


@pytest.mark.parametrize("size", [None, 1, 7, 40])
@pytest.mark.parametrize("batch_size", [1, 3, 20, 45, 512])
@pytest.mark.parametrize("sliced", [False, True])
def test_the_batch_sizes_are_those_of_the_evaluation(tmp_path, size, batch_size, sliced):
    overrides = [f"evaluation.batch_size={batch_size}"]
    overrides += [] if size is None else [f"evaluation.size={size}"]
    overrides += ["slices.lines.points=3"] if sliced else []
    (run,) = load(tmp_path, f"return {SQUARES}", *overrides)
    data = ProgramCache().dataset(run)
    count = size or len(data.test.targets)
    seen = set()

    def measure(batch):
        seen.add(len(batch.targets))
        return BatchMeasure({"risk": batch.targets.values.sum()}, {})

    for number in (count, max(count // 2, 1)) if sliced else (count,):
        arrays = Examples(np.zeros((number, 2), np.float32), Targets(np.zeros(number, np.float32)))
        jax.eval_shape(lambda examples: over_batches(measure, examples, batch_size).means, arrays)
    assert evaluation_batch_sizes(run, data) == seen
