"""Give a second operator's word for one command, and decide whether an act has the word that it needs. Pure.

The log's policy file names the operators' keys, in lines that are comments to every C2SP reader and that `trust.py` writes (decision 0049):

    # operator besa ed25519 <base64 of 32 bytes>
    # two-operators-from 2026-12-01T00:00:00Z
    # two-operators-for-tokens-from 2026-12-01T00:00:00Z

A name is that of the operator's certificate, operator/besa. The other lines stand only where acts of before are in the log: tokens took one
operator in release 0.1.0.
"""

from __future__ import annotations

import re
from base64 import b64encode, urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Mapping
from hashlib import sha256

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from msgspec import DecodeError, Struct, json

from referral.domain.signers import NAME, public_key
from referral.errors import Malformed
from referral.wire import ed25519, writer_signature
from referral.wire.act_table import BY_TWO, MAY_END, TOKENS

ENDED = "ended:"
"""First letters of the subject that says that a command ended something."""
LASTS_S = 3600
"""Longest validity of a word (ours): long enough to read a message and type a command, too short to keep one for a night alone."""
SKEW_S = 60
"""Difference (ours) that the clocks of two operators' machines may have."""
SALT = 16
"""Random bytes in the digest of a command, so that nobody finds a login in the log by trying all (RFC 4086: 128 bits)."""
LINE, KIND = [b"#", b"operator"], b"ed25519"
FROM, TOKENS_FROM = [b"#", b"two-operators-from"], [b"#", b"two-operators-for-tokens-from"]
PLANE = "operator/"
WORD, ACT = b"referral-operator-word-v1\n", b"referral-operator-act-v1\n"
"""First bytes of what the second operator signs, and of what the first does, so that neither signature fits another statement."""
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


NOBODY = Operators()


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


def line(name: str, public: bytes) -> str:
    """Return the line of a witness policy that names an operator's key. public: 32 bytes."""
    return f"# operator {name} ed25519 {b64encode(public).decode()}\n"


def named(policy: bytes) -> Operators:
    """Return the operators that a witness policy names. Malformed: a bad line, or a name or a key that stands there twice, or only one."""
    found = dict[str, bytes]()
    for number, text in enumerate(policy.split(b"\n"), 1):
        words = text.split()
        if words[:2] == LINE:
            name, public = _operator(words[2:], number)
            if name in found or public in found.values():
                raise Malformed("policy", f"line {number} repeats an operator, or the key of one: two operators have two keys")
            found[name] = public
    if len(found) == 1:
        raise Malformed("policy", "it names one operator: what takes two could never be done; name a second by `# operator NAME …`")
    return Operators(found, *(writer_signature.since(policy, words) for words in (FROM, TOKENS_FROM))) if found else NOBODY


def _operator(words: list[bytes], number: int) -> tuple[str, bytes]:
    name, kind, written = [*words, b"", b"", b""][:3]
    public = public_key(written.decode("ascii", "replace"))
    if len(words) != 3 or kind != KIND or public is None or not NAME.fullmatch(name.decode("ascii", "replace")):
        raise Malformed("policy", f"line {number} names no operator: write `# operator NAME ed25519 <base64 of 32 bytes>`")
    return PLANE + name.decode(), public


def by_two(command: str, about: tuple[str, ...] = ()) -> bool:
    """Return whether an act takes two operators. about: its subjects."""
    return command in BY_TWO and not (command in MAY_END and any(subject.startswith(ENDED) for subject in about))


def digest(salt: bytes, terms: bytes) -> str:
    """Return the digest of a command, hexadecimal. terms: its words and arguments, as both operators' programs write them."""
    return sha256(salt + terms).hexdigest()


def statement(to: str, command: str, digest: str, until: int) -> bytes:
    """Return what the second operator signs. to: who may run the command, operator/NAME. until: seconds UTC."""
    return WORD + f"{to}\n{command}\n{digest}\n{until}\n".encode()


def give(key: Ed25519PrivateKey, to: str, command: str, terms: bytes, salt: bytes, now: int) -> Message:
    """Give a word that is good for LASTS_S. salt: SALT fresh random bytes. now: seconds UTC."""
    of, until = digest(salt, terms), now + LASTS_S
    return Message(digest=of, until=until, signature=key.sign(statement(to, command, of, until)), salt=salt)


def taken(operators: Operators, to: str, command: str, message: Message) -> Word:
    """Return a word as the log keeps it, with the name of whose it is; empty: nobody's whom the policy names."""
    stated = statement(to, command, message.digest, message.until)
    by = next((name for name, public in operators.keys.items() if ed25519.holds(public, message.signature, stated)), "")
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
    return "" if ed25519.holds(public, word.signature, stated) else f"the word is not {word.by}'s for this command"


def in_time(word: Word, at: int) -> bool:
    """Return whether a word is good at a time, seconds UTC: it has not ended, and was given for no longer than LASTS_S."""
    return at <= word.until <= at + LASTS_S + SKEW_S
