"""From a name in a config to a part: menus, options and their checks, user code.

Menus are read from source text, so nothing is imported before a part is built.
"""

from landscape.catalog.binding import Bound, Problem, bind
from landscape.catalog.building import build, learning_rate, load, takes_arrays
from landscape.catalog.lookup import Named, Spec, contents, find, source
from landscape.catalog.menu import (
    FAMILIES,
    FIELDS,
    check_family,
    describe,
    entries,
    entries_named,
    menu,
    task_names,
)
from landscape.catalog.option_values import choices
from landscape.catalog.python_objects import PythonObject, available, available_objects, is_python
