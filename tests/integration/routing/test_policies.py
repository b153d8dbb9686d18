"""A policy comes into force by two signers, on a real line; what anybody else puts on the topic or into the table changes nothing."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from msgspec import structs

from referral.cli.admin.doctor.checks import diagnose
from referral.cli.admin.doctor.facts import gather
from referral.cli.admin.doctor.result import Result
from referral.cli.policy import activate
from referral.domain.events import CaseOpened, PolicyActivated
from referral.runtime import policy_feed
from referral.runtime.kafka import clients, scan
from referral.runtime.postgres import database
from referral.runtime.recovery import recover
from referral.runtime.settings import Settings
from referral.wire import codec, headers, policy_digest
from services.routing.current_policy import CurrentPolicy
from services.routing.recover import hook
from tests.harness.line.routing_stack import Line, new_id, referral, running
from tests.harness.policies import KEEPER, STRANGER, bundle
from tests.harness.programs import command
from tests.harness.waiting import until

pytestmark = [pytest.mark.servers, pytest.mark.kafka]
FORGED = (
    "INSERT INTO routing.policy (number, digest, files, activated, valid_from, before, signatures, confirmed)"
    " VALUES (:number, :digest, :files, :at, :valid_from, :before, :signatures, 1)"
)


@pytest.fixture
async def line(settings: Settings) -> AsyncIterator[Line]:
    async with running(settings) as made:
        yield made


def changed(settings: Settings, remark: bytes) -> dict[str, bytes]:
    files = policy_digest.read(settings.policy)
    return {**files, "codes.yaml": files["codes.yaml"] + b"\n# " + remark + b"\n"}


async def forge(line: Line, body: PolicyActivated) -> None:
    """Whoever may write the topic puts a bundle there."""
    told = headers.plain(body.TYPE, id=new_id(), source="routing", at=1)
    async with clients.producer(line.settings) as producer:
        topic = line.settings.topic(body.TOPIC)
        await producer.send_and_wait(topic, codec.encode(body), key=str(body.number).encode(), partition=0, headers=told)


async def decided_under(line: Line) -> int:
    """The number of the bundle under which the next child's case is decided."""
    case_id = new_id()
    await line.post(case_id, referral())
    (opened,) = await line.wait_for(case_id, CaseOpened)
    return int(opened.head.facts.bundle)


async def said_of_policy(line: Line) -> tuple[Result, str]:
    async with line.admin() as tx:
        found = next(check for check in diagnose(await gather(tx, line.settings)) if check.name == "policy")
    return found.result, found.said


async def test_two_people_put_a_policy_into_force_by_the_commands(line: Line, tmp_path: Path) -> None:
    assert await line.activate() == 1
    stack, file, folder = structs.replace(line.settings, policy_keys=()), tmp_path / "p", tmp_path / "policy"
    for path, data in changed(stack, b"a remark").items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_bytes(data)
    code, said = await command(stack, "policy", "activate", str(folder))
    assert code and "two signers must sign it" in said
    code, said = await command(stack, "policy", "propose", str(folder), "--out", str(file))
    assert code == 0 and "policy bundle 2" in said and "changed codes.yaml" in said and "nobody yet" in said, said
    keeper, office = line.settings.policy_keys
    code, said = await command(stack, "policy", "endorse", str(file), "--key", str(office), "--yes")
    assert code and "nobody has signed it yet" in said
    code, said = await command(stack, "policy", "sign", str(file), "--key", str(keeper), typed="n\n")
    assert code == 1 and activate.read(file).signatures == ()
    code, said = await command(stack, "policy", "sign", str(file), "--key", str(keeper), typed="y\n")
    assert code == 0 and "signed by: policy-keeper" in said, said
    code, said = await command(stack, "policy", "activate", str(file))
    assert code and "two different signers" in said
    code, said = await command(stack, "policy", "endorse", str(file), "--key", str(keeper), "--yes")
    assert code and "another signer must sign" in said
    stranger = tmp_path / "stranger.key"
    assert (await command(stack, "policy", "key", "somebody", "--file", str(stranger)))[1].startswith('policy_keepers.somebody = "')
    code, said = await command(stack, "policy", "endorse", str(file), "--key", str(stranger), "--yes")
    assert code and "this key is of no signer" in said
    code, said = await command(stack, "policy", "endorse", str(file), "--key", str(office), "--yes")
    assert code == 0 and "changed codes.yaml" in said and "signed by: policy-keeper, oversight-office" in said, said
    code, said = await command(stack, "policy", "activate", str(file))
    assert code == 0 and "policy bundle 2 saved" in said and "signed by policy-keeper and oversight-office" in said, said
    await until(lambda: line.scalar("SELECT confirmed IS NOT NULL FROM routing.policy WHERE number = 2"))
    assert await decided_under(line) == 2
    code, said = await command(stack, "policy", "activate", str(file))
    assert code == 0 and "already" in said
    code, said = await command(stack, "policy", "pins")
    assert said.splitlines() == [f'policy_bundles.{n} = "{b.digest}"' for n, b in (await topic(line)).known.items()]


async def topic(line: Line) -> policy_feed.Chain:
    chain = policy_feed.Chain(policy_feed.trusted(line.settings))
    async for _, record in scan.whole(line.settings, [PolicyActivated.TOPIC]):
        chain.take(record)
    return chain


async def test_a_proposal_that_somebody_changed_or_overtook_is_refused(line: Line, tmp_path: Path) -> None:
    assert await line.activate() == 1
    first = policy_digest.read(line.settings.policy)
    files = {name: tmp_path / name for name in ("changed", "overtaken")}
    made = activate.Proposal(
        number=2,
        digest=policy_digest.digest(changed(line.settings, b"one")),
        valid_from=1,
        before=policy_digest.digest(first),
        files=changed(line.settings, b"one"),
        earlier=[first],
        signers=policy_feed.trusted(line.settings).signers,
    )
    for key in line.settings.policy_keys:
        made = activate.signed(made, activate.key(key))
    activate.write(files["overtaken"], made)
    activate.write(files["changed"], structs.replace(made, files=changed(line.settings, b"another")))
    code, said = await command(
        line.settings, "policy", "endorse", str(files["changed"]), "--key", str(line.settings.policy_keys[0]), "--yes"
    )
    assert code and "signed already" in said
    code, said = await command(line.settings, "policy", "activate", str(files["changed"]))
    assert code and "somebody changed it" in said, said
    assert await line.activate(changed(line.settings, b"two")) == 2
    code, said = await command(line.settings, "policy", "activate", str(files["overtaken"]))
    assert code and "another bundle came into force" in said, said


async def test_a_bundle_is_compiled_before_the_first_record_needs_it(line: Line) -> None:
    current, engine = CurrentPolicy(policy_feed.trusted(line.settings)), database.engine(line.settings, "routing", size=2)
    following = asyncio.create_task(current.follow(engine))
    try:
        for number in (1, 2):
            assert await line.activate(changed(line.settings, b"%d" % number)) == number
            await until(lambda at=number: current.latest and current.latest.number == at, 20)
            compiled = current.latest
            async with engine.connect() as tx:
                assert await current.in_force(tx) is compiled, "a batch takes it as it is"
    finally:
        following.cancel()
        await engine.dispose()


async def test_a_forged_bundle_on_the_topic_is_followed_by_nobody_and_by_no_recover(line: Line) -> None:
    assert await line.activate() == 1
    first = policy_digest.read(line.settings.policy)
    for keys in ((), (KEEPER,), (KEEPER, KEEPER), (KEEPER, STRANGER)):
        await forge(line, bundle(2, changed(line.settings, b"forged"), before=first, keys=keys))
    assert await decided_under(line) == 1
    result, said = await said_of_policy(line)
    assert result is Result.BAD and "offset 1 is no bundle that two signers signed (policy-signatures)" in said
    await line.logged()
    counts = await recover.recover(line.settings, "routing", hook)
    assert counts["bundles"] == 1
    assert await line.scalar("SELECT count(*) FROM routing.policy") == 1
    assert await line.activate(changed(line.settings, b"true")) == 2
    assert await decided_under(line) == 2


async def test_a_bundle_that_somebody_wrote_into_routings_table_is_neither_followed_nor_published(line: Line) -> None:
    assert await line.activate() == 1
    first = policy_digest.read(line.settings.policy)
    forged = policy_feed.columns(bundle(2, changed(line.settings, b"forged"), before=first, keys=(KEEPER,)))
    names = "number, digest, files, activated, valid_from, before, signatures"
    statement = (
        f"INSERT INTO routing.policy ({names}, confirmed) VALUES (:number, :digest, :files, :at, :valid_from, :before, :signatures, :c)"
    )
    await line.sql(statement, **forged, c=1)
    assert await decided_under(line) == 1
    result, said = await said_of_policy(line)
    assert result is Result.BAD and "bundle 2 in routing's table" in said
    current = CurrentPolicy(policy_feed.trusted(line.settings))
    async with line.admin() as tx:
        assert (await current.in_force(tx)).number == 1, "after a restart too"
    await line.sql("UPDATE routing.policy SET confirmed = NULL WHERE number = 2")
    assert await line.activate(changed(line.settings, b"true")) == 2, "the true one takes its place"
    assert await decided_under(line) == 2
    assert [*(await topic(line)).known] == [1, 2]
