"""Record how far each service got, as the order and the times of the log show it without any key: the evidence for what did not happen.

Routing and the notifier read each partition in order and pass over no offset. So a later record that was answered proves that an earlier
one was read, whatever the clocks say. All times here are the broker's, which no drill moves.
"""

from __future__ import annotations

from array import array
from bisect import bisect_left

from msgspec import Struct, field

from referral.domain.events import KnockFailed, KnockSent, NeedsPerson, OfferEscalated, OfferOpened, RungFailed
from referral.errors import Malformed
from referral.proof.act import State, parse
from referral.proof.entry import NOTIFICATION, Entry, Kind
from referral.proof.heartbeat import STILL_S, Heartbeat
from referral.proof.history.case import DECIDED

MINUTE_MS, MINUTE_US = 60_000, 60_000_000
LATE_S = STILL_S
"""Five minutes (ours). Routing answers within two seconds, an alarm waits 30 s at most for what stands at a door, and the notifier plans
within ten: whoever was at work all this time and has not acted does not act any more."""
EARLY = 4096
"""Decisions that are remembered because audit may have logged them before their inputs (ours): it reads topics beside one another, and
takes at most a thousand records at a time. Whatever is forgotten leaves an input among those without an answer, which proves nothing."""
PROMPT_MS = MINUTE_MS
"""A minute (ours) within which an answer counts as prompt: whoever gives it is not working off what an outage left."""


def _bare(*bodies: type) -> frozenset[str]:
    return frozenset(body.TYPE.rpartition(".v")[0] for body in bodies)  # type: ignore[attr-defined]


ASKS = _bare(OfferOpened, OfferEscalated, NeedsPerson)
"""Decisions upon which the notifier acts at once: it knocks, or says why not."""
REACTS = _bare(KnockSent, KnockFailed, RungFailed)
"""The records by which it does."""
Place = tuple[str, int]
Position = tuple[str, int, int]


class Minutes:
    """The minutes, of the broker's clock, in which something was seen, rising: four bytes each."""

    __slots__ = ("of",)

    def __init__(self, data: bytes = b"") -> None:
        self.of = array("I", data)

    def add(self, ms: int) -> None:
        """Add a time. One that is before the newest is left out: less is known, and nothing is wrong."""
        minute = ms // MINUTE_MS
        if not self.of or self.of[-1] < minute:
            self.of.append(minute)

    def within(self, since: int, until: int) -> list[int]:
        """Return the first and the last whole minute in an interval of milliseconds, one if they are the same, or none."""
        first, end = bisect_left(self.of, -(-since // MINUTE_MS)), bisect_left(self.of, until // MINUTE_MS)
        return [] if first >= end else sorted({self.of[first], self.of[end - 1]})


class Evidence(Struct, frozen=True, kw_only=True):
    """What the whole log proves, for the judgement of one case.

    answered: (topic, partition) → highest offset that routing has answered.
    routed, knocked: partition → minutes in which routing answered, or the notifier knocked, promptly. heard: minutes of any word of the
    notifier.
    pauses: (index of the act that switched sending off, of the one that switched it on; None: it is off).
    refused: (topic, partition, offset) → reason for which routing set the record aside in the quarantine.
    doubtful: (topic, partition, offset) of records that are no event of their case, or stand where another one does.
    beat: index of the newest heartbeat; None: nothing is known about lateness. unread: topics and partitions that audit had not read
    then; None: the broker had not answered it.
    before: the broker's time, ms, up to which audit had read every partition then but those of `lagging`; 0: not known.
    beaten: its time, µs UTC; 0 in a drill, whose clock proves nothing. end: the broker's time up to which the log is known, ms.
    partial: entries below an older checkpoint were not read again.
    """

    answered: dict[Place, int] = field(default_factory=dict)
    routed: dict[int, Minutes] = field(default_factory=dict)
    knocked: dict[int, Minutes] = field(default_factory=dict)
    heard: Minutes = field(default_factory=Minutes)
    pauses: tuple[tuple[int, int | None], ...] = ()
    refused: dict[Position, str] = field(default_factory=dict)
    doubtful: frozenset[Position] = frozenset()
    beat: int | None = None
    unread: frozenset[str] | None = None
    before: int = 0
    lagging: frozenset[str] = frozenset()
    beaten: int = 0
    end: int = 0
    drill: bool = False
    partial: bool = False

    def read(self, topic: str, partition: int) -> bool:
        """Return whether audit had read everything of this partition at the newest heartbeat."""
        return self.unread is not None and f"{topic}/{partition}" not in self.unread

    def known(self, topic: str, partition: int) -> int:
        """Return the broker's time, ms, up to which the log has every record of a partition: where audit has not read the newest one, it
        has read what stood there minutes before. 0: not known."""
        if self.read(topic, partition):
            return self.end
        return 0 if self.unread is None or f"{topic}/{partition}" in self.lagging else self.before

    def behind(self, entry: Entry, topic: str) -> bool:
        """Return whether audit, which reads topics beside one another, may have logged this entry before an older one of that topic."""
        return self.beat is not None and (entry.idx > self.beat or not self.read(topic, entry.partition))

    def paused(self, first: int, last: int) -> bool:
        """Return whether sending was switched off at any entry from first to last."""
        return any(begun <= last and (ended is None or ended >= first) for begun, ended in self.pauses)


class Progress(Struct, kw_only=True):
    """The first pass. It takes the entries that their writer wrote, in the order of idx, and keeps a few bytes per partition and minute."""

    answered: dict[Place, int] = field(default_factory=dict)
    routed: dict[int, Minutes] = field(default_factory=dict)
    knocked: dict[int, Minutes] = field(default_factory=dict)
    heard: Minutes = field(default_factory=Minutes)
    waiting: dict[str, tuple[str, int, int, int]] = field(default_factory=dict)
    """Event id of an input that no decision has answered so far → topic, partition, offset, the broker's time."""
    early: dict[str, int] = field(default_factory=dict)
    """Cause of a decision, where it was no input so far → the broker's time of the decision; the newest alone."""
    asked: dict[str, int] = field(default_factory=dict)
    """Case → the broker's time of its newest decision that asks somebody, until the notifier has acted for the case."""
    pauses: list[tuple[int, int | None]] = field(default_factory=list)
    newest: int = 0
    beat: Entry | None = None
    known: int = 0
    """The newest time of the broker before the newest heartbeat, ms."""

    def take(self, entry: Entry) -> None:
        """Take the next entry."""
        match entry.kind:
            case Kind.DECISION:
                self._decision(entry)
            case Kind.EVENT:
                self._event(entry)
            case Kind.HEARTBEAT:
                self.beat, self.known = entry, self.newest
            case Kind.ADMINISTRATION if entry.value:
                self._act(entry)
            case _:
                return
        if entry.kafka_time * 1_000 <= entry.logged_at + MINUTE_US:  # else one of the two clocks is wrong, which is another finding
            self.newest = max(self.newest, entry.kafka_time)

    def _decision(self, entry: Entry) -> None:
        if (found := self.waiting.pop(entry.cause_id, None)) is not None:
            self._answer(*found, entry.kafka_time)
        elif entry.cause_id not in self.early:
            self.early[entry.cause_id] = entry.kafka_time
            if len(self.early) > EARLY:
                del self.early[next(iter(self.early))]
        if entry.type.rpartition(".v")[0] in ASKS:
            self.asked[entry.case_id] = entry.kafka_time

    def _answer(self, topic: str, partition: int, offset: int, came: int, answered: int) -> None:
        self.answered[topic, partition] = max(offset, self.answered.get((topic, partition), -1))
        if 0 <= answered - came <= PROMPT_MS:
            self.routed.setdefault(partition, Minutes()).add(came)

    def _event(self, entry: Entry) -> None:
        if entry.type in DECIDED:
            found = entry.topic, entry.partition, entry.offset, entry.kafka_time
            if (answered := self.early.pop(entry.event_id, None)) is not None:
                self._answer(*found, answered)
            else:
                self.waiting[entry.event_id] = found
        if entry.topic != NOTIFICATION:
            return
        self.heard.add(entry.kafka_time)
        if entry.type.rpartition(".v")[0] in REACTS:
            asked = self.asked.pop(entry.case_id, None)
            if asked is not None and 0 <= entry.kafka_time - asked <= PROMPT_MS:
                self.knocked.setdefault(entry.partition, Minutes()).add(asked)

    def _act(self, entry: Entry) -> None:
        """Note when an operator switched sending off and on."""
        try:
            act = parse(entry.value)
        except Malformed:
            return  # `Acts` reports it
        if act.state is State.FAILED or act.command not in ("duty pause", "duty resume"):
            return
        if act.command == "duty pause":
            self.pauses.append((entry.idx, None))
        elif self.pauses and self.pauses[-1][1] is None:
            self.pauses[-1] = self.pauses[-1][0], entry.idx

    def evidence(
        self,
        newest: Heartbeat | None,
        read_to: tuple[int, frozenset[str]],
        refused: dict[Position, str],
        doubtful: set[Position],
        *,
        drill: bool,
        partial: bool,
    ) -> Evidence:
        """Return the evidence after the last entry. newest: the newest heartbeat. read_to: `before` and `lagging` at it. drill: the log's
        clock is one of a drill."""
        beat = self.beat if newest is not None else None
        beaten = 0 if beat is None or drill else beat.logged_at
        return Evidence(
            answered=self.answered,
            routed=self.routed,
            knocked=self.knocked,
            heard=self.heard,
            pauses=tuple(self.pauses),
            refused=refused,
            doubtful=frozenset(doubtful),
            beat=None if beat is None else beat.idx,
            unread=None if newest is None or newest.ends is None else frozenset(newest.unread),
            before=read_to[0],
            lagging=read_to[1],
            beaten=beaten,
            end=max(self.known, beaten // 1_000),
            drill=drill,
            partial=partial,
        )
