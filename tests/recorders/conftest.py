"""A run of the program, and the batches of its training, which loops of the tests repeat."""

from typing import NamedTuple

import jax
import numpy as np
import pandas as pd
import pytest
from helpers.in_process_runs import ended_runs

from landscape import config
from landscape.run.program_cache import ProgramCache, prepare
from landscape.run.training_inputs import evaluation_set, training_inputs
from landscape.storage import array_files, store

CONFIG = """
dataset: digits
model: {name: mlp, widths: [8], activation: relu}
optimizer: {name: sgd, learning_rate: 0.1, momentum: 0.0}
losses: [softmax_cross_entropy]
seeds: 1
steps: 12
batch_size: 16
record_every: 4
slices: null
"""


class TrainedRun(NamedTuple):
    """The trace of a run, its initial parameters, and the batches of its steps, targets one-hot."""

    trace: pd.DataFrame
    params: dict[str, np.ndarray]
    batches: list[tuple[np.ndarray, np.ndarray]]
    evaluation: tuple[np.ndarray, np.ndarray]


@pytest.fixture(scope="session")
def trained_run(tmp_path_factory):
    folder = tmp_path_factory.mktemp("trained")
    (folder / "experiment.yaml").write_text(CONFIG)
    (run,) = config.expand(config.load(folder / "experiment.yaml", ()))
    cache = ProgramCache()
    prepare([run], cache)
    ((_, status, _),) = ended_runs([run], folder / "out", cache)
    assert status == "done"
    program, data = cache.program(run), cache.dataset(run)
    inputs = training_inputs(run, program.model, program.optimizer, data, evaluation_set(run, data))

    def arrays(examples, rows):
        targets = np.eye(10, dtype=np.float32)[np.asarray(examples.targets.values)[rows]]
        inputs = np.asarray(examples.inputs)[rows]
        return inputs.reshape(len(inputs), -1), targets

    ran = store.run_folder(folder / "out", run.id)
    return TrainedRun(
        array_files.read_trace(ran),
        {
            jax.tree_util.keystr(path, simple=True, separator="/"): np.asarray(leaf)
            for path, leaf in jax.tree_util.tree_leaves_with_path(inputs.params)
        },
        [arrays(inputs.training, rows) for rows in np.asarray(inputs.order)],
        arrays(inputs.evaluation, slice(None)),
    )
