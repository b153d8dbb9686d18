"""What a clock that was set back, or stood in another year, does to the children that oversight counts."""

from __future__ import annotations

from collections import Counter

from msgspec.structs import replace

from referral.domain import events as e
from referral.domain.durations import DAY_US, HOUR_US, MINUTE_US
from services.oversight.calendar import begins
from services.oversight.counting.projection import AHEAD, ROUTING
from services.oversight.counting.rules import MEANING
from tests.harness.oversight_log import AGO, CALM, CHILD, NEVER, Record, folded, since, told
from tests.stories.teller import START


def shifted(records: list[Record], by: int, *kinds: type) -> list[Record]:
    """The same records, as a clock would have dated those of these kinds that stood wrong by so much."""
    return [(t, replace(m, recorded_at=m.recorded_at + by * isinstance(body, kinds)), body) for t, m, body in records]


def test_a_clock_that_was_set_back_within_a_case_tells_no_wait_and_takes_nothing_away() -> None:
    records = told(*CALM, "wait 3 h", "shelter: ACCEPT", "wait 1 h", "shelter: ARRIVE")
    after = {"wait:acknowledged": 10, "wait:bed": 255, "stage:arrived": 255}
    first = next(n for n, (_, _, body) in enumerate(records) if isinstance(body, e.OfferAccepted))
    back = [*records[:first], *shifted(records[first : first + 1], -7 * MINUTE_US, e.OfferAccepted), *records[first + 1 :]]
    assert since(back) == after | {"stage:acknowledged": 10, "stage:accepted": 10, "wait:accepted": 15}, "the next one accepted at 15"
    back = shifted(records, -DAY_US, e.OfferAcknowledged, e.OfferAccepted)
    assert since(back) == {"stage:acknowledged": 0, "stage:accepted": 0, "stage:arrived": 255, "wait:bed": 255}
    many = sum(isinstance(body, e.OfferAcknowledged | e.OfferAccepted) for _, _, body in records)
    assert folded(back).counted(NEVER) == Counter({"clock-back": many})


def test_nothing_is_measured_from_a_beginning_that_a_clock_set_back_has_dated() -> None:
    back = shifted(told(*CALM), -HOUR_US, e.TrackChanged)
    assert since(back) == {"stage:acknowledged": 10, "stage:accepted": 15}
    assert folded(back).of(CHILD, AGO, NEVER)[0].began_at == START, "the latest time before it"
    assert folded(back).counted(NEVER) == Counter({"clock-back": sum(isinstance(b, e.TrackChanged) for _, _, b in back)})


def test_also_a_record_that_no_figure_asks_for_shows_that_a_clock_was_set_back() -> None:
    records = told(*CALM)
    silent = next(n for n, (topic, _, body) in enumerate(records) if topic == ROUTING and type(body) not in MEANING)
    topic, meta, body = records[silent]
    back = [*records[:silent], (topic, replace(meta, recorded_at=START + DAY_US), body), *records[silent + 1 :]]
    behind = sum(topic == ROUTING for topic, _, _ in records[silent + 1 :])
    assert behind and folded(back).counted(NEVER) == Counter({"clock-back": behind})


def test_who_began_long_before_there_was_a_policy_is_in_no_period() -> None:
    """A clock that stood in 2003 until somebody set it."""
    wrong = START - begins("2003-05")
    records = [
        (t, replace(m, recorded_at=m.recorded_at - wrong if m.recorded_at == START else m.recorded_at), b) for t, m, b in told(*CALM)
    ]
    courses, start = folded(records), begins("2026-01") - AHEAD
    assert courses.months() == ("2003-05",) and courses.of(CHILD, AGO, NEVER), "unless it is asked for"
    assert courses.months(start) == courses.of(CHILD, start, NEVER) == ()
    assert courses.counted(NEVER, start) == Counter({"out-of-period": len(courses.pathways())})
    assert courses.counted(NEVER) == courses.counted(1, start) == Counter()
    (child,) = courses.of(CHILD, AGO, NEVER)
    assert courses.months(child.began_at) and courses.counted(NEVER, child.began_at) == Counter()
