"""The pages of exercises: the list with the form that starts one, the question before it starts or ends, and its report."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Mapping

from starlette.responses import Response

from referral.domain.case_number import case_number
from referral.domain.durations import DAY_US
from referral.errors import Rejected, Unavailable
from referral.exercise import rules, stories
from referral.proof.history import exercise as log
from services.intake import audit_client
from services.intake.accounts import colleagues
from services.intake.commands import exercises
from services.intake.commands.exercises import Exercise
from services.intake.pages.agency import asking
from services.intake.pages.agency.week import between
from services.intake.pages.ask_once import SURE, YES
from services.intake.pages.exercise import report
from services.intake.pages.exercise.reader import Reader, reader
from services.intake.pages.page_request import PageRequest, known_id

HOME = "/exercises"


async def every(call: PageRequest) -> Response:
    """Return the exercises that the reader may see, the form that starts one, and the head's leave for other hours."""
    return await list_page(call)


async def start(call: PageRequest) -> Response:
    """Ask once, then start the chosen exercise, and lead to its report."""
    may, who, form = _reader(call), call.visit.who, call.form
    story, place, key = form.get("story", ""), form.get("place", ""), form.get("key", "")
    errors = {} if story in (*stories.stories(), stories.EVERY) else {"story": "error.story"}
    if place not in may.places:
        errors["place"] = "error.place"
    if errors or not asking.is_key(key):
        return await list_page(call, errors or {"top": "error.stale"}, 422)
    if form.get(SURE) != YES:
        return _question(call, story, place)
    agreed = await _agreed(call)
    holidays = call.pages.render.policy().calendar.holidays
    async with call.pages.door.begin() as tx:
        id, reason = await exercises.start(
            tx,
            call.pages.door,
            who,
            story,
            place,
            key,
            refusal=lambda past: rules.refusal(place, past, call.visit.now, agreed=agreed, holidays=holidays, by_day=call.pages.by_day),
        )
    if reason:
        return await list_page(call, {"top": f"error.{reason}"}, 409, before="error.nothing")
    return asking.sent(call, f"{HOME}/{id}", "started")


async def one(call: PageRequest) -> Response:
    """Return the report of an exercise, as the log has it now."""
    found = await _find(call)
    return await _report(call, found)


async def end(call: PageRequest) -> Response:
    """Ask once, then end an exercise of the reader's own agency."""
    found = await _find(call)
    if not found.ours:
        raise Rejected("unknown-page", "path", "there is no such page", status=404)
    key = call.form.get("key", "")
    if found.is_open and not (call.form.get(SURE) == YES and asking.is_key(key)):
        return _page(call, "end_exercise.html", f"{HOME}/{found.id}", exercise=found, key=secrets.token_hex(16))
    async with call.pages.door.begin() as tx:
        await exercises.end(tx, call.pages.door, call.visit.who, found, key)
    return asking.sent(call, f"{HOME}/{found.id}", "over")


async def list_page(call: PageRequest, errors: Mapping[str, str] | None = None, status: int = 200, *, before: str = "") -> Response:
    """Return the list. errors: field → key of words.yaml; what was entered stays. before: key of the text before each error."""
    may, who, now = _reader(call), call.visit.who, call.visit.now
    say, name = call.pages.render.say(call.visit), call.pages.render.name(call.visit)
    async with call.pages.door.begin() as tx:
        known = await exercises.visible(tx, who, may.desks, now)
        past = await exercises.past(tx, who)
    first = f"{say(before)} " if before else ""
    found = await asking.roster(call, now, now + 1) if who.head else None
    agreed = found.nights if found is not None else ()
    holidays = call.pages.render.policy().calendar.holidays
    refused = {place: rules.refusal(place, past, now, agreed=agreed, holidays=holidays, by_day=call.pages.by_day) for place in may.places}
    return _page(
        call,
        "exercises.html",
        HOME,
        status,
        errors={field: first + say.first(text, "error.refused") for field, text in (errors or {}).items()},
        values=call.form,
        done=asking.done(call, HOME),
        known=[(one, report.titles(one, say), report.when(one.began), case_number(one.id)) for one in known],
        stories=report.choices(say),
        places=[(place, name("municipality", place)) for place in may.places],
        refused=[say(f"error.{reason}") for reason in dict.fromkeys(refused.values()) if reason] if all(refused.values()) else [],
        limits=(rules.MOST_HERE, rules.MOST_ANYWHERE, rules.WINDOW_US // DAY_US, rules.OPENS, rules.CLOSES),
        head=who.head,
        away=who.head and found is None,
        nights=[between(*night, say) for night in agreed],
        most_nights=rules.NIGHTS_DAYS,
        key=secrets.token_hex(16),
    )


def _question(call: PageRequest, story: str, place: str) -> Response:
    """Ask once: what is sent, whom it may alert, and what the trainer arranges."""
    render = call.pages.render
    say, name = render.say(call.visit), render.name(call.visit)
    entered = {field: call.form.get(field, "") for field in ("story", "place", "key")}
    told = [report.told(one, render.policy(), say, name) for one in stories.chosen(story)]
    return _page(call, "start_exercise.html", HOME, entered=entered, told=told, place=name("municipality", place))


async def _report(call: PageRequest, found: Exercise) -> Response:
    who, now, render = call.visit.who, call.visit.now, call.pages.render
    say, name, policy = render.say(call.visit), render.name(call.visit), render.policy()
    door = call.pages.door
    try:
        read = await asyncio.gather(*(audit_client.exercise(door.log, door.keys, case.case_id) for case in found.cases))
    except Unavailable:
        read = None
    logins = dict[str, str]()
    if who.head:
        async with door.begin() as tx:
            logins = {account: one.login for account, one in (await colleagues.of_agency(tx, who.agency)).items()}
    named = who.agency if who.head else ""
    wholes = [(case.story, log.for_agency(whole, named)) for case, whole in zip(found.cases, read or (), strict=False) if whole]
    return _page(
        call,
        "exercise.html",
        f"{HOME}/{found.id}",
        done=asking.done(call, f"{HOME}/{found.id}"),
        exercise=found,
        title=report.titles(found, say),
        began=report.when(found.began),
        starter=logins.get(found.account, ""),
        read_at=report.when(now),
        view=report.Telling(policy, door.lists().number, logins, say, name, call.pages.by_day).view(wholes, found.municipality),
        missing=len(found.cases) - len(wholes),
        away=read is None,
        may_end=found.ours and found.is_open,
    )


async def _find(call: PageRequest) -> Exercise:
    """Return the exercise of the address. Rejected 404: there is none that this reader may see."""
    may, id = _reader(call), known_id(call, "exercise")
    async with call.pages.door.begin() as tx:
        found = await exercises.one(tx, call.visit.who, may.desks, call.visit.now, id)
    if found is None:
        raise Rejected("unknown-page", "path", "there is no such page", status=404)
    return found


def _reader(call: PageRequest) -> Reader:
    return reader(call.pages.render.policy(), call.visit.who)


async def _agreed(call: PageRequest) -> tuple[tuple[int, int], ...]:
    """Return the leave of the reader's own head for other hours; none while the notifier is away, or for who is no head."""
    found = await asking.roster(call, call.visit.now, call.visit.now + 1) if call.visit.who.head else None
    return found.nights if found is not None else ()


def _page(call: PageRequest, template: str, here: str, status: int = 200, **values: object) -> Response:
    return call.pages.render.page(template, call.visit, here=here, status=status, **values)
