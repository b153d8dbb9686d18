"""Pages on which a person writes in the case file: the sections of one offer, and the form of a section with its draft.

Nothing of the file is shown by a GET: the form is opened with a POST, which records the reading first.
"""

from __future__ import annotations

import secrets
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy.ext.asyncio import AsyncConnection
from starlette.responses import RedirectResponse, Response

from referral.domain.authority.matrix import Permit, Who
from referral.domain.authority.words import Act, Kind
from referral.domain.policy.directory import Section
from referral.errors import Rejected, Unavailable
from referral.runtime.postgres import clock
from services.intake import store
from services.intake.accounts.store import Account
from services.intake.casefile import access, disclose, disclosure_rules, drafts, fields, locations, notes, sections
from services.intake.casefile import write as writing
from services.intake.casefile.access import Case
from services.intake.casefile.disclosure_rules import Reader
from services.intake.casefile.drafts import Draft
from services.intake.casefile.fields import Merged
from services.intake.commands import act_on_case, idempotency
from services.intake.commands.act_on_case import Post
from services.intake.context import in_time
from services.intake.model import Offer, Spot, Task
from services.intake.pages import case_head, confirmation
from services.intake.pages.case_head import CaseHead
from services.intake.pages.forms import SECTION
from services.intake.pages.page_request import PageRequest, known_id
from services.intake.pages.writing import view


async def overview(call: PageRequest) -> Response:
    """Return the list of sections that this offer lets the person read or write, with who wrote them. Shows nothing of their content."""
    who = call.visit.who
    async with call.pages.door.begin() as tx:
        offer = await store.offer(tx, call.own, known_id(call, "offer"))
        case = await access.hold(tx, call.pages.door.keys, offer.case_id)
        leave = await access.permitted(tx, call.who(), Act.LIST_SECTIONS, offer.case_id)
        readable, writable = await _may(tx, call, leave, case, offer)
        personal = [section for section in readable if section in call.pages.door.lists().codes["written"]]
        history = await sections.history(tx, leave, personal, case.sealed_at)
        kept = await drafts.times(tx, leave, offer.offer_id)
        hidden = await disclose.unnamed(tx, leave, readable)
        head = await headed(tx, leave, call, offer)
    render, visit = call.pages.render, call.visit
    say, name = render.say(visit), render.name(visit)
    where = f"/offers/{offer.offer_id}/write"
    return render.page(
        "write.html",
        visit,
        here=where,
        offer=f"/offers/{offer.offer_id}",
        step=name("step", offer.step),
        head=head,
        rows=view.rows(personal, writable, kept, history, hidden, who.agency, say, name, visit.now),
        sent=confirmation.saved(call.request.query_params, where, visit, say, name),
        live=offer.closed_at is None and offer.declined_by is None,
    )


async def section(call: PageRequest) -> Response:
    """Open the form of a section, save it, keep it as a draft, discard the draft, show an earlier version or strike an own note, as the
    form says."""
    return await _DO.get(call.form.get("do", ""), _open)(await _begun(call))


async def keep_after_the_end(call: PageRequest) -> Response:
    """Keep as a draft what a form says that arrived after its session had ended, and show it. Nothing is sent, nothing of the file is
    shown."""
    former = call.visit.former
    assert former is not None
    kept = False
    if call.form.get("do") in ("save", "draft"):
        try:
            here = await _begun(call, former.account)
            kept = await in_time(_keep(here, _entered(here), _since(call)))
        except (Rejected, Unavailable):
            kept = False
    texts = [text for name, text in call.form.items() if name.startswith(SECTION) and text.strip()]
    to = call.request.url.path.rpartition("/")[0]
    return call.pages.render.page("ended.html", call.visit, status=403, to=to, kept=texts, draft=kept, carried={})


@dataclass(frozen=True, slots=True, repr=False)
class Here:
    """One request for a section's form. who: its author."""

    call: PageRequest
    who: Account
    offer: Offer
    section: Section
    head: CaseHead

    @property
    def author(self) -> Who:
        return Who(Kind.STAFF, self.who.agency, self.who.id)

    @property
    def where(self) -> str:
        return f"/offers/{self.offer.offer_id}/write"


async def _begun(call: PageRequest, who: Account | None = None) -> Here:
    """Return the offer and the section of the path. Rejected 404: not this person's offer, or no section that agencies write."""
    who = who or call.visit.who
    name = str(call.request.path_params["section"])
    found = call.pages.render.policy().sections.get(name)
    if found is None or name not in call.pages.door.lists().codes["written"]:
        raise store.unknown("section", "section")
    async with call.pages.door.begin() as tx:
        leave = access.own(Who(Kind.STAFF, who.agency, who.id))
        offer = await store.offer(tx, leave, known_id(call, "offer"))
        return Here(call, who, offer, found, await headed(tx, leave, call, offer))


async def headed(tx: AsyncConnection, leave: Permit, call: PageRequest, about: Offer | Task) -> CaseHead:
    """Return the head of a page about the case of an offer or task that the person may see."""
    spots = await locations.spots(tx, leave, call.pages.door.keys, [about.case_id])
    say, visit = call.pages.render.say(call.visit), call.visit
    spot, ended = spots.get(about.case_id, Spot()), about.closed_at is not None or getattr(about, "declined_by", None) is not None
    return case_head.head(about.case_id, spot, about.pathway, say, call.pages.render.name(visit), ended=ended)


async def _open(here: Here, *, mine: Mapping[str, str] | None = None, since: int = 0, clash: bool = False) -> Response:
    """Return the form with the newest version, or with the draft. The reading is committed before anything leaves.

    mine: entries that could not be saved because somebody wrote meanwhile; since: the version with which they began.
    """
    call, door = here.call, here.call.pages.door
    codes = door.lists().codes
    try:
        async with door.begin() as tx:
            case = await access.hold(tx, door.keys, here.offer.case_id)
            leave = await access.permitted(tx, here.author, Act.WRITE_SECTION, case.case_id)
            readable, writable = await _may(tx, call, leave, case, here.offer)
            if here.section.id not in writable:
                raise Rejected("reading-ended", "section", "this step does not write this section now", status=403)
            reader = Reader(agency=here.who.agency, account=here.who.id)
            await disclose.disclose(tx, door, reader, here.offer.case_id, here.offer.offer_id, only=here.section.id)
            number, stored = await sections.latest(tx, leave, case.cipher, here.section.id, case.sealed_at)
            hidden = await disclose.unnamed(tx, leave, readable)
            entries: tuple[notes.Entry, ...] = ()
            if here.section.id in notes.GROWS:  # the form is for one entry more
                every = await sections.versions(tx, leave, case.cipher, here.section.id, case.sealed_at)
                entries, stored = notes.entries(every, hidden - {leave.agency}), {}
            draft = await drafts.one(tx, leave, case.cipher, here.offer.offer_id, here.section.id) if mine is None else None
            if draft is not None:
                mine, since = draft.entries, draft.since
            if here.section.id in notes.GROWS:
                since = number
            clashes = mine is not None and since != number
            base = await sections.earlier(tx, leave, case.cipher, here.section.id, since, case.sealed_at) if clashes else {}
            history = await sections.history(tx, leave, [here.section.id], case.sealed_at)
    except Rejected as why:
        if why.code != "reading-ended":
            raise
        return _refused(here, mine or {}, "write.ended", 403)
    say, name = call.pages.render.say(call.visit), call.pages.render.name(call.visit)
    theirs = fields.entries(here.section, stored, codes)
    merged = None
    if mine is not None and since != number:
        merged = fields.merge(fields.entries(here.section, base, codes), theirs, {**dict.fromkeys(theirs, ""), **mine})
    last = [view.written(one, hidden, here.who.agency, say, name, call.visit.now) for one in history.get(here.section.id, ())[:1]]
    shown = view.form(
        here.section,
        merged.entries if merged else mine if mine is not None else theirs,
        number,
        say,
        name,
        codes,
        merged=merged,
        further=fields.further(here.section, stored, codes),
        last="".join(last),
        draft=confirmation.kept_at(draft.at, call.visit, say) if draft else "",
    )
    listed = view.notes_of(entries, here.section, here.who.agency, say, name, codes, call.visit.now)
    return _page(here, shown, merged=merged, clash=clash, entries=listed, status=409 if clash else 200)


async def _show(here: Here) -> Response:
    """Return the page of one version. The reading is committed before anything leaves."""
    call, door = here.call, here.call.pages.door
    number = _number(call, "version")
    reader = Reader(agency=here.who.agency, account=here.who.id)
    try:
        async with door.begin() as tx:
            stored = await disclose.earlier(tx, door, reader, here.offer, here.section.id, number)
    except Rejected as why:
        if why.code != "reading-ended":
            raise
        return _refused(here, {}, "show.ended", 403)
    say, name = call.pages.render.say(call.visit), call.pages.render.name(call.visit)
    return call.pages.render.page(
        "version.html",
        call.visit,
        here=here.where,
        head=here.head,
        title=name("section", here.section.id),
        number=number,
        content=view.content(here.section, stored, name, say, door.lists().codes),
    )


async def _strike(here: Here) -> Response:
    """Strike an own entry, once for each form."""
    call, door, who = here.call, here.call.pages.door, here.who
    key = idempotency.form_digest(door.keys, who.agency, who.id, call.form.get("key", ""))
    try:
        async with door.begin() as tx:
            post = Post(kind=Kind.STAFF, agency=who.agency, account=who.id, key=key)
            receipt = await act_on_case.strike(tx, door, post, here.offer, here.section.id, _number(call, "version"))
    except Rejected as why:
        if why.status == 404:
            raise
        return _refused(here, {}, "write.ended", why.status)
    return RedirectResponse(confirmation.link(here.where, "strike", receipt.received_at, call.visit.token), status_code=303)


async def _save(here: Here) -> Response:
    """Save the form as a new version, once for each form. If somebody wrote meanwhile, keep the draft and show both."""
    call, door = here.call, here.call.pages.door
    entered = _entered(here)
    parsed = fields.parse(here.section, entered, door.lists().codes)
    if parsed.errors:
        return _refused(here, entered, "error.top", 422, errors=parsed.errors)
    since = _since(call)
    try:
        receipt = await in_time(_revised(here, parsed.entries, since))
    except Unavailable:
        return _refused(here, entered, "write.away", 503, key=call.form.get("key", ""))
    except Rejected as why:
        if why.code == "written-meanwhile":
            await _keep(here, entered, since)
            return await _open(here, mine=entered, since=since, clash=True)
        if why.status == 404:
            raise
        said = {"empty-section": "write.empty", "key-reused": "error.key"}.get(why.code, "write.ended")
        return _refused(here, entered, said, why.status)
    return RedirectResponse(confirmation.link(here.where, here.section.id, receipt, call.visit.token), status_code=303)


async def _revised(here: Here, entries: Mapping[str, Any], since: int) -> int:
    """Save the entries; return the time of the receipt, µs UTC."""
    call, door, who = here.call, here.call.pages.door, here.who
    key = idempotency.form_digest(door.keys, who.agency, who.id, call.form.get("key", ""))
    async with door.begin() as tx:
        post = Post(kind=Kind.STAFF, agency=who.agency, account=who.id, key=key)
        receipt = await act_on_case.revise(tx, door, post, here.offer, here.section, entries, since)
    return receipt.received_at


async def _draft(here: Here) -> Response:
    """Keep the form as a draft, whatever is in it."""
    entered = _entered(here)
    try:
        kept = await in_time(_keep(here, entered, _since(here.call)))
    except Unavailable:
        return _refused(here, entered, "write.away", 503, key=here.call.form.get("key", ""))
    if not kept:
        return _refused(here, entered, "write.ended", 403)
    return RedirectResponse(confirmation.link(here.where, "draft", here.call.visit.now, here.call.visit.token), status_code=303)


async def _discard(here: Here) -> Response:
    async with here.call.pages.door.begin() as tx:
        leave = await access.permitted(tx, here.author, Act.DISCARD_DRAFT, here.offer.case_id)
        await drafts.drop(tx, leave, here.offer.offer_id, here.section.id)
    return RedirectResponse(confirmation.link(here.where, "discard", here.call.visit.now, here.call.visit.token), status_code=303)


_DO: Mapping[str, Callable[[Here], Awaitable[Response]]] = {
    "open": _open,
    "save": _save,
    "draft": _draft,
    "discard": _discard,
    "show": _show,
    "strike": _strike,
}


async def _keep(here: Here, entered: Mapping[str, str], since: int) -> bool:
    """Keep a draft; False where the person may not write the section now."""
    door = here.call.pages.door
    try:
        async with door.begin() as tx:
            case = await access.hold(tx, door.keys, here.offer.case_id)
            leave = await access.permitted(tx, here.author, Act.WRITE_SECTION, case.case_id)
            _, writable = await _may(tx, here.call, leave, case, here.offer)
            if here.section.id not in writable:
                return False
            draft = Draft(since=since, at=await clock.now(tx), entries=entered)
            await drafts.keep(tx, leave, case.cipher, here.offer.offer_id, here.section.id, draft)
    except Rejected as why:
        if why.code != "reading-ended":
            raise
        return False
    return True


async def _may(tx: AsyncConnection, call: PageRequest, leave: Permit, case: Case, offer: Offer) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return the sections that this offer lets the person read now, and those that it lets them write."""
    door, now = call.pages.door, await clock.now(tx)
    excluded = (await access.involvement(tx, leave.agency, case.case_id)).excluded
    reader = Reader(agency=leave.agency, account=leave.account)
    grants = await disclose.grants(tx, leave, door.lists(), leave.agency, offer.offer_id)
    readable = [disclosure_rules.allowed(reader, grant, case.facts, excluded, now) for grant in grants.values()]
    return next(iter(readable), ()), await writing.writable(tx, door, case, leave, now, offer.offer_id)


def _entered(here: Here) -> dict[str, str]:
    """Return field → text as entered."""
    return {field.id: here.call.form.get(SECTION + field.id, "").strip() for field in here.section.fields}


def _since(call: PageRequest) -> int:
    """Return the version with which the form began; 0 for a form that does not say so."""
    return _number(call, "since")


def _number(call: PageRequest, name: str) -> int:
    text = call.form.get(name, "")
    return int(text) if text.isascii() and text.isdecimal() and len(text) <= 9 else 0


def _refused(
    here: Here, entered: Mapping[str, str], top: str, status: int, *, errors: Mapping[str, str] | None = None, key: str = ""
) -> Response:
    """Return the form with what was entered, and why it was not saved. key: of the same form, where it may be sent again."""
    call = here.call
    say, name = call.pages.render.say(call.visit), call.pages.render.name(call.visit)
    shown = view.form(here.section, entered, _since(call), say, name, call.pages.door.lists().codes, errors=errors)
    return _page(here, shown, top=say(top), status=status, key=key)


def _page(
    here: Here,
    form: view.Form,
    *,
    merged: Merged | None = None,
    clash: bool = False,
    entries: Sequence[view.Note] = (),
    top: str = "",
    status: int = 200,
    key: str = "",
) -> Response:
    render, visit = here.call.pages.render, here.call.visit
    return render.page(
        "section.html",
        visit,
        here=here.where,
        status=status,
        action=f"{here.where}/{here.section.id}",
        step=render.name(visit)("step", here.offer.step),
        head=here.head,
        view=form,
        top=top,
        met=merged is not None,
        notes=entries,
        grows=here.section.id in notes.GROWS,
        clash=clash,
        prefix=SECTION,
        key=key or secrets.token_hex(16),
    )
