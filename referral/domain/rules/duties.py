"""Compare two states of a case for duties by law: whether a change would end a duty, or change what an agency may read. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from referral.domain.case import DECIDE, NOTIFY, RANK, Case, Offer, Run, Seat, SeatRef, Track, find, offers_of, open_offers, seats
from referral.domain.events import Consent, ConsentState
from referral.domain.policy import Policy
from referral.domain.policy.procedure import Pathway, Step

TAKEN = RANK["ACCEPTED"]
Duty = tuple[SeatRef, Track, Run, Seat, Offer]


def duties(case: Case, policy: Policy) -> Iterator[Duty]:
    """Yield the open offers of statutory seats. Decisions and notices are excluded: a decision is made, not held, and a notice asks for
    nothing."""
    for ref, track, run, seat in seats(case):
        step = _step(policy, track, run)
        if step is not None and step.kind not in (DECIDE, NOTIFY) and step.seats[ref[2]].statutory:
            for offer in offers_of(seat):
                if offer is not seat.next:
                    yield ref, track, run, seat, offer


def ends_duty(before: Case, after: Case, policy: Policy) -> bool:
    """Return True when an earlier duty has ended, or a procedure by duty was replaced by one that needs consent.

    An offer that nobody has taken yet may be replaced by another for the same seat: an agency is still asked.
    """
    for (t, r, s), track, _, _, offer in duties(before, policy):
        found = find(after, offer.offer_id)
        if found is None or not found.offer.how:
            continue
        asked_anew = RANK[offer.state] < TAKEN and any(True for _ in offers_of(after.tracks[t].runs[r].seats[s]))
        if not asked_anew and not _carried(after, track, offer, policy):
            return True
    return _rests_on_agreement(before, after, policy)


def narrows(case: Case, consent: Consent, policy: Policy, now: int) -> bool:
    """Return True when under this consent the holder of a duty that needs consent could read less, or for a shorter time."""
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
    """Return True when an agency could read more under this consent, which it records itself, than under the one in force."""
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
    """Return the consent while it is in force: given, and not expired."""
    if consent is None or consent.state is not ConsentState.GIVEN or (consent.until is not None and consent.until <= now):
        return None
    return consent


def _step(policy: Policy, track: Track, run: Run) -> Step | None:
    pathway = policy.pinned.get(track.digest)
    return pathway.step(run.step) if pathway else None


def _needs_consent(policy: Policy, track: Track) -> bool:
    """Return True when the procedure of a track needs consent; False where the procedure is unknown."""
    pathway: Pathway | None = policy.pinned.get(track.digest)
    return pathway is not None and pathway.consent.needed


def _carried(after: Case, left: Track, offer: Offer, policy: Policy) -> bool:
    """Return True when the service has taken a seat elsewhere, in a procedure that depends on consent no more than this one."""
    return any(
        other.service == offer.service
        and RANK[other.state] >= min(RANK[offer.state], TAKEN)
        and (_needs_consent(policy, left) or not _needs_consent(policy, track))
        for _, track, _, seat in seats(after)
        for other in offers_of(seat)
        if not track.outcome
    )


def _rests_on_agreement(before: Case, after: Case, policy: Policy) -> bool:
    """Return True when a procedure that needs no consent ended and one that needs it was opened in its place."""
    ended = {t.track_id for t in before.tracks if not t.outcome and not _needs_consent(policy, t)}
    ended &= {t.track_id for t in after.tracks if t.outcome}
    return any(t.opened_by in ended and _needs_consent(policy, t) for t in after.tracks)


def _within(part: tuple[str, ...], whole: tuple[str, ...]) -> bool:
    """Return True when one scope lies in another; an empty scope is everything."""
    return not whole or (bool(part) and set(part) <= set(whole))


def _ends_sooner(one: Consent, other: Consent) -> bool:
    """Return True when the first consent expires before the second."""
    return one.until is not None and (other.until is None or one.until < other.until)
