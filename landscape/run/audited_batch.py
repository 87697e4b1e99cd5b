"""A batch of an experiment for an audit: predictions of its untrained model, and its targets."""

from typing import NamedTuple

import jax.numpy as jnp
import numpy as np

from landscape.config import Run
from landscape.run.program_cache import ProgramCache
from landscape.run.training_inputs import initial_params, initial_state

MOST_EXAMPLES = 64


class AuditedBatch(NamedTuple):
    """The task of an experiment, and arrays of some examples by the names of roles and fields."""

    task: str
    arrays: dict[str, np.ndarray]


def audited_batch(run: Run) -> AuditedBatch:
    """Returns the first training examples of a run, at most a batch.

    Raises UserError if the dataset or the model of the run cannot be built.
    """
    cache = ProgramCache()
    data, model = cache.dataset(run), cache.model(run)
    count = min(run.batch_size, MOST_EXAMPLES, len(data.train.targets))
    examples = data.train.take(np.arange(count))
    predictions = model.predict(
        initial_params(run, model), jnp.asarray(examples.inputs), initial_state(run, model)
    )
    task = data.task if run.task is None else run.task.name
    arrays = {"predictions": np.asarray(predictions), "targets": examples.targets}
    return AuditedBatch(task, arrays | dict(examples.fields))
