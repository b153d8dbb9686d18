"""A recording puts each byte of a connection in its place, however its segments came; and it knows what is no record of TLS."""

from __future__ import annotations

import random

from tests.harness.loopback import WRAP, Stream, records

SAID = bytes(range(256)) * 8
SEGMENT = 100


def test_each_byte_is_there_once_whatever_came_twice_early_or_late() -> None:
    for seed in range(50):
        draw = random.Random(seed)
        first = draw.choice((7, WRAP - 500))  # the number of a byte begins again at 0 in the midst
        parts = [(at, SAID[at : at + draw.randrange(SEGMENT, 3 * SEGMENT)]) for at in range(0, len(SAID), SEGMENT)]
        parts += draw.sample(parts, 5)
        parts.sort(key=lambda part: part[0] + draw.randrange(4 * SEGMENT))
        stream = Stream(first)
        for at, data in parts:
            stream.add((first + at) % WRAP, data)
        assert bytes(stream.data) == SAID, seed


def test_what_is_no_record_is_seen() -> None:
    record = b"\x17\x03\x03\x00\x05hello"
    assert records(record * 3) == b"" and records(record + record[:7]) == b"", "the last one may be cut off"
    assert records(record + b"GET / HTTP/1.1") == b"GET / HTTP/1.1"
    assert records(b"+OK") == b"+OK"
