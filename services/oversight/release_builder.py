"""Build a release from the children read so far, the policies that were in force, and the earlier releases."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from referral.domain.policy import Policy
from referral.domain.policy import policy as domain
from referral.errors import Unavailable
from referral.runtime.policy_feed import Bundle
from services.oversight.calendar import after, begins, closes
from services.oversight.counting import tables
from services.oversight.counting.projection import AHEAD
from services.oversight.counting.tables import Known
from services.oversight.disclosure import releases
from services.oversight.disclosure.blocks import Measures
from services.oversight.record_reader import RecordReader
from services.oversight.release import Release


@dataclass(slots=True)
class ReleaseBuilder:
    """Builder of releases.

    reading: what was read so far. bundles: every policy that ever came into force, in order; empty until all of them are read.
    """

    reading: RecordReader
    bundles: Callable[[], Sequence[Bundle]]
    _known: dict[int, Known] = field(default_factory=dict)
    _policy: tuple[int, Policy] | None = None

    def due(self, before: Sequence[Release]) -> str | None:
        """Return the next period to release; None before the first child, or before a policy is in force."""
        months = [release.made.month for release in before if release.made.corrects is None]
        if not self.bundles():
            return None
        return after(months[-1]) if months else next(iter(self.reading.courses.months(self._start())), None)

    def make(self, before: Sequence[Release], month: str) -> list[Release]:
        """Return the release of a month and, if records came late, the corrections of earlier releases."""
        until = closes(month)
        bundle = self._at(until)
        policy = self._compiled(bundle)
        every = (self.reading.courses.of(pathway, self._start(), begins(after(month))) for pathway in self.reading.courses.pathways())
        courses = [course for children in every for course in children]
        pathways = {pathway.id for pathway in policy.current} | {course.pathway for course in courses}
        measures = measured(sorted(pathways), lambda month: self._known_of(self._at(closes(month))))
        counted = self.reading.courses.counted(until, self._start()) + self.reading.counted(until)
        if gone := self._gone(bundle):
            counted["municipality-gone"] = gone
        late = self.reading.late()
        if late:
            counted["late"], counted["kept"] = late, releases.kept(courses, before, measures)
        built = [releases.make(month, courses, self.reading.courses.fulls(month, policy, until), before, counted, measures)]
        for release in before if late else ():
            if release.made.corrects is None:
                corrected = releases.correct(release.made.release, courses, [*before, *built], {}, measures)
                built += [corrected] if corrected else []
        return built

    def policy(self) -> Policy:
        """Return the policy in force. Unavailable: there is none, or not all policies are read."""
        if not (known := self.bundles()):
            raise Unavailable("a policy in force")
        return self._compiled(known[-1])

    def _start(self) -> int:
        """Return the instant before which a begin counts in no period, µs UTC."""
        return self.bundles()[0].at - AHEAD

    def _at(self, close: int) -> Bundle:
        """Return the bundle in force when a period closed, or else the first ever: a later one renames nothing in that period."""
        known = self.bundles()
        return next((bundle for bundle in reversed(known) if bundle.at < close), known[0])

    def _gone(self, bundle: Bundle) -> int:
        """Count municipalities of earlier policies that this one lacks (by this name): their children count as `unknown`."""
        earlier = (self._known_of(other).regions.keys() for other in self.bundles() if other.number < bundle.number)
        return len(set().union(*earlier) - self._known_of(bundle).regions.keys())

    def _known_of(self, bundle: Bundle) -> Known:
        if bundle.number not in self._known:
            self._known[bundle.number] = tables.known(self._compiled(bundle))
        return self._known[bundle.number]

    def _compiled(self, bundle: Bundle) -> Policy:
        if self._policy is None or self._policy[0] != bundle.number:
            self._policy = bundle.number, domain.compile(bundle.files)
        return self._policy[1]


def measured(pathways: Sequence[str], known: Callable[[str], Known]) -> Measures:
    """Return the measures of these procedures. known: month → code lists in force when it closed."""
    return Measures(
        tuple(pathways),
        lambda courses, month: tables.tables(courses, closes(month), known(month)),
        lambda courses, month: tables.spreads(courses, closes(month)),
    )
