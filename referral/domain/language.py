"""The language of policy files: YAML whose every value remembers its line, and errors that name file, line and what is allowed."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import yaml

from referral.domain.deadline import UNITS, Limit

LIMIT = re.compile(r"([1-9][0-9]{0,3}) (min|h|days|working days)")
LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
"""The parser in C where PyYAML has it: ten times faster, the same nodes and lines."""
MAX_FILE = 1_000_000
"""Bytes of one policy file: far above any real one, so that a wrong file cannot stop the program."""


class PolicyErrors(Exception):
    """The policy cannot be used. errors: one line each, `file:line: what is wrong; what is allowed`."""

    def __init__(self, errors: tuple[str, ...]) -> None:
        super().__init__("\n".join(errors))
        self.errors = errors


class Reader:
    """All files of one policy, and what is wrong with them so far."""

    def __init__(self, files: Mapping[str, bytes]) -> None:
        self.files = files
        self._errors: list[tuple[str, int, str]] = []

    def error(self, path: str, line: int, message: str) -> None:
        self._errors.append((path, line, message))

    def finish(self) -> None:
        """Raises PolicyErrors if anything was wrong."""
        if self._errors:
            raise PolicyErrors(tuple(f"{path}:{line}: {message}" for path, line, message in sorted(set(self._errors))))

    def open(self, path: str) -> Node:
        """The root of a file; an empty mapping, and an error, where it is absent or no YAML."""
        empty = yaml.MappingNode("tag:yaml.org,2002:map", [])
        if path not in self.files:
            self.error(path, 0, "is missing")
            return Node(self, path, empty)
        if len(self.files[path]) > MAX_FILE:
            self.error(path, 0, f"is larger than {MAX_FILE} bytes")
            return Node(self, path, empty)
        try:
            root = yaml.compose(self.files[path].decode("utf-8"), Loader=LOADER)
        except (yaml.YAMLError, UnicodeDecodeError, RecursionError) as wrong:
            mark = getattr(wrong, "problem_mark", None)
            self.error(
                path, mark.line + 1 if mark else 0, f"is no YAML in UTF-8: {getattr(wrong, 'problem', None) or type(wrong).__name__}"
            )
            return Node(self, path, empty)
        return Node(self, path, root or empty)


class Node:
    """One value in a file. Reading never raises: what is wrong is noted with its line, and a harmless value returned."""

    def __init__(self, reader: Reader, path: str, node: Any, line: int = 0) -> None:
        self.reader, self.path, self.node = reader, path, node
        self.line = node.start_mark.line + 1 if node is not None and node.start_mark else line

    def error(self, message: str) -> None:
        self.reader.error(self.path, self.line, message)

    def items(self) -> Iterator[tuple[str, Node]]:
        """Keys and values of a mapping, in order; a key that is there twice is an error."""
        if self.node is None:
            return
        if not isinstance(self.node, yaml.MappingNode):
            self.error("a mapping (key: value) is expected here")
            return
        seen: set[str] = set()
        for key, value in self.node.value:
            name = str(key.value)
            if name in seen:
                Node(self.reader, self.path, key).error(f"{name} stands here twice")
            seen.add(name)
            yield name, Node(self.reader, self.path, value)

    def fields(self, required: Iterable[str], optional: Iterable[str] = ()) -> dict[str, Node]:
        """The values of a mapping with known keys; the absent ones are empty nodes."""
        must, may = tuple(required), tuple(optional)
        found = {}
        for name, value in self.items():
            if name in must or name in may:
                found[name] = value
            else:
                value.error(f"{name} is not known here; {allowed(name, (*must, *may))}")
        for name in must:
            if name not in found:
                self.error(f"{name} is missing")
        return {name: found.get(name, Node(self.reader, self.path, None, self.line)) for name in (*must, *may)}

    def there(self) -> bool:
        return self.node is not None

    def each(self) -> list[Node]:
        """The items of a list; none where it is absent."""
        if self.node is None:
            return []
        if not isinstance(self.node, yaml.SequenceNode):
            self.error("a list [a, b] is expected here")
            return []
        return [Node(self.reader, self.path, item) for item in self.node.value]

    def word(self, of: Iterable[str] | None = None, what: str = "word") -> str:
        """A single word, out of a known list where one is given."""
        if self.node is None:
            return ""
        if not isinstance(self.node, yaml.ScalarNode):
            self.error(f"one {what} is expected here")
            return ""
        value = "" if self.node.tag.endswith(":null") else str(self.node.value)
        if of is not None and value not in (known := tuple(of)):
            self.error(f"{what} {value} is not known; {allowed(value, known)}")
        return value

    def words(self, of: Iterable[str] | None = None, what: str = "word") -> tuple[str, ...]:
        known = None if of is None else tuple(of)
        return tuple(item.word(known, what) for item in self.each())

    def number(self, low: int, high: int) -> int:
        value = self.word()
        if not re.fullmatch(r"0|[1-9][0-9]{0,8}", value) or not low <= int(value) <= high:
            self.error(f"a whole number from {low} to {high} is expected here")
            return low
        return int(value)

    def yes(self) -> bool:
        return self.there() and self.word(("true", "false"), "value") == "true"

    def limit(self) -> Limit:
        """A limit such as `15 min`."""
        match = LIMIT.fullmatch(self.word())
        if match is None:
            self.error(f"a limit is a number and one of {', '.join(UNITS)}, e.g. 15 min")
            return Limit(1, "h")
        return Limit(int(match[1]), match[2])


def allowed(value: str, known: Iterable[str]) -> str:
    """What would have been right: the nearest word first, at most twelve."""
    words = sorted(set(known))
    near = difflib.get_close_matches(value, words, 1)
    listed = ", ".join(words[:12]) + (" …" if len(words) > 12 else "")
    return f"did you mean {near[0]}? allowed: {listed}" if near else f"allowed: {listed or 'nothing'}"
