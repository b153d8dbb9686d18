"""Attacks by whoever may write on one topic: nothing that stands there keeps readers from what others wrote, and each reader says so."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from functools import partial

from aiokafka import ConsumerRecord, TopicPartition

from referral.domain.events import CaseKey, PolicyActivated, ReleaseMade
from referral.errors import Malformed
from referral.runtime.kafka.fetched import Bytes, Fetched
from referral.runtime.keys import key_topic
from referral.runtime.keys.case_keys import Keys
from referral.runtime.loop import decode
from referral.runtime.loop.reader import Taken
from referral.runtime.loop.units import Unit
from referral.runtime.policy_feed import Chain
from referral.wire import codec, headers, policy_digest
from services.oversight import feed
from tests.attacks.ground import Attack, Noticed
from tests.harness import malformed
from tests.harness.policies import TRUSTED, bundle

AGENCY, READER, AUDIT = "an agency on its own topic", "reader of the topic", "audit's log"
BROKER = "whoever reaches the broker"
HERE = TopicPartition("ingress.school-drita", 0)
GOOD = b"a good referral"


def read(bad: bytes) -> list[ConsumerRecord]:
    """What stands between two good records of one partition, and the two."""
    before, behind = malformed.batch(malformed.record(value=GOOD)), malformed.batch(malformed.record(value=GOOD), base=9)
    return list(Fetched(HERE, Bytes(before + (1).to_bytes(8, "big") + bad[8:] + behind), None, 0, None, None, True, 1))


def a_batch(kind: Callable[[random.Random], bytes]) -> Noticed:
    """Silent where a good record is not read: then one agency has stopped another."""
    found = read(kind(random.Random(1)))
    if [found[0].value, found[-1].value] != [GOOD, GOOD]:
        return {}
    [one] = found[1:-1]
    opened = decode.open_all([Taken(Unit("p0", 1, {}), (HERE.topic, 0), one)], unread=False)[0]
    kept = decode.raw(Taken(Unit("all", 1, {}), (HERE.topic, 0), one)).body
    return {READER: f"quarantined as {opened.reason} at offset {one.offset}", AUDIT: f"kept with headers {[n for n, _ in kept.headers]}"}  # type: ignore[union-attr]


def compressed(codec_: int) -> Callable[[random.Random], bytes]:
    return lambda _: malformed.batch(malformed.CODECS[codec_](malformed.record()), attributes=codec_)


def record(type_: str, key: bytes, value: bytes) -> ConsumerRecord:
    told = headers.plain(type_, id="x", source="routing", at=1)
    return ConsumerRecord("x", 0, 1, 1, 1, key, value, None, 0, 0, tuple(told))


def policy(value: bytes, content: bytes = b"") -> Noticed:
    """The policy in force stays, and the reader says why it passed the record over."""
    files = {"a.yaml": b"true"}
    chain = Chain(TRUSTED)
    chain.take(record(PolicyActivated.TYPE, b"1", codec.encode(bundle(1, files))))
    if content:
        value = codec.encode(bundle(2, {"a.yaml": content}, before=files, digest=policy_digest.digest(files)))
    said = chain.take(record(PolicyActivated.TYPE, b"2", value))
    stays = chain.newest is not None and chain.newest.files == files
    return {READER: f"passed over: {said}; bundle 1 stays in force" if stays else ""} if said else {}


def a_key(key: bytes, wrapped: bytes) -> Noticed:
    """Recover puts back no key that the master key did not wrap."""
    try:
        key_topic.Taken(Keys(bytes(32))).take(CaseKey.TOPIC, record(CaseKey.TYPE, key, codec.encode(CaseKey(wrapped=wrapped))))
    except (Malformed, UnicodeDecodeError) as error:
        return {READER: f"passed over: {type(error).__name__}"}
    return {}


def a_figure(value: bytes) -> Noticed:
    return (
        {READER: "passed over; the release is published again"} if feed._body(record(ReleaseMade.TYPE, b"release/1", value)) is None else {}
    )


def attacks() -> Iterator[Attack]:
    for name, codec_ in (("gzip", 1), ("snappy", 2), ("lz4", 3), ("zstd", 4)):
        yield Attack(what=f"a batch compressed by {name}", power=AGENCY, must=(READER, AUDIT), run=partial(a_batch, compressed(codec_)))
    for kind in (malformed.bomb, malformed.deltas, malformed.checksum, malformed.rest):
        yield Attack(what=f"a malformed batch: {kind.__name__}", power=AGENCY, must=(READER, AUDIT), run=partial(a_batch, kind))
    yield Attack(what="a header whose name is no text", power=AGENCY, must=(READER, AUDIT), run=partial(a_batch, malformed.header_name))
    yield Attack(what="a torn byte on referral-policy", power=BROKER, must=(READER,), run=partial(policy, b"x"))
    yield Attack(what="a bundle whose digest names other files", power=BROKER, must=(READER,), run=partial(policy, b"", b"false"))
    yield Attack(what="a key that is no text on referral-keys", power=BROKER, must=(READER,), run=partial(a_key, b"\xff", b"x" * 60))
    yield Attack(what="a case key of somebody else's", power=BROKER, must=(READER,), run=partial(a_key, b"case", b"x" * 60))
    yield Attack(what="a torn record on oversight-feed", power=BROKER, must=(READER,), run=partial(a_figure, b"x"))
