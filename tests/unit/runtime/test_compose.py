"""What a batch says as records: each has a nonce, a number and a mark of its own."""

from __future__ import annotations

import uuid

from referral.domain.events import RungFailed
from referral.domain.inputs import Input, Source
from referral.runtime.keys.case_keys import Keys
from referral.runtime.loop import writer_mark
from referral.runtime.loop.outbox import compose
from referral.wire import codec, seal

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


def test_nothing_said_is_no_record_and_an_erased_case_says_nothing() -> None:
    body = RungFailed(offer_id=CASE, rung=0, reason="nobody-on-duty", at=1)
    cause = Input(id=CASE, case_id=CASE, body=body, source=Source(topic="queue"))
    assert compose([], "notifier", TOPIC, 1, {}, {}, bytes(32)) == ({}, {})
    assert compose([(cause, body)], "notifier", TOPIC, 1, {}, {}, bytes(32)) == ({}, {})


def test_a_case_key_that_the_master_key_opens_takes_its_cipher_along() -> None:
    keys = Keys(b"m" * 32)
    opened = keys.unwrap({CASE: keys.wrap(CASE, b"k" * 32)})[CASE]
    assert opened == b"k" * 32 and isinstance(opened, seal.Key)
