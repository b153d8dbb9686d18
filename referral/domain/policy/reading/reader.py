"""Read policy files as values that remember their position, and collect errors that name file, line, column and the allowed words."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import yaml

from referral.domain.policy.limits import LONGEST, UNITS, Limit
from referral.domain.policy.reading.yaml_tree import NoYaml, compose

MARKS = {"S": "stated by the source", "D": "read in a public document", "P": "our default, never law"}
"""Sources of a number; every limit of a policy carries one."""
LIMIT = re.compile(r"([1-9][0-9]{0,8}) (min|h|days|working days)(?: ([SDP]))?")
MAX_ERRORS = 500
"""Errors reported at most, more than anybody reads: a file that is wrong everywhere cannot fill a terminal or a log."""


class PolicyErrors(Exception):
    """The policy cannot be used: correct the files and load it again. errors: one line each, `file:line:column: what is wrong; what is
    allowed`."""

    def __init__(self, errors: tuple[str, ...]) -> None:
        super().__init__("\n".join(errors))
        self.errors = errors


class Reader:
    """All files of one policy, and the errors found in them so far."""

    def __init__(self, files: Mapping[str, bytes]) -> None:
        self.files = files
        self._errors: set[tuple[str, int, int, str]] = set()
        self._roots: dict[str, Any] = {}
        self.broken: set[str] = set()
        """Files that could not be read at all: their missing words are not reported one by one."""

    def error(self, path: str, line: int, message: str, column: int = 0) -> None:
        """Add an error. Line and column count from 1; 0 where the whole file is meant."""
        if path not in self.broken:
            self._errors.add((path, line, column, message))

    def finish(self) -> None:
        """Raises PolicyErrors if there are errors."""
        errors = sorted(self._errors, key=lambda e: (e[0].count("/"), *e))  # files that all others depend on come first
        lines = [f"{path}:{line}:{column}: {message}" for path, line, column, message in errors]
        if len(lines) > MAX_ERRORS:
            lines[MAX_ERRORS:] = [f"and {len(lines) - MAX_ERRORS} more errors; correct these first"]
        if lines:
            raise PolicyErrors(tuple(lines))

    def open(self, path: str) -> Node:
        """Return the root of a file; an empty mapping, and an error, where the file is missing or is not YAML."""
        if path not in self._roots:
            self._roots[path] = self._compose(path) or yaml.MappingNode("tag:yaml.org,2002:map", [])
        return Node(self, path, self._roots[path])

    def _compose(self, path: str) -> Any:
        try:
            if path not in self.files:
                raise NoYaml("the file is missing")
            return compose(self.files[path])
        except NoYaml as wrong:
            self.error(path, wrong.line, wrong.message, wrong.column)
            self.broken.add(path)
            return None


class Node:
    """One value in a file. Reading never raises: an error is added with its position, and a harmless value returned.

    key: the word before it, where it is a value of a mapping.
    """

    def __init__(self, reader: Reader, path: str, node: Any, key: Any = None, near: Node | None = None) -> None:
        self.reader, self.path, self.node, self.key = reader, path, node, key
        mark = node.start_mark if node is not None else None
        self.line: int = mark.line + 1 if mark else near.line if near else 0
        self.column: int = mark.column + 1 if mark else near.column if near else 0

    def error(self, message: str) -> None:
        """Add an error about the value."""
        self.reader.error(self.path, self.line, message, self.column)

    def key_error(self, message: str) -> None:
        """Add an error about the word before the value."""
        mark = self.key.start_mark if self.key is not None else None
        self.reader.error(self.path, mark.line + 1 if mark else self.line, message, mark.column + 1 if mark else self.column)

    def absent(self) -> Node:
        """Return a missing value, at the position of this one."""
        return Node(self.reader, self.path, None, near=self)

    def items(self) -> Iterator[tuple[str, Node]]:
        """Yield keys and values of a mapping, in order; a duplicate key is an error."""
        if self.node is None:
            return
        if not isinstance(self.node, yaml.MappingNode):
            self.error("a mapping (key: value) is expected here")
            return
        seen: set[str] = set()
        for key, value in self.node.value:
            item = Node(self.reader, self.path, value, key)
            if not isinstance(key, yaml.ScalarNode):
                item.key_error("one word is expected before the colon")
                continue
            name = str(key.value)
            if name in seen:
                item.key_error(f"{name} stands here twice")
                continue
            seen.add(name)
            yield name, item

    def fields(self, required: Iterable[str], optional: Iterable[str] = (), why: str = "") -> Fields:
        """Return the values of a mapping with known keys; missing ones are absent nodes. why: added to the error about an unknown key."""
        must, may = tuple(required), tuple(optional)
        fields = Fields(self)
        for name, value in self.items():
            if name in must or name in may:
                fields[name] = value
            else:
                value.key_error(f"{name} is not known here; {allowed(name, (*must, *may))}{f'; {why}' if why else ''}")
        for name in must:
            if name not in fields:
                self.error(f"{name} is missing")
        return fields

    def there(self) -> bool:
        """Return True when the value is present."""
        return self.node is not None

    def has(self, name: str) -> bool:
        """Return True for a mapping with this key."""
        return isinstance(self.node, yaml.MappingNode) and any(str(key.value) == name for key, _ in self.node.value)

    def is_table(self) -> bool:
        return isinstance(self.node, yaml.MappingNode)

    def is_list(self) -> bool:
        return isinstance(self.node, yaml.SequenceNode)

    def spot(self, word: str) -> Node:
        """Return the node of a word within this value; the value itself where the word is not in it."""
        if isinstance(self.node, yaml.ScalarNode):
            return self
        inner = self.each() if self.is_list() else [value for _, value in self.items()]
        return next((found for item in inner if (found := item.spot(word)).node is not None and found.node.value == word), self)

    def each(self) -> list[Node]:
        """Return the items of a list; none where it is absent."""
        if self.node is None:
            return []
        if not self.is_list():
            self.error("a list [a, b] is expected here")
            return []
        return [Node(self.reader, self.path, item) for item in self.node.value]

    def word(self, of: Iterable[str] | None = None, what: str = "word") -> str:
        """Return a single word, out of a known list where one is given."""
        if self.node is None:
            return ""
        if not isinstance(self.node, yaml.ScalarNode):
            self.error(f"one {what} is expected here")
            return ""
        value = "" if self.node.tag.endswith(":null") else str(self.node.value)
        if of is not None and value not in (known := tuple(of)):
            self.error(f"{what} {value} is not known; {allowed(value, known)}")
        return value

    def words(self, of: Iterable[str] | None = None, what: str = "word", least: int = 0) -> tuple[str, ...]:
        """Return the words of a list, each once. least: the minimum number, where the list is present at all."""
        known = None if of is None else tuple(of)
        found: list[str] = []
        for item in self.each():
            if (word := item.word(known, what)) in found:
                item.error(f"{what} {word} stands here twice")
            found.append(word)
        if self.is_list() and len(found) < least:
            self.error(f"this list is empty; one {what} at least is expected here")
        return tuple(found)

    def number(self, low: int, high: int) -> int:
        """Return a whole number from low to high; low where it is absent or invalid."""
        if not self.there():
            return low
        value = self.word()
        if not re.fullmatch(r"0|[1-9][0-9]{0,8}", value) or not low <= int(value) <= high:
            self.error(f"a whole number from {low} to {high} is expected here")
            return low
        return int(value)

    def yes(self) -> bool:
        """Return True for the word `true`."""
        return self.there() and self.word(("true", "false"), "value") == "true"

    def limit(self, clock: bool = False) -> Limit:
        """Return a limit such as `15 min P`. clock: only units that a clock counts."""
        match = LIMIT.fullmatch(self.word())
        if match is None:
            self.error(f"a limit is a number, one of {', '.join(UNITS)}, and a mark, e.g. 15 min P")
            return Limit(1, "h")
        amount, unit, mark = int(match[1]), match[2], match[3]
        if mark is None:
            self.error(f"the mark is missing; write {' or '.join(f'{match[0]} {mark} ({says})' for mark, says in MARKS.items())}")
        if clock and unit == "working days":
            self.error(f"working days cannot be counted here; allowed: {', '.join(u for u in UNITS if u != unit)}")
        elif amount * (UNITS[unit] or UNITS["days"]) > LONGEST:
            self.error(f"{match[0]} is longer than {LONGEST // UNITS['days']} days, longer than any calendar here covers")
            amount = 1
        return Limit(amount, unit, mark or "")


class Fields(dict[str, Node]):
    """The values of a mapping by their words; any other word is absent."""

    def __init__(self, node: Node) -> None:
        super().__init__()
        self.node = node

    def __missing__(self, name: str) -> Node:
        return self.node.absent()


def allowed(value: str, known: Iterable[str]) -> str:
    """Return the allowed words for an error message: the nearest first, at most twelve."""
    words = sorted(set(known))
    near = difflib.get_close_matches(value, words, 1)
    listed = ", ".join(words[:12]) + (" …" if len(words) > 12 else "")
    return f"did you mean {near[0]}? allowed: {listed}" if near else f"allowed: {listed or 'nothing'}"
