"""Losses and activations of PyTorch as functions of JAX arrays, with torch's own gradient.

The ATen operations of a loss are recorded below autograd, forward and backward, once per shape and
dtype, and replayed with jax.numpy. Only `torch_recognition` is imported before a torch loss is met.
"""
