"""Topics of agencies as units of their own: found, read as they came, paused, and forgotten, without harm to the others."""

from __future__ import annotations

import pytest
from sqlalchemy.ext.asyncio import AsyncConnection

from referral.domain.inputs import Raw
from referral.errors import NewerVersion
from referral.runtime.kafka import clients
from referral.runtime.loop.quarantine import MANY
from referral.runtime.service import Batch, Outcome
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


async def test_too_many_of_an_agency_pause_its_topic_and_no_other(line: Stack) -> None:
    await _ingress(line, "broken", "well")

    async def picky(tx: AsyncConnection, batch: Batch) -> Outcome:
        outcome = Outcome()
        for i in batch.inputs:
            if i.body.value == b"bad":
                outcome.quarantine(i, "body")
        return outcome

    async def send(agency: str, value: bytes) -> None:
        await line.producer.send_and_wait(line.settings.topic(f"ingress.{agency}"), value, partition=0)

    counter = line.counter(handle=picky, name="intake", ingress=True, writes="referral-intake", reads=("referral-routing",))
    counter.start()
    await until(lambda: len(counter.units) == 14)
    for _ in range(MANY):
        await send("broken", b"bad")
    await until(lambda: counter.tenure.assignment.stopped)
    assert counter.tenure.assignment.stopped["ingress.broken"].cause == "quarantine"
    assert not counter.not_ready, "that agency's topic waits; the doors stay open for all others"
    await send("broken", b"after")
    await send("well", b"meanwhile")
    await until(lambda: len(counter.inputs) == MANY + 1)
    assert counter.inputs[-1].body.value == b"meanwhile" and counter.tenure.assignment.stopped
    counter.tenure.assignment.stop("ingress.broken", "quarantine", until=0.0)  # as if its window were over
    await until(lambda: len(counter.inputs) == MANY + 2)
    assert counter.inputs[-1].body.value == b"after"
    assert not counter.not_ready


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
    assert not counter.not_ready
