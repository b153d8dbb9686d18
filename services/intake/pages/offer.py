"""Put an offer in words: its state and end, its place in a list, and the answers that a person may give now. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from referral.domain.events import StepKind
from referral.domain.policy import Policy
from referral.domain.rules.telephone import NOT_CALLED, NOT_TOLD
from referral.runtime.i18n import Words
from services.intake.model import Answer, Offer, Spot
from services.intake.pages import relative_time

URGENCIES = ("emergency", "urgent", "routine")
UNTOLD = (NOT_CALLED, NOT_TOLD)
AFTER_US = 10 * 60 * 1_000_000
"""µs after an answer during which the page says what became of it (ours): as long as somebody may still notice a slip of the hand."""
ENDS = ("COMPLETE", "RETURN", "DECLINE")
"""Answers that end the agency's part."""
FIRST = ("ACCEPT", "DECIDE", "ARRIVE", "COMPLETE")
FOLDED = ("DECLINE", "HOLD", "RETURN")
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


def state(offer: Offer) -> str:
    """Return the state of an offer, as texts name it."""
    if offer.closed_at is not None:
        return "CLOSED"
    if offer.declined_by is not None:
        return "DECLINED"
    if offer.state == "ACCEPTED" and offer.arrived:
        return "ARRIVED"
    return offer.state


def held(say: Words, offer: Offer, who: str) -> str:
    """Return the state of an open offer in words, and the login of the colleague who has it."""
    found = say("state." + state(offer))
    return f"{found} ({who})" if who and offer.state != "OFFERED" else found


def ended(say: Words, offer: Offer, spot: Spot) -> str:
    """Return the text for the end of an offer. Silence that was ours or the desk's is not shown as the agency's. Whoever did a part of a
    case to its end, or had a part when it ended, or was notified, reads that the case is closed."""
    notified = offer.kind == "NOTIFY" and offer.state == "CANCELLED"
    if spot.closed_at is not None and (notified or offer.state == "COMPLETED" or offer.reason == "TRACK_ENDED"):
        known = f"ended.closed.{spot.outcome}"
        return say(known if say.has(known) else "ended.closed.other", time=relative_time.stamp(spot.closed_at))
    if notified:
        return say("ended.notice")
    if offer.state == "EXPIRED" and "DECIDE" in offer.words:
        return say("ended.undecided")
    return say(f"ended.{offer.reason}") if offer.reason in UNTOLD else say.first(f"ended.{offer.state}", "ended.UNKNOWN")


def is_urgent(offer: Offer) -> bool:
    """Return whether an offer is marked as urgent."""
    return offer.urgency in URGENCIES[:2]


def waits(offer: Offer) -> bool:
    """Return whether an open offer needs an answer of its agency."""
    live = offer.closed_at is None and offer.declined_by is None and offer.kind != "NOTIFY"
    return live and offer.state in ("OFFERED", "ACKNOWLEDGED")


def order(offer: Offer, now: int) -> tuple[bool, bool, float, int, int, str]:
    """Return the place of an offer in a list: a limit that has passed, then an emergency, then the next limit."""
    rank = URGENCIES.index(offer.urgency) if offer.urgency in URGENCIES else len(URGENCIES)
    due = offer.due if offer.due is not None else float("inf")
    return (due > now, offer.urgency != URGENCIES[0], due, rank, offer.opened_at, offer.offer_id)


def ending(answers: Sequence[Answer], now: int) -> Answer | None:
    """Return the answer that ended the agency's part just now; None where the last one that took effect did not, or is long ago."""
    last = next((answer for answer in reversed(answers) if answer.became == ""), None)
    return last if last is not None and last.word in ENDS and now - last.at <= AFTER_US else None


def possible(offer: Offer) -> tuple[str, ...]:
    """Return the words that a person may answer with now, the likeliest first."""
    words = tuple(word for word in _NOW.get(offer.state if offer.closed_at is not None else state(offer), ()) if word in offer.words)
    # A DECIDE offer has nothing to accept.
    return tuple(word for word in words if word != "ACCEPT") if "DECIDE" in words else words


@dataclass(frozen=True, slots=True)
class Action:
    """One answer. label, means: keys of its texts. first: a likely one. reasons, codes, needs: what must be said with it."""

    word: str
    label: str
    means: str
    first: bool
    reasons: tuple[str, ...] = ()
    codes: tuple[str, ...] = ()
    needs: tuple[str, ...] = ()

    @property
    def plain(self) -> bool:
        """Return whether a single button is enough."""
        return not (self.reasons or self.codes or self.needs)


def actions(offer: Offer, reasons: tuple[str, ...], *, call: bool = False, duty: bool = False) -> tuple[Action, ...]:
    """Return the answers that a person may give now.

    reasons: the policy's whole list, for words whose reasons the offer does not limit.
    call: a desk reads it, for an agency on the telephone: without the texts that address the agency itself.
    duty: the agency keeps what it declines until another one accepts.
    """
    late, found = offer.closed_at is not None, []
    for word in possible(offer):
        told = call and word == "ACKNOWLEDGE" and offer.kind == "NOTIFY"
        means = "" if call else "ended.late.means" if late else f"word.{word}.{_means(word, offer, duty)}"
        allowed = offer.reasons if word in ("DECLINE", "RETURN") else reasons if word == "HOLD" else ()
        codes, needs = (offer.codes, offer.needs) if word == "DECIDE" else ((), ())
        found.append(Action(word, _label(word, offer, late=late, told=told), means, word in FIRST or told, allowed, codes, needs))
    return tuple(found)


def _label(word: str, offer: Offer, *, late: bool, told: bool) -> str:
    """Return the key of a button's text. At a step that goes to the person nobody has arrived: the officer is there."""
    if late and word == "ACCEPT":
        return "ended.late"
    if word == "ARRIVE" and offer.due_what == "present":
        return "word.ARRIVE.present"
    return "word.ACKNOWLEDGE.told" if told else f"word.{word}"


def _means(word: str, offer: Offer, duty: bool) -> str:
    """Return the last part of the key of the text that explains a word. A notice, a decision and the decline of a duty have texts of their
    own."""
    if word == "ACKNOWLEDGE" and offer.kind in ("NOTIFY", "DECIDE"):
        return "notice" if offer.kind == "NOTIFY" else "decide"
    return "duty" if word == "DECLINE" and duty else "means"


def persons(offer: Offer, two: bool | None, account: str) -> str:
    """Return the key of the text that says who must answer, where not everybody may; empty elsewhere.

    two: whether two persons decide; None: everybody may answer. account: of the reader.
    """
    if two is None:
        return ""
    if account in offer.skip:
        return "persons.done"
    return ("persons.second" if offer.seat else "persons.first") if two else ""


def keeps(policy: Policy, offer: Offer) -> bool:
    """Return whether the agency keeps a seat that it declines until another one accepts, as `seats.give_up` decides by the procedure in
    force."""
    step = next((one.step(offer.step) for one in policy.every if one.id == offer.pathway), None)
    return step is not None and step.kind is not StepKind.DECIDE and offer.seat < len(step.seats) and step.seats[offer.seat].statutory
