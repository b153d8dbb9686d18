"""Routing on real servers, through the real loop: a referral becomes offers, beds are never oversold, failures stay their case's own."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from itertools import islice

import pytest
from prometheus_client import REGISTRY
from sqlalchemy import text

from referral.cli.policy import activate as policy
from referral.domain.case import Case
from referral.domain.decide import Decision, decided
from referral.domain.events import CaseOpened, Facts, NeedsPerson, OfferAccepted, OfferOpened, ReferralSubmitted, Word
from referral.domain.inputs import Input
from referral.domain.policy import Policy, PolicyErrors
from referral.runtime import policy_feed
from referral.runtime.kafka import clients, scan
from referral.runtime.settings import Settings
from referral.wire import policy_digest, topics
from services.routing.__main__ import service as routing_service
from services.routing.current_policy import CurrentPolicy
from services.routing.engine_failure import Breaker
from tests.harness.erased import erased
from tests.harness.line.routing_stack import Line, answer, new_id, referral, running
from tests.harness.waiting import until

pytestmark = pytest.mark.servers


@pytest.fixture
async def line(settings: Settings) -> AsyncIterator[Line]:
    async with running(settings) as made:
        yield made


async def test_a_referral_becomes_offers_and_an_answer_changes_the_case(line: Line) -> None:
    await line.activate()
    case_id = new_id()
    await line.post(case_id, referral())
    (opened,) = await line.wait_for(case_id, CaseOpened)
    assert opened.head.topic == "referral-intake" and opened.head.facts.bundle == 1
    (police,) = await line.wait_for(case_id, OfferOpened, step="police")
    assert police.agency == "police-prizren"
    await line.post(case_id, answer(police, Word.ACCEPT))
    await line.wait_for(case_id, OfferAccepted, offer_id=police.offer_id)
    reads = await line.reads(case_id)
    assert [r.meta.case_seq for r in reads] == list(range(1, len(reads) + 1))
    assert await line.scalar("SELECT count(*) FROM routing.alarm WHERE case_id = :c", c=case_id) == 1


WAITING = (
    "SELECT count(*) = 2 FROM pg_stat_activity WHERE datname = current_database() AND usename = 'routing' AND wait_event_type = 'Lock'"
)


async def until_a_bed_is_next(line: Line, case_id: str) -> OfferOpened:
    """Bring a case to where one more accept asks for a bed: the social worker's; the offer that is left to accept."""
    await line.post(case_id, referral())
    (police,) = await line.wait_for(case_id, OfferOpened, step="police")
    await line.post(case_id, answer(police, Word.ACCEPT))
    (advocate,) = await line.wait_for(case_id, OfferOpened, step="support")
    await line.post(case_id, answer(advocate, Word.ACCEPT))
    await line.wait_for(case_id, OfferAccepted, offer_id=advocate.offer_id)
    (last,) = await line.wait_for(case_id, OfferOpened, step="csw")
    assert isinstance(last, OfferOpened)
    return last


async def test_one_bed_is_never_promised_twice_by_two_instances(line: Line) -> None:
    """Linden has one place. Cases on partitions of both instances ask for it at the same moment."""
    await line.activate()
    await line.run(routing_service(CurrentPolicy(policy_feed.trusted(line.settings)), Breaker(), line.news), "r2")
    await until(lambda: line.scalar("SELECT count(DISTINCT owner) = 2 FROM routing.lease WHERE lease_until > clock_timestamp()"))
    owner = {n: await line.scalar("SELECT owner FROM routing.lease WHERE unit = :u", u=f"p{n}") for n in range(topics.PARTITIONS)}
    cases = [c for name in ("r1", "r2") for c in islice((c for c in iter(new_id, "") if owner[topics.partition(c)] == name), 2)]
    left = await asyncio.gather(*(until_a_bed_is_next(line, case_id) for case_id in cases))
    async with line.admin() as tx:  # both instances get to the rows before either may go on
        await tx.execute(text("SELECT FROM routing.place FOR UPDATE"))
        await asyncio.gather(*(line.post(c, answer(offer, Word.ACCEPT)) for c, offer in zip(cases, left, strict=True)))
        await until(lambda: line.scalar(WAITING))
    beds = [(await line.wait_for(case_id, OfferOpened, step="shelter"))[0] for case_id in cases]
    assert sorted(b.service for b in beds).count("shelter-linden.beds") == 1
    others = [b for b in beds if b.service != "shelter-linden.beds"]
    assert all("shelter-linden.beds" in {p.service for p in b.why.passed} for b in others)
    async with line.admin() as tx:
        rows = (await tx.execute(text("SELECT service_id, capacity, held FROM routing.place"))).all()
    assert all(row.held <= row.capacity for row in rows)
    assert {row.service_id: row.held for row in rows if row.held} == Counter(b.service for b in beds)


async def test_a_failure_of_the_rules_asks_that_cases_desk_and_the_others_go_on(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The rules are broken for one municipality: its cases go to a desk, a fourth failure turns readiness red, others are decided."""

    def broken(case: Case | None, cause: Input, facts: Facts, policy: Policy) -> Decision:
        if isinstance(cause.body, ReferralSubmitted) and cause.body.traits.found_in == "prishtine":
            raise ZeroDivisionError
        return decided(case, cause, facts, policy)

    monkeypatch.setattr("services.routing.batch_decision.decided", broken)
    line, breaker = Line(settings), Breaker()
    try:
        await line.start(breaker=breaker)
        line.publisher()
        await line.activate()
        good, bad = new_id(), [new_id() for _ in range(4)]
        for case_id in bad[:3]:
            await line.post(case_id, referral(found_in="prishtine"))
        await line.post(good, referral())
        for case_id in bad[:3]:
            (asked,) = await line.wait_for(case_id, NeedsPerson)
            assert (asked.about, asked.desk) == ("engine-failed", "desk-prishtine")
            assert await line.scalar("SELECT count(*) FROM routing.alarm WHERE case_id = :c", c=case_id) == 1
        await line.wait_for(good, OfferOpened, step="police")
        assert not line.loops["r1"][0].health.not_ready()
        await line.post(bad[3], referral(found_in="prishtine"))
        await line.wait_for(bad[3], NeedsPerson)
        await until(lambda: red(line))
    finally:
        await line.close()


async def red(line: Line) -> bool:
    return "engine" in line.loops["r1"][0].health.not_ready()


async def test_without_a_policy_inputs_wait_and_a_bundle_is_used_from_its_confirmation_on(settings: Settings) -> None:
    line = Line(settings)
    try:
        await line.start()
        waiting, later = new_id(), new_id()
        await line.post(waiting, referral())
        await until(lambda: line.scalar("SELECT every(sent) FROM intake.queue"))
        files = policy_digest.read(settings.policy)
        assert (await policy.activate(settings, files)).confirmed is False
        assert await line.said(waiting) == []
        line.publisher()
        (opened,) = await line.wait_for(waiting, CaseOpened)
        assert opened.head.facts.bundle == 1
        changed = {**files, "directory/isf.yaml": files["directory/isf.yaml"].replace(b"places: 2", b"places: 5")}
        assert await line.activate(changed) == 2
        assert (await policy.activate(settings, changed)).new is False
        await line.post(later, referral())
        (opened,) = await line.wait_for(later, CaseOpened)
        assert opened.head.facts.bundle == 2
        assert await line.scalar("SELECT capacity FROM routing.place WHERE service_id = 'isf.beds'") == 5
        numbers = [await line.scalar("SELECT count(*) FROM routing.policy WHERE confirmed IS NOT NULL")]
        assert numbers == [2] and (await scan.ends(settings, ["referral-policy"]))["referral-policy", 0] == 2
    finally:
        await line.close()


async def test_a_bad_policy_is_not_stored(settings: Settings) -> None:
    line = Line(settings)
    files = policy_digest.read(settings.policy)
    bad = {**files, "directory/isf.yaml": files["directory/isf.yaml"].replace(b"state-secure-facility", b"state-secure-facilty")}
    with pytest.raises(PolicyErrors) as error:
        await policy.activate(settings, bad)
    assert any(e.startswith("directory/isf.yaml:") and "state-secure-facilty" in e for e in error.value.errors)
    assert await line.scalar("SELECT count(*) FROM routing.policy") == 0


async def test_a_torn_byte_on_the_policy_s_topic_keeps_no_policy_from_coming_into_force(line: Line) -> None:
    """Neither the one in force nor the next one: routing looks where the topic ends before it publishes."""
    assert await line.activate() == 1
    async with clients.producer(line.settings) as producer:
        await producer.send_and_wait(line.settings.topic("referral-policy"), b"x", partition=0)
    files = policy_digest.read(line.settings.policy)
    assert await line.activate({**files, "codes.yaml": files["codes.yaml"] + b"\n# made up\n"}) == 2
    case_id = new_id()
    await line.post(case_id, referral())
    (opened,) = await line.wait_for(case_id, CaseOpened)
    assert opened.head.facts.bundle == 2


async def test_an_erased_case_is_forgotten_and_what_still_comes_changes_nothing(line: Line) -> None:
    await line.activate()
    case_id = new_id()
    last = await until_a_bed_is_next(line, case_id)
    await line.post(case_id, answer(last, Word.ACCEPT))
    await line.wait_for(case_id, OfferOpened, step="shelter")
    assert await line.scalar("SELECT sum(held) FROM routing.place") == 1
    await line.close_case(case_id)
    await line.erase(case_id)
    await until(lambda: line.scalar("SELECT count(*) = 0 FROM routing.case_state"))
    assert await line.scalar("SELECT sum(held) FROM routing.place") == 0
    assert await line.scalar("SELECT count(*) FROM routing.alarm") == 0
    assert not line.loops["r1"][0].health.not_ready()


def refused() -> float:
    """Erasures of open cases that routing has refused."""
    return REGISTRY.get_sample_value("referral_erasures_refused_total") or 0


async def test_an_open_case_is_kept_with_its_alarm_whoever_says_that_it_is_erased(line: Line) -> None:
    """The first by who has the master key and the broker; the second signed with intake's own key."""
    await line.activate()
    case_id, beside = new_id(), new_id()
    await line.post(case_id, referral())
    (police,) = await line.wait_for(case_id, OfferOpened, step="police")
    before = refused()
    await line.forge(case_id)
    await line.wait_for(case_id, NeedsPerson, about="record-lost")
    assert refused() == before
    await line.post(case_id, erased(case_id))

    async def said_aloud() -> bool:
        return refused() == before + 1

    await until(said_aloud)
    assert await line.scalar("SELECT count(*) FROM routing.case_state WHERE case_id = :c", c=case_id) == 1
    assert await line.scalar("SELECT count(*) FROM routing.alarm WHERE case_id = :c", c=case_id) == 1
    await line.post(case_id, answer(police, Word.ACCEPT))
    await line.wait_for(case_id, OfferAccepted)
    await line.post(beside, referral())
    await line.wait_for(beside, OfferOpened, step="police")


async def test_a_state_that_does_not_open_asks_the_desk_and_stops_nobody_else(line: Line) -> None:
    await line.activate()
    broken, good = new_id(), new_id()
    await line.post(broken, referral())
    (police,) = await line.wait_for(broken, OfferOpened, step="police")
    await line.sql("UPDATE routing.case_state SET state = '\\x00' || state WHERE case_id = :c", c=broken)
    await line.post(broken, answer(police, Word.ACCEPT))
    (asked,) = await line.wait_for(broken, NeedsPerson)
    assert asked.about == "engine-failed" and asked.head.topic == "referral-intake"
    await line.post(good, referral())
    await line.wait_for(good, OfferOpened, step="police")
