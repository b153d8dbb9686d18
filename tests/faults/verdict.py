"""What must hold after any number of kills, read from the log, the mailbox and the receipts that clients kept."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import NamedTuple

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from referral.cli import connection
from referral.domain import events as e
from referral.local.mailbox import Mail
from referral.local.stack import Stack
from referral.proof.audit import frozen
from referral.proof.audit.frozen import FrozenEngines
from referral.proof.entry import SEQUENCED, leaf
from referral.proof.history.case import unseal
from referral.proof.verify.log import verify
from referral.proof.verify.report import Finding, Weight
from referral.runtime.postgres import database
from referral.runtime.settings import LINE, Settings
from referral.tlog import merkle
from tests.faults.load import SENDER, Load
from tests.faults.quiet import quiet
from tests.harness import callers

FINE = ("good", "warn")
"""Results of a check that are not red: a stack without a drill is warned of its log, which is signed at once."""
SETTLED_S = 60.0
"""Once nothing is under way: leases of instances that were killed run out, and new ones are taken, in 10 s."""
HEADS = text("SELECT size, root FROM audit.checkpoint UNION ALL SELECT size, root FROM audit.head")
UNOWNED = text("SELECT " + " + ".join(f"(SELECT count(*) FROM {service}.lease WHERE lease_until < clock_timestamp())" for service in LINE))
DELIVERIES = text("SELECT reference, asked, rung, person, channel, again, attempt, state FROM notifier.delivery")


class Delivery(NamedTuple):
    """A knock as the notifier keeps it. reference: 36 characters, of which a mail shows 8."""

    reference: str
    asked: str
    rung: int
    person: str
    channel: str
    again: int
    attempt: int
    state: str


@dataclass
class Verdict:
    """Each a count of broken promises, by name; all zero is good."""

    counts: dict[str, int] = field(default_factory=dict)
    facts: dict[str, int] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)

    @property
    def good(self) -> bool:
        return not any(self.counts.values())


async def judge(stack: Stack, load: Load, known: frozenset[str] = frozenset()) -> Verdict:
    """Wait until the line is quiet, then hold it against every promise. known: rows of doctor that differ for a reason."""
    verdict = Verdict()
    left = await quiet(stack)
    verdict.counts["still under way"] = len(left)
    verdict.notes += left
    doctor = [row for row in await settled(stack) if row.get("name") not in known]
    verdict.counts["doctor"] = sum(row["result"] not in FINE for row in doctor)
    verdict.notes += [f"doctor: {row}" for row in doctor if row["result"] not in FINE]
    sent = await _receipts(load, verdict)
    await asyncio.to_thread(_log, stack, load, sent, verdict)
    return verdict


async def settled(stack: Stack) -> list[dict[str, str]]:
    """The doctor's rows once it finds nothing, or when waiting no longer helps. Leases are looked at first: a doctor costs a second."""
    until = asyncio.get_running_loop().time() + SETTLED_S
    while await _unowned(stack) and asyncio.get_running_loop().time() < until:
        await asyncio.sleep(0.3)
    while True:
        rows = await doctor(stack)
        if all(row["result"] in FINE for row in rows) or asyncio.get_running_loop().time() > until:
            return rows
        await asyncio.sleep(0.5)


async def _unowned(stack: Stack) -> int:
    """Units whose lease is over."""
    engine = database.admin(stack.settings)
    try:
        async with engine.connect() as tx:
            return int((await tx.execute(UNOWNED)).scalar_one())
    finally:
        await engine.dispose()


async def doctor(stack: Stack) -> list[dict[str, str]]:
    """What `referral doctor --json` says."""
    command = (sys.executable, "-c", "from referral.cli import main; main()", "doctor", "--json")
    process = await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.PIPE, env={**os.environ, **stack.environment})
    out, _ = await process.communicate()
    return list(json.loads(out)["checks"]) if out else [{"check": "doctor", "result": f"exit {process.returncode}"}]


async def _receipts(load: Load, verdict: Verdict) -> list[str]:
    """Every key still gives the receipt that it gave, and every record that the broker took has become something. Ids of all referrals."""
    changed, unknown, ids = 0, 0, [receipt["referral_id"] for _, receipt in load.receipts.values()]
    async with callers.client(load.stack, timeout=8) as http:
        for key, (body, receipt) in load.receipts.items():
            answer = await load.send(http, SENDER, "/v1/referrals", key, body)
            changed += answer.json() != receipt
        for key in load.published:
            found = await load.ask(http, SENDER, f"/v1/submissions/{key}")
            state = found.json() if found.status_code == 200 else {}
            unknown += state.get("state") != "TAKEN"
            ids.append(state.get("id", ""))
    verdict.counts["receipts changed"] = changed
    verdict.counts["records of ingress without an outcome"] = unknown
    return ids


AWAY = frozenset({"BROKER_AWAY", "NOT_READ", "RECORDED_LATE", "STALE", "STOOD_STILL", "BUNDLE_OLD", "BUNDLE_EARLY", "ENGINE_OLD"})
"""Findings that may be left unchecked where somebody was away: the log cannot tell an outage from a will (docs/decisions/0085). Once all is
quiet nothing is undecided, overdue or without a knock, so those break a promise here even where `verify` cannot prove it."""


def weighed(findings: Iterable[Finding]) -> tuple[list[Finding], list[Finding]]:
    """Return the findings that no kill and no outage explains, and those that one does. Notes are neither."""
    told = [finding for finding in findings if finding.weight is not Weight.NOTE]
    unchecked = [finding for finding in told if finding.weight is Weight.UNCHECKED and finding.code in AWAY]
    return [finding for finding in told if finding not in unchecked], unchecked


def _log(stack: Stack, load: Load, sent: list[str], verdict: Verdict) -> None:
    mails = tuple(stack.mailbox.mails)  # before the log: what leaves while that is read has no place in it
    entries, keys, deliveries, heads = connection.ask(_kept, stack.settings)
    with FrozenEngines(frozen.own()) as engines:
        report = verify(entries, keys, engines=engines)
    bad, unchecked = weighed(report.findings)
    verdict.counts["differences, gaps and forks (audit verify)"] = len(bad)
    verdict.facts["findings that a server or service that was away explains"] = len(unchecked)
    verdict.notes += [str(finding) for finding in (*bad[:10], *unchecked[:10])]
    verdict.counts["heads that the entries do not carry"] = _uncarried(entries, heads)
    verdict.facts["heads of the log"] = len(heads)
    bodies = [unseal(entry, keys[entry.case_id]).body for entry in entries if entry.kind in SEQUENCED and entry.case_id in keys]
    submitted = Counter(body.referral_id for body in bodies if isinstance(body, e.ReferralSubmitted))
    answered = Counter(body.response_id for body in bodies if isinstance(body, e.ResponseSubmitted))
    outcomes = Counter(
        body.referral_id for body in bodies if isinstance(body, e.CaseOpened | e.ReferralAttached | e.InputIgnored) and body.referral_id
    )
    verdict.counts["referrals lost"] = sum(submitted[i] == 0 or outcomes[i] == 0 for i in sent)
    verdict.counts["answers lost"] = sum(answered[receipt["id"]] == 0 for _, receipt in load.answers.values())
    verdict.counts["opened twice"] = sum(count > 1 for count in (*submitted.values(), *outcomes.values(), *answered.values()))
    _knocks(mails, bodies, deliveries, verdict)
    verdict.facts |= {"log entries": len(entries), "referrals": len(sent), "of them by ingress": len(load.published)}
    verdict.facts |= {"answers": len(load.answers), "mails": len(mails), "requests sent again": load.retries}
    verdict.facts["decisions re-executed"] = report.counts["decisions re-executed"]


def _knocks(mails: tuple[Mail, ...], bodies: list[object], sent: list[Delivery], verdict: Verdict) -> None:
    """Every mail has a KnockSent, or a KnockFailed that says that its sender died; and left at most once for each attempt."""
    opened = {body.offer_id for body in bodies if isinstance(body, e.OfferOpened)}
    tasks = {body.task_id for body in bodies if isinstance(body, e.NeedsPerson)}
    knocks = [body for body in bodies if isinstance(body, e.KnockSent)]
    verdict.counts["knocks without an offer"] = sum(k.offer_id not in opened and k.task_id not in tasks for k in knocks)
    told = {knock.reference for knock in knocks}
    unsure = {_of(body) for body in bodies if isinstance(body, e.KnockFailed) and body.reason == "interrupted"}
    known = {
        row.reference[:8].upper(): row for row in sorted(sent, key=lambda row: row.attempt)
    }  # of those that share a mail the one that sent it
    shown = Counter(_reference(mail.message["Message-ID"]) for mail in mails)
    rows = {shorter: known.get(shorter) for shorter in shown}
    missing = [s for s, row in rows.items() if row is None or (row.reference not in told and row[1:6] not in unsure)]
    verdict.counts["mails that no knock accounts for"] = len(missing)
    verdict.notes += [f"mail {shorter}: {rows[shorter]}" for shorter in missing[:10]]
    verdict.counts["mails repeated without a death"] = sum(shown[s] > row.attempt for s, row in rows.items() if row is not None)
    verdict.facts["mails repeated after a death"] = sum(count - 1 for count in shown.values())
    verdict.facts["mails whose sender died and nobody waits for"] = sum(r is not None and r.reference not in told for r in rows.values())


def _of(body: e.KnockFailed) -> tuple[str | None, int, str | None, str, int]:
    """What tells a delivery from any other."""
    return body.offer_id or body.task_id, body.rung, body.person, body.channel, body.again


def _reference(message_id: str) -> str:
    """The first eight digits of the knock's reference, e.g. EB4F5C8E."""
    return message_id.strip("<>")[:8].upper()


Heads = list[tuple[int, bytes]]


async def _kept(tx: AsyncConnection, found: Settings) -> tuple[list[connection.Entry], dict[str, bytes], list[Delivery], Heads]:
    """The log, the keys to it, what the notifier tried, and every head of the log that was committed or signed."""
    entries = [entry async for entry in connection.entries(tx)]
    heads = [(row.size, row.root) for row in await tx.execute(HEADS)]
    return entries, await connection.case_keys(tx, found), [Delivery(*row) for row in await tx.execute(DELIVERIES)], heads


def _uncarried(entries: list[connection.Entry], heads: Heads) -> int:
    """Heads that the entries do not make."""
    frontier, roots = merkle.Frontier(), {0: merkle.EMPTY}
    for entry in entries:
        frontier = merkle.append(frontier, [merkle.leaf_hash(leaf(entry))])
        roots[frontier.size] = frontier.root
    return sum(roots.get(size) != root for size, root in heads)
