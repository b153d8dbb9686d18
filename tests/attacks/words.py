"""Attacks upon words: what intake records of what an agency said, what a heartbeat excuses, who signs with a retired key, and a row of the
database that says that a reading was logged."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Iterator
from functools import cache, partial
from pathlib import Path
from typing import Any

import httpx
from aiokafka import ConsumerRecord
from msgspec import structs, to_builtins
from sqlalchemy import text

from referral import client
from referral.domain import events as e
from referral.errors import Unproven
from referral.local import keyfiles
from referral.proof.entry import Kind
from referral.proof.history.case import unseal
from referral.proof.history.timeline import timeline
from referral.runtime.bootstrap import prepare_database
from referral.runtime.loop.decode import open_all
from referral.runtime.loop.reader import Taken
from referral.runtime.postgres import database, readings, stored_code
from referral.runtime.settings import Settings
from referral.wire import event_digest
from referral.wire.signed import trust_lines, writer_signature
from referral.wire.signed.trust_lines import Keyword
from services.intake.api import receipts
from services.intake.messages.words import Said
from services.intake.model import Receipt
from tests.attacks.auditors import LOG_KEY
from tests.attacks.ground import Attack, Noticed, copy, verify
from tests.attacks.promises import INTAKES, STOLEN
from tests.attacks.readings import LENT, SQL
from tests.harness import made_log, servers, writers
from tests.harness.audit_log import MINUTE, Log, _id, asked, named, response, story
from tests.harness.engines import beginning, connecting
from tests.harness.erased import INTAKE, KEY
from tests.harness.made_child import CHILD
from tests.harness.signing_school import KEY as SCHOOL
from tests.harness.signing_school import SAID, SALT, activate, by_http, refer

RETIRED = "with a retired key of intake, the case's key and the broker"
SECTIONS = ("contact",)


def rewritten(change: dict[str, Any]) -> Noticed:
    """The school signs a referral, and intake records another. change: of the event; `drill` of its record."""
    log = Log(drill=bool(change.get("drill")))
    activate(log, 2, SCHOOL, must=True)
    plain = {name: value for name, value in change.items() if name != "drill"}
    refer(log, by_http(body=SAID), **{"sections": SECTIONS} | plain)
    [(case_id, key)] = log.keys.items()
    line = timeline([entry for entry in log.entries if entry.case_id == case_id], key)[0].what
    return {"verify": verify(copy(log.entries), keys=log.keys), "replay": line if "signed other words" in line else ""}


def turned_round() -> Noticed:
    """The school's system accepts, signed, and intake records that it declines."""
    log, offer_id = Log(), _id("offer")
    activate(log, 2, SCHOOL, must=True)
    answer = e.ResponseSubmitted(
        response_id=_id("response"),
        offer_id=offer_id,
        agency="school-drita",
        word=e.Word.DECLINE,
        reason="no-place",
        code="",
        recorded=(),
        via=e.Via.SYSTEM,
        received_at=log.now,
        signed=by_http(f"/v1/offers/{offer_id}/responses", body={"word": "ACCEPT"}),
    )
    log.input(_id("case one"), answer, "answer")
    return {"verify": verify(copy(log.entries), keys=log.keys)}


def invented() -> Noticed:
    """Intake writes that an officer of the police accepts, whose directory asks for no signature. Nobody there has said a word."""
    log = Log(signed=True)
    named(log)
    case_id, offer = asked(log, "child")
    log.now += MINUTE
    log.input(case_id, response(offer, e.Word.ACCEPT, "invented"), "invented")
    said = verify(copy(log.entries), keys=log.keys)
    return {"nobody": "" if said else "an answer that no system of the agency signs is what intake says that it is", "verify": said}


def unsigned(*, owns_up: bool) -> Noticed:
    """The school signs nothing. Intake records an adult; its receipt says so, or signs the words that were sent."""
    log = Log()
    refer(log, None, traits=structs.replace(CHILD, age="adult"), sections=SECTIONS)
    entry = next(entry for entry in log.entries if entry.kind is Kind.EVENT)
    read = unseal(entry, log.keys[entry.case_id])
    recorded = event_digest.digest(SALT, event_digest.words_of_event(read.body, entry.case_id, drill=read.meta.drill))
    sent = client.event_digest(SAID, SALT)
    made = Receipt(kind="referral", id=_id("referral"), case_id=entry.case_id, event_id=entry.event_id, received_at=log.now)
    told = to_builtins(receipts.referral_receipt(made, KEY, Said(salt=SALT, digest=recorded if owns_up else sent)))
    transport = httpx.MockTransport(lambda _: httpx.Response(202, json=told))
    policy = made_log.policy() + b"".join(map(trust_lines.intake_line, INTAKE.intake))
    sdk = ""
    with client.Client("https://intake", "token", policy=policy, transport=transport) as school:
        try:
            school.submit(SAID, salt=SALT)
        except client.RecordedOtherwise as error:
            sdk = str(error)
    beside = "" if told["event_digest"] == recorded else "intake has signed two things: this receipt, and the record in the log"
    return {"the sender's program": sdk, "auditor with receipt and salt": beside}


def drilled(beat: int) -> Noticed:
    """A writer's clock is two hours ahead, and one heartbeat says that it is a drill."""
    log = Log()
    for number in range(100):
        if number == 51:
            log.now, log.ahead = log.now + 120 * MINUTE, 120 * MINUTE
            story(log)
            log.now, log.ahead = log.now - 120 * MINUTE, 0
        log.now += MINUTE
        log.beat(None, drill=number == beat)
    said = verify(copy(log.entries), keys=log.keys)
    return {"verify": said}


def retired() -> Noticed:
    """Intake's key was changed. Who found the old one, named for its old records, writes an acceptance after its end."""
    log = Log(signed=True)
    public = STOLEN.public_key().public_bytes_raw()
    lines = trust_lines.key_line(Keyword.WRITER, "intake", public) + trust_lines.until_line(public, log.now // 1000)
    named(log, more=lines)
    log.now += MINUTE
    case_id, offer = asked(log, "child")
    log.say(case_id, response(offer, e.Word.ACCEPT, "forged"), _id("forged"), case_id, "intake")
    forged = log.entries.pop()
    key = forged.key or b""
    header = writer_signature.sign(STOLEN, forged.topic, [(key, forged.value)])[0]
    others = [one for one in forged.headers if one[0] != header[0]]
    log.entries.append(structs.replace(forged, headers=(*others, header)))
    record = ConsumerRecord(forged.topic, forged.partition, 0, forged.kafka_time, 1, key, forged.value, None, 0, 0, (header,))
    [opened] = open_all([Taken("0", (forged.topic, forged.partition), record)], False, trust_lines.writers(writers.LINES + lines))
    reader = "quarantine, not-signed: no case changes by it" if opened.reason == "not-signed" else ""
    return {"verify": verify(copy(log.entries), keys=log.keys), "every reader": reader}


@cache
def _answered() -> Noticed:
    return asyncio.run(_carried_out())


async def _carried_out() -> Noticed:
    """A trigger of the administrator answers in audit's place: the reading is logged, says the row."""
    made = servers.Servers()
    try:
        with tempfile.TemporaryDirectory() as folder:
            master, _ = keyfiles.ensure(Path(folder))
            url = made.address("postgres")
            passwords = servers.passwords(url)
            settings = Settings(
                kafka="", instance="attacks", drill_clock=True, database=url, database_passwords=passwords, master_key_file=master
            )
            await prepare_database(settings)
            async with beginning(database.admin(settings)) as tx:
                body = "BEGIN NEW.idx := 5; RETURN NEW; END"
                await tx.execute(text(f"CREATE FUNCTION audit.answers() RETURNS trigger LANGUAGE plpgsql AS '{body}'"))
                put = "CREATE TRIGGER answers BEFORE INSERT ON audit.reading FOR EACH ROW EXECUTE FUNCTION audit.answers()"
                await tx.execute(text(put))
            engine, said = database.admin(settings), ""
            try:
                await readings.record(engine, LENT.encode())
            except Unproven as error:
                said = str(error)
            finally:
                await engine.dispose()
            async with connecting(database.admin(settings)) as tx:
                return {"the command": said, "doctor": "; ".join(await stored_code.differences(tx))}
    finally:
        made.close()


REWRITTEN: dict[str, dict[str, Any]] = {
    "a child becomes an adult": {"traits": structs.replace(CHILD, age="adult")},
    "urgent becomes routine": {"traits": structs.replace(CHILD, urgency="routine")},
    "a real child becomes an exercise": {"drill": True},
    "a section was never there": {"sections": ()},
}


def attacks() -> Iterator[Attack]:
    for what, change in REWRITTEN.items():
        must = ("verify", "replay")
        yield Attack(
            what=f"intake records other words than a school signed: {what} (N16)", power=INTAKES, must=must, run=partial(rewritten, change)
        )
    yield Attack(what="intake turns a signed acceptance into a decline (N16)", power=INTAKES, must=("verify",), run=turned_round)
    yield Attack(what="intake invents the acceptance of an agency that does not sign", power=INTAKES, must=("nobody",), run=invented)
    other = "intake records other words than a school sent, unsigned, and its receipt "
    sdk, beside = ("the sender's program",), ("auditor with receipt and salt",)
    yield Attack(what=f"{other}says so (N16)", power=INTAKES, must=sdk, run=partial(unsigned, owns_up=True))
    yield Attack(what=f"{other}says the sent ones (N16)", power=INTAKES, must=beside, run=partial(unsigned, owns_up=False))
    for beat in (0, 50, 51, 99):
        what = f"a clock two hours ahead, and heartbeat {beat} of 100 is a drill's (N8)"
        yield Attack(what=what, power=LOG_KEY, must=("verify",), run=partial(drilled, beat))
    yield Attack(
        what="a forged record under a key of intake that had ended (N25)", power=RETIRED, must=("verify", "every reader"), run=retired
    )


def served() -> Iterator[Attack]:
    """On a real database: ten seconds."""
    what = "lend every key, and a trigger says that the reading is logged (N11)"
    yield Attack(what=what, power=SQL, must=("the command", "doctor"), run=_answered)
