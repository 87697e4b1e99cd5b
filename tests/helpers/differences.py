"""What differs between two versions of a stored file, so that a failure names the number."""

import io
import json

import numpy as np
import pyarrow.parquet
from safetensors.numpy import load


def differences(name, before, after):
    """Returns a line per value that differs; none only if the bytes are the same."""
    if before == after:
        return []
    one, other = _values(name, before), _values(name, after)
    lines = [
        f"{name}: {place} was {one.get(place)} and is {other.get(place)}"
        for place in one | other
        if one.get(place) != other.get(place)
    ]
    return lines or [f"{name}: the values are the same, the bytes are not"]


def _values(name, content):
    """Returns the text of every value of a file by its place; texts show the sign of a zero."""
    match name.rsplit(".", 1)[-1]:
        case "json":
            return dict(_leaves(json.loads(content)))
        case "npz":
            with np.load(io.BytesIO(content)) as arrays:
                return dict(_leaves({key: arrays[key].tolist() for key in arrays}))
        case "safetensors":
            return dict(_leaves({key: array.tolist() for key, array in load(content).items()}))
        case "parquet":
            return dict(_leaves(pyarrow.parquet.read_table(io.BytesIO(content)).to_pydict()))
    return dict(_leaves(content.decode().splitlines()))


def _leaves(value, place=""):
    if isinstance(value, dict | list):
        items = value.items() if isinstance(value, dict) else enumerate(value)
        for key, item in items:
            yield from _leaves(item, f"{place}/{key}")
    else:
        yield place, repr(value)
