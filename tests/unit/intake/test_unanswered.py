"""The alarm for promises that nobody has kept."""

from __future__ import annotations

from typing import Any

from structlog.testing import capture_logs

from services.intake.unanswered import ReceiptCheck


def test_each_rise_of_a_number_is_logged_and_not_only_the_first() -> None:
    """A child that nobody answered hid the second one: five lines in all, and none after the first."""
    door: Any = None
    look = ReceiptCheck(door)
    with capture_logs() as said:
        for count in (0, 1, 1, 2, 1, 2, 0, 1):
            look._report("decided", count)
            look._report("logged", 0)
    assert [one["count"] for one in said] == [1, 2, 2, 1]
