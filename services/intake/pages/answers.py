"""The page of an offer, for the agency that holds it and for the desk that telephones its agency: answer it, read the file, take it back.

A desk's pages are those below /calls: what it records is the answer of an agency on the telephone.
"""

from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import msgspec
from sqlalchemy.ext.asyncio import AsyncConnection
from starlette.responses import Response

from referral.domain.authority.matrix import Permit
from referral.domain.authority.words import Act, Kind
from referral.domain.durations import DAY_US
from referral.domain.events import Via
from referral.domain.rules.persons import REASON
from referral.domain.rules.take_back import TAKE_BACK
from referral.errors import Rejected
from services.intake import contacts, store
from services.intake.casefile import access, disclose, locations, sections
from services.intake.casefile.disclosure_rules import Reader
from services.intake.commands import act_on_case
from services.intake.commands.act_on_case import Post
from services.intake.contacts import Contact
from services.intake.messages.responses import WORDS_LIMIT, TakeBackBody
from services.intake.model import Answer, Offer, Receipt, Since, Spot
from services.intake.pages import case_head, confirmation, forms, guidance, relative_time, told
from services.intake.pages import offer as offers
from services.intake.pages.case_head import CaseHead, Stage
from services.intake.pages.forms import SPOKE_LIMIT, Entered, Fields
from services.intake.pages.page_request import PageRequest, get, known_id, post
from services.intake.pages.writing.sections import rated_of, readable
from services.intake.projection import as_of

LOOK_S = 0.1
"""Seconds between two checks whether routing has decided an answer (ours): routing takes some 20 ms."""


@dataclass(frozen=True, slots=True, repr=False)
class Here:
    """One request about an offer, and what its page shows beside it.

    who: login of the colleague who has it. stages: where the case stands. contacts: whom the agency may telephone about it.
    since: what was asked since the answer that has just ended the agency's part; None: there is none.
    closes: key of the text that says that the case closes with this part; empty where another part is open.
    looks: whether nobody has confirmed the report yet (`not-yet`), or a desk has meanwhile (`now`); empty for an offer of a procedure.
    decides: id of the offer in which the agency says what it found; empty where there is none.
    """

    call: PageRequest
    offer: Offer
    spot: Spot
    answers: tuple[Answer, ...]
    who: str
    stages: tuple[Stage, ...]
    contacts: tuple[Contact, ...]
    since: Since | None
    closes: str
    looks: str = ""
    decides: str = ""

    @property
    def by_phone(self) -> bool:
        return _by_phone(self.call)

    @property
    def via(self) -> Via:
        return Via.PHONE if self.by_phone else Via.WEB

    @property
    def post(self) -> Post:
        """Return who sends a command by the form of the page: a person of the agency, or of its desk."""
        return self.call.post(Kind.DESK if self.by_phone else Kind.STAFF)

    @property
    def where(self) -> str:
        return f"/{'calls' if self.by_phone else 'offers'}/{self.offer.offer_id}"

    @property
    def live(self) -> bool:
        return not case_head.ended(self.offer)

    @property
    def head(self) -> CaseHead:
        return CaseHead(self.offer.case_id, self.spot, self.offer.pathway, self.stages, ended=not self.live)

    @property
    def aloud(self) -> str:
        """Return when a desk may read the child's place out: `now`, or `later`, after the office has accepted; empty: never."""
        may = self.by_phone and self.live and disclose.ALOUD in self.offer.shows
        return ("now" if self.offer.state in disclose.ACCEPTED else "later") if may else ""


def _by_phone(call: PageRequest) -> bool:
    return call.path.startswith("/calls/")


async def page(call: PageRequest) -> Response:
    """Return the page. The case file stays closed until the person opens it with the form."""
    here = await _begun(call)
    asked: dict[str, told.Asked] = {}
    if here.by_phone:
        async with call.door.begin() as tx:
            task = told.task_of(here.offer, await store.desk_tasks(tx, call.own))
        asked = {here.where: (task, call.name("agency", call.account.agency))} if task is not None else {}
    elif told.awaited(here.offer):
        asked = {here.where: (here.offer, "")}
    return draw(here, line=(await told.lines(call, asked)).get(here.where))


async def show(call: PageRequest) -> Response:
    """Show the case file; to a desk where the child is, to be read out to an office that has accepted on the telephone and was called back
    on its own number. The reading is committed before this function returns, so before any of the file leaves."""
    here = await _begun(call)
    if here.by_phone and call.form.get("called") != "yes":
        return draw(here, entered=Entered(errors={"top": "aloud.needed"}), status=422)
    reader, disclosed = (
        Reader(agency=call.account.agency, account=call.account.id),
        disclose.read_out if here.by_phone else disclose.disclose,
    )
    async with call.door.begin() as tx:
        try:
            shown = await disclosed(tx, call.door, reader, here.offer.case_id, here.offer.offer_id)
        except Rejected as why:
            if why.code != "reading-ended":
                raise
            return draw(here, entered=Entered(errors={"top": "aloud.not" if here.by_phone else "show.ended"}), status=403)
    return draw(here, shown={**shown.sections, **dict.fromkeys(shown.empty)})


async def answer(call: PageRequest) -> Response:
    """Send an answer, once for each form. On an error the page shows it beside the field, and keeps the entered values."""
    here = await _begun(call)
    entered = entered_answer(call.form, here.offer)
    if not entered.errors and forms.asks(call.form, entered.word):
        return _ask_once(here, entered.word)
    if entered.errors and entered.errors != {"top": "error.word"}:  # an impossible word: this very form may have come before, its key tells
        return draw(here, entered=entered, status=422)

    async def respond(tx: AsyncConnection) -> Receipt:
        body = act_on_case.answer(entered.word, reason=entered.reason, code=entered.code, texts=dict(entered.texts), via=here.via)
        return await act_on_case.respond(tx, call.door, here.post, here.offer.offer_id, body, entered.spoke)

    return await _send(here, entered, entered.word, respond)


async def take_back(call: PageRequest) -> Response:
    """Take back an answer that was sent by mistake, once for each form: by the agency, or by its desk for one on the telephone."""
    here = await _begun(call)

    async def withdraw(tx: AsyncConnection) -> Receipt:
        body = TakeBackBody(word="COMPLETE", via=here.via)
        return await act_on_case.take_back(tx, call.door, here.post, here.offer.offer_id, body)

    return await _send(here, Entered(), TAKE_BACK, withdraw)


ROUTES = tuple(
    route
    for one in ("/offers/{id}", "/calls/{id}")
    for route in (*get(one, page), *post(f"{one}/show", show), *post(f"{one}/answer", answer), *post(f"{one}/take-back", take_back))
)


def entered_answer(form: Fields, offer: Offer) -> Entered:
    """Return the answer in a form, checked against the offer."""
    word, reason, code = form.get("word", ""), form.get("reason", ""), form.get("code", "")
    texts = {need: form.get(f"need.{need}", "").strip() for need in offer.needs} if word == "DECIDE" else {}
    if word == "DECIDE" and REASON not in texts and (why := form.get(f"need.{REASON}", "").strip()):
        texts[REASON] = why  # of a level below what a form points to
    errors: dict[str, str] = {}
    if word not in offers.possible(offer):
        errors["top"] = "error.word"
    if word in offers.FOLDED and not reason:
        errors["reason"] = "error.reason"
    if word == "DECIDE":
        if not code:
            errors["code"] = "error.code"
        errors |= {f"need.{need}": "error.need" for need, text in texts.items() if not text}
        errors |= {f"need.{need}": "error.long" for need, text in texts.items() if len(text) > WORDS_LIMIT}
    spoke = form.get("spoke", "").strip()
    if len(spoke) > SPOKE_LIMIT:
        errors["spoke"] = "error.long"
    return Entered(word=word, reason=reason, code=code, spoke=spoke, texts=texts, errors=errors)


async def decided(call: PageRequest, id: str, word: str, at: int) -> None:
    """Wait until routing has decided an answer or instruction, at most `patience_s`. at: time of its receipt, µs UTC."""
    until = time.monotonic() + call.pages.patience_s
    while time.monotonic() < until:
        async with call.door.begin() as tx:
            answers = await store.answers(tx, call.own, id)
        if any(answer.became is not None for answer in answers if (answer.word, answer.at) == (word, at)):
            return
        await asyncio.sleep(LOOK_S)


async def _send(here: Here, entered: Entered, word: str, send: Callable[[AsyncConnection], Awaitable[Receipt]]) -> Response:
    """Send a command. Return the redirect to the page that says what became of it, or the page with the error."""
    call = here.call
    at = await call.command(send)
    if isinstance(at, Rejected):
        if at.code == "not-recorded" and REASON not in entered.texts:
            return draw(here, entered=replace(entered, errors={f"need.{REASON}": "error.below"}), status=422)
        return draw(here, entered=confirmation.refused(entered, at), status=at.status)
    await decided(call, here.offer.offer_id, word, at)
    return confirmation.redirect(call, here.where, word, at)


def _ask_once(here: Here, word: str) -> Response:
    """Return the page that asks before a word ends something."""
    call, offer, say = here.call, here.offer, here.call.say
    undo = next((p.take_back for p in call.policy.every if p.id == offer.pathway), None) if word == "COMPLETE" else None
    back = say("once.means") if undo is None or offer.kind == "PLACE" else say("once.undo", time=relative_time.span(say, undo.micros))
    lines = [say.first(f"word.{word}.means", "once.means"), back]
    if word == "COMPLETE":
        # A stay that ends soon after the arrival is asked about (ours): most such ends are slips of a thumb.
        if offer.kind == "PLACE" and offer.arrived and call.now - offer.changed_at < DAY_US:
            lines.append(say("once.short", time=relative_time.clock(say, offer.changed_at, call.now)))
        if here.closes:
            lines.append(say(here.closes))
    head = CaseHead(offer.case_id, here.spot, offer.pathway)
    return case_head.question(call, head, call.name("step", offer.step), say(f"word.{word}"), lines, here.where)


async def _begun(call: PageRequest) -> Here:
    """Return the offer of the path, and what its page shows beside it. Rejected 404: the person may not see it."""
    by_phone = _by_phone(call)
    if by_phone and not call.account.desk:
        raise store.unknown("offer", "offer_id")
    async with call.door.begin() as tx:
        offer = await (store.call if by_phone else store.offer)(tx, call.own, known_id(call, "offer"))
        capacity, act = (Kind.DESK, Act.SEE_CALL) if by_phone else (Kind.STAFF, Act.SEE_OFFER)
        permit = await access.permitted(tx, call.who(capacity), act, offer.case_id)
        here = await _beside(tx, permit, call, offer)
        if not by_phone:
            return here
        case = await access.known(tx, call.door.keys, offer.case_id)
        spoken = await sections.spoken(tx, permit, case.cipher, offer.offer_id) if case is not None else {}
    return replace(here, answers=tuple(msgspec.structs.replace(one, spoke_to=spoken.get(one.at, "")) for one in here.answers))


async def _beside(tx: AsyncConnection, permit: Permit, call: PageRequest, offer: Offer) -> Here:
    """Return an offer with what its page shows beside it. permit: to see the offer, or the call about it."""
    keys, case, ours = call.door.keys, [offer.case_id], call.account.agency == offer.agency
    spot = (await locations.spots(tx, permit, keys, case)).get(offer.case_id, Spot())
    track = (await as_of.track_offers(tx, permit, keys, case)).get(offer.track_id, [])
    until = store.NEVER if spot.then_at is None else spot.then_at
    answers = await store.answers(tx, permit, offer.offer_id)
    last = offers.ending(answers, call.now)
    since = None if last is None else await store.since(tx, permit, last.at, min(last.at + offers.AFTER_US, until))
    stages = () if case_head.ended(offer) else case_head.stages(call.policy, offer.pathway, track, call.account.agency)
    looks = any(offer.pathway == check.id for check in call.policy.unverified)
    return Here(
        call,
        offer,
        spot,
        answers,
        who=(await store.holders(tx, permit, [offer.offer_id])).get(offer.offer_id, "") if ours else "",
        stages=stages,
        contacts=contacts.contacts(call.lists, offer, track, spot.desk) if ours else (),
        since=since,
        closes=await _closes(tx, permit, offer, stages, until),
        looks=("not-yet" if await store.awaits_confirmation(tx, permit) else "now") if looks else "",
        decides=await store.deciding(tx, permit, offer.track_id) if looks and ours and "DECIDE" not in offer.words else "",
    )


async def _closes(tx: AsyncConnection, permit: Permit, offer: Offer, stages: tuple[Stage, ...], until: int) -> str:
    """Return the key of the text that says whether the case closes when this part is done; empty where another part was open then."""
    if "COMPLETE" not in offers.possible(offer) or not await store.is_last_part(tx, permit, offer.offer_id, until):
        return ""
    ahead = any(stage.state == case_head.AHEAD for stage in stages) or len(await store.pathways(tx, permit, until)) > 1
    return "once.closes.unless" if ahead else "once.closes"


def draw(
    here: Here, *, line: told.Line | None = None, shown: Mapping[str, Any] | None = None, entered: Entered | None = None, status: int = 200
) -> Response:
    """Return the page of an offer. shown: section → what is stored, None where nothing is."""
    call, offer, by_phone, entered = here.call, here.offer, here.by_phone, entered or Entered()
    say, policy, lists = call.say, call.policy, call.lists
    reasons, limits = lists.codes.get("reason", ()), {"spoke": SPOKE_LIMIT}
    found = lists.forms.get((offer.pathway, offer.step)) if "DECIDE" in offer.words else None
    risk = found.section if found is not None and found.section in offer.shows else ""
    return call.page(
        "offer.html",
        here=here.where,
        status=status,
        page=here,
        offer=offer,
        reasons=reasons,
        actions=offers.actions(offer, reasons, call=by_phone, duty=offers.keeps(policy, offer)),
        telephone=lists.telephones.get(offer.agency, "") if by_phone else "",
        desk_telephone=lists.telephones.get(here.spot.desk, ""),
        told=line,
        persons=offers.persons(offer, lists.persons.get((offer.pathway, offer.step, offer.seat)), call.account.id),
        guidance=guidance.view(policy, lists.number, offer.pathway, offer.step, say, "phone" if by_phone else "system"),
        shown=None if shown is None else [(section, *readable(call, section, stored)) for section, stored in shown.items()],
        risk=risk,
        rated=(risk, rated_of(call, offer, policy.sections[risk], shown[risk])) if shown and risk and shown.get(risk) else None,
        entered=entered,
        errors={field: say(key, count=limits.get(field, WORDS_LIMIT), code=entered.refusal) for field, key in entered.errors.items()},
        sent=confirmation.became(call, here.where, here.answers),
        said=[confirmation.line(call, one, here.answers) for one in here.answers],
        key=secrets.token_hex(16),
        words_limit=WORDS_LIMIT,
        spoke_limit=SPOKE_LIMIT,
    )
