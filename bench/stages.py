"""Break down routing's time: handle, commit and publish from its metrics, and the pure parts measured alone on the same inputs."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator, Mapping

from bench.plan import Plan
from bench.rows import Row
from referral.domain.decide import decide
from referral.domain.evolve import fold
from referral.domain.policy import Policy
from referral.runtime.loop.outbox import compose
from referral.wire import case_state, codec, seal

SOME = 5000  # inputs are enough
TOPIC = "referral-intake"


def pure(plan: Plan, rules: Policy) -> dict[str, float]:
    """Return the CPU seconds per input of each stage that needs no server. Every stage calls the same code as the process."""
    asked = plan.asked[:SOME]
    key = dict.fromkeys(plan.cases, os.urandom(32))
    composed, _ = compose(plan.inputs[:SOME], "intake", TOPIC, 1, key, {}, bytes(32))
    values = [record.value for records in composed.values() for record in records]
    events = [(case, cause, decide(case, cause, facts, rules)) for case, cause, facts in asked]
    emitted = [(cause, event) for _, cause, follow in events for event in follow]
    cases = [case for case, _, _ in asked if case is not None]
    sealed = [(case.case_id, case_state.seal(key[case.case_id], case, bytes(12))) for case in cases]

    def read() -> None:
        for value in values:
            envelope = seal.open(value)
            codec.decode(envelope.meta.type, envelope.meta.fingerprint, seal.unseal(key[envelope.meta.case_id], TOPIC, envelope))

    def fold_all() -> None:
        for case, cause, follow in events:
            fold(case, follow, cause.case_id)

    stages: dict[str, Callable[[], object]] = {
        "open, unseal, decode": read,
        "load the case's state": lambda: [case_state.unseal(key[case_id], case_id, data) for case_id, data in sealed],
        "decide": lambda: [decide(case, cause, facts, rules) for case, cause, facts in asked],
        "fold": fold_all,
        "keep the case's state": lambda: [case_state.seal(key[case.case_id], case, os.urandom(12)) for case in cases],
        "number, encode, seal": lambda: compose(emitted, "routing", "referral-routing", 1, key, {}, bytes(32)),
    }
    return {name: _cpu(stage) / len(asked) for name, stage in stages.items()}


def _cpu(stage: Callable[[], object]) -> float:
    """Return the best of three runs."""
    times = []
    for _ in range(3):
        start = time.process_time()
        stage()
        times.append(time.process_time() - start)
    return min(times)


def rows(seconds: Mapping[str, float], cpu: float, parts: Mapping[str, float], inputs: int, events: int, pace: float) -> Iterator[Row]:
    """Yield the breakdown, µs for one event in or out, beside the whole. seconds: by stage, of the process that decided so many inputs."""
    whole = 1e6 / pace
    handle, commit, publish = (seconds.get(stage, 0.0) / events * 1e6 for stage in ("handle", "commit", "publish"))
    named = {
        "handle (decide, states)": handle,
        "commit without handle": commit - handle,
        "publish": publish,
        "read, alarms, ownership, signing": max(0.0, whole - commit - publish),
        "CPU of the process": cpu / events * 1e6,
    }
    for name, value in named.items():
        yield Row(name=f"  routing: {name}", value=value, unit="µs/event", reference=whole, against="the whole")
    for name, value in parts.items():
        yield Row(name=f"    CPU: {name}", value=value * inputs / events * 1e6, unit="µs/event", reference=whole, against="the whole")
