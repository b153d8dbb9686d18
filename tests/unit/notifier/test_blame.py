"""Our fault and theirs: who is tried again until the limit, at which gaps, and every word of the policy is one or the other."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from referral.domain.durations import SECOND_US
from services.notifier.blame import CALL_SECONDS, CALLS, FIRST_SECONDS, MOST_SECONDS, OURS, RETRY_SECONDS, UNSURE_SECONDS, next_try
from tests.stories.teller import policy

THEIRS = {"refused", "bad-address", "no-address", "try-later", "wrong-number", "undelivered", "cannot"} | CALLS
NO_ATTEMPT = {
    "acknowledge",
    "nobody-on-duty",
    "all-channels-failed",
    "all-excluded",
    "all-cannot",
    "channels-away",
    "acknowledger-excluded",
    "interrupted",
    "thrown-away",
}
"""Words about a rung or an escalation, or about a message that nobody waits for."""


def test_every_word_is_ours_or_theirs() -> None:
    assert set(policy().codes["knock-reason"]) == OURS | THEIRS | NO_ATTEMPT
    assert not OURS & THEIRS


@given(reason=st.sampled_from(sorted(OURS)), attempt=st.integers(1, 100_000), reference=st.uuids().map(str))
def test_what_is_ours_is_tried_for_ever_within_a_minute(reason: str, attempt: int, reference: str) -> None:
    gap = next_try(reason, attempt, reference)
    assert gap is not None and 0 <= gap <= min(MOST_SECONDS, FIRST_SECONDS * 2.0 ** min(attempt - 1, 16)) * SECOND_US


@given(reason=st.sampled_from(sorted(CALLS)), reference=st.uuids().map(str))
def test_a_telephone_rings_five_times_and_no_more(reason: str, reference: str) -> None:
    gaps = [next_try(reason, attempt, reference) for attempt in range(1, 6)]
    assert gaps == [*(seconds * SECOND_US for seconds in CALL_SECONDS), None] and CALL_SECONDS == (180,) * 4


@given(attempt=st.integers(1, 100), reference=st.uuids().map(str))
def test_what_may_have_left_waits_for_its_receipt(attempt: int, reference: str) -> None:
    gap = next_try("no-answer", attempt, reference, unsure=True)
    assert gap is not None and UNSURE_SECONDS * SECOND_US <= gap <= MOST_SECONDS * SECOND_US


def test_messages_that_failed_together_do_not_come_back_together() -> None:
    gaps = [next_try("server-away", 9, str(n)) or 0 for n in range(1000)]
    halves = sum(gap < MOST_SECONDS / 2 * SECOND_US for gap in gaps)
    assert 400 < halves < 600 and len(set(gaps)) > 990


@given(reason=st.sampled_from(sorted(THEIRS - CALLS)), reference=st.uuids().map(str))
def test_a_mailbox_gets_its_named_attempts(reason: str, reference: str) -> None:
    gaps = [next_try(reason, n, reference) for n in range(1, len(RETRY_SECONDS) + 2)]
    assert gaps == [*(seconds * SECOND_US for seconds in RETRY_SECONDS), None]
