"""Compare two states of a case for duties by law: whether a change would end a duty, or change what an agency may read. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from referral.domain.case import DECIDE, NOTIFY, RANK, Case, Offer, Place, Run, Seat, Track, find, offers_of, open_offers, seats
from referral.domain.events import Consent, ConsentState
from referral.domain.policy import Policy
from referral.domain.policy.procedure import Pathway, Step

TAKEN = RANK["ACCEPTED"]
Duty = tuple[Place, Track, Run, Seat, Offer]


def duties(case: Case, policy: Policy) -> Iterator[Duty]:
    """The open offers of statutory seats. A decision is made and not held, and a notice asks for nothing: they are none."""
    for place, track, run, seat in seats(case):
        step = _step(policy, track, run)
        if step is not None and step.kind not in (DECIDE, NOTIFY) and step.seats[place[2]].statutory:
            for offer in offers_of(seat):
                if offer is not seat.next:
                    yield place, track, run, seat, offer


def ends_duty(before: Case, after: Case, policy: Policy) -> bool:
    """Whether a duty that stood before stands no more, or a procedure that rests on duty gave way to one that rests on agreement.

    An offer that nobody has taken yet may give way to another for the same seat: somebody is asked all the same.
    """
    for (t, r, s), track, _, _, offer in duties(before, policy):
        found = find(after, offer.offer_id)
        if found is None or not found[4].how:
            continue
        asked_anew = RANK[offer.state] < TAKEN and any(True for _ in offers_of(after.tracks[t].runs[r].seats[s]))
        if not asked_anew and not _carried(after, track, offer, policy):
            return True
    return _rests_on_agreement(before, after, policy)


def narrows(case: Case, consent: Consent, policy: Policy, now: int) -> bool:
    """Whether the holder of a duty that needs consent could read less under this consent, or not as long."""
    stands = given(case.consent, now)
    if stands is None:
        return False
    new = given(consent, now)
    for _, track, run, _, offer in duties(case, policy):
        step = _step(policy, track, run)
        if step is None or step.without_consent or not _needs_consent(policy, track):
            continue
        if new is None or not _within(stands.scope, new.scope) or _ends_sooner(new, stands):
            return True
        if new.recipients and offer.agency not in new.recipients:
            return True
    return False


def widens(case: Case, agency: str, consent: Consent, policy: Policy, now: int) -> bool:
    """Whether an agency could read more by this consent, which it records itself, than the one that limits it now lets it read."""
    stands, new = given(case.consent, now), given(consent, now)
    if stands is None or new is None:
        return False
    holds = {offer.offer_id for offer in open_offers(case) if offer.agency == agency}
    if not any(o.offer_id in holds and _needs_consent(policy, track) for _, track, _, seat in seats(case) for o in offers_of(seat)):
        return False
    longer = agency != case.consent_by and _ends_sooner(stands, new)
    reached = bool(stands.recipients) and agency not in stands.recipients and (not new.recipients or agency in new.recipients)
    return longer or reached or not _within(new.scope, stands.scope)


def given(consent: Consent | None, now: int) -> Consent | None:
    """The consent, while it is one: given, and not run out."""
    if consent is None or consent.state is not ConsentState.GIVEN or (consent.until is not None and consent.until <= now):
        return None
    return consent


def _step(policy: Policy, track: Track, run: Run) -> Step | None:
    pathway = policy.pinned.get(track.digest)
    return pathway.step(run.step) if pathway else None


def _needs_consent(policy: Policy, track: Track) -> bool:
    pathway: Pathway | None = policy.pinned.get(track.digest)
    return pathway is not None and pathway.consent.needed


def _carried(after: Case, left: Track, offer: Offer, policy: Policy) -> bool:
    """Whether the service has a taken seat elsewhere now, in a procedure that depends on the person's agreement no more than this one."""
    return any(
        other.service == offer.service
        and RANK[other.state] >= min(RANK[offer.state], TAKEN)
        and (_needs_consent(policy, left) or not _needs_consent(policy, track))
        for _, track, _, seat in seats(after)
        for other in offers_of(seat)
        if not track.outcome
    )


def _rests_on_agreement(before: Case, after: Case, policy: Policy) -> bool:
    ended = {t.track_id for t in before.tracks if not t.outcome and not _needs_consent(policy, t)}
    ended &= {t.track_id for t in after.tracks if t.outcome}
    return any(t.opened_by in ended and _needs_consent(policy, t) for t in after.tracks)


def _within(part: tuple[str, ...], whole: tuple[str, ...]) -> bool:
    """Whether one scope lies in another; an empty one is everything."""
    return not whole or (bool(part) and set(part) <= set(whole))


def _ends_sooner(one: Consent, other: Consent) -> bool:
    return one.until is not None and (other.until is None or one.until < other.until)
