"""Attacks upon what intake alone may say, and what a stranger asks: erasures, receipts, proofs and metrics."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import httpx
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from msgspec import structs
from sqlalchemy.ext.asyncio import create_async_engine
from starlette.applications import Starlette
from structlog.testing import capture_logs

from referral.cli.admin.doctor import checks
from referral.cli.admin.doctor.facts import Facts, Lease, Service
from referral.cli.admin.doctor.result import Result
from referral.domain.events import CaseErased
from referral.domain.inputs import derived, record_input
from referral.proof import receipt as receipts
from referral.runtime import http_server, observe
from referral.runtime.keys import erasure_tag
from referral.runtime.keys.case_keys import Keys
from referral.runtime.service import Batch
from referral.wire.signed import erasure_approval, trust_lines
from referral.wire.signed.erasure_approval import Erasers
from services.audit.api import application
from services.intake.api import receipts as door_receipts
from services.intake.messages.timestamps import EPOCH
from services.intake.model import Receipt
from services.intake.unanswered import ReceiptCheck
from services.routing import batch_decision
from services.routing.current_policy import Bundle
from tests.attacks.ground import Attack, Noticed, copy, verify
from tests.harness import made_log
from tests.harness.audit_log import POLICY, Log, closed, named, story
from tests.harness.erased import APPROVERS, FIRST, INTAKE, KEY, LINES, PLAIN, approved
from tests.harness.erased import erased as erased_by_intake

MASTER_KEY = "with the master key and the broker"
NOBODY = "nobody: no token"
INTAKES = "with intake's own key and the broker"
STOLEN = Ed25519PrivateKey.from_private_bytes(bytes([9]) * 32)


def erased(key: Ed25519PrivateKey | None) -> Noticed:
    """Two innocent accounts have an open case erased. key: what the attacker signs with, None: nothing."""
    log = Log()
    case_id = story(log)
    named(log, *INTAKE.intake)
    body = structs.replace(PLAIN, records=2, approved_at=log.now)
    said = body if key is None else erasure_approval.signed(key, case_id, body)
    meta, source = log.say(case_id, said, derived(case_id, 99), case_id, "intake")
    refused = erasure_tag.signed_erasure(INTAKE, CaseErased.TOPIC, log.entries[-1].value, log.entries[-1].kafka_time) is None
    made = batch_decision.begin(Bundle(number=1, policy=POLICY), log.cases, {}, ())
    made.take(Batch(log.now, (record_input(meta, said, source),), log.keys, frozenset()))
    kept = case_id in made.cases and not made.erased
    return {
        "verify": verify(copy(log.entries), keys=log.keys),
        "every reader": "its seal does not open: intake did not sign it" if refused else "",
        "routing": "the case is open, and goes on with its alarm" if kept else "",
    }


def alone(body: Callable[..., CaseErased], *, ends: bool = True) -> Noticed:
    """Somebody with intake's own key erases a case, where the policy names approvers. ends: it is closed. body: what they write."""
    log = Log()
    named(log, *INTAKE.intake, more=LINES)
    case_id = story(log)
    if ends:
        closed(log, case_id)
    said = body(case_id, records=sum(e.topic == CaseErased.TOPIC for e in log.entries), approved_at=log.now)
    log.say(case_id, said, derived(case_id, 99), case_id, "intake")
    entry = log.entries[-1]
    believed = erasure_tag.signed_erasure(Erasers(INTAKE.intake, APPROVERS), CaseErased.TOPIC, entry.value, entry.kafka_time) is not None
    return {
        "verify": verify(copy(log.entries), keys=log.keys),
        "every reader": "" if believed else "quarantined as seal: two persons did not sign it",
    }


def another_reason(case_id: str, **said: Any) -> CaseErased:
    """What two approvers signed for one reason, signed by intake for another."""
    return erasure_approval.signed(KEY, case_id, structs.replace(approved(case_id, **said), basis="person-asked"))


def swallowed() -> Noticed:
    """A referral is answered with 202, and its row leaves intake's queue before anything is said of it."""
    made = Receipt(kind="referral", id="r", case_id="c", event_id="e", received_at=0)
    told = structs.asdict(door_receipts.referral_receipt(made, KEY))
    until = receipts.promised(told, made_log.policy() + trust_lines.intake_line(INTAKE.intake[0]))
    late = until - EPOCH == timedelta(seconds=receipts.PROMISE_S)
    seen = Facts(now=receipts.PROMISE_S * 1_000_000 + 1, owed=[("e", "c", 0)])
    found = checks.conservation(seen)
    return {
        "the sender's receipt": f"signed by intake, to be in the log by {until}: broken since" if late else "",
        "doctor": found.said if found.result is Result.BAD else "",
    }


def second_loss() -> Noticed:
    """A referral is swallowed while another one waits for its answer already."""
    door: Any = None
    look = ReceiptCheck(door)
    with capture_logs() as said:
        for count in (1, 1, 2):
            look._report("decided", count)
    return {"intake": f"{said[-1]['event']}: {said[-1]['count']}; {said[-1]['hint']}" if len(said) == 2 else ""}


def older_copy() -> Noticed:
    """Intake's tables are those of an hour ago, under a service that runs: it stops, and doctor says so."""
    lease = Lease(unit="p3", held=True, positions={})
    alive = {"intake-1": "rewound-sql: p3"}
    intake = Service(name="intake", alive=alive, leases=(lease,), outbox=(), queue=(0, None))
    found = checks.leases(Facts(now=1, services={"intake": intake}))
    return {"doctor": found.said if found.result is Result.BAD else ""}


def asked(path: str, *other: str) -> Noticed:
    """A stranger asks audit and a service for this; the answer is the same for every other id."""

    async def answers() -> list[httpx.Response]:
        nowhere = create_async_engine("postgresql+asyncpg://nobody@127.0.0.1:1/none")
        app = http_server.server(observe.Health(), Starlette(routes=application(nowhere, Keys(bytes(32))).routes)).config.app
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://public") as stranger:  # type: ignore[arg-type]
            return [await stranger.get(one) for one in (path, *other)]

    first, *rest = asyncio.run(answers())
    told = f"HTTP {first.status_code}: {first.text}"
    shut = first.status_code in (401, 404) and all((one.status_code, one.content) == (first.status_code, first.content) for one in rest)
    return {"the public address": told if shut and "referral_records" not in first.text else ""}


def attacks() -> Iterator[Attack]:
    event = derived("00000000-0000-4000-8000-000000000001", 0)
    each = (
        ("an open case erased by one record, unsigned", MASTER_KEY, ("verify", "every reader"), lambda: erased(None)),
        ("an open case erased by one record, signed with another key", MASTER_KEY, ("verify", "every reader"), lambda: erased(STOLEN)),
        ("an open case erased, where no approvers are named", INTAKES, ("verify", "routing"), lambda: erased(KEY)),
        (
            "a closed case erased, with two innocent accounts in it (A1)",
            INTAKES,
            ("verify", "every reader"),
            lambda: alone(erased_by_intake),
        ),
        (
            "a closed case erased, asked for and approved by one approver (A1)",
            f"{INTAKES}, one approver",
            ("verify", "every reader"),
            lambda: alone(lambda case_id, **said: approved(case_id, FIRST, FIRST, **said)),
        ),
        (
            "a case erased by an approval that was given for another reason (A1)",
            INTAKES,
            ("verify", "every reader"),
            lambda: alone(another_reason),
        ),
        ("an open case erased by two approvers", f"{INTAKES}, two approvers", ("verify",), lambda: alone(approved, ends=False)),
        ("a referral swallowed behind the door", "writes intake's tables", ("the sender's receipt", "doctor"), swallowed),
        (
            "a second referral swallowed while the first one waits (N29)",
            "writes intake's tables",
            ("intake",),
            second_loss,
        ),
        ("an older copy of intake's tables under the running service (N19)", "writes intake's tables", ("doctor",), older_copy),
        (
            "whether a decision was made, asked by its computed id",
            NOBODY,
            ("the public address",),
            lambda: asked(f"/proofs/{event}", f"/proofs/{derived(event, 3)}"),
        ),
        ("when somebody refers a child, asked of the metrics", NOBODY, ("the public address",), lambda: asked("/metrics")),
    )
    for what, power, must, run in each:
        yield Attack(what=what, power=power, must=must, run=run)
