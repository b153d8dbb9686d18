"""Pages on which a person writes in the case file: the sections of one offer, and the form of a section with its draft.

Nothing of the file is shown by a GET: the form is opened with a POST, which records the reading first.
"""

from __future__ import annotations

import secrets
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec
from sqlalchemy.ext.asyncio import AsyncConnection
from starlette.responses import Response

from referral.domain.authority.matrix import Permit, Who
from referral.domain.authority.words import Act, Kind
from referral.domain.policy.directory import Section
from referral.domain.policy.questions import KNOWN
from referral.errors import Rejected, Unavailable
from referral.runtime.postgres import clock
from services.intake import store
from services.intake.accounts.store import Account
from services.intake.casefile import access, disclose, disclosure_rules, drafts, fields, filled, notes, sections
from services.intake.casefile import write as writing
from services.intake.casefile.access import Case
from services.intake.casefile.disclosure_rules import Reader
from services.intake.casefile.drafts import Draft
from services.intake.casefile.fields import Merged
from services.intake.casefile.sections import Writing
from services.intake.commands import act_on_case
from services.intake.context import in_time
from services.intake.model import Offer
from services.intake.pages import confirmation, known
from services.intake.pages.case_head import CaseHead, ended, headed
from services.intake.pages.forms import SECTION
from services.intake.pages.page_request import PageRequest, get, known_id, post
from services.intake.pages.writing import content, rated

SHOWN = 10
"""Versions of one section that the list shows (ours); the newest come first."""


async def overview(call: PageRequest) -> Response:
    """Return the list of sections that this offer lets the person read or write, with who wrote them. Shows nothing of their content."""
    async with call.door.begin() as tx:
        offer = await store.offer(tx, call.own, known_id(call, "offer"))
        case = await access.hold(tx, call.door.keys, offer.case_id)
        permit = await access.permitted(tx, call.who(), Act.LIST_SECTIONS, offer.case_id)
        readable, writable = await _may(tx, call, permit, case, offer)
        personal = [section for section in readable if section in call.lists.codes["written"]]
        history = await sections.history(tx, permit, personal, case.sealed_at)
        kept = await drafts.times(tx, permit, offer.offer_id)
        hidden = await disclose.unnamed(tx, permit, readable)
        head = await headed(tx, permit, call, offer)
    back = f"/offers/{offer.offer_id}"
    return call.page(
        "write.html",
        here=f"{back}/write",
        offer=back,
        step=offer.step,
        head=head,
        sections=personal,
        writable=writable,
        drafts=kept,
        history=history,
        hidden=hidden,
        grows=notes.GROWS,
        most=SHOWN,
        sent=confirmation.taken(call, f"{back}/write"),
        live=not ended(offer),
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
    to = call.path.rpartition("/")[0]
    return call.page("ended.html", status=403, to=to, kept=texts, draft=kept, carried={})


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
    who = who or call.account
    name = str(call.request.path_params["section"])
    found = call.policy.sections.get(name)
    if found is None or name not in call.lists.codes["written"]:
        raise store.unknown("section", "section")
    async with call.door.begin() as tx:
        permit = access.own(Who(Kind.STAFF, who.agency, who.id))
        offer = await store.offer(tx, permit, known_id(call, "offer"))
        return Here(call, who, offer, found, await headed(tx, permit, call, offer))


async def _open(here: Here, *, mine: Mapping[str, str] | None = None, since: int = 0, clash: bool = False) -> Response:
    """Return the form with the newest version, or with the draft. The reading is committed before anything leaves.

    mine: entries that could not be saved because somebody wrote meanwhile; since: the version with which they began.
    """
    call, door = here.call, here.call.door
    codes = call.lists.codes
    try:
        async with door.begin() as tx:
            case = await access.hold(tx, door.keys, here.offer.case_id)
            permit = await access.permitted(tx, here.author, Act.WRITE_SECTION, case.case_id)
            readable, writable = await _may(tx, call, permit, case, here.offer)
            if here.section.id not in writable:
                raise Rejected("reading-ended", "section", "this step does not write this section now", status=403)
            reader = Reader(agency=here.who.agency, account=here.who.id)
            await disclose.disclose(tx, door, reader, here.offer.case_id, here.offer.offer_id, only=here.section.id)
            number, stored = await sections.latest(tx, permit, case.cipher, here.section.id, case.sealed_at)
            hidden = await disclose.unnamed(tx, permit, readable)
            entries: tuple[notes.Entry, ...] = ()
            answered: Mapping[str, Any] | None = None
            if here.section.table is not None:  # the answers of this agency, beside those of the others
                every = await sections.versions(tx, permit, case.cipher, here.section.id, case.sealed_at)
                number, stored = filled.own(every, permit.agency)
                found = filled.entries(every, hidden - {permit.agency})
                answered = filled.content(here.section.table, found, case.facts.traits.age_band)
            if here.section.id in notes.GROWS:  # the form is for one entry more
                every = await sections.versions(tx, permit, case.cipher, here.section.id, case.sealed_at)
                entries, stored = notes.entries(every, hidden - {permit.agency}), {}
            draft = await drafts.one(tx, permit, case.cipher, here.offer.offer_id, here.section.id) if mine is None else None
            if draft is not None:
                mine, since = draft.entries, draft.since
            if here.section.id in notes.GROWS:
                since = number
            clashes = mine is not None and since != number
            base = await sections.earlier(tx, permit, case.cipher, here.section.id, since, case.sealed_at) if clashes else {}
            history = await sections.history(tx, permit, [here.section.id], case.sealed_at)
    except Rejected as why:
        if why.code != "reading-ended":
            raise
        return _refused(here, mine or {}, "write.ended", 403)
    theirs, merged = fields.entries(here.section, stored, codes), None
    if mine is not None and since != number:
        merged = fields.merge(fields.entries(here.section, base, codes), theirs, {**dict.fromkeys(theirs, ""), **mine})
    return _page(
        here,
        merged.entries if merged else mine if mine is not None else theirs,
        number,
        merged=merged,
        clash=clash,
        further=fields.further(here.section, stored, codes),
        last=next((one for one in history.get(here.section.id, ()) if answered is None or one.version == number), None),
        hidden=hidden,
        kept=draft.at if draft else None,
        entries=_entries(call, here.section, entries),
        answered=answered,
        status=409 if clash else 200,
    )


async def _show(here: Here) -> Response:
    """Return the page of one version. The reading is committed before anything leaves."""
    call, door = here.call, here.call.door
    number = _number(call, "version")
    reader = Reader(agency=here.who.agency, account=here.who.id)
    try:
        async with door.begin() as tx:
            stored = await disclose.earlier(tx, door, reader, here.offer, here.section.id, number)
    except Rejected as why:
        if why.code != "reading-ended":
            raise
        return _refused(here, {}, "show.ended", 403)
    shown = content.content(here.section, stored, call.name, call.say, call.lists.codes)
    return call.page("version.html", here=here.where, head=here.head, section=here.section.id, number=number, content=shown)


async def _strike(here: Here) -> Response:
    """Strike an own entry, once for each form."""
    call, section, version = here.call, here.section.id, _number(here.call, "version")
    at = await call.command(lambda tx: act_on_case.strike(tx, call.door, call.post(), here.offer, section, version))
    if isinstance(at, Rejected):
        return _refused(here, {}, "write.ended", at.status)
    return confirmation.redirect(call, here.where, "strike", at)


async def _save(here: Here) -> Response:
    """Save the form as a new version, once for each form. If somebody wrote meanwhile, keep the draft and show both."""
    call = here.call
    entered = _entered(here)
    parsed = fields.parse(here.section, entered, call.lists.codes)
    if parsed.errors:
        return _refused(here, entered, "error.top", 422, errors=parsed.errors)
    since = _since(call)
    try:
        at = await in_time(
            call.command(lambda tx: act_on_case.revise(tx, call.door, call.post(), here.offer, here.section, parsed.entries, since))
        )
    except Unavailable:
        return _refused(here, entered, "write.away", 503, key=call.form.get("key", ""))
    if isinstance(at, Rejected):
        if at.code == "written-meanwhile":
            await _keep(here, entered, since)
            return await _open(here, mine=entered, since=since, clash=True)
        said = {"empty-section": "write.empty", "key-reused": "error.key"}.get(at.code, "write.ended")
        return _refused(here, entered, said, at.status)
    return confirmation.redirect(call, here.where, here.section.id, at)


async def _draft(here: Here) -> Response:
    """Keep the form as a draft, whatever is in it."""
    entered = _entered(here)
    try:
        kept = await in_time(_keep(here, entered, _since(here.call)))
    except Unavailable:
        return _refused(here, entered, "write.away", 503, key=here.call.form.get("key", ""))
    if not kept:
        return _refused(here, entered, "write.ended", 403)
    return confirmation.redirect(here.call, here.where, "draft", here.call.now)


async def _discard(here: Here) -> Response:
    async with here.call.door.begin() as tx:
        permit = await access.permitted(tx, here.author, Act.DISCARD_DRAFT, here.offer.case_id)
        await drafts.drop(tx, permit, here.offer.offer_id, here.section.id)
    return confirmation.redirect(here.call, here.where, "discard", here.call.now)


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
    door = here.call.door
    try:
        async with door.begin() as tx:
            case = await access.hold(tx, door.keys, here.offer.case_id)
            permit = await access.permitted(tx, here.author, Act.WRITE_SECTION, case.case_id)
            _, writable = await _may(tx, here.call, permit, case, here.offer)
            if here.section.id not in writable:
                return False
            draft = Draft(since=since, at=await clock.now(tx), entries=entered)
            await drafts.keep(tx, permit, case.cipher, here.offer.offer_id, here.section.id, draft)
    except Rejected as why:
        if why.code != "reading-ended":
            raise
        return False
    return True


async def _may(tx: AsyncConnection, call: PageRequest, permit: Permit, case: Case, offer: Offer) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return the sections that this offer lets the person read now, and those that it lets them write."""
    door, now = call.door, await clock.now(tx)
    excluded = (await access.involvement(tx, permit.agency, case.case_id)).excluded
    reader = Reader(agency=permit.agency, account=permit.account)
    grants = await disclose.grants(tx, permit, call.lists, permit.agency, offer.offer_id)
    readable = [disclosure_rules.allowed(reader, grant, case.facts, excluded, now) for grant in grants.values()]
    return next(iter(readable), ()), await writing.writable(tx, door, case, permit, now, offer.offer_id)


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
    return _page(here, entered, _since(here.call), top=top, status=status, errors=errors or {}, key=key)


def _page(
    here: Here,
    values: Mapping[str, str],
    since: int,
    *,
    merged: Merged | None = None,
    clash: bool = False,
    further: Mapping[str, Any] | None = None,
    last: Writing | None = None,
    hidden: Collection[str] = (),
    kept: int | None = None,
    entries: Sequence[notes.Entry] = (),
    answered: Mapping[str, Any] | None = None,
    top: str = "",
    errors: Mapping[str, str] | None = None,
    status: int = 200,
    key: str = "",
) -> Response:
    """Return the form of a section.

    values: field → text. since: the version with which it began. merged: with a version that came meanwhile; clash: now. further: what the
    form cannot hold. last: the newest version. hidden: agencies that are not named. kept: when the draft was kept, µs UTC. top, errors:
    keys of texts.
    """
    return here.call.page(
        "section.html",
        here=here.where,
        status=status,
        action=f"{here.where}/{here.section.id}",
        step=here.offer.step,
        head=here.head,
        section=here.section,
        codes=here.call.lists.codes,
        values=values,
        since=since,
        merged=merged,
        clash=clash,
        further=further or {},
        last=last,
        hidden=hidden,
        kept=kept,
        notes=entries,
        rated=None if answered is None else rated_of(here.call, here.offer, here.section, answered),
        top=top,
        errors=errors or {},
        grows=here.section.id in notes.GROWS,
        prefix=SECTION,
        key=key or secrets.token_hex(16),
    )


def rated_of(call: PageRequest, offer: Offer, section: Section, stored: Mapping[str, Any]) -> rated.Rated:
    """Return the form of a decision in words, with the level that its step decides."""
    form = call.lists.forms.get((offer.pathway, offer.step))
    level = form.level(stored["points_to"]) if form is not None and form.section == section.id else ""
    return rated.rated(section, stored, call.name, call.say, call.lists.codes, level)


def readable(call: PageRequest, section: str, stored: Any) -> tuple[Any, Sequence[notes.Entry]]:
    """Return the content of a section for the page, and its entries where it only grows. stored: None where nothing is."""
    about, codes = call.policy.sections.get(section), call.lists.codes
    if section in codes.get("need", ()):
        return content.recorded(stored, call.name, call.say, call.now), ()
    if section == KNOWN and stored:
        said = msgspec.convert(stored["entries"], tuple[notes.Entry, ...])
        each = call.policy.questions.each
        return {}, [msgspec.structs.replace(one, content=known.readable(one.content, each, call.name, call.say)) for one in reversed(said)]
    entries = msgspec.convert(stored["entries"], tuple[notes.Entry, ...]) if section in notes.GROWS and stored else ()
    return content.content(about, stored, call.name, call.say, codes), _entries(call, about, entries)


def _entries(call: PageRequest, section: Section | None, entries: Sequence[notes.Entry]) -> list[notes.Entry]:
    """Return the entries of a section that only grows, the newest first, with their content in words."""
    codes, say, name = call.lists.codes, call.say, call.name
    return [msgspec.structs.replace(one, content=content.content(section, one.content, name, say, codes)) for one in reversed(entries)]


ROUTES = (
    *get("/offers/{id}/write", overview),
    *post("/offers/{id}/write/{section}", section, lapsed=keep_after_the_end),
)
