"""docs/deploy.md, one server: each block runs as it stands on a server that systemd booted; what is killed comes back, what is stopped ends
in order, and what root renews stays its owner's."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import pytest

from referral.runtime.settings import LINE
from tests.harness import booted
from tests.harness.booted import Server
from tests.harness.page_blocks import blocks
from tests.harness.waiting import comes

PAGE = Path(__file__).parents[2] / "docs" / "deploy.md"
BLOCK_S = 300
"""Longest run of one block: on an idle machine the longest takes 15 s."""
COMMANDS = "export REFERRAL_SETTINGS=/etc/referral/keeper/keeper.toml; "
HELD = "cd / && runuser -u postgres -- psql --quiet --tuples-only --dbname referral --command 'SELECT count(owner) FROM {service}.lease'"


@pytest.mark.timeout(1800)
@pytest.mark.skipif(bool(booted.missing()), reason=booted.missing())
def test_one_server_runs_a_line_from_nothing(tmp_path: Path, record_property: Callable[[str, object], None]) -> None:
    place = tmp_path / "server"
    place.mkdir()
    with booted.server(place) as server:
        began = time.monotonic()
        *first, (_, again) = blocks(PAGE, "sh server")
        for _, block in first:
            server.run(block, BLOCK_S)
        record_property("figure", f"from nothing to an exercise: {time.monotonic() - began:.0f} s")
        _comes_back(server, record_property)
        _renews(server)
        _gives_back(server)
        server.run(again, BLOCK_S)
        server.run(COMMANDS + "cd /opt/referral; until referral doctor; do sleep 1; done", BLOCK_S)
        _is_apart(server)


def _comes_back(server: Server, record_property: Callable[[str, object], None]) -> None:
    """A service that is killed is another process at once, and ready again."""
    before = _shown(server, "routing", "MainPID")
    server.run("systemctl kill --signal=KILL referral@routing", BLOCK_S)
    killed = time.monotonic()
    assert comes(lambda: _shown(server, "routing", "MainPID") not in ("0", before) and _ready(server, 18446)), server.journal()
    assert _shown(server, "routing", "NRestarts") == "1"
    record_property("figure", f"routing was ready {time.monotonic() - killed:.1f} s after kill -9")


def _renews(server: Server) -> None:
    """The timer's service writes within its walls, for the owner of each folder."""
    server.run("rm /etc/referral/intake/tls/revoked.pem && systemctl start referral-renew", BLOCK_S)
    listed = server.run("stat --format '%U %a' /etc/referral/intake/tls/revoked.pem /etc/referral/intake/tls/identity.pem", BLOCK_S)
    assert listed.splitlines() == ["referral-intake 644", "referral-intake 600"]
    before = _shown(server, "intake", "MainPID")
    server.run("cd /opt/referral && referral ca renew /etc/referral/authority /etc/referral/intake/tls --always", BLOCK_S)
    assert server.run("stat --format '%U %a' /etc/referral/intake/tls/identity.pem", BLOCK_S).split() == ["referral-intake", "600"]
    assert comes(lambda: _ready(server, 18443)) and _shown(server, "intake", "MainPID") == before


def _gives_back(server: Server) -> None:
    """A service that is stopped ends well, and holds nothing afterwards."""
    assert int(server.run(HELD.format(service="notifier"), BLOCK_S)) > 0
    server.run("systemctl stop referral@notifier", BLOCK_S)
    assert [_shown(server, "notifier", name) for name in ("Result", "ExecMainStatus", "ExecMainCode")] == ["success", "0", "1"]
    assert int(server.run(HELD.format(service="notifier"), BLOCK_S)) == 0


def _is_apart(server: Server) -> None:
    """No service's user reads another's folder, or the administrator's."""
    for name in LINE:
        others = [other for other in (*LINE, "keeper", "authority", "safe") if other != name]
        tries = " ".join(f"/etc/referral/{other}/." for other in others)
        said = server.run(f"runuser -u referral-{name} -- ls -d {tries} 2>&1 || true", BLOCK_S)
        assert said.count("Permission denied") == len(others), said


def _shown(server: Server, service: str, name: str) -> str:
    return server.run(f"systemctl show --value --property {name} referral@{service}", BLOCK_S).strip()


def _ready(server: Server, port: int) -> bool:
    asked = "--cacert /etc/referral/keeper/tls/authority.pem --cert /etc/referral/keeper/tls/identity.pem"
    return server.run(f"curl -sf {asked} https://127.0.0.1:{port}/readyz > /dev/null && echo yes || echo no", BLOCK_S).strip() == "yes"
