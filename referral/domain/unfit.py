"""Why a service must not be asked for a seat: bans that nobody may override, and what speaks against it this time."""

from __future__ import annotations

from referral.domain.case import Seat, Track, offers_of
from referral.domain.consent import is_barred
from referral.domain.decision import Decision
from referral.domain.directory import Service, years
from referral.domain.events import Traits
from referral.domain.hours import is_open
from referral.domain.kinds import PLACE
from referral.domain.marks import secure_allowed
from referral.domain.procedure import Marks, Pathway, SeatRule, Step

TRIED = ("DECLINED_BY_AGENCY", "DECLINED_BY_PERSON", "EXPIRED", "RETURNED", "RELEASED")


def why_not(d: Decision, track: Track, pathway: Pathway, step: Step, seat: Seat, rule: SeatRule, service: Service, standing: Marks) -> str:
    """Why a service must not be asked; empty when it may. Also asked before a desk's own choice."""
    return banned(d, pathway, step, service, standing) or _unfit(d, track, step, seat, rule, service)


def banned(d: Decision, pathway: Pathway, step: Step, service: Service, standing: Marks) -> str:
    """What nobody may override: exclusions, the bans of the procedure, a secure facility without its decisions."""
    if d.case.excluded and f"agency:{service.agency}" in d.case.excluded:
        return "EXCLUDED"
    for tag, mark in pathway.never:
        if tag in service.tags and (not mark or mark in standing):
            return "NEVER"
    if is_barred(pathway, step, d.case.consent, service):
        return "NOT_CONSENTED"
    if step.placement and service.roles & step.placement.secure and not secure_allowed(step.placement, standing):
        return "SECURE_NOT_ALLOWED"
    return ""


def _unfit(d: Decision, track: Track, step: Step, seat: Seat, rule: SeatRule, service: Service) -> str:
    for o in (*seat.past, *seat.kept) if seat.past or seat.kept else ():
        if o.service == service.id and (not o.how or o.how in TRIED):
            return "TRIED"
    if reason := unsuitable(d.case.traits, rule, service):
        return reason
    hours = d.policy.agencies[service.agency].hours
    if hours is not None and step.is_urgent and not is_open(hours, d.facts.now, d.policy.calendar):
        return "CLOSED"
    if step.kind is PLACE:
        if any(o.service == service.id for run in track.runs if run.step == step.id for s in run.seats for o in offers_of(s)):
            return "HOLDS_NOW"
        if d.free(service.id) < 1:
            return "NO_CAPACITY"
    return ""


def unsuitable(traits: Traits, rule: SeatRule, service: Service) -> str:
    """Why a service is not for this person; empty when it is."""
    if not rule.skills <= service.tags:
        return "NOT_SKILLED"
    low, high = years(traits.age, traits.age_band)
    known = "-" in traits.age_band
    if (low < service.ages[0] or high > service.ages[1]) if known else (low > service.ages[1] or high < service.ages[0]):
        return "NOT_ELIGIBLE_AGE"
    if service.sexes and traits.sex in ("female", "male") and traits.sex not in service.sexes:
        return "NOT_ELIGIBLE_SEX"
    return ""
