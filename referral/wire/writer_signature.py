"""Sign the records of a publication with their writer's key, and check that a record's one writer signed it. Pure.

One Ed25519 signature covers all records of a publication: it signs the root of their Merkle tree (RFC 9162), and each record carries the
signature with its own way to the root. So a reader checks one signature for many records, and each record proves its writer alone.
The log's policy file names the keys, in lines that are comments to every C2SP reader (docs/decisions/0048) and that `trust.py` writes:

    # writer routing ed25519 <base64 of 32 bytes>
    # writer-until <base64 of 32 bytes> 2027-03-01T00:00:00Z
    # signed-from 2026-12-01T00:00:00Z

The second line ends a key that was replaced: a record that the broker took later needs another. The third stands only where records from
before there were signatures are on the topics: a record that the broker took earlier needs none.
"""

from __future__ import annotations

from base64 import b64decode, b64encode
from binascii import Error
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from hashlib import sha256

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from msgspec import Struct

from referral.errors import Malformed
from referral.wire import ed25519

HEADER = "referral-signature"
BEGIN = b"referral-records-v1\n"
"""First bytes of what a writer signs, so that the signature fits no other statement."""
OWNERS = {"referral-intake": "intake", "referral-routing": "routing", "referral-notification": "notifier", "oversight-feed": "oversight"}
"""The one service that writes each topic."""
QUARANTINE = "referral-quarantine"
"""The topic of several writers; the key of each record begins with its writer's name and a slash."""
SIGNATURE, HASH, NUMBER, PUBLIC = 64, 32, 4, 32
"""Bytes of an Ed25519 signature, of a SHA-256, of a position in a publication, and of a public key."""
WRITER, UNTIL, FROM, KIND = [b"#", b"writer"], [b"#", b"writer-until"], [b"#", b"signed-from"], b"ed25519"
ROOTS = 4096
"""Verified signatures that a process remembers (ours): those of some seconds, from all partitions."""
NODES = 16_384
"""Nodes of the trees that a process remembers (ours, 3 MB): the ways of one publication share nearly all of theirs."""
MOST = 1 << 62
"""A time in ms after every other."""
EPOCH, MS = datetime(1970, 1, 1, tzinfo=UTC), timedelta(milliseconds=1)
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


NOBODY = Writers()


def writer(topic: str, key: bytes | None) -> str | None:
    """Return the service that alone writes such a record; None: the topic is of another kind."""
    if topic == QUARANTINE:
        return (key or b"").partition(b"/")[0].decode("ascii", "replace")
    return OWNERS.get(topic)


def line(service: str, public: bytes) -> str:
    """Return the line of a witness policy that names a service's key. public: 32 bytes."""
    return f"# writer {service} ed25519 {b64encode(public).decode()}\n"


def until_line(public: bytes, at: int) -> str:
    """Return the line of a witness policy that ends a key. at: broker's time in ms."""
    written = (EPOCH + at * MS).isoformat().replace("+00:00", "Z")
    return f"# writer-until {b64encode(public).decode()} {written}\n"


def named(policy: bytes) -> Writers:
    """Return the writers that a witness policy names; NOBODY: it names none. Malformed: a bad line, or one writer is missing."""
    keys, ends = dict[str, tuple[bytes, ...]](), dict[bytes, int]()
    for number, text in enumerate(policy.split(b"\n"), 1):
        words = text.split()
        if words[:2] == WRITER:
            service, public = _writer(words[2:], number)
            keys[service] = (*keys.get(service, ()), public)
        elif words[:2] == UNTIL:
            public = _public(b"".join(words[2:3]), number)
            ends[public] = min(ends.get(public, MOST), _since([*UNTIL, *words[3:]], number))
    missing = set(OWNERS.values()) - keys.keys() if keys else ()
    if missing:
        raise Malformed(
            "policy", f"it names writers, and none for {', '.join(sorted(missing))}: write `# writer SERVICE ed25519 …` for each"
        )
    return Writers(keys, since(policy), ends) if keys else NOBODY


def since(policy: bytes, begins: list[bytes] = FROM) -> int:
    """Return the time in ms from which a witness policy asks for signatures; 0: always. begins: first words of the line. Malformed."""
    lines = ((number, text.split()) for number, text in enumerate(policy.split(b"\n"), 1))
    return max((_since(words, number) for number, words in lines if words[:2] == begins), default=0)


def _writer(words: list[bytes], number: int) -> tuple[str, bytes]:
    try:
        service, kind, written = words
        public = b64decode(written, validate=True)
    except (ValueError, Error):
        service, kind, public = b"", b"", b""
    name = service.decode("ascii", "replace")
    if kind != KIND or len(public) != PUBLIC or name not in OWNERS.values():
        what = f"names no writer: write `# writer SERVICE ed25519 <base64 of {PUBLIC} bytes>`, SERVICE one of {', '.join(OWNERS.values())}"
        raise Malformed("policy", f"line {number} {what}")
    return name, public


def _public(written: bytes, number: int) -> bytes:
    try:
        public = b64decode(written, validate=True)
    except Error:
        public = b""
    if len(public) != PUBLIC:
        raise Malformed("policy", f"line {number} ends no key: write `# writer-until <base64 of {PUBLIC} bytes> 2026-12-01T00:00:00Z`")
    return public


def _since(words: list[bytes], number: int) -> int:
    try:
        at = datetime.fromisoformat(b" ".join(words[2:]).decode())
        return (at - EPOCH) // MS
    except (ValueError, TypeError):
        raise Malformed("policy", f"line {number} names no time: write `# {words[1].decode()} 2026-12-01T00:00:00Z`") from None


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
    return BEGIN + topic.encode() + b"\n" + count.to_bytes(NUMBER) + root


_holds = lru_cache(ROOTS)(ed25519.holds)
