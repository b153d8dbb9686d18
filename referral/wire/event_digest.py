"""The digest of an agency's words (docs/record-signature.md): it binds what intake records to what an agency sent. Pure.

The words of a body are its codes: never the content of a section or a text. They have one canonical form, so that the sender computes it
from the body, and an auditor from the event. A salt that only the sender, intake and the sealed event have keeps the digest from being
guessed: the codes of a child have few values.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from msgspec import Struct, json, to_builtins

from referral.domain.events import (
    ActorExcluded,
    AnswerWithdrawn,
    ConsentChanged,
    InstructionGiven,
    ReferralSubmitted,
    ReferralWithdrawn,
    ResponseSubmitted,
    Scheme,
    Signed,
    Traits,
    TraitsChanged,
)
from referral.errors import Malformed
from referral.wire import event_signature, http_signature

BEGIN = b"referral-event-v1\n"
SALT_HEADER, DIGEST_HEADER = "referral-event-salt", "referral-event-digest"
"""The two fields of a request."""
SALT_ATTRIBUTE, DIGEST_ATTRIBUTE = "eventsalt", "eventdigest"
"""The two extension attributes of a signed record. The first is signed and never a header: its value is in the encrypted body."""
SALT_MEMBER = "event_salt"
"""The member of a record's JSON body that holds the salt."""
SALT = re.compile(r"[!-~]{22,100}")
"""A salt (ours): 22 characters of base64 are 128 bits, which nobody tries out."""
DIGEST = re.compile(r"[0-9a-f]{64}")
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
CONTENT = {"file": "sections", "texts": "recorded"}
"""Members of a body whose content stays out of the words, and the name under which their own names, sorted, are words."""
UNSAID = ("via", SALT_MEMBER)
"""Members of a body that say nothing about the person or the decision."""


class Claimed(Struct, frozen=True, kw_only=True):
    """The words that a signature covers. blind: SHA-256 of the salt. digest: SHA-256 of the 64 characters of the digest."""

    blind: bytes
    digest: bytes

    def holds(self, words: Mapping[str, Any]) -> bool:
        """Return whether these are the words that were signed."""
        return self.digest == hashlib.sha256(_digest(self.blind, words).encode()).digest()


def digest(salt: str, words: Mapping[str, Any]) -> str:
    """Return the digest of words, 64 hexadecimal digits."""
    return _digest(blinded(salt), words)


def blinded(salt: str) -> bytes:
    return hashlib.sha256(salt.encode()).digest()


def _digest(blind: bytes, words: Mapping[str, Any]) -> str:
    return hashlib.sha256(BEGIN + blind + json.encode(_filled(words), order="deterministic")).hexdigest()


def words_of_body(body: Mapping[str, Any]) -> dict[str, Any]:
    """Return the words of a JSON body, as it is sent."""
    words = {name: value for name, value in body.items() if name not in UNSAID and name not in CONTENT}
    words |= {named: sorted(body[name]) for name, named in CONTENT.items() if isinstance(body.get(name), Mapping)}
    if words.get("case_id"):  # the mark of an exercise belongs to the case, and was said when it was opened
        words.pop("drill", None)
    if isinstance(words.get("excludes"), list):
        words["excludes"] = [_actor(actor) for actor in words["excludes"]]
    if isinstance(words.get("consent"), Mapping):
        words["consent"] = _dated(words["consent"])
    if isinstance(words.get("traits"), Mapping):
        words["traits"] = _timed(words["traits"])
    return _timed(_dated(words))


def words_of_event(body: Struct, case_id: str, *, drill: bool) -> dict[str, Any]:
    """Return the words that an event records. case_id, drill: of its record. Malformed: nobody outside sends such an event."""
    match body:
        case ReferralSubmitted():
            mark = {"drill": drill} if body.opens else {"case_id": case_id}
            return mark | {"traits": _traits(body.traits)} | _fields(body, "consent", "sections", "excludes")
        case ResponseSubmitted():
            return _fields(body, "word", "reason", "code", "recorded")
        case AnswerWithdrawn():
            return {"word": "COMPLETE"}  # no other answer can be taken back
        case ReferralWithdrawn():
            return _fields(body, "reason")
        case TraitsChanged():
            return _traits(body.traits)
        case ConsentChanged():
            return dict(to_builtins(body.consent))
        case ActorExcluded():
            return _fields(body, "kind", "actor")
        case InstructionGiven():
            return _fields(body, "word", "reason", "track_id", "step", "seat", "target", "other", "task_id")
    raise Malformed("event", "no agency sends it")


def claimed(signed: Signed) -> Claimed | None:
    """Return the words that a signature covers; None: it covers the bytes that were sent, and no words."""
    if signed.scheme is Scheme.CLOUDEVENT:
        blind, covered = (event_signature.named(signed.base, name) for name in (SALT_ATTRIBUTE, DIGEST_ATTRIBUTE))
        return Claimed(blind=blind, digest=covered) if blind is not None and covered is not None else None
    try:
        lines = http_signature.read(signed.base)
    except Malformed:
        return None
    if SALT_HEADER not in lines or DIGEST_HEADER not in lines:
        return None
    return Claimed(blind=blinded(lines[SALT_HEADER]), digest=hashlib.sha256(lines[DIGEST_HEADER].encode()).digest())


def bound(body: Struct, case_id: str, *, drill: bool) -> bool:
    """Return whether the signature of an event covers these very words."""
    signed: Signed | None = getattr(body, "signed", None)
    said = claimed(signed) if signed else None
    return said is not None and said.holds(words_of_event(body, case_id, drill=drill))


def _fields(body: Struct, *names: str) -> dict[str, Any]:
    return {name: to_builtins(getattr(body, name)) for name in names}


def _filled(value: Any) -> Any:
    """Return a value without the members of its objects that say nothing: what is left out and what is empty is the same."""
    if isinstance(value, Mapping):
        kept = {name: _filled(inner) for name, inner in value.items()}
        return {name: inner for name, inner in kept.items() if not _empty(inner)}
    return value


def _empty(value: Any) -> bool:
    return value is None or value is False or value in ("", "unknown", -1) or (isinstance(value, list | tuple | Mapping) and not value)


def _traits(traits: Traits) -> dict[str, Any]:
    """Return traits as words: their times as code → µs UTC."""
    return {**to_builtins(traits), "times": {one.code: one.at for one in traits.times}}


def _timed(words: Mapping[str, Any]) -> dict[str, Any]:
    """Return the words of traits with each of their times in µs UTC."""
    if not isinstance(words.get("times"), Mapping):
        return dict(words)
    return {**words, "times": {code: _dated({"until": at})["until"] for code, at in words["times"].items()}}


def _dated(words: Mapping[str, Any]) -> dict[str, Any]:
    """Return the words with the end of a consent in µs UTC. A text that is no time stays, and intake refuses it."""
    try:
        since = datetime.fromisoformat(words["until"]) - EPOCH
    except (KeyError, TypeError, ValueError):
        return dict(words)
    return {**words, "until": since // timedelta(microseconds=1)}


def _actor(actor: object) -> object:
    """Return an excluded actor with its kind in lower case, as intake records it."""
    kind, colon, name = actor.partition(":") if isinstance(actor, str) else ("", "", "")
    return f"{kind.lower()}{colon}{name}" if colon else actor
