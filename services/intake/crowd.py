"""Limit what one agency stores: warn the operator of many referrals, take only the beginning of a file above a budget of bytes, and slow
down an agency that goes on. An emergency is always taken: it waits for other emergencies of its agency at most, and not for long. Remember
too whose attempts to sign in are so many that they are refused unread.

The counts are in the memory of one instance and begin anew after a restart. The notifier groups the knocks (decision 0023). Decision 0070
has the reasons.
"""

from __future__ import annotations

import asyncio
from collections import Counter, deque
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass
from math import inf

from prometheus_client import Counter as Metric

from referral.errors import Rejected
from referral.runtime import observe

WINDOW_S = 600.0
"""Seconds for which a referral counts (P)."""
MANY = 20
"""Referrals of one agency within WINDOW_S that are normal (P): as many as the country has in a year. At this count, and after each further
MANY, an operator is warned."""
ORDINARY = 2000
"""Referrals of one agency within WINDOW_S above which a routine one is refused for LATER_S (P): four full files, which no agency has."""
LATER_S = 60
"""Seconds after which the sender may send a refused referral again (ours)."""
EARLY, EARLY_S = "wait-your-turn", 2
"""Code of the refusal of an agency above its budget that sends more than one referral in PACE_S, and seconds after which it may send again
(ours)."""
HURRIED = ("urgent", "emergency")
"""Urgencies that no number of referrals refuses."""
EMERGENCY = "emergency"
"""Urgency that is taken whatever came before; in an exercise it is as any other."""
HOUR_S = 3600.0
"""Seconds for which a byte counts (P)."""
BYTES_FOR_ONE = 20_000_000
"""Bytes of one agency in an hour (P): 300 whole files; the country has 20 in a year."""
BYTES_IN_ALL = 200_000_000
"""Bytes of all agencies in an hour (P): ten of them that flood at once."""
EXERCISES = 10
"""An exercise may use one part in so many of both budgets (P), so that an exercise takes no room from a child."""
EACH_BYTES = 8 * 1024
"""Bytes that a referral counts beside its file (ours): its rows in intake's database."""
FILE_BYTES = 64 * 1024
"""Bytes of words that a case file, or a section that is written later, may have (P): thirty pages."""
SHORT_BYTES = 2 * 1024
"""Bytes of a file that are stored above a budget (P): one page, so that whoever is asked knows what to do."""
PACE_S = 1.0
"""Seconds between two referrals of an agency above its budget (ours): 36 KB each in all databases, so 130 MB in an hour."""
BURST = 60
"""Referrals that such an agency may send at once after a rest (ours): a bus with its list, and a file of a shelter."""
PATIENCE_S = 3.0
"""Longest wait of a request for its turn (ours), within the 4.5 s in which every request is answered. An emergency is taken after it: on
the 64 connections that an agency has, 21 in a second, 36 KB each, so 2.8 GB in an hour; a disk of 50 GB is full after 18 hours, and the
operator is told in the first minute."""
REST_S = 60.0
"""Longest rest of an agency's topic (ours), after at most a thousand records: what stands behind them is read within a minute."""
REFUSALS_TOLD = 1000
"""Refused records of one agency in an hour of which the reason is stored (P): a whole day of a broken system's work."""
_USED_UP = f"your agency, or all together, sent more bytes than {HOUR_S / 3600:g} hour has room for"
WARNINGS = Metric("referral_many_referrals", "Times that one agency had sent another MANY referrals within WINDOW_S.")
# Worry above 0: call the agency that the log line `many referrals` names.
FILES_LATER = Metric("referral_files_later", "Referrals and sections of which only the beginning, or nothing, was stored: too many bytes.")
# Worry above 0: call the agency that the log line `bytes used up` names. Its certificate and token may be in other hands.


@dataclass(frozen=True, slots=True)
class Asked:
    """A new referral, as far as the limits look at it. size: bytes of its file. can_wait: its sender can be asked to send it again."""

    agency: str
    drill: bool
    urgency: str
    size: int
    can_wait: bool

    @property
    def lane(self) -> Lane:
        """Return the turns that it takes."""
        return _lane(self.agency, self.drill, self.urgency)


Lane = tuple[str, bool, bool]
"""Agency, exercise, emergency: whose turns come one after another. Its emergencies wait for nothing else that an agency sends."""


def _lane(agency: str, drill: bool, urgency: str) -> Lane:
    return agency, drill, urgency == EMERGENCY and not drill


class Crowd:
    """The recent referrals and bytes of each agency. tick: seconds of a monotonic clock."""

    def __init__(self, tick: Callable[[], float]) -> None:
        self._tick = tick
        self._taken: dict[str, deque[float]] = {}
        self._bytes: dict[tuple[str, bool], deque[list[int]]] = {}
        self._next: dict[Lane, float] = {}
        self._turns: dict[Lane, asyncio.Lock] = {}
        self._told: dict[str, deque[float]] = {}

    def verdicts(self, asked: Sequence[Asked]) -> list[Rejected | bool]:
        """Return for each new referral of one transaction its refusal, or whether its whole file is stored."""
        beside: Counter[tuple[str, bool]] = Counter()
        number: Counter[Lane] = Counter()
        given: list[Rejected | bool] = []
        for one in asked:
            if one.can_wait and (why := self._refuses(one, number[one.lane])) is not None:
                given.append(why)
                continue
            number[one.lane] += 1
            own, in_all = (one.agency, one.drill), ("", one.drill)
            cost = EACH_BYTES + one.size
            whole = all(self._used(budget) + beside[budget] + cost <= _most(budget) for budget in (own, in_all))
            beside[own] += cost
            beside[in_all] += EACH_BYTES + stored_bytes(one.size, whole)
            given.append(whole)
        return given

    def _refuses(self, one: Asked, beside: int) -> Rejected | None:
        """Return the refusal of a referral that is routine where very many came, or early where the budget is used up."""
        if one.urgency not in HURRIED and len(self._recent(one.agency)) >= ORDINARY:
            hint = (
                f"{ORDINARY} referrals of yours came within {WINDOW_S / 60:g} minutes: send this routine one again after {LATER_S} s, "
                "under the same key; urgent and emergency ones are always taken"
            )
            return Rejected("too-many", "$.traits.urgency", hint, status=429)
        if self._wait_s(one.lane) + beside * PACE_S <= 0 or not self._is_over((one.agency, one.drill)):
            return None
        hint = f"{_USED_UP}, so one referral in {PACE_S:g} s is taken: send this one again after {EARLY_S} s, under the same key"
        return Rejected(EARLY, "", hint, status=429)

    def took(self, one: Asked, whole: bool) -> None:
        """Count a new referral: of its agency what was sent, of all what is stored, so that one agency uses up its own budget alone.

        Warn the operator at every multiple of MANY, and when a budget is used up.
        """
        self._count(one.agency, one.drill, EACH_BYTES + one.size, EACH_BYTES + stored_bytes(one.size, whole))
        now = self._tick()
        self._next[one.lane] = max(self._next.get(one.lane, -inf), now - BURST * PACE_S) + PACE_S
        taken = self._recent(one.agency)
        taken.append(now)
        if len(taken) % MANY == 0:
            WARNINGS.inc()
            observe.log().warning("many referrals", service="intake", agency=one.agency, count=len(taken), seconds=WINDOW_S)

    def refuses_section(self, agency: str, size: int) -> Rejected | None:
        """Return the refusal of a section that is too long, or comes when the bytes of the hour are used up; else count it."""
        if size > FILE_BYTES:
            return Rejected("too-large", "$", f"a section has at most {FILE_BYTES} bytes", status=413)
        if any(self._used(budget) + size > _most(budget) for budget in ((agency, False), ("", False))):
            FILES_LATER.inc()
            return Rejected("too-many-bytes", "", f"{_USED_UP}: send the same section again after {LATER_S} s", status=429)
        self._count(agency, False, size, size)
        return None

    @asynccontextmanager
    async def turn(self, agency: str, drill: bool, urgency: str) -> AsyncIterator[None]:
        """Hold the turn of an agency whose budget is used up: one request at a time, in order, PACE_S apart; its emergencies beside all
        others. Whoever has waited for PATIENCE_S goes on without it: an emergency is taken, and others are asked to send again."""
        lane = _lane(agency, drill, urgency)
        async with AsyncExitStack() as stack:
            if self._is_over((agency, drill)):
                with suppress(TimeoutError):
                    async with asyncio.timeout(PATIENCE_S):
                        await stack.enter_async_context(self._turns.setdefault(lane, asyncio.Lock()))
                        await asyncio.sleep(max(self._wait_s(lane), 0.0))
            yield

    def rest_s(self, agency: str) -> float:
        """Return for how many seconds the topic of an agency rests, because its budget is used up."""
        waits = (self._wait_s(lane) for lane in self._next if lane[0] == agency and self._is_over(lane[:2]))
        return min(max((0.0, *waits)), REST_S)

    def tells(self, agency: str) -> bool:
        """Return whether the reason of one more refused record is stored, and count it."""
        told = self._told.setdefault(agency, deque(maxlen=REFUSALS_TOLD))
        if len(told) == REFUSALS_TOLD and self._tick() - told[0] < HOUR_S:
            return False
        told.append(self._tick())
        return True

    def _wait_s(self, lane: Lane) -> float:
        return self._next.get(lane, -inf) - self._tick()

    def _is_over(self, budget: tuple[str, bool]) -> bool:
        return self._used(budget) >= _most(budget)

    def _count(self, agency: str, drill: bool, sent: int, stored: int) -> None:
        minute = int(self._tick() // 60)
        for budget, size in (((agency, drill), sent), (("", drill), stored)):
            before = self._is_over(budget)
            minutes = self._bytes.setdefault(budget, deque())
            if not minutes or minutes[-1][0] != minute:
                minutes.append([minute, 0])
            minutes[-1][1] += size
            if not before and self._is_over(budget):
                observe.log().error("bytes used up", service="intake", agency=budget[0] or "all", count=_most(budget), seconds=HOUR_S)

    def _used(self, budget: tuple[str, bool]) -> int:
        minutes = self._bytes.get(budget, deque())
        while minutes and minutes[0][0] <= (self._tick() - HOUR_S) // 60:
            minutes.popleft()
        return sum(count for _, count in minutes)

    def _recent(self, agency: str) -> deque[float]:
        taken = self._taken.setdefault(agency, deque())
        while taken and taken[0] <= self._tick() - WINDOW_S:
            taken.popleft()
        return taken


def stored_bytes(size: int, whole: bool) -> int:
    """Return how many bytes of a file are stored."""
    return size if whole and size <= FILE_BYTES else min(size, SHORT_BYTES)


def _most(budget: tuple[str, bool]) -> int:
    agency, drill = budget
    return (BYTES_FOR_ONE if agency else BYTES_IN_ALL) // (EXERCISES if drill else 1)


FULL_S, FULL_MOST = 1.0, 1000
"""Seconds for which a process remembers that a login's line is full, half of the 2 s after which it is shorter by one; and the logins that
it remembers (ours)."""


class FullLines:
    """The logins whose line was full a moment ago, so that a flood of attempts at one asks no database. tick: seconds of a monotonic
    clock."""

    def __init__(self) -> None:
        self._full: dict[bytes, tuple[float, int, str]] = {}

    def note(self, login: bytes, seconds: int, account: str, tick: float) -> None:
        """Remember that an attempt was refused for so many seconds, because its login's line is full. account: of the login, if any."""
        if len(self._full) >= FULL_MOST:
            self._full.clear()
        self._full[login] = tick + FULL_S, seconds, account

    def refused(self, login: bytes, tick: float) -> tuple[int, str]:
        """Return for how many seconds an attempt is refused unread, and the account of its login; 0: the database must be asked."""
        until, seconds, account = self._full.get(login, (0.0, 0, ""))
        return (seconds, account) if tick < until else (0, "")
