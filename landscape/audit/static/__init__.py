"""Rules over the traced program: smoothness, convexity, ranges, and dependence, without running it.

Whatever evaluates the program at points belongs to `measure/`.
"""
