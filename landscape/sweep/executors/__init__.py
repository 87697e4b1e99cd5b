"""Executors, which perform runs in this process, in worker processes or on a Ray cluster.

Every executor writes the same bytes. What a single run does belongs to `run/`.
"""
