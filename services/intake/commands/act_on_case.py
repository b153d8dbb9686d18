"""Act on a case that exists: answers, consent, traits, exclusions, instructions and sections, for the API and the pages alike.

Each function runs in the caller's transaction, and returns the receipt or raises Rejected; the caller commits. `post` names the actor and
the key.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec
from msgspec import Struct, structs
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from referral.domain.authority.matrix import Permit, Who, permit
from referral.domain.authority.words import Act, Kind
from referral.domain.events import ActorKind, Instruction, Signed, Via, Word
from referral.domain.inputs import derived
from referral.domain.policy.directory import Section
from referral.domain.policy.questions import KNOWN
from referral.domain.rules.persons import TAKES
from referral.domain.rules.take_back import TAKE_BACK
from referral.errors import Rejected
from referral.runtime import authority
from referral.runtime.postgres import clock, queue
from referral.wire import event_digest
from services.intake import store
from services.intake.casefile import access, disclosure_rules, drafts, fields, filled, notes, sections
from services.intake.casefile import write as writing
from services.intake.casefile.access import Case, Involvement, forbidden
from services.intake.commands import idempotency
from services.intake.commands.idempotency import Claim
from services.intake.context import IntakeContext
from services.intake.messages import responses, strict_json, submission
from services.intake.messages.words import Said
from services.intake.model import Offer, Receipt
from services.intake.policy_view import Form, Lists


class Post(Struct, frozen=True, kw_only=True):
    """The sender of a command.

    kind: the capacity in which they act: a page of the desk is sent as DESK.
    account: of the person; None for the agency's system.
    key: the digest of the Idempotency-Key; None when none was sent.
    signed: the system's signature; None where it did not sign.
    said: the digest of the system's words; None where it sent none.
    """

    kind: Kind
    agency: str
    account: str | None = None
    key: bytes | None = None
    signed: Signed | None = None
    said: Said | None = None

    @property
    def who(self) -> Who:
        return Who(self.kind, self.agency, self.account)


class Begun(Struct, frozen=True, kw_only=True):
    """A command between the claim of its key and its event. claim: None when no key was sent. known: the receipt that the key had before;
    then the command has no further effect."""

    receipt: Receipt
    queue_id: str
    signed: Signed | None = None
    said: Said | None = None
    claim: Claim | None = None
    known: Receipt | None = None


async def respond(
    tx: AsyncConnection, door: IntakeContext, post: Post, offer_id: str, body: responses.AnswerBody, spoke_to: str = ""
) -> Receipt:
    """Answer an offer that the agency holds or ever held, or that its desk records for an agency reached by telephone (via PHONE).

    spoke_to: with whom the desk spoke there, by name or number; stays in the case file, for the desk.
    A decline ends the agency's reading in this transaction; routing decides everything else.
    """
    by_phone, offer = await _offer(tx, post, offer_id, body.via)
    begun = await begin(tx, door, post, "response", offer.case_id, offer_id.encode(), strict_json.canonical(body))
    if begun.known:
        return begun.known
    case = await access.take(tx, door.keys, offer.case_id)
    leave = await access.permitted(tx, post.who, Act.ANSWER_CALL if by_phone else Act.ANSWER, offer.case_id)
    involved = await access.involvement(tx, offer.agency, offer.case_id)
    other_person(door.lists(), post, offer, body.word, excluded=involved.barred(offer.agency, post.account))
    counts = offer.closed_at is None and offer.declined_by is None and involved.holder and not involved.barred(offer.agency, post.account)
    form = door.lists().forms.get((offer.pathway, offer.step)) if counts else None
    pointed = await _pointed(tx, leave, case, form, offer) if form is not None and body.word == Word.DECIDE else None
    if form is not None:
        responses.below(body, form, pointed, post.account)
    event = responses.response(
        body,
        offer,
        door.lists(),
        id=begun.receipt.id,
        by=None if by_phone else post.account,
        via=Via(body.via),
        recorded_by=post.account if by_phone else None,
        at=begun.receipt.received_at,
        pointed=pointed,
    )
    at = begun.receipt.received_at
    texts = dict(body.texts) if counts else {}  # nobody reads what is said by somebody who has no part in the case any more
    texts |= {sections.SPOKE_TO: spoke_to} if spoke_to and by_phone else {}
    await sections.record(tx, leave, case.cipher, texts, response_id=event.response_id, offer_id=offer_id, at=at)
    decided = derived(begun.receipt.event_id, 0)
    await store.answered(tx, leave, decided, offer_id=offer_id, word=event.word.value, at=at)
    if event.word == Word.DECLINE:
        sql = "UPDATE intake.offer SET declined_by = :ignored WHERE offer_id = :id AND closed_at IS NULL"
        await tx.execute(text(sql), {"ignored": decided, "id": offer_id})
    return await _emit(tx, case, begun, event)


async def _pointed(tx: AsyncConnection, leave: Permit, case: Case, form: Form, offer: Offer) -> str | None:
    """Return the level to which the form of a decision points now; None where the offer is of an older procedure, which has no form."""
    if form.section not in offer.shows:
        return None
    every = await sections.versions(tx, leave, case.cipher, form.section, case.sealed_at)
    said = [filled.answers(form.table, one.content) for one in filled.newest(every)]
    return form.level(form.table.points_to(said, case.facts.traits.age_band).level)


def other_person(lists: Lists, post: Post, offer: Offer, word: str, *, excluded: bool) -> None:
    """Check that a seat that only a person may answer for is answered by one, and by another than who answered for the other seat.

    excluded: the case excludes the account; then routing answers, so that nobody learns here that somebody has named them.
    Rejected 409.
    """
    if word not in TAKES or (offer.pathway, offer.step, offer.seat) not in lists.persons:
        return
    if post.account is None:
        raise Rejected("needs-person", "$.word", "a person must say this, in the inbox: a system cannot", status=409)
    if post.account in offer.skip and not excluded:
        raise Rejected("same-person", "$.word", "you have answered here before: another person must say this", status=409)


async def take_back(tx: AsyncConnection, door: IntakeContext, post: Post, offer_id: str, body: responses.TakeBackBody) -> Receipt:
    """Take back that the agency's part of an offer is done. Routing decides: as long as nobody else was asked, and for the time that the
    procedure gives (`undo_until` of the offer).

    By telephone only a person at the desk takes it back, so that the log names somebody. Rejected: a desk's system.
    """
    if body.via == Via.PHONE and post.account is None:
        raise Rejected(
            "unknown-code", "$.via", "use SYSTEM; for an agency on the telephone a person at the desk takes it back, on its page"
        )
    by_phone, offer = await _offer(tx, post, offer_id, body.via)
    begun = await begin(tx, door, post, "take-back", offer.case_id, offer_id.encode(), strict_json.canonical(body))
    if begun.known:
        return begun.known
    case, at = await access.take(tx, door.keys, offer.case_id), begun.receipt.received_at
    leave = await access.permitted(tx, post.who, Act.TAKE_BACK_CALL if by_phone else Act.TAKE_BACK, offer.case_id)
    by, desk = (None, post.account) if by_phone else (post.account, None)
    event = responses.withdrawn(body, offer, by=by, recorded_by=desk, at=at)
    decided = derived(begun.receipt.event_id, 0)
    await store.answered(tx, leave, decided, offer_id=offer_id, word=TAKE_BACK, at=at)
    return await _emit(tx, case, begun, event)


async def _offer(tx: AsyncConnection, post: Post, offer_id: str, via: str) -> tuple[bool, Offer]:
    """Return whether a desk speaks for an agency on the telephone, and the offer. Rejected: this sender cannot answer by that way."""
    by_phone = via == Via.PHONE
    own = Via.SYSTEM if post.account is None else Via.WEB
    if via not in (own, Via.PHONE):
        raise Rejected("unknown-code", "$.via", f"use one of: {own}, PHONE")
    return by_phone, await (store.call if by_phone else store.answerable)(tx, access.own(post.who), offer_id)


async def consent(tx: AsyncConnection, door: IntakeContext, post: Post, case_id: str, body: submission.ConsentBody) -> Receipt:
    """Record a consent given, refused or withdrawn.

    Reading that rests on the consent ends with this transaction if a desk sent it, or the agency that recorded the consent in force.
    Routing decides about a consent of any other agency: a duty ends only when a second party confirms it. What an excluded sender says
    (`Involvement.at_rest`) changes nothing by itself: it is put aside for the desk, which routing asks.
    """
    begun = await begin(tx, door, post, "consent", case_id, strict_json.canonical(body))
    if begun.known:
        return begun.known
    case, involved, leave = await _involved(tx, door, post, Act.RECORD_CONSENT, case_id)
    event = responses.consent(body, door.lists(), agency=post.agency, at=begun.receipt.received_at)
    capped = disclosure_rules.capped(case.facts, event.consent, post.agency, begun.receipt.event_id, desk=involved.desk)
    await access.store_facts(tx, leave, case, capped if involved.at_rest is None else case.facts, case.desk)
    await _aside(tx, door, case, involved, leave, "consent", body, event.received_at)
    return await _emit(tx, case, begun, event)


async def traits(tx: AsyncConnection, door: IntakeContext, post: Post, case_id: str, body: submission.TraitsBody) -> Receipt:
    """Record all traits as they are now: age settled, child moved, exploitation found.

    They hold when routing has decided so: a change that would end a duty waits until a second party says so too.
    """
    begun = await begin(tx, door, post, "traits", case_id, strict_json.canonical(body))
    if begun.known:
        return begun.known
    case, involved, leave = await _involved(tx, door, post, Act.RECORD_TRAITS, case_id)
    await _aside(tx, door, case, involved, leave, "traits", body, begun.receipt.received_at)
    event = responses.traits(body, door.lists(), agency=post.agency, by=post.account, at=begun.receipt.received_at)
    return await _emit(tx, case, begun, event)


async def some_traits(
    tx: AsyncConnection,
    door: IntakeContext,
    post: Post,
    case_id: str,
    changed: Mapping[str, Any],
    answers: Mapping[str, str] | None = None,
) -> Receipt:
    """Record the traits that a person has changed on a page: `responses.some_traits`. All others stay as routing has decided them
    by then, so that two people who record something at the same time do not undo each other's change.

    answers: question of "What is known" → answer, which those read who may read what happened. At least one of both is there.
    """
    same = (strict_json.canonical(dict(changed)), *((strict_json.canonical(dict(answers)),) if answers else ()))
    begun = await begin(tx, door, post, "traits", case_id, *same)
    if begun.known:
        return begun.known
    case, involved, leave = await _involved(tx, door, post, Act.RECORD_TRAITS, case_id)
    at = begun.receipt.received_at
    if answers:
        said = strict_json.canonical(dict(answers))
        queue_id = "" if changed else begun.queue_id
        await writing.put(tx, door, case, leave, KNOWN, said, at, queue_id=queue_id, until=involved.seen_until)
    if not changed:
        return begun.receipt
    event = responses.some_traits(case.facts.traits, changed, door.lists(), agency=post.agency, by=post.account, at=at)
    return await _emit(tx, case, begun, event)


async def exclude(tx: AsyncConnection, door: IntakeContext, post: Post, case_id: str, body: responses.ExclusionBody) -> Receipt:
    """Exclude an agency, a member of staff or a relation: after this transaction it reads nothing more.

    A duty that it has taken ends when a second party says so too, and so does its reading of what was written before (decision 0071).
    Rejected 409: it is the last desk that could look at the case.
    """
    begun = await begin(tx, door, post, "exclusion", case_id, strict_json.canonical(body))
    if begun.known:
        return begun.known
    case, involved, leave = await _involved(tx, door, post, Act.EXCLUDE, case_id)
    event = responses.exclusion(body, door.lists(), agency=post.agency, by=post.account, at=begun.receipt.received_at)
    if event.kind is ActorKind.AGENCY and door.lists().is_last_desk(case.facts.traits.found_in, involved.agencies, event.actor):
        raise Rejected("last-desk", "$.actor", "no other desk is left for this case: exclude the member of staff instead", status=409)
    if not involved.desk:
        await access.room(tx, leave, [f"{event.kind.lower()}:{event.actor}"])
    counts = involved.at_rest is None
    await access.exclude(tx, leave, {case_id: [f"{event.kind}:{event.actor}"]}, counts=counts)
    if involved.desk:
        await access.said_by_desk(tx, leave, f"{event.kind.lower()}:{event.actor}")
    if event.actor == case.desk:
        desk = door.lists().desk(case.facts.traits.found_in, {*involved.agencies, event.actor})
        await access.store_facts(tx, leave, case, case.facts, desk if counts else case.desk)
    await _aside(tx, door, case, involved, leave, "exclusion", body, event.received_at)
    return await _emit(tx, case, begun, event)


async def instruct(
    tx: AsyncConnection, door: IntakeContext, post: Post, case_id: str, body: responses.InstructionBody, *, about: str = ""
) -> Receipt:
    """A desk decides what no rule can. Rejected 404 for who is no desk of the case. about: the task on whose page a person decided it."""
    begun = await begin(tx, door, post, "instruction", case_id, strict_json.canonical(body))
    if begun.known:
        return begun.known
    lifts = body.word == Instruction.LIFT and post.account is not None
    case, involved, leave = await _involved(tx, door, post, Act.LIFT_EXCLUSION if lifts else Act.INSTRUCT, case_id)
    event = responses.instruction(
        body, door.lists(), id=begun.receipt.id, agency=post.agency, by=post.account, at=begun.receipt.received_at
    )
    if event.word is Instruction.LIFT:
        _liftable(post, involved, event.target)
    if event.other is not None:
        await _other(tx, leave, involved, event.other)
    if about:
        decided = derived(begun.receipt.event_id, 0)
        await store.answered(tx, leave, decided, offer_id=about, word=event.word.value, at=event.received_at)
    return await _emit(tx, case, begun, event)


async def withdraw(tx: AsyncConnection, door: IntakeContext, post: Post, referral_id: str, body: responses.WithdrawalBody) -> Receipt:
    """The sender takes its referral back: it sees no more of the case through it. What becomes of the child a desk decides."""
    referral = await store.referral(tx, access.own(post.who), referral_id)
    begun = await begin(tx, door, post, "withdrawal", referral.case_id, referral_id.encode(), strict_json.canonical(body))
    if begun.known:
        return begun.known
    case = await access.take(tx, door.keys, referral.case_id)
    if post.account is None:  # a person ends an exercise by it, which is an act of its own
        await access.permitted(tx, post.who, Act.WITHDRAW_REFERRAL, referral.case_id)
    at = begun.receipt.received_at
    event = responses.withdrawal(body, door.lists(), referral_id=referral_id, agency=post.agency, at=at)
    sql = "UPDATE intake.referral SET withdrawn_at = :at WHERE referral_id = :id AND withdrawn_at IS NULL"
    await tx.execute(text(sql), {"at": at, "id": referral_id})
    return await _emit(tx, case, begun, event)


async def write(tx: AsyncConnection, door: IntakeContext, post: Post, case_id: str, section: str, content: bytes) -> int:
    """Write a new version of one section, for an agency whose step writes it now, or for the sender until another agency has written it.

    Returns the version. Rejected 403: the agency may see the case but not write this section. What an excluded sender writes is put
    aside for the desk.
    """
    case, involved, leave = await _involved(tx, door, post, Act.WRITE_SECTION, case_id)
    at = await clock.now(tx)
    if not await writing.may(tx, door, case, leave, section, at):
        raise forbidden("none of your steps writes this section now, and another agency has written it: tell them, or the desk")
    if section in notes.GROWS:
        every = await sections.versions(tx, leave, case.cipher, section, case.sealed_at)
        if known := notes.repeats(
            notes.seen(every, post.agency, involved.seen_until), post.agency, msgspec.json.decode(content, type=dict[str, Any])
        ):
            return known
    return await writing.put(tx, door, case, leave, section, content, at, until=involved.seen_until)


async def revise(
    tx: AsyncConnection, door: IntakeContext, post: Post, offer: Offer, section: Section, entries: Mapping[str, Any], since: int
) -> Receipt:
    """Write a section from a form: its entries, and what the newest version has that a form cannot hold.

    entries: field → JSON value; a field without one is deleted.
    since: the version with which the form began, 0 for none.

    Rejected 409 (written-meanwhile): there is a newer version. 403: this offer does not let the person write the section now.
    """
    said = strict_json.canonical({"since": since, "entries": dict(entries)})
    begun = await begin(tx, door, post, "section", offer.case_id, offer.offer_id.encode(), section.id.encode(), said)
    if begun.known:
        return begun.known
    case, _, leave = await _involved(tx, door, post, Act.WRITE_SECTION, offer.case_id)
    at = begun.receipt.received_at
    if section.id not in await writing.writable(tx, door, case, leave, at, offer.offer_id):
        raise forbidden("this step does not write this section now")
    version, stored = await sections.latest(tx, leave, case.cipher, section.id, case.sealed_at)
    if section.id in notes.GROWS:  # an entry of its own, whatever was written meanwhile
        version, stored = since, {}
    if section.table is not None:  # the form of its own agency, whatever the others answered meanwhile
        every = await sections.versions(tx, leave, case.cipher, section.id, case.sealed_at)
        version, stored = filled.own(every, leave.agency)
    if version != since:
        raise Rejected("written-meanwhile", "since", f"version {version} is the newest now: look at it first", status=409)
    content = fields.revised(section, stored, entries, door.lists().codes)
    if not content:
        raise Rejected("empty-section", "$", "leave an empty section out")
    await writing.put(tx, door, case, leave, section.id, strict_json.canonical(content), at, queue_id=begun.queue_id)
    await drafts.drop(tx, leave, offer.offer_id, section.id)
    return begun.receipt


async def strike(tx: AsyncConnection, door: IntakeContext, post: Post, offer: Offer, section: str, number: int) -> Receipt:
    """Strike one of the agency's own entries of a section that only grows. Rejected 404: there is no such entry of its own."""
    begun = await begin(
        tx, door, post, "section", offer.case_id, offer.offer_id.encode(), section.encode(), b"strike", str(number).encode()
    )
    if begun.known:
        return begun.known
    case, _, leave = await _involved(tx, door, post, Act.WRITE_SECTION, offer.case_id)
    at = begun.receipt.received_at
    if section not in await writing.writable(tx, door, case, leave, at, offer.offer_id):
        raise forbidden("this step does not write this section now")
    every = notes.entries(await sections.versions(tx, leave, case.cipher, section, case.sealed_at))
    if not any(entry.version == number and entry.agency == post.agency and not entry.struck for entry in every):
        raise store.unknown("entry", "version")
    await writing.put(tx, door, case, leave, section, strict_json.canonical(notes.strike(number)), at, queue_id=begun.queue_id)
    return begun.receipt


_EXISTS = "SELECT 1 FROM intake.casefile WHERE case_id = :case"


async def _involved(tx: AsyncConnection, door: IntakeContext, post: Post, act: Act, case_id: str) -> tuple[Case, Involvement, Permit]:
    """Lock and return the case, the sender's relation to it, and the permit for the act. Rejected: as the authority table declares."""
    await access.near(tx, post.who, act, case_id)
    case = await access.take(tx, door.keys, case_id)
    involved = await access.involvement(tx, post.agency, case_id)
    found = permit(authority.declared(), post.who, act, involved.standing(post.who), involved.state, case_id)
    return case, involved, access.granted(found)


async def _aside(
    tx: AsyncConnection, door: IntakeContext, case: Case, involved: Involvement, leave: Permit, what: str, body: Struct, at: int
) -> None:
    """Put aside for the desk what an excluded sender says of its case; nothing of any other agency."""
    if involved.at_rest is not None:
        content = strict_json.canonical({what: msgspec.to_builtins(body)})
        await writing.put(tx, door, case, leave, "narrative", content, at, until=involved.seen_until, said=what)


def _liftable(post: Post, involved: Involvement, target: str) -> None:
    """Check that a person asks to lift an exclusion that exists. Two members of a desk's staff lift it, each with a password; a system has
    no person."""
    if post.account is None:
        hint = "two persons of the desk lift it: POST /staff/cases/{case_id}/exclusions/lifting"
        raise Rejected("person-needed", "Authorization", hint, status=403)
    kind, _, actor = target.partition(":")
    if (kind.upper(), actor) not in involved.excluded:
        raise Rejected("not-excluded", "$.target", "this case keeps no such actor away; send kind:id, as in agency:csw-prizren", status=409)


async def _other(tx: AsyncConnection, leave: Permit, involved: Involvement, other: str) -> None:
    """Check the case that a link names: it exists, and excludes nobody who may see this one. So a complaint is linked from itself alone.

    The other case may belong to another desk: its id is random, so the sender must have been told it.
    """
    there = await access.involvement(tx, leave.agency, other)
    if other == leave.case_id or there.barred(leave.agency, leave.account) or not await store.rows(tx, _EXISTS, {"case": other}):
        raise Rejected("unknown-case", "$.other", "name another case that exists")
    if not there.excluded <= involved.excluded:
        raise Rejected("one-way", "$.other", "that case keeps somebody away who may see this one: link from it to this one")


async def begin(tx: AsyncConnection, door: IntakeContext, post: Post, kind: str, case_id: str, *same: bytes) -> Begun:
    """Claim the key of a command, before its case is locked. same: what makes two commands under one key the same.

    Rejected 409: the key stands for something else.
    """
    queue_id = door.new_id()
    now = await clock.now(tx)
    event_id = derived(queue_id, 0)
    receipt = Receipt(kind=kind, id=event_id, case_id=case_id, event_id=event_id, received_at=now)
    if post.key is None:
        return Begun(receipt=receipt, queue_id=queue_id, signed=post.signed, said=post.said)
    body = door.keys.hmac("submission", kind.encode(), post.agency.encode(), case_id.encode(), *same)
    claim = Claim(agency=post.agency, key=post.key, body=body, receipt=receipt)
    [answer] = await idempotency.claim(tx, [claim])
    if isinstance(answer, Rejected):
        raise answer
    return Begun(receipt=receipt, queue_id=queue_id, signed=post.signed, said=post.said, claim=claim, known=answer)


async def _emit(tx: AsyncConnection, case: Case, begun: Begun, event: Struct) -> Receipt:
    if begun.said is not None:
        begun.said.check(event_digest.words_of_event(event, case.case_id, drill=case.drill))
    claimed = structs.replace(event, claim=begun.claim.as_event() if begun.claim else None, signed=begun.signed)
    await queue.put(tx, case.case_id, claimed, begun.queue_id, case.key, drill=case.drill)
    return begun.receipt


def answer(word: str, *, reason: str = "", code: str = "", texts: dict[str, str] | None = None, via: str = Via.WEB) -> responses.AnswerBody:
    """Return an answer as a page sends it. Rejected: a text is too long."""
    return strict_json.shape({"word": word, "reason": reason, "code": code, "texts": texts or {}, "via": str(via)}, responses.AnswerBody)
