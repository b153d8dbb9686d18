"""A form that several agencies fill: the newest answers of each stand side by side, and all of them point to a level. Pure.

Nobody replaces what another agency answered; where two differ, the graver answer counts. The level is worked out whenever somebody reads or
decides, and is stored nowhere but with a decision.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

from referral.domain.policy.form import NO, NOT_KNOWN, YES, Answers, Table
from services.intake.casefile.fields import UNKNOWN
from services.intake.casefile.notes import Entry
from services.intake.casefile.sections import Version
from services.intake.messages.timestamps import when

NOT_ASKED = "not-asked"
"""An item without an answer, in what readers get."""


def newest(versions: Iterable[Version]) -> tuple[Version, ...]:
    """Return of each agency its newest version, in the order in which they were written. Versions put aside are none."""
    found = {version.agency: version for version in sorted(versions, key=lambda one: one.version) if version.version > 0}
    return tuple(sorted(found.values(), key=lambda one: one.version))


def own(versions: Iterable[Version], agency: str) -> tuple[int, dict[str, Any]]:
    """Return number and content of the agency's newest version; (0, {}) for none."""
    mine = next((version for version in newest(versions) if version.agency == agency), None)
    return (mine.version, dict(mine.content)) if mine is not None and isinstance(mine.content, Mapping) else (0, {})


def answers(table: Table, content: Any) -> Answers:
    """Return item → answer. What a system sent in another shape was not asked."""
    said = content if isinstance(content, Mapping) else {}
    return {item: found for item in table.items if (found := _answer(said.get(item)))}


def _answer(value: Any) -> str:
    return YES if value is True else NO if value is False else NOT_KNOWN if value == UNKNOWN else ""


def entries(versions: Iterable[Version], hidden: Collection[str] = ()) -> tuple[Entry, ...]:
    """Return the newest form of each agency, the oldest first. hidden: agencies that the reader may not learn of."""
    return tuple(
        Entry(
            version=one.version,
            agency="" if one.agency in hidden else one.agency,
            at=when(one.at),
            struck=False,
            content=one.content if isinstance(one.content, Mapping) else {},
        )
        for one in newest(versions)
    )


def content(table: Table, found: Sequence[Entry], age_band: str) -> dict[str, Any]:
    """Return the section as readers get it: the forms of all agencies, the level that they point to, in a word of the policy, and because
    of which answers. No number is worked out."""
    said = [answers(table, one.content) for one in found]
    line = table.points_to(said, age_band)
    listed = [{"version": one.version, "agency": one.agency, "at": one.at, "struck": False, "content": one.content} for one in found]
    because = {item: answer or NOT_ASKED for item, answer in table.because(said, age_band).items()}
    return {"points_to": line.level, "until_asked": line.until_asked, "because": because, "entries": listed}
