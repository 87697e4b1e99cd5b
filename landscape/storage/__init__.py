"""The layout of results, the records in them, and atomic writes.

Only this folder knows file names and formats; it never imports jax, and computes nothing.
"""
