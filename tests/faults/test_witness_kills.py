"""A witness is killed, or its disk is full, at every system call by which it keeps and answers: it never signs two roots of one size."""

from __future__ import annotations

import itertools
import os
import re
import shutil
import subprocess
from pathlib import Path

import httpx
import pytest

from tests.harness.made_log import LOG, Log
from tests.harness.waiting import PATIENCE_S
from tests.integration.audit.test_witness import NAME, Process

pytestmark = pytest.mark.servers
STEP = int(os.environ.get("REFERRAL_KILL_STEP", "16"))
CALLS = ("pwrite64", "fdatasync", "fsync", "unlink", "sendto")
"""SQLite writes, makes it last and ends its journal, then the answer leaves."""
LAST = 300
FIRST, OTHER = (Log([f"{word} {n}".encode() for n in range(LAST)]) for word in ("entry", "other"))


class Struck:
    """A witness with strace at its calls."""

    def __init__(self, folder: Path, rule: str) -> None:
        self._seen = folder / "calls"
        self.process = Process(folder, "--name", NAME)
        more = ("-e", rule) if rule else ()
        command = ["strace", "-f", "-p", str(self.process.pid), "-e", f"trace={','.join(CALLS)}", *more, "-o", str(self._seen)]
        self._tracer = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
        assert self._tracer.stderr is not None and "attached" in self._tracer.stderr.readline()

    def end(self) -> dict[str, int]:
        """How often each call was made."""
        self.process.end(9)
        self._tracer.wait(PATIENCE_S)
        seen = self._seen.read_text(errors="replace")
        return {call: len(re.findall(rf"\b{call}\(", seen)) for call in CALLS}


def status(process: Process, old: int, size: int, log: Log = FIRST) -> int:
    """Of its answer, 0 where it died of it."""
    try:
        return process.post(log, old, size).status_code
    except httpx.HTTPError:
        return 0


def test_killed_or_without_disk_at_any_call_it_remembers_what_it_signed(tmp_path: Path) -> None:
    if shutil.which("strace") is None:
        pytest.skip("system calls cannot be struck here: apt-get install strace")
    (tmp_path / "policy").write_bytes(b"log %s\nquorum none\n" % LOG.verifier.encode())
    first = Struck(tmp_path, "")
    assert status(first.process, 0, 1) == 200
    calls = first.end()
    assert calls["pwrite64"] and calls["sendto"] and calls["fdatasync"] + calls["fsync"], calls
    size, struck = 1, 0
    strikes = [(fault, call, n) for fault in ("signal=SIGKILL", "error=ENOSPC") for call in CALLS[:-1] for n in range(1, calls[call] + 1)]
    strikes += [("signal=SIGKILL", "sendto", n) for n in range(1, calls["sendto"] + 1)]
    for fault, call, number in itertools.islice(strikes, 0, None, STEP):
        victim = Struck(tmp_path, f"inject={call}:{fault}:when={number}")
        got = status(victim.process, size, size + 1)
        victim.end()
        again = Process(tmp_path, "--name", NAME)
        try:
            known = again.post(FIRST, LAST - 1, LAST)
            assert known.status_code == 409 and int(known.text) in (size, size + 1), (fault, call, number)
            assert got != 200 or int(known.text) == size + 1, "what was signed is remembered"
            other = status(again, int(known.text), size + 1, OTHER)
            assert other in (409, 422), "the same size with another root, or a tree that does not continue, is refused"
            if int(known.text) == size:
                assert status(again, size, size + 1) == 200
        finally:
            again.end()
        size, struck = size + 1, struck + (got != 200)
    assert struck >= 1
