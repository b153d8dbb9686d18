"""Batches of Kafka as no client of ours sends them: a seeded corpus, and the raw Produce request that passes by a client's checks.

Every batch is made of parts, and each kind spoils one of them, with a right CRC unless it is the CRC that is spoiled. Made-up bytes only.
"""

from __future__ import annotations

import asyncio
import gzip
import random
import struct
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

from aiokafka import AIOKafkaProducer
from aiokafka.errors import NotLeaderForPartitionError, UnknownTopicOrPartitionError, for_code
from aiokafka.protocol.produce import ProduceRequest
from aiokafka.record.util import calc_crc32c

from tests.harness.waiting import PATIENCE_S

BEHIND_CRC = struct.Struct(">hiqqqhii")
ALWAYS = b"made-up"
Part = bytes | None


def varint(value: int) -> bytes:
    """Zigzag, as records have them."""
    value, out = (value << 1) ^ (value >> 63), bytearray()
    value &= (1 << 64) - 1
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def part(data: Part) -> bytes:
    return varint(-1) if data is None else varint(len(data)) + data


class Spoilt(NamedTuple):
    """Bytes in place of a record's length, of its key or value with their lengths, or of the number of its headers."""

    length: Part = None
    key: Part = None
    value: Part = None
    count: Part = None  # type: ignore[assignment]


def record(
    delta: int = 0,
    key: Part = b"k",
    value: Part = ALWAYS,
    headers: tuple[tuple[Part, Part], ...] = (),
    at: int = 0,
    spoilt: Spoilt = Spoilt(),  # noqa: B008 (it is frozen)
) -> bytes:
    """One record."""
    tail = (spoilt.count or varint(len(headers))) + b"".join(part(name) + part(said) for name, said in headers)
    body = b"\x00" + varint(at) + varint(delta) + (spoilt.key or part(key)) + (spoilt.value or part(value)) + tail
    return (spoilt.length or varint(len(body))) + body


def batch(
    body: bytes,
    count: int = 1,
    *,
    base: int = 0,
    delta: int | None = None,
    attributes: int = 0,
    first: int = 1,
    last: int = 1,
    producer: tuple[int, int, int] = (-1, -1, -1),
    magic: int = 2,
    crc: int | None = None,
    length: int | None = None,
) -> bytes:
    """A batch of format 2 around the bytes of its records."""
    behind = BEHIND_CRC.pack(attributes, count - 1 if delta is None else delta, first, last, *producer, count) + body
    sum_ = calc_crc32c(behind) if crc is None else crc
    return struct.pack(">qiibI", base, 9 + len(behind) if length is None else length, 0, magic, sum_) + behind


def snappy(data: bytes) -> bytes:
    """Stored, not compressed, in the framing of Java's library."""
    raw = varint_plain(len(data)) + b"".join(
        bytes([61 << 2]) + struct.pack("<H", len(some) - 1) + some for some in (data[n : n + 60000] for n in range(0, len(data), 60000))
    )
    return b"\x82SNAPPY\x00" + struct.pack(">iii", 1, 1, len(raw)) + raw


def varint_plain(value: int) -> bytes:
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*out, value])


def lz4(data: bytes) -> bytes:
    """One frame of stored blocks (64 KiB at most)."""
    blocks = (data[n : n + 65536] for n in range(0, len(data), 65536))
    return b"\x04\x22\x4d\x18\x60\x40\x82" + b"".join(struct.pack("<I", len(b) | 0x80000000) + b for b in blocks) + bytes(4)


def zstd(data: bytes) -> bytes:
    """One frame of one raw block (128 KiB at most)."""
    return b"\x28\xb5\x2f\xfd\xa0" + struct.pack("<I", len(data)) + struct.pack("<I", len(data) << 3 | 1)[:3] + data


CODECS: dict[int, Callable[[bytes], bytes]] = {1: lambda data: gzip.compress(data, 9), 2: snappy, 3: lz4, 4: zstd}
BOMB = 8 * 1024 * 1024
"""Bytes that 8 KB unpack to: above what any topic takes, and a test's memory bears it."""


def compressed(random: random.Random) -> bytes:
    codec = random.randint(1, 4)
    many = random.choice((1, 1, 3))
    packed = CODECS[codec](b"".join(record(n, value=random.randbytes(random.randint(0, 200))) for n in range(many)))
    return batch(packed, many, attributes=codec)


def bomb(random: random.Random) -> bytes:
    return batch(CODECS[1](record(value=bytes(BOMB))), attributes=1)


def no_codec(random: random.Random) -> bytes:
    """A codec that nobody has, or bytes that are none of its own."""
    return batch(random.randbytes(40), attributes=random.randint(1, 7))


def header_name(random: random.Random) -> bytes:
    name = random.choice((b"\xff", b"ce_\xc3", b"\xed\xa0\x80", b"\x80" * 30, b"ce_type\xfe", random.randbytes(8) + b"\xff"))
    return batch(record(headers=((b"ce_id", b"1"), (name, random.randbytes(5)))))


def header_count(random: random.Random) -> bytes:
    return batch(record(spoilt=Spoilt(count=varint(random.choice((-1, 1, 5, 2**31 - 1, 2**40, -(2**31)))))))


def header_null(random: random.Random) -> bytes:
    return batch(record(headers=((None, b"v"),) if random.random() < 0.5 else ((b"n", None), (b"", b""), (b"", None))))


def nulls(random: random.Random) -> bytes:
    return batch(record(key=random.choice((None, b"", random.randbytes(2000))), value=random.choice((None, b""))))


def record_length(random: random.Random) -> bytes:
    return batch(record(spoilt=Spoilt(length=varint(random.choice((-1, 0, 1, 5, 200, 2**31 - 1, 2**40, -(2**62)))))))


def key_length(random: random.Random) -> bytes:
    return batch(record(key=varint(random.choice((-2, 200, 2**31 - 1, 2**40, -(2**40))))))


def value_length(random: random.Random) -> bytes:
    return batch(record(spoilt=Spoilt(value=varint(random.choice((-2, 200, 2**31 - 1, 2**62))))))


def endless_varint(random: random.Random) -> bytes:
    where = random.choice(Spoilt._fields)
    return batch(record(spoilt=Spoilt(**{where: b"\xff" * random.choice((5, 9, 10, 11, 40))})))


def record_count(random: random.Random) -> bytes:
    count = random.choice((0, 2, 3, -1, 2**31 - 1, 1000))
    return batch(record(), count, delta=random.choice((0, max(count - 1, 0))))


def last_delta(random: random.Random) -> bytes:
    return batch(record(), 1, delta=random.choice((-1, 1, 7, 2**31 - 1, -(2**31))))


def deltas(random: random.Random) -> bytes:
    """Offsets within the batch that stand still, jump, go back."""
    said = random.choice(((0, 0), (1, 0), (0, 5), (-1, 0), (0, 2**31 - 1), (7, 8), (0, -(2**31))))
    return batch(b"".join(record(delta) for delta in said), 2)


def timestamps(random: random.Random) -> bytes:
    first, last = random.choice(((-1, -1), (-(2**63), 0), (2**63 - 1, 2**63 - 1), (5, 1), (0, 2**62)))
    return batch(record(at=random.choice((0, -1, 2**62, -(2**62)))), first=first, last=last)


def checksum(random: random.Random) -> bytes:
    return batch(record(), crc=random.getrandbits(32))


def torn(random: random.Random) -> bytes:
    """A good batch with one byte changed behind the checksum, which is made anew: what a bad program sends."""
    body = bytearray(b"".join(record(n, headers=((b"ce_id", b"1"),)) for n in range(3)))
    body[random.randrange(len(body))] ^= random.randint(1, 255)
    return batch(bytes(body), 3)


def cut_short(random: random.Random) -> bytes:
    body = b"".join(record(n) for n in range(3))
    return batch(body[: random.randrange(len(body))], 3)


def rest(random: random.Random) -> bytes:
    return batch(record() + random.randbytes(random.randint(1, 50)))


def frame(random: random.Random) -> bytes:
    """The length of the batch is wrong."""
    return batch(record(), length=random.choice((-1, 0, 48, 49, 2**31 - 1, 10_000)))


def format_(random: random.Random) -> bytes:
    return batch(record(), magic=random.choice((0, 1, 3, 127, -1)))


def control(random: random.Random) -> bytes:
    return batch(
        record(key=random.choice((b"", b"\x00\x00\x00\x00", b"\x00\x00\x00\x01", None))), attributes=0x20 | random.choice((0, 0x10))
    )


def transactional(random: random.Random) -> bytes:
    return batch(record(), attributes=0x10, producer=(random.choice((-1, 0, 77)), 0, 0))


def producer(random: random.Random) -> bytes:
    return batch(record(), producer=random.choice(((0, 0, 0), (-5, 1, 1), (2**63 - 1, 2**15 - 1, 5), (4, -1, -1))))


def attributes(random: random.Random) -> bytes:
    return batch(record(), attributes=random.choice((0x08, 0x40, 0x80, -(2**15), 0x7FC0)))


def noise(random: random.Random) -> bytes:
    return random.randbytes(random.randint(1, 300))


KINDS = (
    compressed, bomb, no_codec, header_name, header_count, header_null, nulls, record_length, key_length, value_length, endless_varint,
    record_count, last_delta, deltas, timestamps, checksum, torn, cut_short, rest, frame, format_, control, transactional, producer,
    attributes, noise,
)  # fmt: skip


class Bad(NamedTuple):
    """kind: a name of KINDS."""

    kind: str
    data: bytes


def corpus(number: int, seed: int = 1) -> Iterator[Bad]:
    """So many batches, each kind in its turn."""
    dice = random.Random(seed)
    for n in range(number):
        kind = KINDS[n % len(KINDS)]
        yield Bad(kind.__name__, kind(dice))


async def produce(sender: AIOKafkaProducer, topic: str, partition: int, data: bytes) -> str:
    """Send the bytes of a batch as they are. What the broker answers: empty where it took them, else the name of its error.

    A topic that was just made has its leader a moment later than its name: then it is asked again.
    """
    await sender.client._wait_on_metadata(topic)
    async with asyncio.timeout(PATIENCE_S):
        while True:
            leader = sender.client.cluster.leader_for_partition(_place(topic, partition))
            answer: Any = await sender.client.send(leader, ProduceRequest(None, -1, 10_000, [(topic, [(partition, data)])]))
            [(_, [(_, code, *_)])] = answer.topics
            if for_code(code) not in (NotLeaderForPartitionError, UnknownTopicOrPartitionError):
                return "" if code == 0 else for_code(code).__name__
            await sender.client.force_metadata_update()


def _place(topic: str, partition: int) -> Any:
    from aiokafka import TopicPartition

    return TopicPartition(topic, partition)
