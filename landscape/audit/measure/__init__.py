"""Measurements of the program: probes at points, walks along lines, crossings of its switches.

Judgments of the measurements belong to `codes/`.
"""
