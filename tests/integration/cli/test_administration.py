"""Each changing command of an operator leaves exactly one act, or changes nothing: done, refused, and killed at each step."""

from __future__ import annotations

import asyncio
import os
import uuid
from pathlib import Path
from typing import Any

import asyncpg
import pytest
from sqlalchemy.engine import make_url

from referral.ca import authority, identity, names
from referral.cli import administration, run
from referral.cli.admin import prepare
from referral.cli.administration import ELSEWHERE, IN_DATABASE
from referral.cli.stack import cast
from referral.proof.act import Act, State, parse, token
from referral.runtime.settings import Settings
from tests.harness.certificates import HOST, made, today
from tests.harness.programs import environment
from tests.harness.struck import strikes

pytestmark = pytest.mark.servers

SOMEBODY = str(uuid.uuid5(cast.MADE_UP, "somebody"))
"""An account of police-prizren, on duty as its duty officer."""
WEEK = ("2026-12-24 20:00", "2027-01-02 08:00")
RUNS: dict[str, tuple[str, ...]] = {
    "agency token": ("school-drita", "--label", "a register"),
    "audit token": ("ombudsperson",),
    "duty person": (SOMEBODY, "--agency", "police-prizren", "--rung", "duty-officer", "--email", "s@example.org"),
    "duty rule": (SOMEBODY, "quiet", "email", "60"),
    "duty shift": (SOMEBODY, "mon-fri 20:00-08:00", "--rung", "duty-officer"),
    "duty absence": (SOMEBODY, *WEEK),
    "duty disable": (SOMEBODY,),
    "duty enable": (SOMEBODY,),
    "duty pause": ("--reason", "a test"),
    "duty resume": (),
    "duty remove": ("absence", "1"),
    "oversight begin": (),
    "oversight reader add": ("committee", "committee"),
    "oversight reader end": ("committee",),
    "policy activate": (),
    "staff add": ("agim", "--agency", "police-prizren", "--email", "a@example.org", "--rung", "duty-officer", "--head"),
    "staff password": ("agim",),
    "staff disable": ("agim",),
    "staff enable": ("agim",),
    "agency topic": ("school-drita",),
    "agency connect": ("school-drita",),
    "prepare": (),
    "recover": (),
    "ca crl": ("CA",),
    "ca replace": ("CA", "agencies"),
    "ca revoke": ("CA", "agency/school-drita"),
    "ca renew": ("CA", "PLACE"),
    "ca sign": ("CA", "operator/besa", "REQUEST"),
    "ca init": ("NEW",),
}
"""Command → arguments, in an order in which each can be done."""
ELSEWHERE_TESTED = {"audit renew": "tests/integration/audit/test_fork.py"}
REFUSED = (
    ("staff", "disable", "nobody"),
    ("agency", "token", "school-drita", "--revoke", "f" * 12),
    ("audit", "token", "nobody", "--end"),
    ("oversight", "reader", "end", "nobody"),
    ("duty", "remove", "weekly", "999999"),
    ("duty", "resume"),
    ("staff", "add", "agim", "--agency", "police-prizren"),
    ("policy", "activate"),
)
"""Commands that change nothing: refused, or done already."""


class Desk:
    """An operator's machine beside a database: it runs commands in this process, and reads the tables as nobody else does."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings

    def ask(self, statement: str) -> list[Any]:
        async def whole() -> list[Any]:
            url = make_url(self.settings.database).set(drivername="postgresql").render_as_string(hide_password=False)
            connection = await asyncpg.connect(url)
            try:
                return list(await connection.fetch(statement))
            finally:
                await connection.close()

        return asyncio.run(whole())

    def acts(self) -> list[Act]:
        return [parse(row["value"]) for row in self.ask("SELECT value FROM audit.act ORDER BY id")]

    def runs(self, *words: str) -> list[Act]:
        """Run a command that ends well, and return the acts that it left."""
        before = len(self.acts())
        assert run(list(words)) == 0, words
        return self.acts()[before:]


@pytest.fixture
def desk(settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Desk:
    for name, value in environment(settings, ca=tmp_path / "ca").items():
        monkeypatch.setenv(name, value)
    at = authority.place(tmp_path / "ca")
    authority.init(at, today())
    made(at, tmp_path / "intake", "service/intake", today(), HOST)
    (tmp_path / "request").write_bytes(identity.request(tmp_path / "besa", names.parse("operator/besa")))
    account = "INSERT INTO intake.account (id, login, password, agency, language, desk, head, disabled, created_at) VALUES"
    made_ = Desk(settings)
    made_.ask(f"{account} ('{SOMEBODY}', 'somebody', 'x', 'police-prizren', 'sq', false, false, false, 0)")
    return made_


def test_each_changing_command_leaves_one_entry_and_one_that_changes_nothing_none(
    desk: Desk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    assert set(RUNS) | set(ELSEWHERE_TESTED) == (IN_DATABASE | ELSEWHERE) - {"up"}
    monkeypatch.setattr(prepare, "ORDER", ())  # what each service restores is tested elsewhere
    places = {"CA": tmp_path / "ca", "PLACE": tmp_path / "intake", "REQUEST": tmp_path / "request", "NEW": tmp_path / "new"}
    digests = set[str]()
    for command, arguments in RUNS.items():
        words = [*command.split(), *(str(places.get(word, word)) for word in arguments)]
        left = desk.runs(*words)
        states = [State.DONE] if command in IN_DATABASE else [State.BEGUN, State.DONE]
        assert [(act.command, act.state) for act in left] == [(command, state) for state in states]
        assert len({act.id for act in left}) == 1 and {act.by for act in left} == {"operator/keeper"}
        assert left[0].arguments == administration.digest(desk.settings, tuple(words))
        digests.add(left[0].arguments)
    assert len(digests) == len(RUNS)

    before = len(desk.acts())
    for refused in REFUSED:
        assert run([*refused]) in (0, 1), refused
    assert len(desk.acts()) == before, "nothing changed, so nothing is said"
    written = b"".join(row["value"] for row in desk.ask("SELECT value FROM audit.act"))
    for word in (b"example.org", b"agim", b"a register", b"a test", b"Besa"):
        assert word not in written, "nothing about a person, and no words that somebody typed"
    _what_stands_in_the_tables_is_named(desk)
    _what_was_begun_and_broke_off_says_so(desk, monkeypatch)
    capfd.readouterr()


def _what_stands_in_the_tables_is_named(desk: Desk) -> None:
    named = {subject for act in desk.acts() for subject in act.about}
    for table in ("intake.agency_token", "audit.reader", "oversight.reader"):
        assert {token(row["hash"]) for row in desk.ask(f"SELECT hash FROM {table}")} <= named
    account = desk.ask("SELECT id FROM intake.account WHERE login = 'agim'")[0]["id"]
    assert f"account:{account}" in named and "policy:1" in named


def _what_was_begun_and_broke_off_says_so(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    before = len(desk.acts())
    assert run(["ca", "revoke", str(Path(os.environ["REFERRAL_CA"])), "agency/nobody"]) == 1
    assert [(act.command, act.state) for act in desk.acts()[before:]] == [("ca revoke", State.BEGUN), ("ca revoke", State.FAILED)]
    monkeypatch.delenv("REFERRAL_TLS")
    for words in (["agency", "token", "school-drita"], ["agency", "topic", "school-drita"]):
        assert run(words) == 2, "who does it must be known"
    assert len(desk.acts()) == before + 2


@pytest.mark.parametrize(
    ("words", "changed"),
    [
        (("agency", "token", "school-drita"), "SELECT count(*) AS n FROM intake.agency_token"),
        (
            ("staff", "add", "agim", "--agency", "police-prizren", "--email", "a@example.org", "--rung", "duty-officer"),
            "SELECT count(*) AS n FROM intake.account WHERE login = 'agim' AND EXISTS (SELECT FROM notifier.contact)"
            " AND EXISTS (SELECT FROM intake.queue)",
        ),
    ],
    ids=lambda value: value[1] if isinstance(value, tuple) else "",
)
def test_killed_at_any_step_a_change_and_its_entry_are_there_or_neither(
    desk: Desk, words: tuple[str, ...], changed: str, capfd: pytest.CaptureFixture[str]
) -> None:
    def after(_: int) -> None:
        assert desk.ask(changed)[0]["n"] == len(desk.acts())

    assert strikes(lambda: run([*words]), after, database=True) >= 3
    assert desk.acts()


def test_killed_at_any_step_nothing_is_signed_without_an_entry(desk: Desk, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    def signed() -> int:
        return len(list((tmp_path / "ca").glob("operators-1/issued/*.pem")))

    def after(_: int) -> None:
        begun = [act for act in desk.acts() if act.state is State.BEGUN]
        assert signed() <= len(begun) <= signed() + killed_between
        ended = {act.id for act in desk.acts() if act.state is State.DONE}
        assert len(ended) <= signed()

    killed_between = 40
    assert strikes(lambda: run(["ca", "sign", str(tmp_path / "ca"), "operator/besa", str(tmp_path / "request")]), after, database=True) >= 6
    assert signed() and [act.state for act in desk.acts()][-2:] == [State.BEGUN, State.DONE]
