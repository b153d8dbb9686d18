"""The state that a verification keeps for the next one: the first pass as it stood after the last entry, and the result of each case.

Pure. `referral audit verify --keep` writes it, `--since` goes on from it (docs/decisions/0092). All of it is the auditor's own and is
believed as their checkpoint is; the file that holds it is plain MessagePack, and nothing in it is ever run.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from typing import Any, TypeVar, get_type_hints

from msgspec import DecodeError, Struct, defstruct, field, msgpack

from referral.errors import Malformed
from referral.proof.entry import Entry
from referral.proof.verify.progress import Minutes
from referral.proof.verify.report import Report

T = TypeVar("T")
GIVEN = frozenset({"report", "judged", "pinned", "writers", "signed", "quorum", "compiled", "keys"})
"""Fields of the first pass that a resumed one has already: the auditor's own words, and what is computed anew."""
LASTS = frozenset(
    {
        "cases",
        "cases erased",
        "decisions",
        "decisions re-executed",
        "rungs of exercises, whose knocks are not checked",
        "signatures",
        "signed words",
    }
)
"""Counts of a case that no later entry of another case changes."""
FOREVER = 1 << 62
"""A time after every other."""
BY_ENGINE = "decisions by engine "


class Lasting(Struct, array_like=True):
    """The result of one case. idxs: its entries. key: of its case key, `fingerprint`. until: µs UTC up to which no entry of another case
    and no time that passes changes the result; 0: it is judged again.

    report: where it is not. once: single-use signature or number → the event that holds it.
    """

    case_id: str
    key: bytes
    idxs: list[int]
    until: int
    report: Report = field(default_factory=Report)
    once: list[tuple[bytes | tuple[str, int], str]] = []


class Header(Struct, kw_only=True):
    """The head of a state: what it is bound to, and the first pass.

    size, root: of the checkpoint. policy: SHA-256 of the auditor's policy file. program: of the verifier's own files.
    seen: Unix seconds at which a quorum had signed. drill: as of `Clocks.drilled`. engines: version → digest of each frozen engine.
    torn, broken: cases with a fork or a gap, and with a bad finding of the first pass. lost, disowned: of
    records, as of `Cases`.
    repeated: path of a file of the export → the entry that it repeats.
    first: the first pass.
    """

    size: int
    root: bytes
    policy: bytes
    program: bytes
    seen: int | None
    drill: bool | None
    engines: dict[int, str]
    torn: frozenset[str]
    broken: frozenset[str]
    lost: frozenset[tuple[str, str, int]]
    disowned: frozenset[tuple[str, int, int]]
    repeated: dict[str, Entry]
    first: dict[str, bytes] = {}


def fingerprint(key: bytes | None) -> bytes:
    """Return what tells one case key from another, and nothing about it; empty: there is none."""
    return b"" if key is None else hashlib.sha256(b"referral verify state\n" + key).digest()[:8]


def lasts(report: Report) -> bool:
    """Return whether a case's own report names nothing that a later entry of another case may change."""
    return not (report.findings or report.suspicions) and all(one in LASTS or one.startswith(BY_ENGINE) for one in report.counts)


def packed(part: Struct) -> bytes:
    """Return the fields of one part of the first pass, but for those that are given."""
    return encoded({name: getattr(part, name) for name in part.__struct_fields__ if name not in GIVEN})


def encoded(value: object) -> bytes:
    """Return the bytes of anything that `decoded` reads."""
    return msgpack.encode(value, enc_hook=_plain)


def unpack(part: Struct, data: bytes) -> None:
    """Set the fields of one part as they were. Malformed."""
    fields = [(name, kind) for name, kind in get_type_hints(type(part)).items() if name in part.__struct_fields__ and name not in GIVEN]
    found = decoded(data, defstruct(type(part).__name__, fields, kw_only=True))
    for name in found.__struct_fields__:
        setattr(part, name, getattr(found, name))


def decoded(data: bytes, kind: type[T]) -> T:
    """Return what was encoded. Malformed."""
    try:
        return msgpack.decode(data, type=kind, dec_hook=_typed)
    except (DecodeError, UnicodeDecodeError) as error:
        raise Malformed("state", f"{kind.__name__}: {error}") from None


def _plain(value: object) -> object:
    match value:
        case Minutes():
            return value.of.tobytes()
        case range():
            return value.start, value.stop
    raise NotImplementedError(type(value).__name__)


def _typed(kind: type, value: Any) -> object:
    if kind is Minutes:
        return Minutes(value)
    return range(*value) if kind is range else Counter(value)
