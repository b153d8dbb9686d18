"""Attacks on a service's own topic by whoever reaches the broker: its owner names the record, and nothing takes it for the owner's."""

from __future__ import annotations

import os
import uuid
from collections.abc import Sequence

from aiokafka import ConsumerRecord
from msgspec import structs

from referral.domain.events import Meta, Quarantined, ReleaseMade, RungFailed, Word
from referral.proof.entry import ROUTING
from referral.proof.verify.log import verify
from referral.proof.verify.report import Weight
from referral.runtime.kafka.publish import Span
from referral.runtime.keys.case_keys import Keys
from referral.runtime.loop import decode, ledger, outbox, writer_mark
from referral.runtime.loop.reader import Taken
from referral.runtime.loop.sequence import fingerprint
from referral.runtime.loop.units import Unit
from referral.runtime.recovery.topic_snapshot import Tape
from referral.wire import codec, headers, seal, topics
from referral.wire.signed.writer_signature import QUARANTINE
from tests.attacks.ground import Attack, Noticed
from tests.harness import writers
from tests.harness.audit_log import Log, asked, named, response
from tests.unit.proof.test_branches import write

TOPIC, CASE, KEY = "referral-notification", str(uuid.UUID(int=7)), bytes(32)
SECRETS = dict.fromkeys(("referral-intake", "referral-routing", TOPIC), b"w" * 32)
PARTITION = topics.partition(CASE)
META = Meta(
    event_id=CASE,
    case_id=CASE,
    case_seq=1,
    type=RungFailed.TYPE,
    fingerprint=codec.fingerprint(RungFailed.TYPE),
    cause_id=CASE,
    recorded_at=1,
    source="notifier",
    drill=False,
)


def record(seq: int, *, key: bytes = KEY, by_owner: bool = False, signed: str = "") -> ConsumerRecord:
    """The case's record of this sequence. key: under which it is sealed. signed: by which service."""
    body = codec.encode(RungFailed(offer_id=CASE, rung=0, reason="nobody-on-duty", at=1))
    value = seal.seal(key, TOPIC, structs.replace(META, case_seq=seq), body, os.urandom(12))
    head = (writer_mark.of(SECRETS[TOPIC], fingerprint(value)),) if by_owner else ()
    head = (*head, writers.signature(TOPIC, CASE.encode(), value, signed)) if signed else head
    return ConsumerRecord(TOPIC, PARTITION, seq - 1, seq, 0, CASE.encode(), value, None, 0, 0, head)


def owner(records: Sequence[ConsumerRecord]) -> str:
    """What the topic's owner says of what its acknowledgements do not cover."""
    unit = Unit(f"p{PARTITION}", 1, {})
    found = ledger.strangers([Taken(unit, (TOPIC, PARTITION), r) for r in records], SECRETS[TOPIC])
    return f"foreign record at {TOPIC}[{PARTITION}]@{found[0].taken.record.offset}, and {len(found) - 1} more" if found else ""


def reader(records: Sequence[ConsumerRecord]) -> str:
    """Return what a reader of the topic does with it, when it reads it."""
    found = decode.open_all([Taken(Unit(f"p{PARTITION}", 1, {}), (TOPIC, PARTITION), r) for r in records], False, writers.WRITERS)
    return f"quarantined as {found[0].reason}, and no sequence taken" if all(one.envelope is None for one in found) else ""


def judged(by: str) -> str:
    """Return what `audit verify` says of a forged acceptance in front of the true one. by: the service that signs it; empty: nobody."""
    log = Log(signed=True)
    named(log)
    case_id, offer = asked(log, "child")
    forged = write(log, case_id, response(offer, Word.ACCEPT, "forged"), 2, cause=case_id, by=by)
    log.input(case_id, response(offer, Word.DECLINE, "true"), "decline")
    report = verify(log.entries, log.keys)
    bad = report.first_bad()
    whole = report.counts["decisions re-executed"] == report.counts["decisions"]
    return str(bad) if bad and bad.idx == forged.idx and whole else ""


def decided() -> str:
    """Return what `audit verify` says of a forged decision that the true one follows under the same number."""
    log = Log(signed=True)
    named(log)
    case_id, offer = asked(log, "child")
    seq = log._seqs[ROUTING, case_id] + 1
    forged = write(log, case_id, structs.replace(offer, agency="police-prishtine"), seq, cause=case_id)
    log.alarm(case_id)
    report = verify(log.entries, log.keys)
    bad = [f for f in report.findings if f.weight is Weight.BAD]
    whole = report.counts["decisions re-executed"] == report.counts["decisions"]
    return str(bad[0]) if [f.idx for f in bad] == [forged.idx] and whole else ""


def beside(topic: str, type_: str, key: bytes) -> str:
    """What `audit verify` says of a record outside the case topics that its one writer did not sign."""
    log = Log(signed=True)
    named(log)
    log.put(topic, 0, key, b"whatever it says", headers.plain(type_, id="x", source="routing", at=1))
    return next((str(f) for f in verify(log.entries, log.keys).findings if f.code == "WRITER"), "")


def recover(records: Sequence[ConsumerRecord]) -> str:
    """What `referral recover` passes over."""
    tape = Tape()
    for one in (record(1, by_owner=True), *records):
        tape.take((TOPIC, PARTITION), one, Keys(bytes(32)), SECRETS)
    tape.believe(writer_mark.since((taped.place[0], taped.at) for taped in tape.all if taped.marked))
    tape.settle({CASE: KEY})
    return f"{len(tape.foreign)} records of others passed over" if len(tape.records[TOPIC]) == 1 else ""


def acknowledged(start: int, spans: list[Span]) -> str:
    """What the broker's acknowledgement tells the owner."""
    return "" if outbox.joined(start, spans) == spans[-1][1] else f"somebody else wrote behind offset {start}"


def attacks() -> list[Attack]:
    many = [record(n, key=os.urandom(32)) for n in range(7, 19)]
    forged = [record(2)]

    def both(records: Sequence[ConsumerRecord]) -> Noticed:
        return {"owner": owner(records), "recover": recover(records)}

    return [
        Attack(
            what="12 records under a random key on a service's topic (F2c)",
            power="broker",
            must=("owner", "recover"),
            run=lambda: both(many),
        ),
        Attack(
            what="a record under the case's own key (A3)", power="broker, master key", must=("owner", "recover"), run=lambda: both(forged)
        ),
        Attack(
            what="a forged decision in front of routing's own (A3 ii)",
            power="broker, master key",
            must=("every reader", "owner", "verify"),
            run=lambda: {"every reader": reader(forged), "owner": owner(forged), "verify": decided()},
        ),
        *(
            Attack(what=what, power="broker", must=("verify",), run=lambda made=made: {"verify": beside(*made)})
            for what, made in (
                ("a quarantine entry that disowns a true record", (QUARANTINE, Quarantined.TYPE, b"routing/referral-routing/0/0")),
                ("a release that oversight has not made", ("oversight-feed", ReleaseMade.TYPE, b"release/1")),
            )
        ),
        *(
            Attack(
                what=f"a forged acceptance under the case's own key, {how}, before the true answer (A3 i)",
                power="broker, master key",
                must=("every reader", "owner", "verify"),
                run=lambda by=by: {
                    "every reader": reader([record(2, signed=by)]),
                    "owner": owner([record(2, signed=by)]),
                    "verify": judged(by),
                },
            )
            for how, by in (("unsigned", ""), ("signed by a service that was taken over", "oversight"))
        ),
        Attack(
            what="an ended transaction, whose marker stays (F2d)",
            power="broker",
            must=("owner",),
            run=lambda: {"owner": acknowledged(3, [(5, 7)])},
        ),
    ]
