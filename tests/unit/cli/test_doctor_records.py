"""What `referral doctor` finds on the case topics, one record after another: each fault by its words, and nothing on a good topic."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterable

import pytest
from aiokafka import ConsumerRecord
from msgspec.structs import replace

from referral.cli.admin.doctor.checks import PROMISED_US, conservation
from referral.cli.admin.doctor.facts import Facts
from referral.cli.admin.doctor.records import ASKS, OUTCOMES, Judged, Lane, Line
from referral.domain.events import Meta, OfferOpened
from referral.domain.inputs import derived
from referral.proof.entry import CASE_TOPICS, INTAKE, ROUTING
from referral.runtime.loop import writer_mark
from referral.runtime.loop.sequence import fingerprint
from referral.wire import headers, seal, topics
from tests.harness.erased import INTAKE as ERASERS
from tests.stories.teller import CASE

SECRETS = {topic: bytes([number]) * 32 for number, topic in enumerate(CASE_TOPICS)}
P = topics.partition(CASE)
AT = 1_000_000
"""Time of the broker at which a record was taken, ms."""
KEY = os.urandom(32)
LINE = Line(
    erasers=ERASERS,
    secrets=SECRETS,
    since=AT * 1000,
    began=dict.fromkeys(CASE_TOPICS, 0),
    decided={(INTAKE, P): 100},
    known={(topic, P): 100 for topic in CASE_TOPICS},
)
Said = tuple[str, Meta]
NOTHING = derived(CASE, "nothing that was asked")


def meta(seq: int, type_: str, cause: str = NOTHING, event: str = "") -> Meta:
    event = event or derived(CASE, f"{type_}{seq}")
    return Meta(
        event_id=event, case_id=CASE, case_seq=seq, type=type_, fingerprint=0, cause_id=cause, recorded_at=1, source="made", drill=False
    )


ASKED = meta(1, ASKS[0])
OPENED = meta(1, OUTCOMES[0], ASKED.event_id, derived(ASKED.event_id, 0))
OFFERED = meta(2, OfferOpened.TYPE, ASKED.event_id, derived(ASKED.event_id, 1))


def record(topic: str, one: Meta, offset: int, at: int = AT, marked: bool = True) -> ConsumerRecord:
    value = seal.seal(KEY, topic, one, b"body", offset.to_bytes(12))
    found = [*headers.of(one), *([writer_mark.of(SECRETS[topic], fingerprint(value))] if marked else [])]
    return ConsumerRecord(topic, P, offset, at, 1, CASE.encode(), value, None, 0, 0, tuple(found))


def judged(said: Iterable[Said | tuple[str, ConsumerRecord]], line: Line = LINE, written: int = 0, keys: bool = True) -> Judged:
    done, ends = Judged(), Counter[str]()
    lane = Lane(line, done)
    for topic, one in said:
        found = record(topic, one, ends[topic]) if isinstance(one, Meta) else one
        ends[topic] += 1
        lane.take((topic, P), found)
    lane.end(P, {CASE} if keys else set(), [("routing", ROUTING, CASE, written)])
    return done


GOOD: list[Said] = [(INTAKE, ASKED), (ROUTING, OPENED), (ROUTING, OFFERED)]


def faults(found: Judged) -> list[str]:
    return [*found.outcomes, *found.torn, *(str(one) for one in (*found.unread, *found.foreign)), *found.unkeyed, *found.forged]


def test_a_good_topic_is_good_also_when_its_records_come_twice() -> None:
    found = judged([*GOOD, *GOOD[1:]])
    again = [(topic, record(topic, one, 0)) for topic, one in GOOD]  # the same bytes, as a republication has them
    assert not faults(judged([*again, *again])), faults(judged([*again, *again]))
    assert found.count == 1 and found.sequences == 2 and found.fetched == 5
    assert any("exists twice with other bytes" in one for one in found.torn), "sealed anew it is a fork"


@pytest.mark.parametrize(
    ("said", "words"),
    [
        (lambda: GOOD[:1], "no outcome"),
        (lambda: [GOOD[0], GOOD[2]], "its events are not those of one decision"),
        (lambda: [*GOOD, (ROUTING, meta(3, OUTCOMES[0], ASKED.event_id))], "its events are not those of one decision"),
        (lambda: [GOOD[0], GOOD[1], (ROUTING, replace(OFFERED, case_seq=1))], "sequence 1 exists twice with other bytes (fork)"),
        (lambda: [GOOD[0], (ROUTING, replace(OPENED, type=OFFERED.type)), GOOD[2]], "0 outcomes"),
        (lambda: [*GOOD, (ROUTING, meta(4, OFFERED.type))], f"{ROUTING} case {CASE}: 3 is missing before 4"),
        (lambda: [*GOOD, (ROUTING, meta(4000, OFFERED.type))], "3 is missing before 4000"),
        (lambda: [GOOD[0], (ROUTING, replace(OFFERED, case_seq=1, cause_id=NOTHING))], "no outcome"),
    ],
)
def test_a_fault_is_named(said: object, words: str) -> None:
    found = faults(judged(said()))  # type: ignore[operator]
    assert any(words in one for one in found), found


def test_what_is_not_decided_yet_not_published_yet_or_erased_is_owed_nothing() -> None:
    assert not faults(judged(GOOD[:1], replace(LINE, decided={})))
    assert not faults(judged(GOOD[:1], replace(LINE, waiting=frozenset({P}))))
    assert judged(GOOD, keys=False).unkeyed == {CASE}
    assert not judged(GOOD, replace(LINE, known={}), keys=False).unkeyed, "it is newer than the look into the database"
    assert "routing wrote up to 3, the topic ends at 2" in faults(judged(GOOD, written=3))[0]
    assert judged(GOOD, replace(LINE, owed=frozenset({ASKED.event_id, "other"}))).published == {ASKED.event_id}


def test_what_its_owner_did_not_write_is_named_for_a_week_and_counted_after() -> None:
    foreign = (INTAKE, record(INTAKE, replace(ASKED, case_seq=2), 1, marked=False))
    assert judged([*GOOD, foreign]).foreign == [((INTAKE, P), 1)]
    before = replace(LINE, began={INTAKE: AT + 1})
    assert not judged([*GOOD, foreign], before).foreign, "there were no marks yet"
    old = (INTAKE, record(INTAKE, replace(ASKED, case_seq=5), 1, at=AT - 1, marked=False))
    found = judged([*GOOD, old])
    assert (found.older, found.foreign, faults(found)) == (1, [], [])
    nonsense = ConsumerRecord(INTAKE, P, 7, AT, 1, b"x", b"none of ours", None, 0, 0, ())
    found = judged([*GOOD, (INTAKE, nonsense)])
    assert found.unread == [((INTAKE, P), 7)] == found.foreign


def test_of_a_part_of_a_topic_only_that_part_is_judged() -> None:
    part = replace(LINE, whole=False, start={(INTAKE, P): 1, (ROUTING, P): 1})
    found = judged([*GOOD, (ROUTING, meta(3, OFFERED.type))], part)
    assert (found.fetched, found.count, found.sequences, faults(found)) == (4, 0, 1, [])
    assert "4 is missing before 5" in faults(judged([*GOOD, (ROUTING, meta(3, OFFERED.type)), (ROUTING, meta(5, OFFERED.type))], part))[0]
    assert "1 is missing before 2" in faults(judged(GOOD[2:]))[0], "of a whole topic each sequence begins at one"


def test_what_somebody_else_wrote_is_no_submission_and_keeps_no_receipt() -> None:
    forged = record(INTAKE, meta(2, ASKS[1], event=derived(CASE, "forged")), 1, marked=False)
    found = judged([*GOOD, (INTAKE, forged)], replace(LINE, owed=frozenset({derived(CASE, "forged")})))
    assert (found.outcomes, found.count, found.foreign, found.published) == ([], 1, [((INTAKE, P), 1)], set())


def test_receipts_come_first_and_the_remedy_is_true() -> None:
    """Three forged records stood before two losses, which became `… and 2 more`; the remedy named two commands that do nothing here."""
    outcomes = [f"passed over {number}" for number in range(5)]
    seen = Facts(now=PROMISED_US + 1, owed=[("swallowed", CASE, 0)], judged=Judged(outcomes=outcomes))
    found = conservation(seen)
    assert found.said.startswith("intake gave a receipt for event swallowed") and found.said.endswith("… and 3 more")
    assert "telephone the desk of each case now" in found.do and "must be sent again" in found.do
