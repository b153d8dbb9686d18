"""Decide a witness's answer to a log (C2SP tlog-witness), as a pure function; its caller stores only one size and root per log.

The decision and the write must be one transaction: lock the row, decide, store `Answer.keep`, commit, and only then send the answer.
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
    """A log's request. old: the size that the log believes this witness cosigned last.

    said: the checkpoint; its signature is not yet verified.
    """

    old: int
    proof: tuple[bytes, ...]
    signed: Note
    said: Checkpoint


class Answer(Struct, frozen=True):
    """A witness's answer. status: HTTP status. keep: the checkpoint to store before the answer is sent; None where nothing changes.

    note: the checkpoint with the signatures of log and witness, to show on request as the latest that this witness has seen.
    """

    status: int
    body: bytes
    type: str = TEXT
    keep: Checkpoint | None = None
    note: bytes = b""


def body(old: int, proof: Iterable[bytes], signed: Note) -> bytes:
    """Encode the request that a log posts."""
    return b"old %d\n%s\n%s" % (old, b"".join(base64(hash_) + b"\n" for hash_ in proof), signed.encode())


def parse(body: bytes) -> Request:
    """Parse a log's request. Malformed: answer 400."""
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
    """Decide the answer to a request.

    log: the keys trusted for the request's origin, empty where the origin is unknown.
    last: the checkpoint of this log that the witness cosigned last.
    keys: the witness's own keys. ValueError if one is not a cosignature key.
    seconds: Unix time of the cosignature.
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
    text = request.signed.text  # including extension lines, if any
    own = tuple(note.sign(text, key, seconds) for key in keys)
    seen = Note(text, (*by_log.values(), *own)).encode()
    return Answer(200, b"".join(signature.line for signature in own), keep=new, note=seen)


def answer(
    body: bytes, logs: Mapping[str, Sequence[VerifierKey]], last: Mapping[str, Checkpoint], keys: Sequence[SignerKey], seconds: int
) -> Answer:
    """Parse a body and decide its answer. logs: origin → keys. last: origin → checkpoint cosigned last. seconds: Unix time."""
    try:
        request = parse(body)
    except Malformed as error:
        return _no(400, str(error))
    return decide(request, logs.get(request.said.origin, ()), last.get(request.said.origin), keys, seconds)


def cosigned(signed: Note, body: bytes, keys: Iterable[VerifierKey]) -> tuple[Signature, ...]:
    """Return the valid cosignatures of these keys in a witness's answer, for the log to add. Malformed, Unproven."""
    valid = note.check(Note(signed.text, note.parse_signatures(body)), keys)
    return tuple(valid.values())


def size(body: bytes) -> int:
    """Return the size that a witness cosigned last, from its answer 409. Malformed."""
    if not body.endswith(b"\n"):
        raise Malformed("witness", "the size has no newline")
    return decimal(body[:-1], "witness", "the size")


def _continues(new: Checkpoint, last: Checkpoint | None, proof: Sequence[bytes]) -> None:
    """Verify that the new head continues the last one. Every head continues the empty tree without a proof. Unproven."""
    if new.size == 0 and new.root != merkle.EMPTY:
        raise Unproven("consistency", "an empty tree has another root")
    if last is None or last.size == 0:
        if proof:
            raise Unproven("consistency", "from size 0 the proof is empty")
        return
    merkle.check_consistency(last.size, new.size, proof, last.root, new.root)


def _no(status: int, why: str) -> Answer:
    return Answer(status, why.encode() + b"\n")
