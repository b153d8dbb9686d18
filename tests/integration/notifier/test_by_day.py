"""Messages that could not be sent by day wait for the morning, if they would wake somebody for what can wait: asked before sending."""

from __future__ import annotations

import pytest

from services.notifier.hush import Hush
from tests.harness.line.notifier_stack import MINUTE, Stack, opened, sending
from tests.harness.waiting import until
from tests.integration.notifier.test_woken import Phone, lanes, officer

pytestmark = pytest.mark.servers
HOUR = 60 * MINUTE
WAITS = (
    "SELECT to_char(to_timestamp(due_at / 1e6) AT TIME ZONE 'Europe/Belgrade', 'HH24:MI') AS at, attempt, due_at = planned_at AS alike"
    " FROM notifier.delivery WHERE channel = 'sms' AND state = 'WAITING' AND lease_until IS NULL AND due_at > :now"
)


async def waits(notifier: Stack) -> list[tuple[str, int, bool]]:
    """The SMS that waits for a later hour: that hour, its attempts, and whether it counts as planned for then."""
    return [(row.at, row.attempt, row.alike) for row in await notifier.rows(WAITS, now=await notifier.now())]


@pytest.mark.parametrize(("drill", "planned", "sent", "left", "again"), [(False, 11.25, 12.5, 12, "07:00"), (True, 5.5, 6.5, 1, "08:00")])
async def test_an_sms_that_was_held_up_until_the_evening_leaves_in_the_morning(
    notifier: Stack, drill: bool, planned: float, sent: float, left: int, again: str
) -> None:
    """Planned while it might leave, and held up by an outage. planned, sent: hours after ten in the morning. left: hours to the limit."""
    phone, notifier.hush = Phone(), Hush()
    await officer(notifier, "besa", "sms")
    await notifier.by_day()
    await notifier.advance(round(planned * HOUR))
    offer = opened(due=await notifier.now() + left * HOUR)
    await notifier.tell(await notifier.case(), offer, drill=drill)
    await notifier.advance(round((sent - planned) * HOUR))
    assert await waits(notifier) == [], "it was planned for an hour that has passed"
    async with sending(lanes(notifier, sms=phone)):
        await until(lambda: waits(notifier), what="it is asked once more whether it may leave")
        assert await waits(notifier) == [(again, 0, True)] and phone.taken == []
        await notifier.tell(await notifier.case(), opened(due=await notifier.now() + 15 * MINUTE))
        await until(lambda: phone.calls("besa") == 1, what="what is urgent leaves at night too")
        await notifier.advance(16 * HOUR)
        await until(lambda: phone.calls("besa") == 2, what="and the other one in the morning")
    assert {*await notifier.states()} == {"SENT"}
