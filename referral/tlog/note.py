"""Signed notes (C2SP signed-note): a text, an empty line, and one line for each signature of the text."""

from __future__ import annotations

from collections.abc import Iterable

from msgspec import Struct

from referral.errors import Malformed, Unproven
from referral.tlog.note_keys import SignerKey, VerifierKey, named
from referral.tlog.strict_text import base64, lines, unbase64, utf8

MOST_SIGNATURES = 100
"""C2SP requires a reader to accept 16; Go's library accepts 100."""
MOST_BYTES = 1_000_000
"""Room for a hundred signatures of the largest kind and their text."""
DASH = "— ".encode()


class Signature(Struct, frozen=True):
    """One signature line. name, id: the key that the line claims. value: the signature, in the form that this kind of key uses."""

    name: str
    id: bytes
    value: bytes

    @property
    def line(self) -> bytes:
        return DASH + self.name.encode() + b" " + base64(self.id + self.value) + b"\n"


class Note(Struct, frozen=True):
    """A note that is not verified. text: the signed bytes, with their last newline. Trust nothing in it before `check`."""

    text: bytes
    signatures: tuple[Signature, ...]

    def encode(self) -> bytes:
        return self.text + b"\n" + b"".join(signature.line for signature in self.signatures)


def parse(data: bytes) -> Note:
    """Parse a note. Its last empty line ends the text. Malformed."""
    if len(data) > MOST_BYTES:
        raise Malformed("note", f"it is longer than {MOST_BYTES} bytes")
    text, gap, signatures = data.rpartition(b"\n\n")
    if not gap:
        raise Malformed("note", "no empty line stands between text and signatures")
    for number, line in enumerate(text.split(b"\n"), 1):
        utf8(line, "note", f"line {number}")
    return Note(text + b"\n", parse_signatures(signatures))


def parse_signatures(data: bytes) -> tuple[Signature, ...]:
    """Parse the signature lines of a note, or the answer of a witness. Malformed, also where there is no line."""
    signature_lines = lines(data, "note")
    if len(signature_lines) > MOST_SIGNATURES:
        raise Malformed("note", f"more than {MOST_SIGNATURES} signatures")
    return tuple(_signature(line, f"signature {number}") for number, line in enumerate(signature_lines, 1))


def sign(text: bytes, key: SignerKey, seconds: int) -> Signature:
    """Sign a text. seconds: Unix time, used only by a cosignature key."""
    return Signature(key.name, key.verifier.id, key.sign(text, seconds))


def check(note: Note, keys: Iterable[VerifierKey]) -> dict[VerifierKey, Signature]:
    """Return each of these keys that signed the note, with its first signature. Signatures of other keys are ignored.

    Unproven: a signature that claims a known key is invalid, or no known key has signed. Malformed: two keys share a name and an id.
    """
    known: dict[tuple[str, bytes], VerifierKey] = {}
    for key in keys:
        if known.setdefault((key.name, key.id), key) != key:
            raise Malformed("key", f"two keys are both {key.name}+{key.id.hex()}")
    valid: dict[VerifierKey, Signature] = {}
    for number, signature in enumerate(note.signatures, 1):
        signer = known.get((signature.name, signature.id))
        if signer is None:
            continue
        if not signer.holds(note.text, signature.value):
            raise Unproven("signature", f"signature {number} is in the name of {signer.name}+{signer.id.hex()} and does not hold")
        valid.setdefault(signer, signature)
    if not valid:
        raise Unproven("signature", "none of the known keys has signed")
    return valid


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
