"""Every event of every story is handed to a real notifier: each question for a person is known, and a desk is knocked for its calls."""

from __future__ import annotations

from referral.domain.events import NeedsPerson, OfferOpened, Reach
from tests.harness.line.notifier_stack import Stack
from tests.stories.reached import told
from tests.stories.test_stories import TOLD

CALLS = {"call", "tell", "not-told"}
"""What a desk's task with an offer is about: to telephone its agency."""


async def test_the_notifier_takes_every_event_of_every_story_and_knocks_the_desk_for_each_call(notifier: Stack) -> None:
    desks: set[str] = set()
    calls = 0
    for path in TOLD:
        decided = [happened for *_, happened in told(path.stem).log]
        events = [event for happened in decided for event in happened]
        tasks = {event.task_id: event for event in events if isinstance(event, NeedsPerson)}
        for desk in {task.desk for task in tasks.values()} - desks:
            await notifier.person(desk, agency=desk, rung="desk")
            desks.add(desk)
        case = await notifier.case()
        for happened in decided:
            await notifier.tell(case, *happened)
        asked = {row.id for row in await notifier.rows("SELECT id FROM notifier.asked WHERE case_id = :case", case=case)}
        offers = {event.offer_id for event in events if isinstance(event, OfferOpened) and event.reach is not Reach.PHONE}
        assert asked == offers | tasks.keys(), path.stem
        knocked = {row.asked for row in await notifier.rows("SELECT asked FROM notifier.delivery WHERE case_id = :case", case=case)}
        assert {id_ for id_, task in tasks.items() if task.about in CALLS} <= knocked, path.stem
        calls += sum(task.about in CALLS for task in tasks.values())
        await notifier.rows("DELETE FROM notifier.delivery")
        await notifier.rows("DELETE FROM notifier.asked")
    assert calls > 5, "stories tell of telephones"
