"""Which alarms stand on which security events, and what is said of events that are not the ones that the log seals."""

from __future__ import annotations

import importlib
from datetime import UTC, datetime

import pytest
from msgspec import structs

from referral.domain.durations import DAY_US
from referral.proof.security import DENIALS, FILES, REFUSALS, WINDOW_US, Alarm, Sum, alarms, altered, raised, root
from referral.runtime.security_journal import MOST, WINDOW_S, Journal
from referral.wire import security_event
from referral.wire.security_event import KEPT_DAYS, OTHERS, Event, Kind, Row

ME = "account:me"


def stands(*sums: Sum) -> dict[Alarm, set[str]]:
    return {alarm: set(about) for alarm, about in alarms(sums).items() if about}


def files(count: int, kind: Kind = Kind.FILE_READ) -> list[Sum]:
    return [Sum(kind, ME, f"{n:012x}", 3) for n in range(count)]


def test_each_alarm_stands_from_its_limit_on_and_not_below() -> None:
    assert stands(*files(FILES - 1), Sum(Kind.FILE_READ, "account:another", "f" * 12, 100)) == {}
    assert stands(*files(FILES)) == {Alarm.MANY_FILES: {ME}}
    assert stands(Sum(Kind.LOG_READ, "office:court", "page", FILES - 1)) == {}
    assert stands(Sum(Kind.LOG_READ, "office:court", "page", FILES)) == {Alarm.MANY_FILES: {"office:court"}}
    half = Sum(Kind.REFUSED, ME, "password", REFUSALS // 2)
    assert stands(half) == {} and stands(half, Sum(Kind.REFUSED, "unknown", "token", REFUSALS // 2)) == {Alarm.REFUSED: {"sign-ins"}}
    denied = Sum(Kind.DENIED, "agency:x", "not-yours", DENIALS - 1)
    assert stands(denied) == {}
    assert stands(denied, Sum(Kind.DENIED, "agency:y", "not-yours", 1)) == {}, "of one holder"
    assert stands(Sum(Kind.DENIED, "unknown", "no-token", 1000)) == {}, "whoever scans the network is refused, and no more"
    assert stands(denied, Sum(Kind.DENIED, "agency:x", "unknown-case", 1)) == {Alarm.DENIED: {"agency:x"}}


def test_one_is_enough_of_what_nobody_does_by_mistake() -> None:
    assert stands(Sum(Kind.HONEY, "unknown", "token-0", 1)) == {Alarm.HONEY: {"token-0"}}
    assert stands(Sum(Kind.THROTTLED, ME, "page", 1)) == {Alarm.THROTTLED: {ME}}
    assert stands(*files(1, Kind.READ_OFF_DUTY)) == {Alarm.OFF_DUTY: {ME}}
    two = (Sum(Kind.DENIED, who, "certificate-of-another", 1) for who in ("agency:x", "unknown"))
    assert stands(*two) == {Alarm.STOLEN_TOKEN: {"agency:x"}}
    assert stands(*(Sum(kind, ME, "page", 1000) for kind in (Kind.SIGNED_IN, Kind.SIGNED_OUT, Kind.PASSWORD_SET))) == {}


def test_an_alarm_of_the_night_is_still_named_in_the_morning_with_its_time() -> None:
    """The last hour alone was looked at, whatever had been touched before midnight."""
    hour, step = WINDOW_US, WINDOW_US // FILES
    honey = Row(kind=Kind.HONEY, detail="token-0", id=1, at=hour, service="intake", idx=7)
    read = [
        Row(kind=Kind.FILE_READ, who=ME, detail=f"{n:012x}", id=2 + n, at=5 * hour + n * step, service="intake", idx=7)
        for n in range(FILES)
    ]
    signed = Row(kind=Kind.SIGNED_IN, who=ME, detail="page", id=99, at=9 * hour, service="intake", idx=7)
    stood = {alarm: about for alarm, about in raised([signed, *read, honey]).items() if about}
    assert stood == {Alarm.HONEY: {"token-0": hour}, Alarm.MANY_FILES: {ME: read[-1].at}}
    slowly = [structs.replace(row, at=5 * hour + n * (hour // (FILES - 1) + 1)) for n, row in enumerate(read)]
    assert not any(raised(slowly).values()), "as many in more than an hour"


def test_the_night_is_that_of_kosovo_in_summer_and_winter() -> None:
    for month, behind in ((1, 1), (7, 2)):
        hours = {(hour + behind) % 24: datetime(2026, month, 5, hour, 30, tzinfo=UTC) for hour in range(24)}
        night = {hour for hour, at in hours.items() if security_event.by_night(int(at.timestamp() * 1_000_000))}
        assert night == {22, 23, 0, 1, 2, 3, 4, 5}


def row(id_: int, idx: int | None = 7) -> Row:
    return Row(kind=Kind.REFUSED, detail="token", id=id_, at=id_, service="intake", idx=idx)


def test_an_event_that_is_taken_changed_added_or_moved_is_noticed_and_an_old_one_is_not_looked_for() -> None:
    rows = [row(1), row(2), row(3), row(4, 9), row(5, None)]
    now = 400 * DAY_US
    seals = {7: (3, root(rows[:3]), now), 9: (1, root(rows[3:4]), now)}
    assert altered(reversed(rows), seals, now) == []
    assert altered(rows[1:], seals, now) == ["entry 7 seals 3 events, and 2 are there"]
    assert altered([*rows, row(6)], seals, now) == ["entry 7 seals 3 events, and 4 are there"]
    assert altered([row(1, 8), *rows[1:]], seals, now)[1:] == ["1 events name entry 8, which seals none"]
    for name, value in {
        "id": 8,
        "at": 9,
        "service": "audit",
        "kind": Kind.DENIED,
        "who": ME,
        "detail": "x",
        "place": "0",
        "times": 2,
    }.items():
        changed = structs.replace(rows[0], **{name: value})
        assert altered([changed, *rows[1:]], seals, now) == ["the 3 events of entry 7 are not the ones that it seals"], name
    old = {**seals, 7: (3, "", now - (KEPT_DAYS - 1) * DAY_US)}
    assert altered(rows[3:], old, now) == [], "a year ago: they may be removed"


def test_a_flood_keeps_its_count_and_its_first_ones_and_a_new_window_begins() -> None:
    journal = Journal("intake")
    assert journal.due(1000.0) == []
    for number in range(5 * MOST):
        journal.note(Kind.REFUSED, "unknown", "token", f"{number:012x}")
    journal.note(Kind.DENIED, ME, "Not a word!")
    first = journal.due(1001.0)
    assert len(first) == MOST + 2 and sum(event.times for event in first) == 5 * MOST + 1
    assert Event(kind=Kind.REFUSED, who=OTHERS, times=4 * MOST) in first and Event(kind=Kind.DENIED, who=ME, detail="other") in first
    for _ in range(9):
        journal.note(Kind.DENIED, ME, "Not a word!")
    assert journal.due(1000.0 + WINDOW_S - 1) == []
    assert journal.due(1000.0 + WINDOW_S) == [Event(kind=Kind.DENIED, who=ME, detail="other", times=9)]
    journal.note(Kind.REFUSED, "unknown", "token", f"{4 * MOST:012x}")
    assert [event.place for event in journal.due(1001.0 + WINDOW_S)] == [f"{4 * MOST:012x}"], "told apart again"


def test_an_event_has_no_room_for_what_somebody_typed() -> None:
    for more in ({"who": "duty"}, {"who": "account:a b"}, {"detail": "Zorica"}, {"place": "127.0.0.1"}):
        with pytest.raises(ValueError, match="another form"):
            Event(kind=Kind.REFUSED, **more)
    assert security_event.word("Zorica Ćirić") == "other"


def test_the_table_has_the_same_kinds_and_the_same_year() -> None:
    made = importlib.import_module("services.audit.migrations.versions.0008_security")
    assert set(made.KINDS) == set(Kind) and made.YEAR_US == KEPT_DAYS * DAY_US
