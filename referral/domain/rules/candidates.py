"""Select the next service for a seat, and give the reason for every service that is passed over.

Three parts: the order of candidates; the office hours of agencies, because an urgent step is never offered to an agency that is closed; the
reasons against a service, first the bans that nobody may override, then what is wrong with it this time.
"""

from __future__ import annotations

from collections.abc import Iterable

from referral.domain.case import PLACE, RANK, Case, Run, Seat, Track, offers_of
from referral.domain.events import Passed, Traits
from referral.domain.policy import Order, Policy
from referral.domain.policy.directory import Hours, Service, years
from referral.domain.policy.limits import DAY, Calendar
from referral.domain.policy.procedure import Marks, Pathway, SeatRule, Step
from referral.domain.rules.conditions import latest, roles_wanted, secure_allowed
from referral.domain.rules.consent import is_barred
from referral.domain.rules.context import Decision

LISTED = 32
"""Candidates listed in one event; when so many were passed over, a person looks (DESIGN 11)."""


Choice = tuple[Service | None, str, tuple[Passed, ...]]


def choose(d: Decision, track: Track, pathway: Pathway, step: Step, run: Run, seat: int, standing: Marks) -> Choice | None:
    """The next service for a seat with the role it is asked for, and those passed over; None while another seat is awaited."""
    rule = step.seats[seat]
    asked = candidates(d.policy, d.case, track, step, run, rule, standing)
    if asked is None:
        return None
    passed: list[Passed] = []
    for service, role in asked:
        reason = why_not(d, track, pathway, step, run.seats[seat], rule, service, standing)
        if not reason:
            return service, role, tuple(passed)
        passed.append(Passed(service=service.id, reason=reason))
        if len(passed) == LISTED:
            break
    return (None, rule.roles[0] if rule.roles else rule.name, tuple(passed))


def candidates(policy: Policy, case: Case, track: Track, step: Step, run: Run, rule: SeatRule, standing: Marks) -> Order | None:
    """Services in the order of the procedure; None while a seat that must be asked is vacant."""
    if rule.holder is not None:
        return _holder(policy, case, track, step, rule)
    return policy.order(roles_asked(step, run, rule, standing), rule.areas, case.traits.found_in)


def roles_asked(step: Step, run: Run, rule: SeatRule, standing: Marks) -> tuple[str, ...]:
    """A move (a later round) has no last resort: the child has a bed already."""
    if step.placement is None:
        return rule.roles
    wanted = roles_wanted(step.placement, standing)
    return wanted if run.round else (*wanted, *rule.last_resort)


def _holder(policy: Policy, case: Case, track: Track, step: Step, rule: SeatRule) -> Order | None:
    """The service that holds the named seat; after it, unless silence keeps everything as it is, others that could hold it.

    None while the seat is awaited; a step that was settled without a holder leaves only the others.
    """
    assert rule.holder is not None
    run = latest(track, rule.holder[0])
    offer = run.seats[rule.holder[1]].offer if run is not None else None
    if offer is None or RANK[offer.state] < RANK["ACCEPTED"] or offer.service not in policy.services:
        if run is None or not run.outcome:
            return None
        return () if step.on_silence == "keep-place" else policy.order(rule.roles, rule.areas, case.traits.found_in)
    held = policy.services[offer.service]
    first = (held, min(held.roles.intersection(rule.roles) or held.roles))
    if step.on_silence == "keep-place":
        return (first,)
    others = policy.order(rule.roles, rule.areas, case.traits.found_in)
    return (first, *(other for other in others if other[0] is not held))


def fitting(policy: Policy, case: Case, track: Track, step: Step, run: Run, rule: SeatRule, standing: Marks, asked: str) -> bool:
    """Whether the order names this service and it is for this person: all but bans, earlier tries and free places."""
    order = candidates(policy, case, track, step, run, rule, standing) or ()
    return any(service.id == asked and not unsuitable(case.traits, rule, service) for service, _ in order)


DAYS = 62
"""How far ahead an opening is looked for: longer than any run of holidays."""


def is_open(hours: Hours | None, now: int, calendar: Calendar) -> bool:
    """Whether it works at this instant."""
    if hours is None:
        return True
    local = now + calendar.offset(now)
    day, since = local // DAY, local % DAY
    return _works(hours, day, calendar) and hours.opens <= since < hours.closes


def next_opening(hours: Hours | None, now: int, calendar: Calendar) -> int | None:
    """When it opens next after this instant; None when that is out of sight."""
    if hours is None:
        return None
    today = (now + calendar.offset(now)) // DAY
    for day in range(today, today + DAYS):
        local = day * DAY + hours.opens
        at = local - calendar.offset(local - calendar.offset(local))
        if at > now and _works(hours, day, calendar):
            return at
    return None


def first_opening(policy: Policy, passed: Iterable[Passed], now: int) -> int | None:
    """When the first of those opens that were passed over because they are closed; None where there is none."""
    closed = [policy.agencies[policy.services[p.service].agency] for p in passed if p.reason == "CLOSED"]
    times = [next_opening(agency.hours, now, policy.calendar) for agency in closed]
    return min((at for at in times if at is not None), default=None)


def _works(hours: Hours, day: int, calendar: Calendar) -> bool:
    """day: since 1970-01-01, a Thursday."""
    return (day + 3) % 7 in hours.days and day not in calendar.holidays


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
