"""Run a world of made-up cases through `decide`: one queue of the next acts over all cases, in order of time.

Cases compete for beds: `Beds` counts the free places of the world, and how long each service had none left. The world drops finished cases;
only the listener's counts remain.
"""

from __future__ import annotations

from collections.abc import Mapping
from heapq import heappop, heappush

from msgspec import Struct

from referral.analysis.simulation.caseload import DAYS, Arrival, Caseload, life
from referral.analysis.simulation.reactions import REACTIONS, Answer, Live, Look, Reaction
from referral.analysis.simulation.seeded import Dice
from referral.domain.case import Case, holds, next_due, open_offers
from referral.domain.decide import Decision, decided, facts_at
from referral.domain.durations import DAY_US
from referral.domain.events import CaseRaised, Door, OfferAccepted, OfferClosed, OfferOpened, ReferralSubmitted, RungReached
from referral.domain.inputs import Due, Source, made_input
from referral.domain.policy import Policy

HORIZON = 730 * DAY_US
"""Time after its arrival at which a case that is still open is dropped, and counted as such (ours)."""
INPUTS = 3000
"""Inputs after which a case counts as endless: it is dropped, and counted (ours)."""
SOURCE = Source(topic="referral-intake", partition=0, offset=0)
HOLDING = frozenset({OfferOpened, OfferClosed, OfferAccepted})


class Decided(Struct, frozen=True, eq=False):
    """One decision. at: µs UTC. live: its case in the world. case: after it."""

    at: int
    live: Live
    body: Struct
    case: Case
    events: tuple[Struct, ...]


class World:
    """One caseload under one policy. beds: its places."""

    def __init__(self, caseload: Caseload, policy: Policy) -> None:
        self.caseload, self.policy = caseload, policy
        self.beds = Beds(policy, caseload.start, caseload.start + DAYS * DAY_US)
        self._dice = Dice(caseload.seed)
        self._queue: list[tuple[int, int, Live, Struct | int]] = []
        self._count = 0
        for number, arrival in enumerate(caseload.arrivals()):
            id = f"{caseload.world:08x}-0000-0000-0000-{number:012x}"
            live = Live(arrival.name, id, arrival.at, arrival.pathway, arrival.traits.found_in, False)
            self._push(arrival.at, live, arrival)

    @property
    def next_at(self) -> int | None:
        """Return the time of the next act or alarm, µs UTC; None: there is none."""
        return self._queue[0][0] if self._queue else None

    def step(self) -> Decided | None:
        """Run the next act or alarm. None: it had no effect, or none is left."""
        at, _, live, item = heappop(self._queue)
        if live.ended:
            return None
        body = self._body(live, item, at)
        if body is None:
            return None
        done = self._decide(live, body, at)
        if isinstance(item, Look) and not live.ended:
            self._later(live, self._reaction(live, at).looks_again(item))
        return done

    def _body(self, live: Live, item: Struct | int, at: int) -> Struct | None:
        """Return the input that a queue item becomes; None when it has no effect any more."""
        if isinstance(item, int):
            if live.alarm != item:
                return None
            live.alarm = None
            return Due(at=item)
        if isinstance(item, Answer | Look):
            return self._reaction(live, at).comes_to(item)
        if isinstance(item, Arrival):
            for when, body in life(self._dice, item):
                self._push(when, live, body)
            return _referral(live, item)
        return item

    def _decide(self, live: Live, body: Struct, at: int) -> Decided:
        """Decide one input of a case, and queue everything that its people do next."""
        live.inputs += 1
        decision = self.decision(live, body, at)
        events, case = decision.events, decision.case
        live.case = case
        holding, reaction = False, self._reaction(live, at)
        for event in events:
            kind = type(event)
            if kind in REACTIONS:
                self._later(live, REACTIONS[kind](reaction, event))
                holding = holding or kind in HOLDING
            elif kind is CaseRaised:
                self._raise(live, event, at)  # type: ignore[arg-type]
        self._tell(live, case, at)
        if case.closed:
            live.ended = case.closed
        elif at > live.at + HORIZON:
            live.ended = "still-open"
        elif live.inputs >= INPUTS:
            live.ended = "in-a-circle"
        else:
            self._alarm(live, at)
        if holding or live.ended:
            self._hold(live, at)
        return Decided(at, live, body, case, events)

    def decision(self, live: Live, body: Struct, at: int) -> Decision:
        """Decide one input of a case."""
        id = f"{live.id[:14]}{live.inputs:04x}-0001{live.id[23:]}"
        cause = made_input(live.id, body, live.case.seq if live.case else 0, id=id, source=SOURCE, number=live.inputs, at=at)
        return decided(live.case, cause, facts_at(live.case, at, self.beds.free), self.policy)

    def _tell(self, live: Live, case: Case, at: int) -> None:
        """Queue the notifier's report that a message has arrived, once for each rung of an offer that is knocked."""
        for offer in open_offers(case):
            if offer.knocked and not offer.told and offer.state == "OFFERED" and live.told.get(offer.offer_id) != offer.rung:
                live.told[offer.offer_id] = offer.rung
                self._push(at, live, RungReached(offer_id=offer.offer_id, rung=offer.rung, at=at))

    def _alarm(self, live: Live, at: int) -> None:
        """Queue the alarm of a case at its next due time."""
        assert live.case is not None
        due = next_due(live.case)
        if due is not None and due != live.alarm:
            live.alarm = due
            self._push(max(due, at), live, due)

    def _hold(self, live: Live, at: int) -> None:
        """Count free places down and up by the places that the case holds now, as routing does."""
        assert live.case is not None
        held = {} if live.ended else dict(holds(live.case))
        if held != live.held:
            self.beds.change(live.held, held, at)
            live.held = held

    def _raise(self, live: Live, event: CaseRaised, at: int) -> None:
        """Add the case of a complaint. Its id has a digit that no arrival has."""
        number = live.again("raised")
        id = f"{live.id[:9]}{number + 1:04x}{live.id[13:]}"
        raised = Live(f"{live.name}.{number + 1}", id, at, event.pathway, event.traits.found_in, True)
        self._push(at, raised, event)

    def _reaction(self, live: Live, at: int) -> Reaction:
        return Reaction(self._dice, live, at, self.policy)

    def _later(self, live: Live, later: tuple[int, Answer | Look] | None) -> None:
        if later is not None:
            self._push(later[0], live, later[1])

    def _push(self, at: int, live: Live, item: Struct | int) -> None:
        self._count += 1
        heappush(self._queue, (at, self._count, live, item))


def _referral(live: Live, arrival: Arrival) -> ReferralSubmitted:
    return ReferralSubmitted(
        referral_id=live.id,
        agency=arrival.agency,
        door=Door.HTTP,
        opens=True,
        traits=arrival.traits,
        consent=arrival.consent,
        sections=("identity",),
        received_at=arrival.at,
    )


class Beds:
    """Free places of one world. free: places that nobody holds, by service. full: µs without any within the year, by service."""

    __slots__ = ("_since", "end", "free", "full", "start")

    def __init__(self, policy: Policy, start: int, end: int) -> None:
        self.free = dict(policy.capacities())
        self.full = dict.fromkeys(self.free, 0)
        self.start, self.end = start, end
        self._since = {service: start for service, places in self.free.items() if places <= 0}

    def change(self, before: Mapping[str, int], now: Mapping[str, int], at: int) -> None:
        """Apply a change of the places that one case holds."""
        for service in sorted(before.keys() | now.keys()):
            if service not in self.free:
                continue
            self.free[service] += before.get(service, 0) - now.get(service, 0)
            if self.free[service] <= 0:
                self._since.setdefault(service, at)
            elif service in self._since:
                self._count(service, self._since.pop(service), at)

    def finish(self) -> dict[str, int]:
        """Return how long each service was full, closing the periods that last until the end of the year."""
        for service, since in self._since.items():
            self._count(service, since, self.end)
        self._since.clear()
        return self.full

    def _count(self, service: str, since: int, until: int) -> None:
        self.full[service] += max(min(until, self.end) - max(since, self.start), 0)
