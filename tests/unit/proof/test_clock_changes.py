"""Over both changes of the clock `audit verify` accuses nobody, and finds who goes by the wrong hour.

A weekend of the line: referred from the evening before the change on; the labour inspector opens on the Monday after it, at 08:00 of the
wall clock, which is another hour of the log than on the Friday.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime

import pytest
from msgspec.structs import replace

from referral.domain.case import next_due
from referral.domain.durations import HOUR_US
from referral.domain.events import OfferOpened
from referral.domain.inputs import Due, Input, due_input
from referral.domain.local_time import local
from referral.proof.entry import Kind
from referral.proof.history.case import unseal
from referral.proof.verify.log import verify
from tests.attacks.omissions import Forgotten
from tests.harness.made_child import CHILD
from tests.harness.outages import SERVICES, LivedLine, cuts

CHANGES = (datetime(2026, 3, 29, 1, tzinfo=UTC), datetime(2026, 10, 25, 1, tzinfo=UTC))
"""When the clock of Kosovo goes forward and back in 2026 (tz database, Europe/Belgrade)."""
AT_WORK = replace(CHILD, concern="child-labour", flags=("danger",))
BEFORE, HOURS = 6, 38
"""Hours from the first referral to the change, and to the end: Saturday evening to Monday morning."""


def weekend(kind: type[LivedLine], change: datetime, away: str = "") -> LivedLine:
    """Return a line that lived over a change. away: a server that is away for the hour that is missing, or comes twice."""
    absent = {away: (BEFORE * HOUR_US, (BEFORE + 1) * HOUR_US)} if away else {}
    start = int(change.timestamp()) * 1_000_000 - BEFORE * HOUR_US
    return kind(now=start, hours=HOURS, seed=3, child=AT_WORK, away=absent).live()


@pytest.mark.parametrize("change", CHANGES, ids=["spring", "autumn"])
def test_over_a_change_of_the_clock_nobody_is_accused(change: datetime) -> None:
    line = weekend(LivedLine, change)
    said = [(entry, unseal(entry, line.keys[entry.case_id]).body) for entry in line.entries if entry.kind is Kind.DECISION]
    asked = [local(entry.kafka_time * 1_000) for entry, body in said if isinstance(body, OfferOpened) and body.step == "inspection-now"]
    assert asked and {f"{when:%A %H:%M}" for when in asked} == {"Monday 08:00"}, "the inspector's office opens by the wall clock"
    for size in cuts(line, 301):
        assert not verify(line.entries[:size], line.keys).findings


@pytest.mark.parametrize("change", CHANGES, ids=["spring", "autumn"])
@pytest.mark.parametrize("server", SERVICES)
def test_an_outage_in_the_hour_of_the_change_is_an_outage(server: str, change: datetime) -> None:
    line = weekend(LivedLine, change, server)
    for size in cuts(line, 301):
        assert verify(line.entries[:size], line.keys).exit_code() in (0, 3)
    assert not [found for found in verify(line.entries, line.keys).findings if found.weight], (
        "what was left undone meanwhile is done afterwards"
    )


@pytest.mark.parametrize("change", CHANGES, ids=["spring", "autumn"])
def test_limits_forgotten_over_a_change_are_found(change: datetime) -> None:
    line = weekend(Forgotten, change).caught_up()
    found = [one for one in verify(line.entries, line.keys).findings if one.weight]
    assert {one.code for one in found} == {"OVERDUE"} and all("answerable: routing" in one.what for one in found)


class HourLate(LivedLine):
    """Routing goes by a clock that was put back: it acts on each limit an hour too late."""

    def decide(self, cause: Input) -> None:
        if not isinstance(cause.body, Due) or self.now >= cause.body.at + HOUR_US:
            super().decide(cause)


@dataclass
class HourEarly(LivedLine):
    """Routing goes by a clock that was put forward: it acts on the first limit of each case an hour too early."""

    acted: set[str] = field(default_factory=set)

    def routing(self) -> None:
        super().routing()
        for case_id, case in sorted(self.cases.items()):
            if (due := next_due(case)) is not None and self.now < due <= self.now + HOUR_US and case_id not in self.acted:
                self.acted.add(case_id)
                self.decide(due_input(case_id, due, case.seq))


@pytest.mark.parametrize("change", CHANGES, ids=["spring", "autumn"])
@pytest.mark.parametrize(("kind", "code"), [(HourLate, "OVERDUE"), (HourEarly, "DUE_EARLY")])
def test_a_routing_that_goes_by_the_wrong_hour_is_found(kind: type[LivedLine], code: str, change: datetime) -> None:
    line = weekend(kind, change)
    found = [one for size in cuts(line, 301) for one in verify(line.entries[:size], line.keys).findings if one.weight]
    assert {one.code for one in found} == {code} and all("routing" in one.what for one in found), found[:3]
