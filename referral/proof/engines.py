"""Ask frozen engines what an earlier version of the rules decides. Pure: whoever calls starts the processes (docs/decisions/0086).

`engines.yaml`, a file of the policy, names the program of each version by its digest, so the policy's signers sign it and the log has it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, NamedTuple, Protocol

from msgspec import Struct
from msgspec.structs import asdict

from referral.domain.events import Facts, PolicyActivated
from referral.domain.inputs import Due, Input, RecordLost
from referral.errors import Malformed
from referral.proof.history.case import Read

FILE = "engines.yaml"
"""File of the policy that names the frozen engines."""
NAMED = re.compile(r"  ([1-9][0-9]{0,5}): ([0-9a-f]{64})")
Ask = Callable[[Mapping[str, Any]], Mapping[str, Any]]
"""Put one question to an engine's process (`referral.wire.engine_session`). EngineAway."""
Recorded = tuple[str, int, bytes]
"""Type, fingerprint and exact body of an event."""


class EngineAway(Exception):
    """The engine cannot be asked: it is not here, it ended, or it cannot read what it was told. The text says which."""


class RulesFailed(Exception):
    """The rules of the engine raise on this input. The text is the name of their exception."""


class Made(NamedTuple):
    """An event that an engine decides: its type, and its exact body. event: the same, where it need not be decoded for it."""

    type: str
    body: bytes
    event: Struct | None = None


class Rules(NamedTuple):
    """A policy by name. before: the name of the one whose procedures its running tracks may still follow."""

    name: str
    before: str | None
    files: Mapping[str, bytes]


class FrozenEngine:
    """One frozen engine in its process. It is told each policy once, and each event of the case at hand once."""

    def __init__(self, ask: Ask) -> None:
        self._ask = ask
        self._rules: dict[str, bool] = {}
        self._case_id = ""
        self._told: dict[str, int] = {}

    def compiles(self, name: str, policies: Callable[[], Iterable[Rules]]) -> bool:
        """Return whether the engine can read the policy of this name.

        policies: this one and those before it, the oldest first; the engine is told what it does not have yet.
        """
        if name not in self._rules:
            for each in policies():
                if each.name not in self._rules:
                    self._rules[each.name] = not self._ask({"rules": each.name, "before": each.before, "files": dict(each.files)})
        return self._rules.get(name, False)

    def decide(self, line: str, told: Sequence[Recorded], cause: Mapping[str, Any], facts: Facts, rules: str) -> list[Made]:
        """Return the events that follow from one input. Raises EngineAway, RulesFailed.

        line: the course of the case, if there are several. told: its events so far. cause: of `described`. rules: a name that compiles.
        """
        answer = self._about("decide", line, told, cause, rules, facts=asdict(facts))
        return [Made(type_, body) for type_, body in answer["events"]]

    def wanted(self, line: str, told: Sequence[Recorded], cause: Mapping[str, Any], rules: str) -> tuple[str, ...]:
        """Return the services whose free places the decision may need. Raises as `decide`."""
        return tuple(self._about("wanted", line, told, cause, rules)["wanted"])

    def _about(
        self, word: str, line: str, told: Sequence[Recorded], cause: Mapping[str, Any], rules: str, **more: object
    ) -> Mapping[str, Any]:
        if cause["case_id"] != self._case_id:
            self._case_id, self._told = cause["case_id"], {}
        since = self._told.get(line, 0)
        since = since if since <= len(told) else 0
        asked = {word: self._case_id, "line": line, "since": since, "events": told[since:], "input": cause, "rules": rules, **more}
        answer = self._ask(asked)
        if "unreadable" in answer:
            self._told.pop(line, None)
            raise EngineAway(answer["unreadable"])
        self._told[line] = len(told)
        if "failed" in answer:
            raise RulesFailed(answer["failed"])
        return answer


class Engines(Protocol):
    """The frozen engines that this program has and the policy names."""

    def of(self, version: int) -> FrozenEngine:
        """Return the engine of a version. EngineAway: there is none, and what to do."""
        ...


class NoEngines:
    """No engine but the program's own."""

    def of(self, version: int) -> FrozenEngine:
        raise EngineAway(f"no policy names a program for engine {version}, and this program has none: take a newer program")


def described(cause: Input, read: Read | None) -> dict[str, Any]:
    """Return an input in the words of the protocol. read: the record that it is; None of an alarm or a lost record."""
    at, body = cause.source, cause.body
    told: dict[str, Any] = {"id": cause.id, "case_id": cause.case_id, "seq": cause.seq, "at": cause.at, "drill": cause.drill}
    told["source"] = (at.topic, at.partition, at.offset)
    if isinstance(body, Due):
        return {**told, "due": body.at}
    if isinstance(body, RecordLost):
        return {**told, "lost": (body.topic, body.seq, body.reason)}
    assert read is not None, "a record is an entry of the log"
    return {**told, "record": recorded(read)}


def recorded(read: Read) -> Recorded:
    """Return a record as it is told to an engine."""
    return read.meta.type, read.meta.fingerprint, read.body_bytes


def named(own: Mapping[int, str], activated: Mapping[int, PolicyActivated]) -> dict[int, str]:
    """Return version → SHA-256 of the engine that decides as it did: as the newest believed bundle names it, else as this program does.

    own: the names of this program. activated: the believed bundles by number.
    """
    found = dict(own)
    for _, body in sorted(activated.items()):
        try:
            found |= read(body.files.get(FILE, b""))
        except Malformed:
            continue  # `policy activate` refuses such a file; it names nothing
    return found


def read(data: bytes) -> dict[int, str]:
    """Return the engines that a file names. Malformed: a line that is no comment, not `engines:`, and no version with a digest."""
    found = dict[int, str]()
    for line in data.decode("utf-8", "replace").splitlines():
        if match := NAMED.fullmatch(line):
            found[int(match[1])] = match[2]
        elif line != "engines:" and line.strip() and not line.startswith("#"):
            raise Malformed("engines", "a line names a version and 64 hex digits, as `  4: 9f86…`")
    return found
