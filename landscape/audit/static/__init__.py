"""Rules over the traced program: smoothness, convexity, ranges, and dependence, without running it.

Evaluating the program at points belongs to `measure/`.
"""
