"""`referral audit monitor` against real witnesses and the log's own HTTP: one log is good, a split view and a cut log are found."""

from __future__ import annotations

import asyncio
import json
from contextlib import AsyncExitStack
from pathlib import Path

import httpx
import pytest
from starlette.types import Receive, Scope, Send

from referral.cli import monitor
from referral.local import keyfiles
from referral.proof import note, views, witness, witness_policy
from referral.proof.witness_policy import Policy
from referral.runtime.settings import Settings
from services.audit.api import application
from tests.contract.audit_stack import KEY, KEYS, answering, honest, log, serving
from tests.contract.test_audit_fork import backup
from tests.made_log import Log as Made

pytestmark = pytest.mark.servers
OTHER = Made([f"other {n}".encode() for n in range(40)])
"""Another history, which this log's key could sign for somebody else."""


def watching(urls: list[str]) -> Policy:
    told = [(f"w{n}", key.verifier, url) for n, (key, url) in enumerate(zip(KEYS, urls, strict=False), 1)]
    return witness_policy.parse(keyfiles.policy(KEY.verifier, told))


async def shown_another(url: str, size: int) -> None:
    """The log's key signs another history for one witness."""
    said = OTHER.checkpoint(size)
    signed = type(said)(KEY.name, said.size, said.root).sign(KEY)
    async with httpx.AsyncClient() as client:
        assert (await client.post(f"{url}/add-checkpoint", content=witness.body(0, (), signed))).status_code == 200


async def test_one_log_is_good_and_a_split_view_is_shown_with_both_notes(
    bare: Settings, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    async with AsyncExitStack() as stack:
        urls = [await stack.enter_async_context(honest(tmp_path, n)) for n in (1, 2, 3)]
        made = await stack.enter_async_context(log(bare, urls[:2]))
        address = await stack.enter_async_context(serving(application(made.engine)))
        for count in (5, 300):
            await made.append(count)
            assert await made.publisher().round()
        good = await monitor.look(watching(urls[:2]), address)
        assert good.exit_code() == 0 and {v.who for v in good.views} == {"the log", "w1", "w2"}
        later = await monitor.look(watching(urls), address)
        assert later.exit_code() == 3 and set(later.away) == {"w3"}, "a witness that has seen nothing proves nothing"

        await shown_another(urls[2], 20)
        split = await monitor.look(watching(urls), address)
        assert split.exit_code() == 1 and [{s.first.who, s.second.who} & {"w3"} for s in split.splits] == [{"w3"}]
        monitor._tell(split, as_json=True)
        notes = json.loads(capsys.readouterr().out)["splits"][0]["notes"]
        for text in notes:
            assert views.view("anybody", text.encode(), KEY.verifier, None).said.origin == KEY.name, "the log's own signature is the proof"
        monitor._keep(split, tmp_path / "kept")
        assert sorted(path.read_text() for path in (tmp_path / "kept").iterdir()) == sorted(notes)


async def test_two_roots_of_one_size_need_no_proof_of_the_log(bare: Settings, tmp_path: Path) -> None:
    async with honest(tmp_path, 1) as one, honest(tmp_path, 2) as two, log(bare, [one]) as made:
        await made.append(20)
        assert await made.publisher().round()
        await shown_another(two, 20)
        looked = await monitor.look(watching([one, two]), "http://127.0.0.1:9")
        assert looked.exit_code() == 1 and "20 entries have two roots" in looked.splits[0].why and "the log" in looked.away


async def test_a_log_that_was_set_back_does_not_hold_what_its_witnesses_show(bare: Settings, tmp_path: Path) -> None:
    async with honest(tmp_path, 1) as one, backup(bare) as empty:
        async with log(bare, [one]) as made:
            for count in (9, 300):
                await made.append(count)
                assert await made.publisher().round()
        async with log(empty, []) as old:
            await old.append(9)
            assert await old.publisher().round()
            async with serving(application(old.engine)) as address:
                looked = await monitor.look(watching([one]), address)
                assert looked.exit_code() == 1 and "it was cut, or set back" in looked.wrong["the log"]


async def test_a_witness_that_never_ends_its_answer_is_away(bare: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    async def dripping(scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        while True:
            await send({"type": "http.response.body", "body": b"x", "more_body": True})
            await asyncio.sleep(monitor.TIMEOUT_S / 10)

    monkeypatch.setattr(monitor, "TIMEOUT_S", 0.3)
    async with serving(dripping) as liar:
        looked = await asyncio.wait_for(monitor.look(watching([liar]), "http://127.0.0.1:9"), 30)
        assert looked.away["w1"] == "TimeoutError" and looked.exit_code() == 3


async def test_a_note_that_a_witness_has_not_cosigned_is_wrong(bare: Settings, tmp_path: Path) -> None:
    async with log(bare, []) as made:
        await made.append(1)
        assert await made.publisher().round()
        accepted = await made.published()
        assert accepted is not None
        plain = accepted.checkpoint.sign(KEY).encode()
        assert note.parse(plain)
        async with serving(application(made.engine)) as address, serving(answering(200, plain)) as liar:
            looked = await monitor.look(watching([liar]), address)
            assert looked.exit_code() == 1 and "has not cosigned" in looked.wrong["w1"]


async def test_a_log_that_publishes_without_the_quorum_is_wrong(bare: Settings, tmp_path: Path) -> None:
    async with honest(tmp_path, 1) as one, log(bare, []) as made:  # by its own policy it needs no witness, by the watcher's it does
        await made.append(1)
        assert await made.publisher().round()
        async with serving(application(made.engine)) as address:
            looked = await monitor.look(watching([one]), address)
            assert looked.exit_code() == 1 and "without its quorum" in looked.wrong["the log"]
