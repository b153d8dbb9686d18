"""What a release is made of: the children as they have been read, the policy in force, and the releases before."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

from referral.domain import policy as domain
from referral.domain.policy import Policy
from referral.errors import Unavailable
from referral.runtime.bundles import Bundle, Bundles
from services.oversight import figures, releases
from services.oversight.blocks import Measures
from services.oversight.courses import Courses
from services.oversight.months import after, begins, closes
from services.oversight.reading import Reading
from services.oversight.release import Release


@dataclass(slots=True)
class Making:
    """bundles: the policy that is in force names procedures, municipalities and places."""

    courses: Courses
    reading: Reading
    bundles: Bundles
    _policy: tuple[int, Policy] | None = None

    def due(self, before: Sequence[Release]) -> str | None:
        """The next period to be told; None before the first child, or before a policy is in force."""
        months = [release.made.month for release in before if release.made.corrects is None]
        if self.bundles.current is None:
            return None
        return after(months[-1]) if months else next(iter(self.courses.months()), None)

    def make(self, before: Sequence[Release], month: str) -> list[Release]:
        """The release of a month; behind it, where records came late, the corrections of those before."""
        until = closes(month)
        policy = self._at(until)
        measures = _measures(policy, self.courses.pathways())
        courses = [course for pathway in measures.pathways for course in self.courses.of(pathway, 0, begins(after(month)))]
        counted = self.courses.counted(until) + self.reading.counted(until)
        counted["unknown-municipality"] = figures.elsewhere(courses, figures.known(policy))
        late = self.reading.late()
        if late:
            counted["late"], counted["kept"] = late, releases.kept(courses, before, measures)
        made = [releases.make(month, courses, self.courses.fulls(month, policy, until), before, counted, measures)]
        for release in before if late else ():
            if release.made.corrects is None:
                corrected = releases.correct(release.made.release, courses, [*before, *made], {}, measures)
                made += [corrected] if corrected else []
        return made

    def policy(self) -> Policy:
        """In force now. Unavailable: none is."""
        if self.bundles.current is None:
            raise Unavailable("a policy in force")
        return self._compiled(self.bundles.current)

    def _at(self, close: int) -> Policy:
        """In force when a period closed, or else the first that ever was: what comes later renames nobody in it."""
        known = self.bundles.all
        return self._compiled(next((bundle for bundle in reversed(known) if bundle.at < close), known[0]))

    def _compiled(self, bundle: Bundle) -> Policy:
        if self._policy is None or self._policy[0] != bundle.number:
            self._policy = bundle.number, domain.compile(bundle.files)
        return self._policy[1]


def _measures(policy: Policy, told: Sequence[str]) -> Measures:
    """told: procedures that somebody has been on, also those that are in force no more."""
    pathways = tuple(sorted({pathway.id for pathway in policy.current} | set(told)))
    return Measures(pathways, partial(figures.tables, known=figures.known(policy)), figures.spreads)
