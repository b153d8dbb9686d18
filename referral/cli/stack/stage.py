"""Drive the demo's story on a stack: agencies' SDK clients, the drill clock, received knocks and calls, and the log's new lines."""

from __future__ import annotations

import ssl
import time
from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import Any, TypeVar

import httpx
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from referral.cli import connection, console
from referral.cli.audit.timeline_text import day_of, render
from referral.cli.stack.cast import Cast, Member
from referral.cli.stack.inbox import Person
from referral.client import Client, Json
from referral.domain.local_time import local, moment
from referral.local.config import root
from referral.local.handset.telephones import Entry
from referral.local.mailbox import Mail
from referral.local.stack import Stack
from referral.proof.entry import NOTIFICATION
from referral.proof.history.timeline import Line, timeline
from referral.runtime.postgres import clock
from referral.runtime.settings import Settings

T = TypeVar("T")
PATIENCE_S = 30.0
"""Longest wait for any expected change (ours); on an idle machine each takes well under a second."""
LOOK_S = 0.05
DAY_MIN = 24 * 60
_CALLS = text(
    "SELECT count(*) FROM notifier.delivery d JOIN intake.account a ON a.id = d.person"
    " WHERE d.channel = 'voice' AND d.lease_until IS NOT NULL AND a.login = :login"
)


class Late(Exception):
    """An expected change did not happen in time."""


class Stage:
    """One stack with its cast. Synchronous: it runs in a thread beside the stack."""

    def __init__(self, stack: Stack, cast: Cast) -> None:
        self._stack, self._cast = stack, cast
        self._clients: dict[str, Client] = {}
        self._people: dict[str, Person] = {}
        self._told: dict[str, int] = {}
        self._mails, self._texts = 0, 0
        self._day = ""

    @property
    def settings(self) -> Settings:
        """The settings of the stack's administrator."""
        return self._stack.settings

    def close(self) -> None:
        for client in self._clients.values():
            client.close()
        for person in self._people.values():
            person.close()

    def agency(self, name: str) -> Client:
        """Return the client of an agency's own system; it connects as any other client does."""
        if name not in self._clients:
            self._clients[name] = Client(self._stack.url("intake"), self._cast.tokens[name], identity=self._stack.agency(name))
        return self._clients[name]

    def person(self, login: str) -> Person:
        """Return a person of the cast, who signs in at the inbox when a page asks for it."""
        if login not in self._people:
            believed = ssl.create_default_context(cafile=root(self._stack.addresses))
            self._people[login] = Person(self._stack.url("intake"), login, self._cast.password, believed)
        return self._people[login]

    def staff(self, agency: str) -> tuple[Member, ...]:
        """Return the people of an agency, lowest rung first."""
        return self._cast.of(agency)

    def offered(self, agency: str, case_id: str, step: str) -> Json:
        """Return the open offer of a step that this agency holds, as soon as it exists."""
        return self.asked((agency,), case_id, step)[1]

    def asked(self, agencies: Sequence[str], case_id: str, step: str) -> tuple[str, Json]:
        """Return the first of these agencies that holds an open offer of a step, and the offer, as soon as it exists."""

        def held() -> tuple[str, Json] | None:
            return next(((one, offer) for one in agencies if (offer := self._offer(one, case_id, step))), None)

        return self.wait(f"{' or '.join(agencies)} is asked for {step}", held)

    def answers(self, agency: str, case_id: str, step: str, word: str, **more: Any) -> None:
        """Answer the offer of this step that the agency holds; return when routing has decided the answer."""
        self.answer(agency, self.offered(agency, case_id, step)["offer_id"], word, **more)

    def answer(self, agency: str, offer_id: str, word: str, *, person: str = "", **more: Any) -> None:
        """Answer this offer; return when routing has decided. person: login of who answers in the inbox; empty: a system does."""
        client = self.agency(agency)
        before = client.offer(offer_id)
        if person:
            self.person(person).answer(offer_id, word, **more)
        else:
            client.respond(offer_id, word, **more)

        def decided() -> bool | None:
            now = client.offer(offer_id)
            return (now["state"], now["arrived"]) != (before["state"], before["arrived"]) or None

        self.wait(f"{word} of {agency} is decided upon", decided)

    def pass_time(self, by: timedelta, why: str) -> None:
        """Advance the drill clock."""
        by_us = int(by.total_seconds() * 1e6)
        at = connection.write(self.settings, lambda tx: clock.advance(tx, self.settings, by_us))
        minutes = round(by.total_seconds() / 60)
        passed = f"{minutes} minutes" if minutes < DAY_MIN else f"{minutes // DAY_MIN} days and {minutes % DAY_MIN // 60} hours"
        now = f"{local(at):%H:%M:%S}" if minutes < DAY_MIN else moment(at)
        console.console.print(f"[yellow]… {passed} pass by the drill clock ({why}); it is {now}[/]", soft_wrap=True)

    def wait(self, what: str, look: Callable[[], T | None]) -> T:
        """Poll until `look` returns a true value, and return it. Late: it did not within PATIENCE_S."""
        until = time.monotonic() + PATIENCE_S
        while not (found := look()):
            if time.monotonic() > until:
                raise Late(f"{what}: not within {PATIENCE_S:.0f} s")
            time.sleep(LOOK_S)
        return found

    def log(self, case_id: str, until: str) -> None:
        """Print the log's new lines of a case, as soon as one of them contains `until`."""

        def lines() -> list[Line] | None:
            told = connection.ask(lambda tx, found: connection.case_entries(tx, found, case_id), self._stack.settings)
            new = timeline(told[0], told[1].get(case_id))[self._told.get(case_id, 0) :]
            return new if any(until in line.what for line in new) else None

        new = self.wait(f"the log says “{until}”", lines)
        self._told[case_id] = self._told.get(case_id, 0) + len(new)
        shown = [line for line in new if line.topic != NOTIFICATION]  # `knocks` displays these when they arrive
        for told in render(shown, day=self._day, numbers=False):
            console.console.print(told.text, soft_wrap=True, markup=False, style=told.style)
        self._day = day_of(shown[-1])

    def knocks(self, to: str) -> None:
        """Print the knocks sent since the last call, once one is for somebody whose address begins with `to`."""
        mails = self.wait(f"a knock to {to}", lambda: self._new_mails(to))
        for mail in mails:
            to = ", ".join(who.partition("@")[0] for who in mail.recipients)
            console.console.print(f"   [magenta]✉ {to}: {mail.message['Subject']}[/]", soft_wrap=True)
        self._mails += len(mails)

    def texted(self, login: str) -> None:
        """Print the newest SMS to this person, as soon as it has arrived on the handset."""
        number = self._cast.number(login)
        sms = self.wait(f"an SMS to {login}", lambda: next((e for e in self._entries(number) if e.kind == "sms"), None))
        console.console.print(f"   [magenta]✆ SMS to {number}: {sms.text}[/]", soft_wrap=True)

    def called(self, login: str, end: str, how: str) -> None:
        """Print what a call to this person says, as soon as it rings, and end it. end: as the handset's `press`. how: in words."""
        number = self._cast.number(login)
        call = self.wait(f"a call to {login}", lambda: next((e for e in self._entries(number) if e.rings), None))
        console.console.print(f"   [magenta]✆ {number} rings: {call.text}[/]", soft_wrap=True)
        httpx.post(f"{self._stack.handset.url}/press", data={"end": end, "number": number}, timeout=PATIENCE_S).raise_for_status()
        console.say(f"   {how}")
        self.wait("the end of the call is written down", lambda: self._under_way(login) == 0)

    def forget_knocks(self) -> None:
        """Mark the knocks sent so far as displayed, because they are not part of the story."""
        self._mails = len(self._stack.mailbox.mails)
        self._texts = len(self._stack.handset.entries)

    def _entries(self, number: str) -> list[Entry]:
        """Return what a telephone received and did since the last call of forget_knocks, newest first."""
        return [entry for entry in reversed(self._stack.handset.entries[self._texts :]) if entry.number == number]

    def _new_mails(self, to: str) -> tuple[Mail, ...] | None:
        new = tuple(self._stack.mailbox.mails[self._mails :])
        return new if any(who.startswith(to) for mail in new for who in mail.recipients) else None

    def _offer(self, agency: str, case_id: str, step: str) -> Json | None:
        held = (o for o in self.agency(agency).offers() if o["case_id"] == case_id and o["step"] == step)
        return next(held, None)

    def _under_way(self, login: str) -> int:
        """Return how many calls to this person the notifier waits for. The next one counts from when it has written down the last one."""

        async def count(tx: AsyncConnection, _: Settings) -> int:
            return int((await tx.execute(_CALLS, {"login": login})).scalar_one())

        return connection.ask(count, self.settings)
