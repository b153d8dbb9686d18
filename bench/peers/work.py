"""The work that every system does: open a sealed record, decide, fold, number, encode, seal. A peer adds how records come and go.

Every case's key is in memory, places are free and not locked, no alarm is set, nothing is signed: advantages that our routing has not.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, MutableMapping
from pathlib import Path
from typing import Any, NamedTuple, TypeAlias

import msgspec

from bench.plan import PLENTY, policy
from referral.domain.case import Case
from referral.domain.decide import decided, facts_for
from referral.domain.inputs import Input, Source, record_input
from referral.runtime import tls
from referral.runtime.loop.outbox import Record, compose
from referral.runtime.loop.sequence import NONE, Last
from referral.wire import case_state, codec, seal, topics

SOURCE, SINK = "referral-intake", "referral-routing"
"""Topics to which the records are bound by their seals, whatever the topics of the measurement are called."""
_NUMBER = 8


class Task(msgspec.Struct, frozen=True, kw_only=True):
    """The task of one process of a peer.

    kafka, identity: the broker's address, and the folder with our certificate. source, sink: topics.
    name: of its consumer group, its transactions and its changelog; unique to a run. folder: where it may keep state.
    rules: folder of the policy. keys: case id → case key. now: µs UTC, of every decision.
    commit_s: seconds between two commits, for a peer that commits by time.
    part, parts: it is one of so many processes, where each takes the partitions that leave its number as remainder.
    """

    kafka: str
    identity: str
    source: str
    sink: str
    name: str
    folder: str
    rules: str
    keys: dict[str, bytes]
    now: int
    commit_s: float
    part: int = 0
    parts: int = 1

    @property
    def partitions(self) -> list[int]:
        """Return the partitions of this process."""
        return [number for number in range(topics.PARTITIONS) if number % self.parts == self.part]

    def aiokafka(self) -> dict[str, Any]:
        """Return how a client of aiokafka reaches the broker."""
        return {"bootstrap_servers": self.kafka, "security_protocol": "SSL", "ssl_context": tls.client(Path(self.identity))}

    def librdkafka(self) -> dict[str, str]:
        """Return how a client of librdkafka reaches the broker."""
        own, authority = str(Path(self.identity) / tls.IDENTITY), str(Path(self.identity) / tls.AUTHORITY)
        return {
            "security.protocol": "ssl",
            "ssl.ca.location": authority,
            "ssl.certificate.location": own,
            "ssl.key.location": own,
        }


class Standing(NamedTuple):
    """The standing of a case. read: last sequence of its inputs. last: last record that was written for it."""

    case: Case | None = None
    read: int = 0
    last: Last = NONE


Standings: TypeAlias = MutableMapping[str, Standing]
"""Case id → how it stands."""


class Work:
    """The decisions of one process."""

    def __init__(self, task: Task) -> None:
        self._keys = {case_id: seal.Key(key) for case_id, key in task.keys.items()}
        self._now, self._policy = task.now, policy(Path(task.rules))

    def answer(self, records: Iterable[tuple[int, int, bytes]], standing: Standings) -> dict[int, list[Record]]:
        """Decide (partition, offset, value) of records in order. Return partition → records to write, and bring `standing` up to date.

        A record that was decided before is left out. KeyError: `standing` neither knows a case nor makes one.
        """
        emitted: list[tuple[Input, msgspec.Struct]] = []
        before = {}
        for partition, offset, value in records:
            envelope = seal.open(value)
            meta = envelope.meta
            at = standing[meta.case_id]
            if meta.case_seq <= at.read:
                continue
            before[SINK, meta.case_id] = at.last
            body = codec.decode(meta.type, meta.fingerprint, seal.unseal(self._keys[meta.case_id], SOURCE, envelope))
            cause = record_input(meta, body, Source(topic=SOURCE, partition=partition, offset=offset))
            facts = facts_for(at.case, cause, self._policy, self._now, _plenty, bundle=1)
            decision = decided(at.case, cause, facts, self._policy)
            emitted += ((cause, event) for event in decision.events)
            standing[meta.case_id] = Standing(decision.case, meta.case_seq, at.last)
        composed, last = compose(emitted, "routing", SINK, self._now, self._keys, before, bytes(32))
        for (_, case_id), written in last.items():
            standing[case_id] = standing[case_id]._replace(last=written)
        return composed

    def sealed(self, case_id: str, at: Standing) -> bytes:
        """Return a standing as it is stored: sealed under the case's key."""
        assert at.case is not None
        numbers = at.read.to_bytes(_NUMBER, "big") + at.last.seq.to_bytes(_NUMBER, "big") + bytes([at.last.drill])
        state = case_state.seal(self._keys[case_id], at.case, os.urandom(case_state.NONCE))
        return numbers + len(at.last.digest).to_bytes(_NUMBER, "big") + at.last.digest + state

    def opened(self, case_id: str, stored: bytes) -> Standing:
        """Return what `sealed` made bytes of."""
        read, seq, drill = stored[:_NUMBER], stored[_NUMBER : 2 * _NUMBER], bool(stored[2 * _NUMBER])
        start = 3 * _NUMBER + 1
        end = start + int.from_bytes(stored[start - _NUMBER : start], "big")
        case = case_state.unseal(self._keys[case_id], case_id, stored[end:])
        return Standing(case, int.from_bytes(read, "big"), Last(int.from_bytes(seq, "big"), stored[start:end], drill))


def _plenty(wanted: tuple[str, ...]) -> dict[str, int]:
    return dict.fromkeys(wanted, PLENTY)


def task() -> Task:
    """Read the file that the command line names."""
    return msgspec.json.decode(Path(sys.argv[1]).read_bytes(), type=Task)
