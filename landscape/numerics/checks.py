"""Whether the numbers of a run can be relied on: each check is two ways to the same number."""

from typing import Any, NamedTuple

import numpy as np

from landscape.storage.records import Check

# What is taken for rounding: of float32 between two compiled programs, and of float64.
SINGLE, DOUBLE = 1e-5, 4e-16
# Shares by which a second difference may change with the step, and differ from d'Hd.
SETTLED, AGREES = 0.02, 0.05
# Rounding up to this share of a second difference leaves it of use.
ROUNDED = 0.02
# Standard errors by which two estimates of the mean curvature may differ.
ERRORS = 3.5
# Lanczos and dense eigenvalues, relative to the largest magnitude.
LANCZOS = 1e-3
NONFINITE = 0.05
NOISE = 0.1


def center(where: str, value: float, risk: float) -> Check:
    """The middle of a slice is the risk that was recorded at the point it goes through."""
    tolerance = SINGLE * abs(risk) + 1e-7
    if not np.isfinite(risk):
        return Check(
            "center", where, None, value, risk, tolerance, "the risk at the point is not finite"
        )
    passed = bool(abs(value - risk) <= tolerance)
    text = "is" if passed else "is not"
    message = f"the middle of the slice, {value:.6g}, {text} the risk at the point, {risk:.6g}"
    return Check("center", where, passed, value, risk, tolerance, message)


def finite(where: str, values: np.ndarray) -> Check:
    """Few points of a slice are NaN or infinite."""
    share = float(np.mean(~np.isfinite(values)))
    message = f"{share:.1%} of the points are not finite"
    return Check("finite", where, bool(share <= NONFINITE), share, 0.0, NONFINITE, message)


class Settled(NamedTuple):
    """The second difference of the smallest steps, its rounding, and whether it stands still."""

    value: float
    rounding: float
    settled: bool


def second_difference(steps: np.ndarray, left: Any, middle: float, right: Any) -> Settled:
    """(L(h) - 2 L(0) + L(-h)) / h^2 as h shrinks: `left`, `right` are the risks at -h and h.

    The two smallest steps whose rounding is small decide; where they disagree, something happens
    nearer to the point than the smallest step, such as a kink. Where even the smallest steps see
    nothing but rounding, the risk is level.
    """
    left, right = np.asarray(left, np.float64), np.asarray(right, np.float64)
    with np.errstate(invalid="ignore", over="ignore"):
        differences = (left - 2 * middle + right) / steps**2
        largest = np.max(np.abs([left, right, np.full_like(left, middle)]), axis=0)
        rounding = DOUBLE * largest / steps**2
    if not np.isfinite(differences).all():
        return Settled(np.nan, np.nan, False)
    usable = np.flatnonzero(rounding <= ROUNDED * np.abs(differences))
    if len(usable) >= 2:
        before, last = usable[-2:]
        value = float(differences[before])
        still = abs(differences[last] - value) <= SETTLED * abs(value) + 4 * rounding[last]
        return Settled(value, float(rounding[before]), bool(still))
    level = np.abs(differences) <= 4 * rounding
    first = len(level) - int(np.argmin(np.append(level[::-1], False)))
    if len(level) - first < 2:
        return Settled(np.nan, np.nan, False)
    return Settled(float(differences[first]), float(rounding[first]), True)


def curvature_along(where: str, found: list[Settled], curvatures: np.ndarray) -> Check:
    """Second differences along the directions of a slice agree with d'Hd."""
    name, worst = "second_difference", -1.0
    scale = max(float(np.max(np.abs(curvatures))), 1e-300)
    chosen = None
    for second, exact in zip(found, curvatures, strict=True):
        if not second.settled or not np.isfinite(exact):
            continue
        room = AGREES * max(abs(second.value), abs(exact)) + 1e-3 * scale + 4 * second.rounding
        if abs(second.value - exact) / room > worst:
            worst = abs(second.value - exact) / room
            chosen = (second.value, float(exact), room)
    if chosen is None:
        message = (
            "second differences do not settle as the step shrinks: kinks of the loss or the model "
            "lie nearer to the point than the smallest step, or it computes in less than float64"
        )
        return Check(name, where, None, np.nan, float(curvatures[0]), np.nan, message)
    value, exact, room = chosen
    passed = bool(worst <= 1)
    message = f"second difference {value:.6g}, d'Hd {exact:.6g} along the same direction" + (
        "" if passed else ": the Hessian misses kinks, or the slice is not of this risk"
    )
    return Check(name, where, passed, value, exact, room, message)


def mean_curvature(
    where: str, random: list[Settled], probes: np.ndarray, bends: np.ndarray, parameters: int
) -> Check:
    """The mean second difference over random directions is trace(H) / N.

    `random`: second differences along unit directions, uniform on the sphere; `probes`: v'Hv of
    other vectors of unit norm with independent signs, whose mean is trace(H) / N as well, and
    `bends` their ||Hv||. A few samples of a skewed distribution understate their own spread, so
    the standard error is at least the one that ||H||_F gives: sqrt(2 / n) ||H||_F / N.
    """
    name = "mean_curvature"
    seen = np.array([one.value for one in random if one.settled])
    trace, error = _mean_and_error(np.asarray(probes, np.float64))
    if len(seen) < max(len(random) / 2, 2) or not np.isfinite(trace):
        message = "second differences along random directions do not settle: kinks lie too near"
        return Check(name, where, None, np.nan, trace, np.nan, message)
    value, spread = _mean_and_error(seen)
    frobenius = np.sqrt(np.mean(np.asarray(bends, np.float64) ** 2) / parameters)
    error = max(error, float(np.sqrt(2 / len(probes)) * frobenius))
    spread = max(spread, float(np.sqrt(2 / len(seen)) * frobenius))
    rounding = max(one.rounding for one in random if one.settled)
    tolerance = ERRORS * float(np.hypot(error, spread)) + 1e-3 * abs(trace) + 4 * rounding
    passed: bool | None = bool(abs(value - trace) <= tolerance)
    blunt = tolerance > max(abs(trace), abs(value)) > 4 * rounding
    message = (
        f"mean curvature over {len(seen)} random directions {value:.3g} ± {spread:.2g}, "
        f"trace(H)/N {trace:.3g} ± {error:.2g} with N = {parameters}"
    )
    if passed and blunt:
        passed, message = None, f"{message}: too few to tell the two apart"
    return Check(name, where, passed, value, trace, tolerance, message)


def _mean_and_error(samples: np.ndarray) -> tuple[float, float]:
    return float(samples.mean()), float(samples.std(ddof=1) / np.sqrt(len(samples)))


def evaluation_noise(where: str, halves: tuple[np.ndarray, np.ndarray], middle: int) -> Check:
    """Two disjoint halves of the evaluation set see the same shape.

    `halves` are (K, S) risks of each along K lines, `middle` the sample at the point. Half of their
    difference, both taken from the point, is the noise of the whole set: its root mean square over
    the range of the line, the mean over lines.
    """
    name = "evaluation_noise"
    first, second = (a - a[:, middle : middle + 1] for a in halves)
    both = (first + second) / 2
    known = np.isfinite(both).all(axis=1)
    if not known.any():
        return Check(name, where, None, np.nan, 0.0, NOISE, "no line is finite throughout")
    noise = np.sqrt(np.mean(((first - second)[known] / 2) ** 2, axis=1))
    span = both[known].max(axis=1) - both[known].min(axis=1)
    flat = span <= 1e-12 * np.abs(first).max(initial=1e-300)
    shares = np.where(flat, 0.0, noise / np.where(flat, 1.0, span))
    share = float(shares.mean())
    passed = bool(share <= NOISE)
    message = f"two halves of the evaluation set differ by {share:.1%} of a line's range" + (
        "" if passed else ": the set is too small to tell shape from noise"
    )
    return Check(name, where, passed, share, 0.0, NOISE, message)


def lanczos(where: str, found: np.ndarray, dense: np.ndarray) -> Check:
    """Extreme eigenvalues by Lanczos are those of the dense Hessian."""
    found, dense = np.asarray(found, np.float64), np.asarray(dense, np.float64)
    scale = float(np.max(np.abs(dense)))
    worst = int(np.argmax(np.abs(found - dense)))
    value, exact = float(found[worst]), float(dense[worst])
    tolerance = LANCZOS * scale
    passed = bool(np.isfinite(found).all() and abs(value - exact) <= tolerance)
    message = f"eigenvalue {value:.6g} by Lanczos, {exact:.6g} of the dense Hessian"
    return Check("lanczos", where, passed, value, exact, tolerance, message)


def undecided(name: str, where: str, reason: str) -> Check:
    """A check that could not be made at all."""
    return Check(name, where, None, np.nan, np.nan, np.nan, reason)
