"""Read and write the comment lines by which the log's policy file names who is believed (docs/log-format.md, section 11). Pure.

    # policy-signer policy-keeper ed25519 <base64 of 32 bytes>
    # writer-until <base64 of 32 bytes> 2027-03-01T00:00:00Z

They are comments to every C2SP reader. So one file names the log, its witnesses and all whose signatures count, and the log pins their
keys, because it contains that file (docs/decisions/0025). Only a program writes them, from `trust.toml` (`trust.py`). Each party is read
on its own: a bad line of one is no reason to pass over the others.
"""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from enum import StrEnum

from referral.domain.signers import NAME, PUBLIC, public_key
from referral.errors import Malformed
from referral.wire.signed.erasure_approval import Erasers
from referral.wire.signed.operator_word import NO_OPERATORS, PLANE, Operators
from referral.wire.signed.policy_signature import Trusted
from referral.wire.signed.writer_signature import NO_WRITERS, OWNERS, Writers

EPOCH, MS = datetime(1970, 1, 1, tzinfo=UTC), timedelta(milliseconds=1)
KEY = f"ed25519 <base64 of {PUBLIC} bytes>"
EXAMPLE = "2026-12-01T00:00:00Z"


class Keyword(StrEnum):
    """The first word of a line, after the number sign."""

    INTAKE = "intake"
    WRITER = "writer"
    WRITER_UNTIL = "writer-until"
    SIGNED_FROM = "signed-from"
    POLICY_SIGNER = "policy-signer"
    POLICY_BUNDLE = "policy-bundle"
    APPROVER = "approver"
    OPERATOR = "operator"
    TWO_OPERATORS_FROM = "two-operators-from"
    TOKENS_FROM = "two-operators-for-tokens-from"


PERSONS = {
    Keyword.POLICY_SIGNER: ("signer of the policy", "a signer of the policy, or the key of one"),
    Keyword.APPROVER: ("approver", "an approver, or the key of one: two persons have two keys"),
    Keyword.OPERATOR: ("operator", "an operator, or the key of one: two operators have two keys"),
}
"""Keyword → what its line names, and what it may not repeat."""


def intake_keys(policy: bytes) -> tuple[bytes, ...]:
    """Return intake's keys: the current one, and older ones whose erasures and receipts stay valid. Malformed: a bad line."""
    bad = f"does not name a key of intake: write `# intake {KEY}`"
    return tuple(_key(words, number, bad) for number, words in _lines(policy, Keyword.INTAKE))


def approvers(policy: bytes) -> dict[str, bytes]:
    """Return name → public key of those who sign erasures. Malformed: a bad line, or a name or a key that stands there twice."""
    return _people(policy, Keyword.APPROVER)


def erasers(policy: bytes) -> Erasers:
    """Return those whom a reader believes that a case is erased. Malformed: a bad line."""
    return Erasers(intake_keys(policy), approvers(policy), _since(policy, Keyword.SIGNED_FROM))


def policy_keepers(policy: bytes) -> Trusted:
    """Return the signers of the policy, and the bundles that are pinned. Malformed: a bad line."""
    return Trusted(_people(policy, Keyword.POLICY_SIGNER), dict(_pin(*line) for line in _lines(policy, Keyword.POLICY_BUNDLE)))


def operators(policy: bytes) -> Operators:
    """Return the operators. Malformed: a bad line, or a name or a key that stands there twice, or only one."""
    found = {PLANE + name: public for name, public in _people(policy, Keyword.OPERATOR).items()}
    if len(found) == 1:
        raise Malformed("policy", "it names one operator: what takes two could never be done; name a second by `# operator NAME …`")
    times = (_since(policy, keyword) for keyword in (Keyword.TWO_OPERATORS_FROM, Keyword.TOKENS_FROM))
    return Operators(found, *times) if found else NO_OPERATORS


def writers(policy: bytes) -> Writers:
    """Return the services that sign their records. Malformed: a bad line, or one writer is missing."""
    keys, ends = dict[str, tuple[bytes, ...]](), dict[bytes, int]()
    bad = f"names no writer: write `# writer SERVICE {KEY}`, SERVICE one of {', '.join(OWNERS.values())}"
    for number, words in _lines(policy, Keyword.WRITER):
        service = b"".join(words[:1]).decode("ascii", "replace")
        if service not in OWNERS.values():
            raise _bad(number, bad)
        keys[service] = (*keys.get(service, ()), _key(words[1:], number, bad))
    for number, words in _lines(policy, Keyword.WRITER_UNTIL):
        public = public_key(b"".join(words[:1]).decode("ascii", "replace"))
        if public is None:
            raise _bad(number, f"ends no key: write `# writer-until <base64 of {PUBLIC} bytes> {EXAMPLE}`")
        end = _time(words[1:], number, Keyword.WRITER_UNTIL)
        ends[public] = min(ends.get(public, end), end)
    if keys and (missing := set(OWNERS.values()) - keys.keys()):
        raise Malformed(
            "policy", f"it names writers, and none for {', '.join(sorted(missing))}: write `# writer SERVICE ed25519 …` for each"
        )
    return Writers(keys, _since(policy, Keyword.SIGNED_FROM), ends) if keys else NO_WRITERS


def key_line(keyword: Keyword, name: str, public: bytes) -> bytes:
    """Return the line that names somebody's key. public: 32 bytes."""
    return f"# {keyword} {name} ed25519 {b64encode(public).decode()}\n".encode()


def intake_line(public: bytes) -> bytes:
    """Return the line that names a key of intake. public: 32 bytes."""
    return f"# {Keyword.INTAKE} ed25519 {b64encode(public).decode()}\n".encode()


def pin_line(number: int, digest: str) -> bytes:
    """Return the line that pins a bundle of the policy."""
    return f"# {Keyword.POLICY_BUNDLE} {number} {digest}\n".encode()


def until_line(public: bytes, at: int) -> bytes:
    """Return the line that ends a writer's key. at: broker's time in ms."""
    return f"# {Keyword.WRITER_UNTIL} {b64encode(public).decode()} {time(at)}\n".encode()


def from_line(keyword: Keyword, at: int) -> bytes:
    """Return the line that says from when signatures are asked; empty: always. at: ms; 0: always."""
    return f"# {keyword} {time(at)}\n".encode() if at else b""


def time(at: int) -> str:
    """Return a time in ms as these lines and `trust.toml` write it."""
    return (EPOCH + at * MS).isoformat().replace("+00:00", "Z")


def _lines(policy: bytes, keyword: Keyword) -> Iterator[tuple[int, list[bytes]]]:
    """Yield number and further words of the lines with a keyword."""
    for number, line in enumerate(policy.split(b"\n"), 1):
        words = line.split()
        if words[:2] == [b"#", keyword.encode()]:
            yield number, words[2:]


def _people(policy: bytes, keyword: Keyword) -> dict[str, bytes]:
    found = dict[str, bytes]()
    person, repeated = PERSONS[keyword]
    bad = f"names no {person}: write `# {keyword} NAME {KEY}`"
    for number, words in _lines(policy, keyword):
        name, public = b"".join(words[:1]).decode("ascii", "replace"), _key(words[1:], number, bad)
        if not NAME.fullmatch(name):
            raise _bad(number, bad)
        if name in found or public in found.values():
            raise _bad(number, f"repeats {repeated}")
        found[name] = public
    return found


def _key(words: list[bytes], number: int, bad: str) -> bytes:
    """Return the key in the last two words of a line. Malformed: other words."""
    public = public_key(words[1].decode("ascii", "replace")) if len(words) == 2 and words[0] == b"ed25519" else None
    if public is None:
        raise _bad(number, bad)
    return public


def _pin(number: int, words: list[bytes]) -> tuple[int, str]:
    bundle, digest = words if len(words) == 2 else (b"", b"")
    if not bundle.isdigit() or len(bundle) > 9 or len(digest) != 64:
        raise _bad(number, "pins no bundle: write `# policy-bundle NUMBER DIGEST`")
    return int(bundle), digest.decode("ascii", "replace")


def _since(policy: bytes, keyword: Keyword) -> int:
    """Return the latest time in ms of the lines with a keyword; 0: there is none."""
    return max((_time(words, number, keyword) for number, words in _lines(policy, keyword)), default=0)


def _time(words: list[bytes], number: int, keyword: Keyword) -> int:
    try:
        return (datetime.fromisoformat(b" ".join(words).decode()) - EPOCH) // MS
    except (ValueError, TypeError):
        raise _bad(number, f"names no time: write `# {keyword} {EXAMPLE}`") from None


def _bad(number: int, what: str) -> Malformed:
    return Malformed("policy", f"line {number} {what}")
