"""`referral audit witness`: run a C2SP witness that needs only a key and a small SQLite file, and nothing else of this system.

It sees a log's name, size and root, never an entry; it signs only a checkpoint that continues the last one that it signed.
The decision and the write are one transaction, which is on the disk before the answer leaves.
"""

from __future__ import annotations

import asyncio
import hashlib
import os
import signal
import socket
import sqlite3
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Annotated

import msgspec
import typer
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from referral.cli import console
from referral.errors import Malformed
from referral.runtime import http_connection, http_listener, secret_file, tls
from referral.runtime.http_message import bounded_body
from referral.tlog import note_keys, witness, witness_policy
from referral.tlog.checkpoint import Checkpoint
from referral.tlog.note_keys import COSIGNATURE, ED25519, SEED, SignerKey, VerifierKey
from referral.tlog.witness import MOST_BYTES, Answer

SLOW_S = 20.0
"""Limit for receiving a body (ours); a body has at most some 60 KB."""

PolicyFile = Annotated[Path, typer.Option("--policy", help="A C2SP policy file: its `log` lines are the logs that are witnessed.")]
KeyFile = Annotated[Path, typer.Option("--key", help="File of the secret key; made if missing and --name is given.")]
KeyName = Annotated[str, typer.Option("--name", help="Name of a new key: a host of yours and a path, as ombudsperson.example/witness.")]
DataFile = Annotated[
    Path | None, typer.Option("--data", help="Database of cosigned heads (SQLite); by default beside the key, with .heads.")
]
Address = Annotated[str, typer.Option("--http", help="host:port; port 0: any free one.")]
Identity = Annotated[
    Path | None, typer.Option("--tls", help="Folder of an identity: speak TLS. Without it: for this machine, or a proxy that ends TLS.")
]


def witness_command(
    policy: PolicyFile,
    key: KeyFile,
    name: KeyName = "",
    data: DataFile = None,
    http: Address = "127.0.0.1:8091",
    identity: Identity = None,
    as_json: console.Json = False,
) -> int:
    """Run a witness: cosign each checkpoint that continues the last one, and refuse every other history.

    Keep the key and the file of cosigned heads together, and restore neither from a backup: a witness that forgets can sign a fork.
    With --json: one line when ready.

    Exit 0 ended by Ctrl-C, 2 a file, key or address cannot be used.

    Example: referral audit witness --policy log.policy --key witness.key --name ombudsperson.example/witness
    """
    logs, place = _logs(policy), data or key.with_name(f"{key.name}.heads")
    if key.exists() and not place.exists():
        raise typer.BadParameter(f"{place}: what this key has cosigned is gone, so it might sign for a fork; make a new key")
    try:
        heads = Heads(place)
    except sqlite3.Error as error:
        raise typer.BadParameter(f"{place}: {error}") from None
    secret = _key(key, name)
    host, _, port = http.rpartition(":")
    try:
        bound = http_listener.listen(host, int(port))
        bound.listen(http_listener.CONNECTIONS)  # connections are queued from now on
    except (OSError, ValueError, OverflowError) as error:
        raise typer.BadParameter(f"--http {http}: {error}") from None
    public = [secret.verifier.as_kind(kind).encode().decode() for kind in (COSIGNATURE, ED25519)]
    context = tls.listener(identity, asks=False) if identity else None
    url = f"http{'s' if context else ''}://{host}:{bound.getsockname()[1]}"
    if as_json:
        sys.stdout.buffer.write(msgspec.json.encode({"ready": True, "url": url, "keys": public}) + b"\n")
        sys.stdout.flush()
    else:
        _tell(url, public, logs, heads)
    try:
        asyncio.run(_serve(http_connection.config(application(heads, logs, secret), context), bound))
    finally:
        heads.close()
    return 0


async def _serve(config: http_connection.Config, bound: socket.socket) -> None:
    """Serve until a signal; a renewed certificate counts after a few seconds."""
    server = http_connection.Server(config)
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, setattr, server, "should_exit", True)
    following = asyncio.create_task(tls.follow())
    await server.serve(sockets=[bound])
    following.cancel()


def application(heads: Heads, logs: dict[str, list[VerifierKey]], secret: SignerKey) -> Starlette:
    """Return the ASGI application.

    `POST /add-checkpoint` follows C2SP tlog-witness; `GET /checkpoint/<SHA-256 of the origin>` shows the checkpoint that was cosigned last.
    """

    async def add_checkpoint(request: Request) -> Response:
        try:
            async with asyncio.timeout(SLOW_S):
                body = await bounded_body(request, MOST_BYTES)
        except TimeoutError:
            return PlainTextResponse("the body did not come in time\n", 408)
        try:
            answer = await run_in_threadpool(heads.answer, body, logs, [secret], int(time.time()))  # noqa: TID251 - a witness signs its own time
        except sqlite3.Error as error:
            console.errors.print(f"nothing was signed: {error}", markup=False)
            return PlainTextResponse("nothing was signed; try again\n", 503, headers={"retry-after": "5"})
        return Response(answer.body, answer.status, media_type=None, headers={"content-type": answer.type})

    async def seen(request: Request) -> Response:
        try:
            notes = await run_in_threadpool(heads.notes)
        except sqlite3.Error as error:
            console.errors.print(f"nothing can be shown: {error}", markup=False)
            return PlainTextResponse("nothing can be shown; try again\n", 503, headers={"retry-after": "5"})
        answer = {hashlib.sha256(origin.encode()).hexdigest(): shown for origin, shown in notes.items()}.get(request.path_params["origin"])
        return PlainTextResponse(answer) if answer else PlainTextResponse("nothing was cosigned for this log\n", 404)

    routes = [Route("/add-checkpoint", add_checkpoint, methods=["POST"]), Route("/checkpoint/{origin}", seen)]
    return Starlette(routes=routes)


def _logs(path: Path) -> dict[str, list[VerifierKey]]:
    try:
        policy = witness_policy.parse(path.read_bytes())
    except (OSError, Malformed) as error:
        raise typer.BadParameter(f"{path}: {error}") from None
    if not policy.logs:
        raise typer.BadParameter(f"{path}: no line names a log: log KEY")
    logs: dict[str, list[VerifierKey]] = {}
    for log in policy.logs:
        logs.setdefault(log.name, []).append(log.key)
    return logs


def _key(path: Path, name: str) -> SignerKey:
    """Read the key file. A new key is on the disk, readable by its owner alone, before it signs."""
    try:
        if name and not path.exists():
            note_keys.named(name.encode(), "key", "--name")
            secret_file.write(path, SignerKey(name, COSIGNATURE, os.urandom(SEED)).encode() + b"\n")
        key = note_keys.signer(path.read_bytes().removesuffix(b"\n"))
    except (OSError, Malformed) as error:
        raise typer.BadParameter(f"{path}: {error}") from None
    if key.kind != COSIGNATURE:
        raise typer.BadParameter(f"{path}: a witness signs with a cosignature key (type 4), as with another it would speak for a log")
    if name not in ("", key.name):
        raise typer.BadParameter(f"{path}: this is the key {key.name}; leave --name out, or name another file")
    return key


def _tell(url: str, public: list[str], logs: dict[str, list[VerifierKey]], heads: Heads) -> None:
    say = partial(console.console.print, soft_wrap=True, markup=False)
    say(f"listens on {url}/add-checkpoint; give the log's operator this address and one of the keys:")
    for word, use in zip(public, ("for C2SP policies", "for programs that take only Ed25519"), strict=True):
        say(f"  {word}   ({use})")
    known = {head.origin: head.size for head in heads.all()}
    for origin in logs:
        seen = f"cosigned up to {known[origin]:,} entries" if origin in known else "nothing cosigned yet"
        say(f"witnesses {origin}: {seen}")


WAIT_S = 5.0
"""Limit for one process to wait for another at the same file (ours)."""
TABLE = "CREATE TABLE IF NOT EXISTS head (origin TEXT PRIMARY KEY, size INTEGER NOT NULL, root BLOB NOT NULL, note BLOB) STRICT"
COLUMNS = "SELECT name FROM pragma_table_info('head')"
NOTE = "ALTER TABLE head ADD COLUMN note BLOB"
"""Files of the first release have no such column: nothing can be shown until the next cosignature."""
LAST = "SELECT origin, size, root FROM head"
KEEP = (
    "INSERT INTO head (origin, size, root, note) VALUES (?, ?, ?, ?)"
    " ON CONFLICT (origin) DO UPDATE SET size = excluded.size, root = excluded.root, note = excluded.note"
)


class Heads:
    """The newest head of each log. On sqlite3.Error from any call nothing may be signed; the next answer 409 states the stored size."""

    def __init__(self, path: Path) -> None:
        self._lock = threading.Lock()
        self._file = sqlite3.connect(path, timeout=WAIT_S, isolation_level=None, check_same_thread=False)
        self._file.execute("PRAGMA synchronous = EXTRA")
        self._file.execute(TABLE)
        if ("note",) not in self._file.execute(COLUMNS).fetchall():
            self._file.execute(NOTE)

    def answer(self, body: bytes, logs: Mapping[str, Sequence[VerifierKey]], keys: Sequence[SignerKey], seconds: int) -> Answer:
        """Answer a log's request. logs: origin → keys. seconds: Unix time."""
        with self._lock:
            self._file.execute("BEGIN IMMEDIATE")
            try:
                last = {origin: Checkpoint(origin, size, root) for origin, size, root in self._file.execute(LAST)}
                answer = witness.answer(body, logs, last, keys, seconds)
                if answer.keep is not None:
                    self._file.execute(KEEP, (answer.keep.origin, answer.keep.size, answer.keep.root, answer.note))
                self._file.execute("COMMIT")
            except BaseException:
                if self._file.in_transaction:
                    self._file.execute("ROLLBACK")
                raise
        return answer

    def all(self) -> list[Checkpoint]:
        """Return the checkpoint of each log that was cosigned last, for display."""
        with self._lock:
            return [Checkpoint(*row) for row in self._file.execute(f"{LAST} ORDER BY origin")]

    def notes(self) -> dict[str, bytes]:
        """Return origin → the newest checkpoint with the signatures of log and witness."""
        with self._lock:
            return dict(self._file.execute("SELECT origin, note FROM head WHERE note IS NOT NULL"))

    def close(self) -> None:
        with self._lock:
            self._file.close()
