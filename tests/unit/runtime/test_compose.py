"""What a batch says as records: each has a nonce, a number and a mark of its own."""

from __future__ import annotations

import os
import uuid

import pytest

from referral.domain.events import Meta, RungFailed
from referral.domain.inputs import Input, Source, derived
from referral.runtime.keys.case_keys import Keys
from referral.runtime.loop import writer_mark
from referral.runtime.loop.outbox import Record, compose
from referral.runtime.loop.sequence import Last, fingerprint
from referral.wire import codec, headers, seal, topics

TOPIC, CASE, MANY = "referral-notification", str(uuid.UUID(int=7)), 50


def test_every_record_of_a_batch_has_its_own_nonce_number_and_mark() -> None:
    key, secret = seal.Key(bytes(32)), b"w" * 32
    body = RungFailed(offer_id=CASE, rung=0, reason="nobody-on-duty", at=1)
    causes = [Input(id=str(uuid.UUID(int=n)), case_id=CASE, body=body, source=Source(topic="queue")) for n in range(MANY // 2)]
    composed, last = compose([(cause, body) for cause in causes for _ in range(2)], "notifier", TOPIC, 1, {CASE: key}, {}, secret)
    (records,) = composed.values()
    envelopes = [seal.open(record.value) for record in records]
    assert len({envelope.nonce for envelope in envelopes}) == MANY
    assert [envelope.meta.case_seq for envelope in envelopes] == list(range(1, MANY + 1))
    assert len({envelope.meta.event_id for envelope in envelopes}) == MANY
    assert all(seal.unseal(bytes(32), TOPIC, envelope) == codec.encode(body) for envelope in envelopes)
    assert all(writer_mark.carries(secret, record.value, record.headers) for record in records)
    assert last[TOPIC, CASE].seq == MANY


def test_a_record_that_is_put_together_from_prepared_parts_has_the_bytes_of_one_that_is_not(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.urandom", lambda size: bytes(n % 251 for n in range(size)))
    key, secret, other = seal.Key(bytes(32)), b"w" * 32, str(uuid.UUID(int=8))
    said = [RungFailed(offer_id=CASE, rung=n, reason="nobody-on-duty", at=n) for n in range(4)]
    causes = [
        Input(id=str(uuid.UUID(int=n)), case_id=case, body=said[0], source=Source(topic="queue"), drill=drill)
        for n, case, drill in ((21, CASE, False), (22, other, True), (23, CASE, False))
    ]
    now, seen = 1_767_225_600_000_001, {(TOPIC, CASE): Last(299, bytes(16), True)}
    composed, _ = compose(
        [(cause, event) for cause in causes for event in said], "notifier", TOPIC, now, {CASE: key, other: key}, seen, secret
    )
    seqs, nonces = {CASE: 299, other: 0}, os.urandom(12 * len(causes) * len(said))
    for cause in causes:
        for number, event in enumerate(said):
            seqs[cause.case_id] += 1
            meta = Meta(
                event_id=derived(cause.id, number),
                case_id=cause.case_id,
                case_seq=seqs[cause.case_id],
                type=event.TYPE,
                fingerprint=codec.fingerprint(event.TYPE),
                cause_id=cause.id,
                recorded_at=now,
                source="notifier",
                drill=cause.drill or cause.case_id == CASE,
            )
            nonce, nonces = nonces[:12], nonces[12:]
            value = seal.seal(bytes(32), TOPIC, meta, codec.encode(event), nonce)
            head = [*headers.of(meta), writer_mark.of(secret, fingerprint(value))]
            assert composed[topics.partition(cause.case_id)].pop(0) == Record(cause.case_id.encode(), value, head)
    assert not any(composed.values())


def test_nothing_said_is_no_record_and_an_erased_case_says_nothing() -> None:
    body = RungFailed(offer_id=CASE, rung=0, reason="nobody-on-duty", at=1)
    cause = Input(id=CASE, case_id=CASE, body=body, source=Source(topic="queue"))
    assert compose([], "notifier", TOPIC, 1, {}, {}, bytes(32)) == ({}, {})
    assert compose([(cause, body)], "notifier", TOPIC, 1, {}, {}, bytes(32)) == ({}, {})


def test_a_case_key_that_the_master_key_opens_takes_its_cipher_along() -> None:
    keys = Keys(b"m" * 32)
    opened = keys.unwrap({CASE: keys.wrap(CASE, b"k" * 32)})[CASE]
    assert opened == b"k" * 32 and isinstance(opened, seal.Key)
