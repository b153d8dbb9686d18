"""Security events of intake's doors on a real database: each kind made once through the door, and none that a service may change."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import httpx
import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from referral.domain.local_time import LOCAL
from referral.runtime import peer
from referral.runtime.postgres import database, security_events
from referral.runtime.postgres.tokens import digest
from referral.wire.security_event import Event, Kind
from services.audit.security import SecurityWatch, remove
from services.intake.casefile import disclose
from services.intake.casefile.disclosure_rules import Reader
from tests.harness.engines import beginning, by_hand, connecting
from tests.harness.line.intake_stack import Stack, new_id, opened

pytestmark = pytest.mark.servers
BY_HAND = "INSERT INTO audit.security (kind, who, detail, place, times) VALUES ('denied', 'unknown', '{}', '', 1)"


async def events(intake: Stack) -> list[tuple[str, str, str, int]]:
    """What the doors have recorded, with what waited."""
    await intake.door.journal.flush(intake.door.engine, 1.0)
    async with by_hand(intake.settings) as tx:
        rows = await tx.execute(text("SELECT service, kind, who, detail, times, place FROM audit.security ORDER BY id"))
        found = [tuple(row) for row in rows]
    assert {row[0] for row in found} == {"intake"}
    assert all(len(row[5]) == 12 for row in found if "read" not in row[1] and row[2] != "others"), "from where, as a digest"
    return [row[1:5] for row in found]


async def test_each_refusal_of_the_agencies_door_is_an_event_and_honey_is_an_alarm(intake: Stack) -> None:
    case_id, _ = await opened(intake)
    planted = new_id()
    async with by_hand(intake.settings) as tx:
        ended = {"hash": digest("ended"), "one": digest("honey-token"), "two": digest(planted)}
        await tx.execute(text("INSERT INTO intake.agency_token VALUES (:hash, 'csw', 'old', 0, 1)"), {"hash": ended["hash"]})
        honey = "INSERT INTO audit.honey VALUES (:one, 'token', 'a vault', 0, NULL), (:two, 'case', 'a note', 0, NULL)"
        await tx.execute(text(honey), {"one": ended["one"], "two": ended["two"]})

    async def asked(token: str, path: str = "/v1/offers") -> httpx.Response:
        return await intake.http.get(path, headers={"Authorization": f"Bearer {token}"})

    wrong, old, touched = [await asked(token) for token in ("wrong", "ended", "honey-token")]
    assert wrong.status_code == 401 and wrong.json() == old.json() == touched.json(), "whoever uses honey is told nothing else"
    unknown = [(await asked("token-of-shelter", f"/v1/cases/{one}")).json() for one in (case_id, new_id(), planted)]
    assert unknown[0]["code"] == "unknown-case" and unknown[0] == unknown[1] == unknown[2]
    assert (await asked("token-of-police", f"/v1/cases/{case_id}/file")).status_code == 200
    assert (await asked("token-of-school", f"/v1/cases/{case_id}/file/narrative/versions")).status_code == 403
    assert (await intake.http.get(f"/staff/cases/{case_id}/erasure", headers={"Authorization": "Basic Og=="})).status_code == 401
    counted = intake.door.keys.hmac("signin", b"case", case_id.encode()).hex()[:12]
    found = await events(intake)
    assert sorted(found) == sorted(
        [
            ("refused", "unknown", "token", 1),
            ("refused", "agency:csw", "ended-token", 1),
            ("honey", "unknown", f"token-{ended['one'].hex()[:12]}", 1),
            ("honey", "agency:shelter", f"case-{ended['two'].hex()[:12]}", 1),
            ("denied", "agency:shelter", "unknown-case", 2),
            ("file-read", "agency:police", counted, 1),
            ("denied", "agency:school", next(code for _, who, code, _ in found if who == "agency:school"), 1),
        ]
    )
    watch = SecurityWatch(database.engine(intake.settings, "audit"))
    stands = {alarm: about for alarm, about in (await watch.look()).items() if about}
    assert {alarm: len(about) for alarm, about in stands.items()} == {"honey": 2, "stolen-token": 1}


async def test_a_token_with_the_certificate_of_another_names_both(intake: Stack, monkeypatch: pytest.MonkeyPatch) -> None:
    shown: Any = peer.Peer(True, peer.Name(peer.Plane.AGENCIES, "shelter"))
    monkeypatch.setattr(peer, "shown", lambda _: shown)
    assert (await intake.get("police", "/v1/offers")).json()["code"] == "certificate-of-another"
    kinds = [("denied", f"agency:{who}", "certificate-of-another", 1) for who in ("police", "shelter")]
    assert sorted(await events(intake)) == kinds


async def test_a_flood_of_strangers_is_a_few_rows_with_the_whole_count(intake: Stack) -> None:
    for number in range(300):
        intake.door.journal.note(Kind.REFUSED, "unknown", "token", f"{number % 30:012x}")
    found = await events(intake)
    assert len(found) == 21 and sum(row[3] for row in found) == 300
    for _ in range(500):
        intake.door.journal.note(Kind.REFUSED, "unknown", "token", f"{0:012x}")
    assert len(await events(intake)) == 21, "the rest of the window is one row at its end"
    await intake.door.journal.flush(intake.door.engine, 1000.0)
    found = await events(intake)
    assert len(found) == 22 and sum(row[3] for row in found) == 800


async def test_services_may_only_add_and_nobody_removes_a_row_of_this_year(intake: Stack) -> None:
    async with intake.door.begin() as tx:
        await security_events.put(tx, Event(kind=Kind.DENIED, detail="one"))
    now = "runtime.clock()"
    rows = "audit.security"
    no_right = (f"SELECT id FROM {rows}", f"UPDATE {rows} SET idx = 1", f"DELETE FROM {rows}", f"TRUNCATE {rows}")
    honey = ("UPDATE audit.honey SET ended_at = 1", "INSERT INTO audit.honey VALUES ('x', 'token', '', 1)")
    dated = f"INSERT INTO audit.security (kind, who, detail, place, times, at) VALUES ('denied', 'unknown', '', '', 1, {now})"
    named = "INSERT INTO audit.security (kind, who, detail, place, times, service) VALUES ('denied', 'unknown', '', '', 1, 'audit')"
    for role in ("intake", "oversight"):
        for statement in (*no_right, dated, named, *honey):
            with pytest.raises(DBAPIError, match="permission denied"):
                async with beginning(database.engine(intake.settings, role)) as tx:
                    await tx.execute(text(statement))
    for role in ("routing", "notifier"):
        with pytest.raises(DBAPIError, match="permission denied"):
            async with beginning(database.engine(intake.settings, role)) as tx:
                await tx.execute(text(BY_HAND.format("x")))
    for change in ("DELETE FROM audit.security", "UPDATE audit.security SET idx = 1; UPDATE audit.security SET idx = NULL"):
        with pytest.raises(DBAPIError, match="append-only"):
            async with beginning(database.engine(intake.settings, "audit")) as tx:
                for statement in change.split("; "):
                    await tx.execute(text(statement))
    for statement in ("DELETE FROM audit.security", "TRUNCATE audit.security", "UPDATE audit.security SET who = 'unknown', times = 2"):
        with pytest.raises(DBAPIError, match="append-only"):
            async with by_hand(intake.settings) as tx:
                await tx.execute(text(statement))
    for typed in ("Zorica", "a b", "x" * 61):
        with pytest.raises(DBAPIError, match="violates check constraint"):
            async with beginning(database.engine(intake.settings, "intake")) as tx:
                await tx.execute(text(BY_HAND.format(typed)))
    async with connecting(database.engine(intake.settings, "audit")) as tx:
        assert await remove(tx.engine) == 0
        async with by_hand(intake.settings) as other:
            await other.execute(text("UPDATE runtime.clock SET offset_us = :year"), {"year": 366 * 86_400_000_000})
        assert await remove(tx.engine) == 1, "after a year it is removed"


async def test_reading_by_night_is_an_alarm_unless_somebody_was_woken_for_it(intake: Stack) -> None:
    (case_id, offer_id), reader = await opened(intake), Reader(agency="police", account=new_id())
    for hour, days, kind in ((12, 2, Kind.FILE_READ), (1, 0, Kind.FILE_READ), (1, 2, Kind.READ_OFF_DUTY)):
        at = local_us(hour)
        async with by_hand(intake.settings) as tx:
            moved = text("UPDATE runtime.clock SET offset_us = :at - (extract(epoch FROM clock_timestamp()) * 1000000)::bigint")
            await tx.execute(moved, {"at": at})
            await tx.execute(text("UPDATE intake.offer SET opened_at = :at"), {"at": at - days * 86_400_000_000})
        async with intake.door.begin() as tx:
            await disclose.disclose(tx, intake.door, reader, case_id, offer_id)
        assert (await events(intake))[-1][:2] == (kind, f"account:{reader.account}"), (hour, days)
    watch = SecurityWatch(database.engine(intake.settings, "audit"))
    assert (await watch.look())["off-duty"] == {f"account:{reader.account}"}


def local_us(hour: int) -> int:
    """An hour of a day in Kosovo, µs UTC."""
    return int(datetime(2026, 3, 5, hour, tzinfo=LOCAL).timestamp() * 1_000_000)
