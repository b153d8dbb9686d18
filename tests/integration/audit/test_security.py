"""Security events of auditors, the alarms that stand, the seals in the log, and what an operator reads of it."""

from __future__ import annotations

import json
import re

import pytest
from msgspec import structs
from sqlalchemy import text
from structlog.testing import capture_logs

from referral.proof.security import FILES
from referral.runtime.postgres import database, security_events
from referral.runtime.postgres.tokens import digest
from referral.runtime.settings import Settings
from referral.wire import codec, seal
from referral.wire.security_event import Event, Kind
from referral.wire.signed.erasure_approval import Erasers
from services.audit.__main__ import TOPICS, alarm
from services.audit.handle import Audit
from services.audit.heartbeat import Heartbeats
from services.audit.security import OUT_OF_USE, STANDING, SecurityWatch
from tests.harness.engines import by_hand
from tests.harness.erased import APPROVERS, INTAKE, approved, erased
from tests.harness.programs import command, operator
from tests.integration.audit.test_pages import opened

pytestmark = pytest.mark.servers
TAKEN = (
    ("DELETE FROM audit.security WHERE kind = 'honey'", "seals 5 events, and 4 are there"),
    ("UPDATE audit.security SET who = 'office:another' WHERE who = 'office:ombudsperson'", "are not the ones that it seals"),
    ("UPDATE audit.security SET idx = 0", "which seals none"),
)
"""What an operator with the administrator's password does past the trigger, and what is said of it."""


async def test_an_auditors_events_are_sealed_and_whoever_takes_one_away_is_named(bare: Settings) -> None:
    here = structs.replace(bare, kafka="127.0.0.1:9")
    async with opened(bare) as door:
        code, honey = await command(here, "security", "honey", "token", "--label", "a vault")
        assert code == 0 and len(honey.strip()) == 43, honey
        tile = await door.http.get("/tile/entries/000.p/9", headers={"authorization": "Bearer wrong"})
        assert tile.status_code == 401
        for token in ("wrong", honey.strip(), door.token):
            await door.http.post("/auditor/signin", data={"token": token})
        await door.get(f"/auditor/cases/{door.case_id}")
        await door.http.post("/auditor/signout")
        audit = database.engine(bare, "audit")
        await door.journal.flush(audit, 1.0)
        watch = SecurityWatch(audit)
        name = digest(honey.strip()).hex()[:12]
        stands = {one: about for one, about in (await watch.look()).items() if about}
        assert stands == {"honey": {f"token-{name}"}}
        assert [STANDING.labels(one)._value.get() for one in ("honey", "off-duty", "refused")] == [1, 0, 0]
        code, said = await command(here, "security", "events")
        assert code == 1 and re.search(r"ALARM .+ honey: ", said) and "but the newest 5" in said, said
        heartbeats = Heartbeats(audit, structs.replace(here, tls=operator(here)), Audit(alarm), TOPICS)
        assert await heartbeats.beat()
        code, said = await command(here, "security", "events", "--json")
        told = json.loads(said)
        assert code == 1 and told["altered"] == [] and len({event["idx"] for event in told["events"]}) == 1
        assert [event["times"] for event in told["events"]] == [1, 1, 1, 1, 2], "at the page, and at the tiles"
        assert [(event["service"], event["kind"], event["who"], event["detail"].partition("-")[0]) for event in told["events"]] == [
            ("audit", "honey", "unknown", "token"),
            ("audit", "signed-in", "office:ombudsperson", "token"),
            ("audit", "log-read", "office:ombudsperson", "page"),
            ("audit", "signed-out", "office:ombudsperson", ""),
            ("audit", "refused", "unknown", "token"),
        ]
        for change, what in TAKEN:
            async with by_hand(bare) as tx:
                kept = (await tx.execute(text("CREATE TEMP TABLE kept AS SELECT * FROM audit.security"))).rowcount
                await tx.execute(text("ALTER TABLE audit.security DISABLE TRIGGER append_only"))
                await tx.execute(text(change))
            code, said = await command(here, "security", "events")
            assert kept == 5 and code == 1 and f"{what}: somebody wrote past the services" in said, said
            async with by_hand(bare) as tx:
                await tx.execute(text("DELETE FROM audit.security"))
                for event in told["events"]:
                    columns = ", ".join(event)
                    values = ", ".join(f":{name}" for name in event)
                    await tx.execute(text(f"INSERT INTO audit.security ({columns}) OVERRIDING SYSTEM VALUE VALUES ({values})"), event)
        async with by_hand(bare) as tx:
            await security_events.put(tx, *(Event(kind=Kind.FILE_READ, who="account:a", detail=f"{n:012x}") for n in range(FILES)))
        assert len((await watch.look())["many-files"]) == 1
        await audit.dispose()
        listed = await command(here, "security", "honey", "--list")
        assert name in listed[1] and "a vault" in listed[1] and honey.strip() not in listed[1]
        assert (await command(here, "security", "honey", "--end", name))[0] == 0
        assert (await command(here, "security", "honey", "--end", name))[0] == 1


async def test_keys_that_are_out_of_use_without_an_erasure_in_the_log_are_counted_and_named_once(bare: Settings) -> None:
    async with opened(bare) as door:
        watch = SecurityWatch(database.engine(bare, "audit"), Erasers(INTAKE.intake, APPROVERS))
        async with by_hand(bare) as tx:
            await tx.execute(text("SELECT keys.retire(ARRAY[:case, 'another'])"), {"case": door.case_id})
        with capture_logs() as said:
            for _ in range(2):
                await watch.look()
        assert OUT_OF_USE._value.get() == 2
        told = [one["case_id"] for one in said if one["event"] == "keys out of use without an erasure"]
        assert sorted(told) == sorted((door.case_id, "another")), "each once"
        async with by_hand(bare) as tx:
            await tx.execute(text("ALTER TABLE audit.entry DISABLE TRIGGER append_only"))
            where = {"case": door.case_id}
            [meta] = [
                seal.open(row.value).meta
                for row in await tx.execute(text("SELECT value FROM audit.entry WHERE case_id = :case ORDER BY idx LIMIT 1"), where)
            ]
        for body, counted in ((erased(door.case_id), 2), (approved(door.case_id), 1)):
            said_ = structs.replace(meta, type=body.TYPE, fingerprint=codec.fingerprint(body.TYPE))
            value = seal.seal(None, body.TOPIC, said_, codec.encode(body), b"")
            change = (
                "UPDATE audit.entry SET kind = 'ERASURE', topic = 'referral-intake', value = :value"
                " WHERE idx = (SELECT min(idx) FROM audit.entry WHERE case_id = :case)"
            )
            async with by_hand(bare) as tx:
                await tx.execute(text(change), {**where, "value": value})
            await watch.look()
            assert OUT_OF_USE._value.get() == counted, "intake alone makes no erasure"
        async with by_hand(bare) as tx:
            await tx.execute(text("SELECT keys.bring_back(ARRAY[:case])"), where)
        await watch.look()
        assert OUT_OF_USE._value.get() == 0, "one has an erasure, the other is in use again"
