"""The columns of a table or the arrays of a file, as a dataset uses them."""

from typing import NamedTuple


class Column(NamedTuple):
    """A column of a table or an array of a file.

    `kind`: number, boolean, category, text, date, image, series or tokens. `encoding`: how its
    values become inputs or targets, such as `one-hot (3)`, with the values that it has not seen in
    training; empty if it is not encoded. `role`: input, target, split, group, field or ignored.
    """

    name: str
    kind: str
    encoding: str = ""
    role: str = "input"
