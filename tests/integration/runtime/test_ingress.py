"""Topics of agencies as units of their own: found, read as they came, paused, and forgotten, without harm to the others."""

from __future__ import annotations

import asyncio
from time import monotonic

import pytest
from sqlalchemy.ext.asyncio import AsyncConnection

from referral.domain.events import Quarantined
from referral.domain.inputs import Raw
from referral.errors import NewerVersion
from referral.runtime.kafka import clients
from referral.runtime.loop.quarantine import MANY, MANY_REFUSED
from referral.runtime.service import Batch, Outcome
from referral.wire import codec
from tests.harness.line.runtime_stack import QUARANTINE, Stack
from tests.harness.waiting import until

pytestmark = pytest.mark.servers


async def _ingress(line: Stack, *agencies: str) -> None:
    for agency in agencies:
        await clients.create_ingress(line.settings, agency)


async def test_an_agency_s_topic_is_found_read_as_it_came_and_its_bad_records_quarantined(line: Stack) -> None:
    await _ingress(line, "ks-pris-ngo")

    async def picky(tx: AsyncConnection, batch: Batch) -> Outcome:
        outcome = Outcome()
        for i in batch.inputs:
            assert isinstance(i.body, Raw)
            if i.body.value == b"bad":
                outcome.quarantine(i, "body")
        return outcome

    counter = line.counter(handle=picky, name="intake", ingress=True, writes="referral-intake", reads=("referral-routing",))
    counter.start()
    await until(lambda: len(counter.units) == 13)
    topic = line.settings.topic("ingress.ks-pris-ngo")
    for value in (b"good", b"bad"):
        await line.producer.send_and_wait(topic, value, key=b"k", partition=0, headers=[("ce_id", b"1")])
    await until(lambda: len(counter.inputs) == 2)
    body = counter.inputs[0].body
    assert (body.agency, body.key, body.value, body.headers) == ("ks-pris-ngo", b"k", b"good", (("ce_id", b"1"),))
    await until(lambda: line.has(1, QUARANTINE))
    assert [r.key for r in await line.distinct(QUARANTINE)] == [b"intake/ingress.ks-pris-ngo/0/1"]


async def test_an_emergency_behind_hundreds_that_are_refused_is_read_within_five_seconds(line: Stack) -> None:
    """Twenty refused records closed an agency's door for ten minutes. What is refused beyond MANY is one entry, without its bytes."""
    await _ingress(line, "broken", "well")
    counter = line.counter(handle=_picky, name="intake", ingress=True, writes="referral-intake", reads=("referral-routing",))
    counter.start()
    await until(lambda: len(counter.units) == 14)
    await _send(line, "broken", *[b"bad"] * 300)
    await until(lambda: len(counter.inputs) >= MANY)
    started = monotonic()
    await _send(line, "broken", b"emergency")
    await until(lambda: any(i.body.value == b"emergency" for i in counter.inputs), 5)
    assert monotonic() - started < 5
    assert not counter.tenure.assignment.stopped and not counter.not_ready
    stored = [codec.decode(Quarantined.TYPE, codec.fingerprint(Quarantined.TYPE), r.value) for r in await line.distinct(QUARANTINE)]
    assert [q.reason for q in stored[:MANY]] == ["body"] * MANY  # type: ignore[attr-defined]
    assert {q.reason for q in stored[MANY:]} == {MANY_REFUSED} and len(stored) < 2 * MANY, "bounded"  # type: ignore[attr-defined]


async def test_a_refusal_of_one_agency_prolongs_no_pause_of_another(line: Stack) -> None:
    await _ingress(line, "first", "second")
    counter = line.counter(handle=_picky, name="intake", ingress=True, writes="referral-intake", reads=("referral-routing",))
    counter.start()
    await until(lambda: len(counter.units) == 14)
    await _send(line, "first", *[b"bad"] * MANY)
    await until(lambda: len(counter.inputs) == MANY)
    counter.tenure.assignment.stop("ingress.first", "newer-version", until=monotonic() + 300)
    until_ = counter.tenure.assignment.stopped["ingress.first"].until
    await _send(line, "second", b"bad")
    await until(lambda: counter.inputs[-1].body.agency == "second")
    await _send(line, "second", b"after")
    await until(lambda: counter.inputs[-1].body.value == b"after")
    assert counter.tenure.assignment.stopped["ingress.first"].until == until_


async def _picky(tx: AsyncConnection, batch: Batch) -> Outcome:
    """Refuse what is bad."""
    outcome = Outcome()
    for i in batch.inputs:
        if isinstance(i.body, Raw) and i.body.value == b"bad":
            outcome.quarantine(i, "body")
    return outcome


async def _send(line: Stack, agency: str, *values: bytes) -> None:
    sent = [await line.producer.send(line.settings.topic(f"ingress.{agency}"), value, partition=0) for value in values]
    await asyncio.gather(*sent)


async def test_a_unit_without_a_topic_is_let_go_and_forgotten_after_an_hour(line: Stack, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("referral.runtime.loop.assignment.DISCOVER", 0.2)
    await _ingress(line, "gone", "stays")
    counter = line.counter(name="intake", ingress=True, writes="referral-intake", reads=("referral-routing",))
    counter.start()
    await until(lambda: len(counter.units) == 14)
    admin = clients.admin(line.settings)
    await admin.start()
    try:
        await admin.delete_topics([line.settings.topic("ingress.gone")])
    finally:
        await admin.close()
    await until(lambda: counter.tenure.assignment.gone and "ingress.gone" not in counter.units)
    await until(lambda: not counter.not_ready)
    assert await line.sql("SELECT unit FROM intake.lease WHERE unit = 'ingress.gone'"), "for an hour it may have been a mistake"
    monkeypatch.setattr("referral.runtime.loop.assignment.GONE", 0.0)

    async def forgotten() -> bool:
        return not await line.sql("SELECT unit FROM intake.lease WHERE unit = 'ingress.gone'")

    counter.tenure.assignment.gone.clear()
    await until(forgotten)
    assert "ingress.stays" in counter.units


async def test_a_newer_version_stops_only_that_agency(line: Stack) -> None:
    await _ingress(line, "new", "old")

    async def versions(tx: AsyncConnection, batch: Batch) -> Outcome:
        for i in batch.inputs:
            if i.body.value == b"v2":
                raise NewerVersion
        return Outcome()

    counter = line.counter(handle=versions, name="intake", ingress=True, writes="referral-intake", reads=("referral-routing",))
    counter.start()
    await until(lambda: len(counter.units) == 14)
    for agency, value in (("new", b"v2"), ("old", b"v1"), ("new", b"v1"), ("old", b"v1")):
        await line.producer.send_and_wait(line.settings.topic(f"ingress.{agency}"), value, partition=0)
    await until(lambda: len(counter.inputs) == 2 and counter.tenure.assignment.stopped)
    assert {i.body.agency for i in counter.inputs} == {"old"}
    assert counter.tenure.assignment.stopped["ingress.new"].cause == "newer-version"
    await until(lambda: not counter.not_ready)
