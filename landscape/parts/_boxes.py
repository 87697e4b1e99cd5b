"""The corners of boxes: read by losses and by metrics."""

import jax
import jax.numpy as jnp


def corners(boxes: jax.Array, form: str | None) -> tuple[jax.Array, jax.Array]:
    """Returns the low and the high corners `(batch, 2)` of boxes `(batch, 4)`.

    `form` "center": center x, center y, width, height; else two opposite corners in any order.
    """
    first, second = jnp.split(boxes, 2, axis=-1)
    if form == "center":
        first, second = first - second / 2, first + second / 2
    return jnp.minimum(first, second), jnp.maximum(first, second)
