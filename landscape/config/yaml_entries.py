"""Writes the YAML of resolved configs, and reads it back: each entry once per process.

The runs of a sweep differ in a few of their top-level entries. Formatting or parsing a whole run
takes ruamel.yaml about as long as training a tiny model.
"""

import functools
import io
import json
import re
import sys
from collections.abc import Mapping
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.nodes import ScalarNode
from ruamel.yaml.representer import SafeRepresenter

from landscape.config.yaml_source import parse, plain
from landscape.errors import UserError

_LINE_BREAKS = "\x85\u2028\u2029\ufeff"
_MOST_ENTRIES = 4096
_MOST_KEYS = 100  # of a config that `write` has written
# Text that needs no quotes in any version of YAML, such as the id of a run.
_PLAIN_TEXT = re.compile(r"[A-Za-z]\w*-[\w.=+-]{1,60}", re.ASCII)
_INTEGER = re.compile(r"0|[1-9][0-9]{0,15}")
# An entry starts with its key at the start of a line; its other lines are indented, or list items.
_START = re.compile(r"^(?=[A-Za-z_])", re.MULTILINE)


def write(document: Mapping[str, Any]) -> str:
    """Returns the YAML text of plain values in order, which parses as the same values.

    The keys are names such as the fields of a model.
    """
    return "".join(_entry(key, value) for key, value in document.items())


def read(text: str) -> dict[str, Any] | None:
    """Returns the values of a text that `write` has written, not to be changed.

    Returns None for any other text: `yaml_source.parse` reads it, and knows the place of mistakes.
    """
    entries = [entry for entry in _START.split(text) if entry]
    values: dict[str, Any] = {}
    for entry in entries if len(entries) <= _MOST_KEYS else ():
        read_entry = _read_entry(entry)
        if read_entry is None:
            return None
        values.update([read_entry])
    return values if values and len(values) == len(entries) else None


class _Representer(SafeRepresenter):
    """Quotes text that starts with an indicator of keys, which ruamel.yaml writes but cannot read.

    It takes `{a: ?b}` for the start of a key.
    """

    def represent_str(self, data: str) -> ScalarNode:
        style = "'" if data.startswith(("?", ":")) else None
        return self.represent_scalar("tag:yaml.org,2002:str", data, style=style)


_Representer.add_representer(str, _Representer.represent_str)


def _entry(key: str, value: Any) -> str:
    if isinstance(value, str) and _PLAIN_TEXT.fullmatch(value):
        return f"{key}: {value}\n"
    return _dumped_entry(key, json.dumps(value))


@functools.lru_cache(_MOST_ENTRIES)
def _dumped_entry(key: str, value_json: str) -> str:
    value = json.loads(value_json)
    yaml: Any = YAML(typ="safe", pure=True)
    yaml.Representer = _Representer
    yaml.default_flow_style = None
    yaml.sort_base_mapping_type_on_output = False
    yaml.representer.ignore_aliases = lambda *_: True
    text_json = json.dumps(value, ensure_ascii=False)
    # Otherwise the characters that YAML takes for line breaks are written unescaped, and lost.
    yaml.allow_unicode = not any(c in text_json for c in _LINE_BREAKS)
    # A line that is folded beside an escaped character gains a space when it is read.
    yaml.width = 100 if yaml.allow_unicode and "\\" not in text_json else sys.maxsize
    text = io.StringIO()
    # A mapping of scalars only would be written on one line.
    yaml.dump({key: value, "": []}, text)
    return text.getvalue().removesuffix("'': []\n")


@functools.lru_cache(_MOST_ENTRIES)
def _read_entry(text: str) -> tuple[str, Any] | None:
    """Returns the key and the value of an entry that `write` has written, else None."""
    key, _, scalar = text.rstrip("\n").partition(": ")
    if _PLAIN_TEXT.fullmatch(scalar):
        value: Any = scalar
    elif _INTEGER.fullmatch(scalar):
        value = int(scalar)
    else:
        try:
            values = plain(parse(text, ""))
        except UserError:
            return None
        if not isinstance(values, dict) or len(values) != 1:
            return None
        ((key, value),) = values.items()
    return (key, value) if _entry(key, value) == text else None
