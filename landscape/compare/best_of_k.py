"""Expected best of k random trials: what a small budget of tuning reaches."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike


def best_of_k(values: ArrayLike, ks: Sequence[int] = (1, 2, 4, 8)) -> tuple[float, ...]:
    """`E(k) = sum_j M_(j) [(j/N)^k - ((j-1)/N)^k]`, M_(1) <= ... <= M_(N).

    The expected maximum of k draws with replacement from the N values (Dodge et al. 2019, "Show
    your work"); `E(1)` is their mean. `values` holds one number per trial, finite: give a diverged
    trial the metric of the untrained model. NaN without values.
    """
    ordered = np.sort(np.asarray(values, np.float64).ravel())
    if not len(ordered):
        return tuple(np.nan for _ in ks)
    shares = np.arange(len(ordered) + 1) / len(ordered)
    return tuple(float(ordered @ np.diff(shares**k)) for k in ks)
