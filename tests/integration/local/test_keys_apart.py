"""Each service's keys open what is its own, as a process with its environment alone shows; and an installation of before is moved there."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from msgspec.structs import replace
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from referral.domain.authority.matrix import Permit
from referral.domain.authority.words import Act, Kind
from referral.domain.events import CaseKey
from referral.local.config import Addresses, StackConfig, environment
from referral.runtime import bootstrap
from referral.runtime.kafka import clients
from referral.runtime.keys import case_keys, key_topic, moved, service_keys
from referral.runtime.keys.case_keys import CaseKeys, Keys
from referral.runtime.keys.secret_box import SecretBox
from referral.runtime.keys.service_keys import INTAKE, readers
from referral.runtime.postgres import database
from referral.runtime.settings import CHECKOUT, SERVICES, Settings
from referral.wire import codec, seal
from services.intake.casefile import access, drafts, sections
from tests.harness import permits
from tests.harness.engines import beginning, by_hand, connecting
from tests.harness.line import intake_stack
from tests.harness.line.intake_stack import Stack, changed, offer, track

pytestmark = pytest.mark.servers
OFFER, ANSWER = "22222222-2222-4222-8222-222222222222", "33333333-3333-4333-8333-333333333333"
NONCE = bytes(12)
BEFORE = (
    "DELETE FROM keys.case_key",
    "DROP FUNCTION keys.wrapped(text[])",
    "ALTER TABLE keys.case_key DROP CONSTRAINT case_key_pkey",
    "ALTER TABLE keys.case_key DROP COLUMN reader",
    "ALTER TABLE keys.case_key ADD PRIMARY KEY (case_id)",
    "CREATE FUNCTION keys.wrapped(ids text[]) RETURNS TABLE (case_id text, wrapped bytea) LANGUAGE sql STABLE SECURITY DEFINER"
    " SET search_path = '' AS 'SELECT k.case_id, k.wrapped FROM keys.case_key k WHERE k.case_id = ANY(ids)'",
    "ALTER FUNCTION keys.wrapped(text[]) OWNER TO keys_owner",
    "GRANT EXECUTE ON FUNCTION keys.wrapped(text[]) TO intake, routing, notifier, audit, oversight",
)
"""What keys.case_key was before decision 0047."""
OPENS = {
    "intake": {"events", "file", *(f"keys for {reader}" for reader in readers()), "quarantine of intake"},
    "routing": {"events", "keys for routing", "quarantine of routing"},
    "notifier": {"events", "keys for notifier", "quarantine of notifier", "contact", "note"},
    "audit": {"events", "keys for audit", "quarantine of audit"},
    "oversight": {"events", "keys for oversight", "quarantine of oversight", "cut"},
    "eraser": {"quarantine of eraser"},
}
"""What each service opens, and nothing else."""


def of(settings: Settings, service: str) -> Settings:
    """The settings of a service: its own keys, and no master key."""
    assert settings.service_keys is not None
    return replace(settings, master_key_file=None, service_keys=None, service_key_file=settings.service_keys / service)


def officer(act: Act, case_id: str) -> Permit:
    """The permit of a person of the agency that holds the offer."""
    return permits.leave(act, case_id, "police", "an-account", kind=Kind.STAFF)


async def filled(intake: Stack) -> str:
    """A case with a row in every table of its file."""
    case_id = str((await intake.submit())["case_id"])
    await intake.decided(case_id, changed(), track(), offer("police", OFFER))
    async with intake.door.begin() as tx:
        case = await access.take(tx, intake.door.keys, case_id)
        await sections.record(tx, officer(Act.ANSWER, case_id), case.cipher, {"reason": "why"}, response_id=ANSWER, offer_id=OFFER, at=1)
        draft = drafts.Draft(since=0, at=1, entries={"name": "half"})
        await drafts.keep(tx, officer(Act.WRITE_SECTION, case_id), case.cipher, OFFER, "identity", draft)
        await access.exclude(tx, permits.ROUTING, {case_id: ["agency:shelter-gjakova", "staff:somebody"]})
    return case_id


async def read(intake: Stack, case_id: str) -> dict[str, Any]:
    """The plain text of every row of a case's file."""
    async with intake.door.begin() as tx:
        case = await access.take(tx, intake.door.keys, case_id)
        written = await sections.newest(tx, officer(Act.READ_FILE, case_id), case.cipher, ["identity", "narrative"], 0)
        spoken = await sections.recorded(tx, officer(Act.READ_FILE, case_id), case.cipher, ["reason"], 0)
        draft = await drafts.one(tx, officer(Act.WRITE_SECTION, case_id), case.cipher, OFFER, "identity")
        rows = await tx.execute(text("SELECT seq, sealed FROM intake.happening WHERE case_id = :case ORDER BY seq"), {"case": case_id})
        lines = [sections.unseal(case.cipher, bytes(sealed), case_id, "timeline", str(seq)) for seq, sealed in rows]
        then = await tx.execute(text("SELECT sealed FROM intake.exclusion WHERE case_id = :case AND sealed IS NOT NULL"), {"case": case_id})
        facts = [sections.facts(case.cipher, case_id, bytes(sealed)) for (sealed,) in then]
    assert written and spoken and draft is not None and lines and facts == [case.facts]
    return {"facts": case.facts, "then": facts, "written": written, "spoken": spoken, "draft": draft.entries, "timeline": lines}


async def of_before(tx: AsyncConnection, case_id: str, key: bytes, wrapped: bytes) -> None:
    """Turn the database into one of before: one key, which opens the file too, wrapped by the master key for all."""
    assert isinstance(key, CaseKeys) and key.file is not None
    await moved._seal(tx, case_id, AESGCM(key.file), CaseKeys(key, service_keys.derived(key, "case-file")))
    for statement in BEFORE:
        await tx.exec_driver_sql(statement)
    await tx.execute(text("INSERT INTO keys.case_key VALUES (:case, :wrapped)"), {"case": case_id, "wrapped": wrapped})


async def test_an_installation_of_before_is_moved_and_a_prepare_that_was_killed_is_repeated(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = replace(settings, service_keys=tmp_path / "services")
    master = case_keys.master(settings)
    service_keys.write(tmp_path / "services", master)
    async with intake_stack.stack(of(settings, INTAKE)) as intake:
        case_id = await filled(intake)
        said = await read(intake, case_id)
        async with by_hand(settings) as tx:
            sql = text("SELECT table_schema || '.' || table_name FROM information_schema.columns WHERE column_name = 'sealed'")
            tables = {name for (name,) in await tx.execute(sql) if name.startswith("intake.")}
            tables.discard("intake.page")  # a page that waits for a minute is sealed under its browser's key, and no case's
            assert tables == {kind.table for kind in moved.FILES}
            counts = {table: (await tx.exec_driver_sql(f"SELECT count(*) FROM {table}")).scalar_one() for table in tables}
            assert all(counts.values()), counts
            key = (await intake.door.keys.load(tx, [case_id]))[case_id]
            wrapped = SecretBox("case-key", service_keys.derived(master._master, "case-key")).seal(key, case_id.encode())
            await of_before(tx, case_id, key, wrapped)
        async with clients.producer(settings) as producer:
            value = codec.encode(CaseKey(wrapped=wrapped))
            await producer.send_and_wait(settings.topic(CaseKey.TOPIC), value, key=case_id.encode(), partition=0)

        class Killed(Exception):
            pass

        async def killed(*_: object) -> None:
            raise Killed

        for step in ("rows", "topic", "withdraw"):  # before the database is moved, before the topic is, before the old form is taken away
            with monkeypatch.context() as patched:
                patched.setattr(key_topic if step == "withdraw" else moved, step, killed)
                with pytest.raises(Killed):
                    await bootstrap.prepare(settings)
        for _ in range(2):
            await bootstrap.prepare(settings)
        async with by_hand(settings) as tx:
            assert set((await tx.execute(text("SELECT reader FROM keys.case_key"))).scalars()) == set(readers())
        assert {case: set(forms) for case, forms in (await key_topic.read(settings)).items()} == {case_id: set(readers())}
        assert await read(intake, case_id) == said
        for service in readers():
            async with connecting(database.engine(of(settings, service), service)) as line:
                (found,) = (await case_keys.read(of(settings, service), service).load(line, [case_id])).values()
            assert found == key, "the log's events open with the key that they were sealed with"
            assert isinstance(found, CaseKeys) and (found.file is not None) is (service == INTAKE)
        async with by_hand(settings) as tx:
            sealed = (await tx.execute(text("SELECT sealed FROM intake.casefile"))).scalar_one()
        with pytest.raises(Exception, match="seal"):
            sections.facts(AESGCM(service_keys.derived(key, "case-file")), case_id, sealed)


async def things(settings: Settings, tx: AsyncConnection, case_id: str) -> dict[str, tuple[bytes, bytes]]:
    """Name → (sealed, place) of one thing of each kind, as its owner sealed it."""
    everybody = case_keys.master(settings)
    operator = Keys(everybody)
    key = (await operator.load(tx, [case_id]))[case_id]
    sealed = (await tx.execute(text("SELECT sealed FROM intake.casefile WHERE case_id = :case"), {"case": case_id})).scalar_one()
    forms = (await tx.execute(text("SELECT reader, wrapped FROM keys.case_key WHERE case_id = :case"), {"case": case_id})).all()
    boxes = {"contact": "notifier-contact", "note": "notifier-note", "cut": "oversight-cut"}
    return {
        "events": (NONCE + seal.cipher(key).encrypt(NONCE, b"an event", b"place"), b"place"),
        "file": (bytes(sealed), f"{case_id}/standing".encode()),
        **{f"keys for {reader}": (bytes(wrapped), f"{case_id}/{reader}".encode()) for reader, wrapped in forms},
        **{name: (operator.box(purpose).seal(b"x", b"place"), b"place") for name, purpose in boxes.items()},
        **{
            f"quarantine of {service}": (
                NONCE + AESGCM(Keys(everybody.of(service)).hmac("quarantine")).encrypt(NONCE, b"x", b"place"),
                b"place",
            )
            for service in SERVICES
        },
    }


def opened(settings: Settings, service: str, case_id: str, sealed: dict[str, tuple[bytes, bytes]]) -> set[str]:
    """What a process opens that has the environment of one service, as the supervisor makes it, and no other variable."""
    none, folders = Path("/none"), {"passwords": settings.database_passwords, "service_keys": settings.service_keys}
    at = Addresses("", settings.database, "", "", "", *[none] * 7, **folders)
    asked = json.dumps({name: [value.hex(), place.hex()] for name, (value, place) in sealed.items()})
    command = [sys.executable, "-m", "tests.harness.opened", case_id]
    variables = {**environment(StackConfig(data=none), at, service), "PATH": os.environ["PATH"]}
    done = subprocess.run(command, env=variables, cwd=CHECKOUT, check=False, stdout=subprocess.PIPE, text=True, input=asked)
    return set(json.loads(done.stdout))


async def test_the_environment_of_a_service_opens_what_the_table_says_and_nothing_else(bare: Settings, tmp_path: Path) -> None:
    """An intake that was given its key file alone made the case; each of the others opens its events."""
    settings = replace(bare, service_keys=tmp_path / "services")
    service_keys.write(tmp_path / "services", case_keys.master(settings))
    async with intake_stack.stack(of(settings, INTAKE)) as intake:
        case_id = str((await intake.submit())["case_id"])
    async with beginning(database.admin(settings)) as tx:
        sealed = await things(settings, tx, case_id)
    found = {service: await asyncio.to_thread(opened, settings, service, case_id, sealed) for service in SERVICES}
    assert found == OPENS
    assert set().union(*found.values()) == set(sealed), "and somebody opens each"
