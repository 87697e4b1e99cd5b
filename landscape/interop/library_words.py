"""Messages about JAX functions, in the words of the library in which a loss is written."""

import re
from collections.abc import Callable, Mapping

# What a user of PyTorch writes instead; a text is replaced by the first entry that fits.
TORCH = {
    "jax.nn.log_sigmoid(z), or optax.sigmoid_binary_cross_entropy": (
        "F.logsigmoid(z), or F.binary_cross_entropy_with_logits"
    ),
    "optax.sigmoid_binary_cross_entropy": "F.binary_cross_entropy_with_logits",
    "optax.log_cosh, or x + jax.nn.softplus(-2 * x) - log(2)": (
        "x + F.softplus(-2 * x) - math.log(2)"
    ),
    "divide by jnp.sqrt(jnp.sum(x**2) + epsilon): the gradient of a norm is NaN at 0": (
        "F.normalize(x, dim=-1), or divide by torch.sqrt(torch.sum(x**2) + epsilon): a vector of "
        "zeros has no direction"
    ),
    "jax.nn.log_softmax(z)": "F.log_softmax(z, dim=-1)",
    "jax.nn.logsumexp(z)": "torch.logsumexp(z, dim=-1)",
    "jax.nn.logsumexp(x / T)": "torch.logsumexp(x / T, dim=-1)",
    "jax.nn.logsumexp(-x / T)": "torch.logsumexp(-x / T, dim=-1)",
    "jax.nn.softmax(x / T)": "torch.softmax(x / T, dim=-1)",
    "jax.nn.softmax(-x / T)": "torch.softmax(-x / T, dim=-1)",
    "jax.nn.log_sigmoid": "F.logsigmoid",
    "by log_sigmoid": "by F.logsigmoid",
    "jax.nn.logsumexp": "torch.logsumexp",
    "jax.nn.sigmoid": "torch.sigmoid",
    "jax.nn.softmax": "torch.softmax",
    "jax.nn.": "F.",
    "predictions.astype(jnp.float32)": "predictions.float()",
    "jnp.maximum(count, 1)": "count.clamp(min=1)",
    "jnp.maximum(x, epsilon)": "x.clamp(min=epsilon)",
    "jnp.clip": "torch.clamp",
    "x + stop_gradient(round(x) - x)": "x + (torch.round(x) - x).detach()",
    "remove lax.stop_gradient from the prediction": (
        "remove `.detach()`, `.data`, `torch.no_grad()` or a copy by torch.tensor from the "
        "prediction"
    ),
    "lax.stop_gradient holds": "a detached tensor (`.detach()`, `.data`, `torch.no_grad()`) holds",
    "behind lax.stop_gradient": "that is detached",
    "lax.stop_gradient": "`.detach()`, `.data` or `torch.no_grad()`",
    "give the function a custom_jvp": "write it as an autograd.Function",
    "draw random numbers from a fixed jax.random.key": "use fixed numbers",
    "jnp.logical_and or jax.lax.cond": "torch.logical_and",
    "jax.numpy in place of numpy": "torch operations in place of NumPy",
    "jax.numpy and jax.lax operations": "torch operations",
    "jax.vmap": "torch.vmap",
    "autodiff": "autograd",
    "jnp.": "torch.",
}
# What a user of Keras writes instead.
KERAS = {
    "optax.sigmoid_binary_cross_entropy(logits, targets)": (
        "keras.losses.binary_crossentropy(targets, logits, from_logits=True)"
    ),
    "optax.sigmoid_binary_cross_entropy": "keras.losses.binary_crossentropy with from_logits=True",
    "optax.log_cosh, or x + jax.nn.softplus(-2 * x) - log(2)": "keras.losses.log_cosh",
    "predictions.astype(jnp.float32)": 'keras.ops.cast(predictions, "float32")',
    "x + stop_gradient(round(x) - x)": "x + keras.ops.stop_gradient(keras.ops.round(x) - x)",
    "give the function a custom_jvp": "give the function a keras.ops.custom_gradient",
    "draw random numbers from a fixed jax.random.key": "use fixed numbers",
    "jnp.logical_and or jax.lax.cond": "keras.ops.logical_and or keras.ops.cond",
    "jax.numpy in place of numpy": "keras.ops in place of NumPy",
    "jax.numpy and jax.lax operations": "keras.ops",
    "jax.vmap": "keras.ops.vectorized_map",
    "jax.nn.": "keras.ops.",
    "lax.stop_gradient": "keras.ops.stop_gradient",
    "jnp.": "keras.ops.",
}


def translator(words: Mapping[str, str]) -> Callable[[str], str]:
    """Returns the function that replaces words of JAX in a text by those of a library."""
    pattern = re.compile("|".join(map(re.escape, words)))
    return lambda text: pattern.sub(lambda match: words[match[0]], text)


TRANSLATORS = {"PyTorch": translator(TORCH), "Keras": translator(KERAS)}


def in_words_of(library: str | None, text: str) -> str:
    """Returns a text in the words of a library; unchanged if the loss is written with JAX."""
    translate = TRANSLATORS.get(library or "")
    return text if translate is None else translate(text)
