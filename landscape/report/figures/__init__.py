"""The figures of a report, one module per kind, drawn with matplotlib and without a display.

What the figures show is computed in the modules of `landscape.report`, not here.
"""
