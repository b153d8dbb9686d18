"""Nobody comes to a child: our relay is dead, an agency has only a telephone, an officer who looked must look no longer. Who notices?"""

from __future__ import annotations

from functools import cache
from typing import Any

from referral.domain import events as e
from referral.domain.durations import MINUTE_US
from referral.domain.policy import Policy
from services.notifier.duty import Person, Roster
from services.notifier.plan import exclude, follow, plan
from tests.attacks.ground import Attack, Noticed
from tests.stories.teller import World, policy

OFFICER = "00000000-0000-0000-0000-000000000007"
"""The account that a story calls person=7."""
DESKS = ("desk", "supervising body", "oversight")


@cache
def shipped() -> Policy:
    return policy()


def attacks() -> list[Attack]:
    return [
        Attack(what="the mail relay is dead for 20 minutes", power="an outage", must=("desk", "police's record"), run=_relay_dead),
        Attack(
            what="the mail relay never comes back",
            power="an outage",
            must=("desk", "supervising body", "next police unit"),
            run=_relay_gone,
        ),
        Attack(
            what="the notifier knocks nobody, or its plan is emptied (N9)",
            power="the notifier",
            must=("desk", "supervising body", "next police unit", "Ombudsperson", "police's record"),
            run=_notifier_mute,
        ),
        Attack(what="an agency has only a telephone, and the desk sleeps", power="nobody", must=DESKS, run=_telephone),
        Attack(what="a notice goes to who has only a telephone", power="nobody", must=("desk", "the step"), run=_notice),
        Attack(what="the officer who acknowledged is implicated", power="one officer", must=("the rest of the rung",), run=_excluded),
    ]


def _told(*lines: str) -> tuple[World, list[Any]]:
    """A case by its lines, and all of its events."""
    made = World(shipped())
    for line in lines:
        made.tell(line)
    return made, [event for *_, events in made.log for event in events]


def _at_desks(events: list[Any], about: str) -> Noticed:
    """The first word to each of the three that stand above every rule."""
    said: Noticed = {}
    for event in events:
        if isinstance(event, e.NeedsPerson) and event.about == about:
            said.setdefault(DESKS[event.rung], f"{event.desk} must look: {event.about} for {event.step}")
    return said


def _relay_dead() -> Noticed:
    _, events = _told("refer", "rung-failed police channels-away", "alarm", "wait 5 min", "rung-reached police")
    accused = any(isinstance(x, e.CaseRaised) or (isinstance(x, e.OfferClosed) and x.how is e.How.EXPIRED) for x in events)
    passed = [x.why.rule for x in events if isinstance(x, e.DeadlinePassed)]
    record = "the limit that passed meanwhile is not its own: not-told" if passed == ["not-told"] and not accused else ""
    return {**_at_desks(events, "not-told"), "police's record": record}


def _relay_gone() -> Noticed:
    _, events = _told("refer", "rung-failed police channels-away", "alarm", "alarm", "alarm")
    asked = [x.agency for x in events if isinstance(x, e.OfferOpened) and x.step == "police"]
    accused = any(isinstance(x, e.CaseRaised) for x in events)
    return {**_at_desks(events, "not-told"), "next police unit": f"asked: {asked[-1]}" if len(asked) == 2 and not accused else ""}


def _notifier_mute() -> Noticed:
    """Nothing is sent and nothing is said, for an hour: the fault is ours, and what oversight is asked to open a case about is us."""
    _, events = _told("notifier mute", "refer", "alarm", "alarm", "alarm")
    asked = [x.agency for x in events if isinstance(x, e.OfferOpened) and x.step == "police"]
    passed = {x.why.rule for x in events if isinstance(x, e.DeadlinePassed)}
    raised = any(isinstance(x, e.CaseRaised) for x in events)
    proposed = [x for x in events if isinstance(x, e.NeedsPerson) and x.about.startswith("complaint")]
    ours = [x.desk for x in proposed] if all(x.about == "complaint-ours" for x in proposed) else []
    return {
        **_at_desks(events, "not-told"),
        "next police unit": f"asked: {asked[-1]}" if len(asked) == 2 else "",
        "Ombudsperson": f"{ours[0]} decides whether a case about us is opened" if ours and not raised else "",
        "police's record": "no limit that passed is its own: not-told" if passed == {"not-told"} else "",
    }


def _telephone() -> Noticed:
    _, events = _told("refer found_in=leposaviq urgency=emergency", "police: ACCEPT", "support: ACCEPT", "alarm", "alarm", "alarm")
    accused = any(isinstance(x, e.CaseRaised) for x in events)
    return {} if accused else _at_desks(events, "call")


def _notice() -> Noticed:
    made, events = _told("refer concern=disability consent=GIVEN giver=parent found_in=dragash", "centre: ACCEPT")
    early = any(isinstance(x, e.StepDone) and x.step == "coordinator" for x in events)
    done = "done coordinator done" in made.tell("coordinator: ACKNOWLEDGE phone=dsw")
    return {**_at_desks(events, "tell"), "the step": "is done when the desk has called, not before" if done and not early else ""}


def _excluded() -> Noticed:
    """Routing's events, as the notifier takes them in: two officers are on duty."""
    made, _ = _told("refer", "police: ACKNOWLEDGE person=7", f"exclude staff {OFFICER}")
    staff = Roster(tuple(Person(name, "police-prishtine", ("duty-officer",), ("email",)) for name in (OFFICER, "colleague")))
    offer, asked = made.offer("police").offer_id, None
    for *_, events in made.log:
        for event in events:
            if getattr(event, "offer_id", None) == offer:
                asked = follow(asked, event, case_id="case", at=made.now, drill=False)
    assert asked is not None
    people = [knock.person for knock in plan(exclude(asked, (OFFICER,)), staff, made.now + MINUTE_US).knocks]
    return {"the rest of the rung": f"knocked anew: {', '.join(people)}" if people == ["colleague"] else ""}
