"""What takes two operators: one alone is refused and changes nothing; with another's word for exactly this there is one act of both."""

from __future__ import annotations

import asyncio
import hashlib
import uuid
from pathlib import Path
from typing import Any

import asyncpg
import pytest
from msgspec import structs
from sqlalchemy.engine import make_url

from referral.ca import authority, identity, names
from referral.cli import administration, run
from referral.cli.admin import prepare
from referral.proof.act import Act, State, parse
from referral.runtime.settings import Settings
from referral.wire.act_table import BY_TWO
from referral.wire.signed import operator_word
from referral.wire.signed.operator_word import Message
from tests.harness import believed, two_operators
from tests.harness.certificates import today
from tests.harness.programs import environment
from tests.harness.two_operators import BESA, FIRST, LINES, OPERATORS, SECOND

pytestmark = pytest.mark.servers

SOMEBODY = str(uuid.UUID(int=7))
RUNS: dict[str, tuple[str, ...]] = {
    "staff password": ("somebody",),
    "staff add": ("agim", "--agency", "police-prizren", "--email", "a@example.org", "--rung", "duty-officer", "--head"),
    "staff enable": ("agim",),
    "agency connect": ("school-drita",),
    "agency token": ("school-drita", "--label", "a register"),
    "audit token": ("court-prizren",),
    "oversight reader add": ("committee", "committee"),
    "ca sign": ("CA", "operator/arta", "REQUEST"),
    "ca replace": ("CA", "services"),
    "ca init": ("NEW",),
    "recover": (),
    "topics rebuild": ("referral-notification",),
}
"""Command → arguments, in an order in which each can be done."""
OTHERWISE: dict[str, tuple[str, ...]] = {
    "staff password": ("another",),
    "staff add": ("agim", "--agency", "police-prizren", "--desk"),
    "staff enable": ("somebody",),
    "agency connect": ("school-bajram",),
    "agency token": ("police-prizren", "--label", "a register"),
    "audit token": ("ombudsperson",),
    "oversight reader add": ("committee", "adviser"),
    "ca sign": ("CA", "operator/arta", "ANOTHER"),
    "ca replace": ("CA", "operators"),
    "ca init": ("NEW", "--lists", "http://elsewhere.example"),
    "topics rebuild": ("referral-policy",),
}
"""The same command about something else."""
ONE = (
    ("staff", "disable", "agim"),
    ("agency", "token", "school-drita", "--revoke", "all"),
    ("audit", "token", "court-prizren", "--end"),
    ("oversight", "reader", "end", "committee"),
    ("ca", "revoke", "CA", "operator/arta"),
    ("ca", "replace", "CA", "services-1", "--end"),
)
"""What stops somebody or something: one operator may do it at once."""
ELSEWHERE_TESTED = {"audit renew": "tests/integration/audit/test_fork.py"}


class Two:
    """The first operator's machine beside a database, and the second's: both run commands in this process."""

    def __init__(self, settings: Settings, folder: Path, capfd: pytest.CaptureFixture[str]) -> None:
        self.settings, self.folder, self._capfd = settings, folder, capfd
        names_ = {"CA": "ca", "REQUEST": "request", "ANOTHER": "another", "NEW": "new"}
        self.places = {word: str(folder / name) for word, name in names_.items()}

    def words(self, command: str, arguments: tuple[str, ...]) -> list[str]:
        return [*command.split(), *(self.places.get(word, word) for word in arguments)]

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

    def state(self) -> tuple[Any, ...]:
        """Everything that the commands could change: acts, accounts, and the files of authorities and agencies."""
        accounts = self.ask("SELECT md5(string_agg(a::text, ',' ORDER BY id)) AS all FROM intake.account a")[0]["all"]
        files = sorted(one for one in self.folder.rglob("*") if one.is_file() and one.suffix != ".lock")
        return len(self.acts()), accounts, [(one, hashlib.sha256(one.read_bytes()).digest()) for one in files]

    def run(self, *words: str) -> tuple[int, str]:
        """Run a command; return its exit code and all that it says."""
        self._capfd.readouterr()
        code = run([*words])
        said = self._capfd.readouterr()
        return code, said.out + said.err

    def word(self, *words: str, key: str = "besa", to: str = "keeper") -> str:
        """Return the line of another operator's word for a command."""
        self._capfd.readouterr()
        assert run(["operator", "word", to, "--key", str(self.folder / f"{key}.key"), "--", *words]) == 0, words
        return self._capfd.readouterr().out.strip()


@pytest.fixture
def two(settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Two:
    trust = believed.also(settings, tmp_path / "trust.toml", LINES)
    keeper, *_ = two_operators.key_files(tmp_path)
    more = {"ca": tmp_path / "ca", "trust": trust, "operator_keys": keeper}
    for name, value in environment(settings, **more).items():
        monkeypatch.setenv(name, value)
    authority.init(authority.place(tmp_path / "ca"), today())
    for name in ("request", "another"):
        (tmp_path / name).write_bytes(identity.request(tmp_path / f"of-{name}", names.parse("operator/arta")))
    made = Two(settings, tmp_path, capfd)
    account = "INSERT INTO intake.account (id, login, password, agency, language, desk, head, disabled, created_at) VALUES"
    made.ask(f"{account} ('{SOMEBODY}', 'somebody', 'x', 'police-prizren', 'sq', false, false, false, 0)")
    monkeypatch.setattr(prepare, "ORDER", ())  # what each service restores is tested elsewhere
    return made


def test_one_operator_alone_changes_nothing_and_two_leave_one_act_of_both(two: Two, monkeypatch: pytest.MonkeyPatch) -> None:
    assert set(RUNS) | set(ELSEWHERE_TESTED) == BY_TWO
    for command, arguments in RUNS.items():
        words = two.words(command, arguments)
        for what, line in _refused(two, command, words).items():
            before = two.state()
            code, said = two.run(*words, *(("--word", line) if line else ()))
            assert code == 1 and "second-operator" in said, (command, what, said)
            assert f"referral operator word keeper --key FILE -- {command}" in said and len(said.splitlines()) == 1, said
            assert two.state() == before, (command, what)
        before, line = len(two.acts()), two.word(*words)
        code, said = two.run(*words, "--word", line)
        assert code == 0, (command, said)
        left = two.acts()[before:]
        assert len({act.id for act in left}) == 1 and [act.state for act in left] in ([State.DONE], [State.BEGUN, State.DONE]), command
        assert all(act.lacks(OPERATORS) == "" and act.who == f"{FIRST} with {SECOND}" for act in left), left
        assert left[0].arguments == administration.digest(two.settings, tuple(words)), "the word is no part of what was done"
        now = two.state()
        code, said = two.run(*words, f"--word={line}")
        assert code == 1 and "was used before" in said and two.state() == now, (command, said)
    _one_is_enough_to_stop(two)
    _both_keys_in_one_place_are_a_local_stack(two, monkeypatch)


def _refused(two: Two, command: str, words: list[str]) -> dict[str, str]:
    """What is no other operator's word for this, by what it is; "": none is there."""
    message = operator_word.read(two.word(*words))
    old = operator_word.write(_earlier(message, command))
    found = {
        "none": "",
        "their own": two.word(*words, key="keeper"),
        "a stranger's": two.word(*words, key="stranger"),
        "for another operator": two.word(*words, to="agron"),
        "ended": old,
        "no word": "abc",
    }
    if other := OTHERWISE.get(command):
        found["for other arguments"] = two.word(*two.words(command, other))
    return found


def _earlier(message: Message, command: str) -> Message:
    """The same word, given two hours ago."""
    until = message.until - 7_200
    return structs.replace(message, until=until, signature=BESA.sign(operator_word.statement(FIRST, command, message.digest, until)))


def _one_is_enough_to_stop(two: Two) -> None:
    for words in ONE:
        before = len(two.acts())
        code, said = two.run(*(two.places.get(word, word) for word in words))
        assert code == 0, said
        assert len(two.acts()) > before and all(act.lacks(OPERATORS) == "" for act in two.acts()[before:])


def _both_keys_in_one_place_are_a_local_stack(two: Two, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REFERRAL_OPERATOR_KEYS", f"{two.folder / 'keeper.key'}:{two.folder / 'besa.key'}")
    assert two.run("staff", "password", "somebody")[0] == 0 and two.acts()[-1].lacks(OPERATORS) == ""
    for keys, reason in (("", "missing"), (str(two.folder / "besa.key"), "not-operator"), (str(two.folder / "request"), "no-key")):
        monkeypatch.setenv("REFERRAL_OPERATOR_KEYS", keys)
        code, said = two.run("staff", "password", "somebody")
        assert code == 2 and reason in said and "REFERRAL_OPERATOR_KEYS" in said, said
