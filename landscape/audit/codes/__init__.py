"""One module per code, named after it: its thresholds, its text and `find(survey)`, its findings.

The folder is the menu; helpers of several codes begin with an underscore. Measurements that a
property or a figure needs as well belong to `measure`.
"""
