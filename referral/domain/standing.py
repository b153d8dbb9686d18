"""How far a round of a step has come, and the marks that this gives."""

from __future__ import annotations

from functools import lru_cache

from referral.domain.case import Case, Run, Track
from referral.domain.events import Consent, ConsentState, Traits
from referral.domain.kinds import DECIDE
from referral.domain.procedure import Marks

RANK = {"OFFERED": 1, "ACKNOWLEDGED": 2, "ACCEPTED": 3, "ARRIVED": 4, "COMPLETED": 5}


WORDS = ((), (), (), ("accepted",), ("accepted", "present", "arrived"), ("accepted", "present", "arrived", "completed"))


ALL = ("accepted", "present", "arrived", "completed", "decided", "done")


NOT_NEEDED = "not-needed"


SETTLED = "settled"
"""Outcome of a step that a desk has settled without an agency: it counts as reached in every respect."""


OVERTAKEN = "overtaken"
"""Outcome of a step whose person got there by another way: it counts as reached in every respect too."""


CONSENT = {state: f"consent={state.value.lower().replace('_', '-')}" for state in ConsentState}


@lru_cache(4096)
def trait_marks(traits: Traits) -> Marks:
    """The marks of the traits. An uncertain age has its own mark; procedures name it beside `age=child`."""
    one = ("concern", "age", "age_band", "sex", "found_in", "home", "urgency", "origin", "asylum")
    many = [f"{name}={getattr(traits, name)}" for name in one]
    return frozenset([*many, *(f"flags={flag}" for flag in traits.flags), *(f"languages={word}" for word in traits.languages)])


def consent_mark(consent: Consent | None, now: int) -> str:
    """How the person's agreement stands: given, refused, withdrawn, not-asked, unknown, or expired when its time has passed."""
    if consent is None:
        return "consent=not-asked"
    if consent.until is not None and consent.until <= now and consent.state is ConsentState.GIVEN:
        return "consent=expired"
    return CONSENT[consent.state]


def case_marks(case: Case, now: int) -> Marks:
    """The marks of what is known of a case, whatever runs for it."""
    return trait_marks(case.traits) | {consent_mark(case.consent, now)}


def rank(run: Run) -> int:
    """How far the slowest seat of a run is."""
    lowest = 5
    for seat in run.seats:
        offer = seat.offer
        if offer is None:
            return 0
        if (reached := RANK[offer.state]) < lowest:
            lowest = reached
    return lowest


def is_vacant(run: Run) -> bool:
    """Whether a seat of it has neither an offer nor a decision."""
    for seat in run.seats:  # noqa: SIM110 - as in procedure.met
        if seat.offer is None and not seat.code:
            return True
    return False


def latest(track: Track, step: str) -> Run | None:
    """The newest round of a step."""
    for run in reversed(track.runs):
        if run.step == step:
            return run
    return None


def newest(track: Track) -> dict[str, Run]:
    """The newest round of every step that has begun."""
    return {run.step: run for run in track.runs}


@lru_cache(1024)
def state_marks(step: str, reached: int) -> Marks:
    return frozenset(f"{step}.{word}" for word in WORDS[reached])


@lru_cache(1024)
def outcome_marks(step: str, outcome: str, decides: bool) -> Marks:
    words: tuple[str, ...] = ("done",)
    if outcome in (SETTLED, OVERTAKEN):
        words = ALL
    elif decides and outcome != NOT_NEEDED:
        words = ("done", "decided", outcome)
    return frozenset(f"{step}.{word}" for word in words)


def run_marks(run: Run) -> Marks:
    """The marks that one round gives."""
    reached = state_marks(run.step, rank(run))
    return reached | outcome_marks(run.step, run.outcome, run.kind is DECIDE) if run.outcome else reached
