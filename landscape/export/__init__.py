"""Exports finished runs to experiment trackers: one module per tracker beside `trackers`.

Reading the results belongs to `landscape.report`; options and messages belong to `landscape.cli`.
"""
