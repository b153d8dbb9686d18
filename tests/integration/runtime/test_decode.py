"""Records as they are decoded: repeats, gaps and forks, what is forged or foreign, erased cases, and what goes to the quarantine."""

from __future__ import annotations

import pytest

from referral.domain.events import CaseErased, ReferralWithdrawn
from referral.domain.inputs import Erased, RecordLost
from referral.runtime import observe
from referral.runtime.kafka import clients
from referral.runtime.loop import quarantine
from referral.runtime.loop.quarantine import MANY
from referral.wire import topics
from tests.harness import destroyed
from tests.harness.erased import PLAIN, erased
from tests.harness.line.runtime_stack import IN, OUT, QUARANTINE, Stack, said
from tests.harness.waiting import until

pytestmark = pytest.mark.servers


def metric(family, *labels: str) -> float:
    return family.labels(*labels)._value.get()


async def test_a_repeat_is_dropped_and_a_gap_is_told_to_its_case(line: Stack) -> None:
    case = await line.case()
    first, second, fourth = [await line.value(case, n) for n in (1, 2, 4)]
    await line.write(case, first, second, first, second, fourth)
    counter = line.counter()
    counter.start()
    await until(lambda: len(counter.inputs) == 4)
    kinds = [(type(i.body).__name__, i.seq) for i in counter.inputs]
    assert kinds == [("ReferralWithdrawn", 1), ("ReferralWithdrawn", 2), ("RecordLost", 3), ("ReferralWithdrawn", 4)]
    lost = counter.inputs[2].body
    assert isinstance(lost, RecordLost) and (lost.topic, lost.seq, lost.reason) == (IN, 3, "gap")


async def test_the_same_sequence_with_other_bytes_is_a_fork_not_applied_and_its_desk_is_asked(line: Stack) -> None:
    before = metric(observe.FORKS, "routing", IN)
    case = await line.case()
    await line.write(case, await line.value(case, 1), await line.value(case, 1), await line.value(case, 2))
    counter = line.counter()
    counter.start()
    await until(lambda: len(counter.inputs) == 3)
    assert [(type(i.body).__name__, i.seq) for i in counter.inputs] == [
        ("ReferralWithdrawn", 1),
        ("RecordLost", 1),
        ("ReferralWithdrawn", 2),
    ]
    assert counter.inputs[1].body.reason == "fork"  # type: ignore[attr-defined]
    assert metric(observe.FORKS, "routing", IN) == before + 1


async def test_what_cannot_be_understood_is_quarantined_sealed_and_the_partition_goes_on(line: Stack) -> None:
    case = await line.case(3)
    good, third = await line.value(case, 1), await line.value(case, 3)
    broken = bytearray(await line.value(case, 2))
    broken[-1] ^= 1
    await line.write(case, b"garbage", good, bytes(broken), third, good + b"x")
    counter = line.counter()
    counter.start()
    await until(lambda: len(counter.inputs) == 4)
    assert [(type(i.body).__name__, i.seq, getattr(i.body, "reason", "")) for i in counter.inputs] == [
        ("ReferralWithdrawn", 1, "test"),
        ("RecordLost", 2, "seal"),
        ("RecordLost", 2, "gap"),
        ("ReferralWithdrawn", 3, "test"),
    ]
    await until(lambda: line.has(3, QUARANTINE))
    kept = await line.distinct(QUARANTINE)
    assert [r.key.rpartition(b"/")[2] for r in kept] == [b"0", b"2", b"4"]
    assert not any(b"garbage" in r.value for r in kept)


async def test_a_forged_sequence_cannot_make_true_records_look_like_repeats(line: Stack) -> None:
    case = await line.case()
    forged = bytearray(await line.value(case, 50))
    forged[-1] ^= 1
    await line.write(case, bytes(forged), await line.value(case, 1))
    counter = line.counter()
    counter.start()
    await until(lambda: counter.inputs)
    assert [(type(i.body).__name__, i.seq) for i in counter.inputs] == [("ReferralWithdrawn", 1)]


async def test_a_forged_record_at_the_next_sequence_does_not_keep_the_true_one_out(line: Stack) -> None:
    case = await line.case()
    forged = bytearray(await line.value(case, 1))
    forged[-1] ^= 1
    await line.write(case, bytes(forged), await line.value(case, 1), await line.value(case, 2))
    counter = line.counter()
    counter.start()
    await until(lambda: len(counter.inputs) == 3)
    assert [(type(i.body).__name__, i.seq) for i in counter.inputs] == [
        ("RecordLost", 1),
        ("ReferralWithdrawn", 1),
        ("ReferralWithdrawn", 2),
    ]


async def test_a_record_of_another_partition_or_topic_is_foreign(line: Stack) -> None:
    case, other = await line.case(1), await line.case(2)
    wrong = await line.value(other, 1)
    await line.producer.send_and_wait(line.settings.topic(IN), wrong, key=other.encode(), partition=1)
    await line.write(case, await line.value(case, 1, said()), await line.value(case, 1))
    counter = line.counter()
    counter.start()
    await until(lambda: counter.inputs)
    assert [i.case_id for i in counter.inputs] == [case]
    await until(lambda: line.has(2, QUARANTINE))


async def test_an_erasure_that_intake_did_not_say_erases_nothing_and_takes_no_sequence(line: Stack) -> None:
    case = await line.case()
    forged = await line.value(case, 2, PLAIN)
    await line.write(case, await line.value(case, 1), forged, await line.value(case, 2))
    counter = line.counter()
    counter.start()
    await until(lambda: len(counter.inputs) == 3)
    assert [type(i.body) for i in counter.inputs] == [ReferralWithdrawn, RecordLost, ReferralWithdrawn]
    await until(lambda: line.has(1, QUARANTINE))


async def test_a_record_of_an_erased_case_is_neither_read_nor_quarantined(line: Stack) -> None:
    case = await line.case()
    await line.write(case, await line.value(case, 1), await line.value(case, 2, erased(case)))
    async with line.admin.begin() as tx:
        await tx.execute(destroyed.KEYS, {"ids": [case]})
    counter = line.counter()
    counter.start()
    await until(lambda: len(counter.inputs) == 2)
    assert [type(i.body) for i in counter.inputs] == [Erased, CaseErased]
    await counter.end()
    assert await line.records(QUARANTINE) == []
    assert await line.records(OUT) == []


async def test_a_newer_version_stops_the_service_and_passes_nothing(line: Stack) -> None:
    case = await line.case()
    await line.write(case, await line.value(case, 1, type="referral-withdrawn.v99"))
    counter = line.counter()
    counter.start()
    await until(lambda: counter.task and counter.task.done())
    assert type(counter.task.exception()).__name__ == "NewerVersion"
    assert counter.inputs == []
    assert (await line.sql("SELECT DISTINCT positions::text FROM routing.lease WHERE unit = :u", u=f"p{topics.partition(case)}"))[0][
        0
    ] == "{}"


async def test_while_the_quarantine_cannot_be_written_nothing_is_passed_and_no_service_ends(
    line: Stack, monkeypatch: pytest.MonkeyPatch
) -> None:
    there = quarantine.TOPIC
    monkeypatch.setattr(quarantine, "TOPIC", "no-such-topic")
    monkeypatch.setitem(clients.PRODUCER, "request_timeout_ms", 1000)  # type: ignore[index]
    case = await line.case()
    await line.write(case, b"garbage")
    counter = line.counter()
    counter.start()
    await until(lambda: "QuarantineAway" in counter.not_ready.get("loop", ""))
    positions = await line.sql("SELECT positions::text FROM routing.lease WHERE unit = :u", u=f"p{topics.partition(case)}")
    assert positions[0][0] == "{}"
    monkeypatch.setattr(quarantine, "TOPIC", there)
    await until(lambda: line.has(1, QUARANTINE))
    await until(lambda: not counter.not_ready)


async def test_too_many_that_cannot_be_understood_turn_readiness_red_for_a_while_and_stop_nothing(
    line: Stack, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Records whose seal opens: a program of ours wrote them. Garbage, which anybody can write, says nothing against this deploy."""
    case = await line.case()
    strange = [await line.value(case, n, fingerprint=1) for n in range(1, MANY + 1)]
    await line.write(case, *[b"garbage"] * MANY, *strange[:-1])
    counter = line.counter()
    counter.start()
    await until(lambda: line.has(2 * MANY - 1, QUARANTINE))
    await line.write(case, await line.value(case, MANY))
    await until(lambda: any(i.seq == MANY for i in counter.inputs))
    assert not counter.not_ready
    strange = [await line.value(case, MANY + 1, fingerprint=1), await line.value(case, MANY + 2)]
    await line.write(case, *strange)
    await until(lambda: "quarantine" in counter.not_ready and any(i.seq == MANY + 2 for i in counter.inputs))
    monkeypatch.setattr("referral.runtime.loop.quarantine.WINDOW", 0.0)
    await until(lambda: not counter.not_ready)
