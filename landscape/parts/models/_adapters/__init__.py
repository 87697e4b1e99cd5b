"""Models of other libraries as `Model`, one module per library, usable by themselves.

Each has `recognizes(value)`, which imports nothing, and `adapt(build, shapes, filter_axes)`, where
`build(key)` returns the library's object and `shapes` a `ModelShapes`.
"""
