"""One rule of jax.numpy per ATen operation, in a module per kind; each has its table in `RULES`.

A rule has the arguments of the operation, in ATen's order; the replay converts its result to the
recorded dtype.
"""
