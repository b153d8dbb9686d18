"""Know the public holidays of the policy in force: an exercise calls nobody on them (`hush`)."""

from __future__ import annotations

from referral.domain.policy import PolicyErrors
from referral.domain.policy.reading.directory import CALENDAR, read_calendar
from referral.domain.policy.reading.reader import Reader
from referral.runtime.policy_feed import Bundles


class Holidays:
    """The public holidays. They change with the bundle in force, and are read once for each; the rest of a policy is not compiled here."""

    def __init__(self, bundles: Bundles) -> None:
        self._bundles, self._number = bundles, 0
        self._days: frozenset[int] = frozenset()

    def days(self) -> frozenset[int]:
        """Return the holidays, days since 1970; none before a bundle was read. A calendar that cannot be read changes nothing."""
        newest = self._bundles.current
        if newest is not None and newest.number != self._number:
            self._number, reader = newest.number, Reader(newest.files)
            try:
                calendar = read_calendar(reader.open(CALENDAR))
                reader.finish()
            except PolicyErrors:
                return self._days
            self._days = calendar.holidays
        return self._days
