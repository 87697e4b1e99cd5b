"""The signature of a family of losses, which is the same for all losses of the menu."""

import jax
import numpy as np

from landscape.run import program

# All that the shapes of predictions and targets depend on, and the metrics of a run.
_FIELDS = {"dataset", "task", "model", "metrics", "targets", "batch_size", "evaluation"}


def share_signatures(patch):
    """Traces one loss of the menu per dataset and model, instead of one in each sweep.

    `run/test_program_cache.py` proves that all of them have the same signature.
    """
    compute, signatures = program.family_signature, {}

    def family_signature(run, data, model, loss):
        parts = (run.loss, run.dataset, run.model)
        if run.point is not None or any(":" in part.name for part in parts):
            return compute(run, data, model, loss)
        arrays = data.train.inputs, data.train.targets, data.train.fields
        shapes = jax.tree.map(lambda array: (np.shape(array), np.asarray(array).dtype), arrays)
        key = run.model_dump_json(include=_FIELDS), str((data.task, data.outputs, shapes))
        if key not in signatures:
            signatures[key] = compute(run, data, model, loss)
        return signatures[key]

    patch.setattr(program, "family_signature", family_signature)
