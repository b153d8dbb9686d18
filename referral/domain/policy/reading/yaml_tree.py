"""Parse YAML into a tree whose values remember line and column. Refuses files that could exhaust memory or time, before anything walks the
tree."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import yaml

LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
"""The parser in C where PyYAML has it: ten times faster, with the same nodes and lines."""
MAX_FILE = 1_000_000
"""Bytes of one policy file: far above any real one, so that a wrong file cannot stop the program."""
MAX_VALUES = 100_000
"""Values of one file, each alias counted with the values that it expands to: ten lines of nested aliases may expand to a billion."""
MAX_DEPTH = 30
"""Levels of nested values. A procedure needs six."""


class NoYaml(Exception):
    """The file cannot be read as YAML. line and column count from 1; 0 where the whole file is meant."""

    def __init__(self, message: str, line: int = 0, column: int = 0) -> None:
        super().__init__(message)
        self.message, self.line, self.column = message, line, column


@lru_cache(512)
def compose(data: bytes) -> Any:
    """Return the root node. Raises NoYaml. Trees are immutable, so equal bytes share one: of 300 agencies most stay as they are (8 MB)."""
    if len(data) > MAX_FILE:
        raise NoYaml(f"the file has {len(data)} bytes; at most {MAX_FILE} are read")
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as wrong:
        before = data[: wrong.start]
        raise NoYaml("this is no text in UTF-8; save the file as UTF-8", before.count(b"\n") + 1) from None
    try:
        root = yaml.compose(text, Loader=LOADER)
    except yaml.MarkedYAMLError as wrong:
        mark = wrong.problem_mark or wrong.context_mark
        line, column = (mark.line + 1, mark.column + 1) if mark else (0, 0)
        raise NoYaml(
            f"this is no YAML: {wrong.problem or wrong.context}; look at brackets, quotes and indents here", line, column
        ) from None
    except yaml.YAMLError as wrong:
        raise NoYaml(f"this is no YAML: {str(wrong).splitlines()[0]}") from None
    except RecursionError:
        raise NoYaml(f"more than {MAX_DEPTH} values within one another") from None
    if root is None:
        raise NoYaml("the file is empty", 1, 1)
    _weigh(root, {}, 0)
    return root


def _weigh(node: Any, known: dict[int, int], depth: int) -> int:
    """Return the number of values that a node expands to. known: by node; 0 while a node is being counted, which only an alias of itself
    can meet."""
    line, column = node.start_mark.line + 1, node.start_mark.column + 1
    if depth > MAX_DEPTH:
        raise NoYaml(f"more than {MAX_DEPTH} values within one another", line, column)
    if isinstance(node, yaml.ScalarNode):
        return 1
    if (weight := known.get(id(node))) is not None:
        if not weight:
            raise NoYaml("an alias (*name) stands within what it names", line, column)
        return weight
    known[id(node)] = 0
    parts = [part for pair in node.value for part in pair] if isinstance(node, yaml.MappingNode) else node.value
    total = 1
    for part in parts:
        total += _weigh(part, known, depth + 1)
        if total > MAX_VALUES:
            raise NoYaml(f"more than {MAX_VALUES} values, aliases counted as what they stand for", line, column)
    known[id(node)] = total
    return total
