"""The columns of a table or the arrays of a file, as a dataset uses them."""

from typing import NamedTuple


class Column(NamedTuple):
    """A column of a table or an array of a file.

    `kind`: number, boolean, category, label, table, series, images, tokens or array; empty if it is
    not encoded. `encoding`: how its values become inputs or targets, with what replaces missing
    ones and which categories have no training example. `role`: input, target, split, group, a field
    or ignored.
    """

    name: str
    kind: str
    encoding: str = ""
    role: str = "input"
