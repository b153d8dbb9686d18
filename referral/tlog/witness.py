"""What a witness answers to a log (C2SP tlog-witness): a pure decision, so that whoever runs it only keeps one size and root a log.

Deciding and keeping must be one step: ask with the row locked, keep what the answer says, commit, and only then send it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from msgspec import Struct

from referral.errors import Malformed, Unproven
from referral.tlog import checkpoint, merkle, note
from referral.tlog.checkpoint import Checkpoint
from referral.tlog.note import Note, Signature
from referral.tlog.note_keys import COSIGNATURE, SignerKey, VerifierKey
from referral.tlog.strict_text import base64, decimal, lines, unbase64

MOST_HASHES = 63
MOST_BYTES = note.MOST_BYTES + 4096
TEXT, SIZE = "text/plain; charset=utf-8", "text/x.tlog.size"


class Request(Struct, frozen=True):
    """old: the size that the log believes this witness to have cosigned last. said: what the signed note says, its signature unchecked."""

    old: int
    proof: tuple[bytes, ...]
    signed: Note
    said: Checkpoint


class Answer(Struct, frozen=True):
    """status: of HTTP. keep: what was cosigned with this answer and is kept before it is sent; None where nothing changes.

    note: the same with the signatures of log and witness, to be shown to whoever asks what this witness has seen.
    """

    status: int
    body: bytes
    type: str = TEXT
    keep: Checkpoint | None = None
    note: bytes = b""


def body(old: int, proof: Iterable[bytes], signed: Note) -> bytes:
    """For the log: what it posts."""
    return b"old %d\n%s\n%s" % (old, b"".join(base64(hash_) + b"\n" for hash_ in proof), signed.encode())


def parse(body: bytes) -> Request:
    """What a log posted. Malformed: answer 400."""
    if len(body) > MOST_BYTES:
        raise Malformed("witness", f"it is longer than {MOST_BYTES} bytes")
    head, gap, rest = body.partition(b"\n\n")
    if not gap:
        raise Malformed("witness", "no empty line stands before the checkpoint")
    first, *hashes = lines(head + b"\n", "witness")
    if not first.startswith(b"old "):
        raise Malformed("witness", "the first line is not the old size")
    if len(hashes) > MOST_HASHES:
        raise Malformed("witness", f"more than {MOST_HASHES} hashes")
    proof = tuple(unbase64(line, "witness", f"hash {number}", merkle.HASH) for number, line in enumerate(hashes, 1))
    old, signed = decimal(first.removeprefix(b"old "), "witness", "the old size"), note.parse(rest)
    return Request(old, proof, signed, checkpoint.extended(signed.text))


def decide(request: Request, log: Sequence[VerifierKey], last: Checkpoint | None, keys: Sequence[SignerKey], seconds: int) -> Answer:
    """What to answer. log: the keys trusted for the request's origin, empty where it is unknown. last: what was cosigned for it last.

    ValueError where one of the witness's own keys is none for cosignatures.
    """
    if any(key.kind != COSIGNATURE for key in keys):
        raise ValueError("a witness signs with cosignature keys (type 4), as with another it would speak for a log")
    if not log:
        return _no(404, "this log is not one that is witnessed here")
    try:
        new, by_log = request.said, checkpoint.signers(request.said, request.signed, log)
    except Unproven as error:
        return _no(403, str(error))
    if request.old > new.size:
        return _no(400, f"the old size {request.old} is above the new one, {new.size}")
    size = last.size if last else 0
    if request.old != size:
        return Answer(409, b"%d\n" % size, SIZE)
    try:
        _continues(new, last, request.proof)
    except Unproven as error:
        return _no(422, str(error))
    text = request.signed.text  # with its extension lines, where it has some
    own = tuple(note.sign(text, key, seconds) for key in keys)
    seen = Note(text, (*by_log.values(), *own)).encode()
    return Answer(200, b"".join(signature.line for signature in own), keep=new, note=seen)


def answer(
    body: bytes, logs: Mapping[str, Sequence[VerifierKey]], last: Mapping[str, Checkpoint], keys: Sequence[SignerKey], seconds: int
) -> Answer:
    """The whole answer to a body. logs: origin → keys. last: origin → what was cosigned last. seconds: Unix time."""
    try:
        request = parse(body)
    except Malformed as error:
        return _no(400, str(error))
    return decide(request, logs.get(request.said.origin, ()), last.get(request.said.origin), keys, seconds)


def cosigned(signed: Note, body: bytes, keys: Iterable[VerifierKey]) -> tuple[Signature, ...]:
    """For the log: the cosignatures in a witness's answer that are by its keys and hold. Malformed, Unproven."""
    found = note.check(Note(signed.text, note.parse_signatures(body)), keys)
    return tuple(found.values())


def size(body: bytes) -> int:
    """For the log: what a witness has cosigned last, from its answer 409. Malformed."""
    if not body.endswith(b"\n"):
        raise Malformed("witness", "the size has no newline")
    return decimal(body[:-1], "witness", "the size")


def _continues(new: Checkpoint, last: Checkpoint | None, proof: Sequence[bytes]) -> None:
    """Everything continues the empty tree, without a proof; else the proof must hold. Unproven."""
    if new.size == 0 and new.root != merkle.EMPTY:
        raise Unproven("consistency", "an empty tree has another root")
    if last is None or last.size == 0:
        if proof:
            raise Unproven("consistency", "from size 0 the proof is empty")
        return
    merkle.check_consistency(last.size, new.size, proof, last.root, new.root)


def _no(status: int, why: str) -> Answer:
    return Answer(status, why.encode() + b"\n")
