"""Optimizers: `name(learning_rate, *, options) -> optax.GradientTransformation`.

`learning_rate` is a number or an optax schedule: a function of the number of updates so far. In the
formulas p are the parameters, g the gradient, r the learning rate and w the weight decay. `update`
needs the parameters, even without weight decay. Each is elementwise: training passes all parameters
as one vector. Raises UserError if an option is out of range.
"""

from collections.abc import Callable
from typing import Any

import jax
import optax

from landscape.errors import UserError
from landscape.parts._options import check_in, check_rate

PyTree = Any


def sgd(
    learning_rate: float | Callable = 0.01,
    *,
    momentum: float = 0.9,
    nesterov: bool = False,
    weight_decay: float = 0.0,
) -> optax.GradientTransformation:
    """v = momentum v + g + w p; p -= r v (with nesterov: p -= r (momentum v + g + w p)).

    Weight decay is coupled: it is part of the gradient, as an L2 penalty w |p|^2 / 2 would be.
    momentum=0 is plain gradient descent. Source: Polyak 1964; Sutskever et al. 2013 (nesterov).
    Choose it to expose the geometry of the loss itself: steps are proportional to the gradient, so
    it stalls if the gradient vanishes and diverges if it explodes.
    """
    _check_rate(learning_rate)
    check_in("[0, 1)", momentum=momentum)
    if nesterov and isinstance(momentum, int | float) and momentum == 0:
        raise UserError(
            "`nesterov` looks ahead along the momentum, but `momentum` is 0",
            hint="set `momentum` above 0, or `nesterov: false`",
        )
    return _coupled(weight_decay, optax.sgd(learning_rate, momentum, nesterov))


def adam(
    learning_rate: float | Callable = 1e-3,
    *,
    b1: float = 0.9,
    b2: float = 0.999,
    epsilon: float = 1e-8,
    weight_decay: float = 0.0,
) -> optax.GradientTransformation:
    """m = b1 m + (1-b1) g; v = b2 v + (1-b2) g^2; p -= r m' / (sqrt(v') + epsilon).

    m' = m / (1 - b1^t) and v' = v / (1 - b2^t) at update t = 1, 2, …. Weight decay is coupled: g
    stands for g + w p, so it is rescaled like the gradient; `adamw` decouples it. Source: Kingma
    and Ba 2015. Choose it as the default: the step does not depend on the scale of the loss, so
    losses in different units can share a learning rate.
    """
    _check_rate(learning_rate)
    check_in("[0, 1)", b1=b1, b2=b2)
    check_in("[0, inf)", epsilon=epsilon)
    return _coupled(weight_decay, optax.adam(learning_rate, b1, b2, epsilon))


def adamw(
    learning_rate: float | Callable = 1e-3,
    *,
    b1: float = 0.9,
    b2: float = 0.999,
    epsilon: float = 1e-8,
    weight_decay: float = 0.01,
) -> optax.GradientTransformation:
    """adam's step plus decoupled decay: p -= r (m' / (sqrt(v') + epsilon) + w p).

    m' and v' as in `adam`, from the gradient alone. Decay applies to every parameter, biases and
    normalization included. Source: Loshchilov and Hutter 2019. Choose it instead of `adam` for
    training with weight decay.
    """
    _check_rate(learning_rate)
    check_in("[0, 1)", b1=b1, b2=b2)
    check_in("[0, inf)", epsilon=epsilon, weight_decay=weight_decay)
    return _promoting(optax.adamw(learning_rate, b1, b2, epsilon, weight_decay=weight_decay))


def rmsprop(
    learning_rate: float | Callable = 1e-3,
    *,
    decay: float = 0.9,
    epsilon: float = 1e-8,
    weight_decay: float = 0.0,
) -> optax.GradientTransformation:
    """v = decay v + (1-decay) g^2; p -= r g / (sqrt(v) + epsilon).

    v starts at 0 and is not bias-corrected, so the first steps are long, up to r / sqrt(1-decay).
    Weight decay is coupled: g stands for g + w p. Source: Tieleman and Hinton 2012 (lecture 6.5).
    Choose it for a loss whose gradient changes scale during training, if the momentum of adam
    overshoots.
    """
    _check_rate(learning_rate)
    check_in("[0, 1)", decay=decay)
    check_in("[0, inf)", epsilon=epsilon)
    return _coupled(weight_decay, optax.rmsprop(learning_rate, decay, epsilon, eps_in_sqrt=False))


def lion(
    learning_rate: float | Callable = 1e-4,
    *,
    b1: float = 0.9,
    b2: float = 0.99,
    weight_decay: float = 0.0,
) -> optax.GradientTransformation:
    """p -= r (sign(b1 m + (1-b1) g) + w p); m = b2 m + (1-b2) g.

    Every parameter moves by exactly r for a gradient of any size, and by 0 if gradient and m are
    zero. Weight decay is decoupled. Source: Chen et al. 2023, who recommend a rate 3 to 10 times
    smaller than for adamw, and a decay larger by the same factor. Choose it if tiny gradients must
    still matter.
    """
    _check_rate(learning_rate)
    check_in("[0, 1)", b1=b1, b2=b2)
    check_in("[0, inf)", weight_decay=weight_decay)
    return _promoting(optax.lion(learning_rate, b1, b2, weight_decay=weight_decay))


def _coupled(
    weight_decay: float, optimizer: optax.GradientTransformation
) -> optax.GradientTransformation:
    check_in("[0, inf)", weight_decay=weight_decay)
    return _promoting(optax.chain(optax.add_decayed_weights(weight_decay), optimizer))


def _promoting(optimizer: optax.GradientTransformation) -> optax.GradientTransformation:
    # Optax mixes its integer step count with floats, which strict dtype promotion forbids.
    def update(gradients: PyTree, state: PyTree, params: PyTree = None) -> tuple[PyTree, PyTree]:
        with jax.numpy_dtype_promotion("standard"):
            return optimizer.update(gradients, state, params)

    return optax.GradientTransformation(optimizer.init, update)


def _check_rate(learning_rate: float | Callable) -> None:
    if not callable(learning_rate):
        check_rate(learning_rate)
