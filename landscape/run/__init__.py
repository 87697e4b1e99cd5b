"""One run: its programs, training, measurements, and files; also what is measured between runs.

Starting many runs, workers, and locks belong to `sweep/`; formulas belong to `numerics/`.
"""
