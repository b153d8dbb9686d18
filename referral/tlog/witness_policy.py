"""Witness policy files (C2SP tlog-policy): the trusted logs and witnesses, and the quorum that must have cosigned a checkpoint."""

from __future__ import annotations

from collections.abc import Set
from dataclasses import dataclass, field

from msgspec import Struct

from referral.errors import Malformed, Unproven
from referral.tlog import checkpoint, note_keys
from referral.tlog.checkpoint import Checkpoint
from referral.tlog.note import Note
from referral.tlog.note_keys import COSIGNATURE, ED25519, VerifierKey
from referral.tlog.strict_text import decimal, lines

NONE = "none"
MOST_BYTES = 1_000_000
AHEAD_S = 60
"""The limit by which a witness's clock may be ahead of the reader's (our choice): clocks of honest machines differ by less."""


class Party(Struct, frozen=True):
    """A log or a witness. name: for a witness its name in this file, for a log its origin. url: empty where the file has none."""

    name: str
    key: VerifierKey
    url: str = ""


class Group(Struct, frozen=True):
    """A group has seen a checkpoint when at least `least` of its members have."""

    name: str
    least: int
    members: tuple[str, ...]


class Policy(Struct, frozen=True):
    """A parsed policy. quorum: the name of a witness or group, or NONE. Each group comes after the members that it names."""

    logs: tuple[Party, ...]
    witnesses: tuple[Party, ...]
    groups: tuple[Group, ...]
    quorum: str

    def satisfied(self, seen: Set[str]) -> bool:
        """Return True if these witnesses make the quorum."""
        holds = {NONE: True} | {witness.name: witness.name in seen for witness in self.witnesses}
        for group in self.groups:
            holds[group.name] = sum(holds[member] for member in group.members) >= group.least
        return holds[self.quorum]


class Accepted(Struct, frozen=True):
    """A checkpoint that a policy accepts. witnesses: name → Unix seconds of its cosignature.

    seen: Unix seconds at which a quorum had last seen it; None where the policy requires no witness, so that no time is proven.
    """

    checkpoint: Checkpoint
    witnesses: dict[str, int]
    seen: int | None = None

    def old(self, now: int, most: int) -> str:
        """Return why the checkpoint is not current, or "" if a quorum has seen it within `most` seconds. now: Unix seconds."""
        return old(self.seen, now, most)


def old(seen: int | None, now: int, most: int) -> str:
    """Return why a quorum's time is not current, or "" if it is within `most` seconds.

    seen: Unix seconds at which a quorum had seen the checkpoint, or None. now: Unix seconds. most: the largest accepted age in seconds.
    A signature from more than AHEAD_S in the future counts as old: the clock of that witness, or the reader's, is wrong.
    """
    if seen is None:
        return "the policy requires no witness, so no time is proven"
    if seen > now + AHEAD_S:
        return f"its witnesses signed it {seen - now} seconds from now: a clock is wrong, theirs or yours"
    if now - seen > most:
        return f"a quorum of witnesses has seen nothing newer for {now - seen} seconds, at most {most} are wanted"
    return ""


def accept(policy: Policy, signed: Note) -> Accepted:
    """Return the checkpoint of a note that one of the logs signed and the quorum has seen. Malformed, Unproven."""
    head, signatures = checkpoint.verify(signed, [log.key for log in policy.logs], [witness.key for witness in policy.witnesses])
    seen = {witness.name: note_keys.unpack(signatures[witness.key].value)[0] for witness in policy.witnesses if witness.key in signatures}
    if not policy.satisfied(seen.keys()):
        raise Unproven("quorum", f"{_shown(policy.quorum)} is wanted, seen by {', '.join(map(_shown, seen)) or 'nobody'}")
    return Accepted(head, seen, quorum_at(policy, seen))


def quorum_at(policy: Policy, seen: dict[str, int]) -> int | None:
    """Return the latest Unix second by which a quorum had signed; None where the policy requires no witness."""
    if policy.satisfied(frozenset()):
        return None
    times = sorted(seen.values(), reverse=True)
    return next(at for at in times if policy.satisfied({name for name, signed in seen.items() if signed >= at}))


def parse(data: bytes) -> Policy:
    """Parse a policy file. Malformed, with the line of the first mistake."""
    if len(data) > MOST_BYTES:
        raise Malformed("policy", f"it is longer than {MOST_BYTES} bytes")
    reading = _Reading()
    for number, line in enumerate(lines(data, "policy"), 1):
        reading.where = f"line {number}"
        if any((byte < 0x20 and byte != 0x09) or byte == 0x7F for byte in line):
            raise reading.bad("holds a control character")
        words = [word for word in line.replace(b"\t", b" ").split(b" ") if word]
        if words and not words[0].startswith(b"#"):
            reading.take(words)
    if not reading.quorum:
        raise Malformed("policy", "no line names the quorum")
    return Policy(tuple(reading.logs), tuple(reading.witnesses), tuple(reading.groups), reading.quorum)


@dataclass
class _Reading:
    """The state of the parser. free: names that no group has used yet; each may be a member of one group only."""

    where: str = ""
    logs: list[Party] = field(default_factory=list)
    witnesses: list[Party] = field(default_factory=list)
    groups: list[Group] = field(default_factory=list)
    names: set[str] = field(default_factory=set)
    free: set[str] = field(default_factory=set)
    quorum: str = ""

    def bad(self, what: str) -> Malformed:
        return Malformed("policy", f"{self.where} {what}")

    def take(self, words: list[bytes]) -> None:
        match words:
            case [b"log", key, *url] if len(url) < 2:
                self._log(key, url)
            case [b"witness", name, key, *url] if len(url) < 2:
                self._witness(self._new(_name(name)), key, url)
            case [b"group", name, least, *members] if members:
                self._group(_name(name), least, [_name(member) for member in members])
            case [b"quorum", name]:
                self._quorum(_name(name))
            case _:
                raise self.bad("is no log, witness, group or quorum as the format writes them")

    def _log(self, word: bytes, url: list[bytes]) -> None:
        key = self._key(word, ED25519, [log.key for log in self.logs])
        self.logs.append(Party(key.name, key, *map(_name, url)))

    def _witness(self, name: str, word: bytes, url: list[bytes]) -> None:
        key = self._key(word, COSIGNATURE, [witness.key for witness in self.witnesses])
        self.witnesses.append(Party(name, key, *map(_name, url)))

    def _key(self, word: bytes, kind: int, others: list[VerifierKey]) -> VerifierKey:
        try:
            key = note_keys.verifier(word)
        except Malformed as error:
            raise self.bad(f"has no good {error}") from None
        if key.kind != kind:
            raise self.bad(f"has a key of type {key.kind}, not {kind}")
        if any(other.public == key.public for other in others):
            raise self.bad("repeats the key of an earlier line")
        return key

    def _new(self, name: str) -> str:
        if name == NONE or name in self.names:
            raise self.bad(f"gives the name {_shown(name)} again")
        self.names.add(name)
        self.free.add(name)
        return name

    def _group(self, name: str, word: bytes, members: list[str]) -> None:
        for member in members:
            if member not in self.names:
                raise self.bad(f"names {_shown(member)}, which no line above defines")
            if member not in self.free:
                raise self.bad(f"names {_shown(member)}, which is in a group already")
            self.free.remove(member)
        words = {b"any": 1, b"all": len(members)}
        least = words[word] if word in words else decimal(word, "policy", f"the number of {self.where}")
        if not 1 <= least <= len(members):
            raise self.bad(f"wants {least} of {len(members)}")
        self.groups.append(Group(self._new(name), least, tuple(members)))

    def _quorum(self, name: str) -> None:
        if self.quorum:
            raise self.bad("names a second quorum")
        if name != NONE and name not in self.names:
            raise self.bad(f"names {_shown(name)}, which no line above defines")
        self.quorum = name


def _name(word: bytes) -> str:
    """Decode a name. The format gives its bytes no meaning; surrogateescape loses none of them."""
    return word.decode("utf-8", "surrogateescape")


def _shown(name: str) -> str:
    return ascii(name)
