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

# Names of their files.
NAMES = (
    "tuning_rates",
    "differences",
    "at_target",
    "robustness",
    "best_of_k",
    "profiles",
    "maps",
)
_FIGURES: tuple[tuple[str, Callable[..., Picture | None]], ...] = (
    ("tolerance to the learning rate", rate_curves.rate_curves),
    ("differences to the reference", difference_forest.difference_forest),
    ("runs at the target", target_curves.target_curves),
    ("robustness", success_cells.success_cells),
    ("best of k", best_of_k_curves.best_of_k_curves),
    ("performance profiles", profile_curves.profile_curves),
    ("trainability maps", success_maps.success_maps),
)


def figures(
    comparison: TunedComparison, styles: Mapping[str, Style]
) -> Iterator[tuple[str, Callable[[], Picture | None]]]:
    """Yields what each figure shows, and the function that draws it, None without data."""
    for subject, draw in _FIGURES:
        yield subject, functools.partial(draw, comparison, styles)
