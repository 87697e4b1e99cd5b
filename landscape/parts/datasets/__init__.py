"""Datasets: `name(seed, *, test_fraction=0.25, ...) -> Dataset`, NumPy arrays, no network."""

from landscape.parts.datasets._column import Column
from landscape.parts.datasets._conditions import with_conditions
from landscape.parts.datasets._dataset import Dataset, Split
from landscape.parts.datasets._for_task import for_task
from landscape.parts.datasets._in_memory import arrays_dataset, frame_dataset
from landscape.parts.datasets._prepare import complete
from landscape.parts.datasets._propose import Proposal, propose
