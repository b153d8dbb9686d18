"""Select the next service for a seat, and give the reason for every service that is passed over.

Three parts: the order of candidates; the office hours of agencies, because an urgent step is never offered to an agency that is closed; the
reasons against a service, first the bans that nobody may override, then what is wrong with it this time.
"""

from __future__ import annotations

from collections.abc import Iterable
from itertools import chain

from referral.domain.case import PLACE, RANK, Case, Run, Seat, Track, offers_of
from referral.domain.durations import DAY_US
from referral.domain.events import Passed, Traits
from referral.domain.policy import Policy
from referral.domain.policy.directory import Hours, Service, years
from referral.domain.policy.limits import Calendar
from referral.domain.policy.procedure import Marks, Pathway, SeatRule, Step
from referral.domain.rules.conditions import latest, roles_wanted, secure_allowed
from referral.domain.rules.consent import is_barred
from referral.domain.rules.context import DecisionContext
from referral.domain.rules.persons import is_same_agency, waits_for_first

LISTED = 32
"""Candidates listed in one event; when this many are passed over, the search stops and a desk gets the seat (DESIGN 11)."""


Asked = Iterable[tuple[Service, str]]
"""Services in the order in which they are asked, each with the role it is asked for; read once, and no further than needed."""
Choice = tuple[Service | None, str, tuple[Passed, ...]]


def choose(d: DecisionContext, track: Track, pathway: Pathway, step: Step, run: Run, seat: int, marks: Marks) -> Choice | None:
    """Return the next service for a seat, the role it is asked for, and the services passed over; None while the seat waits for another
    seat."""
    rule = step.seats[seat]
    if waits_for_first(step, run, seat):
        return None
    asked = candidates(d.policy, d.case, track, step, run, rule, marks)
    if asked is None:
        return None
    passed: list[Passed] = []
    for service, role in asked:
        reason = why_not(d, track, pathway, step, run, run.seats[seat], rule, service, marks)
        if not reason:
            return service, role, tuple(passed)
        passed.append(Passed(service=service.id, reason=reason))
        if len(passed) == LISTED:
            break
    return (None, rule.roles[0] if rule.roles else rule.name, tuple(passed))


def candidates(policy: Policy, case: Case, track: Track, step: Step, run: Run, rule: SeatRule, marks: Marks) -> Asked | None:
    """Return the services in the order of the procedure; None while the seat whose holder is to be asked is vacant."""
    if rule.holder is not None:
        return _holder(policy, case, track, step, rule)
    return policy.order(roles_asked(step, run, rule, marks), rule.areas, case.traits.found_in, case.traits.home)


def roles_asked(step: Step, run: Run, rule: SeatRule, marks: Marks) -> tuple[str, ...]:
    """Return the roles that a seat may be offered to. A move (a later round) has no last resort: the child has a bed already."""
    if step.placement is None:
        return rule.asked(marks)
    wanted = roles_wanted(step.placement, marks)
    return wanted if run.round else (*wanted, *rule.last_resort)


def _holder(policy: Policy, case: Case, track: Track, step: Step, rule: SeatRule) -> Asked | None:
    """Return the service that holds the named seat; after it, unless silence keeps the place (`keep-place`), others that could hold it.

    None while that seat is not yet taken; a step that was settled without a holder leaves only the others.
    """
    assert rule.holder is not None
    run = latest(track, rule.holder[0])
    offer = run.seats[rule.holder[1]].offer if run is not None else None
    if offer is None or RANK[offer.state] < RANK["ACCEPTED"] or offer.service not in policy.services:
        if run is None or not run.outcome:
            return None
        return () if step.on_silence == "keep-place" else policy.order(rule.roles, rule.areas, case.traits.found_in, case.traits.home)
    held = policy.services[offer.service]
    first = (held, min(held.roles.intersection(rule.roles) or held.roles))
    if step.on_silence == "keep-place":
        return (first,)
    others = policy.order(rule.roles, rule.areas, case.traits.found_in, case.traits.home)
    return chain((first,), (other for other in others if other[0] is not held))


def fitting(policy: Policy, case: Case, track: Track, step: Step, run: Run, rule: SeatRule, marks: Marks, asked: str) -> bool:
    """Return True when the order contains this service and it suits this person. Ignores bans, earlier offers and free places."""
    order = candidates(policy, case, track, step, run, rule, marks)
    return order is not None and any(service.id == asked and not unsuitable(case.traits, rule, service) for service, _ in order)


DAYS = 62
"""Days ahead that are searched for an opening: longer than any run of holidays."""


def is_open(hours: Hours | None, now: int, calendar: Calendar) -> bool:
    """Return True when an agency with these hours is open at this instant."""
    if hours is None:
        return True
    local = now + calendar.offset(now)
    day, since = local // DAY_US, local % DAY_US
    return _works(hours, day, calendar) and hours.opens <= since < hours.closes


def next_opening(hours: Hours | None, now: int, calendar: Calendar) -> int | None:
    """Return the next opening after this instant; None when there is none within DAYS."""
    if hours is None:
        return None
    today = (now + calendar.offset(now)) // DAY_US
    for day in range(today, today + DAYS):
        local = day * DAY_US + hours.opens
        at = local - calendar.offset(local - calendar.offset(local))
        if at > now and _works(hours, day, calendar):
            return at
    return None


def first_opening(policy: Policy, passed: Iterable[Passed], now: int) -> int | None:
    """Return the earliest opening of the services that were passed over as CLOSED; None where there is none."""
    closed = [policy.agencies[policy.services[p.service].agency] for p in passed if p.reason == "CLOSED"]
    times = [next_opening(agency.hours, now, policy.calendar) for agency in closed]
    return min((at for at in times if at is not None), default=None)


def _works(hours: Hours, day: int, calendar: Calendar) -> bool:
    """Return True when these hours include this day. day: since 1970-01-01, a Thursday."""
    return (day + 3) % 7 in hours.days and day not in calendar.holidays


TRIED = ("DECLINED_BY_AGENCY", "DECLINED_BY_PERSON", "EXPIRED", "RETURNED", "RELEASED")
"""Ends of an offer after which the same service is not asked again for the seat."""


def why_not(
    d: DecisionContext, track: Track, pathway: Pathway, step: Step, run: Run, seat: Seat, rule: SeatRule, service: Service, marks: Marks
) -> str:
    """Return the reason why a service must not be asked; empty when it may."""
    if reason := banned(d, pathway, step, service, marks):
        return reason
    if rule.not_same_as and is_same_agency(track, run, rule, service.agency):
        return "SAME_AGENCY"
    return _unfit(d, track, step, seat, rule, service)


def banned(d: DecisionContext, pathway: Pathway, step: Step, service: Service, marks: Marks) -> str:
    """Return the ban that nobody may override: an exclusion, a ban of the procedure, missing consent, a secure facility without its
    decisions. Empty when there is none. Also checked before a desk's own choice."""
    if d.case.excluded and f"agency:{service.agency}" in d.case.excluded:
        return "EXCLUDED"
    for ban in pathway.never:
        if ban.forbids(service.tags, marks):
            return "NEVER"
    if is_barred(pathway, step, d.case.consent, service):
        return "NOT_CONSENTED"
    if not may_lock(pathway, step, service, marks):
        return "SECURE_NOT_ALLOWED"
    return ""


def may_lock(pathway: Pathway, step: Step, service: Service, marks: Marks) -> bool:
    """Return True when a service locks nobody up, or the decisions that its step needs for that are made. A service with a role that
    locks is asked by no step that needs no such decision, where the procedure has that ban."""
    if step.placement is not None and service.roles & step.placement.secure:
        return secure_allowed(step.placement, marks)
    return not service.roles & pathway.locked


def _unfit(d: DecisionContext, track: Track, step: Step, seat: Seat, rule: SeatRule, service: Service) -> str:
    """Return the reason against a service that holds only this time: an earlier offer, unsuitable, closed, no capacity. Empty when there is
    none."""
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
    """Return the reason why a service does not suit this person; empty when it does."""
    if not rule.skills <= service.tags:
        return "NOT_SKILLED"
    return ineligible(traits, service)


def ineligible(traits: Traits, service: Service) -> str:
    """Return the reason why a service is not for this age or sex; empty when it is."""
    low, high = years(traits.age, traits.age_band)
    known = "-" in traits.age_band
    if (low < service.ages[0] or high > service.ages[1]) if known else (low > service.ages[1] or high < service.ages[0]):
        return "NOT_ELIGIBLE_AGE"
    if service.sexes and traits.sex in ("female", "male") and traits.sex not in service.sexes:
        return "NOT_ELIGIBLE_SEX"
    return ""
