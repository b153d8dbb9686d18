"""Give a second operator's word for one command, and decide whether an act has the word that it needs. Pure.

The log's policy file names the operators' keys (`trust_lines.py`, decision 0049). A name is that of the operator's certificate,
operator/besa. Tokens took one operator in release 0.1.0, so their acts need two from a time of their own.
"""

from __future__ import annotations

import re
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Mapping
from hashlib import sha256

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from msgspec import DecodeError, Struct, json

from referral.errors import Malformed
from referral.wire.act_table import BY_TWO, MAY_END, TOKENS
from referral.wire.signed import statements
from referral.wire.signed.statements import Kind

ENDED = "ended:"
"""First letters of the subject that says that a command ended something."""
LASTS_S = 3600
"""Longest validity of a word (ours): long enough to read a message and type a command, too short to keep one for a night alone."""
SKEW_S = 60
"""Difference (ours) that the clocks of two operators' machines may have."""
SALT = 16
"""Random bytes in the digest of a command, so that nobody finds a login in the log by trying all (RFC 4086: 128 bits)."""
PLANE = "operator/"
HEX = re.compile(r"[0-9a-f]{64}")
LONGEST = 2_000
"""Longest text of a word, characters: one has some five hundred."""


class Operators(Struct, frozen=True):
    """The operators whom a reader believes. keys: operator/NAME → public key. since, tokens: ms from which acts need two of them."""

    keys: Mapping[str, bytes] = {}
    since: int = 0
    tokens: int = 0

    def begin(self, command: str) -> int:
        """Return the time in ms from which acts of a command need two."""
        return max(self.since, self.tokens) if command in TOKENS else self.since


NO_OPERATORS = Operators()


class Word(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The word of one operator for one command of another, once, as the log keeps it.

    by: who gave it. digest: of the exact command, salted. until: its end, seconds UTC. signature: Ed25519, over `statement`.
    """

    by: str
    digest: str
    until: int
    signature: bytes


class Message(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The line that the second operator sends to the first. The salt never reaches the log."""

    digest: str
    until: int
    signature: bytes
    salt: bytes


def by_two(command: str, about: tuple[str, ...] = ()) -> bool:
    """Return whether an act takes two operators. about: its subjects."""
    return command in BY_TWO and not (command in MAY_END and any(subject.startswith(ENDED) for subject in about))


def digest(salt: bytes, terms: bytes) -> str:
    """Return the digest of a command, hexadecimal. terms: its words and arguments, as both operators' programs write them."""
    return sha256(salt + terms).hexdigest()


def statement(to: str, command: str, digest: str, until: int) -> bytes:
    """Return what the second operator signs. to: who may run the command, operator/NAME. until: seconds UTC."""
    return statements.write(Kind.OPERATOR_WORD, to, command, digest, until)


def give(key: Ed25519PrivateKey, to: str, command: str, terms: bytes, salt: bytes, now: int) -> Message:
    """Give a word that is good for LASTS_S. salt: SALT fresh random bytes. now: seconds UTC."""
    of, until = digest(salt, terms), now + LASTS_S
    return Message(digest=of, until=until, signature=key.sign(statement(to, command, of, until)), salt=salt)


def taken(operators: Operators, to: str, command: str, message: Message) -> Word:
    """Return a word as the log keeps it, with the name of whose it is; empty: nobody's whom the policy names."""
    stated = statement(to, command, message.digest, message.until)
    by = statements.signer(operators.keys, message.signature, stated)
    return Word(by=by, digest=message.digest, until=message.until, signature=message.signature)


def refusal(to: str, terms: bytes, message: Message, word: Word, now: int) -> str:
    """Return in words why a command may not be run on a word; empty: it may. word: the message, as taken. now: seconds UTC."""
    if message.digest != digest(message.salt, terms):
        return "the word is for another command, or for other arguments"
    if not word.by:
        return f"the word is no other operator's whom the policy names, or not for {to}"
    if word.by == to:
        return "you gave this word yourself"
    return "" if in_time(word, now) else "the word has ended, or is not good yet: it lasts an hour, by the clocks of both machines"


def write(message: Message) -> str:
    """Return the line of a word."""
    return urlsafe_b64encode(json.encode(message)).decode()


def read(text: str) -> Message:
    """Read the line of a word. Malformed."""
    try:
        message = json.decode(urlsafe_b64decode(text.strip()[:LONGEST]), type=Message)
    except (ValueError, DecodeError):
        raise Malformed("word", "it is not the line that `referral operator word` prints") from None
    if not HEX.fullmatch(message.digest) or len(message.salt) != SALT:
        raise Malformed("word", "it is not the line that `referral operator word` prints")
    return message


def given(operators: Operators, to: str, command: str, word: Word) -> str:
    """Return in words what a word of the log lacks to be another named operator's for this command; empty: nothing. to: who ran it."""
    if word.by == to:
        return "the same operator gave the word and used it"
    public = operators.keys.get(word.by)
    if public is None:
        return f"{word.by}, who gave the word, is no operator whom the policy names"
    stated = statement(to, command, word.digest, word.until)
    return "" if statements.holds(public, word.signature, stated) else f"the word is not {word.by}'s for this command"


def in_time(word: Word, at: int) -> bool:
    """Return whether a word is good at a time, seconds UTC: it has not ended, and was given for no longer than LASTS_S."""
    return at <= word.until <= at + LASTS_S + SKEW_S
