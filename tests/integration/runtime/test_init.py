"""What `referral init` made is what `referral prepare` takes, from a server that is believed by our authority, by an administrator who is
no superuser."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from msgspec import structs
from sqlalchemy import text

from referral.installation import folder as installation
from referral.installation.layout import Line
from referral.local import ports
from referral.runtime import bootstrap, settings
from referral.runtime.postgres import database
from referral.runtime.settings import Settings
from tests.harness import machines
from tests.harness.certificates import today

PLACE = "127.0.0.2"
"""An address of this machine that does not count as this machine: what connects to it speaks TLS."""
BEGIN = """
set -eu
bin=$1 place=$2 made=$3 address=$4 port=$5
"$bin/initdb" --pgdata "$place/db" --username postgres --auth trust --encoding UTF8 --locale C > /dev/null
printf '%s\\n' 'local all postgres trust' 'hostssl referral all all scram-sha-256' > "$place/db/pg_hba.conf"
cat >> "$place/db/postgresql.conf" <<END
listen_addresses = '$address'
port = $port
unix_socket_directories = '$place'
fsync = off
ssl = on
ssl_cert_file = '$made/postgres/identity.pem'
ssl_key_file = '$made/postgres/identity.pem'
END
"$bin/pg_ctl" --pgdata "$place/db" --log "$place/log" --wait start > /dev/null
"$bin/psql" --quiet --host "$place" --port "$port" --username postgres --set ON_ERROR_STOP=1 <<END
CREATE ROLE keeper LOGIN CREATEROLE PASSWORD '$(cat "$made/postgres/keeper.password")';
CREATE DATABASE referral OWNER keeper;
END
"""
END = '"$1/pg_ctl" --pgdata "$2/db" --mode immediate stop > /dev/null'
MISSING = os.geteuid() != 0 or machines.servers() is None
pytestmark = pytest.mark.skipif(MISSING, reason="needs root, and a PostgreSQL with TLS: apt-get install postgresql")


@dataclass(frozen=True)
class Begun:
    """made: what `referral init` made, for a server that runs."""

    made: Path

    def settings(self, program: str) -> Settings:
        """Return the settings of a program."""
        return settings.load({settings.FILE: str(self.made / program / f"{program}.toml")})


@pytest.fixture
def begun(folder: Path) -> Iterator[Begun]:
    made, (port,), postgres = folder / "line", ports.free(1), str(machines.servers())
    address = f"{PLACE}:{port}"
    hosts = {"inbox": "https://a.example", "audit": "https://b.example", "notifier": "https://c.example", "oversight": "https://d.example"}
    mail = {"smtp": "localhost:25", "smtp_from": "line@a.example", "name": "b.example/referral"}
    installation.make(made, Line(at=made, brokers=("none:1",), databases=(address,), exercise=True, **hosts, **mail), b"", today())
    user = ["unshare", "--user", "--map-user=1000", "--map-group=1000", "sh", "-c"]
    subprocess.run([*user, BEGIN, "begin", postgres, str(folder), str(made), PLACE, str(port)], check=True, stdin=subprocess.DEVNULL)
    yield Begun(made)
    subprocess.run([*user, END, "end", postgres, str(folder)], check=True)


async def test_prepare_takes_what_init_made(begun: Begun) -> None:
    before = {path: path.read_bytes() for path in begun.made.rglob("*") if path.is_file()}
    for _ in range(2):
        await bootstrap.prepare_database(begun.settings("keeper"))
    assert {path: path.read_bytes() for path in begun.made.rglob("*") if path.is_file()} == before
    for service in settings.SERVICES:
        engine = database.engine(begun.settings(service), service)
        async with engine.connect() as connection:
            said = await connection.execute(text("SELECT current_user, (SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid())"))
            assert tuple(said.one()) == (service, True)
        await engine.dispose()


async def test_a_server_of_another_authority_is_refused(begun: Begun, keeper: Path) -> None:
    engine = database.admin(structs.replace(begun.settings("keeper"), tls=keeper))
    with pytest.raises(Exception, match="certificate verify failed"):
        async with engine.connect():
            pass
    await engine.dispose()
