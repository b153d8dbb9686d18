"""Sign the records of a publication with their writer's key, and check that a record's one writer signed it. Pure.

One Ed25519 signature covers all records of a publication: it signs the root of their Merkle tree (RFC 9162), and each record carries the
signature with its own way to the root. So a reader checks one signature for many records, and each record proves its writer alone.
The log's policy file names the keys (`trust_lines.py`, docs/decisions/0048). A key that was replaced may have an end: a record that the
broker took later needs another. Records from before there were signatures need none.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from hashlib import sha256

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from msgspec import Struct

from referral.wire.signed import statements
from referral.wire.signed.statements import Kind

HEADER = "referral-signature"
OWNERS = {"referral-intake": "intake", "referral-routing": "routing", "referral-notification": "notifier", "oversight-feed": "oversight"}
"""The one service that writes each topic."""
QUARANTINE = "referral-quarantine"
"""The topic of several writers; the key of each record begins with its writer's name and a slash."""
SIGNATURE, HASH, NUMBER = 64, 32, 4
"""Bytes of an Ed25519 signature, of a SHA-256, and of a position in a publication."""
ROOTS = 4096
"""Verified signatures that a process remembers (ours): those of some seconds, from all partitions."""
NODES = 16_384
"""Nodes of the trees that a process remembers (ours, 3 MB): the ways of one publication share nearly all of theirs."""
Headers = Iterable[tuple[str, bytes]]


class Writers(Struct, frozen=True):
    """The writers whom a reader believes. keys: service → its public keys: the current one, and older ones whose records stay valid.

    since: broker's time in ms from which records need a signature.
    ends: replaced key → broker's time in ms after which it signs nothing.
    """

    keys: Mapping[str, tuple[bytes, ...]] = {}
    since: int = 0
    ends: Mapping[bytes, int] = {}

    def wrote(self, topic: str, key: bytes | None, value: bytes, headers: Headers, at: int) -> bool:
        """Return whether the record's one writer signed it, or no signature is asked of it.

        topic: without prefix. at: LogAppendTime, ms. A record without a time, which its producer may leave out, needs a signature.
        """
        service = writer(topic, key) if self.keys else None
        if service is None or 0 < at < self.since:
            return True
        found = next((data for name, data in headers if name == HEADER), None)
        return found is not None and _signed(self._at(service, at), topic, key or b"", value, found)

    def _at(self, service: str, at: int) -> tuple[bytes, ...]:
        """Return the keys of a service that count at a time. A record without a time is as good as one of now."""
        keys = self.keys.get(service, ())
        return tuple(key for key in keys if key not in self.ends or 0 < at <= self.ends[key]) if self.ends else keys


NO_WRITERS = Writers()


def writer(topic: str, key: bytes | None) -> str | None:
    """Return the service that alone writes such a record; None: the topic is of another kind."""
    if topic == QUARANTINE:
        return (key or b"").partition(b"/")[0].decode("ascii", "replace")
    return OWNERS.get(topic)


def sign(key: Ed25519PrivateKey, topic: str, records: Sequence[tuple[bytes, bytes]]) -> list[tuple[str, bytes]]:
    """Return the header of each record of one publication. topic: without prefix. records: (key, value), at least one."""
    levels = [[_leaf(key, value) for key, value in records]]
    while len(below := levels[-1]) > 1:
        above = [_node(below[i], below[i + 1]) for i in range(0, len(below) - 1, 2)]
        levels.append([*above, below[-1]] if len(below) % 2 else above)
    count = len(records)
    signature = key.sign(_statement(topic, count, levels.pop()[0]))
    size = count.to_bytes(NUMBER)
    return [(HEADER, b"".join((signature, size, index.to_bytes(NUMBER), *_way(levels, index)))) for index in range(count)]


def _way(levels: list[list[bytes]], index: int) -> Iterable[bytes]:
    """Yield the neighbours of a leaf, from below; a last one without a neighbour goes up as it is."""
    for level in levels:
        if (beside := index ^ 1) < len(level):
            yield level[beside]
        index //= 2


def _signed(publics: tuple[bytes, ...], topic: str, key: bytes, value: bytes, header: bytes) -> bool:
    signature, at = header[:SIGNATURE], SIGNATURE + 2 * NUMBER
    count, index = int.from_bytes(header[SIGNATURE : SIGNATURE + NUMBER]), int.from_bytes(header[SIGNATURE + NUMBER : at])
    if not index < count or (len(header) - at) % HASH:
        return False
    size, found = count, _leaf(key, value)
    while size > 1:
        if (index ^ 1) < size:
            beside, at = header[at : at + HASH], at + HASH
            found = _node(beside, found) if index % 2 else _node(found, beside)
        index, size = index // 2, (size + 1) // 2
    return at == len(header) and any(_holds(public, signature, _statement(topic, count, found)) for public in publics)


def _leaf(key: bytes, value: bytes) -> bytes:
    return sha256(b"\x00" + len(key).to_bytes(NUMBER) + key + value).digest()


@lru_cache(NODES)
def _node(left: bytes, right: bytes) -> bytes:
    return sha256(b"\x01" + left + right).digest()


def _statement(topic: str, count: int, root: bytes) -> bytes:
    return statements.write(Kind.RECORDS, topic, rest=count.to_bytes(NUMBER) + root)


_holds = lru_cache(ROOTS)(statements.holds)
