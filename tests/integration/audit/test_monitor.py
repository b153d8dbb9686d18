"""`referral audit monitor` against real witnesses and the log's own HTTP: one log is good, a split view and a cut log are found."""

from __future__ import annotations

import asyncio
import json
from contextlib import AsyncExitStack
from pathlib import Path

import httpx
import pytest
from starlette.types import Receive, Scope, Send

from referral.cli import run
from referral.cli.audit import monitor
from referral.cli.audit import witness as witnessing
from referral.cli.audit.monitor import PATIENCE_S, MonitorRound, verdict
from referral.cli.audit.witness import Heads
from referral.local import keyfiles
from referral.runtime.settings import Settings
from referral.tlog import note, split_view, witness, witness_policy
from referral.tlog.note import Note
from referral.tlog.witness_policy import Policy
from services.audit.api import application
from tests.harness.line.audit_stack import KEY, KEYS, MASTER, answering, honest, log, serving
from tests.harness.made_log import Log as Made
from tests.integration.audit.test_fork import backup

pytestmark = pytest.mark.servers
OTHER = Made([f"other {n}".encode() for n in range(100)])
"""Another history, which this log's key could sign for somebody else."""


def code(looked: MonitorRound, silent: float = 0) -> int:
    return verdict(looked, silent, PATIENCE_S)[0]


def watching(urls: list[str]) -> Policy:
    told = [(f"w{n}", key.verifier, url) for n, (key, url) in enumerate(zip(KEYS, urls, strict=False), 1)]
    return witness_policy.parse(keyfiles.policy(KEY.verifier, told))


async def shown_another(url: str, size: int) -> None:
    """The log's key signs another history for one witness."""
    said = OTHER.checkpoint(size)
    signed = type(said)(KEY.name, said.size, said.root).sign(KEY)
    async with httpx.AsyncClient(timeout=30) as client:
        assert (await client.post(f"{url}/add-checkpoint", content=witness.body(0, (), signed))).status_code == 200


async def test_one_log_is_good_and_a_split_view_is_shown_with_both_notes(
    bare: Settings, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    async with AsyncExitStack() as stack:
        urls = [await stack.enter_async_context(honest(tmp_path, n)) for n in (1, 2, 3)]
        made = await stack.enter_async_context(log(bare, urls[:2]))
        address = await stack.enter_async_context(serving(application(made.engine, MASTER)))
        for count in (5, 300):
            await made.append(count)
            assert await made.publisher().round()
        good = await monitor.poll(watching(urls[:2]), address)
        assert code(good) == 0 and {v.who for v in good.views} == {"the log", "w1", "w2"}
        later = await monitor.poll(watching(urls), address)
        assert code(later) == 3 and set(later.away) == {"w3"}, "a witness that has seen nothing proves nothing"

        await shown_another(urls[2], 20)
        split = await monitor.poll(watching(urls), address)
        assert code(split) == 1 and [{s.first.who, s.second.who} & {"w3"} for s in split.splits] == [{"w3"}]
        monitor._tell(split, *verdict(split, 0, PATIENCE_S), as_json=True)
        notes = json.loads(capsys.readouterr().out)["splits"][0]["notes"]
        for text in notes:
            assert split_view.view("anybody", text.encode(), KEY.verifier, None).said.origin == KEY.name, (
                "the log's own signature is the proof"
            )
        monitor._keep(split, tmp_path / "kept")
        kept = [path.read_text() for path in (tmp_path / "kept").iterdir()]
        assert set(notes) < set(kept) and len(kept) == 4, "every note that was seen, not only the two"


async def test_two_roots_of_one_size_need_no_proof_of_the_log(bare: Settings, tmp_path: Path) -> None:
    async with honest(tmp_path, 1) as one, honest(tmp_path, 2) as two, log(bare, [one]) as made:
        await made.append(20)
        assert await made.publisher().round()
        await shown_another(two, 96)
        looked = await monitor.poll(watching([one, two]), "http://127.0.0.1:9")
        assert code(looked) == 1 and "96 entries have two roots" in looked.splits[0].why and "the log" in looked.away


async def test_a_log_that_was_set_back_does_not_hold_what_its_witnesses_show(bare: Settings, tmp_path: Path) -> None:
    async with honest(tmp_path, 1) as one, backup(bare) as empty:
        async with log(bare, [one]) as made:
            for count in (9, 300):
                await made.append(count)
                assert await made.publisher().round()
        async with log(empty, []) as old:
            await old.append(9)
            assert await old.publisher().round()
            async with serving(application(old.engine, MASTER)) as address:
                looked = await monitor.poll(watching([one]), address)
                assert code(looked) == 1 and "it was cut, or set back" in looked.wrong["the log"]


async def test_a_witness_that_never_ends_its_answer_is_away(bare: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    async def dripping(scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        while True:
            await send({"type": "http.response.body", "body": b"x", "more_body": True})
            await asyncio.sleep(monitor.TIMEOUT_S / 10)

    monkeypatch.setattr(monitor, "TIMEOUT_S", 0.3)
    async with serving(dripping) as liar:
        looked = await asyncio.wait_for(monitor.poll(watching([liar]), "http://127.0.0.1:9"), 30)
        assert looked.away["w1"] == "TimeoutError" and code(looked) == 3


async def test_a_note_that_a_witness_has_not_cosigned_is_wrong(bare: Settings, tmp_path: Path) -> None:
    async with log(bare, []) as made:
        await made.append(1)
        assert await made.publisher().round()
        accepted = await made.published()
        assert accepted is not None
        plain = accepted.checkpoint.sign(KEY).encode()
        assert note.parse(plain)
        async with serving(application(made.engine, MASTER)) as address, serving(answering(200, plain)) as liar:
            looked = await monitor.poll(watching([liar]), address)
            assert code(looked) == 1 and "has not cosigned" in looked.wrong["w1"]


async def test_a_log_that_publishes_without_the_quorum_is_wrong(bare: Settings, tmp_path: Path) -> None:
    async with honest(tmp_path, 1) as one, log(bare, []) as made:  # by its own policy it needs no witness, by the watcher's it does
        await made.append(1)
        assert await made.publisher().round()
        async with serving(application(made.engine, MASTER)) as address:
            looked = await monitor.poll(watching([one]), address)
            assert code(looked) == 1 and "without its quorum" in looked.wrong["the log"]


async def test_heads_that_a_silent_log_does_not_lead_to_one_another_are_never_one_log(
    bare: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """A split view whose log answers nothing: it was "all who could be asked see one log", exit code 3, and no note was kept."""
    async with honest(tmp_path, 1) as one, honest(tmp_path, 2) as two, log(bare, [one]) as made:
        await made.append(21)
        assert await made.publisher().round()
        await shown_another(two, 20)
        looked = await monitor.poll(watching([one, two]), "http://127.0.0.1:9")
        exit_code, line = verdict(looked, 0, PATIENCE_S)
        assert exit_code == 3 and "one log" not in line.replace("heads of one log", "") and "GOOD" not in line
        assert "has not shown that 96 entries (w1) continue 20 (w2): ConnectError" in line and "Nothing says" in line
        exit_code, line = verdict(looked, PATIENCE_S, PATIENCE_S)
        assert exit_code == 1 and line.startswith("BAD: for 300 seconds the log has not shown") and "split view" in line
        monkeypatch.setattr(monitor, "AGAIN_S", 0.05)
        policy, keep = tmp_path / "policy", tmp_path / "kept"
        policy.write_bytes(keyfiles.policy(KEY.verifier, [(f"w{n}", KEYS[n - 1].verifier, url) for n, url in ((1, one), (2, two))]))
        words = ["audit", "monitor", "--witnesses", str(policy), "--log", "http://127.0.0.1:9", "--keep", str(keep), "--patience", "0.2"]
        assert await asyncio.to_thread(run, words) == 1
        out = capfd.readouterr()
        assert (
            "it is asked again for" in out.err and "BAD: for 0 seconds the log has not shown" in out.out and "sees one log" not in out.out
        )
        assert len([*keep.iterdir()]) == 2, "both notes, also while nothing is proven"


async def test_a_foreign_witness_that_shows_nothing_is_seen_through_the_log(bare: Settings, tmp_path: Path) -> None:
    """C2SP's witnesses have one call: with one of them the monitor ended with 3 for ever."""
    heads = Heads(tmp_path / "heads-2")
    app = witnessing.application(heads, {KEY.name: [KEY.verifier]}, KEYS[1])
    del app.router.routes[1:]
    async with AsyncExitStack() as stack:
        one, foreign = await stack.enter_async_context(honest(tmp_path, 1)), await stack.enter_async_context(serving(app))
        made = await stack.enter_async_context(log(bare, [one, foreign]))
        address = await stack.enter_async_context(serving(application(made.engine, MASTER)))
        await made.append(9)
        publisher = made.publisher()
        async with asyncio.timeout(20):
            while (found := await made.published()) is None or len(found.witnesses) < 2:
                await publisher.round()
        looked = await monitor.poll(watching([one, foreign]), address)
        exit_code, line = verdict(looked, 0, PATIENCE_S)
        assert exit_code == 0 and looked.lent == {"w2"} and not looked.away, looked
        assert "What w2 has seen was taken from the log" in line
    heads.close()


async def test_a_log_that_no_witness_has_seen_for_long_stands_still(bare: Settings) -> None:
    """It was "GOOD: everybody sees one log" for as long as nobody wrote."""
    made = Made([b"x"])
    said = type(made.checkpoint())(KEY.name, 1, made.checkpoint().root).sign(KEY)
    shown = Note(said.text, (*said.signatures, note.sign(said.text, KEYS[0], 1_700_000_000))).encode()
    async with serving(answering(200, shown)) as everybody:
        looked = await monitor.poll(watching([everybody]), everybody)
        exit_code, line = verdict(looked, 0, PATIENCE_S)
        assert exit_code == 1 and line.startswith("BAD: the log stands still: a quorum of witnesses has seen nothing newer for "), line
        assert code(await monitor.poll(watching([everybody]), everybody, 0)) == 0, "of any age"
        alone = await monitor.poll(watching([everybody]), "http://127.0.0.1:9")
        assert alone.still and code(alone) == 1, "the witnesses say it also where the log is silent"
