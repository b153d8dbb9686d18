"""Who is knocked, named from the command line; what an operator sees; and that nothing of an erased case stays."""

from __future__ import annotations

import asyncio
import json
import uuid
from collections import Counter
from collections.abc import AsyncIterator
from datetime import UTC, date, datetime
from pathlib import Path

import msgspec
import pytest
from prometheus_client import CollectorRegistry, generate_latest
from sqlalchemy import text
from sqlalchemy.exc import ProgrammingError

from referral import cli
from referral.channels import Outgoing
from referral.channels.email import Relay, relays
from referral.channels.message import compose
from referral.cli.admin.doctor import installation
from referral.cli.admin.doctor.result import Result
from referral.domain.case_number import case_number
from referral.domain.durations import SECOND_US
from referral.domain.events import RosterChanged
from referral.domain.inputs import ROSTER_BOOK
from referral.domain.rota import Single, Weekly, between, moment
from referral.errors import Rejected
from referral.roster import changes as roster
from referral.runtime import settings
from referral.runtime.postgres import database
from services.intake.accounts import store
from services.notifier import migrations
from services.notifier import roster as reading
from services.notifier.blame import FIRST_SECONDS
from services.notifier.duty import Loudness, Person, Roster, Rule, Shift, on_duty
from services.notifier.health import LATE_SECONDS, Watch
from services.notifier.history import rungs
from services.notifier.metrics import Figures
from services.notifier.pace import OTHERWISE
from tests.harness import believed, made_log, smtp
from tests.harness.erased import PLAIN
from tests.harness.line.notifier_stack import INBOX, Stack, of, opened, sending, stack
from tests.harness.waiting import until
from tests.integration.notifier.test_fails import attempts

ACCOUNT, OTHER, KNOWN = (str(uuid.uuid5(uuid.NAMESPACE_URL, name)) for name in ("officer", "other", "known"))
TABLES = ("person", "contact", "weekly", "single", "absence", "pause")
HELD = "FROM notifier.person WHERE ended_at IS NULL"
POLICE, DUTY = "police-prizren", "duty-officer"


@pytest.fixture
async def notifier(database: str, key_files: tuple[Path, Path]) -> AsyncIterator[Stack]:
    async with stack(database, key_files[0]) as made:
        yield made


@pytest.fixture
def told(database: str, key_files: tuple[Path, Path], keeper: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The environment of an operator's command line."""
    monkeypatch.setenv("REFERRAL_TLS", str(keeper))
    monkeypatch.setenv("REFERRAL_KAFKA", "unused:1")
    monkeypatch.setenv("REFERRAL_DATABASE", database)
    monkeypatch.setenv("REFERRAL_MASTER_KEY_FILE", str(key_files[0]))
    monkeypatch.setenv("REFERRAL_DRILL_CLOCK", "1")
    monkeypatch.setenv("REFERRAL_TRUST", str(believed.file(tmp_path / "trust.toml", made_log.policy())))


async def run(*arguments: str) -> int:
    return await asyncio.to_thread(cli.run, ["duty", *arguments])


async def test_a_person_named_on_the_command_line_is_on_duty(notifier: Stack, told: None, capsys: pytest.CaptureFixture[str]) -> None:
    await notifier.account(ACCOUNT, POLICE)
    add = ("person", ACCOUNT, "--agency", POLICE, "--rung", DUTY, "--email", "marker.o@police.example")
    assert await run(*add) == await run(*add) == 0
    assert await run("shift", ACCOUNT, "daily 00:00-24:00", "--rung", DUTY) == 0
    assert await run("absence", ACCOUNT, "2026-12-24 08:00", "2026-12-25 08:00") == 0
    async with notifier.engine.connect() as tx:
        known = await reading.load(tx, [POLICE])
    at = moment("2026-12-23 12:00")
    assert [(p.account, p.channels) for p in on_duty(known, POLICE, DUTY, at).people] == [(ACCOUNT, ("email",))]
    assert on_duty(known, POLICE, DUTY, moment("2026-12-24 12:00")).people == ()
    capsys.readouterr()
    assert await run("show", "--json") == 0
    shown = capsys.readouterr().out
    assert "marker" not in shown and len(json.loads(shown)["weekly"]) == 7
    assert await run("remove", "weekly", str(json.loads(shown)["weekly"][0]["id"])) == 0
    assert await run("show") == 0
    assert await run("disable", ACCOUNT) == 0
    async with notifier.engine.connect() as tx:
        assert on_duty(await reading.load(tx, [POLICE]), POLICE, DUTY, at).people == ()


async def test_somebody_may_have_a_telephone_alone_and_a_number_can_end(
    notifier: Stack, told: None, capsys: pytest.CaptureFixture[str]
) -> None:
    await notifier.account(ACCOUNT, POLICE)
    add = ("person", ACCOUNT, "--agency", POLICE, "--rung", DUTY)
    assert await run(*add, "--voice", "+999 38 000-001", "--sms", "+99938000001") == 0
    assert await run("rule", ACCOUNT, "urgent", "voice", "60") == await run("rule", ACCOUNT, "urgent", "voice", "30") == 0

    async def known() -> Person:
        async with notifier.engine.connect() as tx:
            (person,) = (await reading.load(tx, [POLICE])).people
            return person

    assert ((await known()).channels, (await known()).rules) == (("sms", "voice"), (Rule(Loudness.URGENT, "voice", 30),))
    assert await run(*add, "--sms", "-") == await run("rule", ACCOUNT, "urgent", "voice") == 0
    assert ((await known()).channels, (await known()).rules) == (("voice",), ())
    assert [row.address for row in await notifier.rows("SELECT address FROM notifier.contact WHERE channel = 'sms'")] == [None]
    for wrong in (("--voice", "044 123 456"), ("--sms", "+0441234567"), ("--voice", "marker@police.example")):
        assert await run(*add, *wrong) == 1
    assert await run("rule", ACCOUNT, "loud", "voice", "60") == await run("rule", ACCOUNT, "urgent", "pager", "60") == 1
    assert "allowed: normal, quiet, urgent" in (told_ := capsys.readouterr().err) and "allowed: email, sms, voice" in told_
    rows = [row for event in of(await notifier.drain(), RosterChanged) for row in event.rows]
    assert Counter((row.part, row.channel, row.ended) for row in rows if row.part in ("contact", "rule")) == {
        ("contact", "voice", False): 1,
        ("contact", "sms", False): 1,
        ("contact", "sms", True): 1,
        ("rule", "voice", False): 2,
        ("rule", "voice", True): 2,
    }
    assert "38000001" not in repr(rows)


async def test_one_command_makes_the_account_and_its_contact_and_another_silences_both(notifier: Stack, told: None) -> None:
    async def staff(*arguments: str) -> int:
        return await asyncio.to_thread(cli.run, ["staff", *arguments])

    add = ("add", "officer", "--agency", "police-prishtine", "--email", "marker.o@police.example")
    assert await staff(*add) == 1  # no rung: nobody would ever knock there
    assert await notifier.rows("SELECT 1 FROM intake.account") == []
    assert await staff(*add, "--rung", "duty-officer") == 0
    account = (await notifier.rows("SELECT id FROM intake.account"))[0].id
    people = await notifier.rows(f"SELECT account, agency, rungs, disabled {HELD}")
    assert people == [(account, "police-prishtine", ["duty-officer"], False)]
    assert await staff("disable", "officer") == 0
    assert (await notifier.rows(f"SELECT disabled {HELD}"))[0].disabled
    assert await staff("enable", "officer") == 0
    assert not (await notifier.rows(f"SELECT disabled {HELD}"))[0].disabled


WRONG: list[tuple[tuple[str, ...], str]] = [
    (("person", "no-uuid", "--agency", POLICE, "--rung", DUTY), "`referral staff add` prints it"),
    (("person", ACCOUNT, "--agency", "police-prizen", "--rung", DUTY), "did you mean police-prizren?"),
    (("person", ACCOUNT, "--agency", POLICE, "--rung", "duty-oficer"), "did you mean duty-officer? allowed: back-up, duty-officer,"),
    (("person", OTHER, "--agency", POLICE, "--rung", DUTY), "no inbox account has this id"),
    (("person", ACCOUNT, "--agency", "police-prishtine", "--rung", DUTY), "this account belongs to police-prizren"),
    (("person", ACCOUNT, "--agency", POLICE, "--rung", DUTY, "--email", "a b@c"), "an address like"),
    (("shift", OTHER, "daily 00:00-24:00", "--rung", DUTY), "add the person first"),
    (("shift", KNOWN, "daily 00:00-24:00", "--rung", "duty-oficer"), "did you mean duty-officer?"),
    (("shift", KNOWN, "dayly 00:00-24:00", "--rung", DUTY), "write `mon-fri 20:00-08:00`"),
    (("shift", KNOWN, "daily 00:00-24:00", "--rung", DUTY, "--since", "2026-12-24", "--until", "2026-12-01"), "must not lie before"),
    (("absence", OTHER, "2026-12-24 08:00", "2026-12-25 08:00"), "add the person first"),
    (("absence", KNOWN, "2026-12-24 08:00", "2026-12-23 08:00"), "the end must lie after the begin"),
    (("disable", OTHER), "add the person first"),
    (("enable", OTHER), "add the person first"),
    (("remove", "weekley", "1"), "did you mean weekly?"),
    (("remove", "weekly", "99"), "`referral duty show` prints the numbers"),
    (("show", "--agency", "police-prizen"), "did you mean police-prizren?"),
    (("history", "--agency", "police-prizen", "--at", "2026-11-26 02:00"), "did you mean police-prizren?"),
]


async def test_a_typing_error_is_named_and_changes_nothing(notifier: Stack, told: None, capsys: pytest.CaptureFixture[str]) -> None:
    await notifier.account(ACCOUNT, POLICE)
    await notifier.account(KNOWN, POLICE)
    async with notifier.admin.begin() as tx:
        await roster.add_person(tx, notifier.keys, account=KNOWN, agency=POLICE, rungs=[DUTY], email="marker.k@police.example")
    before = [await notifier.rows(f"SELECT * FROM notifier.{table}") for table in TABLES]
    for arguments, said in WRONG:
        assert await run(*arguments) == 1, arguments
        assert said in " ".join(capsys.readouterr().err.split())
    assert [await notifier.rows(f"SELECT * FROM notifier.{table}") for table in TABLES] == before


async def test_an_account_for_a_rung_that_does_not_exist_is_refused(
    notifier: Stack, told: None, capsys: pytest.CaptureFixture[str]
) -> None:
    add = ("add", "officer", "--agency", POLICE, "--email", "marker.o@police.example", "--rung", "duty-oficer")
    assert await asyncio.to_thread(cli.run, ["staff", *add]) == 1
    assert "did you mean duty-officer?" in " ".join(capsys.readouterr().err.split())
    assert await notifier.rows("SELECT 1 FROM intake.account") == []


async def test_a_pause_shows_in_readiness_and_metrics(notifier: Stack, told: None) -> None:
    registry = CollectorRegistry()
    watch = Watch(notifier.engine, Figures(registry))
    await notifier.person("a")
    await notifier.tell(await notifier.case(), opened())
    assert await run("pause", "--reason", "storm") == 0
    await watch.look()
    assert set(watch.not_ready()) == {"knocks-paused"}
    assert "referral_knocks_paused 1.0" in generate_latest(registry).decode()
    assert await run("resume") == 0
    await watch.look()
    assert watch.not_ready() == {}
    await notifier.advance((LATE_SECONDS + OTHERWISE.gather + 1) * 1_000_000)
    await watch.look()
    assert set(watch.not_ready()) == {"knocks-late"}


async def test_nothing_of_an_erased_case_stays(notifier: Stack) -> None:
    await notifier.person("a")
    gone, stays = await notifier.case(), await notifier.case()
    await notifier.tell(gone, opened())
    await notifier.tell(stays, opened())
    await notifier.tell(gone, PLAIN)
    assert notifier.alarms[gone] is None
    for table in ("asked", "delivery", "barred"):
        cases = {row.case_id for row in await notifier.rows(f"SELECT case_id FROM notifier.{table}")}
        assert gone not in cases
    assert await notifier.states() == ["WAITING"]


async def test_the_relay_is_read_from_the_environment(tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("word\n")
    told = {"REFERRAL_SMTP_FROM": "inbox@x.example", "REFERRAL_SMTP_TLS": "required", "REFERRAL_SMTP_USER": "u"}
    told |= {"REFERRAL_SMTP_PASSWORD_FILE": str(secret), "REFERRAL_SMTP": "mail.example:587"}
    (found,) = relays(settings.read(told)).values()
    assert found == Relay("mail.example", 587, "inbox@x.example", True, "u", "word") and "word" not in repr(found)
    wrong = {"REFERRAL_SMTP_TLS": "maybe"}, {"REFERRAL_SMTP_FROM": "nobody"}, {"REFERRAL_SMTP_PASSWORD_FILE": "/no/such/file"}
    for one in wrong:
        with pytest.raises(Rejected):
            relays(settings.read(one))
    with pytest.raises(Rejected):
        settings.read({"REFERRAL_SMTP": "mail.example"})


async def test_an_auditor_sees_who_was_on_duty_and_who_had_changed_it(
    notifier: Stack, told: None, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two o'clock: somebody has taken the officer off the rota five minutes before."""
    clock = "SELECT runtime.clock() AS now"
    for account in (ACCOUNT, OTHER):
        await notifier.account(account, POLICE)
        assert await run("person", account, "--agency", POLICE, "--rung", DUTY, "--email", f"marker.{account[:4]}@police.example") == 0
    assert await run("shift", ACCOUNT, "mon 00:00-mon 00:00", "--rung", DUTY) == 0
    await notifier.advance(60 * 1_000_000)  # commands are told whole seconds
    before = (await notifier.rows(clock))[0].now
    await notifier.advance(3600 * 1_000_000)
    ((number,),) = await notifier.rows("SELECT id FROM notifier.weekly")
    monkeypatch.setenv("LOGNAME", "made-up-operator")
    assert await run("shift", OTHER, "mon 00:00-mon 00:00", "--rung", DUTY) == await run("remove", "weekly", str(number)) == 0
    await notifier.advance(60 * 1_000_000)
    after = (await notifier.rows(clock))[0].now
    answers = []
    for at in (before, after):
        capsys.readouterr()
        written = datetime.fromtimestamp(at / 1e6, UTC).isoformat()
        assert await run("history", "--agency", POLICE, "--at", written, "--json") == 0
        answers.append(json.loads(capsys.readouterr().out))
    assert [[r["people"] for r in answer["rungs"]] for answer in answers] == [[[ACCOUNT]], [[OTHER]]]
    newest = answers[1]["changes"][:2]
    assert [(c["did"], c["part"], c["account"], c["by"]) for c in newest] == [
        ("ended", "weekly", ACCOUNT, "made-up-operator"),
        ("began", "weekly", OTHER, "made-up-operator"),
    ]
    assert {c["by"] for c in answers[0]["changes"]} != {"made-up-operator"}
    assert await run("history", "--agency", POLICE, "--at", "2026-11-26 02:00") == 0


async def test_the_log_tells_every_change_of_the_roster_and_nothing_of_a_person(notifier: Stack, told: None) -> None:
    await notifier.account(ACCOUNT, POLICE)
    assert await run("person", ACCOUNT, "--agency", POLICE, "--rung", DUTY, "--email", "marker.o@police.example") == 0
    assert await run("person", ACCOUNT, "--agency", POLICE, "--rung", "back-up", "--email", "marker.p@police.example") == 0
    assert await run("shift", ACCOUNT, "mon-fri 20:00-08:00", "--rung", DUTY, "--since", "2026-12-01") == 0
    assert await run("shift", ACCOUNT, "2026-12-24 20:00/2026-12-25 08:00", "--rung", DUTY) == 0
    assert await run("absence", ACCOUNT, "2026-12-24 08:00", "2026-12-25 08:00") == 0
    assert await run("remove", "single", "1") == await run("disable", ACCOUNT) == await run("pause", "--reason", "storm") == 0
    said = of(await notifier.drain(), RosterChanged)
    assert len(said) == 8 and len({e.changed_by for e in said}) == 1
    held: set[tuple[str, int]] = set()
    for row in (row for e in said for row in e.rows):
        (held.discard if row.ended else held.add)((row.part, row.number))
    for part in TABLES:
        kept = await notifier.rows(f"SELECT id, ended_at FROM notifier.{part}")
        assert {n for p, n in held if p == part} == {row.id for row in kept if row.ended_at is None}, part
    ended = [(r.part, r.number) for e in said for r in e.rows if r.ended]
    assert ("single", 1) in ended and ("person", 1) in ended
    assert await notifier.rows("SELECT 1 FROM notifier.contact WHERE ended_at IS NOT NULL AND address IS NOT NULL") == []
    assert "marker" not in repr([msgspec.to_builtins(e) for e in said])
    assert await run("person", ACCOUNT, "--agency", POLICE, "--rung", "back-up", "--email", "marker.p@police.example") == 0
    assert len(of(await notifier.drain(), RosterChanged)) == 8, "the same again is no change"


async def test_a_key_that_went_back_with_the_database_is_the_same_again(notifier: Stack) -> None:
    async with notifier.change() as tx:
        await roster.pause(tx, "storm")
    async with notifier.admin.begin() as tx:
        before = await notifier.keys.load(tx, [ROSTER_BOOK])
        await tx.execute(text("DELETE FROM keys.case_key"))
        assert await notifier.keys.book(tx, ROSTER_BOOK) == before[ROSTER_BOOK]


async def test_the_language_of_a_knock_is_the_one_chosen_in_the_inbox(notifier: Stack, relay: smtp.Relay) -> None:
    """Also of a message that waits already; and of the account the notifier may read nothing else."""
    account, relay.recipient = await notifier.person("a", language="sq"), smtp.later
    doors = database.engine(notifier.settings, "intake", size=1)
    async with sending(notifier.sender(relay.port)):
        case = await notifier.case()
        await notifier.tell(case, opened())
        await until(lambda: attempts(notifier, 1))
        async with doors.begin() as tx:
            await store.speak(tx, account, "sr-Cyrl")
        relay.recipient = smtp.accept
        await notifier.advance(int(FIRST_SECONDS) * SECOND_US)
        await relay.got(1)
    await doors.dispose()
    said = compose(Outgoing("", "", "", "sr-Cyrl", False, INBOX, case=case_number(case)))
    assert str(relay.letters[0]["Subject"]) == said.subject
    with pytest.raises(ProgrammingError, match="permission denied"):
        async with notifier.engine.connect() as tx:
            await tx.execute(text("SELECT login FROM intake.account"))


def test_a_rota_that_ran_out_and_gaps_between_single_shifts_are_told() -> None:
    people = tuple(Person(name, "police", ("duty",), ("email",)) for name in "ab")
    over = Shift("a", "police", "duty", Weekly(0, 0, 1440, until=date(2026, 11, 23)))
    hole = Shift("a", "police", "duty", Weekly(0, 0, 1440))
    night = Shift("a", "police", "duty", between("2026-12-24 20:00", "2026-12-25 08:00"))
    tuesday = moment("2026-12-01 12:00")
    found = {}
    for name, known in (("over", Roster(people, (over,))), ("hole", Roster(people, (hole,))), ("gap", Roster(people, (night,)))):
        ((row),) = rungs(known, "police", tuesday)
        found[name] = (row["people"], row["bare"], row["ran_out"])
    assert found == {"over": (["a", "b"], True, True), "hole": ([], True, False), "gap": (["a", "b"], True, True)}
    ((none),) = rungs(Roster(people), "police", tuesday)
    assert (none["bare"], none["said"]) == (False, "no rota: everybody of the rung is knocked")
    assert installation.duty([none]).result is Result.GOOD
    (ran_out,) = rungs(Roster(people, (over,)), "police", tuesday)
    assert installation.duty([none, ran_out]).result is Result.BAD


async def test_duty_show_tells_a_rota_that_ran_out(notifier: Stack, told: None, capsys: pytest.CaptureFixture[str]) -> None:
    await notifier.account(ACCOUNT, POLICE)
    assert await run("person", ACCOUNT, "--agency", POLICE, "--rung", DUTY) == 0
    assert await run("shift", ACCOUNT, "daily 00:00-24:00", "--rung", DUTY, "--until", "2026-01-05") == 0
    capsys.readouterr()
    assert await run("show", "--agency", POLICE, "--json") == 0
    (bare,) = json.loads(capsys.readouterr().out)["bare"]
    assert (bare["rung"], bare["now"]) == (DUTY, "no shift names anybody now: everybody of the rung is knocked")


async def test_a_roster_from_before_is_kept_and_holds(notifier: Stack) -> None:
    """The tables as they were, with a row of each kind, are taken over."""
    folder = Path(migrations.__file__).parent if migrations.__file__ else Path(next(iter(migrations.__path__)))
    before, told_, after = (folder / "versions" / name for name in ("0001_notifier.sql", "0002_told.sql", "0003_roster.sql"))
    answers, own, nights = (folder / "versions" / name for name in ("0005_answers.sql", "0013_own.sql", "0015_nights.sql"))
    rows = """
INSERT INTO notifier.person VALUES ('a', 'police', '{duty}', 'sq', true);
INSERT INTO notifier.contact VALUES ('a', 'email', 'sealed', NULL);
INSERT INTO notifier.weekly (account, agency, rung, weekday, start_minute, end_minute) VALUES ('a', 'police', 'duty', 0, 0, 1440);
INSERT INTO notifier.single (account, agency, rung, starts, ends) VALUES ('a', 'police', 'duty', 1, 2);
INSERT INTO notifier.absence (account, starts, ends) VALUES ('a', 1, 2);
INSERT INTO notifier.pause (reason, at) VALUES ('storm', 7);
"""
    async with notifier.admin.connect() as connection:
        driver = (await connection.get_raw_connection()).driver_connection
        assert driver is not None
        for script in ("DROP SCHEMA notifier CASCADE; CREATE SCHEMA notifier", before, told_, rows, after, answers, own, nights):
            await driver.execute(script if isinstance(script, str) else script.read_text("utf-8"))
    for table in TABLES:
        (row,) = await notifier.rows(f"SELECT added_at, added_by, ended_at FROM notifier.{table}")
        assert tuple(row) == (7 if table == "pause" else 0, "", None)
    async with notifier.admin.begin() as tx:
        await tx.execute(text("SET LOCAL search_path = notifier"))
        known = await reading.load(tx, ["police"], at=1)
    assert [(p.account, p.disabled, p.channels) for p in known.people] == [("a", True, ("email",))]
    assert ([type(s.time) for s in known.shifts], len(known.absences)) == ([Weekly, Single], 1)
