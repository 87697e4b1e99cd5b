"""What to write instead of an operation that is not finite: for D101, N301 and N302."""

from landscape.audit.measure.survey import Survey
from landscape.audit.static.ancestry import RECIPROCAL, Chain, operand_chains

FROM_LOGITS = "compute from logits: jax.nn.log_sigmoid(z), or optax.sigmoid_binary_cross_entropy"
LOGARITHM = "keep the argument of the logarithm away from 0, or compute it from logits"
PROBABILITIES = "if predictions are probabilities, audit with --domain unit"
ROOT = "a double where: jnp.where(x > 0, jnp.sqrt(jnp.where(x > 0, x, 1)), 0); or + epsilon"
DIVISION = "add a small constant to the denominator, or choose the case with a double jnp.where"
COUNT = "divide by jnp.maximum(count, 1): the denominator is 0 for some targets"
NORM = "divide by jnp.sqrt(jnp.sum(x**2) + epsilon): the gradient of a norm is NaN at 0"
SOFTPLUS = "jax.nn.softplus(z) in place of log(1 + exp(z))"
EXPONENT = "subtract the largest exponent first, as jax.nn.softmax and jax.nn.logsumexp do"
POWER = "keep the base away from 0: jnp.where(x > 0, jnp.where(x > 0, x, 1) ** a, 0)"
EDGE = "keep the argument inside of (-1, 1), such as by jnp.clip(x, -1 + 1e-6, 1 - 1e-6)"
GUARD = "guard the operation with a double jnp.where, so that the branch not taken is finite too"
_LOGARITHMS = ("log", "log1p")
_EXPONENTIALS = ("exp", "exp2", "expm1", "cosh", "sinh")
_BY_OPERATION = {
    **dict.fromkeys(("sqrt", "rsqrt"), ROOT),
    **dict.fromkeys(_EXPONENTIALS, EXPONENT),
    **dict.fromkeys(("pow", "integer_pow", "cbrt"), POWER),
    **dict.fromkeys(("asin", "acos", "atanh", "erf_inv"), EDGE),
    "div": DIVISION,
}


def advice(survey: Survey, operation: str, number: int | None) -> str:
    """Returns what to write instead of an operation, by what its operand was computed from.

    `number` is that of its equation in the program of the value; None if unknown.
    """
    operands = {} if number is None else operand_chains(survey.subject.value)
    if operation in _LOGARITHMS and number in operands:
        return _of_logarithm(survey, *operands[number])
    if operation == "div" and number in operands:
        return _of_division(operands[number].chains[1])
    if operation in _EXPONENTIALS:
        for logarithm, (chain, *_) in operands.values():
            if logarithm in _LOGARITHMS and operation in (chain or ()):
                return _of_logarithm(survey, logarithm, [chain])
    return _BY_OPERATION.get(operation, GUARD)


def _of_logarithm(survey: Survey, logarithm: str, chains: list[Chain]) -> str:
    """Returns the advice for the logarithm of an operand."""
    chain = chains[0] or ()
    if "logistic" in chain or _is_sigmoid(chain) or _is_sigmoid(chain[1:]):
        return FROM_LOGITS
    if logarithm == "log1p":
        return SOFTPLUS if chain[:1] == ("exp",) else LOGARITHM
    if chain[:1] == ("div",) and "exp" in chain:
        return "jax.nn.log_softmax(z) in place of the logarithm of a softmax"
    if chain[:2] == ("reduce_sum", "exp"):
        return "jax.nn.logsumexp(z) in place of the logarithm of a sum of exponentials"
    if chain[:2] == ("add", "exp"):
        return SOFTPLUS
    if chain[:1] == ("cosh",):
        return "optax.log_cosh, or x + jax.nn.softplus(-2 * x) - log(2), in place of log(cosh(x))"
    if chain[:1] == ("sub",) and "exp" in chain:
        return (
            "jnp.log(-jnp.expm1(-x)) in place of log(1 - exp(-x)), and no 1 - (1 - q): the "
            "difference is rounded to 0"
        )
    if survey.subject.domain.name == "real" and survey.subject.head is None and not chain:
        return f"{LOGARITHM}; {PROBABILITIES}"
    return LOGARITHM


def _is_sigmoid(chain: tuple[str, ...]) -> bool:
    """Whether a chain is that of 1 / (1 + exp(-z))."""
    return chain[:3] == (RECIPROCAL, "add", "exp")


def _of_division(denominator: Chain) -> str:
    if denominator is None:
        return COUNT
    return NORM if denominator[:1] == ("sqrt",) else DIVISION
