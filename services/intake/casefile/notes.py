"""Notes only grow: each version of such a section is an entry of its own, which nobody replaces and only its own agency strikes. Pure.

A strike is a version too, {"struck": number}, so that the log has it and nothing that was written is lost. Whoever may read the section
reads every entry; a struck one is shown as struck.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

from msgspec import Struct, structs

from referral.domain.policy.questions import KNOWN
from services.intake.casefile.sections import Version
from services.intake.messages.timestamps import when

WITH = "narrative"
"""The section with which the answers of "What is known" are read: whoever may read what happened reads who said what."""
GROWS = frozenset({"note", KNOWN})
"""Sections that only grow."""
STRUCK = "struck"


class Entry(Struct, frozen=True, kw_only=True):
    """One entry. agency: who wrote it; empty for whoever referred the case, where the reader may not know. at: as text, UTC. content: as it
    was written."""

    version: int
    agency: str
    at: str
    struck: bool
    content: Mapping[str, Any]

    def __repr__(self) -> str:
        return f"Entry({self.version})"


def entries(versions: Sequence[Version], hidden: Collection[str] = ()) -> tuple[Entry, ...]:
    """Return the entries of a section, the oldest first. hidden: agencies that the reader may not learn of.

    A strike of another agency's entry strikes nothing, and is an entry like any other: it says what its system sent.
    """
    authors = {version.version: version.agency for version in versions if version.version > 0}
    strikes = {version.version: struck for version in versions if (struck := _strikes(version, authors))}
    gone = set(strikes.values())
    return tuple(
        Entry(
            version=version.version,
            agency="" if version.agency in hidden else version.agency,
            at=when(version.at),
            struck=version.version in gone,
            content=version.content,
        )
        for version in versions
        if version.version > 0 and version.version not in strikes
    )


def _strikes(version: Version, authors: Mapping[int, str]) -> int:
    """Return the number of the entry that a version strikes; 0 for none."""
    number = version.content.get(STRUCK) if isinstance(version.content, Mapping) and len(version.content) == 1 else None
    return number if type(number) is int and number < version.version and authors.get(number) == version.agency else 0


def strike(number: int) -> dict[str, int]:
    """Return the content of the version that strikes an entry."""
    return {STRUCK: number}


def content(found: Iterable[Entry]) -> dict[str, Any]:
    """Return the section as readers get it: `text`, every entry that is not struck, each under its agency and time, and `entries`, all."""
    listed = list(found)
    live = [entry for entry in listed if not entry.struck]
    said = (f"{entry.agency or '…'} · {entry.at}\n{entry.content['text']}" for entry in live if isinstance(entry.content.get("text"), str))
    return {
        "text": "\n\n".join(said),
        "entries": [
            {"version": entry.version, "agency": entry.agency, "at": entry.at, "struck": entry.struck, "content": entry.content}
            for entry in listed
        ],
    }


def seen(versions: Sequence[Version], agency: str, until: int) -> list[Version]:
    """Return the versions that an agency sees which sees others' writings until then (µs UTC), with the numbers that it knows them by: its
    own of later are put aside."""
    before = [version for version in versions if version.version > 0 and version.at <= until]
    newest = max((version.version for version in before), default=0)
    own = [version for version in reversed(versions) if version.version < 0 and version.agency == agency and version.at > until]
    return before + [structs.replace(version, version=newest + number) for number, version in enumerate(own, 1)]


def repeats(versions: Sequence[Version], agency: str, written: Mapping[str, Any]) -> int:
    """Return the number of the agency's newest entry if it says the same and is not struck: a request that is sent twice adds nothing. 0:
    it says something new."""
    mine = [entry for entry in entries(versions) if entry.agency == agency]
    return mine[-1].version if mine and not mine[-1].struck and dict(mine[-1].content) == dict(written) else 0
