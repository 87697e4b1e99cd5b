"""`maps.json` of an experiment: where training succeeds, by learning rate and initialization."""

from collections.abc import Mapping
from dataclasses import field

import numpy as np
from pydantic import model_validator

from landscape.storage.schema import Block, Name, Natural, Number, Vector, record


@record
class MapRecord:
    """The trainability map of one loss: a training per learning rate, scale and seed."""

    rates: Vector
    """Learning rates, ascending."""
    scales: Vector
    """Factors of the initial weights, ascending."""
    seeds: tuple[Natural, ...]
    """Seeds of split, order and initialization."""
    steps: Natural
    """Updates of every training."""
    metric: Name
    """The primary metric."""
    higher_is_better: bool
    """Whether larger values of the metric are better."""
    target: Number
    """A training succeeds if its metric is at least as good."""
    values: Block
    """The metric on the evaluation set after training, by scale, rate and seed; NaN: diverged."""
    key: str = ""
    """Identifies what was trained."""

    @model_validator(mode="after")
    def _check_shape(self) -> "MapRecord":
        expected = len(self.scales), len(self.rates), len(self.seeds)
        lengths = {(len(self.values), len(row), len(cell)) for row in self.values for cell in row}
        if 0 in expected or lengths != {expected}:
            raise ValueError("the values do not have the shape of scales, rates and seeds")
        return self

    def shares(self) -> np.ndarray:
        """Returns the share of seeds whose training succeeds, `(scales, rates)`."""
        values = np.asarray(self.values)
        succeeds = values >= self.target if self.higher_is_better else values <= self.target
        return np.asarray(succeeds.mean(axis=2))


@record
class MapsRecord:
    """`maps.json` of an experiment: trainability maps by the label of the loss."""

    maps: Mapping[Name, MapRecord] = field(default_factory=dict)
    """Maps of losses by label."""
