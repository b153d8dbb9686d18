"""Data folders of local servers: choose and create them, lock them against a second instance, and report start-up errors in one line."""

from __future__ import annotations

import errno
import fcntl
import hashlib
import os
import tempfile
import time
from importlib.machinery import ModuleSpec, PathFinder  # noqa: TID251 (finds what is installed, imports nothing)
from pathlib import Path

from referral.runtime import settings

SOCKET_PATH_LIMIT = 107
"""Longest path of a Unix socket in bytes: `sun_path` has 108 with its closing zero."""
LINGER_S = 20.0
"""Seconds for which a start waits until the servers of a killed predecessor have ended: longer than the grace of any child."""


def checkout() -> Path:
    """Return the folder with deploy/, schemas/ and policy/."""
    return Path(__file__).resolve().parents[2]


def default_data() -> Path:
    """Return `referral` in the user's data folder (XDG)."""
    return Path(os.environ.get("XDG_DATA_HOME") or Path.home() / ".local" / "share") / "referral"


def default_jars() -> Path:
    """Return REFERRAL_JARS, else `referral/jars` in the user's cache folder (XDG)."""
    return settings.read().jars or Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "referral" / "jars"


def make(path: Path) -> Path:
    """Create a folder that only its owner may read. Trouble: it cannot be created."""
    try:
        path.mkdir(parents=True, exist_ok=True, mode=0o700)
    except OSError as error:
        raise of_os(error, path) from error
    return path


def lock(data: Path) -> int:
    """Lock the data folder and return the descriptor; the lock lasts as long as any process, children included, holds it open.

    After a SIGKILL of the owner, its servers need seconds to end: wait for those, but not for a living owner. Raises Trouble.
    """
    try:
        descriptor = os.open(data / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise of_os(error, data) from error
    deadline = time.monotonic() + LINGER_S
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            break
        except BlockingIOError:
            owner = int(os.pread(descriptor, 20, 0).strip() or b"0")
            if _alive(owner) or time.monotonic() > deadline:
                os.close(descriptor)
                advice = "its servers are still ending" if owner and not _alive(owner) else "stop that, or name another data folder"
                raise Trouble(f"{data} is in use by process {owner}; {advice}") from None
            time.sleep(0.1)
    os.ftruncate(descriptor, 0)
    os.pwrite(descriptor, str(os.getpid()).encode(), 0)
    return descriptor


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return pid > 0


def sockets(data: Path, name: str) -> Path:
    """Return a private folder in which a socket called `name` has a path short enough: in the data folder, else a temporary one.

    The same data folder always gives the same result, so that an address printed before a restart stays valid. Raises Trouble.
    """
    own = data / "socket"
    if len(os.fsencode(own / name)) <= SOCKET_PATH_LIMIT:
        return make(own)
    mark = hashlib.sha256(os.fsencode(data.resolve())).hexdigest()[:12]
    for base in (os.environ.get("XDG_RUNTIME_DIR"), tempfile.gettempdir(), "/tmp"):  # noqa: S108 (0700, and refused if not ours)
        if base and len(os.fsencode(Path(base) / f"referral-{mark}" / name)) <= SOCKET_PATH_LIMIT:
            short = make(Path(base) / f"referral-{mark}")
            if short.stat().st_uid != os.getuid() or short.stat().st_mode & 0o077:
                raise Trouble(f"{short} belongs to somebody else; name a data folder with a shorter path")
            return short
    raise Trouble("no folder with a path short enough for a Unix socket; name a data folder with a shorter path")


class Trouble(Exception):
    """A local server cannot start: the text says what is wrong and what to do. Nothing is left running."""


def find(package: str) -> ModuleSpec | None:
    """Return where a package is installed, importing nothing; None: it is not. importlib.util would ask the imported module, and Faust puts
    one without a spec in its own place."""
    return PathFinder.find_spec(package)


def uninstalled(what: str, extra: str) -> Trouble:
    """Return the Trouble for a program that only an extra of ours brings. It names no package of a registry: whoever registers a name there
    owns whoever obeys."""
    return Trouble(f"no {what}: install the extra `{extra}` with the wheel or checkout that you have (pip install 'FILE.whl[{extra}]')")


def of_os(error: OSError, folder: Path) -> Trouble:
    """Return the Trouble for an error of the operating system."""
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return Trouble(f"the disk that holds {folder} is full; free some space or name another folder")
    if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
        return Trouble(f"{folder} cannot be written; name another folder")
    return Trouble(f"{folder}: {error.strerror or error}")
