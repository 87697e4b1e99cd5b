"""Composes YAML whose aliases stand for a bounded number of values at a bounded depth."""

from typing import Any, NamedTuple, NoReturn

from ruamel.yaml import YAML
from ruamel.yaml.composer import Composer, ComposerError
from ruamel.yaml.events import AliasEvent
from ruamel.yaml.nodes import Node

from landscape.config.limits import MOST_DEPTH, MOST_VALUES


class BoundError(ComposerError):
    """YAML that is valid, but larger than a config may be."""


class _Extent(NamedTuple):
    """The number of values in a node, itself included, and how many levels it has."""

    values: int
    depth: int


class _BoundedComposer(Composer):
    """Raises BoundError at the first value or alias that exceeds the bounds.

    An alias counts as often as it is used. Only the extent of what it stands for is computed: the
    nodes themselves are shared.
    """

    def __init__(self, loader: Any = None):
        super().__init__(loader)
        self.warn_double_anchors = False  # a later anchor of the same name is valid YAML
        self._values = 0
        self._deepest = [0]  # of the nodes being composed: the levels below each so far
        self._extents: dict[int, _Extent] = {}

    def compose_node(self, parent: Any, index: Any) -> Any:
        event = self.parser.peek_event()
        depth = len(self._deepest)
        if isinstance(event, AliasEvent):
            node = super().compose_node(parent, index)
            if id(node) not in self._extents:
                self._refuse("found an alias that contains itself", event)
            extent = self._extents[id(node)]
            self._values += extent.values
        else:
            if depth > MOST_DEPTH:
                self._refuse(f"found more than {MOST_DEPTH} levels of nesting", event)
            before = self._values
            self._values += 1
            self._deepest.append(0)
            node = super().compose_node(parent, index)
            extent = _Extent(self._values - before, self._deepest.pop() + 1)
            self._extents[id(node)] = extent
        if depth - 1 + extent.depth > MOST_DEPTH:
            self._refuse(f"found an alias that makes more than {MOST_DEPTH} levels", event)
        if self._values > MOST_VALUES:
            self._refuse(f"found more than {MOST_VALUES} values, aliases replaced by theirs", event)
        self._deepest[-1] = max(self._deepest[-1], extent.depth)
        return node

    def _refuse(self, message: str, event: Any) -> NoReturn:
        raise BoundError(None, None, message, event.start_mark)


def compose(text: str) -> Node | None:
    """Returns the root node of one YAML document, None if the text contains no value.

    Raises BoundError if it has too many values or levels, or an alias that contains itself;
    MarkedYAMLError if it is not valid YAML.
    """
    yaml = YAML(typ="safe", pure=True)
    yaml.Composer = _BoundedComposer
    root: Node | None = yaml.compose(text)
    return root
