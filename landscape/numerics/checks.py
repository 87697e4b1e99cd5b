"""Checks of the numbers of a run: each compares two ways to compute the same number."""

from typing import Any, NamedTuple

import numpy as np

from landscape.storage.records import Check

# Relative rounding errors: of float32 between two compiled programs, and of float64.
SINGLE, DOUBLE = 1e-5, 4e-16
# Shares by which a second difference may change with the step, and differ from d'Hd.
SETTLED, AGREES = 0.02, 0.05
# Largest share of a second difference that may be rounding.
ROUNDED = 0.02
# Standard errors by which two estimates of the mean curvature may differ.
ERRORS = 3.5
# Difference of Lanczos and dense eigenvalues, relative to the largest magnitude.
LANCZOS = 1e-3
# Largest share of points that are not finite, and largest share of noise in a line's range.
NONFINITE, NOISE = 0.05, 0.1


def undecided(name: str, where: str, reason: str, *, expected: float = np.nan) -> Check:
    """Returns a check that could not be decided."""
    return Check(name, where, None, np.nan, expected, np.nan, reason)


def center(where: str, value: float, risk: float) -> Check:
    """Compares the center of a slice with the risk that was recorded at that point."""
    tolerance = SINGLE * abs(risk) + 1e-7
    if not np.isfinite(risk):
        message = "the risk at the point is not finite"
        return Check("center", where, None, value, risk, tolerance, message)
    passed = bool(abs(value - risk) <= tolerance)
    verb = "is" if passed else "is not"
    message = f"the center of the slice, {value:.6g}, {verb} the risk at the point, {risk:.6g}"
    return Check("center", where, passed, value, risk, tolerance, message)


def finite(where: str, values: np.ndarray) -> Check:
    """Passes if at most 5 % of the points of a slice are NaN or infinite."""
    share = float(np.mean(~np.isfinite(values)))
    message = f"{share:.1%} of the points are not finite"
    return Check("finite", where, bool(share <= NONFINITE), share, 0.0, NONFINITE, message)


class SecondDifference(NamedTuple):
    """The limit for small steps, its rounding error, and whether the limit was reached."""

    value: float
    rounding: float
    settled: bool


_NOT_SETTLED = SecondDifference(np.nan, np.nan, False)


def second_difference(steps: np.ndarray, left: Any, center: float, right: Any) -> SecondDifference:
    """(L(h) - 2 L(0) + L(-h)) / h^2 as h shrinks: `left`, `right` are the risks at -h and h.

    The two smallest steps with little rounding decide. If they disagree, there is structure below
    the smallest step, such as a kink. If even the differences of the smallest steps are rounding
    only, the risk is level.
    """
    left, right = np.asarray(left, np.float64), np.asarray(right, np.float64)
    with np.errstate(invalid="ignore", over="ignore"):
        differences = (left - 2 * center + right) / steps**2
        largest = np.max(np.abs([left, right, np.full_like(left, center)]), axis=0)
        rounding = DOUBLE * largest / steps**2
    if not np.isfinite(differences).all():
        return _NOT_SETTLED
    usable = np.flatnonzero(rounding <= ROUNDED * np.abs(differences))
    if len(usable) >= 2:
        before, last = usable[-2:]
        value = float(differences[before])
        settled = abs(differences[last] - value) <= SETTLED * abs(value) + 4 * rounding[last]
        return SecondDifference(value, float(rounding[before]), bool(settled))
    level = np.abs(differences) <= 4 * rounding
    first = len(level) - int(np.argmin(np.append(level[::-1], False)))
    if len(level) - first < 2:
        return _NOT_SETTLED
    return SecondDifference(float(differences[first]), float(rounding[first]), True)


def curvature_along(where: str, seconds: list[SecondDifference], curvatures: np.ndarray) -> Check:
    """Compares second differences along directions of a slice with d'Hd, and reports the worst."""
    name, worst = "second_difference", -1.0
    scale = max(float(np.max(np.abs(curvatures))), 1e-300)
    for second, curvature in zip(seconds, map(float, curvatures), strict=True):
        if not second.settled or not np.isfinite(curvature):
            continue
        allowed = AGREES * max(abs(second.value), abs(curvature))
        allowed += 1e-3 * scale + 4 * second.rounding
        if abs(second.value - curvature) / allowed > worst:
            worst = abs(second.value - curvature) / allowed
            value, expected, tolerance = second.value, curvature, allowed
    if worst < 0:
        reason = (
            "second differences do not settle as the step shrinks: kinks of the loss or the model "
            "are closer to the point than the smallest step, or the loss does not compute in "
            "float64"
        )
        return undecided(name, where, reason, expected=float(curvatures[0]))
    passed = bool(worst <= 1)
    message = f"second difference {value:.6g}, d'Hd {expected:.6g} along the same direction" + (
        "" if passed else ": the Hessian misses kinks, or the slice shows another risk"
    )
    return Check(name, where, passed, value, expected, tolerance, message)


def mean_curvature(
    where: str,
    random: list[SecondDifference],
    probes: np.ndarray,
    product_norms: np.ndarray,
    parameters: int,
) -> Check:
    """Compares the mean second difference over random directions with trace(H) / N.

    `random`: second differences along unit directions, uniform on the sphere; `probes`: v'Hv of
    other vectors of unit norm with independent signs, whose mean is trace(H) / N as well, and
    `product_norms` their ||Hv||. A few samples of a skewed distribution understate their spread, so
    the standard error is at least the one that ||H||_F gives: sqrt(2 / n) ||H||_F / N.
    """
    name = "mean_curvature"
    settled = [second for second in random if second.settled]
    trace, trace_error = _mean_and_error(np.asarray(probes, np.float64))
    if len(settled) < max(len(random) / 2, 2) or not np.isfinite(trace):
        reason = "second differences along random directions do not settle: kinks are too close"
        return undecided(name, where, reason, expected=trace)
    value, error = _mean_and_error(np.array([second.value for second in settled]))
    frobenius = np.sqrt(np.mean(np.asarray(product_norms, np.float64) ** 2) / parameters)
    trace_error = max(trace_error, float(np.sqrt(2 / len(probes)) * frobenius))
    error = max(error, float(np.sqrt(2 / len(settled)) * frobenius))
    rounding = 4 * max(second.rounding for second in settled)
    tolerance = ERRORS * float(np.hypot(trace_error, error)) + 1e-3 * abs(trace) + rounding
    passed: bool | None = bool(abs(value - trace) <= tolerance)
    message = (
        f"mean curvature over {len(settled)} random directions {value:.3g} ± {error:.2g}, "
        f"trace(H)/N {trace:.3g} ± {trace_error:.2g} with N = {parameters}"
    )
    if passed and tolerance > max(abs(trace), abs(value)) > rounding:
        passed, message = None, f"{message}: too few to tell the two apart"
    return Check(name, where, passed, value, trace, tolerance, message)


def _mean_and_error(samples: np.ndarray) -> tuple[float, float]:
    return float(samples.mean()), float(samples.std(ddof=1) / np.sqrt(len(samples)))


def evaluation_noise(where: str, halves: tuple[np.ndarray, np.ndarray], middle: int) -> Check:
    """Compares the shapes of lines over two disjoint halves of the evaluation set.

    `halves` are (K, S) risks of each along K lines, `middle` the sample at the point. Half of their
    difference, both relative to the point, is the noise of the whole set: its root mean square over
    the range of the line, the mean over lines.
    """
    name = "evaluation_noise"
    first, second = (risks - risks[:, middle : middle + 1] for risks in halves)
    mean = (first + second) / 2
    known = np.isfinite(mean).all(axis=1)
    if not known.any():
        reason = "no line is finite throughout"
        return Check(name, where, None, np.nan, 0.0, NOISE, reason)
    noise = np.sqrt(np.mean(((first - second)[known] / 2) ** 2, axis=1))
    span = np.ptp(mean[known], axis=1)
    flat = span <= 1e-12 * np.abs(first).max(initial=1e-300)
    share = float(np.where(flat, 0.0, noise / np.where(flat, 1.0, span)).mean())
    passed = bool(share <= NOISE)
    message = f"two halves of the evaluation set differ by {share:.1%} of a line's range" + (
        "" if passed else ": the set is too small to tell shape from noise"
    )
    return Check(name, where, passed, share, 0.0, NOISE, message)


def lanczos(where: str, eigenvalues: np.ndarray, dense: np.ndarray) -> Check:
    """Compares extreme eigenvalues by Lanczos with those of the dense Hessian."""
    eigenvalues, dense = np.asarray(eigenvalues, np.float64), np.asarray(dense, np.float64)
    worst = int(np.argmax(np.abs(eigenvalues - dense)))
    value, exact = float(eigenvalues[worst]), float(dense[worst])
    tolerance = LANCZOS * float(np.max(np.abs(dense)))
    passed = bool(np.isfinite(eigenvalues).all() and abs(value - exact) <= tolerance)
    message = f"eigenvalue {value:.6g} by Lanczos, {exact:.6g} of the dense Hessian"
    return Check("lanczos", where, passed, value, exact, tolerance, message)
