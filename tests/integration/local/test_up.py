"""`referral up` as a person or a program meets it: ready, watched, restarted, ended, and nothing left behind."""

from __future__ import annotations

import asyncio
import json
import os
import re
import shutil
import signal
import ssl
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from referral.ca import identity
from referral.cli import connection, run, standing
from referral.cli.stack import cast
from referral.client import Client
from referral.domain.inputs import ROSTER_BOOK
from referral.local import certificates
from referral.runtime import settings
from referral.runtime.random_secret import digest
from tests.harness import engines
from tests.harness.waiting import PATIENCE_S, comes

pytestmark = pytest.mark.servers
COMMAND = (sys.executable, "-c", "import sys; from referral.cli import main; main()", "up", "--port", "0")


def get(told: dict[str, Any], url: str) -> httpx.Response:
    """What a browser gets that believes the stack's root."""
    believed = ssl.create_default_context(cafile=Path(told["environment"]["REFERRAL_TLS"]) / identity.AUTHORITY)
    return httpx.get(url, verify=believed, timeout=PATIENCE_S)


def school(told: dict[str, Any], data: Path) -> Client:
    """The system of a school."""
    token = cast.load(data).tokens["school-drita"]
    return Client(told["url"], token, identity=certificates.agency(data / "ca", data, "school-drita"))


def mentioning(folder: Path) -> list[str]:
    """Command lines of living processes that name a folder, or hold its lock open."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            line = (process / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
            held = any(os.readlink(link) == str(folder / "lock") for link in (process / "fd").iterdir())
        except OSError:
            continue
        if held or (str(folder) in line and "pytest" not in line):
            found.append(line)
    return found


@pytest.fixture
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("up")


@pytest.fixture
def up(data: Path) -> Iterator[Callable[..., subprocess.Popen[str]]]:
    """Start `referral up` on the test's folder, without servers from the environment."""
    started: list[subprocess.Popen[str]] = []
    environment = {name: value for name, value in os.environ.items() if not name.startswith("REFERRAL_") or name == "REFERRAL_JARS"}

    def start(*more: str, sourced: dict[str, str] | None = None) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [*COMMAND, "--data", str(data), *more],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=environment | (sourced or {}),
        )
        started.append(process)
        return process

    yield start
    for process in started:
        process.kill()
        process.communicate()
    assert comes(lambda: not mentioning(data)), mentioning(data)


def first_line(process: subprocess.Popen[str]) -> dict[str, Any]:
    assert process.stdout is not None
    line = process.stdout.readline()
    if not line:
        pytest.fail(f"referral up ended with {process.wait()}: {process.stderr.read() if process.stderr else ''}")
    found: dict[str, Any] = json.loads(line)
    return found


def test_up_is_ready_restarts_what_dies_starts_again_after_a_kill_and_ends_with_ctrl_c(
    up: Callable[..., subprocess.Popen[str]], data: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two starts on one folder: the first is killed, and the next one works in a shell that has sourced the first."""
    process = up("--json", "--drill")
    told = first_line(process)
    ready(told, data)
    toured(told, data, capsys)
    second = up("--json")
    assert second.wait(90) == 2
    assert second.stderr is not None
    assert f"is in use by process {process.pid}" in second.stderr.read()
    restarted(told)

    process.kill()
    process.wait()
    process = up("--json", "--drill", sourced=sourced(data))
    again = first_line(process)
    assert {"kafka", "postgres"} <= set(again["processes"])
    assert again["url"] == told["url"]
    assert again["kafka"] == told["kafka"]
    assert again["environment"] == told["environment"]
    assert not [pid for name, p in told["processes"].items() if Path(f"/proc/{(pid := p['pid'])}").exists() and name]
    with monkeypatch.context() as shell:
        for name, value in again["environment"].items():
            shell.setenv(name, value)
        administered(capsys)

    process.send_signal(signal.SIGINT)
    assert process.wait(60) == 0
    assert not mentioning(data)
    assert run(["tour", "--data", str(data)]) == 2
    assert "start one in another shell" in capsys.readouterr().err
    assert not list(Path.cwd().glob("oversight-*")), "Faust left a folder in the working folder"


def ready(told: dict[str, Any], data: Path) -> None:
    """Every service runs, the doors answer, and the keys are their owner's alone."""
    assert {name.rpartition("-")[0] or name for name in told["processes"]} == {
        "eraser",
        "kafka",
        "postgres",
        "intake",
        "routing",
        "notifier",
        "audit",
        "oversight",
        "witness",
    }
    assert get(told, told["url"] + "/readyz").status_code == 200
    assert "no telephone rings" in get(told, told["handset"]).text
    for key in ("master.key", "ingress.key", "log.key"):
        assert (data / "keys" / key).stat().st_mode & 0o077 == 0
    with school(told, data) as client:
        assert client.offers() == []


def toured(told: dict[str, Any], data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The walk of a newcomer: ten stops, and each answers, also one that has just died; nobody is named whom the stack does not know."""
    os.kill(told["processes"]["audit-1"]["pid"], signal.SIGKILL)
    code = run(["tour", "--json", "--data", str(data)])
    stops = json.loads(capsys.readouterr().out)
    assert [(stop["address"], stop["problem"]) for stop in stops if stop["problem"]] == [], told["processes"]
    assert code == 0 and len(stops) == 10
    assert {stop["address"].removeprefix(told["url"]) for stop in stops} >= {"/refer", "/help", "/unverified", "/inbox", "/exercises"}
    logins = {member.login for member in cast.load(data).staff}
    assert all(stop["who"] in logins or not stop["secret"] or stop["who"].startswith("the token of") for stop in stops)
    assert run(["tour", "--no-wait", "--data", str(data)]) == 0
    screens = capsys.readouterr().out.split("\n\n")
    assert len([screen for screen in screens if " of 10 · " in screen]) == 10
    assert all(len(screen.splitlines()) <= 20 for screen in screens), "one stop, one screen"


def restarted(told: dict[str, Any]) -> None:
    """Intake is killed, and started again."""
    killed = told["processes"]["intake-1"]["pid"]
    os.kill(killed, signal.SIGKILL)

    def again() -> bool:
        try:
            return get(told, told["url"] + "/readyz").status_code == 200
        except httpx.TransportError:
            return False

    assert comes(lambda: not Path(f"/proc/{killed}").exists())
    assert comes(again)


STRANGER = "00000000-0000-4000-8000-000000000009"
BY_HAND = {
    "INSERT INTO intake.agency_token VALUES (decode('abcd', 'hex'), 'school-drita', '', 1, NULL)": "abcd of school-drita was made",
    "UPDATE intake.agency_token SET revoked_at = NULL WHERE revoked_at IS NOT NULL": "in force by hand: `referral agency token` has",
    "UPDATE audit.reader SET made_at = made_at + 100000000 WHERE name = 'ombudsperson'": "of ombudsperson was prolonged by hand",
    f"INSERT INTO intake.account SELECT '{STRANGER}', 'x', password, 'police-prizren', 'sq', true, false, created_at, true"
    " FROM intake.account WHERE login = 'agim'": f"the account {STRANGER} of police-prizren was made by hand",
    "UPDATE intake.account SET head = false WHERE login = 'agim'": "of police-prizren is no head any more by hand",
    "UPDATE intake.account SET disabled = true WHERE login = 'police-prizren.duty-officer'": "of police-prizren was disabled by hand",
    "UPDATE notifier.person SET rungs = '{commander}' WHERE id = 1": "the roster's row person 1 was changed by hand",
    "UPDATE notifier.weekly SET ended_at = 1 WHERE id = 2": "the roster's row weekly 2 was ended by hand",
}
"""A statement with the administrator's password → what it is named."""


def administered(capsys: pytest.CaptureFixture[str]) -> None:
    """What commands have changed is named nowhere; what somebody wrote by hand is, by `doctor` and by `audit verify`."""

    def said(*words: str) -> Any:
        run([*words, "--json"])
        return json.loads(capsys.readouterr().out)

    def unlogged() -> list[str]:
        return [each["what"] for each in said("audit", "verify")["findings"] if each["code"] == "UNLOGGED"]

    def commands() -> str:
        return str(next(check for check in said("doctor")["checks"] if check["name"] == "commands"))

    async def quiet(tx: AsyncConnection, found: settings.Settings) -> bool:
        there = await standing.read(tx)
        key = (await connection.case_keys(tx, found, [ROSTER_BOOK]))[ROSTER_BOOK]
        return not there.waiting and not there.queued and (await standing.by_hand(tx, key))[1] == []

    def by_hand(*statements: str) -> None:
        async def whole() -> None:
            async with engines.by_hand(settings.load()) as tx:
                for statement in statements:
                    await tx.execute(text(statement))

        asyncio.run(whole())

    person = ("--email", "a@example.org", "--rung", "duty-officer", "--head")
    said("staff", "add", "agim", "--agency", "police-prizren", *person)
    assert run(["staff", "disable", "agim"]) == run(["staff", "enable", "agim"]) == run(["duty", "pause", "--reason", "a test"]) == 0
    capsys.readouterr()
    made = digest(said("agency", "token", "school-drita")["token"]).hex()
    said("agency", "token", "school-drita", "--revoke", made[:12])
    said("audit", "token", "ombudsperson")
    assert comes(lambda: connection.ask(quiet)), "what commands did is in the log, and named nowhere"
    assert unlogged() == [] and "9 acts of operators" in commands()
    by_hand(*BY_HAND)
    found = unlogged()
    assert [what for what in BY_HAND.values() if not any(what in each for each in found)] == [] and len(found) == len(BY_HAND), found
    assert "by hand" in commands() and "bad" in commands().lower()


def test_ctrl_c_during_the_start_ends_everything(up: Callable[..., subprocess.Popen[str]], data: Path) -> None:
    process = up()
    assert comes(lambda: any("kafka.Kafka" in line for line in mentioning(data)), within=120)
    process.send_signal(signal.SIGINT)
    assert process.wait(60) == 0
    assert not mentioning(data)


def sourced(data: Path) -> dict[str, str]:
    """What a shell has after `. <data>/environment`."""
    lines = (line.removeprefix("export ").partition("=") for line in (data / "environment").read_text().splitlines())
    return {name: value.strip("'") for name, _, value in lines}


def test_a_named_database_that_is_away_is_one_line(up: Callable[..., subprocess.Popen[str]], data: Path) -> None:
    process = up(sourced={"REFERRAL_DATABASE": f"postgresql+asyncpg://postgres@/nowhere?host={data}/none"})
    assert process.wait(60) == 2
    assert process.stderr is not None
    said = process.stderr.read().strip()
    assert "the database that REFERRAL_DATABASE names does not answer" in said
    assert "Traceback" not in said


def test_a_port_that_is_taken_is_one_line(up: Callable[..., subprocess.Popen[str]]) -> None:
    import socket

    with socket.create_server(("127.0.0.1", 0)) as other:
        process = up("--kafka-port", str(other.getsockname()[1]))
        assert process.wait(60) == 2
    assert process.stderr is not None
    said = process.stderr.read().strip()
    assert said.endswith("stop that, or name another port (0: any free one)")
    assert "Traceback" not in said


STEPS = re.compile(r"^ *```sh restore\n(.*?)^ *```$", re.M | re.S)
OPERATORS = Path(__file__).parents[3] / "docs" / "operators.md"


def refer(told: dict[str, Any], data: Path, key: str) -> None:
    """One made-up referral, taken."""
    with school(told, data) as client:
        client.submit(json.loads((Path(__file__).parents[3] / "examples" / "referral.json").read_bytes()), key=key)


def shell(told: dict[str, Any], data: Path, script: str) -> str:
    """What a person types in another shell, in the folder of the data's parent."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("REFERRAL_")}
    environment |= {"PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}", "DATA": str(data)}
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", f'. "$DATA/environment"\n{script}'],
        cwd=data.parent,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout
    return done.stdout


def settled(told: dict[str, Any], data: Path) -> bool:
    """Everything that was sent stands in the log."""
    return "good" in shell(told, data, "referral doctor >/dev/null 2>&1 && echo good || true")


@pytest.mark.long
@pytest.mark.timeout(1500)  # four starts of everything
def test_an_older_copy_of_the_database_is_no_dead_end(up: Callable[..., subprocess.Popen[str]], data: Path) -> None:
    """As docs/operators.md says it, by its own commands."""
    recover, renew, swap = STEPS.findall(OPERATORS.read_text("utf-8"))

    def ended(process: subprocess.Popen[str]) -> None:
        process.send_signal(signal.SIGINT)
        assert process.wait(60) == 0

    first = up("--json", "--drill")
    told = first_line(first)
    assert told["ready"] is True
    refer(told, data, "before-the-copy")
    assert comes(lambda: settled(told, data), within=150)
    ended(first)
    base, copy = data / "postgres" / "data", data.parent / "copy"
    shutil.copytree(base, copy, symlinks=True)

    second = up("--json", "--drill")
    told = first_line(second)
    refer(told, data, "after-the-copy")
    assert comes(lambda: settled(told, data), within=150)
    ended(second)
    shutil.rmtree(base)
    copy.rename(base)

    third = up("--json", "--drill")
    told = first_line(third)
    states = {name: process["state"] for name, process in told["processes"].items()}
    assert told["ready"] is False and (states["audit-1"], states["intake-1"]) == ("unready", "unready"), states
    shell(told, data, recover)
    assert comes(lambda: get(told, told["url"] + "/readyz").status_code == 200)
    refer(told, data, "after-recover")
    shell(told, data, renew)
    ended(third)
    shell(told, data, swap)

    told = first_line(up("--json", "--drill"))
    assert comes(lambda: settled(told, data), within=150), shell(told, data, "referral doctor || true")
    shell(told, data, "referral audit verify")
