"""A watchman as a process: it calls one operator after another until a key is pressed, and two of them watch each other."""

from __future__ import annotations

import re
import signal
import sys
import textwrap
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import asyncpg
import httpx
import pytest

from referral.runtime.settings import CHECKOUT, Settings
from tests.harness import smtp
from tests.harness.programs import Program
from tests.harness.waiting import until
from tests.harness.watchmen import FIRST, SECOND, operators, watchmen

OPERATORS = (CHECKOUT / "docs" / "operators.md").read_text("utf-8")
pytestmark = pytest.mark.servers
ALIVE = "INSERT INTO notifier.instance VALUES ('made-up', clock_timestamp() + interval '1 hour')"


@pytest.fixture
async def sql(settings: Settings) -> AsyncIterator[asyncpg.Connection[Any]]:
    connection = await asyncpg.connect(settings.database.replace("postgresql+asyncpg://", "postgresql://", 1))
    yield connection
    await connection.close()


def evening(folder: Path) -> tuple[str, ...]:
    """The commands of the operators' page, with the port and the folder of this test."""
    told = dict(re.findall(r"^   ```(\w+) watchman\n(.*?)^   ```", OPERATORS, re.M | re.S))
    folder.mkdir()
    (folder / "operators.yaml").write_text(textwrap.dedent(told["yaml"]))
    script = textwrap.dedent(told["sh"]).replace("python -m", "exec python -m")
    place = f"cd {folder}; PATH={Path(sys.executable).parent}:$PATH; unset REFERRAL_INSTANCE REFERRAL_WATCHMAN_OPERATORS\n"
    return ("bash", "-euc", place + script)


async def test_a_dead_notifier_is_called_about_until_a_key_is_pressed(
    settings: Settings, sql: Any, tmp_path: Path, relay: smtp.Relay
) -> None:
    """No notifier runs at all, and the watchman was set up by the words of the operators' page."""
    async with watchmen(settings, tmp_path, before=evening(tmp_path / "evening"), watchman_smtp=f"127.0.0.1:{relay.port}") as (post,):
        assert "Linja e referimit ka nevojë për ju" in (await post.rings(FIRST)).text
        await post.phone.press("2", FIRST)
        assert "This is an exercise. The referral line needs you." in (await post.rings(SECOND, within=30)).text
        await until(lambda: post.shows('referral_watchman_alarm{alarm="notifier-dead"} 1.0'), what="the metric shows it")
        async with httpx.AsyncClient(timeout=30) as http:
            told = await http.get(f"{post.program.inner}/readyz")
        assert told.status_code == 503 and "notifier-dead" in told.json()["not_ready"]["watch-alarm"]
        await post.phone.press("1", SECOND)
        await until(lambda: post.shows('referral_watchman_calls_total{result="answered"} 1.0'), what="the key has counted")
        await sql.execute(ALIVE)
        await until(lambda: post.shows('referral_watchman_alarm{alarm="notifier-dead"} 0.0'), what="the alarm ends")
        assert len(post.calls()) == 2, "nobody was called after key 1"
        written = [entry for entry in post.phone.entries if entry.kind == "sms"]
        assert [entry.number for entry in written] == [SECOND] and "notifier-dead" in written[0].text
        assert relay.recipients == ["second@example.org"], "a written message beside the call, once"
        assert "notifier-dead" in str(relay.letters[0]["Subject"])
        said = post.program.said()
        assert "99944" not in said and "second@" not in said and "Traceback" not in said


@pytest.mark.parametrize("number", (signal.SIGKILL, signal.SIGSTOP), ids=("killed", "stopped"))
async def test_the_other_watchman_calls_when_one_dies(settings: Settings, sql: Any, tmp_path: Path, number: signal.Signals) -> None:
    await sql.execute(ALIVE)
    async with watchmen(settings, tmp_path, 2) as (east, west):
        await until(lambda: west.shows('referral_watchman_silence_seconds{watchman="east"}'), what="west has heard east")
        east.program.process.send_signal(number)
        if number is signal.SIGSTOP:
            await west.answered("watchman-silent")
        else:
            call = await west.rings(FIRST)
            assert await west.program.stop() == 0
            await until(lambda: call.end == "hung-up", what="a watchman that is stopped hangs up")
        assert not east.calls()


async def test_the_other_watchman_calls_when_ones_trunk_is_cut(settings: Settings, sql: Any, tmp_path: Path) -> None:
    await sql.execute(ALIVE)
    async with watchmen(settings, tmp_path, 2) as (east, west):
        await until(lambda: west.shows('referral_watchman_silence_seconds{watchman="east"}'), what="west has heard east")
        await east.phone.stop()
        await west.answered("watchman-mute")
        await until(lambda: east.shows("referral_watchman_able 0.0"), what="east knows it")


@pytest.mark.parametrize("lacks", ("watchman_operators", "watchman_handset"))
async def test_it_does_not_start_without_people_or_a_telephone(settings: Settings, tmp_path: Path, lacks: str) -> None:
    told: dict[str, Any] = {"watchman_operators": operators(tmp_path), "watchman_handset": "http://127.0.0.1:9"}
    program = Program(settings, "services.watchman", **{name: value for name, value in told.items() if name != lacks})
    program.start()
    assert await program.ended() == 1
    assert "docs/operators.md" in program.said()
