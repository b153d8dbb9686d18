"""The pages of exercises: the list with the form that starts one, the question before it starts or ends, and its report.

Heads start them in their agency's municipality, and the people of its coordinator. A head also agrees here that exercises may wake the
agency at any hour, and takes that back; the notifier holds it.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial

from starlette.responses import Response

from referral.domain.durations import DAY_US
from referral.domain.policy import Policy
from referral.errors import Unavailable
from referral.exercise import rules, stories
from referral.proof.history import exercise as log
from referral.proof.history.exercise import Report
from referral.wire.roster import AgreeNights, EndNights
from services.intake import audit_client
from services.intake.accounts.store import Account
from services.intake.commands import exercises
from services.intake.commands.exercises import Exercise
from services.intake.pages import guidance
from services.intake.pages.agency import roster
from services.intake.pages.exercise import report
from services.intake.pages.forms import SURE, YES
from services.intake.pages.page_request import PageRequest, get, known_id, post

HOME = "/exercises"


@dataclass(frozen=True, slots=True)
class Reader:
    """A reader of these pages. places: municipalities in which they may start one. desks: those whose exercises they see, too."""

    places: tuple[str, ...]
    desks: tuple[str, ...]


def reader(policy: Policy, who: Account) -> Reader:
    """Return what an account may do. Rejected 404, as for a page that does not exist: nothing."""
    coordinated = tuple(id for id, place in policy.municipalities.items() if place.coordinator == who.agency)
    agency = policy.agencies.get(who.agency)
    if agency is None or not (who.head or coordinated):
        roster.no_page()
    own = (agency.municipality,) if agency.municipality in policy.municipalities else ()
    desks = {policy.municipalities[place].desk for place in coordinated} | ({who.agency} if who.desk else set())
    return Reader(coordinated or own, tuple(sorted(desks)))


async def start(call: PageRequest) -> Response:
    """Ask once, then start the chosen exercise, and lead to its report."""
    may, who, form = reader(call.policy, call.account), call.account, call.form
    story, place, key = form.get("story", ""), form.get("place", ""), form.get("key", "")
    errors = {} if story in (*stories.stories(), stories.EVERY) else {"story": "error.story"}
    if place not in may.places:
        errors["place"] = "error.place"
    if errors or not roster.is_key(key):
        return await every(call, errors or {"top": "error.stale"}, 422)
    if form.get(SURE) != YES:
        return _question(call, story, place)
    found = await roster.roster(call) if who.head else None
    agreed = found.nights if found is not None else ()
    holidays = call.policy.calendar.holidays
    async with call.door.begin() as tx:
        id, reason = await exercises.start(
            tx,
            call.door,
            who,
            story,
            place,
            key,
            refusal=lambda past: rules.refusal(place, past, call.now, agreed=agreed, holidays=holidays, by_day=call.pages.by_day),
        )
    if reason:
        return await every(call, {"top": f"error.{reason}"}, 409, before="error.nothing")
    return roster.sent(call, f"{HOME}/{id}", "started")


async def end(call: PageRequest) -> Response:
    """Ask once, then end an exercise of the reader's own agency."""
    found = await _find(call)
    if not found.ours:
        roster.no_page()
    key = call.form.get("key", "")
    if found.is_open and not (call.form.get(SURE) == YES and roster.is_key(key)):
        return call.page("end_exercise.html", here=f"{HOME}/{found.id}", exercise=found, key=secrets.token_hex(16))
    async with call.door.begin() as tx:
        await exercises.end(tx, call.door, call.account, found, key)
    return roster.sent(call, f"{HOME}/{found.id}", "over")


async def agree(call: PageRequest) -> Response:
    """Agree that exercises may wake the agency at any hour, for some days."""
    roster.head_only(call)
    if errors := roster.missing(call.form, ("begins", "ends")):
        return await every(call, errors, 422)
    act = AgreeNights(begin=call.form["begins"], end=call.form["ends"])
    return await roster.make(call, act, partial(every, call), HOME, "nights", seen=False)


async def disagree(call: PageRequest) -> Response:
    """Take it back."""
    roster.head_only(call)
    return await roster.make(call, EndNights(), partial(every, call), HOME, "nonights", seen=False)


async def every(call: PageRequest, errors: Mapping[str, str] | None = None, status: int = 200, *, before: str = "") -> Response:
    """Return the exercises that the reader may see, the form that starts one, and the head's agreement to other hours.

    errors: field → key of a text; what was entered stays. before: key of the text before each error.
    """
    may, who, now, say = reader(call.policy, call.account), call.account, call.now, call.say
    async with call.door.begin() as tx:
        known = await exercises.visible(tx, who, may.desks, now)
        past = await exercises.past(tx, who)
    first = f"{say(before)} " if before else ""
    found = await roster.roster(call) if who.head else None
    agreed = found.nights if found is not None else ()
    holidays = call.policy.calendar.holidays
    refused = [rules.refusal(place, past, now, agreed=agreed, holidays=holidays, by_day=call.pages.by_day) for place in may.places]
    return call.page(
        "exercises.html",
        here=HOME,
        status=status,
        errors={field: first + say.first(text, "error.refused") for field, text in (errors or {}).items()},
        values=call.form,
        done=roster.done(call, HOME),
        known=[(one, report.titles(one, say)) for one in known],
        stories=report.choices(say),
        places=may.places,
        refused=list(dict.fromkeys(refused)) if all(refused) else [],
        limits=(rules.MOST_HERE, rules.MOST_ANYWHERE, rules.WINDOW_US // DAY_US, rules.OPENS, rules.CLOSES),
        away=who.head and found is None,
        nights=agreed,
        most_nights=rules.NIGHTS_DAYS,
        key=secrets.token_hex(16),
    )


def _question(call: PageRequest, story: str, place: str) -> Response:
    """Ask once: what is sent, whom it may alert, and what the trainer arranges."""
    entered = {field: call.form.get(field, "") for field in ("story", "place", "key")}
    sent = [report.sent(one, call.policy, call.say) for one in stories.chosen(story)]
    return call.page("start_exercise.html", here=HOME, entered=entered, sent=sent, place=place)


async def one(call: PageRequest) -> Response:
    """Return the report of an exercise, as the log has it now."""
    found = await _find(call)
    who, door = call.account, call.door
    try:
        read = await asyncio.gather(*(audit_client.exercise(door.log, door.keys, case.case_id) for case in found.cases))
    except Unavailable:
        read = None
    logins = {account: colleague.login for account, colleague in (await roster.staff(call)).items()} if who.head else {}
    named = who.agency if who.head else ""
    wholes = [(case.story, log.for_agency(whole, named)) for case, whole in zip(found.cases, read or (), strict=False) if whole]
    return draw(call, found, wholes, logins, away=read is None)


def draw(call: PageRequest, found: Exercise, wholes: Sequence[tuple[str, Report]], logins: Mapping[str, str], *, away: bool) -> Response:
    """Return the page of a report. wholes: (story, report) of each case. logins: account → login, of the reader's own agency."""
    policy, here = call.policy, f"{HOME}/{found.id}"
    blame = report.Blame(policy.calendar.holidays, by_day=call.pages.by_day)
    return call.page(
        "exercise.html",
        here=here,
        done=roster.done(call, here),
        exercise=found,
        title=report.titles(found, call.say),
        story_title=report.title,
        logins=logins,
        wholes=wholes,
        blame=blame,
        counts=report.counts([request for _, whole in wholes for request in whole.asked], blame),
        missed=report.missed(policy, found.municipality, [whole for _, whole in wholes]),
        guidance=lambda request: guidance.view(policy, call.lists.number, request.pathway, request.step, call.say),
        missing=len(found.cases) - len(wholes),
        away=away,
        may_end=found.ours and found.is_open,
    )


async def _find(call: PageRequest) -> Exercise:
    """Return the exercise of the address. Rejected 404: there is none that this reader may see."""
    may, id = reader(call.policy, call.account), known_id(call, "exercise")
    async with call.door.begin() as tx:
        found = await exercises.one(tx, call.account, may.desks, call.now, id)
    if found is None:
        roster.no_page()
    return found


ROUTES = (
    *get(HOME, every),
    *post(f"{HOME}/start", start),
    *post(f"{HOME}/nights", agree),
    *post(f"{HOME}/nights/end", disagree, back=HOME),
    *get(f"{HOME}/{{id}}", one),
    *post(f"{HOME}/{{id}}/end", end, back=HOME),
)
