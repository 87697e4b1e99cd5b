"""One module per code, named after it: its page, its thresholds and `find(survey)`, its findings.

The folder is the menu; helpers of several codes begin with an underscore. Measurements that a
property or a figure needs as well belong to `measure`.

The docstring of a module is the page of its code, in Markdown. Its first line is
`CODE, a name: what is found.`, followed by the rule and by the sections Why, Severity, Instead,
Example (with options of `landscape audit`) and Fixed. `report/code_pages.py` reads it, and
`python docs/generate.py` writes docs/codes/.
"""
