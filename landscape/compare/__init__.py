"""What may be concluded about losses: tuning grids, intervals, the joint test, verdicts.

Pure functions of arrays. Higher is better everywhere: callers negate metrics for which lower is
better. docs/architecture.md lists the modules.
"""
