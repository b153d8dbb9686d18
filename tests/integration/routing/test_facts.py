"""The facts of real decisions are those of the log: two instances, beds that run out, a policy that changes; and a table that lies."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from itertools import islice

import pytest

from referral.cli import connection
from referral.domain.events import OfferOpened, Word
from referral.proof.entry import ROUTING, Entry, Kind
from referral.proof.history.case import unseal
from referral.proof.verify.facts import NEAR_US
from referral.proof.verify.log import verify
from referral.proof.verify.report import Report
from referral.runtime import policy_feed
from referral.runtime.settings import Settings
from referral.wire import policy_digest
from services.routing.__main__ import service as routing_service
from services.routing.current_policy import CurrentPolicy
from services.routing.engine_failure import Breaker
from tests.harness.line.routing_stack import Line, answer, new_id, running
from tests.harness.waiting import until
from tests.integration.routing.test_line import until_a_bed_is_next

pytestmark = [pytest.mark.servers, pytest.mark.kafka]

CASES = 8
FACTS = {"FREE_FALSE", "BUNDLE_OLD", "BUNDLE_EARLY", "DECIDED_AT", "DUE_EARLY", "ACTIVATED_AT"}


@pytest.fixture
async def line(settings: Settings) -> AsyncIterator[Line]:
    async with running(settings) as made:
        yield made


async def logged(line: Line) -> tuple[list[Entry], dict[str, bytes]]:
    await line.logged()
    async with line.admin() as tx:
        entries = [entry async for entry in connection.entries(tx)]
        return entries, await connection.case_keys(tx, line.settings)


def named(report: Report) -> list[str]:
    return [str(found) for found in report.findings if found.code in FACTS]


async def sheltered(line: Line, case_id: str) -> None:
    """A case up to its shelter."""
    left = await until_a_bed_is_next(line, case_id)
    await line.post(case_id, answer(left, Word.ACCEPT))
    await line.wait_for(case_id, OfferOpened, step="shelter")


async def test_honest_instances_under_load_are_true_and_a_table_that_lies_is_named(line: Line) -> None:
    files = policy_digest.read(line.settings.policy)
    more = {**files, "directory/shelter-linden.yaml": files["directory/shelter-linden.yaml"].replace(b"places: 1", b"places: 5")}
    assert more != files
    await line.activate(files)
    await line.run(routing_service(CurrentPolicy(policy_feed.trusted(line.settings)), Breaker(), line.news), "r2")
    await until(lambda: line.scalar("SELECT count(DISTINCT owner) = 2 FROM routing.lease WHERE lease_until > clock_timestamp()"))
    cases = list(islice(iter(new_id, ""), CASES))
    running_cases = asyncio.gather(*(sheltered(line, case_id) for case_id in cases))
    await until(lambda: line.scalar("SELECT count(*) = :all FROM routing.case_state", all=CASES))
    await line.activate(more)
    await running_cases
    entries, keys = await logged(line)
    report = verify(entries, keys)
    assert not named(report)
    assert report.counts["free places compared"] > CASES and report.counts["cases"] == CASES
    late, waited = measured(entries, keys)
    print(f"\nby the older bundle {late / 1e3:.1f} ms after the newer; published {waited / 1e3:.1f} ms after recording; {report.counts}")
    assert late < NEAR_US / 10 and waited < NEAR_US

    await line.sql("UPDATE routing.place SET capacity = 0")
    await sheltered(line, new_id())  # the number of places is the one that two signed
    entries, keys = await logged(line)
    assert not named(verify(entries, keys))

    await line.sql("UPDATE routing.place SET held = held + 1 WHERE service_id = 'shelter-swallow.beds'")
    await sheltered(line, new_id())
    entries, keys = await logged(line)
    found = named(verify(entries, keys))
    assert found and all("FREE_FALSE" in one and "shelter-swallow.beds" in one for one in found), found


def measured(entries: list[Entry], keys: dict[str, bytes]) -> tuple[int, int]:
    """Return how long after bundle 2 somebody decided by bundle 1, and how long after its recording a decision came to the broker, µs."""
    came = next(entry.kafka_time for entry in entries if entry.kind is Kind.POLICY and entry.key == b"2") * 1000
    decisions = [entry for entry in entries if entry.topic == ROUTING and entry.kind is Kind.DECISION]
    heads = [(entry, getattr(unseal(entry, keys[entry.case_id]).body, "head", None)) for entry in decisions]
    late = max(entry.recorded_at - came for entry, head in heads if head is not None and head.facts.bundle == 1)
    return late, max(entry.kafka_time * 1000 - entry.recorded_at for entry in decisions)
