"""The command line as a stranger meets it: help with exit codes and an example, usage errors of one line, no traceback without a stack."""

from __future__ import annotations

import ast
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from typer.models import Context

from referral.cli import app as program
from referral.cli import run
from referral.cli.app import app
from referral.cli.commands import Named
from referral.local import ports

DESIGNED = (
    "up",
    "demo",
    "handset",
    "submit",
    "offers",
    "respond",
    "case show",
    "case erase",
    "case hold",
    "case lift",
    "case erase-refused",
    "case erasures",
    "policy check",
    "policy activate",
    "audit verify",
    "audit replay",
    "audit export",
    "audit prove",
    "audit diff",
    "audit witness",
    "agency token",
    "staff add",
    "prepare",
    "recover",
    "topics rebuild",
    "doctor",
    "oversight show",
)
ASKS_DATABASE = (
    ("doctor",),
    ("channels",),
    ("prepare",),
    ("recover",),
    ("topics", "rebuild"),
    ("drill", "pass", "1"),
    ("drill", "report", "c"),
    ("audit", "verify"),
    ("audit", "replay", "--case", "c"),
    ("audit", "export", "nowhere"),
    ("audit", "prove", "--entry", "1"),
    ("audit", "diff", "live", "live"),
    ("policy", "activate"),
    ("policy", "propose"),
    ("policy", "pins"),
    ("agency", "token", "school-drita"),
    ("staff", "list"),
    ("security", "events"),
    ("staff", "disable", "somebody"),
    ("duty", "show"),
    ("oversight", "releases"),
    ("oversight", "reader", "end", "office"),
    ("duty", "pause", "--reason", "test"),
)
ASKS_BROKER = (("agency", "topic", "school-drita"),)
ASKS_INTAKE = (("offers",), ("submission", "k"), ("case", "show", "c"), ("respond", "o", "ACCEPT"))


def commands() -> Iterator[tuple[str, Named]]:
    """Every command by its words, not yet loaded."""

    def below(command: Any, words: str) -> Iterator[tuple[str, Named]]:
        for name, one in getattr(command, "commands", {}).items():
            yield from below(one, f"{words} {name}".strip())
        if not hasattr(command, "commands"):
            yield words, command

    return below(app, "")


LISTED = dict(commands())
ALL: dict[str, Any] = {words: command.load() for words, command in LISTED.items()}
HEAVY = (
    *("sqlalchemy", "asyncpg", "alembic", "aiokafka", "httpx", "starlette", "uvicorn", "cryptography", "argon2", "msgspec", "fastavro"),
    *("yaml", "jinja2", "structlog", "prometheus_client", "rich", "asyncio", "services", "referral.domain", "referral.runtime.observe"),
)
"""What takes a tenth of a second and more together, and what no list of commands needs."""


@pytest.fixture
def nowhere(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, keeper: Path) -> None:
    """A complete environment in which nothing answers."""
    closed = ports.free(3)
    (tmp_path / "key").write_text("ab" * 32)
    (tmp_path / "key").chmod(0o600)
    monkeypatch.setenv("REFERRAL_DATABASE", f"postgresql+asyncpg://postgres@127.0.0.1:{closed[0]}/nowhere")
    monkeypatch.setenv("REFERRAL_DATABASE_PASSWORDS", str(tmp_path / "passwords"))
    monkeypatch.setenv("REFERRAL_KAFKA", f"127.0.0.1:{closed[1]}")
    monkeypatch.setenv("REFERRAL_MASTER_KEY_FILE", str(tmp_path / "key"))
    monkeypatch.setenv("REFERRAL_URL", f"http://127.0.0.1:{closed[2]}")
    monkeypatch.setenv("REFERRAL_TOKEN", "token")
    monkeypatch.setenv("REFERRAL_TLS", str(keeper))
    monkeypatch.setenv("REFERRAL_POLICY_KEYS", os.pathsep.join((str(tmp_path / "keeper"), str(tmp_path / "office"))))


def test_every_command_of_the_design_is_there_and_speaks_json() -> None:
    for words in DESIGNED:
        assert any("--json" in option.opts for option in ALL[words].params), words


def test_the_lists_show_each_command_that_exists_with_the_first_sentence_of_its_help() -> None:
    for words, command in ALL.items():
        shown = LISTED[words].get_short_help_str(1000)
        assert (shown, LISTED[words].hidden) == (command.get_short_help_str(1000), command.hidden), words


def test_every_command_that_is_written_is_listed() -> None:
    """A command is a function whose docstring ends with an example of its call."""
    folder = Path(program.__file__).parent
    bodies = {
        ".".join(file.relative_to(folder).with_suffix("").parts): ast.parse(file.read_text("utf-8")).body for file in folder.rglob("*.py")
    }
    functions = [(stem, one) for stem, body in bodies.items() for one in body if isinstance(one, ast.FunctionDef)]
    written = {(stem, one.name) for stem, one in functions if "\nExample: referral " in (ast.get_docstring(one) or "")}
    assert written == {(one.callback.__module__.removeprefix("referral.cli."), one.callback.__name__) for one in ALL.values()}


def test_help_and_a_shell_see_the_same_commands(capsys: pytest.CaptureFixture[str]) -> None:
    for group in ("", *sorted({words.rpartition(" ")[0] for words in ALL} - {""})):
        found: Any = app
        for word in group.split():
            found = found.commands[word]
        assert run([*group.split(), "--help"]) == 0
        rows = capsys.readouterr().out.partition("Commands:\n")[2].splitlines()
        completed = [item.value for item in found.shell_complete(Context(found), "")]
        assert [row.split()[0] for row in rows] == completed == list(found.commands), group


def test_the_list_of_commands_loads_none_of_what_they_need() -> None:
    """Each of the packages is a part of the second that an operator would wait for `--help`."""
    script = "import sys; from referral.cli import run; run(['--help']); run(['audit', '--help']); print(*sys.modules, file=sys.stderr)"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    loaded = set(done.stderr.split())
    assert "referral.cli.app" in loaded
    assert sorted(loaded.intersection(HEAVY)) == []


@pytest.mark.parametrize(
    ("words", "module"),
    [
        ("audit verify no-such-export", "audit.verify"),
        ("policy check no-such-folder", "policy.check"),
        ("policy show no-such-procedure", "policy.show"),
        ("policy simulate no-such-folder", "policy.simulate"),
    ],
)
def test_whoever_has_an_export_or_a_policy_folder_loads_no_database(words: str, module: str) -> None:
    script = f"import sys; from referral.cli import run; run({words.split()}); print(*sys.modules, file=sys.stderr)"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    loaded = set(done.stderr.split())
    assert f"referral.cli.{module}" in loaded
    assert sorted(loaded.intersection(("sqlalchemy", "asyncpg", "aiokafka"))) == []


@pytest.mark.parametrize("words", ALL)
def test_help_says_what_it_does_its_exit_codes_and_an_example(words: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run([*words.split(), "--help"]) == 0
    said = " ".join(capsys.readouterr().out.split())
    assert "Exit 0" in said and f"Example: referral {words}" in said


@pytest.mark.parametrize("words", ALL)
def test_a_usage_error_is_one_line_and_exit_code_2(words: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run([*words.split(), "--no-such-option"]) == 2
    said = capsys.readouterr().err
    assert said.startswith("referral: ") and said.count("\n") == 1


@pytest.mark.parametrize("words", [*ASKS_DATABASE, *ASKS_BROKER], ids=" ".join)
def test_without_an_environment_the_missing_variable_is_named(
    words: tuple[str, ...], monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    for name in ("REFERRAL_KAFKA", "REFERRAL_DATABASE", "REFERRAL_MASTER_KEY_FILE"):
        monkeypatch.delenv(name, raising=False)
    assert run(list(words)) == 2
    said = capfd.readouterr().err
    assert "REFERRAL_KAFKA" in said and "Traceback" not in said


@pytest.mark.usefixtures("nowhere")
@pytest.mark.parametrize("words", [*ASKS_DATABASE, *ASKS_BROKER], ids=" ".join)
def test_what_is_away_is_named_and_nothing_is_traced(words: tuple[str, ...], capfd: pytest.CaptureFixture[str]) -> None:
    assert run(list(words)) == 2
    said = capfd.readouterr().err
    assert "Traceback" not in said and said.splitlines()[-1].startswith("referral: ")
    assert "is away" in said


@pytest.mark.usefixtures("nowhere")
@pytest.mark.parametrize("words", ASKS_INTAKE, ids=" ".join)
def test_intake_away_is_said_after_some_tries(
    words: tuple[str, ...], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("referral.client.ATTEMPTS", 1)
    assert run(list(words)) == 2
    said = capsys.readouterr().err
    assert said.startswith("referral: ") and said.count("\n") == 1


def test_the_command_runs_as_a_module() -> None:
    ran = subprocess.run([sys.executable, "-m", "referral.cli", "--help"], capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stderr
    assert "policy" in ran.stdout
