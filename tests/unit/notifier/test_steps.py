"""How loudly somebody is knocked: loud in time for what is urgent, by day for what can wait, and never not at all."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

from hypothesis import example, given
from hypothesis import strategies as st

from referral.domain.durations import SECOND_US
from services.notifier.duty import LOCAL, Loudness, Rule, instant, local_day
from services.notifier.steps import DEFAULTS, EARLY, EVENING, MORNING, NORMAL_US, URGENT_US, WAKES, loudness, steps

MINUTE, HOUR = 60 * SECOND_US, 3600 * SECOND_US
CHANNELS = ("email", "sms", "voice")
NIGHT = instant(date(2026, 11, 26), 3 * 60)
some_channels = st.sets(st.sampled_from(CHANNELS), min_size=1).map(lambda found: tuple(sorted(found)))
some_rules = st.lists(st.builds(Rule, st.sampled_from(list(Loudness)), st.sampled_from(CHANNELS), st.integers(0, 86400)), max_size=4).map(
    tuple
)
instants = st.integers(instant(date(2026, 1, 1), 0), instant(date(2027, 12, 31), 0))
limits = st.none() | st.integers(0, 10 * 24 * HOUR)


def minute_of_day(at: int) -> float:
    """What the clock on the wall shows, also in the two nights of a year that have another length."""
    wall = datetime.fromtimestamp(at / SECOND_US, UTC).astimezone(LOCAL)
    return wall.hour * 60 + wall.minute + wall.second / 60


def test_at_three_in_the_night_a_quarter_of_an_hour_rings_after_two_minutes() -> None:
    assert steps(CHANNELS, (), NIGHT + 15 * MINUTE, NIGHT) == (("email", NIGHT), ("sms", NIGHT), ("voice", NIGHT + 2 * MINUTE))


def test_ten_days_do_not_ring_at_night() -> None:
    assert steps(CHANNELS, (), NIGHT + 10 * 24 * HOUR, NIGHT) == (("email", NIGHT),)
    assert steps(("voice",), (), NIGHT + 10 * 24 * HOUR, NIGHT) == (("voice", instant(date(2026, 11, 26), MORNING)),)


def test_a_day_rings_by_day_unless_it_ends_before() -> None:
    until_noon = dict(steps(CHANNELS, (), NIGHT + 9 * HOUR, NIGHT))
    assert (until_noon["email"], until_noon["voice"]) == (NIGHT, instant(date(2026, 11, 26), MORNING))
    assert dict(steps(CHANNELS, (), NIGHT + 4 * HOUR, NIGHT))["voice"] == NIGHT + 20 * MINUTE


def test_own_rules_replace_the_usual_ones_and_never_silence_what_is_urgent() -> None:
    soon, later = NIGHT + HOUR, NIGHT + 5 * 24 * HOUR
    mine = (Rule(Loudness.URGENT, "voice", 0), Rule(Loudness.QUIET, "sms", 60))
    assert steps(CHANNELS, mine, soon, NIGHT) == (("voice", NIGHT),)
    assert [channel for channel, _ in steps(CHANNELS, mine, later, NIGHT)] == ["sms"]
    silent = (Rule(Loudness.URGENT, "email", 0),)
    assert {channel for channel, _ in steps(CHANNELS, silent, soon, NIGHT)} == {"email", "sms", "voice"}


@given(channels=some_channels, rules=some_rules, left=limits, now=instants, once=st.booleans())
def test_everybody_with_a_channel_hears_and_no_channel_twice(
    channels: tuple[str, ...], rules: tuple[Rule, ...], left: int | None, now: int, once: bool
) -> None:
    due = None if left is None else now + left
    made = steps(channels, rules, due, now, once)
    used = [channel for channel, _ in made]
    assert used and len(set(used)) == len(used) and set(used) <= set(channels)
    assert all(at >= now for _, at in made)


@given(channels=some_channels, rules=some_rules, left=st.integers(3, URGENT_US), now=instants)
def test_what_is_urgent_is_loud_before_half_of_its_time(channels: tuple[str, ...], rules: tuple[Rule, ...], left: int, now: int) -> None:
    made = steps(channels, rules, now + left, now)
    loud = [at for channel, at in made if channel in WAKES]
    assert bool(loud) == any(channel in WAKES for channel in channels)
    assert all(at <= now + left / 2 for at in loud)


@given(channels=some_channels, rules=some_rules, left=limits, now=instants)
@example(channels=("sms",), rules=(), left=None, now=instant(date(2027, 3, 27), 21 * 60 + 50))
@example(channels=("sms",), rules=(), left=None, now=instant(date(2027, 10, 30), 21 * 60 + 50))
def test_what_can_wait_wakes_nobody_at_night(channels: tuple[str, ...], rules: tuple[Rule, ...], left: int | None, now: int) -> None:
    due = None if left is None else now + left
    if loudness(due, now) is Loudness.URGENT:
        return
    for channel, at in steps(channels, rules, due, now):
        if channel in WAKES and not MORNING <= minute_of_day(at) < EVENING:
            morning = instant(local_day(at) + timedelta(days=minute_of_day(at) >= EVENING), EARLY)
            assert due is not None and due < morning, "only because it would end before the morning"


def test_loudness_follows_the_time_that_is_left() -> None:
    assert [loudness(NIGHT + left, NIGHT) for left in (URGENT_US, URGENT_US + 1, NORMAL_US, NORMAL_US + 1)] == [
        Loudness.URGENT,
        Loudness.NORMAL,
        Loudness.NORMAL,
        Loudness.QUIET,
    ]
    assert (loudness(None, NIGHT), loudness(NIGHT + 1, NIGHT, once=True)) == (Loudness.NORMAL, Loudness.QUIET)
    assert set(DEFAULTS) == set(Loudness)
    assert datetime.fromtimestamp(NIGHT / SECOND_US, UTC).hour == 2, "three o'clock in Prishtina"
