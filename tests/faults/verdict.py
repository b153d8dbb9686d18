"""What must hold after any number of kills, read from the log, the mailbox and the receipts that clients kept."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from collections import Counter
from dataclasses import dataclass, field

import httpx

from referral.cli import log
from referral.domain import events as e
from referral.local.stack import Stack
from referral.proof.entry import SEQUENCED
from referral.proof.history import unseal
from referral.proof.verify import verify
from tests.faults.load import SENDER, Load

QUIET_S = 120.0
"""Longest wait, after the load has ended, until everything that was taken is decided and logged."""


@dataclass
class Verdict:
    """Each a count of broken promises, by name; all zero is good."""

    counts: dict[str, int] = field(default_factory=dict)
    facts: dict[str, int] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)

    @property
    def good(self) -> bool:
        return not any(self.counts.values())


async def judge(stack: Stack, load: Load) -> Verdict:
    """Wait until the line is quiet, then hold it against every promise."""
    verdict = Verdict()
    doctor = await quiet(stack)
    verdict.counts["doctor"] = sum(row["result"] != "good" for row in doctor)
    verdict.notes += [f"doctor: {row}" for row in doctor if row["result"] != "good"]
    await _receipts(stack, load, verdict)
    await asyncio.to_thread(_log, stack, load, verdict)
    return verdict


async def quiet(stack: Stack) -> list[dict[str, str]]:
    """The doctor's rows, once nothing is under way (or when waiting no longer helps)."""
    async with asyncio.timeout(QUIET_S):
        for process in stack.processes.values():
            await process.ready()
    until = asyncio.get_running_loop().time() + QUIET_S
    while True:
        rows = await doctor(stack)
        if all(row["result"] == "good" for row in rows) or asyncio.get_running_loop().time() > until:
            return rows
        await asyncio.sleep(0.5)


async def doctor(stack: Stack) -> list[dict[str, str]]:
    """What `referral doctor --json` says."""
    command = (sys.executable, "-c", "from referral.cli import main; main()", "doctor", "--json")
    process = await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.PIPE, env={**os.environ, **stack.environment})
    out, _ = await process.communicate()
    return list(json.loads(out)["checks"]) if out else [{"check": "doctor", "result": f"exit {process.returncode}"}]


async def _receipts(stack: Stack, load: Load, verdict: Verdict) -> None:
    """Every key still gives the receipt that it gave."""
    changed = 0
    async with httpx.AsyncClient(timeout=8, trust_env=False) as http:
        for key, (body, receipt) in load.receipts.items():
            answer = await load.send(http, SENDER, "/v1/referrals", key, body)
            changed += answer.json() != receipt
    verdict.counts["receipts changed"] = changed


def _log(stack: Stack, load: Load, verdict: Verdict) -> None:
    entries, keys = log.ask(log_and_keys, stack.settings)
    report = verify(entries, keys)
    bad = [finding for finding in report.findings if finding.weight >= 1]
    verdict.counts["differences, gaps and forks (audit verify)"] = len(bad)
    verdict.notes += [str(finding) for finding in bad[:10]]
    bodies = [unseal(entry, keys[entry.case_id]).body for entry in entries if entry.kind in SEQUENCED and entry.case_id in keys]
    submitted = Counter(body.referral_id for body in bodies if isinstance(body, e.ReferralSubmitted))
    answered = Counter(body.response_id for body in bodies if isinstance(body, e.ResponseSubmitted))
    outcomes = Counter(
        body.referral_id for body in bodies if isinstance(body, e.CaseOpened | e.ReferralAttached | e.InputIgnored) and body.referral_id
    )
    sent = [receipt["referral_id"] for _, receipt in load.receipts.values()]
    verdict.counts["referrals lost"] = sum(submitted[i] == 0 or outcomes[i] == 0 for i in sent)
    verdict.counts["answers lost"] = sum(answered[receipt["id"]] == 0 for _, receipt in load.answers.values())
    verdict.counts["opened twice"] = sum(count > 1 for count in (*submitted.values(), *outcomes.values(), *answered.values()))
    _knocks(stack, bodies, verdict)
    verdict.facts |= {"log entries": len(entries), "referrals": len(sent), "answers": len(load.answers), "mails": len(stack.mailbox.mails)}
    verdict.facts["decisions re-executed"] = report.counts["decisions re-executed"]


def _knocks(stack: Stack, bodies: list[object], verdict: Verdict) -> None:
    opened = {body.offer_id for body in bodies if isinstance(body, e.OfferOpened)}
    tasks = {body.task_id for body in bodies if isinstance(body, e.NeedsPerson)}
    knocks = [body for body in bodies if isinstance(body, e.KnockSent)]
    verdict.counts["knocks without an offer"] = sum(k.offer_id not in opened and k.task_id not in tasks for k in knocks)
    told = {knock.reference[:8].upper() for knock in knocks}
    shown = Counter(_reference(mail.message["Subject"]) for mail in stack.mailbox.mails)
    verdict.counts["mails that no knock accounts for"] = sum(reference not in told for reference in shown)
    verdict.facts["mails repeated after a kill"] = sum(count - 1 for count in shown.values())


def _reference(subject: str) -> str:
    """The eight digits that a knock shows, e.g. (EB4F-5C8E)."""
    return subject.rpartition("(")[2].rstrip(")").replace("-", "").upper()


async def log_and_keys(tx: log.AsyncConnection, found: log.Settings) -> tuple[list[log.Entry], dict[str, bytes]]:
    return [entry async for entry in log.entries(tx)], await log.case_keys(tx, found)
