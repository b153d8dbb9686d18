"""What is in the case file is in clear nowhere: not in the broker's files, the database's, a log, a metric, an address or a mail."""

from __future__ import annotations

import asyncio
import re
import uuid

import pytest

from referral.domain.events import CaseOpened, DecisionRecorded, OfferAccepted, OfferOpened
from referral.domain.policy import policy
from referral.domain.policy.questions import KNOWN
from referral.proof.verify.report import Finding, Report, Weight
from referral.wire import policy_digest
from tests.faults.line import Line
from tests.faults.load import SENDER
from tests.faults.quiet import quiet
from tests.faults.verdict import doctor
from tests.harness.markers import in_files, in_tables

pytestmark = [pytest.mark.servers, pytest.mark.asyncio(loop_scope="session")]
SCRIPTS = ("Zorica-Markerova", "Зорица-Маркерова", "Lirië-Markërova")
AGENCIES = {"police-prishtine": "police", "csw-prishtine": "csw", "advocate-prishtine": "support"}
"""Agency → its step, in the order in which they are asked."""
ELSEWHERE = ("reason", "child-view", KNOWN)
"""Personal sections that are no code of `$.file`: the first two are written with a decision. The last one holds the answers to the plain
questions, which a page takes from closed lists alone: no word of ours can stand in it."""


def marked(section: str) -> dict[str, object]:
    """A section whose every field, whatever its type, holds something that nobody else writes."""
    names = [f"{script}-{section}" for script in SCRIPTS]
    return {"text": names[0], "more": {"names": names, "in a list": [{"of things": names[2]}]}, names[1]: "as a field's name"}


async def test_nothing_of_the_case_file_is_in_clear_anywhere(line: Line) -> None:
    sections = policy.compile(policy_digest.read(line.stack.settings.policy)).sections
    written = [name for name, section in sections.items() if section.personal and name not in ELSEWHERE]
    assert len(written) >= 9
    file = {name: marked(name) for name in written}
    receipt = await line.refer(f"markers-{uuid.uuid4().hex}", file=file)
    case_id = receipt["case_id"]
    await line.logged(case_id, CaseOpened)
    texts = dict.fromkeys(("reason", "child-view"), " ".join(f"{script}-decision" for script in SCRIPTS))
    for agency, step in AGENCIES.items():
        await line.answers(agency, case_id, step, "ACCEPT")
    await line.logged(case_id, OfferAccepted, len(AGENCIES))
    guardian = await line.offer("csw-prishtine", case_id, "guardian")
    await line.respond("csw-prishtine", guardian["offer_id"], "DECIDE", code="csw-guardian", texts=texts)
    await line.logged(case_id, DecisionRecorded)
    seen = await line.door.ask(line.http, "csw-prishtine", f"/v1/cases/{case_id}/file")
    assert all(script in seen.text for script in SCRIPTS), "who holds the offer reads it"
    refused = await line.door.send(line.http, SENDER, "/v1/referrals", f"{SCRIPTS[0]}-key", {"traits": {"concern": SCRIPTS[0]}})
    assert refused.status_code == 422 or refused.status_code == 400
    assert not any(script in refused.text for script in SCRIPTS), "a refusal does not repeat what it refuses"
    await quiet(line.stack)
    await line.rows("CHECKPOINT")

    metrics = [(await line.http.get(f"https://{p.inner}/metrics")).text for p in line.stack.processes.values() if "-" in p.name]
    assert not any(re.search("|".join(SCRIPTS), text) for text in metrics)
    assert not any(re.search("|".join(SCRIPTS), f"{m.message}{m.text}") for m in line.stack.mailbox.mails)
    assert len(metrics) > 3 and line.stack.mailbox.mails, "there was something to look at"
    async with line.admin.connect() as tx:
        assert await in_tables(tx, *SCRIPTS) == [], "no table shows it"
    assert await asyncio.to_thread(in_files, line.stack.config.data, *SCRIPTS) == []


async def test_without_its_key_a_case_is_unreadable_and_its_integrity_is_still_proven(line: Line) -> None:
    receipt = await line.refer(f"key-{uuid.uuid4().hex}")
    case_id = receipt["case_id"]
    await line.logged(case_id, OfferOpened)
    await quiet(line.stack)
    before = await line.verified()
    assert about(before, case_id) == []
    taken = await line.rows("DELETE FROM keys.case_key WHERE case_id = :case RETURNING reader, wrapped", case=case_id)
    try:
        without = await line.verified()
        (finding,) = about(without, case_id)
        assert (finding.code, finding.weight) == ("KEY_GONE", Weight.UNCHECKED)
        assert "are whole but cannot be read" in finding.what
        assert without.exit_code() == 3
        (keys,) = [row for row in await doctor(line.stack) if row["name"] == "keys"]
        assert keys["result"] == "BAD"
        assert f"case {case_id} has no key" in keys["said"]
        assert f"the state of case {case_id} does not open" in keys["said"]
    finally:
        for row in taken:
            await line.rows("INSERT INTO keys.case_key VALUES (:case, :to, :form)", case=case_id, to=row.reader, form=row.wrapped)
    assert about(await line.verified(), case_id) == []


def about(report: Report, case_id: str) -> list[Finding]:
    return [finding for finding in report.findings if finding.case_id == case_id]
