"""Attacks upon what an auditor relies on: the clocks, the branches of a fork, and that somebody looks at a log that goes on."""

from __future__ import annotations

import asyncio
import time
import uuid
from collections.abc import Iterator
from contextlib import AsyncExitStack
from functools import partial

from rich.progress import Progress

from referral.cli.audit import monitor
from referral.cli.audit.monitor import PATIENCE_S, verdict
from referral.cli.audit.replay import Selection, casebook, selected_lines
from referral.domain.events import Word
from referral.local import keyfiles
from referral.proof.audit.judge import VerifyOptions
from referral.proof.audit.judge import judge as judged
from referral.proof.heartbeat import STILL_S
from referral.proof.history.words import english
from referral.proof.lookup import BAD
from referral.tlog import note, witness_policy
from referral.tlog.checkpoint import Checkpoint
from referral.tlog.note import Note
from services.audit import case_view
from tests.attacks.ground import Attack, Noticed, copy, honest, verify
from tests.harness.audit_log import MINUTE, Log, asked, named, response, story
from tests.harness.line.audit_stack import answering, serving
from tests.harness.made_log import LOG, NOW, ORIGIN, WITNESSES
from tests.unit.proof.test_branches import forged_answer, write

SQL = "one SQL statement on the database's clock"
CASE_KEY = "with the case's key, writes to the topic"
LOG_KEY = "with the log's key"
DAY = 24 * 60 * MINUTE


def clock(ahead: int) -> Noticed:
    """UPDATE runtime.clock SET offset_us = …: the limits of a child pass in seconds, or are a month old."""
    log = Log(now=NOW * 1_000_000 - 90 * DAY)
    story(log, "honest")
    log.now, log.ahead = log.now + 2 * MINUTE + ahead, ahead
    story(log, "moved")
    return {"verify": verify(copy(log.entries), keys=log.keys)}


def forged_acceptance() -> Noticed:
    """An agency is made to accept; its own answer comes later."""
    log = Log()
    case_id, offer = asked(log, "child")
    log.input(case_id, response(offer, Word.ACCEPT, "forged"), "forged")
    write(log, case_id, response(offer, Word.DECLINE, "true"), 2, cause=str(uuid.UUID(int=9)))
    return {"verify": verify(copy(log.entries), keys=log.keys)}


def unsigned_acceptance() -> Noticed:
    """The same, where the policy names writers: whoever looks sees which one is forged, and what the agency truly said."""
    log = Log(signed=True)
    named(log)
    case_id, offer = asked(log, "child")
    forged = write(log, case_id, response(offer, Word.ACCEPT, "forged"), 2, cause=case_id)
    log.now += MINUTE
    log.input(case_id, response(offer, Word.DECLINE, "true"), "decline")
    entries, key = [e for e in log.entries if e.case_id == case_id], log.keys[case_id]
    book, _ = casebook(copy(log.entries), None)
    told = {line.idx: line for line in selected_lines(book, lambda _: log.keys, Selection(case=case_id))}
    rows = {row.idx: row for row in case_view.rows(entries, key, {}, english(), book.believed)}
    true = any("declines" in line.what and line.mark != BAD for line in told.values())
    return {
        "verify": verify(copy(log.entries), keys=log.keys),
        "replay": f"entry {forged.idx}: {told[forged.idx].what}" if told[forged.idx].mark == BAD and true else "",
        "auditor's page": rows[forged.idx].what if rows[forged.idx].marks == (BAD,) else "",
    }


def forged_decision() -> Noticed:
    """Another agency is asked than the rules lead to; routing's own records come later and stand as forks."""
    log = Log()
    _, forged = forged_answer(log)
    said = verify(copy(log.entries), keys=log.keys)
    report = judged(copy(log.entries), VerifyOptions(keys=log.keys), Progress(disable=True)).report
    named = next((f for f in report.findings if f.code == "DECISION_DIFFERS" and f.idx == forged[-1].idx), None)
    return {"verify": said, "verify names the forged one": str(named or "")}


def shown(size: int, root: bytes, signer: int, seconds: int) -> bytes:
    """A note of the log that this witness has signed."""
    made = Checkpoint(ORIGIN, size, root).sign(LOG)
    return Note(made.text, (*made.signatures, note.sign(made.text, WITNESSES[signer], seconds))).encode()


async def _watched(notes: list[bytes], silent: float) -> str:
    """What a monitor says of these witnesses beside a log that answers nothing."""
    async with AsyncExitStack() as stack:
        urls = [await stack.enter_async_context(serving(answering(200, seen))) for seen in notes]
        told = [(f"w{n}", key.verifier, url) for n, (key, url) in enumerate(zip(WITNESSES, urls, strict=False))]
        policy = witness_policy.parse(keyfiles.policy(LOG.verifier, told))
        code, line = verdict(await monitor.poll(policy, "http://127.0.0.1:9"), silent, PATIENCE_S)
    return line if code == 1 else ""


def silent_split() -> Noticed:
    """Two witnesses are shown two histories, and the log answers nobody, so that neither is led to the other."""
    now = int(time.time())
    notes = [shown(250, bytes(32), 0, now), shown(251, b"x" * 32, 1, now)]
    assert not asyncio.run(_watched(notes, 0)), "a log may be away for a moment"
    return {"monitor": asyncio.run(_watched(notes, PATIENCE_S))}


def stands_still() -> Noticed:
    """Audit is stopped for good: what it has logged is whole, and nothing more is logged."""
    last = shown(250, bytes(32), 0, NOW - 10**6)
    asked = VerifyOptions(keys=honest().keys, max_age=STILL_S, now=NOW + STILL_S + 1)
    report = judged(copy(), asked, Progress(disable=True)).report
    said = next((str(found) for found in report.findings if found.code == "STALE"), "")
    return {"verify": said if report.exit_code() else "", "monitor": asyncio.run(_watched([last], 0))}


def attacks() -> Iterator[Attack]:
    for what, ahead in (("set the clock two hours ahead", 120 * MINUTE), ("set the clock back by a month", -30 * DAY)):
        yield Attack(what=what, power=SQL, must=("verify",), run=partial(clock, ahead))
    yield Attack(what="forge an acceptance before the true answer", power=CASE_KEY, must=("verify",), run=forged_acceptance)
    must = ("verify", "replay", "auditor's page")
    yield Attack(what="forge an acceptance that intake has not signed", power=CASE_KEY, must=must, run=unsigned_acceptance)
    must = ("verify", "verify names the forged one")
    yield Attack(what="forge a decision, which the true one forks", power=CASE_KEY, must=must, run=forged_decision)


def watched() -> Iterator[Attack]:
    """Those that need sockets: a second each."""
    yield Attack(what="a split view behind a silent log", power=LOG_KEY, must=("monitor",), run=silent_split)
    yield Attack(what="a log that stands still", power="stops audit", must=("verify", "monitor"), run=stands_still)
