"""Run one frozen engine without a network, files to write or other processes: `python -I -S -B engine_child.py ENGINE.zip LIBRARIES…`.

A script of its own that imports nothing of this program: `referral` is the one in the zip. Questions come by standard input and answers
leave by standard output, each a length of four bytes and a msgpack map. The first answer names the walls that stand.
"""

from __future__ import annotations

import os
import sys
from typing import Any

NEW_USER, NEW_NETWORK = 0x1000_0000, 0x4000_0000
"""Flags of unshare(2): a user namespace, which whoever is not root needs, and an empty network namespace."""
REFUSED = (
    *("socket.", "subprocess.", "os.", "pty.", "ctypes.", "shutil.", "tempfile.", "mmap.", "fcntl.", "signal.", "resource.", "sqlite3."),
    *("syslog.", "urllib.", "http.", "ftplib.", "smtplib.", "poplib.", "imaplib.", "webbrowser."),
)
"""Beginnings of the audit events of Python that no engine needs."""
NEEDED = frozenset({"os.listdir", "os.scandir"})
"""Events of imports, which would be refused otherwise."""
WRITES = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND


def leave_the_network() -> list[str]:
    """Move into an empty network namespace, and give up writing files and starting processes. Returns the walls that this kernel grants."""
    import ctypes  # here, for afterwards the hook refuses it
    import resource

    walls = []
    for limit, name in ((resource.RLIMIT_FSIZE, "no file grows"), (resource.RLIMIT_NPROC, "no process"), (resource.RLIMIT_CORE, "no core")):
        resource.setrlimit(limit, (0, 0))
        walls.append(name)
    unshare = getattr(ctypes.CDLL(None), "unshare", None)
    if unshare is not None and 0 in (unshare(NEW_USER | NEW_NETWORK), unshare(NEW_NETWORK)):
        walls.append("network namespace")
    return walls


def refuse(event: str, arguments: tuple[Any, ...]) -> None:
    """Refuse what no engine needs. Python calls this before each such act. PermissionError."""
    if event == "open":
        _, mode, flags = arguments
        if not set(mode or "").isdisjoint("wax+") or (flags or 0) & WRITES:
            raise PermissionError("a frozen engine writes no file")
    elif event.startswith(REFUSED) and event not in NEEDED:
        raise PermissionError(f"a frozen engine does not do this: {event}")


def main(engine: str, *libraries: str) -> None:
    """Answer until the other side closes."""
    questions, answers = sys.stdin.buffer, sys.stdout.buffer
    sys.stdout = sys.stderr  # nothing but answers may stand in the way of answers
    walls = leave_the_network()
    sys.addaudithook(refuse)
    sys.path[:0] = [engine]
    sys.path += libraries
    from msgspec import msgpack

    from referral.wire.engine_session import EngineSession

    session, told = EngineSession(), {"walls": [*walls, "audit hook"]}
    while True:
        data = msgpack.encode(told)
        answers.write(len(data).to_bytes(4, "big") + data)
        answers.flush()
        length = questions.read(4)
        if len(length) < 4:
            return
        told = session.answer(msgpack.decode(questions.read(int.from_bytes(length, "big"))))


if __name__ == "__main__":
    main(*sys.argv[1:])
