"""Call one operator: by the channel that wakes, with a written message beside it. No address and no name leaves this file.

The words name the fault of the line and nothing of any case.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence

from referral.channels import Handed, Outgoing, Refused, Unreached, Word
from referral.channels.lane import Lane, Line
from referral.runtime.observe import log
from services.watchman import metrics
from services.watchman.alarms import Cause
from services.watchman.operators import Operator
from services.watchman.reach import Server, answers

OURS = frozenset({"server-away", "server-busy", "server-refuses-us", "not-secured", "no-answer", "no-channel", "gave-up"})
"""Words of knock-reason about our own trunk; a test compares them with the notifier's (blame.OURS)."""
RESULTS = {Word.LOOKS: "answered", Word.CANNOT: "cannot"}
NAMED = 3
"""Alarms that a message names (ours), so that it fits into one SMS; it counts the others."""
# Unread by a native reader: Albanian and Serbian were written without one. Whoever corrects a text keeps the terms of docs/glossary.md.
WORDS: Mapping[str, str] = {
    "sq": "Roja: sherbimi i thirrjeve ka nevoje per ju. {alarms}. Shihni docs/operators.md, A watchman.",
    "sr-Latn": "Strazar: sluzbi poziva ste potrebni. {alarms}. Vidite docs/operators.md, A watchman.",
    "sr-Cyrl": "Strazar: sluzbi poziva ste potrebni. {alarms}. Vidite docs/operators.md, A watchman.",
    "en": "Watchman: the referral line needs you. {alarms}. See docs/operators.md, A watchman.",
}
"""In letters of the GSM 7-bit alphabet, as an SMS is."""


def written(alarms: Sequence[Cause], language: str) -> str:
    """Return the text of an SMS or an e-mail. The alarms are named by the words that operators.md explains, an alert of Prometheus with
    its place there."""
    words = list(dict.fromkeys(map(str, alarms)))
    names = ", ".join(words[:NAMED]) + (f" +{len(words) - NAMED}" if len(words) > NAMED else "")
    return WORDS[language].format(alarms=names)


class Caller:
    """The channels of one watchman.

    lanes: by channel. loud: the one that wakes somebody, whose answer counts. servers: that one's, of which one must answer.
    able: whether the last call or probe found our own trunk in order.
    """

    def __init__(
        self, lanes: Mapping[str, Lane], loud: str, servers: Sequence[Server], drill: bool, ids: Callable[[], str], now: Callable[[], int]
    ) -> None:
        self._lanes, self._loud, self._servers, self._drill = lanes, loud, servers, drill
        self._ids, self._now = ids, now
        self._line = Line(lanes[loud])
        self._writing: set[asyncio.Task[None]] = set()
        self.able = True
        metrics.ABLE.set(True)

    async def call(self, place: int, operator: Operator, about: Sequence[Cause], new: bool) -> Word | None:
        """Call an operator and return the key that was pressed; None: none, or nobody was reached.

        place: in the list, from 0. new: this operator has not been told of one of the alarms in writing.
        """
        if new:
            for channel in self._lanes:
                if channel != self._loud and operator.address(channel):
                    task = asyncio.create_task(self._write(channel, operator, about))
                    self._writing.add(task)
                    task.add_done_callback(self._writing.discard)
        if not operator.address(self._loud):
            return None
        log().warning("calling", service="watchman", number=place + 1, reason=" ".join(map(str, about)), channel=self._loud)
        word = None
        try:
            word = (await self._sent(self._line, self._loud, operator, about)).word
            result = RESULTS[word] if word else "no-key"
        except (Refused, Unreached) as failed:
            result = str(failed)
        self._found(result not in OURS)
        metrics.CALLS.labels(result).inc()
        log().warning("called", service="watchman", number=place + 1, reason=result, channel=self._loud)
        return word

    async def probe(self) -> None:
        """Find out whether our own trunk is in order, without calling anybody."""
        self._found(any(await asyncio.gather(*(answers(server, self._ids()) for server in self._servers))))

    async def close(self) -> None:
        """Hang up, and close the channels."""
        for task in self._writing:
            task.cancel()
        await self._line.close()

    def _found(self, able: bool) -> None:
        if able != self.able:
            log().warning("trunk in order" if able else "trunk away", service="watchman", channel=self._loud)
        self.able = able
        metrics.ABLE.set(able)

    async def _write(self, channel: str, operator: Operator, about: Sequence[Cause]) -> None:
        line = Line(self._lanes[channel])
        try:
            await self._sent(line, channel, operator, about)
        except (Refused, Unreached) as failed:
            log().warning("not written", service="watchman", channel=channel, reason=str(failed))
        finally:
            await line.close()

    async def _sent(self, line: Line, channel: str, operator: Operator, about: Sequence[Cause]) -> Handed:
        await line.open()
        out = Outgoing(
            address=operator.address(channel),
            reference=self._ids(),
            code="",
            language=operator.language,
            drill=self._drill,
            inbox="",
            at=self._now(),
            text=written(about, operator.language),
        )
        return await line.send(out)
