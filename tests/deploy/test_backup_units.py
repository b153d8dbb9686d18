"""docs/operators.md, backups: each block runs as it stands on a server that systemd booted, and the units take backups within walls."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.deploy.backups import ENCRYPTS
from tests.harness import booted
from tests.harness.booted import Server
from tests.harness.page_blocks import blocks
from tests.harness.waiting import comes

PAGE = Path(__file__).parents[2] / "docs" / "operators.md"
BLOCK_S = 120
"""Longest run of one block: on an idle machine the longest takes 5 s."""
INIT = "cd /opt/referral && .venv/bin/referral init /etc/referral --exercise --database 127.0.0.1:5432 && systemctl start postgresql"
KEYS = """cd /root && for name in besa arta; do age-keygen --output $name.key; done
for name in besa arta; do age-keygen -y $name.key; done > /etc/referral/archive/recipients"""
"""Each of the two operators, elsewhere: here their machines are this one."""
FOLDER = "/var/lib/referral-archive/1"
ASK = "cd / && runuser -u postgres -- psql --quiet --tuples-only --no-align --command "
HOW = "SELECT version FROM pg_stat_replication JOIN pg_stat_ssl USING (pid) WHERE application_name = 'archive' AND sync_state = 'quorum'"


@ENCRYPTS
@pytest.mark.skipif(bool(booted.missing()), reason=booted.missing())
def test_the_units_take_backups_of_a_server_that_is_verified(tmp_path: Path, record_property: Callable[[str, object], None]) -> None:
    place = tmp_path / "server"
    place.mkdir()
    with booted.server(place) as server:
        for _, block in (("", INIT), ("", KEYS), *blocks(PAGE, "sh database", "sh backup")):
            server.run(block, BLOCK_S)
        assert server.run(f'{ASK} "{HOW}"', BLOCK_S).strip() == "TLSv1.3", "each commit waits for what is received over TLS"
        taken = _taken(server)
        assert [name.partition("Z-")[2] for name in taken] == ["full"]
        listed = server.run(f"stat --format '%U %a' {FOLDER} {FOLDER}/{taken[0]}", BLOCK_S)
        assert set(listed.splitlines()) == {"referral-archive 700"}, "nobody else reads them"
        assert _shown(server, "referral-backup.timer", "NextElapseUSecRealtime")

        kinds = f"find {FOLDER} -type f ! -name '*.age' -printf '%f\\n' | sort -u"
        assert server.run(kinds, BLOCK_S).split() == ["backup_label", "backup_manifest", "lock"], "all else is encrypted"

        before = _shown(server, "referral-archive", "MainPID")
        server.run("systemctl kill --signal=KILL referral-archive", BLOCK_S)
        assert comes(lambda: _shown(server, "referral-archive", "MainPID") not in ("0", before)), server.journal()
        server.run(f'{ASK} "CREATE TABLE committed ()"', BLOCK_S)
        server.run("systemctl start referral-backup", BLOCK_S)
        assert len(_taken(server)) == 2, "and the next one"

        server.run("rm -r /etc/referral/archive/root.pem", BLOCK_S)
        server.run("! systemctl start referral-backup 2> /dev/null", BLOCK_S)
        assert "the server does not answer; nothing was taken" in server.run("journalctl --no-pager --unit referral-backup", BLOCK_S)
        for user, folders in (("archive", ("keeper", "postgres", "intake")), ("intake", ("archive",))):
            tries = " ".join(f"/etc/referral/{folder}/." for folder in folders)
            said = server.run(f"runuser -u referral-{user} -- ls -d {tries} 2>&1 || true", BLOCK_S)
            assert said.count("Permission denied") == len(folders), said
        exposed = server.run("systemd-analyze security --no-pager referral-backup | tail -n 1", BLOCK_S)
        record_property("figure", exposed.strip().lstrip("→ "))


def _taken(server: Server) -> list[str]:
    return server.run(f"ls {FOLDER} | grep Z- || true", BLOCK_S).split()


def _shown(server: Server, unit: str, name: str) -> str:
    return server.run(f"systemctl show --value --property {name} {unit}", BLOCK_S).strip()
