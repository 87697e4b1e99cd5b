"""An experiment stated in Python, with objects in the place of names."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from landscape import catalog, config
from landscape.api.python_parts import convert
from landscape.catalog import PythonObject


class PythonExperiment:
    """An experiment whose parts are names of the menu or Python objects.

    `dataset`: `(inputs, targets)`, arrays by name, a DataFrame with its target, a `Dataset`, or a
    function of the seed. `model`: a module of Equinox, Flax or Keras, a class or function that
    builds one, a pair (init, apply), or a `Model`. `losses`: functions. In `settings` are all other
    keys of a config: `task`, `optimizer` (also an object of optax), `metrics` (functions with their
    direction), `seeds`, `steps`, `slices`. Options stand beside an object under `name`, as in
    `{"name": my_loss, "limit": 5.0}`.

    Objects exist only in this process: such an experiment runs here, with the executor `serial`.
    `landscape.run` resumes results if text and values of the objects are the same as before.

    Raises UserError that lists every mistake.
    """

    def __init__(self, *, dataset: Any, model: Any, losses: Any, **settings: Any) -> None:
        values, objects = convert(
            {"dataset": dataset, "model": model, "losses": losses, **settings}
        )
        with catalog.available(objects):
            self._settings = config.from_values(values, Path.cwd())
        self._objects = objects

    def __repr__(self) -> str:
        losses = ", ".join(loss.label for loss in self._settings.losses)
        return f"<Experiment {self._settings.name!r}: {losses}>"

    @property
    def settings(self) -> config.Experiment:
        """The settings as a config has them, with all defaults."""
        return self._settings

    @property
    def objects(self) -> Mapping[str, PythonObject]:
        """The objects by the names that stand for them in the settings."""
        return self._objects
