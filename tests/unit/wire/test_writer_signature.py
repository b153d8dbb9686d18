"""Each record proves that its one writer signed it; nothing else passes for its signature."""

from __future__ import annotations

import os
from base64 import b64encode
from datetime import UTC, datetime

import pytest

from referral.errors import Malformed
from referral.wire.signed import trust_lines, writer_signature
from referral.wire.signed.trust_lines import Keyword
from referral.wire.signed.writer_signature import HASH, HEADER, NO_WRITERS, NUMBER, OWNERS, QUARANTINE, SIGNATURE, Writers
from tests.harness import made_log
from tests.harness.writers import KEYS, LINES, WRITERS, signature

TOPIC = "referral-routing"
AT = 1_767_225_600_000


def published(count: int, by: str = "routing", topic: str = TOPIC) -> list[tuple[bytes, bytes, tuple[str, bytes]]]:
    records = [(b"case-%d" % n, os.urandom(40)) for n in range(count)]
    return [(*record, header) for record, header in zip(records, writer_signature.sign(KEYS[by], topic, records), strict=True)]


def believed(topic: str, key: bytes | None, value: bytes, header: tuple[str, bytes], at: int = AT, writers: Writers = WRITERS) -> bool:
    return writers.wrote(topic, key, value, [("ce_type", b"x"), header], at)


def test_each_record_of_a_publication_of_any_size_proves_its_writer() -> None:
    for count in (*range(1, 34), 255, 256, 257, 1000):
        for key, value, header in published(count):
            assert believed(TOPIC, key, value, header)
    longest = max(len(data) for _, _, (_, data) in published(1000))
    assert longest == SIGNATURE + 2 * NUMBER + 10 * HASH < 400, "the outbox allows for so much"


def test_nothing_but_the_record_its_topic_and_its_place_fit_a_signature() -> None:
    for count in (1, 2, 3, 7, 8):
        made = published(count)
        for n, (key, value, (name, data)) in enumerate(made):
            assert not believed(TOPIC, key, value + b"x", (name, data)) and not believed(TOPIC, key + b"x", value, (name, data))
            assert not believed(TOPIC, key + value[:1], value[1:], (name, data)), "where the key ends is signed"
            assert not believed("referral-intake", key, value, (name, data)), "of another topic"
            assert not any(believed(TOPIC, key, value, other[2]) for m, other in enumerate(made) if m != n)
            for changed in (data[:-1], data + b"x", data + bytes(HASH), b"", data[:SIGNATURE], data[: SIGNATURE + NUMBER]):
                assert not believed(TOPIC, key, value, (name, changed))
            for bit in range(0, 8 * len(data), 5):
                flipped = bytearray(data)
                flipped[bit // 8] ^= 1 << bit % 8
                assert not believed(TOPIC, key, value, (name, bytes(flipped)))
            assert not believed(TOPIC, key, value, ("another-header", data))


def test_another_service_signs_nothing_of_this_ones_topic() -> None:
    for other in set(KEYS) - {"routing"}:
        assert not any(believed(TOPIC, *record) for record in published(3, by=other))
    old = Writers({**WRITERS.keys, "routing": (*WRITERS.keys["intake"], *WRITERS.keys["routing"])})
    assert all(believed(TOPIC, *record, writers=old) for record in (*published(3), *published(3, by="intake"))), "a key of before"


def test_a_key_that_was_replaced_signs_nothing_that_the_broker_took_after_its_end() -> None:
    """N25: a retired key, named for old records, signed a forged acceptance, and routing believed it."""
    both = {**WRITERS.keys, "routing": (*WRITERS.keys["intake"], *WRITERS.keys["routing"])}
    [retired] = WRITERS.keys["intake"]
    ended = trust_lines.writers(
        b"".join(trust_lines.key_line(Keyword.WRITER, s, key) for s, keys in both.items() for key in keys)
        + trust_lines.until_line(retired, AT)
    )
    assert ended == Writers({**both}, 0, {retired: AT})
    [old], [new] = published(1, by="intake"), published(1)
    assert believed(TOPIC, *old, at=AT, writers=ended), "records of before stay valid"
    for at in (AT + 1, 0, -1):  # a producer may leave its time out
        assert not believed(TOPIC, *old, at=at, writers=ended) and believed(TOPIC, *new, at=at, writers=ended)
    assert not believed("referral-intake", *published(1, topic="referral-intake", by="intake")[0], at=AT + 1, writers=ended)


@pytest.mark.parametrize(
    "bad", ["# writer-until", "# writer-until AAAA 2026-12-01T00:00:00Z", "# writer-until KEY", "# writer-until KEY 2026-12-01T00:00:00"]
)
def test_a_line_that_ends_no_key_is_malformed(bad: str) -> None:
    [key] = WRITERS.keys["intake"]
    with pytest.raises(Malformed, match=r"line \d+ "):
        trust_lines.writers(LINES + bad.replace("KEY", b64encode(key).decode()).encode() + b"\n")


def test_the_quarantines_record_is_its_readers_whom_its_key_names() -> None:
    value = b"sealed"
    for by in ("intake", "routing", "notifier"):
        for key in (b"intake/a/0/1", b"routing/a/0/1", b"notifier/a/0/1", b"audit/a/0/1", b"\xff/a", None):
            fits = key is not None and key.startswith(by.encode())
            assert believed(QUARANTINE, key, value, signature(QUARANTINE, key or b"", value, by)) is fits


def test_what_a_service_signs_on_its_own_topic_is_no_entry_of_the_quarantine() -> None:
    key, value = b"routing/referral-routing/0/1", b"disowned"
    assert believed(QUARANTINE, key, value, signature(QUARANTINE, key, value, "routing"))
    assert not believed(QUARANTINE, key, value, signature(TOPIC, key, value))


def test_records_of_before_and_topics_without_one_writer_need_no_signature() -> None:
    since = datetime.fromtimestamp(AT / 1000, UTC)
    found = trust_lines.writers(LINES + f"# signed-from {since:%Y-%m-%dT%H:%M:%SZ}\n".encode())
    assert found == Writers(WRITERS.keys, AT)
    bare = ("x", b"")
    assert believed(TOPIC, b"", b"", bare, AT - 1, found) and not believed(TOPIC, b"", b"", bare, AT, found)
    assert all(believed(topic, b"", b"", bare) for topic in ("ingress.school-drita", "referral-policy", "referral-keys"))
    assert all(believed(topic, b"", b"", bare, writers=NO_WRITERS) for topic in OWNERS), "the policy of before names no writer"


def test_the_witness_policy_names_the_writers() -> None:
    assert trust_lines.writers(made_log.policy() + LINES) == WRITERS
    assert trust_lines.writers(b"quorum none\n# a remark about a writer\n# signed-from 2026-12-01T00:00:00Z\n") == NO_WRITERS
    key = LINES.split()[4].decode()
    for bad in (
        "# writer",
        "# writer routing ed25519",
        "# writer routing ed25519 x",
        f"# writer routing rsa {key}",
        f"# writer audit ed25519 {key}",
        f"# writer routing ed25519 {key} more",
        "# signed-from",
        "# signed-from yesterday",
        "# signed-from 2026-12-01T00:00:00",
        "# signed-from \xff",
    ):
        with pytest.raises(Malformed, match="line 5"):
            trust_lines.writers(LINES + bad.encode("latin-1") + b"\n")
    with pytest.raises(Malformed, match="none for notifier"):
        trust_lines.writers(b"".join(line for line in LINES.splitlines(keepends=True) if b"notifier" not in line))
    assert HEADER == "referral-signature"
