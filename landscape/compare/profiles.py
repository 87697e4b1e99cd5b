"""Performance profiles: robustness over conditions in one curve per loss."""

import numpy as np
from numpy.typing import ArrayLike, NDArray

LONGEST = 4.0  # end of the integral, as in AlgoPerf


def ratios(times: ArrayLike) -> NDArray[np.float64]:
    """`r_ic = t_ic / min_j t_jc`, (losses, conditions); infinite where a loss does not arrive.

    `times` are positive; NaN or infinite for a loss that does not reach the target. Where none
    does, all ratios are infinite.
    """
    values = np.nan_to_num(np.asarray(times, np.float64), nan=np.inf, posinf=np.inf)
    fastest = values.min(axis=0)
    return np.where(
        np.isfinite(values), values / np.where(np.isfinite(fastest), fastest, 1), np.inf
    )


def profile(times: ArrayLike, taus: ArrayLike) -> NDArray[np.float64]:
    """`rho_i(tau)` = share of conditions with `r_ic <= tau`, (losses, taus): Dolan and More 2002.

    `rho_i(1)` is the share of conditions in which loss i is fastest, and its limit the share in
    which it arrives. The profiles of two losses depend on the list: another loss that is fastest
    somewhere changes all ratios there.
    """
    within = ratios(times)[:, :, None] <= np.asarray(taus, np.float64) * (1 + 1e-12)
    return within.mean(axis=1)


def profile_score(times: ArrayLike, longest: float = LONGEST) -> NDArray[np.float64]:
    """`1 / (R - 1)` times the integral of `rho_i` from 1 to R = 4: (losses,), in [0, 1].

    The score of AlgoPerf (Dahl et al. 2023), exact: each condition contributes the part of [1, R]
    that lies above its ratio.
    """
    return np.maximum(0, longest - ratios(times)).mean(axis=1) / (longest - 1)
