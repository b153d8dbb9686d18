"""Prometheus and node_exporter start again on other ports, twice, when a foreign program takes one; Kannel's test is the notifier's."""

from __future__ import annotations

import socket
from contextlib import closing
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from referral.local import ports
from tests.deploy import monitored
from tests.harness.moved import STARTS

pytestmark = pytest.mark.skipif(bool(monitored.ABSENT), reason=f"not installed (apt-get install): {', '.join(monitored.ABSENT)}")


@pytest.fixture
def line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """A line without services, whose readings nobody waits for: its ports alone are tried."""

    async def all_up(*_: object) -> bool:
        return True

    monkeypatch.setattr(monitored, "_all_up", all_up)
    return SimpleNamespace(addresses=SimpleNamespace(ca=tmp_path / "ca"), config=SimpleNamespace(data=tmp_path), of=lambda _: [])


def unlucky(monkeypatch: pytest.MonkeyPatch, which: int, taken: int, times: int) -> list[int]:
    """Let a foreign program have one of the ports of the first starts. Returns how many ports each start asked for."""
    free, asked = ports.free, list[int]()

    def chosen(count: int) -> list[int]:
        asked.append(count)
        return [taken if place == which and len(asked) <= times else port for place, port in enumerate(free(count))]

    monkeypatch.setattr(ports, "free", chosen)
    return asked


@pytest.mark.parametrize("which", [0, 1], ids=["prometheus", "node_exporter"])
async def test_a_taken_port_is_left_for_another(line: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, which: int) -> None:
    with closing(socket.create_server(("127.0.0.1", 0))) as foreign:
        asked = unlucky(monkeypatch, which, taken := foreign.getsockname()[1], 2)
        async with monitored.prometheus(line, tmp_path / "made", watchman="127.0.0.1:1", alertmanager="127.0.0.1:1") as running:
            assert asked == [2] * STARTS and not running.url.endswith(f":{taken}")


async def test_the_error_after_the_last_start_names_the_program_and_the_port(
    line: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with closing(socket.create_server(("127.0.0.1", 0))) as foreign:
        unlucky(monkeypatch, 0, taken := foreign.getsockname()[1], STARTS)
        with pytest.raises(AssertionError, match=rf"(?s)Prometheus .*{taken}.*address already in use"):
            async with monitored.prometheus(line, tmp_path / "made", watchman="127.0.0.1:1", alertmanager="127.0.0.1:1"):
                pass
