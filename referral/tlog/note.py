"""Signed notes (C2SP signed-note): a text, an empty line, and one line for each signature of it."""

from __future__ import annotations

from collections.abc import Iterable

from msgspec import Struct

from referral.errors import Malformed, Unproven
from referral.tlog.note_keys import SignerKey, VerifierKey, named
from referral.tlog.strict_text import base64, lines, unbase64, utf8

MOST_SIGNATURES = 100
"""A reader must take 16; Go's library takes 100."""
MOST_BYTES = 1_000_000
"""A hundred signatures of the largest kind and a text beside them."""
DASH = "— ".encode()


class Signature(Struct, frozen=True):
    """name, id: of the key that is said to have signed. value: the signature, of a form that the key knows."""

    name: str
    id: bytes
    value: bytes

    @property
    def line(self) -> bytes:
        return DASH + self.name.encode() + b" " + base64(self.id + self.value) + b"\n"


class Note(Struct, frozen=True):
    """text: with its last newline; what was signed. Trust nothing of it before `check`."""

    text: bytes
    signatures: tuple[Signature, ...]

    def encode(self) -> bytes:
        return self.text + b"\n" + b"".join(signature.line for signature in self.signatures)


def parse(data: bytes) -> Note:
    """A note from its bytes; the last empty line ends the text. Malformed."""
    if len(data) > MOST_BYTES:
        raise Malformed("note", f"it is longer than {MOST_BYTES} bytes")
    text, gap, signatures = data.rpartition(b"\n\n")
    if not gap:
        raise Malformed("note", "no empty line stands between text and signatures")
    for number, line in enumerate(text.split(b"\n"), 1):
        utf8(line, "note", f"line {number}")
    return Note(text + b"\n", parse_signatures(signatures))


def parse_signatures(data: bytes) -> tuple[Signature, ...]:
    """The signature lines of a note, or the answer of a witness. Malformed, also where there is none."""
    found = lines(data, "note")
    if len(found) > MOST_SIGNATURES:
        raise Malformed("note", f"more than {MOST_SIGNATURES} signatures")
    return tuple(_signature(line, f"signature {number}") for number, line in enumerate(found, 1))


def sign(text: bytes, key: SignerKey, seconds: int) -> Signature:
    """A key's signature of the text. seconds: Unix time, for a cosignature."""
    return Signature(key.name, key.verifier.id, key.sign(text, seconds))


def check(note: Note, keys: Iterable[VerifierKey]) -> dict[VerifierKey, Signature]:
    """Who of these keys signed, with the first signature of each; signatures of others are passed over.

    Unproven when a signature in the name of a known key does not hold, or when none of the keys has signed.
    """
    known: dict[tuple[str, bytes], VerifierKey] = {}
    for key in keys:
        if known.setdefault((key.name, key.id), key) != key:
            raise Malformed("key", f"two keys are both {key.name}+{key.id.hex()}")
    found: dict[VerifierKey, Signature] = {}
    for number, signature in enumerate(note.signatures, 1):
        signed = known.get((signature.name, signature.id))
        if signed is None:
            continue
        if not signed.holds(note.text, signature.value):
            raise Unproven("signature", f"signature {number} is in the name of {signed.name}+{signed.id.hex()} and does not hold")
        found.setdefault(signed, signature)
    if not found:
        raise Unproven("signature", "none of the known keys has signed")
    return found


def _signature(line: bytes, where: str) -> Signature:
    if not line.startswith(DASH):
        raise Malformed("note", f"{where} does not begin with an em dash and a space")
    name, space, value = line.removeprefix(DASH).partition(b" ")
    if not space:
        raise Malformed("note", f"{where} is not a name and base64")
    data = unbase64(value, "note", where)
    if len(data) < 5:
        raise Malformed("note", f"{where} is too short for an id and a signature")
    return Signature(named(name, "note", f"the name of {where}"), data[:4], data[4:])
