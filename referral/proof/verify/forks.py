"""Find and compare the branches of a fork: two records of one case, topic and sequence whose seals both open. Pure.

The writer of either record holds the case's key. For decisions, the rules show which branch is true. For records that came through a
door only a signature shows it; without one, the report names both.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import groupby, pairwise

from msgspec import Struct

from referral.proof.engines import Made
from referral.proof.entry import SEQUENCED, Entry
from referral.proof.history.case import Answer, Read
from referral.proof.verify.report import Weight

FindingParts = tuple[Weight, str, Entry, str]
"""Weight, code, entry and text of a finding."""


class Branch(Struct, frozen=True):
    """One possible answer at this point. holds: the rules lead to it, or cannot be asked.

    own: one writer wrote it, in the topic's order.
    """

    answer: Answer
    holds: bool
    own: bool


def twins(entries: Sequence[Entry]) -> list[list[Entry]]:
    """Return the records of each topic and sequence that has several. entries: of one case, in the order of idx, all with opening seals."""
    groups: dict[tuple[str, int], dict[bytes, Entry]] = {}
    for entry in entries:
        if entry.kind in SEQUENCED:
            groups.setdefault((entry.topic, entry.case_seq), {}).setdefault(entry.sha256, entry)
    return [[*place.values()] for place in groups.values() if len(place) > 1]


def jumps(entries: Sequence[Entry]) -> frozenset[int]:
    """Return the sequences after which the next one is missing. entries: of one topic, sorted by sequence."""
    return frozenset(one.case_seq for one, after in pairwise(entries) if after.case_seq > one.case_seq + 1)


def places(reads: Sequence[Read]) -> list[list[Read]]:
    """Group the records by sequence; identical bytes appear once. reads: sorted by sequence."""
    return [
        [*{read.entry.sha256: read for read in reversed([*group])}.values()][::-1] for _, group in groupby(reads, lambda r: r.meta.case_seq)
    ]


def written(places: Sequence[Sequence[Read]], head: Read, most: int | None) -> Answer:
    """Return the answer that begins with this event, as its writer wrote it: per sequence, the next record of the same cause in the topic.

    most: the number of events that the rules lead to; None where they cannot be asked.
    """

    def behind(read: Read) -> tuple[bool, int]:
        return read.entry.offset < events[-1].entry.offset, read.entry.offset

    events = [head]
    for place in places[1:most]:
        same = [read for read in place if read.meta.cause_id == head.meta.cause_id]
        if not same:
            break
        events.append(min(same, key=behind))
    return Answer(events=tuple(events))


def matching(places: Sequence[Sequence[Read]], head: Read, expected: Sequence[Made]) -> Answer:
    """Return the answer where another writer's records interleave: per sequence, the record that the rules lead to, if it exists."""
    events = [*written(places, head, len(expected)).events]
    for at, (place, made) in enumerate(zip(places[: len(events)], expected, strict=False)):
        if at:
            events[at] = next((read for read in place if read.body_bytes == made.body), events[at])
    return Answer(events=tuple(events))


def losers(places: Sequence[Sequence[Read]], chosen: Branch, tried: Sequence[Branch]) -> Iterator[FindingParts]:
    """Yield the findings about the records beside the chosen branch."""
    for at, (true, place) in enumerate(zip(chosen.answer.events, places, strict=False)):
        for read in place:
            if read is true:
                continue
            rival = at == 0 and any(branch.holds and branch.own for branch in tried if branch.answer.events[0] is read)
            same = read.body_bytes == true.body_bytes
            if chosen.holds and not rival and not same:
                what = f"the rules lead to entry {true.entry.idx}, which has the same sequence of this case: this one is forged"
                yield Weight.BAD, "DECISION_DIFFERS", read.entry, what
                continue
            what = f"sequence {read.meta.case_seq} stands twice, as {_named((true.entry, read.entry))}: "
            if same:
                what += "the same words under two seals, by two writers"
            elif rival:
                what += "each is what the rules lead to upon the input that it names, so one of the two inputs is forged"
            else:
                what += "the rules lead to neither of them"
            yield Weight.BAD, "FORK", read.entry, what
            if rival and not same:
                yield Weight.BAD, "FORK", true.entry, what


def told(place: Sequence[Entry], taken: Sequence[Entry]) -> str:
    """Return the text for records that no rule can tell apart. taken: those that routing decided."""
    which = f"routing decided upon {_named(taken)}" if taken else "routing decided upon none of them"
    where = f"sequence {place[0].case_seq} of {place[0].topic} stands {len(place)} times, as {_named(place)}, each under a good seal"
    return f"{where}: one at most is its owner's, and without a signature nothing says which; {which}: ask whom they name"


def _named(entries: Sequence[Entry]) -> str:
    return " and ".join(f"entry {entry.idx}" for entry in sorted(entries, key=lambda one: one.idx))
