"""Turn the body of an act on a case that exists into the event that intake emits, with every code checked. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

from msgspec import Meta, Struct, structs

from referral.domain.contradictions import fits
from referral.domain.events import (
    ActorExcluded,
    ActorKind,
    AnswerWithdrawn,
    ConsentChanged,
    Instruction,
    InstructionGiven,
    ReferralWithdrawn,
    ResponseSubmitted,
    Traits,
    TraitsChanged,
    Via,
    Word,
)
from referral.domain.policy.questions import with_answers
from referral.domain.rules.persons import REASON
from referral.errors import Rejected
from services.intake.messages import submission
from services.intake.model import Offer
from services.intake.policy_view import Form, Lists

WORDS_LIMIT = 10_000
"""Most characters of one recorded text (ours): a page of reasons, not a file."""
Said = Annotated[str, Meta(min_length=1, max_length=WORDS_LIMIT)]


TARGETS = {Instruction.REOPEN: "procedure", Instruction.LINK: "linking"}
"""Name of the code list of an instruction's target, where the target is neither a service nor a code."""


class AnswerBody(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An answer to an offer. word: one of the offer's words. reason: of a decline, hold or return. code: of a decision.
    texts: what the offer needs recorded, e.g. reason and child-view; they go to the case file and nowhere else.
    via PHONE: a desk records what an agency said that is reached by telephone."""

    word: str
    reason: str = ""
    code: str = ""
    texts: dict[str, Said] = {}
    via: str = "SYSTEM"

    def __repr__(self) -> str:
        return f"AnswerBody({self.word})"


class TakeBackBody(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An answer that is taken back because it was sent by mistake. word: COMPLETE, the only one that can be. via: SYSTEM; PHONE is for the
    page on which a desk records it for an agency that is reached by telephone."""

    word: str
    via: str = "SYSTEM"


class ExclusionBody(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """kind AGENCY: an agency's id. STAFF: an account's id. RELATION: a word such as parent."""

    kind: str
    actor: str


class InstructionBody(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A decision of a desk. seat -1: of the step as a whole, or its only one. target: service to ask or to hand over to (OFFER, TRANSFER),
    code to settle or to confirm, or `settled` (SETTLE), procedure to begin anew (REOPEN; none: those that apply), sibling or same-person
    (LINK). other: the case of a link. task_id: the task confirm-change, confirm-referral or complaint that a CONFIRM or REFUSE answers; the
    one that a RESUME settles, and no other."""

    word: str
    reason: str
    track_id: submission.Id | None = None
    step: str = ""
    seat: int = -1
    target: str = ""
    other: submission.Id | None = None
    task_id: submission.Id | None = None


class WithdrawalBody(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Why the sender takes its referral back."""

    reason: str


def response(
    body: AnswerBody,
    offer: Offer,
    lists: Lists,
    *,
    id: str,
    by: str | None,
    via: Via,
    recorded_by: str | None,
    at: int,
    pointed: str | None = None,
) -> ResponseSubmitted:
    """Return the event of an answer to this offer. Only the words are checked here; routing decides whether the answer still counts.

    pointed: the level to which the form of the step points; None: it has none, or the answer is not one that counts.
    """
    word = _choice(body.word, offer.words, "$.word", "illegal-answer")
    if word == Word.DECLINE:
        _choice(body.reason, offer.reasons, "$.reason", "illegal-reason")
    elif word in (Word.HOLD, Word.RETURN):
        lists.word("reason", body.reason, "$.reason")
    elif body.reason:
        raise Rejected("not-asked", "$.reason", f"{word} takes no reason; leave it out")
    if word == Word.DECIDE:
        _choice(body.code, offer.codes, "$.code", "illegal-code")
        if missing := [need for need in offer.needs if need not in body.texts]:
            raise Rejected("not-recorded", f"$.texts.{missing[0]}", f"this decision needs its words on record: {', '.join(missing)}")
    elif body.code:
        raise Rejected("not-asked", "$.code", f"{word} takes no code; leave it out")
    for need, text in body.texts.items():
        lists.word("need", need, "$.texts")
        if word != Word.DECIDE:
            raise Rejected("not-asked", f"$.texts.{need}", f"{word} puts no text on record; leave it out")
        if not text.strip():
            raise Rejected("not-recorded", f"$.texts.{need}", "write this text; it is empty")
    return ResponseSubmitted(
        response_id=id,
        offer_id=offer.offer_id,
        agency=offer.agency,
        word=Word(word),
        reason=body.reason,
        code=body.code,
        recorded=tuple(sorted(body.texts)),
        by=by,
        via=via,
        recorded_by=recorded_by,
        received_at=at,
        pointed=pointed,
    )


def below(body: AnswerBody, form: Form, pointed: str | None, account: str | None) -> None:
    """Check a level below what the form of a decision points to: it needs a reason, and people who say it. Rejected otherwise; whether the
    other person is another one, routing decides."""
    if pointed is None or body.word != Word.DECIDE or not form.table.is_below(body.code, pointed):
        return
    if REASON not in body.texts:
        hint = f"the answers of the form point to {pointed}: less than that needs its reason on record"
        raise Rejected("not-recorded", f"$.texts.{REASON}", hint)
    if account is None:
        hint = f"the answers of the form point to {pointed}: only two people decide less, in the inbox, no system"
        raise Rejected("needs-person", "$.code", hint, status=409)


def withdrawn(body: TakeBackBody, offer: Offer, *, by: str | None, recorded_by: str | None, at: int) -> AnswerWithdrawn:
    """Return the event of an answer that is taken back. Routing decides whether it still can be. Rejected: any word but COMPLETE."""
    if body.word != Word.COMPLETE:
        raise Rejected("illegal-answer", "$.word", "only COMPLETE can be taken back: any other answer has asked somebody at once")
    return AnswerWithdrawn(offer_id=offer.offer_id, agency=offer.agency, by=by, recorded_by=recorded_by, received_at=at)


def consent(body: submission.ConsentBody, lists: Lists, *, agency: str, at: int) -> ConsentChanged:
    return ConsentChanged(agency=agency, consent=submission.consent(body, lists, "$"), received_at=at)


def traits(body: submission.TraitsBody, lists: Lists, *, agency: str, by: str | None, at: int) -> TraitsChanged:
    said = submission.traits(body, lists, "$")
    submission.check_times(said, "$", at)
    return TraitsChanged(agency=agency, by=by, traits=said, received_at=at)


def some_traits(known: Traits, changed: Mapping[str, Any], lists: Lists, *, agency: str, by: str | None, at: int) -> TraitsChanged:
    """Return the event of a person who records some traits. Rejected: as `traits`, also where they contradict what is known.

    known: all traits, as routing has decided them by now.
    changed: trait → code, at least one; `languages` and `flags` → codes that are added to those that are known; `times` → code → time with
    a zone, only those that are new. A known age band in which nobody of a new age is becomes unknown with it; any other stays.
    """
    said = dict(changed)
    if "age" in said and "age_band" not in said and not fits(str(said["age"]), known.age_band):
        said["age_band"] = "unknown"
    learnt = {name: (code,) if isinstance(code, str) else code for name, code in said.items() if name != "times"}
    body = submission.TraitsBody(**{**structs.asdict(with_answers(known, learnt)), "times": said.get("times", {})})
    return structs.replace(traits(body, lists, agency=agency, by=by, at=at), only=tuple(sorted(said)))


def exclusion(body: ExclusionBody, lists: Lists, *, agency: str, by: str | None, at: int) -> ActorExcluded:
    """Return the event of an exclusion. Rejected: no such kind, agency or relation, or an invalid account id."""
    kind = _choice(body.kind, tuple(ActorKind)[1:], "$.kind", "unknown-code")
    actor = submission.excluded(ActorKind(kind), body.actor, lists, "$.actor")
    return ActorExcluded(agency=agency, by=by, kind=ActorKind(kind), actor=actor, received_at=at)


def instruction(body: InstructionBody, lists: Lists, *, id: str, agency: str, by: str | None, at: int) -> InstructionGiven:
    """Return the event of a desk's instruction, its words checked. Routing decides whether it can be followed."""
    word = _choice(body.word, tuple(Instruction)[1:], "$.word", "unknown-code")
    if word == Instruction.LINK and body.other is None:
        raise Rejected("missing-field", "$.other", "name the other case")
    if word in (Instruction.OFFER, Instruction.TRANSFER, Instruction.SETTLE) and not (body.target and body.step):
        raise Rejected("missing-field", "$.target" if body.step else "$.step", f"{word} needs a step and a target")
    if word in (Instruction.CONFIRM, Instruction.REFUSE) and body.task_id is None:
        raise Rejected("missing-field", "$.task_id", f"{word} needs the task that it answers")
    if word == Instruction.RELEASE and not body.step:
        raise Rejected("missing-field", "$.step", f"{word} needs a step")
    return InstructionGiven(
        instruction_id=id,
        word=Instruction(word),
        agency=agency,
        by=by,
        reason=lists.word("instruction-reason", body.reason, "$.reason"),
        track_id=body.track_id,
        step=lists.word("step", body.step, "$.step", empty=True),
        seat=_seat(body.seat),
        target=_target(Instruction(word), body.target, lists),
        other=body.other,
        received_at=at,
        task_id=body.task_id,
    )


def _target(word: Instruction, target: str, lists: Lists) -> str:
    """Return the target of an instruction, checked against its code list. The actor of a LIFT is checked by the caller, against the
    exclusions of the case."""
    return target if word is Instruction.LIFT else lists.word(TARGETS.get(word, "target"), target, "$.target", empty=True)


def withdrawal(body: WithdrawalBody, lists: Lists, *, referral_id: str, agency: str, at: int) -> ReferralWithdrawn:
    reason = lists.word("withdrawal-reason", body.reason, "$.reason")
    return ReferralWithdrawn(referral_id=referral_id, agency=agency, reason=reason, received_at=at)


def _seat(number: int) -> int:
    if not -1 <= number < 200:  # DESIGN §11: at most 200 seats
        raise Rejected("out-of-range", "$.seat", "-1 for the step as a whole, else 0 to 199")
    return number


def _choice(value: str, allowed: tuple[str, ...], where: str, code: str) -> str:
    if value not in allowed:
        raise Rejected(code, where, f"use one of: {', '.join(allowed)}" if allowed else "no value is possible here")
    return value
