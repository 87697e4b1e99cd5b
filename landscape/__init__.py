"""Which losses can be trained, and why the others cannot.

From a notebook or a script:

    from landscape import Experiment, audit, compare, load, run
    sweep = run(load("configs/quickstart.yaml", "seeds=2"))
    sweep.comparison
    compare(load("configs/quickstart.yaml")).conclusions
    run(Experiment(dataset=(inputs, targets), task="binary", model="mlp", losses=[my_loss]))
    audit(my_loss, task="binary")
"""

import importlib
from typing import TYPE_CHECKING, Any

# Importing the folders `run/`, `compare/` and `audit/` binds them to the names of the functions,
# once. It happens here, so that no later import hides the functions.
import landscape.audit as _audit_folder
import landscape.compare as _compare_folder
import landscape.run as _run_folder

__version__ = "0.1.0"
__all__ = [
    "Experiment",
    "Recorder",
    "TrainedPoint",
    "UserError",
    "adapters",
    "audit",
    "compare",
    "load",
    "look",
    "results",
    "run",
    "torch",
]

if TYPE_CHECKING:
    from landscape import adapters, torch
    from landscape.api import Experiment, audit, compare, load, look, results, run
    from landscape.errors import UserError
    from landscape.parts.points import TrainedPoint
    from landscape.recorder.jax_recorder import Recorder


del globals()["run"], globals()["compare"], globals()["audit"]


def __getattr__(name: str) -> Any:
    """Imports a public name on first use, since most commands need few of them."""
    if name == "UserError":
        from landscape.errors import UserError

        return UserError
    if name == "TrainedPoint":
        from landscape.parts.points import TrainedPoint

        return TrainedPoint
    if name == "Recorder":
        from landscape.recorder.jax_recorder import Recorder

        return Recorder
    if name in ("adapters", "torch"):
        return importlib.import_module(f"landscape.{name}")
    if name in __all__:
        from landscape import api

        return getattr(api, name)
    raise AttributeError(f"module `landscape` has no attribute `{name}`")
