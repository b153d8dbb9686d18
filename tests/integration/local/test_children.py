"""What a child process begins with, how its end is learnt, and that none outlives the process that started it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from referral.local.child import Child, Recipe
from tests.harness.waiting import PATIENCE_S, comes

PYTHON = (sys.executable, "-c")
SAYS = (
    "import json, os, sys; "
    "files = [int(n) for n in os.listdir('/proc/self/fd') if os.path.exists('/proc/self/fd/' + n)]; "
    "print(json.dumps({'words': sys.argv[1:], 'said': os.environ['SAID'], 'files': sorted(files), 'group': os.getpgid(0) == os.getpid(), "
    "'pid': os.getpid(), 'cwd': os.getcwd()}))"
)


def alive(pid: str) -> bool:
    """Return whether a process runs: one that nobody has waited for yet does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def test_a_child_has_its_own_words_group_and_no_descriptors_but_those_that_it_is_given(tmp_path: Path) -> None:
    log, held = tmp_path / "log", os.open(tmp_path, os.O_RDONLY)
    try:
        child = Child(Recipe((*PYTHON, SAYS, "one", "two"), log, env={"SAID": "yes"}, keep=(held,)))
        assert child.wait(PATIENCE_S) == 0 and child.poll() == 0
    finally:
        os.close(held)
    said = json.loads(log.read_text())
    assert said["words"] == ["one", "two"] and said["said"] == "yes" and said["group"] and said["cwd"] == str(Path.cwd())
    assert said["pid"] == child.pid, "no process stands between"
    assert [number for number in said["files"] if number > 2] == [held]


def test_a_child_outlives_the_thread_that_asked_for_it(tmp_path: Path) -> None:
    """The kernel would take the thread's end for the parent's."""
    children = list[Child]()
    asking = threading.Thread(target=lambda: children.append(Child(Recipe((*PYTHON, "import time; time.sleep(60)"), tmp_path / "log"))))
    asking.start()
    asking.join()
    (child,) = children
    with pytest.raises(TimeoutError, match="has not ended within"):
        child.wait(0.5)
    assert child.runs() and child.stop() == 128 + signal.SIGTERM


@pytest.mark.parametrize("death", [signal.SIGKILL, signal.SIGTERM])
def test_no_child_outlives_a_parent_that_is_killed(death: signal.Signals, tmp_path: Path) -> None:
    program = (
        "import signal, sys, time; from pathlib import Path; from referral.local.child import Child, Recipe\n"
        "recipe = Recipe(('sleep', '60'), Path(sys.argv[1]), death=signal.Signals(int(sys.argv[2])))\n"
        "print(Child(recipe).pid, Child(recipe).pid, flush=True); time.sleep(60)"
    )
    words = [*PYTHON, program, str(tmp_path / "log"), str(int(death))]
    with subprocess.Popen(words, stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        pids = parent.stdout.readline().split()
        assert len(pids) == 2 and comes(lambda: all(Path(f"/proc/{pid}/comm").read_text() == "sleep\n" for pid in pids))
        parent.kill()
    assert comes(lambda: not any(map(alive, pids)), within=PATIENCE_S)


def test_what_a_child_leaves_in_its_group_ends_with_it(tmp_path: Path) -> None:
    child = Child(Recipe(("sh", "-c", "sleep 60 & echo $!"), tmp_path / "log"))
    assert child.wait(PATIENCE_S) == 0
    left = (tmp_path / "log").read_text().strip()
    assert comes(lambda: not alive(left))


@pytest.mark.skipif(os.geteuid() != 0, reason="only root leaves root")
def test_a_child_that_leaves_root_is_somebody_else_and_keeps_its_files(tmp_path: Path) -> None:
    mine = tmp_path / "mine"
    child = Child(Recipe(("sh", "-c", f"id -u; touch {mine}"), tmp_path / "log", unroot=True))
    assert child.wait(PATIENCE_S) == 0
    assert (tmp_path / "log").read_text() != "0\n" and mine.stat().st_uid == 0


def test_the_kernel_may_say_that_a_child_has_ended_a_moment_before_it_says_how(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Seen once in a thousand kills: the descriptor was readable, and the status not there yet."""
    child = Child(Recipe((*PYTHON, "raise SystemExit(3)"), tmp_path / "log"))
    monkeypatch.setattr(child._process, "poll", lambda: None)
    assert child.wait(PATIENCE_S) == 3
