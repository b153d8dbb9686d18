"""The pure parts of the local stack."""

from __future__ import annotations

import json
import shutil
import socket
import subprocess
import sys
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest
from cryptography.x509 import ReasonFlags
from hypothesis import given
from hypothesis import strategies as st

from referral.ca import authority
from referral.cli.stack import up
from referral.errors import Rejected
from referral.local import certificates, data_folder, jars, kafka, keyfiles, ports
from referral.local.config import KEEPER, STACK, Addresses, StackConfig, as_role, environment, exports, forget
from referral.local.data_folder import Trouble
from referral.local.jars import Jar
from referral.local.service import Worker
from referral.local.supervisor import CALM_S, HURRIED, LONGEST_S, Backoff
from referral.runtime.settings import SERVICES
from referral.wire.signed import trust, trust_lines
from tests.harness import policies

GOOD = "org.yaml snakeyaml 2.5 " + "ab" * 32
AT = Addresses(
    "127.0.0.1:9",
    "postgresql+asyncpg://postgres@/referral?host=/s",
    "127.0.0.1:25",
    "http://i",
    "http://a",
    *map(Path, ("/m", "/i", "/s", "/l", "/w", "/ca", "/ids")),
)


def test_lock_of_the_repository_names_every_jar_once() -> None:
    found = jars.parse(kafka.lock_file().read_text())
    assert len(found) == 46
    assert {jar.version for jar in found if jar.group == "org.apache.kafka"} == {"4.3.1"}
    assert len({jar.file for jar in found}) == 46
    assert "://" not in kafka.lock_file().read_text()


def test_lock_with_comments_and_blank_lines() -> None:
    assert jars.parse(f"# a comment\n\n{GOOD}  # why\n") == (Jar("org.yaml", "snakeyaml", "2.5", "ab" * 32),)


@pytest.mark.parametrize(
    ("text", "where"),
    [("", "jars.lock"), ("a b c", ":1:"), (f"{GOOD}\n{GOOD}", "twice"), (f"{GOOD}\na b 1 {'g' * 64}", ":2:"), ("a b 1 abcd", ":1:")],
)
def test_lock_with_an_error_is_refused(text: str, where: str) -> None:
    with pytest.raises(Trouble, match=where):
        jars.parse(text)


def test_server_properties_are_filled_in_and_keep_their_promises() -> None:
    template = (data_folder.checkout() / "deploy" / "kafka" / "server.properties").read_text()
    text = kafka.render(template, kafka.Ports(9092, 9094, 9093), data=Path("/a\\b"), identity=Path("/i"), root=Path("/r"))
    found = dict(line.split("=", 1) for line in text.splitlines() if line and not line.startswith("#"))
    assert found["listeners"] == "TLS://127.0.0.1:9092,AGENCIES://127.0.0.1:9094,CONTROLLER://127.0.0.1:9093"
    assert found["controller.quorum.voters"] == "1@127.0.0.1:9093"
    assert found["log.dirs"] == "/a\\\\b"
    assert found["auto.create.topics.enable"] == "false"
    assert "${" not in text


@pytest.mark.parametrize(
    ("banner", "version"),
    [('openjdk version "25.0.2" 2026-01-20', 25), ('java version "1.8.0_392"', 8), ('openjdk version "17"', 17), ("no Java at all", 0)],
)
def test_java_version(banner: str, version: int) -> None:
    assert kafka.major(banner) == version


@given(st.lists(st.just(0.0) | st.floats(0, 10), max_size=40))
def test_backoff_is_bounded_and_begins_anew_after_calm(lives: list[float]) -> None:
    backoff = Backoff()
    assert backoff.wait_s == 0
    for ready_s in lives:
        before, backoff = backoff, backoff.died(ready_s)
        assert (backoff.wait_s == 0) == (ready_s >= CALM_S or before.deaths == 0)
        longest = Backoff(HURRIED).wait_s if ready_s else LONGEST_S
        assert backoff.wait_s <= longest
        assert ready_s >= CALM_S or backoff.wait_s >= min(longest, 2 * before.wait_s)


def test_a_process_that_was_ready_each_time_is_soon_back_also_when_it_is_killed_once_while_it_starts() -> None:
    backoff = Backoff()
    for _ in range(20):
        backoff = backoff.died(0.1)
    assert (backoff.wait_s, backoff.died(0).wait_s, backoff.died(0).died(0.1).wait_s) == (4.0, 8.0, 4.0)


def test_only_intake_is_told_the_key_of_the_ingress_topics() -> None:
    config = StackConfig(data=Path("/d"))
    assert "REFERRAL_INGRESS_KEY_FILE" in environment(config, AT, "intake")
    assert "REFERRAL_INGRESS_KEY_FILE" not in environment(config, AT, "routing")
    assert environment(config, AT, "routing")["REFERRAL_DATABASE"] == "postgresql+asyncpg://routing@/referral?host=%2Fs"
    assert environment(config, AT)["REFERRAL_DATABASE"] == AT.database
    assert environment(config, AT)["REFERRAL_DRILL_CLOCK"] == ""


def test_the_notifier_alone_sends_to_the_handset_of_a_stack_that_has_one() -> None:
    at, config = replace(AT, handset="http://h", notifier="http://n"), StackConfig(data=Path("/d"))
    assert {name: value for name, value in environment(config, at, "notifier").items() if value[:8] in ("http://h", "http://n")} == {
        "REFERRAL_HANDSET": "http://h",
        "REFERRAL_SMS": "http://h/cgi-bin/sendsms",
        "REFERRAL_PUBLIC_URL": "http://n",
    }
    assert environment(config, at, "notifier")["REFERRAL_SIP"] == "", "a shell's real trunk is not called in a demo"
    assert environment(config, at)["REFERRAL_HANDSET"] == "http://h"
    assert "REFERRAL_HANDSET" not in environment(config, at, "routing")
    assert not {"REFERRAL_HANDSET", "REFERRAL_SMS", "REFERRAL_PUBLIC_URL"} & set(environment(config, AT, "notifier"))


def test_no_password_of_the_administrator_reaches_a_service() -> None:
    address = "postgresql+asyncpg://admin:s3@db/referral?passfile=/secret&sslmode=verify-full"
    assert as_role(address, "audit") == "postgresql+asyncpg://audit@db/referral?sslmode=verify-full"
    at, config = replace(AT, database=address, passwords=Path("/pw")), StackConfig(data=Path("/d"))
    for service in SERVICES:
        variables = environment(config, at, service)
        assert variables["REFERRAL_DATABASE_PASSWORD_FILE"] == f"/pw/{service}"
        assert variables["REFERRAL_DATABASE_PASSWORDS"] == "", "also where this shell names the folder"
        assert not any("s3" in value or "/secret" in value for value in variables.values())
    assert environment(config, at)["REFERRAL_DATABASE_PASSWORDS"] == "/pw"


def test_exports_leave_out_what_is_empty() -> None:
    assert exports({"A": "1", "B": ""}) == "export A='1'\nexport REFERRAL_STACK='A'\n"


def test_a_stack_that_a_shell_has_sourced_is_forgotten_and_nothing_else() -> None:
    shell = {"A": "1", "C": "mine", STACK: "A B"}
    assert forget(shell)
    assert shell == {"C": "mine"}
    assert not forget(shell)


def test_names_of_two_instances() -> None:
    assert StackConfig(data=Path("/d"), instances=2, services=("intake", "audit")).names() == (
        ("intake-1", "intake"),
        ("intake-2", "intake"),
        ("audit-1", "audit"),
        ("audit-2", "audit"),
    )


def test_a_named_port_is_remembered_and_the_inbox_keeps_its_port_when_8080_comes_free(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "ports.json"
    assert up._port(tmp_path) in (0, up.DEFAULT_PORT)
    named = ports.free(1)[0]
    assert ports.remembered(file, ["intake-1", "audit-1"], {"intake-1": named})["intake-1"] == named
    assert ports.before(file)["intake-1"] == named
    monkeypatch.setattr(ports, "is_free", lambda _: True)
    assert up._port(tmp_path) == 0, "links in old knocks name the remembered port"
    assert ports.remembered(file, ["intake-1"])["intake-1"] == named


def test_ports_differ_are_kept_and_change_when_taken(tmp_path: Path) -> None:
    names = [f"p{n}" for n in range(10)]
    first = ports.remembered(tmp_path / "ports.json", names)
    assert len(set(first.values())) == 10
    assert ports.remembered(tmp_path / "ports.json", names) == first
    with closing(socket.create_server(("127.0.0.1", first["p3"]))):
        second = ports.remembered(tmp_path / "ports.json", names)
        with pytest.raises(Trouble, match="is taken"):
            ports.insist(first["p3"], "HTTP")
    assert second["p3"] != first["p3"]
    assert {n: p for n, p in second.items() if n != "p3"} == {n: p for n, p in first.items() if n != "p3"}


def test_no_two_processes_are_given_the_same_port_however_often_they_ask() -> None:
    """Two stacks chose one port between the look at it and the start of its server: `audit-1 did not become ready`."""
    program = "from referral.local import ports; print([ports.free(3) for _ in range(150)], flush=True); input()"
    command = [sys.executable, "-c", program]
    beside = [subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) for _ in range(4)]
    try:
        told = [{port for three in json.loads(one.stdout.readline()) for port in three} for one in beside if one.stdout]
    finally:
        for one in beside:
            one.communicate(b"\n")
    assert len(told) == 4 and all(len(chosen) >= 90 for chosen in told)
    assert sum(map(len, told)) == len(set.union(*told))


def test_a_port_comes_round_again_after_all_others_of_the_block() -> None:
    seen = [ports.free(1)[0] for _ in range(60)]
    assert len(set(seen)) == 60


def test_no_outgoing_connection_is_given_a_port_that_we_choose() -> None:
    known = Path("/proc/sys/net/ipv4/ip_local_port_range")
    first = int(known.read_text().split()[0]) if known.exists() else 32_768
    chosen = ports.free(200)
    assert len(set(chosen)) == 200
    assert max(chosen) < first


def test_socket_folder_is_short_and_stable(tmp_path: Path) -> None:
    near = data_folder.sockets(tmp_path, "s")
    assert near == tmp_path / "socket"
    deep = tmp_path / ("d" * 100)
    deep.mkdir()
    far = data_folder.sockets(deep, ".s.PGSQL.5432")
    try:
        assert len(bytes(far / ".s.PGSQL.5432")) <= data_folder.SOCKET_PATH_LIMIT
        assert far == data_folder.sockets(deep, ".s.PGSQL.5432")
        assert far.stat().st_mode & 0o077 == 0
    finally:
        far.rmdir()


OLD, NEW = (bytes([number]) * 32 for number in (1, 2))


def test_a_policy_that_is_written_anew_keeps_what_intake_has_signed_with_an_older_key() -> None:
    lines = policies.LINES + trust_lines.intake_line(OLD)
    before = trust.imported(lines + b"# follows x\nlog y\nwitness z\n")
    for intake in ((NEW, OLD), (OLD,)):
        found = keyfiles.renewed(before, b"log y\n", intake[0])
        assert found.witness_policy == b"# follows x\nlog y\n" and found.erasers.intake == intake and found.policy == before.policy


def test_an_agency_whose_certificate_was_revoked_is_not_handed_it_again(tmp_path: Path) -> None:
    certificates.ensure(tmp_path / "ca", tmp_path / "identities")
    folder = certificates.agency(tmp_path / "ca", tmp_path, "school-drita")
    assert certificates.agency(tmp_path / "ca", tmp_path, "school-drita") == folder
    authority.revoke(authority.place(tmp_path / "ca"), "agency/school-drita", ReasonFlags.key_compromise, certificates.now())
    with pytest.raises(Rejected, match="was revoked: delete this folder"):
        certificates.agency(tmp_path / "ca", tmp_path, "school-drita")
    shutil.rmtree(folder)
    assert certificates.agency(tmp_path / "ca", tmp_path, "school-drita") == folder


@pytest.mark.parametrize(
    ("words", "stands"),
    [
        (("knocks-late",), True),
        (("knocks-paused", "cap-reached"), True),
        (("knocks-late", "loop"), False),
        (("start",), False),
        (("stopped", "loop"), True),
        ((), False),
    ],
)
def test_a_service_that_waits_for_somebody_outside_is_not_started_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, words: tuple[str, ...], stands: bool
) -> None:
    certificates.ensure(tmp_path / "ca", tmp_path / "identities")
    worker = Worker("notifier-1", "notifier", 1, 2, tmp_path / "log", identity=tmp_path / "identities" / KEEPER)
    answer = 503 if words else 200, json.dumps({"ready": not words, "not_ready": dict.fromkeys(words, "do")}).encode()
    monkeypatch.setattr(worker._operators, "get", lambda path: answer)
    assert worker.stands() is stands
    assert worker.why() == "; ".join(f"{word}: do" for word in words)
