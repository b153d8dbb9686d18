"""A webhook of Alertmanager at a watchman that runs: the telephone rings, and it says the rule and its place."""

from __future__ import annotations

import json
from pathlib import Path

import asyncpg
import httpx
import pytest

from referral.runtime.settings import Settings
from services.watchman.alerts import ENDS_S
from tests.harness.waiting import PATIENCE_S, until
from tests.harness.watchmen import FIRST, SECOND, watchmen

pytestmark = pytest.mark.servers
# fmt: off
WEBHOOK = (  # as Alertmanager 0.25 of Debian sent it; `instance` as if somebody had put a name there
    '{"receiver":"watchman","status":"firing","alerts":[{"status":"firing","labels":{"alertname":"DiskFull","instance":"Arta K.",'
    '"mountpoint":"/var","severity":"page"},"annotations":{"runbook_url":"docs/operators.md#a-disk-is-full"},'
    '"startsAt":"2026-11-29T03:13:58Z","endsAt":"0001-01-01T00:00:00Z","generatorURL":"","fingerprint":"45e8ab04f0a3025e"}],'
    '"groupLabels":{"alertname":"DiskFull"},"commonLabels":{"alertname":"DiskFull","instance":"Arta K.","mountpoint":"/var",'
    '"severity":"page"},"commonAnnotations":{"runbook_url":"docs/operators.md#a-disk-is-full"},"externalURL":"http://vm:9093",'
    '"version":"4","groupKey":"{}:{alertname=\\"DiskFull\\"}","truncatedAlerts":0}'
)
# fmt: on
ALIVE = "INSERT INTO notifier.instance VALUES ('made-up', clock_timestamp() + interval '1 hour')"


async def test_an_alert_rings_the_telephone_once_until_it_ends(settings: Settings, tmp_path: Path) -> None:
    sql = await asyncpg.connect(settings.database.replace("postgresql+asyncpg://", "postgresql://", 1))
    await sql.execute(ALIVE)
    await sql.close()
    async with watchmen(settings, tmp_path) as (post,), httpx.AsyncClient(base_url=post.program.inner, timeout=30) as http:
        assert (await http.post("/alerts", content=WEBHOOK)).status_code == 204
        await post.rings(FIRST)
        await post.phone.press("2", FIRST)
        await post.rings(SECOND)
        await post.phone.press("1", SECOND)
        await until(lambda: post.shows('referral_watchman_calls_total{result="answered"} 1.0'), what="the key has counted")
        assert (await http.post("/alerts", content=WEBHOOK)).status_code == 204, "Alertmanager repeats it"
        told = await http.get("/readyz")
        assert "DiskFull#a-disk-is-full" in told.json()["not_ready"]["watch-alarm"]
        ended = await http.post("/alerts", content=WEBHOOK.replace('"status":"firing"', '"status":"resolved"'))
        assert ended.status_code == 204
        await until(lambda: _ready(http), within=ENDS_S + PATIENCE_S, what="the alert has ended")
        assert len(post.calls()) == 2, "a repeated alert is the same one"
        written = [entry.text for entry in post.phone.entries if entry.kind == "sms"]
        assert all("DiskFull#a-disk-is-full" in text for text in written), written
        assert "Arta" not in post.program.said() + str(post.phone.entries)


async def _ready(http: httpx.AsyncClient) -> bool:
    return (await http.get("/readyz")).status_code == 200


async def test_what_is_no_webhook_is_refused_in_words_and_the_public_door_takes_none(settings: Settings, tmp_path: Path) -> None:
    async with watchmen(settings, tmp_path) as (post,), httpx.AsyncClient(timeout=30) as http:
        for body, status, code in ((b"{}", 400, "malformed"), (b" " * (1 << 19), 413, "too-long")):
            answer = await http.post(f"{post.program.inner}/alerts", content=body)
            assert (answer.status_code, answer.headers["content-type"]) == (status, "application/problem+json")
            assert json.loads(answer.content)["code"] == code
        assert (await http.post(f"{post.program.url}/alerts", content=WEBHOOK)).status_code == 404
