"""A batch of an experiment for an audit: predictions of its untrained model, and its targets."""

import jax
import jax.numpy as jnp
import numpy as np

from landscape.config import Run
from landscape.parts.datasets import Dataset
from landscape.parts.models import Model
from landscape.run.training_inputs import initial_params, initial_state

MOST_EXAMPLES = 64


def audited_batch(run: Run, data: Dataset, model: Model) -> dict[str, np.ndarray]:
    """Returns the first training examples of a run, at most a batch.

    Arrays by name: `predictions`, `targets`, and the fields of the dataset.
    """
    count = min(run.batch_size, MOST_EXAMPLES, len(data.train.targets))
    examples = data.train.take(np.arange(count))
    inputs = jax.tree.map(jnp.asarray, examples.inputs)
    predictions = model.predict(initial_params(run, model), inputs, initial_state(run, model))
    arrays = {"predictions": np.asarray(predictions), "targets": examples.targets}
    return arrays | dict(examples.fields)
