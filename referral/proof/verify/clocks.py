"""Compare the clocks in a log, those of writer, broker, audit and witnesses; a clock that was set differs from the others.

recorded_at is the database's clock when the writer recorded the event; kafka_time the broker's when the record arrived; logged_at the
database's again when audit read it; the witnesses sign with their own. Nothing is judged where every heartbeat is a drill's: a log that
has any of real cases excuses no clock. Pure.
"""

from __future__ import annotations

from collections.abc import Iterator

from msgspec import Struct, field

from referral.domain.durations import MINUTE_US, SECOND_US
from referral.errors import Malformed
from referral.proof.entry import NOWHERE, SEQUENCED, Entry, Kind
from referral.proof.heartbeat import STILL_S, Heartbeat, read
from referral.proof.verify.report import AUDIT_ANSWERS, Finding, Report, Weight, finding

TOLERANCE_US = MINUTE_US
"""A minute (ours): clocks of one network differ by milliseconds; a clock that differs by more is broken, or was set."""
STOOD_US = 60 * MINUTE_US
"""An hour (ours): a writer whose records wait so long, while the broker accepts those of others, has alerted people long before."""


class Late(Struct):
    """Consecutive records of one topic that reached the broker long after they were recorded. most: the longest wait, µs."""

    first: Entry
    last: Entry
    count: int = 1
    most: int = 0


class Clocks(Struct, kw_only=True):
    """The clock checks of one log. They take the entries in the order of idx.

    signed: Unix seconds at which a quorum of witnesses had signed; None: no quorum has. quorum: the number of entries that those
    signatures cover.
    """

    report: Report
    signed: int | None = None
    quorum: int = 0
    drill: bool | None = None
    """The word of the first heartbeat; None before it."""
    changed: bool = False
    """A later one has said otherwise."""
    said: list[Finding] = field(default_factory=list)
    """Findings that are held back until the end of the log shows that no drill clock is judged."""
    recorded: dict[tuple[str, int], int] = field(default_factory=dict)
    late: dict[str, Late] = field(default_factory=dict)
    lates: list[Late] = field(default_factory=list)
    hours: dict[int, int] = field(default_factory=dict)
    """Hour of the broker's clock → a bit for each of its minutes in which the broker accepted a record."""
    beats: list[tuple[Entry, Heartbeat]] = field(default_factory=list)
    """The latest heartbeats: those within STILL_S."""

    def take(self, entry: Entry, *, own: bool) -> None:
        """Check the next entry. own: its writer wrote it, as far as a key can show."""
        if entry.kind is Kind.HEARTBEAT:
            self._beat(entry)
        if self.signed is not None and entry.idx < self.quorum and entry.logged_at > self.signed * SECOND_US + TOLERANCE_US:
            ahead = _long(entry.logged_at - self.signed * SECOND_US)
            self._bad("LOGGED_AHEAD", entry, f"it was logged {ahead} after its witnesses had signed it: audit's clock was ahead")
        if entry.offset != NOWHERE and entry.kafka_time:
            self._broker(entry, entry.kafka_time * 1000)
            if own and entry.kind in SEQUENCED and entry.recorded_at:
                self._writer(entry, entry.kafka_time * 1000)

    @property
    def beat(self) -> Heartbeat | None:
        """Return the last heartbeat."""
        return self.beats[-1][1] if self.beats else None

    def read_to(self) -> tuple[int, frozenset[str]]:
        """Return the broker's time, ms, up to which audit had read every partition at the last heartbeat, and the partitions that it had
        not read so far. 0: not known.

        Of a busy partition the newest record is always unread. What stood in it at a heartbeat minutes before is not new.
        """
        if not self.beats or self.drilled:
            return 0, frozenset()
        (old, before), (last, now) = self.beats[0], self.beats[-1]
        if before.ends is None or now.ends is None or last.logged_at - old.logged_at < STILL_S * SECOND_US:
            return 0, frozenset()
        return (old.logged_at - TOLERANCE_US) // 1_000, frozenset(now.left(before))

    @property
    def drilled(self) -> bool | None:
        """Return True if every heartbeat was a drill's, None without any. One among others would hide what a clock did in that minute."""
        return self.drill and not self.changed

    def finish(self) -> None:
        """Report the findings; for a drill, report that the clocks were not compared."""
        if self.drilled:
            self.report.counts["entries by a drill's clock, not compared"] += self.report.counts["entries"]
            return
        self.lates += self.late.values()
        for late in sorted(self.lates, key=lambda one: one.first.idx):
            self._late(late)
        for found in self.said:
            self.report.add_finding(found)
        self._still()

    def _broker(self, entry: Entry, came: int) -> None:
        """Check that audit did not log the record before the broker had it."""
        hour, minute = divmod(came // MINUTE_US, 60)
        self.hours[hour] = self.hours.get(hour, 0) | 1 << minute
        if entry.logged_at and entry.logged_at < came - TOLERANCE_US:
            what = (
                f"it was logged {_long(came - entry.logged_at)} before the broker had it: audit's clock was behind, or the broker's ahead"
            )
            self._bad("LOGGED_EARLY", entry, what)

    def _writer(self, entry: Entry, came: int) -> None:
        """Check that the record was published after it was recorded, and in the order of recording."""
        recorded, place = entry.recorded_at, (entry.topic, entry.partition)
        if recorded > came + TOLERANCE_US:
            what = f"it was recorded {_long(recorded - came)} after the broker had it: the writer's clock was ahead, or the broker's behind"
            self._bad("RECORDED_AHEAD", entry, what)
            return
        before = self.recorded.get(place, 0)
        if recorded < before - TOLERANCE_US:
            what = f"it was recorded {_long(before - recorded)} before a record that stands before it: the writer's clock was set back"
            self._bad("RECORDED_BACK", entry, what)
            return
        self.recorded[place] = max(before, recorded)
        if came - recorded <= TOLERANCE_US:
            if entry.topic in self.late:
                self.lates.append(self.late.pop(entry.topic))
            return
        late = self.late.setdefault(entry.topic, Late(entry, entry, 0))
        late.last, late.count, late.most = entry, late.count + 1, max(late.most, came - recorded)

    def _late(self, late: Late) -> None:
        """Report late records.

        Honest causes: the broker was away, or the writer with the record in its outbox; a clock set back looks alike.
        """
        first, many = late.first, f"entries {late.first.idx} to {late.last.idx}: {late.count} records" if late.count > 1 else "it"
        waited = f"{many} reached the broker up to {_long(late.most)} after being recorded"
        start, end = (first.recorded_at + TOLERANCE_US) // MINUTE_US + 1, (first.kafka_time * 1000 - TOLERANCE_US) // MINUTE_US
        busy = any(self.hours.get(minute // 60, 0) >> minute % 60 & 1 for minute in range(start, min(end, start + 60 * 24 * 366)))
        if not busy:
            self.report.add_finding(
                finding(Weight.NOTE, "RECORDED_LATE", first, f"{waited}, and the broker took nothing in between: it was away")
            )
        elif late.most <= STOOD_US:
            what = f"{waited}, while the broker took others: the writer stood still before it published"
            self.report.add_finding(finding(Weight.NOTE, "RECORDED_LATE", first, what))
        else:
            what = f"{waited}, while the broker took others: the writer stood still so long, or its clock was set back; ask who ran it"
            self.report.add_finding(finding(Weight.UNCHECKED, "RECORDED_LATE", first, what))

    def _beat(self, entry: Entry) -> None:
        try:
            beat = read(entry)
        except Malformed as error:
            what = f"it is said to be a heartbeat, and cannot be read: {error}; {AUDIT_ANSWERS}"
            self.report.add_finding(finding(Weight.BAD, "BODY", entry, what))
            return
        if self.drill is None:
            self.drill = beat.drill
        elif self.drill != beat.drill and not self.changed:
            self.changed = True
            was, now = ("a drill", "real cases") if self.drill else ("real cases", "a drill")
            what = f"the heartbeats before it were of {was}, this one is of {now}: a log is of one kind for ever"
            self.report.add_finding(finding(Weight.BAD, "DRILL_CHANGED", entry, what))
        if self.beats and entry.logged_at - self.beats[-1][0].logged_at > STILL_S * SECOND_US:
            pause = _long(entry.logged_at - self.beats[-1][0].logged_at)
            self.said.append(
                finding(Weight.NOTE, "PAUSED", entry, f"audit said nothing for {pause} before this: it was away, or was stopped")
            )
        self.beats.append((entry, beat))
        while len(self.beats) > 2 and self.beats[1][0].logged_at <= entry.logged_at - STILL_S * SECOND_US:
            self.beats.pop(0)

    def _still(self) -> None:
        """Check that the log is alive at its end, and has read the records that the topics held five minutes before."""
        if not self.beats:
            return
        (old, before), (last, now) = self.beats[0], self.beats[-1]
        if self.signed is not None and last.idx < self.quorum and self.signed * SECOND_US - last.logged_at > STILL_S * SECOND_US:
            still = _long(self.signed * SECOND_US - last.logged_at)
            what = f"this is the last heartbeat, and its witnesses signed {still} later: audit's clock stood still, or nothing was logged"
            self.report.add_finding(finding(Weight.UNCHECKED, "STOOD_STILL", last, what))
        if last.logged_at - old.logged_at < STILL_S * SECOND_US:
            return
        since = _long(last.logged_at - old.logged_at)
        if all(beat.ends is None for _, beat in self.beats):
            what = f"the broker has not answered audit for {since}: the contents of the topics are not known"
            self.report.add_finding(finding(Weight.UNCHECKED, "BROKER_AWAY", last, what))
        if left := now.left(before):
            what = f"audit has not read what stood in the topics {since} before: {', '.join(_few(left))}"
            self.report.add_finding(finding(Weight.UNCHECKED, "NOT_READ", last, what))

    def _bad(self, code: str, entry: Entry, what: str) -> None:
        self.said.append(finding(Weight.BAD, code, entry, what))


def _few(left: dict[str, int]) -> Iterator[str]:
    for number, (place, count) in enumerate(sorted(left.items())):
        if number == 3:
            yield f"and {len(left) - 3} more partitions"
            return
        yield f"{count} records of {place}"


def _long(micros: int) -> str:
    """Return a span in words, rounded down."""
    seconds = micros // SECOND_US
    for unit, name in ((86_400, "days"), (3_600, "hours"), (60, "minutes")):
        if seconds >= 2 * unit:
            return f"{seconds // unit} {name}"
    return f"{seconds} seconds"
