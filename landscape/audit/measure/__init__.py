"""Measurements of the program: probes at points, walks along lines, crossings of its switches.

Judging what was measured belongs to `codes/`.
"""
