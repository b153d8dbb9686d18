"""The list of a desk's referrals to confirm: by pages, read together and refused together, so that a flood is cleared in a few taps.

Reports with the same words are one entry. Nobody can refuse what the page did not show: a form carries the entries of its page.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection
from starlette.responses import RedirectResponse, Response

from referral.domain.authority.matrix import Permit
from referral.domain.authority.words import Act, Kind
from referral.domain.case_number import case_number
from referral.domain.events import Traits
from referral.runtime.keys.case_keys import Keys
from services.intake import store
from services.intake.casefile import access, disclose, sections
from services.intake.casefile.disclosure_rules import Reader
from services.intake.commands import act_on_case, idempotency
from services.intake.commands.act_on_case import Post
from services.intake.messages import responses
from services.intake.model import Task
from services.intake.pages import confirmation, relative_time
from services.intake.pages.forms import SURE, YES
from services.intake.pages.offer import URGENCIES
from services.intake.pages.page_request import PageRequest
from services.intake.public.form import UNKNOWN

PAGE = 25
"""Entries of a page (ours): a phone's screen holds five, and a form of this many marks is short."""
AT_ONCE = 100
"""Referrals that one form refuses (ours), in some two seconds; those that are left stay in the list, with the same words as before."""
SHOWN = 300
"""Characters of a story in the list (ours): enough to see a prank. The page of the referral has all of it."""
READ = "UPDATE intake.casefile SET read_at = coalesce(read_at, runtime.clock()) WHERE case_id = :case"


@dataclass(frozen=True, slots=True)
class Entry:
    """Referrals with the same words, which wait to be confirmed: the oldest, and how many there are.

    short: it came in a crowd, and only its beginning was stored.
    """

    tasks: tuple[Task, ...]
    traits: Traits
    short: bool = False

    @property
    def first(self) -> Task:
        """Return the oldest."""
        return self.tasks[0]


async def page(call: PageRequest) -> Response:
    """Return one page of the list: the most urgent first, then the oldest."""
    return _page(call, await _entries(call), call.request.query_params.get("page", ""))


async def read(call: PageRequest) -> Response:
    """Return the page with the beginning of each story. The readings are committed before this function returns."""
    who, door = call.visit.who, call.pages.door
    reader, told = Reader(agency=who.agency, account=who.id), dict[str, str]()
    entries = await _entries(call)
    for entry in _shown(call, entries):
        task = entry.first
        async with door.begin() as tx:
            if versions := await disclose.versions(tx, door, reader, task.case_id, "narrative"):
                newest = versions[-1].content
                told[task.task_id] = str(newest.get("text", "")) if isinstance(newest, dict) else ""
            await mark_read(tx, await access.permitted(tx, call.who(Kind.DESK), Act.OPEN_REPORT, task.case_id))
    return _page(call, entries, call.form.get("page", ""), told=told)


async def refuse(call: PageRequest) -> Response:
    """Refuse the marked entries, or all others of the page. It asks once; each referral has an order of its own, once for each form."""
    form, lists = call.form, call.pages.door.lists()
    marked = {value for name, value in form.items() if name.startswith("mark.")}
    entries = await _entries(call)
    chosen = [entry for entry in _shown(call, entries) if (entry.first.task_id in marked) == (form.get("which") != "others")]
    sure = form.get(SURE) == YES
    errors = {} if form.get("reason") in lists.codes.get("refusal-reason", ()) else {"reason": "error.reason"}
    if not chosen and not sure:  # a second press of "yes" finds them settled
        errors["top"] = "confirm.mark.needed"
    if errors:
        return _page(call, entries, form.get("page", ""), marked=marked, errors=errors, status=422)
    tasks = [task for entry in chosen for task in entry.tasks][:AT_ONCE]
    if not sure:
        return await _ask(call, [entry.first for entry in chosen], len(tasks))
    at = call.visit.now
    for task in tasks:
        at = await _refuse(call, task, form["reason"])
    return RedirectResponse(confirmation.link("/unverified", str(len(tasks)), at, call.visit.token), status_code=303)


async def _refuse(call: PageRequest, task: Task, reason: str) -> int:
    """Queue the order that refuses one referral, in a transaction of its own. Return the time of its receipt, µs UTC."""
    door, who = call.pages.door, call.visit.who
    key = idempotency.form_digest(door.keys, who.agency, who.id, f"{call.form.get('key', '')} {task.task_id}")
    order = responses.InstructionBody(word="REFUSE", reason=reason, task_id=task.task_id)
    async with door.begin() as tx:
        receipt = await act_on_case.instruct(
            tx, door, Post(kind=Kind.DESK, agency=who.agency, account=who.id, key=key), task.case_id, order
        )
    return receipt.received_at


async def _ask(call: PageRequest, firsts: Sequence[Task], number: int) -> Response:
    """Return the page that asks whether so many are to be refused. It says of how many entries nobody has opened the first."""
    unread = "SELECT count(*) FROM intake.casefile WHERE case_id = ANY(CAST(:cases AS text[])) AND read_at IS NULL"
    async with call.pages.door.begin() as tx:
        access.without_case(call.who(), Act.REFUSE_REPORTS)
        [(count,)] = await store.rows(tx, unread, {"cases": [task.case_id for task in firsts]})
    entered = {name: value for name, value in call.form.items() if name not in ("form", SURE)}
    sure = (SURE, YES)
    values = {"number": number, "unread": count, "entered": entered, "sure": sure}
    return call.pages.render.page("refuse_many.html", call.visit, here="/unverified", **values)


async def _entries(call: PageRequest) -> list[Entry]:
    """Return what waits at this desk, in the order of the list."""
    who, door = call.visit.who, call.pages.door
    async with door.begin() as tx:
        leave = access.without_case(call.who(), Act.LIST_REPORTS)
        tasks = await store.to_confirm(tx, leave) if who.desk else ()
        cases = [task.case_id for task in tasks]
        traits, words, short = await traits_of(tx, leave, door.keys, cases), await _words(tx, cases), await _short(tx, cases)
    gathered: dict[bytes | str, list[Task]] = {}
    for task in sorted(tasks, key=lambda task: (task.opened_at, task.task_id)):
        if task.case_id in traits:
            gathered.setdefault(words.get(task.case_id, task.case_id), []).append(task)
    return sorted((Entry(tuple(same), traits[same[0].case_id], same[0].case_id in short) for same in gathered.values()), key=_order)


def _shown(call: PageRequest, entries: Iterable[Entry]) -> list[Entry]:
    """Return the entries that the page of this form showed and that still wait. Whatever else the form names is passed over."""
    shown = set(call.form.get("shown", "").split(","))
    return [entry for entry in entries if entry.first.task_id in shown][:PAGE]


async def _words(tx: AsyncConnection, cases: Iterable[str]) -> dict[str, bytes]:
    """Return case id → digest of the whole referral: equal for two that say the same."""
    sql = "SELECT case_id, body FROM intake.submission WHERE case_id = ANY(CAST(:ids AS text[])) AND kind = 'referral'"
    return {case: bytes(body) for case, body in await store.rows(tx, sql, {"ids": list(cases)})}


async def _short(tx: AsyncConnection, cases: Iterable[str]) -> frozenset[str]:
    """Return the cases of which only the beginning of the report was stored."""
    sql = "SELECT case_id FROM intake.submission WHERE case_id = ANY(CAST(:ids AS text[])) AND kind = 'referral' AND later"
    return frozenset(case for (case,) in await store.rows(tx, sql, {"ids": list(cases)}))


async def mark_read(tx: AsyncConnection, leave: Permit) -> None:
    """Store that somebody of the desk has opened the permit's referral."""
    await tx.execute(text(READ), {"case": leave.case_id})


async def traits_of(tx: AsyncConnection, leave: Permit, keys: Keys, cases: Sequence[str]) -> dict[str, Traits]:
    """Return case id → traits, for cases that the reader may see; an erased case is missing."""
    sql = "SELECT case_id, sealed FROM intake.casefile WHERE case_id = ANY(CAST(:ids AS text[])) AND erasing_at IS NULL"
    opened = await keys.load(tx, sorted(set(cases)))
    rows = await store.rows(tx, sql, {"ids": list(cases)})
    return {id: sections.facts(sections.box(opened[id]), id, bytes(sealed)).traits for id, sealed in rows if id in opened}


def line(traits: Traits, name: Any, say: Any) -> str:
    """Return municipality, concern and age in one line; what the sender did not know is left out."""
    known = (("municipality", traits.found_in), ("concern", traits.concern), ("age-band", traits.age_band))
    return " · ".join(name(kind, code) for kind, code in known if code not in ("", UNKNOWN)) or str(say("refer.unknown"))


def _order(entry: Entry) -> tuple[bool, int, int, str]:
    """Return the place in the list: what came in a crowd is last, so that it hides nobody else."""
    urgency = entry.traits.urgency
    place = URGENCIES.index(urgency) if urgency in URGENCIES else len(URGENCIES)
    return entry.short, place, entry.first.opened_at, entry.first.task_id


def _page(
    call: PageRequest,
    entries: Sequence[Entry],
    wanted: str,
    *,
    told: Mapping[str, str] | None = None,
    marked: Iterable[str] = (),
    errors: Mapping[str, str] | None = None,
    status: int = 200,
) -> Response:
    render, visit, lists = call.pages.render, call.visit, call.pages.door.lists()
    say, name = render.say(visit), render.name(visit)
    pages = max(1, -(-len(entries) // PAGE))
    number = min(max(int(wanted), 1), pages) if wanted.isascii() and wanted.isdecimal() and len(wanted) < 6 else 1
    shown = entries[(number - 1) * PAGE : number * PAGE]
    cards = [
        {
            "task": entry.first,
            "number": case_number(entry.first.case_id),
            "line": line(entry.traits, name, say),
            "since": relative_time.clock(say, entry.first.opened_at, visit.now),
            "urgency": entry.traits.urgency,
            "short": entry.short,
            "same": len(entry.tasks),
            "told": _beginning(told[entry.first.task_id]) if told and entry.first.task_id in told else "",
            "marked": entry.first.task_id in set(marked),
        }
        for entry in shown
    ]
    return render.page(
        "unverified.html",
        visit,
        here="/unverified",
        status=status,
        drill=not call.pages.by_day,
        cards=cards,
        count=sum(len(entry.tasks) for entry in entries),
        number=number,
        pages=pages,
        shown=",".join(entry.first.task_id for entry in shown),
        is_read=told is not None,
        reasons=[(word, name("instruction-reason", word)) for word in lists.codes.get("refusal-reason", ())],
        reason=call.form.get("reason", ""),
        errors={field: say(key) for field, key in (errors or {}).items()},
        sent=confirmation.refused_together(call, "/unverified"),
        key=call.pages.door.new_id(),
    )


def _beginning(story: str) -> str:
    return story if len(story) <= SHOWN else f"{story[:SHOWN]} …"
