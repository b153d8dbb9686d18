"""A local stack with a policy of before there were signatures goes on with it, and takes its next one by two signatures."""

from __future__ import annotations

from pathlib import Path

import asyncpg
import pytest

from referral.cli.policy import activate
from referral.cli.stack.up import running
from referral.local import keyfiles
from referral.local.config import StackConfig
from referral.local.stack import Stack
from referral.wire import erasure_approval, operator_word, policy_digest, policy_signature, writer_signature
from referral.wire.writer_signature import OWNERS
from tests.harness.waiting import until

pytestmark = pytest.mark.servers
OURS = (b"# policy-", b"# writer", b"# approver", b"# operator", b"# two-operators")
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
        found = policy_signature.named(made.addresses.witness_policy.read_bytes())
        assert found.pins == {1: digest} and [*found.signers] == [*keyfiles.SIGNERS]
        writers, erasers = (read(made.addresses.witness_policy.read_bytes()) for read in (writer_signature.named, erasure_approval.erasers))
        assert 0 < writers.since == erasers.since and [*erasers.approvers] == [*keyfiles.APPROVERS], "what was there needs no signature"
        operators = operator_word.named(made.addresses.witness_policy.read_bytes())
        assert len(operators.keys) == 2 and abs(operators.since - writers.since) < 86_400_000, "and its acts need no second operator"
        assert all(path.stat().st_mode & 0o077 == 0 for path in made.addresses.policy_keys)
        files = policy_digest.read(made.settings.policy)
        done = await activate.activate(made.settings, {**files, "codes.yaml": files["codes.yaml"] + b"\n# a remark\n"})
        assert done.signed_by == keyfiles.SIGNERS

        async def second() -> bool:
            return await confirmed(made) == 2

        await until(second)
        assert all(process.state == "ready" for process in made.processes.values())
    before = made.addresses.witness_policy.read_bytes()
    async with running(config) as made:
        assert policy_signature.named(made.addresses.witness_policy.read_bytes()) == policy_signature.named(before), "pinned once"
        assert await confirmed(made) == 2


def forget(keys: Path) -> None:
    """What a stack of before does not have: signers, writers and approvers, and lines that name them."""
    for name in (
        *keyfiles.SIGNERS,
        *keyfiles.APPROVERS,
        *(f"operator-{name}" for name in keyfiles.OPERATORS),
        *(f"{service}-writer" for service in OWNERS.values()),
    ):
        (keys / f"{name}.key").unlink()
    policy = keys / "witness.policy"
    policy.write_bytes(b"".join(line for line in policy.read_bytes().splitlines(keepends=True) if not line.startswith(OURS)))
