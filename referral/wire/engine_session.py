"""Answer a verifier as a frozen engine does: the log's bytes of one case in, the bytes of the decision out (docs/decisions/0086).

Each file of `engines/` contains this module as it was then, and the rules with it. Only the words of the questions and answers are shared
between versions, so they are built-in types and are only ever added to.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from msgspec import Struct

from referral.domain.case import Case
from referral.domain.decide import decide, places_wanted
from referral.domain.events import Facts
from referral.domain.evolve import evolve
from referral.domain.inputs import Due, Input, RecordLost, Source
from referral.domain.policy import Policy, PolicyErrors, compile
from referral.errors import Malformed, NewerVersion
from referral.wire import codec

Line = tuple[Case | None, int]
"""A course of the case: its state, and the number of events that led to it."""


class EngineSession:
    """The state of one conversation: the policies that it was told, and the courses of the case that is asked about now.

    A verifier asks about one course. A comparison with another policy asks about two: what was, and what would have been.
    """

    def __init__(self) -> None:
        self._rules: dict[str, Policy] = {}
        self._case_id = ""
        self._lines: dict[str, Line] = {}

    def answer(self, asked: Mapping[str, Any]) -> dict[str, Any]:
        """Return the answer to one question.

        {rules: name, before: name or None, files: {path: bytes}} → {} or {errors: [line, …]}
        {decide: case id, line, since, events: [[type, fingerprint, body], …], input, facts, rules: name} → {events: [[type, body], …]}
        {wanted: case id, …: as above without facts} → {wanted: [service, …]}

        since: number of events of this line that were told before. {unreadable: text}: an event or the input cannot be read by this
        engine. {failed: name of an exception}: the rules fail on it.
        """
        if "rules" in asked and "files" in asked:
            return self._compile(asked["rules"], asked["before"], asked["files"])
        try:
            case = self._case(asked.get("decide") or asked["wanted"], asked["line"], asked["since"], asked["events"])
            cause = _input(asked["input"])
        except (Malformed, NewerVersion, LookupError) as error:
            return {"unreadable": f"{type(error).__name__}: {error}"}
        rules = self._rules[asked["rules"]]
        try:
            if "wanted" in asked:
                return {"wanted": list(places_wanted(case, cause, rules))}
            events = decide(case, cause, _facts(asked["facts"]), rules)
            return {"events": [[type(event).TYPE, codec.encode(event)] for event in events]}  # type: ignore[attr-defined]
        except Exception as error:  # whatever the rules raise: the verifier says that nobody decided this
            return {"failed": type(error).__name__}

    def _compile(self, name: str, before: str | None, files: Mapping[str, bytes]) -> dict[str, Any]:
        try:
            self._rules[name] = compile(files, self._rules.get(before) if before else None)
        except PolicyErrors as error:
            return {"errors": list(error.errors)}
        return {}

    def _case(self, case_id: str, line: str, since: int, events: Sequence[tuple[str, int, bytes]]) -> Case | None:
        """Return the state of a course after these further events. LookupError: others were told before than the verifier thinks."""
        if case_id != self._case_id:
            self._case_id, self._lines = case_id, {}
        case, count = self._lines.get(line, (None, 0)) if since else (None, 0)
        if count != since:
            raise LookupError(f"{count} events were told, not {since}")
        for type_, fingerprint, body in events:
            case = evolve(case, codec.decode(type_, fingerprint, body), case_id)
        self._lines[line] = case, count + len(events)
        return case


def _input(told: Mapping[str, Any]) -> Input:
    """Return the input that the verifier describes: a record's exact bytes, an alarm, or a lost record."""
    topic, partition, offset = told["source"]
    source = Source(topic=topic, partition=partition, offset=offset)
    body: Struct
    if "due" in told:
        body = Due(at=told["due"])
    elif "lost" in told:
        lost_topic, seq, reason = told["lost"]
        body = RecordLost(topic=lost_topic, seq=seq, reason=reason)
    else:
        body = codec.decode(*told["record"])
    return Input(id=told["id"], case_id=told["case_id"], body=body, source=source, seq=told["seq"], at=told["at"], drill=told["drill"])


def _facts(told: Mapping[str, Any]) -> Facts:
    """Return the facts, without those that came later than this engine: it never asked for them."""
    return Facts(**{name: value for name, value in told.items() if name in Facts.__struct_fields__})
