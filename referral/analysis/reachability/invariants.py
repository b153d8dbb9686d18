"""Check every offer from outside: it must ask no banned or excluded agency, and show or let write no section that must stay hidden.

It reads the procedure and the directory anew and shares no code with the selection of candidates.
"""

from __future__ import annotations

from collections.abc import Iterator

from referral.domain.case import Case
from referral.domain.events import OfferOpened
from referral.domain.policy import Policy
from referral.domain.policy.procedure import Marks, Pathway, Step
from referral.domain.rules.conditions import case_marks, secure_allowed, track_marks


def wrongs(before: Case | None, after: Case, opened: OfferOpened, now: int, policy: Policy) -> Iterator[str]:
    """Yield the faults of one offer; none when it is valid. before, after: the case around its decision."""
    track = next((one for one in after.tracks if one.track_id == opened.track_id), None)
    pathway = policy.pinned.get(track.digest) if track else None
    step = pathway.step(opened.step) if pathway else None
    service = policy.services.get(opened.service)
    if track is None or pathway is None or step is None or service is None or service.agency != opened.agency:
        yield "an offer of no known step to no known service"
        return
    known = case_marks(after, now)
    for tag, mark in pathway.never:
        if tag and tag in service.tags and (not mark or mark in known):
            yield f"{opened.service} is tagged {tag}, which is never asked"
    if f"agency:{opened.agency}" in after.excluded:
        yield f"{opened.agency} is excluded and is asked"
    if step.placement is not None and service.roles & step.placement.secure:
        was = next((one for one in before.tracks if one.track_id == track.track_id), track) if before is not None else track
        stood = track_marks(after, track, pathway, policy, now) | track_marks(before or after, was, pathway, policy, now)
        if not secure_allowed(step.placement, stood):
            yield f"{opened.service} locks people up and is asked without {', '.join(sorted(step.placement.needs))}"
    yield from _shown(after, opened, pathway, step, known, policy)


def _shown(after: Case, opened: OfferOpened, pathway: Pathway, step: Step, known: Marks, policy: Policy) -> Iterator[str]:
    """Yield the sections that an offer shows, or that its seat writes, although procedure or consent do not give them."""
    rule, consent = step.seats[opened.seat], after.consent
    may_see = set(rule.shows)
    if pathway.consent.needed and "consent=given" not in known:
        may_see = {section for section in may_see if not policy.sections[section].personal}
    elif pathway.consent.needed and consent is not None and consent.scope and not step.without_consent:
        may_see &= set(consent.scope)
    for section in sorted(set(opened.shows) - may_see):
        yield f"{opened.service} is shown {section}, which {step.id} does not show"
    for section in sorted(set(rule.writes) - set(rule.shows)):
        yield f"{opened.service} may write {section}, which {step.id} does not show"
