"""`referral audit witness` as its own process: it cosigns what continues, refuses every other history, forgets nothing when killed."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path

import httpx
import pytest

from referral.cli import run
from referral.errors import Unproven
from referral.tlog import merkle, note_keys, witness
from referral.tlog.note_keys import ED25519, SignerKey
from tests.harness.made_log import LOG, WITNESSES, Log
from tests.harness.waiting import PATIENCE_S

NAME = "ombudsperson.example/witness"
FIRST, OTHER = (Log([f"{word} {n}".encode() for n in range(40)]) for word in ("entry", "other"))
"""Two logs of one key: the second is what a log would be that shows somebody else another history."""
STRANGERS = 100
"""Connections of somebody who would silence a witness; a log has one at a time."""


class Process:
    """A running witness. keys: its public keys by kind."""

    def __init__(self, folder: Path, *more: str) -> None:
        command = [str(Path(sys.executable).with_name("referral")), "audit", "witness", "--json", "--http", "127.0.0.1:0"]
        files = ["--policy", str(folder / "policy"), "--key", str(folder / "key")]
        self._process = subprocess.Popen([*command, *files, *more], stdout=subprocess.PIPE, text=True)
        assert self._process.stdout is not None
        said = json.loads(self._process.stdout.readline())
        self.pid = self._process.pid
        self.url, self.keys = said["url"], [note_keys.verifier(key.encode()) for key in said["keys"]]

    def post(self, log: Log, old: int, size: int, key: SignerKey = LOG) -> httpx.Response:
        proof = merkle.consistency(log.nodes, old, size) if 0 < old <= size else ()
        return self.send(witness.body(old, proof, log.checkpoint(size).sign(key)))

    def send(self, body: bytes) -> httpx.Response:
        return httpx.post(f"{self.url}/add-checkpoint", content=body, timeout=PATIENCE_S)

    def end(self, how: int = signal.SIGINT) -> int:
        self._process.send_signal(how)
        return self._process.wait(PATIENCE_S)


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[[], Process]]:
    """Starts the witness of one folder, as often as one likes."""
    (tmp_path / "policy").write_bytes(b"log %s\nquorum none\n" % LOG.verifier.encode())
    made: list[Process] = []

    def started() -> Process:
        made.append(Process(tmp_path, "--name", NAME))
        return made[-1]

    yield started
    for process in made:
        process.end(signal.SIGKILL)


def test_it_cosigns_what_continues_and_its_signature_holds_under_both_of_its_keys(start: Callable[[], Process], tmp_path: Path) -> None:
    process = start()
    for old, size in ((0, 7), (7, 7), (7, 31), (31, 40)):
        answered = process.post(FIRST, old, size)
        assert answered.status_code == 200, answered.text
        (signature,) = witness.cosigned(FIRST.checkpoint(size).sign(LOG), answered.content, process.keys[:1])
        assert signature.name == NAME
    assert {key.public for key in process.keys} == {process.keys[0].public} and process.keys[1].kind == ED25519
    assert (tmp_path / "key").stat().st_mode & 0o077 == 0, "the secret key is its owner's alone"
    assert process.end() == 0


def test_a_witness_that_was_killed_remembers_and_has_the_same_key(start: Callable[[], Process]) -> None:
    process = start()
    assert process.post(FIRST, 0, 20).status_code == 200
    process.end(signal.SIGKILL)
    again = start()
    assert again.keys == process.keys
    forgot = again.post(OTHER, 0, 25)
    assert (forgot.status_code, forgot.text, forgot.headers["content-type"]) == (409, "20\n", "text/x.tlog.size")
    assert again.post(OTHER, 20, 25).status_code == 422
    assert again.post(FIRST, 20, 25).status_code == 200


def test_two_histories_that_are_posted_at_once_are_never_both_cosigned(start: Callable[[], Process]) -> None:
    process = start()
    with ThreadPoolExecutor(8) as many:
        answers = list(many.map(lambda n: (n % 2, process.post((FIRST, OTHER)[n % 2], 0, 10 + n // 2)), range(32)))
    signed = {history for history, answered in answers if answered.status_code == 200}
    assert len(signed) == 1, "two histories have the signature of one witness"
    assert {answered.status_code for _, answered in answers} <= {200, 409}


def test_what_it_does_not_know_or_cannot_read_it_refuses_as_the_standard_says(start: Callable[[], Process]) -> None:
    process = start()
    stranger = SignerKey("stranger.example/log", LOG.kind, bytes([9]) * 32)
    forged = SignerKey(LOG.name, LOG.kind, bytes([9]) * 32)
    unknown = FIRST.checkpoint(5)
    assert process.send(witness.body(0, (), type(unknown)("stranger.example/log", 5, unknown.root).sign(stranger))).status_code == 404
    assert process.post(FIRST, 0, 5, forged).status_code == 403
    assert process.post(FIRST, 9, 5).status_code == 400
    assert process.send(b"nonsense").status_code == 400
    assert process.send(b"old 0\n" + b"A" * 10_000_000).status_code == 400
    assert httpx.get(f"{process.url}/add-checkpoint", timeout=PATIENCE_S).status_code == 405
    assert process.post(FIRST, 0, 5).status_code == 200, "none of it was kept"


def test_who_asks_once_and_stays_keeps_no_log_out(start: Callable[[], Process]) -> None:
    process = start()
    with httpx.Client(base_url=process.url, timeout=PATIENCE_S, limits=httpx.Limits()) as client, ExitStack() as held:
        for _ in range(STRANGERS):
            held.enter_context(client.stream("GET", "/checkpoint/none"))
        assert process.post(FIRST, 0, 5).status_code == 200


@pytest.mark.parametrize("broken", ["policy", "key", "heads", "no-log", "forgotten", "port"])
def test_a_file_that_cannot_be_used_is_one_line_and_exit_code_2(broken: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "policy").write_bytes(b"quorum none\n" if broken == "no-log" else b"log %s\nquorum none\n" % LOG.verifier.encode())
    if broken == "policy":
        (tmp_path / "policy").write_bytes(b"log nobody\n")
    if broken == "key":
        (tmp_path / "key").write_bytes(LOG.encode())
        (tmp_path / "key.heads").touch()
    if broken == "forgotten":
        (tmp_path / "key").write_bytes(WITNESSES[0].encode())
    if broken == "heads":
        (tmp_path / "key.heads").write_bytes(b"this is no database" * 100)
    files = ["--policy", str(tmp_path / "policy"), "--key", str(tmp_path / "key"), "--name", NAME]
    port = "99999" if broken == "port" else "0"
    assert run(["audit", "witness", *files, "--http", f"127.0.0.1:{port}"]) == 2
    said = capsys.readouterr().err
    assert said.startswith("referral: ") and said.count("\n") == 1 and "Traceback" not in said


def test_what_is_forged_is_not_taken_by_the_log_either(start: Callable[[], Process]) -> None:
    process = start()
    signed = FIRST.checkpoint(8).sign(LOG)
    answered = process.post(FIRST, 0, 8)
    with pytest.raises(Unproven):
        witness.cosigned(OTHER.checkpoint(8).sign(LOG), answered.content, process.keys[:1])
    assert witness.cosigned(signed, answered.content, process.keys[:1])
