"""Each changing command of an operator leaves exactly one act, or changes nothing: done, refused, and killed at each step."""

from __future__ import annotations

import asyncio
import hashlib
import os
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import asyncpg
import pytest
from sqlalchemy.engine import make_url

from referral.ca import authority, identity, names
from referral.cli import administration, connection, run, standing
from referral.cli.admin import prepare
from referral.cli.policy import policy_folder
from referral.cli.stack import cast
from referral.domain.policy import policy
from referral.local import keyfiles
from referral.proof.act import Act, State, parse, token
from referral.proof.archive import CHECKPOINT, POLICY
from referral.proof.unlogged import unlogged
from referral.proof.verify.acts import Acts
from referral.proof.verify.report import Report
from referral.runtime.kafka import clients
from referral.runtime.settings import Settings
from referral.tlog import merkle
from referral.tlog.checkpoint import Checkpoint
from referral.tlog.note_keys import ED25519, SignerKey
from referral.wire.act_table import ELSEWHERE, IN_DATABASE
from tests.harness import believed
from tests.harness.certificates import HOST, made, today
from tests.harness.line.audit_stack import KEY
from tests.harness.programs import environment
from tests.harness.struck import strikes
from tests.unit.proof.test_act import entry

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
    "duty remove": ("absence", "ABSENCE"),
    "oversight begin": (),
    "oversight reader add": ("committee", "committee"),
    "oversight reader end": ("committee",),
    "policy activate": (),
    "security honey": ("token", "--label", "a vault"),
    "staff add": ("agim", "--agency", "police-prizren", "--email", "a@example.org", "--rung", "duty-officer", "--head"),
    "staff password": ("agim",),
    "staff disable": ("agim",),
    "staff enable": ("agim",),
    "agency topic": ("school-drita",),
    "agency connect": ("school-drita",),
    "prepare": (),
    "recover": (),
    "topics rebuild": ("referral-notification",),
    "ca crl": ("CA",),
    "ca replace": ("CA", "agencies"),
    "ca revoke": ("CA", "agency/school-drita"),
    "ca renew": ("CA", "PLACE"),
    "ca sign": ("CA", "operator/besa", "REQUEST"),
    "ca init": ("NEW",),
    "audit renew": ("--export", "EXPORT", "--trust", "TRUST"),
}
"""Command → arguments, in an order in which each can be done."""
SHARE = ("agency token", "agency topic", "ca sign")
"""Commands that are killed in each run of the tests; all others with the long ones."""
KAFKA = ("agency topic", "prepare")
AS_IT_WAS = ("recover", "topics rebuild")
"""Commands that change nothing here: what each service restores is tested elsewhere."""
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
EVERYTHING = """
SELECT string_agg(format($$SELECT %L || md5(coalesce(string_agg(t::text, '|' ORDER BY t::text), '')) AS found FROM %s t$$, name, name),
 ' UNION ALL ') || $$ UNION ALL SELECT oid::regclass || coalesce(relacl::text, '') FROM pg_class WHERE relkind = 'r'$$ AS statement
FROM (SELECT oid::regclass::text AS name FROM pg_class WHERE relkind = 'r' AND oid <> 'audit.act'::regclass
 AND relnamespace::regnamespace::text NOT IN ('pg_catalog', 'information_schema') ORDER BY 1) AS tables
"""
"""A statement that makes the statement that reads every table but the acts, and all rights."""


class Desk:
    """An operator's machine beside a database: it runs commands in this process, and reads the tables as nobody else does."""

    def __init__(self, settings: Settings, folder: Path) -> None:
        """folder: all files that the commands of RUNS change."""
        self.settings, self.folder = settings, folder
        names = {"CA": "ca", "PLACE": "intake", "REQUEST": "request", "NEW": "new", "EXPORT": "export", "TRUST": "trust"}
        self._places = {word: str(folder / name) for word, name in names.items()}
        self._loop = asyncio.Runner()
        url = make_url(settings.database).set(drivername="postgresql").render_as_string(hide_password=False)
        self._connection = self._loop.run(asyncpg.connect(url))
        self._everything = str(self.ask(EVERYTHING)[0]["statement"])

    def words(self, command: str) -> tuple[str, ...]:
        """Return a command of RUNS as somebody types it."""
        if "ABSENCE" in RUNS[command]:
            self._places["ABSENCE"] = str(self.ask("SELECT max(id) AS id FROM notifier.absence")[0]["id"])
        return (*command.split(), *(self._places.get(word, word) for word in RUNS[command]))

    def ask(self, statement: str) -> list[Any]:
        """Read with one connection, which no forked child uses."""
        return list(self._loop.run(self._connection.fetch(statement)))

    def close(self) -> None:
        self._loop.run(self._connection.close())
        self._loop.close()

    def acts(self) -> list[Act]:
        return [parse(row["value"]) for row in self.ask("SELECT value FROM audit.act ORDER BY id")]

    def state(self, *, kafka: bool) -> set[str]:
        """Return a digest of each table but the acts, with its rights, and of each file. kafka: also its topics, and no other test's."""
        found = {row["found"] for row in self.ask(self._everything)}
        found |= {f"{path} {hashlib.md5(path.read_bytes()).hexdigest()}" for path in self.folder.rglob("*") if path.is_file()}
        return found | (asyncio.run(self._topics()) if kafka else set())

    async def _topics(self) -> set[str]:
        admin = clients.admin(self.settings)
        await admin.start()
        try:
            return {name for name in await admin.list_topics() if name.startswith(self.settings.topic_prefix)}
        finally:
            await admin.close()

    def runs(self, *words: str) -> list[Act]:
        """Run a command that ends well, and return the acts that it left."""
        before = len(self.acts())
        assert run(list(words)) == 0, words
        return self.acts()[before:]


@pytest.fixture
def desk(settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Desk]:
    for name, value in environment(settings, ca=tmp_path / "ca").items():
        monkeypatch.setenv(name, value)
    at = authority.place(tmp_path / "ca")
    authority.init(at, today())
    made(at, tmp_path / "intake", "service/intake", today(), HOST)
    (tmp_path / "request").write_bytes(identity.request(tmp_path / "besa", names.parse("operator/besa")))
    account = "INSERT INTO intake.account (id, login, password, agency, language, desk, head, disabled, created_at) VALUES"
    (tmp_path / "export").mkdir()
    (tmp_path / "export" / CHECKPOINT).write_bytes(Checkpoint(KEY.name, 0, merkle.EMPTY).sign(KEY).encode())
    (tmp_path / "export" / POLICY).write_bytes(keyfiles.policy(KEY.verifier, ()))
    believed.file(tmp_path / "trust", keyfiles.policy(SignerKey("log.example/next", ED25519, bytes(32)).verifier, ()))
    made_ = Desk(settings, tmp_path)
    made_.ask(f"{account} ('{SOMEBODY}', 'somebody', 'x', 'police-prizren', 'sq', false, false, false, 0)")
    yield made_
    made_.close()


def test_each_changing_command_leaves_one_entry_and_one_that_changes_nothing_none(
    desk: Desk, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    assert set(RUNS) == (IN_DATABASE | ELSEWHERE) - {"up"}
    monkeypatch.setattr(prepare, "ORDER", ())  # what each service restores is tested elsewhere
    digests = set[str]()
    for command in RUNS:
        words = desk.words(command)
        left = desk.runs(*words)
        states = [State.DONE] if command in IN_DATABASE else [State.BEGUN, State.DONE]
        assert [(act.command, act.state) for act in left] == [(command, state) for state in states]
        assert len({act.id for act in left}) == 1 and {act.by for act in left} == {"operator/keeper"}
        assert left[0].arguments == administration.digest(desk.settings, words)
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
    first, second, *_ = desk.acts()
    assert f"account:{SOMEBODY}" in first.about and f"account:{SOMEBODY}" not in second.about, "the first act names what stood before it"
    tables = connection.run(desk.settings, standing.read)
    assert tables.queued and [one.what for one in unlogged(tables, (), ()) if one.sure] == [], "the acts account for all but what is queued"
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


@pytest.mark.timeout(1500)
@pytest.mark.parametrize("commands", [SHARE, pytest.param(tuple(RUNS), marks=pytest.mark.long)], ids=["share", "all"])
def test_killed_at_any_step_a_change_and_its_entry_are_there_or_neither(
    desk: Desk, commands: tuple[str, ...], monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(prepare, "ORDER", ())
    killed = {}
    for command in RUNS:
        words = desk.words(command)
        if command == "prepare":
            desk.ask("REVOKE SELECT ON routing.place FROM routing")  # which it gives back
        if command in commands:
            killed[command] = _killed(desk, command, lambda words=words: run([*words]))
    if commands == tuple(RUNS):
        assert run(["ca", "crl", desk.words("ca init")[-1]]) == 0, "an authority that was killed at each step of its making works"
        people = cast.gather(desk.folder, policy.compile(policy_folder.read(desk.settings.policy)).agencies.values())
        killed["up"] = _killed(desk, "up", lambda: asyncio.run(cast.seed(desk.settings, people, telephones=False)))
    capfd.readouterr()
    with capfd.disabled():
        print(f"\n{sum(killed.values())} kills: {', '.join(f'{command} {number}' for command, number in killed.items())}")
    assert killed.keys() >= set(commands) and min(killed.values()) >= 3


def _killed(desk: Desk, command: str, work: Callable[[], object]) -> int:
    """Kill a command at each step until it ends alive; return how often. Each time, what has changed since has its entry."""
    kafka = command in KAFKA
    left = [(desk.state(kafka=kafka), len(desk.acts()))]
    done = list[bool]()

    def after(_: int) -> None:
        (was, number), now, acts = left[-1], desk.state(kafka=kafka), desk.acts()
        new = acts[number:]
        assert all(act.command == command for act in new)
        if command in IN_DATABASE:
            assert [act.state for act in new] in ([], [State.DONE])
        else:
            assert [act.state for act in new] in ([], [State.BEGUN], [State.BEGUN, State.DONE], [State.BEGUN, State.FAILED])
        assert new or now == was, f"`{command}` has changed {now ^ was}, and no entry says so"
        done.append(bool(new) and now != was)
        left.append((now, len(acts)))

    begun = len(desk.acts())
    number = strikes(work, after, database=True)
    assert any(done) or command in AS_IT_WAS, f"`{command}` has changed nothing"
    _unended(desk.acts()[begun:])
    return number


def _unended(acts: list[Act]) -> None:
    """What was killed before its outcome is named, and the same command has healed it."""
    ended = {act.id for act in acts if act.state is not State.BEGUN}
    report = Report()
    named = Acts(report=report)
    for idx, act in enumerate(acts):
        named.take(entry(idx, act.encode()))
    named.finish()
    found = [each.idx for each in report.findings if each.code == "ACT_OPEN"]
    assert found == [idx for idx, act in enumerate(acts) if act.id not in ended]
    assert acts[-1].state is not State.BEGUN
