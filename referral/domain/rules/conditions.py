"""Compute the marks of a track, which the conditions of a procedure test, and the roles that a placement asks for under these marks."""

from __future__ import annotations

from functools import lru_cache

from referral.domain.case import DECIDE, RANK, Case, Run, Track
from referral.domain.events import Consent, ConsentState, Traits
from referral.domain.policy import Policy
from referral.domain.policy.procedure import Marks, Pathway, Placement, Step

TAKEN = RANK["ACCEPTED"]
"""The lowest rank that sets a mark."""


def track_marks(case: Case, track: Track, pathway: Pathway, policy: Policy, now: int | None = None) -> set[str]:
    """Return every mark that is set and that the procedure names. now: defaults to the time of the last event.

    Of several rounds of a step, the furthest state counts, and the newest outcome.
    """
    named = pathway.names
    found = set(_traits(named, case.traits))
    found.add(consent_mark(case.consent, case.at if now is None else now))
    decided = set()
    for run in reversed(track.runs):
        step, outcome, reached = run.step, run.outcome, 5
        for seat in run.seats:
            offer = seat.offer
            if offer is None:
                reached = 0
            elif (at := RANK[offer.state]) < reached:
                reached = at
            if seat.missed:
                late = () if outcome or run is not latest(track, step) else seat.missed
                found |= _missed(named, step, seat.missed, late, 0 if offer is None else RANK[offer.state])
            for past in seat.past:
                if past.how == "EXPIRED" and past.state == "OFFERED":
                    found.add(f"{step}.acknowledge-missed")  # nobody on duty on any rung counts as silence
        if outcome and step in decided:
            outcome = ""
        elif outcome:
            decided.add(step)
        if outcome or reached >= TAKEN:
            found |= _given(named, step, reached, outcome, run.kind is DECIDE)
    for placed in pathway.placements:
        found.update(_placed(track, placed, found, policy))
    return found


# No procedure names most marks. A small set takes half the time of a large one to build and search.
@lru_cache(4096)
def _traits(named: Marks, traits: Traits) -> Marks:
    return trait_marks(traits) & named


@lru_cache(4096)
def _given(named: Marks, step: str, reached: int, outcome: str, decides: bool) -> Marks:
    done = outcome_marks(step, outcome, decides) if outcome else frozenset()
    return (state_marks(step, reached) | done) & named


MET = {"accept": TAKEN, "present": RANK["ARRIVED"], "arrive": RANK["ARRIVED"]}
"""Rank of an offer from which on this limit, which had passed, is met after all. The others are met when the step is done."""


@lru_cache(4096)
def _missed(named: Marks, step: str, missed: tuple[str, ...], late: tuple[str, ...], reached: int) -> Marks:
    """Return the marks of limits that passed. missed: ever. late: in the newest round, which is not done. A limit to acknowledge stays
    missed; every other is missed until it is met."""
    still = [what for what in late if what != "acknowledge" and reached < MET.get(what, RANK["COMPLETED"] + 1)]
    return frozenset(f"{step}.{what}-missed" for what in (*still, *({"acknowledge"} & set(missed)))) & named


def secure_allowed(placement: Placement, marks: Marks) -> bool:
    """Return True when a facility that locks a child up may be asked: only by decisions that are set, never by silence."""
    return placement.needs <= marks and not placement.ends & marks


def roles_wanted(placement: Placement, marks: Marks) -> tuple[str, ...]:
    """Return the roles that may be asked for a place under these marks."""
    known = next((roles for code, roles in placement.roles.items() if f"{placement.by}.{code}" in marks), placement.until_known)
    if secure_allowed(placement, marks):
        return known
    return tuple(role for role in known if role not in placement.secure) or placement.until_known


def _placed(track: Track, step: Step, marks: Marks, policy: Policy) -> list[str]:
    """Return the marks of the child's place: `secure` in a facility that locks up; `misplaced` when the newest decisions ask for another
    kind of place."""
    run, placement = latest(track, step.id), step.placement
    offer = run.seats[0].offer if run is not None else None
    if offer is None or offer.state != "ARRIVED" or placement is None or offer.service not in policy.services:
        return []
    service = policy.services[offer.service]
    wanted, secure = roles_wanted(placement, marks), bool(service.roles & placement.secure)
    locks = bool(placement.secure & set(wanted))
    found = [f"{step.id}.secure"] if secure else []
    if secure != locks and not service.roles & set(wanted):
        found.append(f"{step.id}.misplaced")
    return found


WORDS = ((), (), (), ("accepted",), ("accepted", "present", "arrived"), ("accepted", "present", "arrived", "completed"))
"""Words of the marks that each rank sets, by rank."""


ALL = ("accepted", "present", "arrived", "completed", "decided", "done")


NOT_NEEDED = "not-needed"


SETTLED = "settled"
"""Outcome of a step that a desk has settled without an agency: it sets the marks of every state."""


OVERTAKEN = "overtaken"
"""Outcome of a step whose person got there by another way: it sets the marks of every state too."""


CONSENT = {state: f"consent={state.value.lower().replace('_', '-')}" for state in ConsentState}


@lru_cache(4096)
def trait_marks(traits: Traits) -> Marks:
    """Return the marks of the traits. An uncertain age has its own mark; procedures name it beside `age=child`."""
    names = ("concern", "age", "age_band", "sex", "found_in", "home", "urgency", "origin", "asylum")
    found = [f"{name}={getattr(traits, name)}" for name in names]
    found += [*(f"flags={flag}" for flag in traits.flags), *(f"languages={word}" for word in traits.languages)]
    return frozenset([*found, *(f"times={one.code}" for one in traits.times)])


def consent_mark(consent: Consent | None, now: int) -> str:
    """Return the mark of the person's consent: given, refused, withdrawn, not-asked, unknown, or expired when its time has passed."""
    if consent is None:
        return "consent=not-asked"
    if consent.until is not None and consent.until <= now and consent.state is ConsentState.GIVEN:
        return "consent=expired"
    return CONSENT[consent.state]


def case_marks(case: Case, now: int) -> Marks:
    """Return the marks of traits and consent, whatever tracks the case has."""
    return trait_marks(case.traits) | {consent_mark(case.consent, now)}


def rank(run: Run) -> int:
    """Return the rank of the slowest seat of a run."""
    lowest = 5
    for seat in run.seats:
        offer = seat.offer
        if offer is None:
            return 0
        if (reached := RANK[offer.state]) < lowest:
            lowest = reached
    return lowest


def is_vacant(run: Run) -> bool:
    """Return True when a seat of the run has neither an offer nor a decision."""
    for seat in run.seats:  # noqa: SIM110 - on the hot path, and all() of a generator takes twice as long
        if seat.offer is None and not seat.code:
            return True
    return False


def latest(track: Track, step: str) -> Run | None:
    """Return the newest round of a step; None when it has not begun."""
    for run in reversed(track.runs):
        if run.step == step:
            return run
    return None


def newest(track: Track) -> dict[str, Run]:
    """Return the newest round of every step that has begun, by step."""
    return {run.step: run for run in track.runs}


@lru_cache(1024)
def state_marks(step: str, reached: int) -> Marks:
    """Return the marks that this rank sets for a step."""
    return frozenset(f"{step}.{word}" for word in WORDS[reached])


@lru_cache(1024)
def outcome_marks(step: str, outcome: str, decides: bool) -> Marks:
    """Return the marks that this outcome sets for a step. decides: the step is a decision, so its outcome is a code."""
    words: tuple[str, ...] = ("done",)
    if outcome in (SETTLED, OVERTAKEN):
        words = ALL
    elif decides and outcome != NOT_NEEDED:
        words = ("done", "decided", outcome)
    return frozenset(f"{step}.{word}" for word in words)


def run_marks(run: Run) -> Marks:
    """Return the marks that one round sets."""
    reached = state_marks(run.step, rank(run))
    return reached | outcome_marks(run.step, run.outcome, run.kind is DECIDE) if run.outcome else reached
