"""What a release is made of: nothing that came later, no later policy; and what came late is corrected or kept."""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from functools import reduce
from typing import Any

from aiokafka import ConsumerRecord
from msgspec.structs import replace

from referral.domain import events as e
from referral.runtime.loop.decode import Opened
from referral.runtime.loop.reader import Taken
from referral.runtime.loop.units import Unit
from referral.runtime.policy_feed import Bundle
from referral.wire import codec, seal
from services.oversight.calendar import after, closes, month
from services.oversight.counting.projection import TOPICS, Courses
from services.oversight.record_reader import RecordReader
from services.oversight.release import Release, key
from services.oversight.release_builder import ReleaseBuilder
from tests.harness.oversight_log import CALM, Record, told
from tests.stories.teller import START, files

KEY = bytes(32)
YEAR = 365 * 86400 * 10**6
MONTH = month(START)
FILES = files()
SHORT = {path: data for path, data in FILES.items() if path != "pathways/disability.yaml"}
MOVED = ("dragash", "malisheve", "rahovec", "suhareke")


def renamed(text: str) -> str:
    """With other names for all municipalities of a region but one."""
    return reduce(lambda text, town: text.replace(town, f"{town}-new"), MOVED, text)


RENAMED = {renamed(path): renamed(data.decode()).encode() for path, data in FILES.items()}
CALLED_UP = told(*CALM)


TOWNS = ["prizren"] * 9 + ["dragash"] * 8 + ["peje"] * 20 + ["istog"] * 15 + ["prishtine"] * 12
"""Of the first children; neither of the first two towns can be told, their region can."""


def child(number: int, later: int = 0, town: str = "prishtine") -> list[Record]:
    """The story of a case of that number. later: µs."""
    id = str(uuid.UUID(int=number))
    return [(topic, replace(meta, case_id=id, recorded_at=meta.recorded_at + later), _found(body, town)) for topic, meta, body in CALLED_UP]


def _found(body: Any, town: str) -> Any:
    return replace(body, traits=replace(body.traits, found_in=town)) if hasattr(body, "traits") else body


def children(first: int, last: int) -> list[Record]:
    return [record for number in range(first, last) for record in child(number)]


def on_disability(records: Sequence[Record]) -> list[Record]:
    """The same, on a procedure that SHORT does not have."""
    return [(t, m, replace(b, pathway="disability") if isinstance(b, e.TrackChanged) else b) for t, m, b in records]


class Office:
    """Oversight with these policies, which has read nothing yet."""

    def __init__(self, *policies: tuple[int, Mapping[str, bytes]]) -> None:
        self.courses, self.offset = Courses(), 0
        self.reading = RecordReader(self.courses, ())
        self.bundles = [Bundle(number, str(number), at, files) for number, (at, files) in enumerate(policies, 1)]
        self.making = ReleaseBuilder(self.reading, lambda: self.bundles)
        self.made: list[Release] = []

    def reads(self, records: Sequence[Record]) -> None:
        for topic, meta, body in records:
            meta = replace(meta, fingerprint=codec.fingerprint(meta.type))
            value = seal.seal(KEY, topic, meta, codec.encode(body), bytes(seal.NONCE))
            kafka = ConsumerRecord(topic, 0, self.offset, 0, 0, None, value, None, 0, len(value), [])
            self.offset += 1
            self.reading.take([Opened(Taken(Unit("all", 0, {}), (topic, 0), kafka), seal.open(value))], {meta.case_id: KEY})

    def makes(self, month: str) -> list[Release]:
        made = self.making.make(self.made, month)
        self.made += made
        self.reading.told(closes(month), {(topic, 0): self.offset for topic in TOPICS})
        return made


def said(release: Release) -> dict[str, int | None]:
    return {one.what: one.count for one in release.made.counted}


def test_that_a_first_child_is_erased_adds_no_word() -> None:
    for erased in (0, 1):
        office = Office((0, FILES))
        office.reads(children(1, 4))
        if erased:
            body = e.CaseErased(requested_at=1, approved_at=1, basis="x", records=1)
            topic, meta, _ = child(1)[0]
            office.courses.note(topic, replace(meta, type=body.TYPE, case_seq=99), body)
        assert said(office.makes(MONTH)[0]) == {"erased": None, "kept": None, "key-gone": None}


def test_what_comes_later_is_not_in_an_earlier_month() -> None:
    """Neither children, nor a policy with a procedure more, nor somebody on that procedure."""
    in_time, later = Office((0, SHORT)), Office((0, SHORT), (closes(MONTH), FILES))
    for office in (in_time, later):
        office.reads(children(1, 40))
    later.reads(on_disability(child(50, 45 * 86400 * 10**6)))
    assert in_time.makes(MONTH) == later.makes(MONTH)
    assert "disability" in {figure.pathway for figure in later.makes(after(MONTH))[0].figures}


def test_a_policy_that_renames_a_municipality_changes_no_block_before_it_and_is_named() -> None:
    as_ever, other = Office((0, FILES)), Office((0, FILES), (closes(after(MONTH)), RENAMED))
    for office in (as_ever, other):
        office.reads([record for number, town in enumerate(TOWNS, 1) for record in child(number, 0, town)])
        office.makes(MONTH)
        office.makes(after(MONTH))
    assert as_ever.made == other.made
    towns = {f.group: f.value for f in other.made[0].figures if f.measure == "municipality"}
    assert (towns["region:prizren"], towns["prizren"], towns["dragash"]) == (17, None, None)
    for office in (as_ever, other):
        office.reads(children(101, 112))
    ours, theirs = (office.makes(after(after(MONTH))) for office in (as_ever, other))
    assert [one.made.narrowest for one in ours] == [one.made.narrowest for one in theirs] != [None]
    assert [one.figures for one in ours] == [one.figures for one in theirs]
    assert said(theirs[0]) == {**said(ours[0]), "municipality-gone": len(MOVED)}


def test_eleven_that_came_late_are_a_correction_and_one_is_kept() -> None:
    office = Office((0, FILES))
    office.reads(children(1, 40))
    (first,) = office.makes(MONTH)
    office.reads(children(100, 101))
    office.makes(after(MONTH))
    office.reads(children(101, 111))
    third, correction = office.makes(after(after(MONTH)))
    assert (third.made.corrects, correction.made.corrects, correction.made.month) == (None, 1, MONTH)
    old, new = ({key(f).split("/", 1)[-1]: f.value for f in one.figures} for one in (first, correction))
    whole = next(f.value for f in first.figures if (f.measure, f.group, f.pathway) == ("children", "all", "trafficking-child"))
    now = next(f.value for f in correction.figures if (f.measure, f.group) == ("children", "all"))
    assert (whole, now) == (39, 50) and old != new
    (fourth,) = office.makes(after(after(after(MONTH))))
    assert "late" not in said(fourth)


def test_nothing_is_due_before_the_policies_are_read() -> None:
    office = Office((0, FILES))
    office.reads(children(1, 2))
    assert office.making.due([]) == MONTH
    office.bundles.clear()
    assert office.making.due([]) is None


def test_a_case_that_began_while_a_clock_stood_in_another_year_is_in_no_month_and_is_counted() -> None:
    first_policy = START - 40 * 86400 * 10**6
    as_ever, other, soon = (Office((first_policy, SHORT)) for _ in range(3))
    for office in (as_ever, other, soon):
        office.reads(children(1, 40))
    other.reads(on_disability([record for number in range(50, 62) for record in child(number, -24 * YEAR)]))
    soon.reads(child(50, first_policy - START - YEAR))
    assert as_ever.making.due([]) == other.making.due([]) == MONTH
    assert soon.making.due([]) == month(first_policy - YEAR), "a year before is not too early"
    ours, theirs = as_ever.makes(MONTH)[0], other.makes(MONTH)[0]
    assert ours.figures == theirs.figures
    assert said(theirs) == {**said(ours), "out-of-period": 11}


def test_records_that_a_clock_set_back_has_dated_are_counted_and_change_no_stage() -> None:
    as_ever, other = Office((0, FILES)), Office((0, FILES))
    records = children(1, 40)
    as_ever.reads(records)
    other.reads(
        [(t, replace(m, recorded_at=m.recorded_at - 7 * 60 * 10**6) if isinstance(b, e.OfferAccepted) else m, b) for t, m, b in records]
    )
    ours, theirs = as_ever.makes(MONTH)[0], other.makes(MONTH)[0]
    assert said(theirs) == {**said(ours), "clock-back": 39 * 3 // 11 * 11}
    stages = [[f for f in one.figures if f.measure == "stage"] for one in (ours, theirs)]
    assert stages[0] == stages[1] != []
    assert {f.value for f in ours.figures if (f.measure, f.group) == ("wait.accepted", "half")} == {15}
    assert not any(f.measure == "wait.accepted" and f.value for f in theirs.figures)
