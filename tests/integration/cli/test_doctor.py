"""`referral doctor` on a real line: all good when it is, and each planted fault found by its own check."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Iterable
from datetime import timedelta
from typing import Any

import pytest
from msgspec import structs
from sqlalchemy import text

from referral.cli import standing
from referral.cli.admin.doctor import facts as doctor_facts
from referral.cli.admin.doctor import installation, reading
from referral.cli.admin.doctor.checks import PROMISED_US, UNDECIDED_US, UNLOGGED_US, diagnose
from referral.cli.admin.doctor.command import exit_code
from referral.cli.admin.doctor.facts import Facts, gather
from referral.cli.admin.doctor.records import Lane
from referral.cli.admin.doctor.result import Check, Result
from referral.domain.durations import DAY_US
from referral.domain.events import CaseOpened, OfferAccepted, OfferOpened, PolicyActivated, Word
from referral.proof.act import Act, State
from referral.proof.entry import CASE_TOPICS, INTAKE, ROUTING
from referral.runtime.kafka import clients
from referral.runtime.postgres import database
from referral.runtime.settings import Settings
from referral.wire import seal, topics
from tests.harness.engines import connecting
from tests.harness.line.routing_stack import Line, answer, new_id, referral, running

pytestmark = pytest.mark.servers


@pytest.fixture
async def line(settings: Settings) -> AsyncIterator[Line]:
    """A line that has taken one case to its first accept."""
    async with running(settings) as made:
        await made.activate()
        case_id = new_id()
        await made.post(case_id, referral())
        (police,) = await made.wait_for(case_id, OfferOpened, step="police")
        await made.post(case_id, answer(police, Word.ACCEPT))
        await made.wait_for(case_id, OfferAccepted)
        await made.logged()
        yield made


async def look(line: Line, whole: bool = False) -> tuple[Facts, dict[str, Check]]:
    async with line.admin() as tx:
        facts = await gather(tx, line.settings, whole)
        beside = await installation.examine(tx, line.settings)
    facts.unlogged = []  # this line's audit has no task that logs the act of `policy activate`, which a busy machine makes late
    return facts, checks(facts, beside)


def checks(facts: Facts, beside: Iterable[Check] = ()) -> dict[str, Check]:
    return {check.name: check for check in (*diagnose(facts), *beside)}


async def test_a_healthy_line_is_good_but_for_the_service_that_does_not_run(line: Line) -> None:
    _, found = await look(line)
    bad = {name: check.said for name, check in found.items() if check.result is Result.BAD}
    assert bad == {"leases": "no instance of notifier runs"}
    warned = {name: check.said for name, check in found.items() if check.result is Result.WARN}
    missing = "trust.toml puts off writers: a record needs no signature of its service (A3); "
    missing += "trust.toml puts off approvers: intake alone erases (A1); "
    assert warned == {"walls": f"{missing}trust.toml puts off operators: one alone opens doors (0049)"}, "this line is a drill"
    assert found["copies"].said == "one broker, for exercises"
    assert exit_code([check for check in found.values() if check.result is not Result.BAD]) == 0
    assert exit_code(list(found.values())) == 1
    assert "2 submissions and responses of the last week" in found["conservation"].said
    facts, found = await look(line, whole=True)
    assert "2 submissions and responses, each" in found["conservation"].said
    assert facts.judged.fetched == sum(end for (topic, _), end in facts.ends.items() if topic in CASE_TOPICS)


class SinceNow:
    """The time since it was made, however long a busy machine takes."""

    def __init__(self) -> None:
        self.made = time.time()

    def __floordiv__(self, unit: timedelta) -> int:
        return timedelta(seconds=time.time() - self.made) // unit


async def test_what_was_judged_last_week_is_not_read_again(line: Line, monkeypatch: pytest.MonkeyPatch) -> None:
    """The week ends between two cases: of the first nothing is fetched but one record a partition, for its mark."""
    monkeypatch.setattr(reading, "MARGIN", timedelta())
    before, _ = await look(line)
    first = await line.scalar("SELECT case_id FROM routing.case_state")
    case_id = next(one for one in iter(new_id, "") if topics.partition(one) != topics.partition(first))
    ends = before.ends
    monkeypatch.setattr(doctor_facts, "DEALT", SinceNow())
    await line.post(case_id, referral())
    await line.wait_for(case_id, OfferOpened, step="police")
    facts, found = await look(line)
    new = sum(end - ends[place] for place, end in facts.ends.items() if place[0] in CASE_TOPICS)
    assert 0 < new <= facts.judged.fetched <= new + sum(end > 0 for end in ends.values()) < sum(facts.ends.values())
    assert "1 submissions and responses of the last week" in found["conservation"].said
    assert found["sequences"].result is Result.GOOD


async def test_a_topic_that_lost_its_outcomes_is_found(line: Line, monkeypatch: pytest.MonkeyPatch) -> None:
    """The outcome of the case's referral is taken out of what doctor reads from Kafka; then an input is decided twice."""
    take = Lane.take

    def without(self: Lane, place: Any, record: Any) -> None:
        if place[0] != ROUTING or seal.open(record.value).meta.type != CaseOpened.TYPE:
            take(self, place, record)

    monkeypatch.setattr(Lane, "take", without)
    _, found = await look(line, whole=True)
    assert "its events are not those of one decision" in found["conservation"].said
    assert "is missing before" in found["sequences"].said


async def test_a_record_that_its_owner_did_not_write_is_named_for_a_week(line: Line, monkeypatch: pytest.MonkeyPatch) -> None:
    """Sealed under the case's key, so that every reader believes it; only the owner's mark is missing."""
    case_id = await line.scalar("SELECT case_id FROM routing.case_state")
    key, last = (await line.keys([case_id]))[case_id], (await line.reads(case_id, INTAKE))[-1]
    meta = structs.replace(last.meta, case_seq=last.meta.case_seq + 1, event_id=new_id())
    value = seal.seal(key, INTAKE, meta, last.body_bytes, bytes(12))
    async with clients.producer(line.settings) as producer:
        place = topics.partition(case_id)
        done = await producer.send_and_wait(line.settings.topic(INTAKE), value, key=case_id.encode(), partition=place)
    _, found = await look(line)
    assert f"{INTAKE}[{place}]@{done.offset}: intake did not write it" in found["sequences"].said
    assert "no `recover`" in found["sequences"].do
    async with clients.producer(line.settings) as producer:
        await producer.send_and_wait(line.settings.topic(PolicyActivated.TOPIC), b"none of ours", key=b"2", partition=0)
    _, found = await look(line)
    assert found["policy"].result is Result.BAD and "no bundle that two signers signed" in found["policy"].said
    monkeypatch.setattr(doctor_facts, "DEALT", timedelta(seconds=-60))
    _, found = await look(line)
    bad = {name for name, check in found.items() if check.result is Result.BAD}
    assert bad == {"leases"}, "what somebody has seen for a week is not red for ever"
    assert found["older"].result is Result.WARN and "1 records that their topic's owner did not write" in found["older"].said
    assert "1 forged policy bundles" in found["older"].said and "audit verify" in found["older"].do


ACT = Act(id="a" * 32, command="prepare", state=State.DONE, by="operator/keeper", at=1, arguments="b" * 64)
SQL = {
    "alarms": ("DELETE FROM routing.alarm", "has no alarm"),
    "keys": ("DELETE FROM keys.case_key", "no erasure says why"),
    "places": ("UPDATE routing.place SET held = 1 WHERE service_id = 'isf.beds'", "isf.beds: 1 held by the row, 0 by the cases"),
    "policy": ("UPDATE routing.policy SET confirmed = NULL, number = 2", "no policy is in force"),
    "clock": (
        "UPDATE runtime.settings SET value = '0' WHERE name = 'drill'; UPDATE runtime.clock SET offset_us = 7200000000",
        "somebody moved it by +7200 s",
    ),
    "outbox": (
        "INSERT INTO routing.queue (id, partition, case_id, type, fingerprint, body, at) VALUES ('x', 99, 'c', 't', 0, '', 1);"
        "INSERT INTO audit.act (value) VALUES ('no command has written this')",
        "1 acts of operators are not in the log",
    ),
    "commands": (
        "INSERT INTO audit.act (value) VALUES ('FIRST'); INSERT INTO intake.agency_token VALUES ('abcdefgh', 'school', 'x', 2, NULL)",
        "the token 6162636465666768 of school was made by hand",
    ),
    "sequences": ("UPDATE routing.seen SET seq = seq + 1 WHERE topic = 'referral-routing'", "routing wrote up to"),
    "positions": (
        """UPDATE audit.lease SET positions = positions || '{"referral-routing/0": [900, ""]}'""",
        "audit all stands at 900 of referral-routing[0]",
    ),
}


async def test_a_fault_planted_in_the_database_is_found_by_its_check(line: Line) -> None:
    """One fault after another on the same line, each in a transaction that is taken back, and none is left behind."""
    for instance in list(line.loops):
        await line.stop(instance)
    for task in line.work:
        task.cancel()
    _, before = await look(line)
    async with line.admin() as tx:
        first = structs.replace(ACT, about=(await standing.read(tx)).subjects()).encode().decode()
        known = (await gather(tx, line.settings)).unlogged  # see `look`
    for name, (statement, said) in SQL.items():
        async with connecting(database.admin(line.settings)) as tx:
            await tx.execute(text("SELECT 1"))  # begins the transaction that the driver's own call then stands in
            await (await tx.get_raw_connection()).driver_connection.execute(statement.replace("FIRST", first))  # type: ignore[union-attr]
            facts, beside = await gather(tx, line.settings), await installation.examine(tx, line.settings)
            await tx.rollback()
        facts.unlogged = [at for at in facts.unlogged if at not in known]
        found = checks(facts, beside)
        assert found[name].result is Result.BAD and said in found[name].said, found[name]
        assert found[name].do
        assert before[name].said != found[name].said, f"{name} was bad before its fault"


async def test_a_receipt_that_nobody_made_true_is_found_once_its_time_is_over(line: Line) -> None:
    """The swallowed referral: a trigger on intake's queue, say. The topic knows nothing of it; intake's own receipts do."""
    owed = {"case": new_id(), "event": new_id()}
    await line.sql(
        "INSERT INTO intake.submission VALUES ('school', '\\x01', '\\x02', 'referral', 'r', :case, :event, runtime.clock())", **owed
    )
    facts, found = await look(line)
    assert found["conservation"].result is Result.GOOD and "1 receipts" in found["conservation"].said, "it has ten minutes"
    facts.now += PROMISED_US
    swallowed = checks(facts)["conservation"]
    assert swallowed.result is Result.BAD and f"event {owed['event']} of case {owed['case']}" in swallowed.said
    assert "never published it" in swallowed.said and "telephone the desk of each case" in swallowed.do
    facts.judged.erased.add(owed["case"])
    assert checks(facts)["conservation"].result is Result.GOOD

    there = (await line.reads(await line.scalar("SELECT case_id FROM routing.case_state"), INTAKE))[0].meta
    await line.sql("UPDATE intake.submission SET case_id = :case, event_id = :event", case=there.case_id, event=there.event_id)
    facts, found = await look(line)
    assert facts.owed == [] and found["conservation"].result is Result.GOOD, "the log has it"
    facts.owed, facts.judged.published = [(there.event_id, there.case_id, 1)], {there.event_id}
    assert f"event {there.event_id} of case {there.case_id} has a receipt, and is not in the log" in checks(facts)["conservation"].said


async def test_a_foreign_record_on_a_case_topic_is_found(line: Line) -> None:
    writer = clients.producer(line.settings)
    await writer.start()
    try:
        await writer.send_and_wait(line.settings.topic(ROUTING), b"none of ours", key=b"x", partition=0)
    finally:
        await writer.stop()
    _, found = await look(line)
    assert "referral-routing[0]@" in found["sequences"].said and found["sequences"].result is Result.BAD


async def test_the_key_of_an_erased_case_beside_the_database_is_found(line: Line) -> None:
    case_id = await line.scalar("SELECT case_id FROM routing.case_state")
    await line.close_case(case_id)
    await line.erase(case_id, records=2)
    facts, _ = await look(line)
    assert facts.judged.erased == {case_id}
    facts.kept = {case_id}
    assert f"the key of case {case_id} is still on referral-keys" in checks(facts)["keys"].said
    facts.erasures = [(case_id, 1, 2, None)]
    assert "the key of case" not in checks(facts)["keys"].said  # it waits for the log


async def test_an_erasure_that_hangs_one_that_was_undone_and_one_that_intake_did_not_say_are_found(line: Line) -> None:
    facts, found = await look(line)
    case_id = await line.scalar("SELECT case_id FROM routing.case_state")
    assert found["erasures"].said == "0 cases erased, 0 under way"
    now = facts.now
    for asked, approved, said in (
        (now - UNDECIDED_US, None, ""),
        (now - UNDECIDED_US - 1, None, f"case {case_id}: erasure asked for 7 days ago, and nobody has approved or refused it"),
        (1, now - UNLOGGED_US, ""),
        (1, now - UNLOGGED_US - 1, f"case {case_id}: erasure approved 600 s ago, and its keys are still in use"),
    ):
        facts.erasures = [(case_id, asked, approved, None)]
        assert checks(facts)["erasures"].said == (said or "0 cases erased, 1 under way")
    facts.retired = {case_id: (now - DAY_US - UNLOGGED_US - 1, False)}
    assert f"case {case_id}: its keys are out of use for 87000 s, and not destroyed" in checks(facts)["erasures"].said
    facts.erasures, facts.states.sealed = [], {case_id}
    for at, erased, said in ((now - 1, False, "in 1439 min they can be destroyed"), (now - DAY_US, True, "only a backup has them")):
        facts.retired = {case_id: (at, erased)}
        found = checks(facts)
        assert found["keys"].result is Result.BAD and f"keys of case {case_id}" in found["keys"].said and said in found["keys"].said
        assert "stop the eraser" in found["keys"].do and "referral recover" in found["keys"].do
        assert found["alarms"].result is Result.BAD and f"case {case_id} does not open" in found["alarms"].said
    facts.erasures, facts.retired, facts.states.sealed = [(case_id, 1, 2, 3)], {}, set()
    async with line.admin() as tx:
        facts.back = await reading.back(tx, facts.destroyed)
    assert {what for what, _ in facts.back} == {"key", "state"}
    facts.ended = await reading.ended(line.settings, {case_id})
    running = checks(facts)["erasures"]
    assert running.result is Result.BAD and f"case {case_id} is open, and an erasure of it is signed" in running.said
    assert "there again" not in running.said and "do not recover" in running.said, "recover would destroy the evidence, and the case"
    await line.close_case(case_id)
    there = facts.back
    facts, _ = await look(line)
    facts.erasures, facts.back = [(case_id, 1, 2, 3)], there
    facts.ended = await reading.ended(line.settings, {case_id})
    back = checks(facts)["erasures"]
    assert back.result is Result.BAD and f"case {case_id} is erased, and its key is there again" in back.said
    await line.forge(case_id)
    facts, found = await look(line)
    assert not facts.judged.erased and f"somebody who is not intake has said that case {case_id} is erased" in found["erasures"].said


async def test_a_topic_that_differs_from_its_card_and_quarantine_are_told(line: Line) -> None:
    facts, _ = await look(line)
    facts.topics = ["referral-routing retention.ms: is 1, must be -1"]
    facts.quarantined, facts.kinds = 2, {"FORK": 1}
    found = checks(facts)
    assert "retention.ms" in found["topics"].said
    assert found["quarantine"].said == "2 records in quarantine; audit logged 1 of kind FORK"
