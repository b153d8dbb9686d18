"""A story told on the real line: the same lines, but agencies speak at the doors, the alarm is routing's own, and the log is read back.

Where a line names a person, somebody of the agency's cast signs in at the inbox and sends the form of the page.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from functools import partial
from itertools import starmap
from typing import Any

import msgspec
from msgspec import Struct
from sqlalchemy import text

from referral.cli import connection
from referral.cli.stack.inbox import Person
from referral.cli.stack.stage import Stage
from referral.client import Client
from referral.domain import events as e
from referral.domain.case import offers_of, seats
from referral.domain.durations import DAY_US, MINUTE_US
from referral.domain.inputs import Due
from referral.domain.policy import Policy
from referral.domain.policy.form import NO, YES
from referral.proof.entry import NOTIFICATION, ROUTING
from referral.proof.history import case
from referral.runtime.postgres import clock, database
from tests.stories.teller import START, World

WEEK = 7 * 24 * 3600 * 1_000_000
TEXTS = {"reason": "Made up.", "child-view": "Made up."}
SPAN = re.compile(r"\+(\d+) (d|h|min|µs)")
DECIDED = text("SELECT seq FROM routing.seen WHERE case_id = :case AND topic = 'referral-routing'")
AT_THE_DOORS = text("SELECT seq FROM intake.seen WHERE case_id = :case AND topic = 'referral-routing'")


UNITS_US = {"d": DAY_US, "h": 60 * MINUTE_US, "min": MINUTE_US, "µs": 1}
FORM = " where the form points to "
"""Comes before the level in a line. The doors always say the level, and a story only where it matters."""


class TooFew(Exception):
    """A story has more persons of an agency than its cast."""


def alike(one: Sequence[str], other: Sequence[str]) -> bool:
    """The same lines, but that the line's case is a drill, and that the line always says to what a form points. other: of the story.

    A limit that runs on has lost the moments that the line took, and working days depend on the week.
    """
    one, other = ([line.removesuffix(" (drill)") for line in lines] for lines in (one, other))
    one = [a if FORM in b else a.partition(FORM)[0] for a, b in zip(one, other, strict=False)] + one[len(other) :]
    return len(one) == len(other) and all(
        SPAN.sub("+", a) == SPAN.sub("+", b) and all(starmap(_is_near, zip(SPAN.findall(a), SPAN.findall(b), strict=True)))
        for a, b in zip(one, other, strict=True)
    )


def _is_near(one: tuple[str, str], other: tuple[str, str]) -> bool:
    """Return True for two limits that are one of the smaller unit apart: 24 hours less a moment are written as 23 h, and not as 1 d.

    Two limits of a day or more are alike: a working day that ends on Friday in a story ends after a holiday on the line.
    """
    (count, unit), (number, of) = one, other
    first_us, second_us = int(count) * UNITS_US[unit], int(number) * UNITS_US[of]
    return min(first_us, second_us) >= DAY_US or abs(first_us - second_us) <= min(UNITS_US[unit], UNITS_US[of])


class ToldLine(World):
    """A world whose decisions come from the running line. Each story is a case of its own, begun on a Wednesday at ten.

    tells_at: when the notifier has surely said that its message for an offer has arrived, by offer; none where it has said so.
    """

    def __init__(self, policy: Policy, stage: Stage, name: str) -> None:
        super().__init__(policy)
        self.stage, self.name, self.other = stage, name, ""
        self.case_id = ""
        self.people: dict[tuple[str, str], str] = {}
        """(agency, the story's person) → login. The first one named is the second rung: so the first rung is there where another person
        must answer next, and nobody climbs, as in memory, where nobody has a rota."""
        self.tells_at: dict[str, int] = {}
        self.until_wednesday()

    def until_wednesday(self) -> None:
        """The stories' time of the week, so that the same offices are open."""
        now = asyncio.run(self._time())
        self.pass_time((START - now) % WEEK)
        self.now = asyncio.run(self._time())  # what a story says of times is as long ago here

    def put(self, body: Struct) -> tuple[Struct, ...]:  # type: ignore[override]
        """Do it at a door, and wait until routing has decided."""
        if isinstance(body, Due):
            self.told_until(body.at)
        before = self.case.seq if self.case else 0
        if isinstance(body, Due):
            self.pass_time(max(body.at - asyncio.run(self._time()), 0) + 1)
        else:
            self.count += 1
            self.act(body, f"{self.name}-{self.count}")
        events = self.stage.wait(f"{type(body).__name__} is decided upon", lambda: self.decided(before))
        self.keep(events)
        decided = tuple(event for event in events if not of_the_notifier(event))
        self.now = decided[0].head.facts.now  # type: ignore[attr-defined]
        return decided

    def told_until(self, end: int) -> None:
        """Let the times come, before this one, at which the notifier says that its messages have arrived. A story in memory does not.

        A clock that jumped over one would make each of them late, and then no silence is the agency's.
        """
        while (at := min((self.tells_at[id] for id in self.untold()), default=end)) < end:
            self.pass_time(max(at - asyncio.run(self._time()), 0))
            self.stage.wait("everybody who was asked is told", partial(self.everybody_is_told, at))

    def everybody_is_told(self, at: int) -> bool:
        """The notifier has said so of every agency of which it does by then. Nothing else happens meanwhile."""
        assert self.case is not None
        if (events := asyncio.run(self._since(self.case.seq))) is not None:
            assert all(map(of_the_notifier, events)), f"{self.name}: meanwhile {[self.short(event) for event in events]}"
            self.keep(events)
        return all(self.tells_at[id] > at for id in self.untold())

    def untold(self) -> list[str]:
        """The offers of whose messages the notifier has still to speak: who has answered, by a hold too, is knocked no further."""
        found = [] if self.case is None else [(track, o) for _, track, _, seat in seats(self.case) for o in offers_of(seat)]
        waits = [o for track, o in found if o.knocked and o.state == "OFFERED" and not o.held and not track.paused_by]
        return [o.offer_id for o in waits if o.offer_id in self.tells_at]

    def keep(self, events: tuple[Struct, ...]) -> tuple[Struct, ...]:
        at = 0
        for event in events:
            head = getattr(event, "head", None)
            at = at if head is None else head.facts.now
            if isinstance(event, e.OfferOpened | e.OfferEscalated) and event.due is not None:
                self.tells_at[event.offer_id] = at + (event.due - at) * 2 // 5  # it says so at a third of each limit
            elif isinstance(event, e.OfferUnheard) and not event.away:
                self.tells_at.pop(event.offer_id, None)
        return super().keep(events)

    def body(self, line: str) -> Struct | None:
        """What a line says; time that a story waits passes on the line too."""
        before = self.now
        body = super().body(line)
        if line.startswith("wait "):
            self.time_comes(asyncio.run(self._time()) + self.now - before)
        return body

    def time_comes(self, at: int) -> None:
        """Let time pass until then, and the notifier speak when it does."""
        self.told_until(at)
        self.pass_time(max(at - asyncio.run(self._time()), 0))

    def act(self, body: Any, key: str) -> None:
        """What an agency's system would send."""
        match body:
            case e.ReferralSubmitted():
                more: dict[str, Any] = {"case_id": self.case_id} if self.case_id else {}
                if body.consent is not None:
                    more["consent"] = agreed(body.consent)
                if body.excludes:
                    more["excludes"] = list(body.excludes)
                self.case_id = self.submit(body.agency, body.traits, key, **more)
            case e.ResponseSubmitted():
                more = {name: getattr(body, name) for name in ("reason", "code") if getattr(body, name)}
                if body.recorded and body.word is e.Word.DECIDE:
                    more["texts"] = TEXTS
                asked = self.offered.get(body.offer_id)
                if asked is not None and body.pointed:
                    self.fill(body.agency, asked, body.pointed)
                if body.via is e.Via.PHONE and asked is not None and asked.reach is e.Reach.PHONE:
                    self.desk().respond(body.offer_id, body.word.value, key=key, via="PHONE", **more)
                elif body.by is not None:
                    self.person(body.agency, body.by).answer(body.offer_id, body.word.value, **more)
                else:
                    self.stage.agency(body.agency).respond(body.offer_id, body.word.value, key=key, **more)
            case e.AnswerWithdrawn():
                self.stage.agency(body.agency).take_back(body.offer_id, key=key)
            case e.TraitsChanged():
                self.who(body.agency).traits(self.case_id, said(body.traits), key=key)
            case e.ConsentChanged():
                self.who(body.agency).consent(self.case_id, agreed(body.consent), key=key)
            case e.ActorExcluded():
                self.who(body.agency).exclude(self.case_id, body.kind.value, body.actor, key=key)
            case e.ReferralWithdrawn():
                self.stage.agency(body.agency).withdraw(body.referral_id, body.reason, key=key)
            case e.InstructionGiven() if body.by is not None:
                assert self.case is not None and body.word is e.Instruction.SETTLE
                task = next(task for task in self.case.tasks if task.step == body.step)
                self.person(task.desk, body.by).instruct(task.task_id, body.word.value, body.reason, code=body.target)
            case e.InstructionGiven():
                order = {"word": body.word.value, "reason": body.reason, "target": body.target}
                place: dict[str, Any] = {"step": body.step, "seat": body.seat} if body.step else {}
                if body.track_id:
                    place["track_id"] = body.track_id
                if body.other and self.case:
                    self.other = self.other or self.submit("school-drita", self.case.traits, f"{key}-other")
                    place["other"] = self.other
                if body.task_id:
                    place["task_id"] = body.task_id
                self.who(body.agency).instruct(self.case_id, {k: v for k, v in {**order, **place}.items() if v != ""}, key=key)
            case _:
                raise AssertionError(f"no door takes {type(body).__name__}")

    def submit(self, agency: str, traits: e.Traits, key: str, **more: Any) -> str:
        """The case that a referral opens, or that it is attached to."""
        referral = {"traits": said(traits), "file": {"identity": {"name": "Testa Shembull (made up)"}}, "drill": True, **more}
        return str(self.stage.agency(agency).submit(referral, key=key)["case_id"])

    def person(self, agency: str, number: str) -> Person:
        """The member of an agency's cast who is this person of the story. TooFew: it has fewer rungs."""
        if (agency, number) not in self.people:
            first, *others = self.stage.staff(agency)
            free = [one.login for one in (*others[:1], first, *others[1:]) if one.login not in self.people.values()]
            if not free:
                raise TooFew(f"{agency} has nobody who could be another person")
            self.people[agency, number] = free[0]
        return self.stage.person(self.people[agency, number])

    def fill(self, agency: str, asked: e.OfferOpened, level: str) -> None:
        """Let an agency answer the form of a decision so that it points to this level."""
        assert self.case is not None
        track = next(track for track in self.case.tracks if track.track_id == asked.track_id)
        step = next(one for pathway in self.policy.every if pathway.id == track.pathway for one in pathway.steps if one.id == asked.step)
        assert step.table is not None
        calm = dict.fromkeys(step.table.items, NO)
        sheets = [calm, *({**calm, item: YES} for item in step.table.items)]
        sheet = next(one for one in sheets if step.table.points_to([one], self.case.traits.age_band).level == level)
        self.stage.agency(agency).write(self.case_id, step.form, {item: answer == YES for item, answer in sheet.items()})

    def who(self, agency: str) -> Client:
        """The agency of a line; the story's usual desk is the one of the place."""
        return self.desk() if agency == "dsw" else self.stage.agency(agency)

    def desk(self) -> Client:
        """The desk of the place where the child is, else the one above: it may order, and record what becomes known."""
        assert self.case is not None
        first = self.policy.municipalities[self.case.traits.found_in].desk
        return self.stage.agency(self.policy.country_desk if f"agency:{first}" in self.case.excluded else first)

    def decided(self, before: int) -> tuple[Struct, ...] | None:
        """All events after this sequence, once the log holds, and the doors know, everything that routing has said."""
        events = asyncio.run(self._since(before))
        return None if events is None or all(map(of_the_notifier, events)) else events

    async def _since(self, before: int) -> tuple[Struct, ...] | None:
        if not self.case_id:
            return None
        engine = database.admin(self.stage.settings)
        try:
            async with engine.connect() as tx:
                last = (await tx.execute(DECIDED, {"case": self.case_id})).scalar() or 0
                entries = [x for x in await connection.of_case(tx, self.case_id) if x.topic == ROUTING and x.case_seq > before]
                known = (await tx.execute(AT_THE_DOORS, {"case": self.case_id})).scalar() or 0
                if last == before or len(entries) < last - before or known < last:
                    return None
                keys = await connection.case_keys(tx, self.stage.settings, [self.case_id])
        finally:
            await engine.dispose()
        entries.sort(key=lambda entry: entry.case_seq)
        return tuple(case.unseal(entry, keys[self.case_id]).body for entry in entries)

    def pass_time(self, by: int) -> None:
        self.stage.pass_time(timedelta(microseconds=by), "the story says so")

    async def _time(self) -> int:
        engine = database.admin(self.stage.settings)
        try:
            async with engine.connect() as tx:
                return await clock.now(tx)
        finally:
            await engine.dispose()


def of_the_notifier(event: Any) -> bool:
    """Upon its report that a message has arrived. It comes when it comes, between the lines of a story."""
    told = isinstance(event, e.OfferUnheard) and not event.away
    return told or (isinstance(event, e.InputIgnored) and event.head is not None and event.head.topic == NOTIFICATION)


def agreed(consent: e.Consent) -> dict[str, Any]:
    """A consent as the doors take it: its end is a moment with its zone."""
    until = {} if consent.until is None else {"until": datetime.fromtimestamp(consent.until / 1e6, UTC).isoformat()}
    return {**said(msgspec.structs.replace(consent, until=None)), **until}


def said(value: Struct) -> dict[str, Any]:
    """A struct as the doors take it: only what is said, lists as lists, entered times by their code."""
    found = {name: getattr(value, name) for name in value.__struct_fields__}
    if times := found.get("times"):
        found["times"] = {one.code: datetime.fromtimestamp(one.at / 1e6, UTC).isoformat() for one in times}
    return {k: list(v) if isinstance(v, tuple) else getattr(v, "value", v) for k, v in found.items() if v not in ("", (), None)}
