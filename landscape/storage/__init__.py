"""The layout of results, their records, and atomic writes.

Only this folder knows file names and formats; it never imports jax, and computes nothing.
"""
