"""What to write instead: one sentence with a formula, by operation and finding."""

from landscape.audit.static.reader import Site

_SMOOTH = {
    "abs": "where a continuous slope is needed: sqrt(x^2 + c^2) - c, or log(cosh(x))",
    "max": "where a continuous slope is needed: jax.nn.softplus(x - b) + b, or jnp.logaddexp",
    "min": "where a continuous slope is needed: b - jax.nn.softplus(b - x)",
    "clamp": "clip the target or the report, not what the gradient passes through",
    "reduce_max": "jax.nn.logsumexp(x / T) * T reaches every component, and the maximum as T -> 0",
    "reduce_min": "-jax.nn.logsumexp(-x / T) * T reaches every component",
}
_JUMPS = {
    "floor": "leave the rounding out of the loss and report it as a metric",
    "ceil": "leave the rounding out of the loss and report it as a metric",
    "round": "leave the rounding out of the loss; if it must stay, x + stop_gradient(round(x) - x) "
    "passes a gradient straight through (Bengio et al. 2013)",
    "sign": "jnp.tanh(x / T) in place of sign(x)",
    "argmax": "jax.nn.softmax(x / T) in place of the one-hot argmax",
    "argmin": "jax.nn.softmax(-x / T) in place of the one-hot argmin",
    "convert_element_type": "stay in floating point: the cast to whole numbers cuts the gradient",
    "rem": "1 - cos(2 pi x / period) is the smooth periodic distance",
}
_COMPARISON = "jax.nn.sigmoid((x - threshold) / T) in place of the comparison"


def for_site(site: Site, code: str) -> str | None:
    """A suggestion for a confirmed suspect; None where nothing needs to change."""
    if code == "D101":
        return _JUMPS.get(site.operation, _COMPARISON)
    return _SMOOTH.get(site.operation)
