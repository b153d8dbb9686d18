"""A record that its one writer did not sign is refused by its readers at once, takes no number, and stands in the quarantine."""

from __future__ import annotations

import time
from pathlib import Path

import msgspec
import pytest
from aiokafka.structs import RecordMetadata
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from referral.domain.inputs import RecordLost
from referral.errors import Rejected
from referral.runtime.settings import Settings
from referral.wire import topics
from referral.wire.signed import trust_lines, writer_signature
from referral.wire.signed.trust_lines import Keyword
from tests.harness import believed, made_log, policies, writers
from tests.harness.line.runtime_stack import IN, OUT, QUARANTINE, Stack, said
from tests.harness.waiting import until

pytestmark = pytest.mark.servers


def signing(settings: Settings, folder: Path, service: str, more: bytes = b"") -> Settings:
    """The settings of a service whose policy names writers; it has the key of this one. more: further lines."""
    named = made_log.policy() + policies.LINES + writers.LINES + more
    trust, key = believed.file(folder / "signed.toml", named), folder / f"{service}.key"
    key.write_bytes(writers.KEYS[service].private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    return msgspec.structs.replace(settings, trust=trust, writer_key_file=key)


async def write(line: Stack, case: str, value: bytes, topic: str = IN, by: str = "") -> None:
    """Publish a record as a service signs it. by: "": its writer."""
    header, at = writers.signature(topic, case.encode(), value, by), topics.partition(case)
    await line.producer.send_and_wait(line.settings.topic(topic), value, key=case.encode(), partition=at, headers=[header])


async def test_only_the_writers_signature_makes_a_record_and_every_reader_sees_it(line: Stack, tmp_path: Path) -> None:
    bare = line.settings
    line.settings = signing(bare, tmp_path, "routing")
    case = await line.case(0)
    forged = await line.value(case, 1)
    await line.write(case, forged)  # somebody with the master key and the broker
    await write(line, case, forged, by="routing")  # and a service that was taken over
    counter = line.counter()
    counter.start()
    await until(lambda: line.has(2, QUARANTINE))
    await until(lambda: not counter.not_ready)
    assert counter.inputs == []
    for seq in (1, 2):
        await write(line, case, await line.value(case, seq))
    await until(lambda: line.has(2))
    assert [i.seq for i in counter.inputs] == [1, 2], "the true record has the number of the forged one"
    forged = await line.value(case, 3, said("forged"), OUT, source="routing")
    await line.write(case, forged, topic=OUT)
    await write(line, case, await line.value(case, 3))
    await until(lambda: line.has(4))
    assert [m.case_seq for m in await line.metas()] == [1, 2, 3, 3], "the owner steps over nothing: no reader believes it"
    line.settings = signing(bare, tmp_path, "notifier")
    reader = line.counter("n", name="notifier", reads=(OUT,), writes="referral-notification")
    reader.start()
    await until(lambda: len(reader.inputs) == 3)
    await until(lambda: line.has(4, QUARANTINE))
    assert [i.seq for i in reader.inputs] == [1, 2, 3] and not any(
        isinstance(i.body, RecordLost) for i in (*reader.inputs, *counter.inputs)
    )
    for entry in (*await line.records(QUARANTINE), *await line.records()):
        true = entry.value != forged
        assert writers.WRITERS.wrote(bare.plain(entry.topic), entry.key, entry.value, entry.headers, entry.timestamp) is true


async def test_a_record_of_a_key_after_its_end_is_refused_and_of_before_is_read(line: Stack, tmp_path: Path) -> None:
    """N25: intake's retired key, named for its old records, and the key of the case: a forged acceptance ended the asking."""
    old = Ed25519PrivateKey.from_private_bytes(bytes(32))
    case, topic = await line.case(0), line.settings.topic(IN)

    async def forged(seq: int) -> RecordMetadata:
        value = await line.value(case, seq)
        header = writer_signature.sign(old, IN, [(case.encode(), value)])
        return await line.producer.send_and_wait(topic, value, key=case.encode(), partition=topics.partition(case), headers=header)

    before = await forged(1)
    public = old.public_key().public_bytes_raw()
    ended = trust_lines.key_line(Keyword.WRITER, "intake", public) + trust_lines.until_line(public, before.timestamp)
    await until_later(before.timestamp)
    await forged(2)
    line.settings = signing(line.settings, tmp_path, "routing", ended)
    counter = line.counter()
    counter.start()
    await until(lambda: line.has(1, QUARANTINE))
    await until(lambda: not counter.not_ready)  # it is ready by its own round, not by this record
    assert [i.seq for i in counter.inputs] == [1]
    await write(line, case, await line.value(case, 2))
    await until(lambda: line.has(2))
    assert [i.seq for i in counter.inputs] == [1, 2], "the true record has the number of the forged one"


async def until_later(ms: int) -> None:
    """Wait until the clock that the broker shares with us has passed this time."""

    async def passed() -> bool:
        return time.time() * 1000 > ms + 1

    await until(passed)


def test_a_service_without_the_key_that_the_policy_names_does_not_start(bare: Settings, tmp_path: Path) -> None:
    from referral.runtime import record_signing

    right = signing(bare, tmp_path, "routing")
    for wrong in (msgspec.structs.replace(right, writer_key_file=None), signing(bare, tmp_path, "intake")):
        with pytest.raises(Rejected, match="REFERRAL_WRITER_KEY_FILE"):
            record_signing.signer(wrong, "routing")
    [public] = writers.WRITERS.keys["routing"]
    new = trust_lines.key_line(Keyword.WRITER, "routing", bytes(range(32))) + trust_lines.until_line(public, 1)
    with pytest.raises(Rejected, match="ends this key of routing"):
        record_signing.signer(signing(bare, tmp_path, "routing", new), "routing")
    right = signing(bare, tmp_path, "routing")
    for unsigned in (record_signing.signer(bare, "routing"), record_signing.signer(right, "audit")):
        assert unsigned(OUT)([(b"", b"")]) == [[]], "nobody asks for its signature"
    (header,) = record_signing.signer(right, "routing")(OUT)([(b"k", b"v")])[0]
    assert header[0] == writer_signature.HEADER
