"""Checks of a run that need its program or its optimizer, before anything is trained."""

from typing import Any

import jax
import numpy as np

from landscape import catalog
from landscape.config import Run
from landscape.errors import UserError
from landscape.numerics.user_calls import definition
from landscape.parts.datasets import Dataset
from landscape.run import preflight
from landscape.run.program import Program, build_optimizer
from landscape.run.training_inputs import evaluation_set

PyTree = Any


def check_evaluation_set(run: Run, data: Dataset) -> None:
    """Raises UserError if there is only one example to evaluate."""
    available = len(data.splits[run.evaluation.split].targets)
    if run.point is not None:  # a batch of a risk may be all that there is
        return
    if min(available, run.evaluation.size or available) < 2:
        hint = "use a larger `evaluation.size`, or remove it"
        if available < 2:
            hint = "use more examples, or another `evaluation.split`"
        raise UserError("the evaluation set has 1 example; expected 2 or more", hint=hint)


def check_scores(run: Run, program: Program, data: Dataset, params: PyTree) -> None:
    """Raises UserError if a metric of an untrained model with finite predictions is NaN."""
    shared = program.shared
    examples = evaluation_set(run, data)
    examples = examples._replace(state=shared.model.init_state(jax.random.key(0)))
    predictions = shared.instruments.predict(params, examples)
    if not bool(np.isfinite(predictions).all()):
        return
    for name, score in shared.instruments.metrics_of(predictions, examples).items():
        if np.isnan(score):
            raise UserError(
                f"metric `{name}` is NaN for an untrained model on the evaluation set",
                place=definition(shared.metrics[name].function),
                hint="return a number for any finite predictions",
            )


def check_optimizer(run: Run) -> None:
    """Raises UserError if the part returns anything but an optimizer of optax."""
    optimizer, name = run.optimizer, f"optimizer `{run.optimizer.name}`"
    function = catalog.build("optimizers", optimizer, folder=run.folder)
    built = preflight.call_part(lambda: build_optimizer(run, {}), name, optimizer, function)
    if not (hasattr(built, "init") and hasattr(built, "update")):
        message = f"{name} returns {type(built).__name__}, expected an optimizer of optax"
        hint = "return an optax.GradientTransformation"
        raise UserError(message, hint=hint, part=optimizer.name)
