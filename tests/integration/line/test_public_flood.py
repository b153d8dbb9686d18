"""Ten thousand reports in an hour upon the real line, and in their midst a teacher: who is woken, what is stored, what the desk does."""

from __future__ import annotations

import asyncio
import os
import re
import sys
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import httpx
import pytest
from sqlalchemy import text

from referral.cli.stack import cast, up
from referral.cli.stack.cast import Cast
from referral.local.config import StackConfig
from referral.local.stack import Stack
from referral.runtime.postgres import database
from services.intake.public import limits
from tests.faults.quiet import quiet
from tests.harness import callers
from tests.harness.markers import in_files, in_tables
from tests.harness.waiting import PATIENCE_S, comes, until
from tests.harness.web import flood, forms
from tests.harness.web.flood import Report, Visitor

pytestmark = [pytest.mark.servers, pytest.mark.long]
COUNT = 10_000
TOWN, DESK = "prizren", "desk-prizren"
TEACHER = "Marker-Mësuesja-Зорица"
PARTS = ("Marker-M", "Зорица")
"""Parts of the marker, each in one script."""
MARKED = tuple((name, f"{TEACHER}: {name}") for name in ("need.happened", "need.where", "need.child", "who", "role", "when"))
TASK = re.compile(r'href="/unverified/([0-9a-f-]{36})"')
WOKEN = (
    "SELECT d.person, count(DISTINCT d.asked) FROM notifier.delivery d WHERE d.state = 'SENT' GROUP BY d.person "
    "HAVING count(DISTINCT d.asked) > 1"
)
WAITS = "SELECT count(*) FROM intake.task WHERE about = 'confirm-referral' AND closed_at IS NULL"
LATE = "SELECT count(*) FROM intake.task WHERE about = 'confirm-referral' AND closed_at IS NULL AND due < runtime.clock()"


async def test_ten_thousand_reports_in_an_hour_wake_nobody_twice_and_hide_no_teacher(
    tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REFERRAL_PROXY", "127.0.0.1")
    data = tmp_path_factory.mktemp("flood")
    async with up.running(StackConfig(data=data, drill=True, handset=True)) as stack:
        people = cast.load(data)
        before = await size(stack)
        accepted = await asyncio.to_thread(_attack, stack)
        await until(lambda: _count(stack, WAITS, accepted), what="routing has asked the desks")
        assert await quiet(stack) == []
        await _stored(stack, accepted, before)
        assert await rows(stack, LATE) == [(0,)], "the teacher is found within the limit"
        assert await rows(stack, WOKEN) == [], "nobody is woken for a second report"
        mails = Counter(to for mail in stack.mailbox.mails for to in mail.recipients)
        assert any(to.startswith(f"{DESK}.") for to in mails) and max(mails.values()) <= 3, "one alert, and its two repeats at most"
        await asyncio.to_thread(_cleared, stack, people)
        await _nowhere(stack, data)


def _attack(stack: Stack) -> int:
    """The flood, and a teacher in its midst; then the guesses. Return how many were accepted."""
    url, tls = stack.url("intake"), callers.browser(stack)
    with flood.visitor(url, tls) as attacker, flood.visitor(url, tls) as teacher, ThreadPoolExecutor(2) as two:
        places = re.search(r'<select id="found_in".*?</select>', _about(attacker), re.DOTALL)
        assert places is not None
        towns = tuple(town for town in re.findall(r'value="([a-z-]+)"', places[0]) if town != "unknown")
        attack = list(flood.an_hour(towns, COUNT))
        found = flood.send(attacker, attack[: COUNT // 2])
        rest = two.submit(flood.send, attacker, attack[COUNT // 2 :])
        code = flood.code_of(teacher.report(Report("198.51.100.200", MARKED)))
        found += rest.result()
        assert set(found) == {200, 429} and found.total() == COUNT
        assert limits.CROWD_IN_ALL / 2 <= found[200] <= limits.IN_ALL
        guesses = two.submit(flood.guess, attacker, COUNT)
        looks = [teacher.look(code, "203.0.113.7") for _ in range(20)]
        assert {look.status_code for look in looks} == {200}, "a right code among ten thousand wrong ones, from the same address"
        assert guesses.result() == {404: COUNT}
        known = "danger is offered to the police and social workers on duty before a desk has read the report"
        assert comes(lambda: "<h1>Passed on</h1>" in teacher.look(code).text), known
    return found[200] + 1


def _about(by: Visitor) -> str:
    return by.http.post("/refer", data=by.form | flood.EVERY | {"at": "danger", "go": "next"}).text


async def rows(stack: Stack, sql: str) -> list[tuple[object, ...]]:
    engine = database.admin(stack.settings)
    try:
        async with engine.connect() as tx:
            found = await tx.execute(text(sql))
            return [tuple(row) for row in found.all()] if found.returns_rows else []
    finally:
        await engine.dispose()


async def _count(stack: Stack, sql: str, wanted: int) -> bool:
    return await rows(stack, sql) == [(wanted,)]


async def size(stack: Stack) -> int:
    """Bytes of the database."""
    [(found,)] = await rows(stack, "SELECT pg_database_size(current_database())")
    return int(str(found))


async def _stored(stack: Stack, accepted: int, before: int) -> None:
    """A row for each report that was accepted, and nothing of the others."""
    for table in ("intake.casefile", "intake.submission", "intake.referral"):
        assert await rows(stack, f"SELECT count(*) FROM {table}") == [(accepted,)], table
    grown = (await size(stack) - before) / accepted
    print(f"{accepted} of {COUNT} accepted, {grown / 1000:.1f} kB of the database each")
    assert limits.STORED / 2 < grown <= limits.STORED, f"{grown:.0f} bytes each: say so in docs/figures.md"


def _cleared(stack: Stack, people: Cast) -> None:
    """The desk finds the teacher's report, confirms it, and refuses the rest in three presses a page."""
    person = people.of(DESK)[0]
    url, tls = stack.url("intake"), callers.browser(stack)
    with forms.Browser(base_url=url, timeout=PATIENCE_S, trust_env=False, verify=tls) as desk:
        forms.sign_in(desk, person.login, people.password)
        presses, task = 0, ""
        while cards := TASK.findall(listed := desk.get("/unverified").text):
            waits = len(cards)
            read = desk.post("/unverified/read", data=forms.hidden(listed)).text
            marks = {}
            if not task and TEACHER in read:
                task = TASK.findall(read.split(TEACHER)[0])[-1]
                marks = {"mark.1": task}
                _confirmed(desk, task)
            if waits > len(marks):
                chosen = forms.hidden(read) | marks | {"which": "others", "reason": "made-up"}
                ask = desk.post("/unverified/refuse", data=chosen)
                assert ask.status_code == 200, ask.text
                assert desk.post("/unverified/refuse", data=forms.hidden(ask.text)).status_code == 303
            presses += 3
            assert comes(partial(_gone, desk, set(cards))), "what was answered leaves the list"
        assert task, "the teacher's report was in the list"
        assert presses <= 3 * 5, f"{presses} presses"


def _gone(desk: httpx.Client, cards: set[str]) -> bool:
    return not cards & set(TASK.findall(desk.get("/unverified").text))


def _confirmed(desk: httpx.Client, task: str) -> None:
    opened = desk.post(f"/unverified/{task}/show", data=forms.hidden(desk.get(f"/unverified/{task}").text))
    form = forms.hidden(opened.text)
    traits = {"found_in": TOWN, "concern": "trafficking", "age_band": "12-14", "urgency": "emergency"}
    assert desk.post(f"/unverified/{task}/answer", data=form | traits | {"answer": "confirm"}).status_code == 303


async def _nowhere(stack: Stack, data: Path) -> None:
    """What the teacher wrote is in no message, metric, log, topic or table."""
    assert await quiet(stack) == []
    await rows(stack, "CHECKPOINT")
    async with httpx.AsyncClient(trust_env=False, verify=callers.operator(stack)) as http:
        inner = [f"https://{process.inner}/metrics" for process in stack.processes.values() if "-" in process.name]
        shown = [(await http.get(url)).text for url in inner]
    shown += [f"{mail.message}{mail.text}" for mail in stack.mailbox.mails]
    shown += [entry.text for entry in stack.handset.entries]
    shown.append(await _sheet(stack))
    assert len(shown) > 10 and not [one for one in shown if TEACHER in one or "Marker" in one]
    engine = database.admin(stack.settings)
    try:
        async with engine.connect() as tx:
            assert await in_tables(tx, *PARTS) == []
    finally:
        await engine.dispose()
    assert await asyncio.to_thread(in_files, data, *PARTS) == []


async def _sheet(stack: Stack) -> str:
    """The telephone sheet of all desks."""
    command = (sys.executable, "-c", "from referral.cli import main; main()", "desk", "sheet")
    process = await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.PIPE, env={**os.environ, **stack.environment})
    out, _ = await process.communicate()
    assert process.returncode == 0
    return out.decode()
