"""A database on another machine is believed by its certificate, and is asked again at a start while it does not answer."""

from __future__ import annotations

import ssl
from pathlib import Path

import pytest
from sqlalchemy.engine import make_url

from referral.errors import Rejected
from referral.runtime import secret_file
from referral.runtime.postgres import database, roles
from referral.runtime.settings import Settings


async def test_what_fails_while_the_database_does_not_answer_is_done_again() -> None:
    tries: list[int] = []

    async def work() -> str:
        tries.append(1)
        if len(tries) < 3:
            raise TimeoutError
        return "done"

    assert (await database.patiently(work), len(tries)) == ("done", 3)


@pytest.mark.parametrize(("error", "seconds"), [(ValueError("a statement"), 30.0), (TimeoutError(), 0.0)])
async def test_another_error_and_the_last_one_are_raised(error: Exception, seconds: float) -> None:
    tries: list[int] = []

    async def work() -> None:
        tries.append(1)
        raise error

    with pytest.raises(type(error)):
        await database.patiently(work, seconds)
    assert len(tries) <= 2


ONE, TWO = (
    "postgresql+asyncpg://keeper@db.example:5432/referral",
    "postgresql+asyncpg://keeper@/referral?host=a.example:5432,b.example:5433",
)


def test_the_database_of_another_machine_is_believed_as_the_broker_is(keeper: Path) -> None:
    address, tls = database.encrypted(make_url(ONE), keeper)
    assert (
        tls["ssl"].minimum_version == ssl.TLSVersion.TLSv1_3 and tls["ssl"].verify_mode == ssl.CERT_REQUIRED and tls["ssl"].check_hostname
    )
    assert len(tls["ssl"].get_ca_certs()) == 4 and address == make_url(ONE)
    for url, folder in ((ONE, None), (f"{ONE}?sslmode=disable", keeper)):
        with pytest.raises(Rejected, match="never in clear"):
            database.encrypted(make_url(url), folder)
    assert database.encrypted(make_url("postgresql+asyncpg://keeper@127.0.0.1:5432/referral"), keeper)[1] == {}


def test_of_several_servers_the_one_that_takes_writes_is_meant(keeper: Path) -> None:
    address, tls = database.encrypted(make_url(TWO), keeper)
    _, arguments = address.get_dialect()().create_connect_args(address)
    assert (arguments["host"], arguments["port"], arguments["target_session_attrs"]) == (
        ["a.example", "b.example"],
        [5432, 5433],
        "read-write",
    )
    assert "ssl" in tls
    assert roles._arguments(address) == {name: value for name, value in arguments.items() if name != "user"}
    older = "postgresql+asyncpg://k@/d?host=127.0.0.1:1&host=127.0.0.1:2&target_session_attrs=any"
    assert database.encrypted(make_url(older))[0].query["target_session_attrs"] == "any"


def test_the_administrators_password_may_stand_in_a_file(tmp_path: Path) -> None:
    file = tmp_path / "password"
    secret_file.write(file, b"p@ss/word\n")
    found = Settings(kafka="", database=ONE, instance="test", database_password_file=file)
    assert database.administrator(found).password == "p@ss/word"
    file.chmod(0o644)
    with pytest.raises(Rejected, match="others than its owner"):
        database.administrator(found)
