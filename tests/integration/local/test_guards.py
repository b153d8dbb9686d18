"""The two guards of a process's children: what a child of each begins with, how its end is told, and what happens when a guard dies."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from referral.local.child import KILLED, Child, Recipe
from tests.harness.waiting import PATIENCE_S, comes

ENDED = str(128 + signal.SIGTERM)
SAYS = (
    "import json, os, sys, signal; "
    "print(json.dumps({'argv': sys.argv[1:3], 'there': sorted(n for n in os.environ if n.startswith(('REFERRAL_', 'SAID'))), "
    "'files': sorted(int(n) for n in os.listdir('/proc/self/fd') if os.path.exists('/proc/self/fd/' + n)), "
    "'group': os.getpgid(0) == os.getpid(), 'int': signal.getsignal(signal.SIGINT) is signal.default_int_handler, "
    "'term': signal.getsignal(signal.SIGTERM) == signal.SIG_DFL, 'loaded': 'sqlalchemy' in sys.modules, 'cwd': os.getcwd()}))"
)


def ours(*words: str) -> tuple[str, ...]:
    """Return the command of a Python program, which a guard forks."""
    return (sys.executable, "-m", *words)


def test_a_python_program_begins_as_a_fork_with_its_own_words_and_nothing_of_another(tmp_path: Path) -> None:
    log, held = tmp_path / "log", os.open(tmp_path, os.O_RDONLY)
    other = Child(Recipe(ours("http.server", "0", "--bind", "127.0.0.1"), tmp_path / "other"))
    try:
        child = Child(Recipe(ours("timeit", "-n1", "-r1", SAYS), log, env={"SAID": "yes"}, keep=(held,)))
        assert child.wait(PATIENCE_S) == 0 and child.poll() == 0
    finally:
        other.stop()
        os.close(held)
    said = json.loads(log.read_text().splitlines()[0])
    assert said["argv"] == ["-n1", "-r1"] and "SAID" in said["there"] and said["loaded"]
    assert said["group"] and said["int"] and said["term"] and said["cwd"] == str(Path.cwd())
    assert [number for number in said["files"] if number > 2] == [held], "neither another's report nor the guard's line"


def test_a_fork_has_its_own_name_and_both_guards_are_others(tmp_path: Path) -> None:
    one, two = (Child(Recipe(ours("http.server", "0", "--bind", "127.0.0.1"), tmp_path / name)) for name in "ab")
    program = Child(Recipe(("sleep", "60"), tmp_path / "c"))
    try:
        assert one.guard == two.guard != program.guard and one.pid != two.pid
        place = Path(f"/proc/{one.pid}")
        named = b"\0".join(word.encode() for word in ours("http.server", "0"))
        assert comes(lambda: (place / "comm").read_text() == "http.server\n" and (place / "cmdline").read_bytes().startswith(named))
        assert f"\nPPid:\t{one.guard}\n" in (place / "status").read_text()
    finally:
        assert one.stop() == 128 + signal.SIGTERM
        assert two.runs() and two.stop() == program.stop() == 128 + signal.SIGTERM


def test_a_fork_that_fails_says_so_in_its_log_and_ends_as_it_would_alone(tmp_path: Path) -> None:
    log = tmp_path / "log"
    assert Child(Recipe(ours("no.such.module"), log)).wait(PATIENCE_S) == 1
    assert "No module named" in log.read_text()


BOTH = pytest.mark.parametrize("command", [("sleep", "60"), ours("http.server", "0", "--bind", "127.0.0.1")], ids=["program", "fork"])
BEGIN = (
    "import os, resource, signal, sys; from pathlib import Path; from referral.local.child import Child, Recipe\n"
    "recipe = Recipe(tuple(sys.argv[2:]), Path(sys.argv[1]))\n"
)
"""Begin a process of its own, for what happens to guards: those of this one have servers that other tests need."""


def printed(program: str, log: Path, *command: str, **environment: str) -> list[str]:
    """Run a program in a process of its own, and return the words that it prints. It has a `recipe` with this log and this command."""
    words = [sys.executable, "-c", BEGIN + program, str(log), *command]
    done = subprocess.run(words, capture_output=True, text=True, timeout=100, env={**os.environ, **environment})
    assert not done.returncode, done.stderr
    return done.stdout.split()


def alive(pid: str) -> bool:
    """Return whether a process runs: one that nobody has waited for yet does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


@BOTH
def test_when_a_guard_is_killed_its_children_end_and_the_next_child_has_another(command: tuple[str, ...], tmp_path: Path) -> None:
    program = (
        "child, beside = Child(recipe), Child(recipe)\n"
        "os.kill(child.guard, signal.SIGKILL)\n"
        "print(child.pid, beside.pid, child.wait(30), beside.wait(30), child.stop())\n"
        "after = Child(recipe)\n"
        "print(after.guard != child.guard, after.runs(), after.stop())"
    )
    one, two, *said = printed(program, tmp_path / "log", *command)
    assert said == [str(KILLED)] * 3 + ["True", "True", ENDED]
    assert comes(lambda: not alive(one) and not alive(two)), "the guard is gone, and they are not"


@BOTH
def test_no_child_outlives_a_parent_that_is_killed(command: tuple[str, ...], tmp_path: Path) -> None:
    program = "child = Child(recipe); print(child.pid, child.guard, flush=True); os.kill(os.getpid(), signal.SIGSTOP)"
    words = [sys.executable, "-c", BEGIN + program, str(tmp_path / "log"), *command]
    with subprocess.Popen(words, stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        pids = parent.stdout.readline().split()
        assert len(pids) == 2 and all(map(alive, pids))
        parent.kill()
    assert comes(lambda: not any(map(alive, pids)), within=PATIENCE_S)


@BOTH
@pytest.mark.parametrize("received", [0, 1])
def test_a_child_whose_descriptors_do_not_arrive_is_refused_and_the_others_go_on(
    command: tuple[str, ...], received: int, tmp_path: Path
) -> None:
    """The guard may open none, or one more: the child's output, which says so."""
    program = (
        "first = Child(recipe)\n"
        "taken = {int(name) for name in os.listdir(f'/proc/{first.guard}/fd')}\n"
        f"most = [number for number in range(100) if number not in taken][{received}]\n"
        "before = resource.prlimit(first.guard, resource.RLIMIT_NOFILE)\n"
        "resource.prlimit(first.guard, resource.RLIMIT_NOFILE, (most, before[1]))\n"
        "refused = Child(recipe)\n"
        "print(refused.pid, refused.wait(30), first.runs())\n"
        "resource.prlimit(first.guard, resource.RLIMIT_NOFILE, before)\n"
        "after = Child(recipe)\n"
        "print(after.guard == first.guard, after.runs(), after.stop(), first.stop())"
    )
    log = tmp_path / "log"
    assert printed(program, log, *command) == ["0", str(KILLED), "True", "True", "True", ENDED, ENDED]
    assert ("cannot start a child" in log.read_text()) == (received == 1)


def test_a_guard_that_cannot_begin_says_why_in_the_log_of_its_child(tmp_path: Path) -> None:
    (tmp_path / "jinja2.py").write_text("raise ImportError('broken on purpose')")
    log = tmp_path / "log"
    program = "child = Child(recipe); print(child.pid, child.wait(30))"
    assert printed(program, log, *ours("calendar"), PYTHONPATH=str(tmp_path)) == ["0", str(KILLED)]
    assert "broken on purpose" in log.read_text()


def test_what_a_fork_has_printed_is_there_when_it_is_killed(tmp_path: Path) -> None:
    log = tmp_path / "log"
    words = "print('kept', flush=False); import os, signal; os.kill(os.getpid(), signal.SIGKILL)"
    assert Child(Recipe(ours("timeit", "-n1", "-r1", words), log)).wait(PATIENCE_S) == 128 + signal.SIGKILL
    assert log.read_text() == "kept\n"
