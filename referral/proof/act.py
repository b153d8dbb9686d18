"""The entry of an administrator's act: which command, by whom, about what. The commands write it in the transaction of the change."""

from __future__ import annotations

import re
from enum import StrEnum

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from msgspec import UNSET, DecodeError, Struct, UnsetType, json, structs

from referral.errors import Malformed
from referral.wire.signed import operator_word, statements
from referral.wire.signed.operator_word import Operators, Word

FORM = {
    "id": re.compile(r"[0-9a-f]{32}"),
    "command": re.compile(r"[a-z]+( [a-z-]+){0,3}"),
    "by": re.compile(r"operator/[a-z0-9-]{1,63}"),
    "arguments": re.compile(r"[0-9a-f]{64}"),
}
SUBJECT = re.compile(r"[a-z]+:[A-Za-z0-9/._-]{1,80}")
"""Subject of an act: a word and an id of ours, such as agency:police-prizren. No address, no name of a person, no case."""
DIGITS = 16
"""Hexadecimal digits of a digest in a subject: enough that nobody finds another token with the same ones."""


SHOWN = 2
"""Subjects of an act in words (ours): the office and the token that it got, which a reading names."""


class State(StrEnum):
    """State of an act.

    DONE: it is done; of a change in the database, it was committed with this entry. BEGUN: it is about to change what is not in the
    database; a second entry with the same id says the outcome. FAILED: it broke off, so part of it may be done.
    """

    DONE = "DONE"
    BEGUN = "BEGUN"
    FAILED = "FAILED"


class Act(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The value of an ADMINISTRATION entry (JSON). The entry's `logged_at` follows the act within seconds.

    id: of the act, 32 hexadecimal digits. command: its words, as in `referral staff add`. by: the holder of the operator's certificate.
    at: µs UTC, by the database's clock. arguments: SHA-256 of the exact arguments, keyed, because they may name a person: only the holder
    of the master key can show that a command is the one. about: subjects.
    second: the word of a second operator, where the command takes two. signature: of the first one over all of this but itself.
    """

    id: str
    command: str
    state: State
    by: str
    at: int
    arguments: str
    about: tuple[str, ...] = ()
    second: Word | UnsetType = UNSET
    signature: bytes | UnsetType = UNSET

    def encode(self) -> bytes:
        return json.encode(self, order="sorted")

    def signed(self, key: Ed25519PrivateKey) -> Act:
        """Return the act with the signature of the operator who did it. key: their own."""
        return structs.replace(self, signature=key.sign(self._statement()))

    def lacks(self, operators: Operators) -> str:
        """Return in words what the act lacks to be that of two operators; empty: nothing, or it takes one."""
        if not operators.keys or not operator_word.by_two(self.command, self.about):
            return ""
        if self.second is UNSET or self.signature is UNSET:
            return "it lacks a second operator's word"
        public = operators.keys.get(self.by)
        if public is None or not statements.holds(public, self.signature, self._statement()):
            return f"{self.by} did not sign it" if public else f"{self.by} is no operator whom the policy names"
        if what := operator_word.given(operators, self.by, self.command, self.second):
            return what
        return "" if operator_word.in_time(self.second, self.at // 1_000_000) else "the word was not good at that time"

    @property
    def who(self) -> str:
        """Return who did it, and on whose word."""
        return self.by if self.second is UNSET else f"{self.by} with {self.second.by}"

    def _statement(self) -> bytes:
        return statements.write(statements.Kind.OPERATOR_ACT, rest=structs.replace(self, signature=UNSET).encode())

    def __str__(self) -> str:
        ends = {State.DONE: "", State.BEGUN: " (begun)", State.FAILED: " (broke off)"}
        about = f", about {', '.join(self.about[:SHOWN])}" if self.about else ""
        more = f" and {len(self.about) - SHOWN} more" if len(self.about) > SHOWN else ""
        return f"{self.who}: `referral {self.command}`{ends[self.state]}{about}{more}"


def parse(value: bytes) -> Act:
    """Parse the value of an entry. Malformed: it is none, or holds more than the log may keep for ever."""
    try:
        act = json.decode(value, type=Act)
    except DecodeError as error:
        raise Malformed("act", str(error)) from None
    for name, form in FORM.items():
        if not form.fullmatch(getattr(act, name)):
            raise Malformed("act", f"its {name} has another form")
    if act.second is not UNSET and not (FORM["by"].fullmatch(act.second.by) and operator_word.HEX.fullmatch(act.second.digest)):
        raise Malformed("act", "its second operator's word has another form")
    if not all(SUBJECT.fullmatch(subject) for subject in act.about):
        raise Malformed("act", "a subject has another form")
    return act


def token(digest: bytes) -> str:
    """Return the subject of a token, by its digest."""
    return f"token:{digest.hex()[:DIGITS]}"
