"""A line without servers that lives some hours by the log's own clock while one of its servers is away: what an honest log then looks like.

Routing decides by the real rules, the notifier plans by its own pure functions, audit ingests as it does. Each reads its partitions in
order and takes nothing while it, or the broker, is away; what waits is worked off afterwards. Its cases share two partitions.
"""

from __future__ import annotations

import random
from collections import deque
from dataclasses import dataclass, field, replace
from functools import cache
from typing import Any

from msgspec import Struct, structs

from referral.domain.case import next_due
from referral.domain.decide import decide
from referral.domain.events import (
    Door,
    KnockFailed,
    KnockSent,
    NeedsPerson,
    OfferEscalated,
    OfferOpened,
    ReferralSubmitted,
    RungFailed,
    RungReached,
    TrackChanged,
    Traits,
    Word,
)
from referral.domain.inputs import Due, Input, Raw, Source, due_input, record_input
from referral.proof.entry import NOTIFICATION, OWNERS, ROUTING, Entry, Kind
from referral.proof.heartbeat import Heartbeat
from referral.proof.history.case import unseal
from referral.wire import topics
from services.audit.ingest import Says, ingest
from services.notifier.duty import Person, Roster
from services.notifier.handle import stop
from services.notifier.plan import Knock, Question, State, follow, plan, subject
from tests.harness.audit_log import POLICY, Log, _id, response
from tests.harness.made_child import CHILD
from tests.stories.teller import World

SECOND, MINUTE, HOUR = 1_000_000, 60_000_000, 3_600_000_000
TICK = 15 * SECOND
PARTITIONS = 2
SERVICES = ("routing", "notifier", "broker", "audit", "intake")
CHANNELS: tuple[tuple[str, ...], ...] = (("email",), ("sms",), ("email", "voice"), ())
"""What the staff of an agency can be reached by; of the last kind nobody is there."""


@cache
def names(number: int, first: str = "case") -> tuple[str, ...]:
    """Names of cases that all lie in the same few partitions."""
    found, at, wanted = list[str](), 0, set[int]()
    while len(found) < number:
        name, at = f"{first} {at}", at + 1
        partition = topics.partition(_id(f"case {name}"))
        if len(wanted) < PARTITIONS:
            wanted.add(partition)
        if partition in wanted:
            found.append(name)
    return tuple(found)


@dataclass
class LivedLine(Log):
    """away: server → (from, to), µs since the start. behind: how often audit leaves a partition for later.

    jumps: moments, µs since the start by the broker's clock, at which the operators of a stack for exercises move its own clock three hours
    ahead; None: a line for real cases. cases_: number of referrals. hours: length of its life. child: what a referral says of its person.
    """

    away: dict[str, tuple[int, int]] = field(default_factory=dict)
    seed: int = 0
    jumps: tuple[int, ...] | None = None
    ahead_by: int = 0
    behind: float = 0.3
    cases_: int = 10
    hours: int = 5
    child: Traits = CHILD

    def __post_init__(self) -> None:
        self.signed, self.begun = True, self.now
        self.dice = random.Random(self.seed)
        self.unread: deque[Input] = deque()
        self.door: deque[tuple[str, Struct, str]] = deque()
        self.inbox: dict[tuple[str, int], deque[Input]] = {}
        self.told: deque[tuple[str, Struct]] = deque()
        self.questions: dict[str, Question] = {}
        self.knocks: list[Knock] = []
        self.later: list[tuple[int, str, Struct, str]] = []
        super().__post_init__()
        self.read()  # the policy, by which routing decides
        for name in names(self.cases_):
            at = self.now + self.dice.randrange(0, self.hours * HOUR - HOUR)
            body = ReferralSubmitted(
                referral_id=_id(f"referral {name}"),
                agency="school-drita",
                door=Door.HTTP,
                opens=True,
                traits=self.child,
                sections=(),
                received_at=at,
            )
            self.later.append((at, _id(f"case {name}"), body, f"submit {name}"))

    def up(self, *servers: str) -> bool:
        since = self.now - self.ahead_by - self.begun
        return not any(self.away.get(one, (0, 0))[0] <= since < self.away.get(one, (0, 0))[1] for one in servers)

    def put(self, topic: str, partition: int, key: bytes, value: bytes, told: Any = ()) -> Source:
        """A record reaches Kafka; audit reads it when it can."""
        offset = self._offsets.get((topic, partition), 0)
        self._offsets[topic, partition] = offset + 1
        source = Source(topic=topic, partition=partition, offset=offset)
        raw = Raw(key=key, value=value, headers=tuple(told), kafka_time=(self.now - self.ahead_by) // 1000)
        self.unread.append(Input(id=_id("raw"), case_id="", body=raw, source=source))
        return source

    def record(self, cause: Input, said: list[Struct]) -> None:
        super().record(cause, said)
        for event in said:
            self.told.append((cause.case_id, event))
            if isinstance(event, OfferOpened) and self.dice.random() < 0.7:
                at = self.now + self.dice.choice((2, 10, 40, 120)) * MINUTE
                self.later.append((at, cause.case_id, response(event, Word.ACCEPT, "answer"), f"answer {event.offer_id}"))

    def live(self) -> LivedLine:
        end = self.now + self.hours * HOUR
        while self.now - self.ahead_by < end:
            if self.now - self.ahead_by - self.begun in (self.jumps or ()):
                self.ahead_by, self.now = self.ahead_by + 3 * HOUR, self.now + 3 * HOUR
            self.now += TICK
            self.people()
            if self.up("intake", "broker"):
                self.intake()
            if self.up("routing", "broker"):
                self.routing()
            if self.up("notifier", "broker"):
                self.notifier()
            if self.up("audit"):
                self.audit()
        return self

    def people(self) -> None:
        due = [one for one in self.later if one[0] <= self.now]
        self.later = [one for one in self.later if one[0] > self.now]
        self.door.extend(one[1:] for one in sorted(due, key=lambda one: one[0]))

    def intake(self) -> None:
        while self.door:
            case_id, body, name = self.door.popleft()
            self.hand_in(case_id, body, name, "intake")

    def hand_in(self, case_id: str, body: Struct, name: str, source: str) -> None:
        """A record that routing reads."""
        meta, at = self.say(case_id, body, _id(f"event {name}"), _id(f"cause {name}"), source)
        self.inbox.setdefault((at.topic, at.partition), deque()).append(record_input(meta, body, at))

    def routing(self) -> None:
        for waiting in self.inbox.values():
            for _ in range(self.dice.choice((1, 2, 50))):  # a batch ends anywhere
                if waiting:
                    self.decide(waiting.popleft())
        if any(self.inbox.values()):
            return  # alarms wait for the inputs that came before them
        for case_id, case in sorted(self.cases.items(), key=lambda one: next_due(one[1]) or 0):
            if (due := next_due(case)) is not None and due <= self.now:
                self.decide(due_input(case_id, due, case.seq))

    def decide(self, cause: Input) -> None:
        """What an honest routing does with the next input, or with an alarm."""
        self.answer(cause)

    def notifier(self) -> None:
        while self.told:
            case_id, event = self.told.popleft()
            if isinstance(event, TrackChanged):
                self.questions |= {id_: stop(q, event, self.now) for id_, q in self.questions.items() if q.case_id == case_id}
            elif (id_ := subject(event)) is not None:
                after = follow(self.questions.get(id_), event, case_id=case_id, at=self.now, drill=False)
                if after is not None:
                    self.questions[id_] = after
        for asked in [q for q in self.questions.values() if q.state is not State.CLOSED]:
            planned = plan(asked, self.staff(asked), self.now)
            self.questions[asked.id] = planned.asked
            self.knocks += planned.knocks
            if planned.failed is not None:
                self.failed(asked, planned.failed)
        ripe, self.knocks = [k for k in self.knocks if k.at <= self.now], [k for k in self.knocks if k.at > self.now]
        for knock in ripe:
            self.knock(knock)

    def staff(self, asked: Question) -> Roster:
        """The people of the asked agency; some agencies have nobody."""
        return roster(asked.agency, asked.ladder, CHANNELS[sum(asked.agency.encode()) % len(CHANNELS)])

    def knock(self, knock: Knock) -> None:
        asked = self.questions[knock.asked]
        if asked.state is not State.OPEN or asked.rung != knock.rung or asked.stopped:
            return
        offer, task = (None, asked.id) if knock.task else (asked.id, None)
        name = f"{asked.id} {knock.rung} {knock.again} {knock.person} {knock.channel}"
        body = KnockSent(
            offer_id=offer,
            task_id=task,
            rung=knock.rung,
            person=knock.person,
            channel=knock.channel,
            again=knock.again,
            at=self.now,
            reference=_id(name),
        )
        self.say(knock.case_id, body, _id(f"knock {name}"), _id(f"row {name}"), "notifier")
        if not knock.task and asked.reached < knock.rung:
            self.reached(knock)
            self.questions[asked.id] = replace(asked, reached=knock.rung)

    def reached(self, knock: Knock) -> None:
        """The first message to a rung has arrived: said at once here, by the notifier later, if nobody has answered by then."""
        body = RungReached(offer_id=knock.asked, rung=knock.rung, at=self.now)
        self.hand_in(knock.case_id, body, f"reached {knock.asked} {knock.rung}", "notifier")

    def failed(self, asked: Question, reason: str) -> None:
        if asked.task:
            body = KnockFailed(
                offer_id=None,
                task_id=asked.id,
                rung=asked.rung,
                person=None,
                channel="none",
                again=0,
                at=self.now,
                reason=reason,
                attempts=0,
            )
            name = f"{asked.id} {asked.rung} {self.now}"
            self.say(asked.case_id, body, _id(f"nobody {name}"), _id(f"for {name}"), "notifier")
        else:
            failed = RungFailed(offer_id=asked.id, rung=asked.rung, reason=reason, at=self.now)
            self.hand_in(asked.case_id, failed, f"failed {asked.id} {asked.rung} {self.now}", "notifier")

    def audit(self) -> None:
        """Read what has come, each partition in its order, and beat each minute. Audit may be behind with a part."""
        if self.up("broker"):
            self.read()
        if self.now % MINUTE < TICK:
            self.beat_now()

    def read(self) -> None:
        """Read every topic whole, or all but one of routing's and the notifier's partitions."""
        self._known.now = max(self._known.now, self.now)
        places: dict[tuple[str, int], list[Input]] = {}
        for one in self.unread:
            places.setdefault((one.source.topic, one.source.partition), []).append(one)
        late = self.dice.choice([place for place in sorted(places) if place[0] in (ROUTING, NOTIFICATION)] or [None])
        kept = places.pop(late, []) if late is not None and self.dice.random() < self.behind else []
        for place in sorted(places, key=lambda _: self.dice.random()):
            self.entries += ingest(places[place], self._known).entries
        self.unread = deque(kept)

    def caught_up(self) -> LivedLine:
        """Let audit read everything and beat: nothing of what was left undone hides behind what audit has not read."""
        self.behind = 0
        self.read()
        self.beat_now()
        return self

    def beat_now(self) -> Entry:
        """A heartbeat with the ends of the topics and what audit has not read."""
        self._known.now = max(self._known.now, self.now)
        unread: dict[str, int] = {}
        for one in self.unread:
            place = f"{one.source.topic}/{one.source.partition}"
            unread[place] = min(one.source.offset, unread.get(place, one.source.offset))
        ends: dict[str, list[int]] = {}
        for (topic, partition), end in self._offsets.items():
            of = ends.setdefault(topic, [0] * 12)
            of[partition] = end
        answered = self.up("broker")
        value = Heartbeat(ends=ends if answered else None, unread=unread if answered else {}, drill=self.jumps is not None).encode()
        self.entries += ingest([], self._known, [Says(Kind.HEARTBEAT, value)]).entries
        return self.entries[-1]


@cache
def roster(agency: str, ladder: tuple[str, ...], channels: tuple[str, ...]) -> Roster:
    """The staff of an agency: one officer for all of its rungs, if there are channels."""
    officer = Person(_id(f"officer of {agency}"), agency, ladder or ("duty-officer",), channels)
    return Roster((officer,) if channels else ())


def call(log: Log) -> None:
    """The notifier calls somebody at each rung that the cases of a log have reached."""
    for entry in [one for one in log.entries if one.kind is Kind.DECISION]:
        body: Any = unseal(entry, log.keys[entry.case_id]).body
        if isinstance(body, OfferOpened | OfferEscalated | NeedsPerson):
            task = getattr(body, "task_id", None)
            offer = None if task else body.offer_id
            name = f"{task or offer} {body.rung}"
            knock = KnockSent(
                offer_id=offer, task_id=task, rung=body.rung, person=_id(name), channel="email", again=0, at=log.now, reference=_id(name)
            )
            log.say(entry.case_id, knock, _id(f"knock {name}"), entry.case_id, "notifier")


def cuts(log: Log, every: int) -> list[int]:
    """Lengths at which an export may end: after a heartbeat, every so many."""
    beats = [entry.idx + 1 for entry in log.entries if entry.kind is Kind.HEARTBEAT]
    return [*beats[every::every], len(log.entries)]


class ToldLog(LivedLine):
    """The log of a story that was told without servers: the same inputs, decided by an honest line, which knocks."""

    def __init__(self, told: World) -> None:
        super().__init__(now=told.log[0][2].now, cases_=0, behind=0)
        for _, cause, facts, _ in told.log:
            self.until(facts.now)
            self.drill = self.drill or cause.drill
            if isinstance(cause.body, Due):
                before = self.cases[cause.case_id]
                again = due_input(cause.case_id, cause.body.at, before.seq)
            else:
                topic = type(cause.body).TOPIC  # type: ignore[attr-defined]
                meta, at = self.say(cause.case_id, cause.body, cause.id, _id(f"row {cause.id}"), OWNERS[topic])
                again = record_input(meta, cause.body, at)
            now = structs.replace(facts, bundle=1, free={service: max(0, free) for service, free in facts.free.items()})
            self.record(again, list(decide(self.cases.get(again.case_id), again, now, POLICY)))
            self.pass_time()
        nothing_more = min((due for case in self.cases.values() if (due := next_due(case)) is not None), default=self.now + HOUR)
        self.until(max(self.now, min(self.now + 10 * MINUTE, nothing_more)))

    def staff(self, asked: Question) -> Roster:
        return roster(asked.agency, asked.ladder, CHANNELS[0])

    def reached(self, knock: Knock) -> None:
        """The story itself says which message arrived."""

    def until(self, at: int) -> None:
        """Let the notifier and audit do what is due before this time, µs UTC."""
        while True:
            due = [q.look_at for q in self.questions.values() if q.state is not State.CLOSED] + [k.at for k in self.knocks]
            nearest = min((one for one in due if one is not None and one > self.now), default=at)
            if nearest >= at:
                break
            self.now = nearest
            self.pass_time()
        self.now = max(self.now, at)
        self.pass_time()

    def pass_time(self) -> None:
        self.notifier()
        self.read()
        self.beat_now()
