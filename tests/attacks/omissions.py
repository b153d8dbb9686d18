"""What routing or the notifier leaves undone, on a line that goes on with everything else: nobody is asked, and nobody is called.

Each is lived for hours by the log's own clock (`tests.harness.outages`), where honest outages look alike and are no accusation.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import cache

from referral.domain.events import Quarantined, ReferralSubmitted, ResponseSubmitted
from referral.domain.inputs import Due, Input, RecordLost, lost_input
from referral.wire import headers
from referral.wire.signed import writer_signature
from services.notifier.plan import Knock, Question, State
from tests.attacks.broker import set_aside
from tests.attacks.ground import Attack, Noticed, copy, verify
from tests.harness import writers
from tests.harness.audit_log import Log, asked
from tests.harness.made_log import NOW
from tests.harness.outages import HOUR, LivedLine

ROUTING, NOTIFIER = "routing", "notifier"
ALARMS, PLAN = "one SQL statement on routing's alarms", "one SQL statement on the notifier's plan"


@dataclass
class PassedOver(LivedLine):
    """Routing passes over the third referral and goes on."""

    seen: int = 0

    def decide(self, cause: Input) -> None:
        self.seen += isinstance(cause.body, ReferralSubmitted)
        if not (isinstance(cause.body, ReferralSubmitted) and self.seen == 3):
            super().decide(cause)


@dataclass
class CalledLost(LivedLine):
    """Routing calls the first answer of an agency lost."""

    called: bool = False

    def decide(self, cause: Input) -> None:
        if isinstance(cause.body, ResponseSubmitted) and not self.called:
            self.called = True
            lost = RecordLost(topic=cause.source.topic, seq=cause.seq, reason="gap")
            cause = lost_input(cause.case_id, lost, cause.source)
        super().decide(cause)


@dataclass
class Twice(LivedLine):
    """Routing decides the second referral once more, a while later."""

    seen: list[Input] = field(default_factory=list)
    again: bool = False

    def decide(self, cause: Input) -> None:
        super().decide(cause)
        if isinstance(cause.body, ReferralSubmitted):
            self.seen.append(cause)
        if isinstance(cause.body, Due) and len(self.seen) >= 2 and not self.again:
            self.again = True
            super().decide(self.seen[1])


@dataclass
class Forgotten(LivedLine):
    """No alarm of the first case fires any more. emptied: an administrator empties the whole table, once."""

    emptied: bool = False
    struck: bool = False
    victims: set[str] = field(default_factory=set)

    def routing(self) -> None:
        if self.emptied and not self.struck and self.now - self.begun >= 2 * HOUR:
            self.struck, self.victims = True, {case_id for case_id, case in self.cases.items() if not case.closed}
        super().routing()

    def decide(self, cause: Input) -> None:
        if not self.emptied and not self.victims:
            self.victims.add(cause.case_id)
        if isinstance(cause.body, Due) and cause.case_id in self.victims:
            return
        if self.emptied:  # whatever routing decides anew has its alarm again
            self.victims.discard(cause.case_id)
        super().decide(cause)


@dataclass
class Mute(LivedLine):
    """The notifier knocks not for some questions, and says nothing of it."""

    def mute(self, asked: Question) -> bool:
        return True

    def knock(self, knock: Knock) -> None:
        if not self.mute(self.questions[knock.asked]):
            super().knock(knock)

    def failed(self, asked: Question, reason: str) -> None:
        if not self.mute(asked):
            super().failed(asked, reason)


@dataclass
class FirstRung(Mute):
    """It knocks the first rung alone."""

    def mute(self, asked: Question) -> bool:
        return asked.rung > 0


@dataclass
class SomeChildren(Mute):
    """It knocks nobody for the first three cases."""

    victims: set[str] = field(default_factory=set)

    def mute(self, asked: Question) -> bool:
        if len(self.victims) < 3:
            self.victims.add(asked.case_id)
        return asked.case_id in self.victims


@dataclass
class SaidReached(LivedLine):
    """It calls no agency for the first three cases, and says that a message has arrived: routing charges the agencies for their silence."""

    victims: set[str] = field(default_factory=set)

    def knock(self, knock: Knock) -> None:
        if len(self.victims) < 3:
            self.victims.add(knock.case_id)
        if knock.task or knock.case_id not in self.victims:
            return super().knock(knock)
        asked = self.questions[knock.asked]
        if asked.state is State.OPEN and asked.reached < knock.rung == asked.rung:
            self.reached(knock)
            self.questions[asked.id] = replace(asked, reached=knock.rung)
        return None


@dataclass
class Emptied(LivedLine):
    """An administrator empties the notifier's plan, two hours after the start."""

    gone: set[str] | None = None

    def notifier(self) -> None:
        if self.gone is None and self.now - self.begun >= 2 * HOUR:
            self.gone = set(self.questions)
            self.knocks.clear()
        for id_ in self.gone or ():
            self.questions.pop(id_, None)
        super().notifier()

    def knock(self, knock: Knock) -> None:
        if knock.asked in self.questions:
            super().knock(knock)


@cache
def _lived(kind: type[LivedLine], emptied: bool | None = None) -> LivedLine:
    """A line whose last heartbeat leaves nothing unread, so that nothing of what was left undone hides behind audit."""
    more = {} if emptied is None else {"emptied": emptied}
    return kind(seed=4, cases_=12, **more).live().caught_up()


def noticed(line: LivedLine) -> Noticed:
    return {"verify": verify(copy(line.entries), keys=line.keys)}


def said_sent() -> Noticed:
    """The notifier says each message of an honest one, and sends none: the log is that of the honest one, to the byte."""
    said = noticed(LivedLine(now=NOW * 1_000_000 - 5 * HOUR, seed=4).live())
    return said | {"nobody": "" if said["verify"] else "only whom a message should have reached, and who should have carried it, can tell"}


def own_decision() -> Noticed:
    """Routing leaves out the end of its answer to a referral, sets it aside itself, and decides on as it likes."""
    log = Log(signed=True)
    case_id, _ = asked(log, "one")
    gone = log.entries.pop()
    log._known.size -= 1
    log._known.sequences[gone.topic, case_id] -= 1
    key, value = set_aside(gone.topic, gone.partition, gone.offset, case_id, gone.case_seq, reader=ROUTING, at=log.now)
    signed = writer_signature.sign(writers.KEYS[ROUTING], Quarantined.TOPIC, [(key, value)])[0]
    log.put(Quarantined.TOPIC, 0, key, value, [*headers.plain(Quarantined.TYPE, id=key.decode(), source=ROUTING, at=log.now), signed])
    log.alarm(case_id)
    return {"verify": verify(copy(log.entries), keys=log.keys)}


def attacks() -> list[Attack]:
    each = (
        ("a referral passed over: nobody is asked (N1)", ROUTING, PassedOver, None),
        ("an agency's acceptance called lost (N2)", ROUTING, CalledLost, None),
        ("a referral decided twice", ROUTING, Twice, None),
        ("the limits of a child forgotten (N5)", ROUTING, Forgotten, False),
        ("every limit forgotten at once (N5)", ALARMS, Forgotten, True),
        ("nobody is called at all (N9)", NOTIFIER, Mute, None),
        ("nobody is called for three children (N9)", NOTIFIER, SomeChildren, None),
        ("the first rung alone is called (N9)", NOTIFIER, FirstRung, None),
        ("nobody is called for three children, and messages are said to have arrived", NOTIFIER, SaidReached, None),
        ("every planned call deleted (N9)", PLAN, Emptied, None),
    )
    blamed = {ROUTING: "answerable: routing", NOTIFIER: "answerable: the notifier"}
    blamed |= {ALARMS: "whoever emptied its table `routing.alarm`", PLAN: "whoever emptied its plan"}
    pretended = Attack(what="messages are said to be sent, and are not", power=NOTIFIER, must=("nobody",), run=said_sent)
    missing = Attack(
        what="a decision left out, and set aside by routing itself",
        power=ROUTING,
        must=("verify",),
        blamed="answerable: routing",
        run=own_decision,
    )
    return [pretended, missing] + [
        Attack(
            what=what,
            power=power,
            must=("verify",),
            blamed="" if kind is Twice else blamed[power],
            run=lambda kind=kind, emptied=emptied: noticed(_lived(kind, emptied)),  # type: ignore[misc]
        )
        for what, power, kind, emptied in each
    ]
