"""Guard a server process: end it when the parent process ends, also after a SIGKILL of the parent.

The parent runs this file by path, without the rest of the package (`python -I -S guard.py …`), so it starts in milliseconds and uses little
memory. `lifeline` is the read end of a pipe that only the parent holds open for writing: when the parent is gone, the kernel closes it,
and the guard asks the server to stop (`stop`), then kills it after `grace` seconds. If the guard itself is killed, the kernel kills the
server (PR_SET_PDEATHSIG, Linux). `report` receives the server's pid, and ends with the guard, whose exit status is the server's (128 +
signal, as in a shell).
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import pwd
import select
import signal
import sys
import time

PR_SET_PDEATHSIG = 1
CLONE_NEWUSER = 0x10000000
HANDLED = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT, signal.SIGCHLD)


def drop_root() -> None:
    """Leave root, which PostgreSQL refuses, for a user namespace in which root appears as nobody, so that files keep their owner."""
    nobody = pwd.getpwnam("nobody")
    libc = ctypes.CDLL(None, use_errno=True)
    if sys.platform != "linux" or libc.unshare(CLONE_NEWUSER) != 0:
        raise OSError(ctypes.get_errno(), "run as root, and user namespaces are off")
    for name, line in (("setgroups", "deny"), ("uid_map", f"{nobody.pw_uid} 0 1"), ("gid_map", f"{nobody.pw_gid} 0 1")):
        with open(f"/proc/self/{name}", "w") as file:  # noqa: PTH123 (pathlib costs half of the start)
            file.write(line)


def become(command: list[str], guard: int, death: int, unroot: bool) -> None:
    """Turn the child into the server: its own process group, no blocked signals, ended with the guard."""
    os.setpgid(0, 0)
    for number in HANDLED:
        signal.signal(number, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_SETMASK, [])  # a stop that arrived in the meantime ends the child here
    if unroot and os.geteuid() == 0:
        drop_root()
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, death)  # after the change of user, which clears it
    if os.getppid() != guard:
        os._exit(1)
    os.execvp(command[0], command)  # noqa: S606


def watch(child: int, lifeline: int, stop: int, grace: float) -> int:
    """Wait until the child ends, and return its exit code; when the parent ends, end the child.

    child: pid.
    lifeline: descriptor that becomes readable when the parent is gone.
    stop: signal that asks the child to end.
    grace: seconds before SIGKILL.
    """
    wake, waker = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC) if hasattr(os, "pipe2") else os.pipe()
    os.set_blocking(waker, False)
    signal.set_wakeup_fd(waker, warn_on_full_buffer=False)
    deadline: float | None = None
    while True:
        ended, status = os.waitpid(child, os.WNOHANG)
        if ended:
            return os.waitstatus_to_exitcode(status)
        left = None if deadline is None else max(0.0, deadline - time.monotonic())
        ready, _, _ = select.select([wake] if deadline is not None else [wake, lifeline], [], [], left)
        if wake in ready:
            os.read(wake, 512)
        if deadline is None and lifeline in ready:
            deadline = time.monotonic() + grace
            with contextlib.suppress(ProcessLookupError):
                os.kill(child, signal.SIGCONT)  # a process under SIGSTOP would not receive the next signal
                os.kill(child, stop)
        elif deadline is not None and time.monotonic() >= deadline:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(child, signal.SIGKILL)
            deadline += 1


def main(argv: list[str]) -> int:
    """Run the guard. argv: lifeline fd, report fd, stop signal, death signal, grace seconds, 0 or 1 for leaving root, then the command."""
    lifeline, report, stop, death = (int(word) for word in argv[:4])
    grace, unroot, command = float(argv[4]), argv[5] == "1", argv[6:]
    for number in HANDLED:  # only the lifeline ends the guard
        signal.signal(number, lambda *_: None)
    guard = os.getpid()
    os.set_inheritable(report, False)  # it stays open while the guard lives: its end is the end that the parent waits for
    signal.pthread_sigmask(signal.SIG_BLOCK, HANDLED)  # else the empty handlers above would swallow the child's first signal
    child = os.fork()
    if child == 0:
        try:
            become(command, guard, death, unroot)
        except OSError as error:
            os.write(2, f"cannot start {command[0]}: {error.strerror}\n".encode())
        os._exit(127)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, HANDLED)
    os.write(report, f"{child}\n".encode())
    code = watch(child, lifeline, stop, grace)
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(child, signal.SIGKILL)
    return code if code >= 0 else 128 - code


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
