"""Pure functions of arrays: risk, training, slices, curvature, geometry, and the checks of slices.

Files, configs, and names of parts do not belong here; `geometry/`, `checks`, and `auto_radius` are
free of jax, so that the report can use them.
"""
