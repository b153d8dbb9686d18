"""A transfer never leaves a seat without anybody, whatever comes between."""

from __future__ import annotations

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from referral.domain import events as e
from referral.domain.case import RANK, Case, find, offers_of, seats
from referral.domain.evolve import evolve
from tests.stories.teller import CASE, World, policy, replayed

POLICY = policy()
BEGIN = ("refer", "police: ACCEPT", "support: ACCEPT", "csw: ACCEPT", "shelter: ACCEPT", "shelter: ARRIVE")
ORDERS = (
    "desk TRANSFER support.1 csw-prizren.duty",
    "desk TRANSFER support.1 csw-novoberde.duty",
    "desk TRANSFER support advocate-prizren.duty",
    "desk TRANSFER police police-country.thbs",
    "desk TRANSFER shelter shelter-swallow.beds",
    "desk TRANSFER shelter shelter-linden.beds",
    "desk TRANSFER plan csw-prizren.duty",
    "desk OFFER support.1 csw-prizren.duty",
    "desk STOP",
    "desk RESUME",
    "desk REOPEN",
    "desk OVERTAKEN shelter",
    "exclude agency csw-prizren",
    "exclude agency csw-prishtine",
    "traits found_in=prizren",
    "traits flags=disability",
    "alarm",
    "wait 20 min",
    "wait 7 h",
)
WORDS = ("ACKNOWLEDGE", "ACCEPT", "ARRIVE", "COMPLETE", "DECLINE OUT_OF_AREA", "DECLINE PERSON_DECLINED", "RETURN OUT_OF_AREA", "HOLD")
HELD = ("police", "support", "csw", "shelter", "plan", "health")
line = st.one_of(
    st.sampled_from(ORDERS[:6]),
    st.sampled_from(ORDERS),
    st.builds("{}: {}".format, st.sampled_from(HELD), st.sampled_from(WORDS)),
    st.builds("{}@{}: {}".format, st.just("csw"), st.sampled_from(("csw-prishtine.duty", "csw-prizren.duty")), st.sampled_from(WORDS)),
    st.builds(
        "{}@{}: {}".format, st.just("shelter"), st.sampled_from(("shelter-blue-moon.beds", "shelter-swallow.beds")), st.sampled_from(WORDS)
    ),
)


def taken(case: Case) -> set[tuple[int, int, int]]:
    """Seats that somebody has taken."""
    return {place for place, _, _, seat in seats(case) if any(RANK[o.state] >= RANK["ACCEPTED"] for o in offers_of(seat))}


def leaves(case: Case, event: Any) -> bool:
    """Whether the event says that who has the seat gives it up or is taken off it for another cause than a transfer."""
    if isinstance(event, e.OfferHeld):
        return event.due is None
    if not isinstance(event, e.OfferClosed) or event.reason == "TRANSFERRED":
        return False
    found = find(case, event.offer_id)
    return found is not None and found.offer is not found.seat.next and RANK[found.offer.state] >= RANK["ACCEPTED"]


@settings(max_examples=120)
@given(st.lists(line, max_size=25))
def test_never_at_zero(lines: list[str]) -> None:
    world = World(POLICY)
    for said in (*BEGIN, *lines):
        case = world.case
        try:
            body = world.body(said)
        except AssertionError:  # nobody was asked for that seat yet, or nothing is due
            continue
        for event in world.put(body) if body is not None else ():
            after = evolve(case, event, CASE)
            if case is not None and ("TRANSFER" in said or not leaves(case, event)):
                assert taken(case) <= taken(after), event
            case = after
        for _, _, run, seat in seats(case) if case else ():
            if seat.next is not None:
                assert seat.offer is not None and not seat.offer.how and RANK[seat.offer.state] >= RANK["ACCEPTED"], run.step
    replayed(world)
