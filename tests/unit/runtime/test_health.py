"""A process whose loop stands is worth a restart; one whose servers are away is not. Why it was not ready stands in the log."""

from __future__ import annotations

from structlog.testing import capture_logs

from referral.runtime.http_server import _alive, _ready, _why
from referral.runtime.observe import OUTSIDE, STANDS_S, Health


class Clock:
    now = 5.0

    def __call__(self) -> float:
        return self.now


def test_a_loop_that_does_not_come_round_is_stuck() -> None:
    clock = Clock()
    health = Health(monotonic=clock)
    health.turned()
    health.red("loop", "database or broker away")
    clock.now += STANDS_S
    assert not health.stands() and _alive(health)[0] == 200
    clock.now += 0.1
    assert health.stands() and _alive(health)[0] == 503
    health.turned()
    assert _alive(health)[0] == 200


def test_a_process_without_a_loop_never_counts_as_stuck() -> None:
    clock = Clock()
    health = Health(monotonic=clock)
    clock.now += 10 * STANDS_S
    assert _alive(health)[0] == 200


def test_reasons_that_are_computed_are_logged_once_as_they_come_and_go() -> None:
    late: dict[str, str] = {}
    health = Health(lambda: late)
    with capture_logs() as said:
        health.not_ready()
        for late["knocks-late"] in ("31 s", "32 s"):
            health.not_ready()
        late.clear()
        health.not_ready()
        late["knocks-late"] = "33 s"
        health.not_ready()
    told = [(line["event"], line["reason"], line.get("hint")) for line in said]
    assert told == [("not ready", "knocks-late", "31 s"), ("ready again", "knocks-late", None), ("not ready", "knocks-late", "33 s")]


def test_what_is_late_outside_closes_no_door_and_is_no_reason_for_a_restart() -> None:
    """Kubernetes took a notifier whose trunk was away from its Service: nobody could answer an SMS, or by the page."""
    words = dict.fromkeys(OUTSIDE, "look at the channel's server")
    health = Health(lambda: words)
    assert _ready(health)[0] == 503, "it has not started"
    health.green("start")
    assert (_alive(health)[0], _ready(health)[0], _why(health)[0]) == (200, 200, 503)
    health.red("loop", "database or broker away")
    assert (_alive(health)[0], _ready(health)[0]) == (200, 503)
