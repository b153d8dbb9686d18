"""Attacks at the doors: what a sender, or a stranger, sends so that a referral loses something, stands still, or stops others.

`attacks` need no server but one that they start on loopback. `served` start one PostgreSQL for all together: in `make attacks` only, and as
contract tests in `tests/integration/intake/test_reused.py`, `test_intake_crowd.py` and `test_notifier_flood.py`.
"""

from __future__ import annotations

import asyncio
import tempfile
import time
from functools import cache, partial
from pathlib import Path
from unittest.mock import patch

from starlette.applications import Starlette

from referral.domain.events import KnockSent
from referral.errors import Rejected
from referral.local import keyfiles
from referral.runtime import http_connection, http_server, observe
from referral.runtime.bootstrap import prepare_database
from referral.runtime.settings import Settings
from services.intake.commands import idempotency
from services.intake.htcds import reader as htcds_read
from services.intake.htcds import record
from services.intake.htcds.reader import Record
from tests.attacks.ground import Attack, Noticed
from tests.harness import servers, smtp
from tests.harness.htcds_values import shipped, table
from tests.harness.line import intake_stack, notifier_stack
from tests.harness.waiting import until
from tests.integration.intake.test_reused import FIRST, OTHER, encoded, published
from tests.unit.intake.test_every_door import BASE, DAY, DOORS, KEYS, by_avro_on_kafka, by_http

SENDER, ACCUSED, STRANGER = "a sender", "an agency that a child accuses", "a stranger"
PERSON, TOKEN = "a member of staff, by a form", "a sender, whose token was stolen"
IDLE, HEAD_S = 500, 0.5
FLOOD = 113
"""Emergencies of the review, which came in 10 s and woke three officers 339 times."""


def attacks() -> list[Attack]:
    every = ("HTTP", *DOORS, "a row of HTCDS")
    return [
        Attack(what="be named in excludes of an Avro record", power=ACCUSED, must=("intake",), run=_avro),
        Attack(what="refer a child as an adult in a child's age band", power=SENDER, must=every, run=_contradiction),
        Attack(what="a file of a million columns", power=SENDER, must=("door",), run=_columns),
        Attack(what="post a form under a number of the agency's system", power=PERSON, must=("system",), run=_form),
        Attack(what=f"{IDLE} connections that say nothing", power=STRANGER, must=("server", "others"), run=_idle),
    ]


def served() -> list[Attack]:
    """On a real database: seconds, not milliseconds."""
    return [
        Attack(what="another child under a used number, by the other door", power=SENDER, must=("sender",), run=partial(_said, "reused")),
        Attack(what=f"{FLOOD} emergencies at once", power=TOKEN, must=("every case", "officer"), run=partial(_said, "flood")),
    ]


def _avro() -> Noticed:
    made = {**BASE, "excludes": ["agency:police-prizren"]}
    found = by_avro_on_kafka(made)
    return {"intake": f"{', '.join(found.excludes)} is kept away, as by HTTP" if found.excludes == by_http(made).excludes else ""}


def _contradiction() -> Noticed:
    made = {"traits": {**BASE["traits"], "age": "adult", "age_band": "12-14"}}
    said = {}
    for name, send in {"HTTP": by_http, **{name: door[0] for name, door in DOORS.items()}}.items():
        try:
            send(made)
        except Rejected as why:
            said[name] = f"{why.code} at {why.where}"
    cells = {"ref_FoundIn": "prizren", "ref_Age": "adult", "prs_Birthdate": "2013-05-17"}
    row = record.read(Record(row=2, place="row 2, ", cells=cells), table(), shipped(), DAY)
    faults = row.faults if isinstance(row, record.Faulty) else ()
    return {**said, "a row of HTCDS": ", ".join(f"{fault.code} at {fault.where}" for fault in faults)}


def _columns() -> Noticed:
    began = time.process_time()
    try:
        htcds_read.from_csv(b"ref_FoundIn" + b"," * 1_000_000 + b"\n" + b"x\n" * 500, table())
    except Rejected as why:
        return {"door": f"{why.code} at {why.where}" if time.process_time() - began < 1 else ""}
    return {}


def _form() -> Noticed:
    number = "police-2026-0042"
    forms = {idempotency.form_digest(KEYS, "police", who, number) for who in ("one", "two")}
    system = idempotency.key_digest(KEYS, "police", number, "Idempotency-Key")
    return {"system": "its number is still free" if len(forms | {system}) == 3 else ""}


def _idle() -> Noticed:
    with patch.object(http_connection, "HEAD_S", HEAD_S):
        return asyncio.run(_held())


async def _held() -> Noticed:
    server, bound = http_server.server(observe.Health(), Starlette()), http_server.listen("127.0.0.1", 0)
    bound.listen()
    port, task = bound.getsockname()[1], asyncio.create_task(http_server.serve(server, bound))
    idle = [await asyncio.open_connection("127.0.0.1", port) for _ in range(IDLE)]
    began = time.monotonic()
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(b"GET /healthz HTTP/1.1\r\nHost: here\r\nConnection: close\r\n\r\n")
    answer, took = await reader.read(), time.monotonic() - began
    try:
        async with asyncio.timeout(20):
            await asyncio.gather(*(one.read() for one, _ in idle))
        closed = f"closed all of them {HEAD_S:g} s after they opened"
    except TimeoutError:
        closed = ""
    server.should_exit = True
    await task
    return {"server": closed, "others": "are answered within a second" if answer.startswith(b"HTTP/1.1 200") and took < 1 else ""}


def _said(name: str) -> Noticed:
    return _every()[name]


@cache
def _every() -> dict[str, Noticed]:
    return asyncio.run(_carried_out())


async def _carried_out() -> dict[str, Noticed]:
    made = servers.Servers()
    try:
        with tempfile.TemporaryDirectory() as folder:
            master, _ = keyfiles.ensure(Path(folder))
            url = made.address("postgres")
            own = {"database": url, "database_passwords": servers.passwords(url), "master_key_file": master}
            settings = Settings(kafka="", instance="attacks", drill_clock=True, **own)
            await prepare_database(settings)
            async with intake_stack.stack(settings) as intake:
                reused = await _reused(intake)
            async with notifier_stack.stack(settings.database, master) as notifier, smtp.relay() as relay:
                return {"reused": reused, "flood": await _flood(notifier, relay)}
    finally:
        made.close()


async def _reused(intake: intake_stack.Stack) -> Noticed:
    await intake.submit(FIRST, key="k")
    await published(intake, "k", encoded(OTHER))
    state = (await intake.get("school", "/v1/submissions/k")).json()
    return {"sender": ", ".join(f"{state['state']}, and {one['code']} at {one['where']}" for one in state.get("refusals", ()))}


async def _flood(notifier: notifier_stack.Stack, relay: smtp.Relay) -> Noticed:
    people = 3
    for n in range(people):
        await notifier.person(f"officer-{n}")
    for _ in range(FLOOD):
        await notifier.tell(await notifier.case(), notifier_stack.opened())
    async with notifier_stack.sending(notifier.sender(relay.port)):
        await until(lambda: notifier_stack.ended(notifier, people * FLOOD))
    knocks, letters = len(notifier_stack.of(await notifier.drain(), KnockSent)), len(relay.letters)
    return {
        "every case": f"has its {people} knocks in the log" if knocks == people * FLOOD else "",
        "officer": f"is woken {letters / people:.0f} times" if people <= letters <= people * 6 else "",
    }
