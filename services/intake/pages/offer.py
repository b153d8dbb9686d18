"""View of one offer: the facts that the page shows, and the answers that a person may give now. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from referral.domain.events import StepKind
from referral.domain.policy import Policy
from referral.runtime.i18n import Words
from services.intake.casefile.disclose import ACCEPTED, ALOUD
from services.intake.model import Offer, Spot
from services.intake.pages import case_head, relative_time
from services.intake.pages.case_head import CaseHead, Stage
from services.intake.pages.labels import UNTOLD, URGENCIES, Name, Time, ended, held, text, time
from services.intake.pages.labels import state as at

# State of an offer → the answers that make sense. Routing decides whether an answer counts; this table only keeps the page short.
_NOW = {
    "OFFERED": ("ACKNOWLEDGE", "ACCEPT", "DECIDE", "HOLD", "DECLINE"),
    "ACKNOWLEDGED": ("ACCEPT", "DECIDE", "HOLD", "DECLINE"),
    "ACCEPTED": ("ARRIVE", "COMPLETE", "DECIDE", "HOLD", "RETURN"),
    "ARRIVED": ("COMPLETE", "DECIDE", "HOLD", "RETURN"),
    "ON_HOLD": ("ACCEPT", "ARRIVE", "COMPLETE", "DECIDE", "RETURN", "DECLINE"),
    "DECLINED": ("ACCEPT", "DECIDE"),
    "EXPIRED": ("ACCEPT",),  # silence has decided, or others were asked to: only an acceptance counts afterwards
}
_FIRST = ("ACCEPT", "DECIDE", "ARRIVE", "COMPLETE")
_FOLDED = ("DECLINE", "HOLD", "RETURN")


@dataclass(frozen=True, slots=True)
class Need:
    """A text that must be recorded with a decision."""

    id: str
    label: str
    hint: str


@dataclass(frozen=True, slots=True)
class Action:
    """One answer. plain: a single button. folded: hidden until opened. codes, reasons: (code, name)."""

    word: str
    label: str
    means: str
    first: bool
    stop: bool
    folded: bool
    opener: str
    reasons: tuple[tuple[str, str], ...] = ()
    codes: tuple[tuple[str, str], ...] = ()
    needs: tuple[Need, ...] = ()

    @property
    def plain(self) -> bool:
        return not (self.reasons or self.codes or self.needs)


@dataclass(frozen=True, slots=True)
class OfferView:
    """The values that the page shows before the case file is opened. line: the role, or the agency that a desk calls.

    aloud: the place of the child may be read out: `now`, or `later`, after the office has accepted; empty: never.
    """

    title: str
    head: CaseHead
    line: str
    kind: str
    urgency: str
    urgency_name: str
    urgent: bool
    ended: str
    ended_reason: str
    call: str
    aloud: str
    notice: bool
    accepted: bool
    time: Time | None
    facts: tuple[tuple[str, str], ...]
    sections: tuple[str, ...]
    actions: tuple[Action, ...]


def possible(offer: Offer) -> tuple[str, ...]:
    """Return the words that a person may answer with now, the likeliest first."""
    now = offer.state if offer.closed_at is not None else at(offer)
    words = tuple(word for word in _NOW.get(now, ()) if word in offer.words)
    # A DECIDE offer has nothing to accept.
    return tuple(word for word in words if word != "ACCEPT") if "DECIDE" in words else words


def view(
    offer: Offer,
    spot: Spot,
    say: Words,
    name: Name,
    reasons: tuple[str, ...],
    now: int,
    *,
    call: bool = False,
    who: str = "",
    stages: tuple[Stage, ...] = (),
    duty: bool = False,
) -> OfferView:
    """Return the view of an offer.

    reasons: the policy's whole list, for words whose reasons the offer does not limit.
    call: a desk reads it, for an agency on the telephone.
    who: login of the colleague who has it.
    stages: where the case stands.
    duty: the agency keeps what it declines until another one accepts.
    """
    over = offer.closed_at is not None
    live = not over and offer.declined_by is None
    readable = live and not call
    return OfferView(
        title=name("step", offer.step),
        head=case_head.head(offer.case_id, spot, offer.pathway, say, name, ended=not live, stages=stages if live else ()),
        line=name("agency", offer.agency) if call else name("role", offer.role),
        urgency=offer.urgency,
        urgency_name=name("urgency", offer.urgency),
        urgent=offer.urgency in URGENCIES[:2],
        kind="" if call else text(say, "kind", offer.kind, "UNKNOWN"),
        ended=ended(offer, spot, say) if over else "",
        ended_reason=_ended_reason(offer, say, name, reasons) if over and offer.reason not in UNTOLD else "",
        call=say("offer.call.means", agency=name("agency", offer.agency)) if call else "",
        aloud=("now" if offer.state in ACCEPTED else "later") if call and live and ALOUD in offer.shows else "",
        notice=offer.kind == "NOTIFY",
        accepted=offer.state == "ACCEPTED",
        time=None if over else time(say, offer.due, "call" if call else offer.due_what, now),
        facts=_facts(offer, who, say, name, now, call=call),
        sections=tuple(name("section", section) for section in offer.shows) if readable else (),
        actions=tuple(_action(word, offer, say, name, reasons, call=call, duty=duty) for word in possible(offer)),
    )


def _ended_reason(offer: Offer, say: Words, name: Name, reasons: tuple[str, ...]) -> str:
    """Return the reason that the agency gave, or our text for routing's reason; empty for a reason that only programs use."""
    if offer.reason in reasons:
        return name("reason", offer.reason)
    return say(f"closed.{offer.reason}") if say.has(f"closed.{offer.reason}") else ""


def _facts(offer: Offer, who: str, say: Words, name: Name, now: int, *, call: bool) -> tuple[tuple[str, str], ...]:
    """Return the facts of an offer. call: no rung of the agency is notified, because its desk calls."""
    woken = offer.ladder[offer.rung] if offer.closed_at is None and not call and 0 <= offer.rung < len(offer.ladder) else ""
    known = (
        ("offer.state", "" if offer.closed_at is not None else held(offer, who, say)),
        ("offer.agency", name("agency", offer.agency)),
        ("offer.role.call" if call else "offer.role", name("role", offer.role)),
        ("offer.urgency", name("urgency", offer.urgency)),
        ("offer.asked", relative_time.clock(say, offer.opened_at, now)),
        ("offer.rung", name("rung", woken) if woken else ""),
    )
    return tuple((say(term), value) for term, value in known if value)


def _action(word: str, offer: Offer, say: Words, name: Name, reasons: tuple[str, ...], *, call: bool, duty: bool) -> Action:
    """Return one answer. call: without the texts that address the agency itself."""
    late = offer.closed_at is not None
    allowed = offer.reasons if word in ("DECLINE", "RETURN") else reasons if word == "HOLD" else ()
    deciding = word == "DECIDE"
    notified = call and word == "ACKNOWLEDGE" and offer.kind == "NOTIFY"
    return Action(
        word=word,
        label=say(_label(word, offer, late=late, notified=notified)),
        means="" if call else say("ended.late.means" if late else f"word.{word}.{_means(word, offer, duty)}"),
        first=word in _FIRST or notified,
        stop=word in ("DECLINE", "RETURN"),
        folded=word in _FOLDED,
        opener=say("open." + word) if word in _FOLDED else "",
        reasons=tuple((code, name("reason", code)) for code in allowed),
        codes=tuple((code, name("decision", code)) for code in offer.codes) if deciding else (),
        needs=tuple(need(code, say, name) for code in offer.needs) if deciding else (),
    )


def _label(word: str, offer: Offer, *, late: bool, notified: bool) -> str:
    """Return the key of a button's text. At a step that goes to the person nobody has arrived: the officer is there."""
    if late and word == "ACCEPT":
        return "ended.late"
    if word == "ARRIVE" and offer.due_what == "present":
        return "word.ARRIVE.present"
    return "word.ACKNOWLEDGE.told" if notified else f"word.{word}"


def _means(word: str, offer: Offer, duty: bool) -> str:
    """Return the last part of the key of the text that explains a word. A notice, a decision and the decline of a duty have texts of their
    own."""
    if word == "ACKNOWLEDGE" and offer.kind in ("NOTIFY", "DECIDE"):
        return "notice" if offer.kind == "NOTIFY" else "decide"
    return "duty" if word == "DECLINE" and duty else "means"


def keeps(policy: Policy, offer: Offer) -> bool:
    """Return whether the agency keeps a seat that it declines until another one accepts, as `seats.give_up` decides by the procedure in
    force."""
    step = next((one.step(offer.step) for one in policy.current if one.id == offer.pathway), None)
    return step is not None and step.kind is not StepKind.DECIDE and offer.seat < len(step.seats) and step.seats[offer.seat].statutory


def need(code: str, say: Words, name: Name) -> Need:
    """Return the label of a text that must be recorded; the policy's name where we have no text for it."""
    label = say(f"field.need.{code}") if say.has(f"field.need.{code}") else say("field.need.other", need=name("need", code))
    return Need(id=code, label=label, hint=say(f"field.need.{code}.means") if say.has(f"field.need.{code}.means") else "")
