"""Guard the children of one process: start them, report how each ended, end them all when that process ends, also after its SIGKILL.

The parent asks over a socket, a message each, with the descriptors of a child's output and report. The report receives the child's pid (0:
it could not be started, and its output says why), and later its exit status (128 + signal, as in a shell). When the parent is gone the
kernel closes the socket, and the guard asks every child to stop (`stop`), then kills it after `grace` seconds. If the guard itself is
killed, the kernel kills the children (PR_SET_PDEATHSIG). Linux only.

The parent runs this file by path, without the rest of the package (`python -I -S guard.py …`), so it starts in milliseconds and uses little
memory; or `fork_guard`, for programs of our own.
"""

from __future__ import annotations

import contextlib
import ctypes
import fcntl
import json
import os
import pwd
import select
import signal
import socket
import sys
import time
from typing import Any

PR_SET_PDEATHSIG, PR_SET_NAME = 1, 15
CLONE_NEWUSER = 0x10000000
HANDLED = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT, signal.SIGCHLD)
MESSAGE = 1 << 20
"""Bytes of a message, at most (ours); Linux takes 200 kB, and an environment has a few."""
DESCRIPTORS = 16
"""Descriptors of a message, at most (ours); a child has its output, its report, and one or two that it holds."""
NEEDS_S = 1.0
"""Seconds (ours) between two SIGKILLs of a group that does not end: its processes wait for a disk."""


class Asked:
    """A child as the parent wants it. Fields of the message: see `child.Guard.start`."""

    def __init__(self, message: Any, descriptors: list[int]) -> None:
        self.command: list[str] = message["command"]
        self.number, self.env, self.cwd = message["number"], message["env"], message["cwd"]
        self.stop, self.death, self.grace = message["stop"], message["death"], message["grace"]
        self.fork, self.unroot, self.keep = message["fork"], message["unroot"], message["keep"]
        self.log, self.report, *self.held = descriptors


class Child:
    """A child that runs. deadline: monotonic second of its next SIGKILL; None: nobody has asked it to end."""

    def __init__(self, asked: Asked) -> None:
        self.number, self.report, self.stop, self.grace = asked.number, asked.report, asked.stop, asked.grace
        self.deadline: float | None = None


class Guard:
    """The children of the parent at the other end of `line`."""

    def __init__(self, line: socket.socket) -> None:
        self.line, self.children = line, dict[int, Child]()
        self.alone = False
        self._pid = os.getpid()
        self._wake, waker = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        for number in HANDLED:  # only the parent's end ends the guard
            signal.signal(number, lambda *_: None)
        signal.set_wakeup_fd(waker, warn_on_full_buffer=False)
        self._looking = select.poll()  # select() takes no descriptor from 1024 on, and the line has the parent's number
        self._looking.register(self._wake, select.POLLIN)
        self._looking.register(line, select.POLLIN)

    def serve(self) -> list[str]:
        """Guard until the parent is gone and every child has ended: return []. In a child that begins as a fork, return its command."""
        while True:
            self._reap()
            if self.alone and not self.children:
                return []
            now = time.monotonic()
            self._kill(now)
            deadlines = [child.deadline for child in self.children.values() if child.deadline is not None]
            left = max(0.0, min(deadlines) - now) * 1000 if deadlines else None
            ready = [number for number, _ in self._looking.poll(left)]
            if self._wake in ready:
                os.read(self._wake, 512)
            if self.line.fileno() in ready and (command := self._hear()):
                return command

    def _hear(self) -> list[str]:
        """Do what the next message asks for."""
        data, descriptors, _, _ = socket.recv_fds(self.line, MESSAGE, DESCRIPTORS, socket.MSG_CMSG_CLOEXEC)
        if not data:
            self.alone = True
            self._looking.unregister(self.line)
            for pid in self.children:
                self._stop(pid)
            return []
        message = json.loads(data)
        for pid in [pid for pid, child in self.children.items() if child.number == message.get("end")]:
            self._stop(pid)
        return [] if "end" in message else self._start(message, descriptors)

    def _start(self, message: Any, descriptors: list[int]) -> list[str]:
        """Start a child. Return its command in the child, if it begins as a fork."""
        signal.pthread_sigmask(signal.SIG_BLOCK, HANDLED)  # else the empty handlers would swallow the child's first signal
        try:
            asked = Asked(message, descriptors)
            pid = os.fork()
        except (OSError, ValueError) as error:  # no memory, processes or descriptors are left: the others go on
            signal.pthread_sigmask(signal.SIG_UNBLOCK, HANDLED)
            for number, said in zip(descriptors, (f"cannot start a child: {error}\n", "0\n127\n"), strict=False):
                with contextlib.suppress(OSError):
                    os.write(number, said.encode())
            for number in descriptors:
                os.close(number)
            return []
        if pid == 0:
            try:
                self._become(asked)
                if asked.fork:
                    return asked.command
                os.execvp(asked.command[0], asked.command)  # noqa: S606
            except OSError as error:
                os.write(2, f"cannot start {asked.command[0]}: {error.strerror}\n".encode())
            os._exit(127)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, HANDLED)
        self.children[pid] = Child(asked)
        for number in (asked.log, *asked.held):
            os.close(number)
        with contextlib.suppress(BrokenPipeError):
            os.write(asked.report, f"{pid}\n".encode())
        return []

    def _become(self, asked: Asked) -> None:
        """Turn a fork into the child: its own process group, no descriptors but its own, no blocked signals, ended with the guard."""
        os.setpgid(0, 0)
        signal.set_wakeup_fd(-1)
        for number in HANDLED:
            signal.signal(number, signal.SIG_DFL)
        os.dup2(asked.log, 1)
        os.dup2(asked.log, 2)
        self.line.detach()  # its number is closed below, and may belong to another file when the object ends
        _hold(dict(zip(asked.keep, asked.held, strict=True)))
        if asked.cwd:
            os.chdir(asked.cwd)
        os.environ.clear()
        os.environ.update(asked.env)
        signal.pthread_sigmask(signal.SIG_SETMASK, [])  # a stop that arrived in the meantime ends the child here
        if asked.unroot and os.geteuid() == 0:
            drop_root()
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, asked.death)  # after the change of user, which clears it
        if os.getppid() != self._pid:
            os._exit(1)

    def _reap(self) -> None:
        """Report every child that has ended, and kill what is left of its group."""
        for pid in list(self.children):
            ended, status = os.waitpid(pid, os.WNOHANG)
            if ended:
                child = self.children.pop(pid)
                with contextlib.suppress(ProcessLookupError, PermissionError):
                    os.killpg(pid, signal.SIGKILL)
                code = os.waitstatus_to_exitcode(status)
                with contextlib.suppress(BrokenPipeError):
                    os.write(child.report, f"{code if code >= 0 else 128 - code}\n".encode())
                os.close(child.report)

    def _stop(self, pid: int) -> None:
        """Ask a child to end, once."""
        child = self.children[pid]
        if child.deadline is None:
            child.deadline = time.monotonic() + child.grace
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.kill(pid, signal.SIGCONT)  # a process under SIGSTOP would not receive the next signal
                os.kill(pid, child.stop)

    def _kill(self, now: float) -> None:
        """Kill every child whose grace is over."""
        for pid, child in self.children.items():
            if child.deadline is not None and now >= child.deadline:
                with contextlib.suppress(ProcessLookupError, PermissionError):
                    os.killpg(pid, signal.SIGKILL)
                child.deadline = now + NEEDS_S


def drop_root() -> None:
    """Leave root, which PostgreSQL refuses, for a user namespace in which root appears as nobody, so that files keep their owner."""
    nobody = pwd.getpwnam("nobody")
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.unshare(CLONE_NEWUSER) != 0:
        raise OSError(ctypes.get_errno(), "run as root, and user namespaces are off")
    for name, line in (("setgroups", "deny"), ("uid_map", f"{nobody.pw_uid} 0 1"), ("gid_map", f"{nobody.pw_gid} 0 1")):
        with open(f"/proc/self/{name}", "w") as file:  # noqa: PTH123 (pathlib costs half of the start)
            file.write(line)


def _hold(kept: dict[int, int]) -> None:
    """Close every descriptor from 3 on but these. kept: the number that a descriptor shall have → the one that it has."""
    above = max([2, *kept, *kept.values()]) + 1
    moved = {number: fcntl.fcntl(at, fcntl.F_DUPFD, above) for number, at in kept.items()}
    os.closerange(3, above)
    for number, at in moved.items():
        os.dup2(at, number)
    os.closerange(above, os.sysconf("SC_OPEN_MAX"))


def rename(command: list[str]) -> None:
    """Let `ps` and `top` show this command, `python -m module …`, for this process, as far as its own left room."""
    ctypes.CDLL(None).prctl(PR_SET_NAME, command[2].removeprefix("services.").encode()[:15])
    with open("/proc/self/stat", "rb") as file:  # noqa: PTH123
        fields = file.read().rpartition(b")")[2].split()
    start, end = int(fields[45]), int(fields[46])  # arg_start and arg_end, fields 48 and 49 of proc_pid_stat(5)
    ctypes.memmove(start, b"\0".join(word.encode() for word in command)[: end - start - 1].ljust(end - start, b"\0"), end - start)


def serve(argv: list[str]) -> list[str]:
    """Run the guard. In a child that begins as a fork, return its command. argv: the socket's descriptor."""
    guard = Guard(socket.socket(fileno=int(argv[0])))
    os.dup2(os.open(os.devnull, os.O_WRONLY), 2)  # until here it is the first child's output, where somebody looks for what went wrong
    return guard.serve()


if __name__ == "__main__":
    serve(sys.argv[1:])
