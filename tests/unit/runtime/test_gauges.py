"""Gauges by which a process shows what its own /readyz and its certificate say."""

from __future__ import annotations

import asyncio
import contextlib
from datetime import timedelta
from pathlib import Path

from prometheus_client import REGISTRY

from referral.ca import periods
from referral.local import certificates
from referral.runtime import http_server, process
from referral.runtime.observe import Health
from tests.harness.waiting import until


def shown(health: Health) -> set[str]:
    _, _, body = http_server._metrics(health, "intake")
    return {line for line in body.decode().splitlines() if line.startswith("referral_not_ready{")}


def test_each_word_of_readyz_is_a_series_while_it_stands() -> None:
    health = Health(lambda: {"engine": "made up"})
    health.green("start")
    health.red("schema", "made up")
    words = {f'referral_not_ready{{service="intake",word="{word}"}} 1.0' for word in ("schema", "engine")}
    assert shown(health) == words
    health.green("schema")
    assert shown(health) == {line for line in words if "engine" in line}


async def test_what_is_left_of_certificate_and_lists_is_shown(tmp_path: Path) -> None:
    certificates.ensure(tmp_path / "ca", tmp_path, ["service/audit"])
    following = asyncio.create_task(process._certificate_ends(tmp_path / "audit", "audit"))

    def left(file: str) -> float | None:
        return REGISTRY.get_sample_value("referral_certificate_ends_seconds", {"service": "audit", "file": file})

    await until(lambda: left("revoked.pem"), 10, what="it is set")
    following.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await following
    assert 0 < timedelta(days=7).total_seconds() - (left("identity.pem") or 0) < 600
    assert (left("revoked.pem") or 0) > periods.LIST_WARNING.total_seconds()
