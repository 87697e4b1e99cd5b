"""Advice about JAX in the words of PyTorch."""

import re

# By the name in JAX: what a user of torch writes instead; longer names first.
_NAMES = {
    "optax.sigmoid_binary_cross_entropy": "F.binary_cross_entropy_with_logits",
    "optax.log_cosh, or ": "",
    "predictions.astype(jnp.float32)": "predictions.float()",
    "jax.nn.log_sigmoid": "F.logsigmoid",
    "jax.nn.logsumexp": "torch.logsumexp",
    "jax.nn.sigmoid": "torch.sigmoid",
    "jax.nn.softmax": "torch.softmax",
    "jax.nn.": "F.",
    "jax.vmap": "torch.vmap",
    "jnp.maximum(count, 1)": "count.clamp(min=1)",
    "jnp.clip": "torch.clamp",
    "jnp.": "torch.",
}
_PATTERN = re.compile("|".join(map(re.escape, _NAMES)))


def in_torch(text: str) -> str:
    """Returns a text with the names of torch in place of those of jax and optax."""
    return _PATTERN.sub(lambda match: _NAMES[match[0]], text)
