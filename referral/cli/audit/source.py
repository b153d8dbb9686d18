"""Open the input of the auditor's commands: an exported folder or the running system, with the keys that open its cases.

An export is written so that an interrupted one is never mistaken for a complete one: its checkpoint comes last.
"""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key, load_pem_public_key
from msgspec import Struct

from referral.errors import Malformed
from referral.proof.archive import CHECKPOINT, KEYS, POLICY, Archive
from referral.proof.unlogged import Standing
from referral.proof.verify import known as known_findings
from referral.proof.verify.known import Known
from referral.runtime.settings import Settings
from referral.tlog import witness_policy
from referral.tlog.note_keys import VerifierKey
from referral.wire import hpke
from referral.wire.signed import trust

Export = Annotated[Path | None, typer.Argument(metavar="[DIR]", help="An export; without it the running system of the environment.")]
Witnesses = Annotated[
    Path | None,
    typer.Option(
        "--trust",
        "--witnesses",
        help="Whom you believe: your own trust.toml, or a C2SP policy file, which names log and witnesses alone. By default the log's own.",
    ),
]
AuditorKey = Annotated[
    Path | None, typer.Option("--key", help="Your secret key (`referral audit reader`), which opens the cases of an export.")
]
Keys = Callable[[Iterable[str] | None], Mapping[str, bytes]]


class Opened(Struct, frozen=True):
    """An open log. keys: returns the keys of these cases, or of all, as far as the reader may have them.

    tables: reads what the tables of the running system say, in the log's own snapshot; None: an export, which has none.
    """

    archive: Archive
    keys: Keys
    tables: Callable[[], Standing] | None = None


@contextmanager
def opened(folder: Path | None, key: Path | None = None, where: Settings | None = None) -> Iterator[Opened]:
    """Open an export, or the database. typer.BadParameter: no such folder or key; Unavailable: the database is down."""
    if folder is not None:
        found = opened_export(folder)
        held = lent_keys(found, key)
        yield Opened(found, lambda ids: held if ids is None else {one: held[one] for one in ids if one in held})
        return
    from referral.cli import connection, standing  # here, for an export needs no database: loading it takes longer than a small log
    from referral.cli.audit import live_log

    with live_log.opened(where) as rows:
        yield Opened(rows, lambda ids: rows.ask(lambda tx: connection.case_keys(tx, rows.settings, ids)), lambda: rows.ask(standing.read))


def lent_keys(there: Archive, key: Path | None) -> dict[str, bytes]:
    """Return the case keys of an export, decrypted with the auditor's secret key; none where no key is given."""
    if key is None:
        return {}
    data = there.read(KEYS)
    if data is None:
        raise typer.BadParameter("--key: this export lends no keys; ask for one that does (`referral audit export --for`)")
    try:
        secret = load_pem_private_key(key.read_bytes(), None)
        if not isinstance(secret, X25519PrivateKey):
            raise ValueError
    except (OSError, ValueError, TypeError, UnsupportedAlgorithm):
        raise typer.BadParameter(f"{key}: a secret key as `referral audit reader` makes it is needed") from None
    origin = (there.read(CHECKPOINT) or b"").partition(b"\n")[0].decode("utf-8", "replace")
    try:
        return hpke.take(secret, origin, data)
    except Malformed:
        raise typer.BadParameter(
            f"{key} opens nothing here: the keys were lent to another auditor, or `{KEYS}` or the first line of `{CHECKPOINT}` was changed;"
            " ask for the export again"
        ) from None


def public_key(path: Path) -> X25519PublicKey:
    """Read an auditor's public key from its file. typer.BadParameter."""
    try:
        found = load_pem_public_key(path.read_bytes())
        if not isinstance(found, X25519PublicKey):
            raise ValueError
    except (OSError, ValueError, UnsupportedAlgorithm):
        raise typer.BadParameter(f"{path}: an auditor's public key as `referral audit reader` makes it is needed") from None
    return found


def file(path: Path | None) -> bytes | None:
    """Return the bytes of a file that an option names; None where the option is absent. typer.BadParameter."""
    if path is None:
        return None
    try:
        return path.read_bytes()
    except OSError as error:
        raise typer.BadParameter(f"{path}: {error.strerror}") from None


def known(path: Path, key: VerifierKey) -> Known:
    """Read an office's list of acknowledged findings. typer.BadParameter: it is none, or this key has not signed it."""
    try:
        return known_findings.parse(file(path) or b"", key)
    except Malformed as error:
        raise typer.BadParameter(f"{path}, the list of acknowledged findings: {error}") from None


TOML = ".toml"
"""End of the name of a `trust.toml`; a file of another name is a C2SP policy file."""


def policy(path: Path | None) -> bytes | None:
    """Return whom an auditor believes, in the form in which the log names them (`Trust.logged`); None where the option is absent.

    typer.BadParameter: the file is malformed, or a C2SP policy file that names keys in comment lines, as in release 0.1.0.
    """
    return _believed(path, trust.refuse_old_lines)


def rules(path: Path | None) -> bytes | None:
    """Return the same for a command that believes nobody but the log and its witnesses: a comment of a C2SP policy file is a comment."""
    return _believed(path, lambda _: None)


def _believed(path: Path | None, check: Callable[[bytes], None]) -> bytes | None:
    data = file(path)
    if path is None or data is None:
        return None
    try:
        if path.suffix == TOML:
            data = trust.read(data).logged()
        else:
            check(data)
        witness_policy.parse(data)
    except Malformed as error:
        raise typer.BadParameter(f"{path}, your policy file: {error}") from None
    return data


FILES, FOLDERS = (CHECKPOINT, POLICY, KEYS), ("tile/", "payload/", "schemas/")
"""Files and folders of which an export is made. An index beside them is a database's alone: of an export every leaf is read."""
LARGEST = 1 << 30
"""Most bytes of one file (ours): 256 records of the broker's 1 MiB, four times over."""


class Folder:
    """An exported log. It ends at its checkpoint. Whoever carried it may have put anything into it."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def __str__(self) -> str:
        return str(self.root)

    def read(self, path: str) -> bytes | None:
        """Return the bytes of a file; None where there is no such file, or something else stands in its place. Malformed: too large."""
        if path not in FILES and not path.startswith(FOLDERS):
            return None
        try:
            handle = os.open(self.root / path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        except OSError as error:
            if error.errno in (errno.ENOENT, errno.ENOTDIR, errno.ELOOP, errno.ENXIO):
                return None
            raise
        status = os.fstat(handle)
        if not stat.S_ISREG(status.st_mode):
            os.close(handle)
            return None
        with os.fdopen(handle, "rb") as file:
            if status.st_size > LARGEST:
                raise Malformed("file", f"{path} has {status.st_size} bytes; no file of an export has more than {LARGEST}")
            return file.read()


def opened_export(root: Path) -> Folder:
    """Open a finished export. typer.BadParameter: the folder holds none."""
    if not root.is_dir():
        raise typer.BadParameter(f"{root}: no such folder")
    if not (root / CHECKPOINT).is_file():
        raise typer.BadParameter(f"{root} holds no checkpoint: it is no export, or one that was not finished; export again")
    return Folder(root)


def put(root: Path, path: str, data: bytes) -> None:
    """Write a file atomically: it appears under its name with all its bytes, or not at all."""
    place = root / path
    place.parent.mkdir(parents=True, exist_ok=True)
    part = place.with_name(f"{place.name}.part")
    part.write_bytes(data)
    part.replace(place)


def finish(root: Path, files: Mapping[str, bytes]) -> None:
    """Write the last files in this order, after all others are on the disk. The checkpoint makes the folder an export."""
    os.sync()
    for path, data in files.items():
        put(root, path, data)
        for name in (root / path, root):
            descriptor = os.open(name, os.O_RDONLY)
            try:
                os.fsync(descriptor)
            finally:
                os.close(descriptor)
