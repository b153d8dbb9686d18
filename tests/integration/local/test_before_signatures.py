"""A local stack with a policy of before there were signatures goes on with it, and takes its next one by two signatures."""

from __future__ import annotations

from pathlib import Path

import asyncpg
import pytest

from referral.cli.policy import activate
from referral.cli.stack.up import running
from referral.local import keyfiles
from referral.local.config import PUBLISHED, StackConfig
from referral.local.stack import Stack
from referral.wire import policy_digest, trust
from referral.wire.writer_signature import OWNERS
from tests.harness.waiting import until

pytestmark = pytest.mark.servers
UNSIGNED = r"UPDATE routing.policy SET valid_from = 0, before = '', signatures = '\x90'"


async def value(made: Stack, statement: str) -> object:
    connection = await asyncpg.connect(made.addresses.database.replace("+asyncpg", ""))
    try:
        return await connection.fetchval(statement)
    finally:
        await connection.close()


async def confirmed(made: Stack) -> object:
    return await value(made, "SELECT max(number) FROM routing.policy WHERE confirmed IS NOT NULL")


async def test_a_stack_of_before_signatures_keeps_its_policy(tmp_path_factory: pytest.TempPathFactory, kafka: str, ca: Path) -> None:
    """Its keys are taken away, so that nobody believes the signatures that stand on its topic."""
    data, lines = tmp_path_factory.mktemp("stack"), list[str]()
    config = StackConfig(data=data, kafka=kafka, ca=ca, prefix="before-signatures.", drill=True, services=("intake", "routing"))
    async with running(config) as made:
        await until(lambda: confirmed(made))
        await value(made, UNSIGNED)
        digest = await value(made, "SELECT digest FROM routing.policy")
    forget(data / "keys")
    async with running(config, lines.append) as made:
        assert lines == [], "its policy is in force, and is not activated again"
        found = trust.read(made.addresses.trust.read_bytes())
        assert found.policy.pins == {1: digest} and [*found.policy.signers] == [*keyfiles.SIGNERS]
        assert 0 < found.writers.since == found.erasers.since, "what was there needs no signature"
        assert [*found.erasers.approvers] == [*keyfiles.APPROVERS]
        operators = found.operators
        assert len(operators.keys) == 2 and abs(operators.since - found.writers.since) < 86_400_000, "and its acts need no second operator"
        assert all(path.stat().st_mode & 0o077 == 0 for path in made.addresses.policy_keys)
        files = policy_digest.read(made.settings.policy)
        done = await activate.activate(made.settings, {**files, "codes.yaml": files["codes.yaml"] + b"\n# a remark\n"})
        assert done.signed_by == keyfiles.SIGNERS

        async def second() -> bool:
            return await confirmed(made) == 2

        await until(second)
        assert all(process.state == "ready" for process in made.processes.values())
    file = made.addresses.trust
    published = file.with_name(PUBLISHED)
    before = trust.read(file.read_bytes())
    assert trust.imported(published.read_bytes()) == before, "the same for programs of 0.1.0"
    file.unlink()  # as release 0.1.0 left the folder
    async with running(config) as made:
        assert trust.read(file.read_bytes()) == before, "taken over, and pinned once"
        assert await confirmed(made) == 2


def forget(keys: Path) -> None:
    """What a stack of before does not have: signers, writers and approvers, and a file that names them."""
    for name in (
        *keyfiles.SIGNERS,
        *keyfiles.APPROVERS,
        *(f"operator-{name}" for name in keyfiles.OPERATORS),
        *(f"{service}-writer" for service in OWNERS.values()),
    ):
        (keys / f"{name}.key").unlink()
    for name in ("trust.toml", PUBLISHED):
        (keys / name).unlink()
