"""Lists the figures of a comparison at tuned points."""

import functools
from collections.abc import Callable, Iterator, Mapping

from landscape.report.figures import (
    best_of_k_curves,
    difference_forest,
    profile_curves,
    rate_curves,
    success_cells,
    success_maps,
    target_curves,
)
from landscape.report.figures.style import Style
from landscape.report.figures.view import Picture
from landscape.report.tuned_comparison import TunedComparison

_FIGURES: tuple[tuple[str, str, Callable[..., Picture | None]], ...] = (
    ("tuning_rates", "tolerance to the learning rate", rate_curves.rate_curves),
    ("differences", "differences to the reference", difference_forest.difference_forest),
    ("at_target", "runs at the target", target_curves.target_curves),
    ("robustness", "robustness", success_cells.success_cells),
    ("best_of_k", "best of k", best_of_k_curves.best_of_k_curves),
    ("profiles", "performance profiles", profile_curves.profile_curves),
    ("maps", "trainability maps", success_maps.success_maps),
)


def figures(
    comparison: TunedComparison, styles: Mapping[str, Style]
) -> Iterator[tuple[str, str, Callable[[], Picture | None]]]:
    """Yields file name and subject of each figure, and what draws it, None without data."""
    for name, subject, draw in _FIGURES:
        yield name, subject, functools.partial(draw, comparison, styles)
