"""Losses and activations of PyTorch and Keras as functions of JAX arrays; `libraries` is the entry.

The ATen operations of a torch loss are recorded below autograd, forward and backward, once per
shape and dtype, and replayed with jax.numpy. Neither torch nor Keras is imported before the user's
code imports it.
"""
