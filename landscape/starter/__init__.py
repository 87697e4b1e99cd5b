"""The files that `landscape init` writes: an experiment to run and a loss to modify.

Other example configs belong to `configs/`.
"""
