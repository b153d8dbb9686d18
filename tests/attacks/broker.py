"""Attacks by whoever may write on one topic: nothing that stands there keeps readers from what others wrote, and each reader says so."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from functools import partial

from aiokafka import ConsumerRecord, TopicPartition
from rich.progress import Progress

from referral.domain.events import CaseKey, PolicyActivated, Quarantined, ReleaseMade, Word
from referral.errors import Malformed
from referral.proof.audit.judge import VerifyOptions, judge
from referral.proof.entry import INTAKE
from referral.runtime.kafka.fetched import Bytes, Fetched
from referral.runtime.keys import key_topic
from referral.runtime.keys.case_keys import Keys
from referral.runtime.loop import decode
from referral.runtime.loop.reader import Taken
from referral.runtime.loop.units import Unit
from referral.runtime.policy_feed import Chain
from referral.wire import codec, headers, policy_digest, topics
from referral.wire.signed import writer_signature
from services.oversight import feed
from tests.attacks.ground import Attack, Noticed, copy, verify
from tests.harness import malformed, writers
from tests.harness.audit_log import Log, asked, closed, named, response
from tests.harness.policies import TRUSTED, bundle

AGENCY, READER, AUDIT = "an agency on its own topic", "reader of the topic", "audit's log"
VERIFY, TAKEN = "verify", "verify names the record taken away"
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


def set_aside(topic: str, partition: int, offset: int, case_id: str, seq: int, *, reader: str, at: int) -> tuple[bytes, bytes]:
    """Key and value of a record that says that a reader has set another one aside."""
    body = Quarantined(
        topic=topic,
        partition=partition,
        offset=offset,
        reader=reader,
        reason="body",
        case_id=case_id,
        case_seq=seq,
        at=at,
        nonce=bytes(12),
        sealed=bytes(16),
        length=0,
        sha256=None,
    )
    return f"{reader}/{topic}/{partition}/{offset}".encode(), codec.encode(body)


def take_away(log: Log, case_id: str, *, by: str = "", reader: str = "routing") -> tuple[str, int, int]:
    """The next record of intake on a case goes before anybody reads it, and a quarantine record accounts for it. by: the service that signs
    that; empty: nobody. Return where it stood."""
    partition, seq = topics.partition(case_id), log._seqs[INTAKE, case_id] + 1
    place = INTAKE, partition, log._offsets[INTAKE, partition]
    log._seqs[INTAKE, case_id], log._offsets[INTAKE, partition] = seq, place[2] + 1
    key, value = set_aside(*place, case_id, seq, reader=reader, at=log.now)
    told = headers.plain(Quarantined.TYPE, id=key.decode(), source=reader, at=log.now)
    told += writer_signature.sign(writers.KEYS[by], Quarantined.TOPIC, [(key, value)])[0:1] if by else []
    log.put(Quarantined.TOPIC, 0, key, value, told)
    return place


def hidden() -> Noticed:
    """The answer of the police is taken away, and a record that no reader signed says that it could not be read."""
    log = Log(signed=True)
    named(log)
    case_id, _ = asked(log, "child")
    take_away(log, case_id)
    closed(log, case_id)
    report = judge(copy(log.entries), VerifyOptions(keys=log.keys), Progress(disable=True)).report
    gap = next((str(found) for found in report.findings if found.code == "SEQUENCE_GAP"), "")
    return {VERIFY: str(report.first_bad() or ""), TAKEN: gap}


def another_case() -> Noticed:
    """A true acceptance of one case comes again under the key of another case, in that one's partition."""
    log = Log(signed=True)
    named(log)
    one, offer = asked(log, "one")
    log.input(one, response(offer, Word.ACCEPT, "one"), "one")
    old = next(entry for entry in reversed(log.entries) if entry.topic == INTAKE)
    other, _ = asked(log, "other")
    log.put(INTAKE, topics.partition(other), other.encode(), old.value, old.headers)
    last = log.entries[-1]
    taken = ConsumerRecord(INTAKE, last.partition, last.offset, 1, 1, last.key, old.value, None, 0, 0, tuple(old.headers))
    [opened] = decode.open_all([Taken(Unit(f"p{last.partition}", 1, {}), (INTAKE, last.partition), taken)], False, writers.WRITERS)
    said = f"quarantined as {opened.reason}, and no case changes by it" if opened.envelope is None else ""
    return {VERIFY: verify(copy(log.entries), keys=log.keys), READER: said}


def attacks() -> Iterator[Attack]:
    for name, codec_ in (("gzip", 1), ("snappy", 2), ("lz4", 3), ("zstd", 4)):
        yield Attack(what=f"a batch compressed by {name}", power=AGENCY, must=(READER, AUDIT), run=partial(a_batch, compressed(codec_)))
    for kind in (malformed.bomb, malformed.deltas, malformed.checksum, malformed.rest):
        yield Attack(what=f"a malformed batch: {kind.__name__}", power=AGENCY, must=(READER, AUDIT), run=partial(a_batch, kind))
    yield Attack(what="a header whose name is no text", power=AGENCY, must=(READER, AUDIT), run=partial(a_batch, malformed.header_name))
    both = (VERIFY, TAKEN)
    yield Attack(what="a record taken away, and an unsigned quarantine record accounts for it", power=BROKER, must=both, run=hidden)
    again = "a true acceptance again, under another case's key (N12)"
    yield Attack(what=again, power=BROKER, must=(VERIFY, READER), blamed="somebody else wrote it", run=another_case)
    yield Attack(what="a torn byte on referral-policy", power=BROKER, must=(READER,), run=partial(policy, b"x"))
    yield Attack(what="a bundle whose digest names other files", power=BROKER, must=(READER,), run=partial(policy, b"", b"false"))
    yield Attack(what="a key that is no text on referral-keys", power=BROKER, must=(READER,), run=partial(a_key, b"\xff", b"x" * 60))
    yield Attack(what="a case key of somebody else's", power=BROKER, must=(READER,), run=partial(a_key, b"case", b"x" * 60))
    yield Attack(what="a torn record on oversight-feed", power=BROKER, must=(READER,), run=partial(a_figure, b"x"))
