"""Ask one witness over HTTP (C2SP tlog-witness) to cosign a checkpoint."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Awaitable, Callable
from http.cookiejar import CookieJar, DefaultCookiePolicy
from pathlib import Path

import httpx

from referral.errors import Malformed, Unavailable, Unproven
from referral.runtime import tls
from referral.tlog import checkpoint, note, witness
from referral.tlog.checkpoint import Checkpoint
from referral.tlog.note import Note, Signature
from referral.tlog.note_keys import VerifierKey
from referral.tlog.witness_policy import Party

TIMEOUT_S = 1.0
"""Seconds for an answer (AUDIT.md §2); a slow witness sees the next checkpoint."""
TRIES = 3
"""Posts per request: one with a stale size, one with the witness's, and one for another instance of ours in between (ours)."""
MOST_BYTES = 64 * 1024
"""Largest answer (ours): cosignature lines have some hundred bytes."""

Proof = Callable[[int, int], Awaitable[list[bytes]]]
"""(old size, new size) → consistency proof."""


def client(identity: Path | None) -> httpx.AsyncClient:
    """Return an HTTP client for the witnesses. It takes no cookies: a witness could send new ones for ever.

    identity: our folder, for a witness that asks who we are.
    """
    return httpx.AsyncClient(verify=tls.outward(identity), cookies=CookieJar(DefaultCookiePolicy(allowed_domains=())))


class Fork(Exception):
    """The tree that this witness has cosigned does not lead to ours.

    shown: its newest checkpoint, signed by our key; None: a claim without proof.
    """

    def __init__(self, name: str, what: str, shown: Checkpoint | None) -> None:
        super().__init__(f"witness {name} {what}")
        self.shown = shown


class Witness:
    """One witness. `_old`: the size that it cosigned last, as far as we know."""

    def __init__(self, party: Party, client: httpx.AsyncClient) -> None:
        self.name, self.key, self._url, self._client = party.name, party.key, party.url.rstrip("/"), client
        self._old = 0

    async def ask(self, ours: Checkpoint, signed: Note, proof: Proof, own: VerifierKey) -> tuple[Signature, ...]:
        """Return its cosignatures of the checkpoint. Unavailable: it is away or busy. Malformed: its answer breaks the protocol. Fork."""
        for _ in range(TRIES):
            if self._old > ours.size:
                raise await self._fork(ours, own, f"has cosigned {self._old} entries, this log has {ours.size}")
            hashes = await proof(self._old, ours.size)
            status, body = await self._send("POST", "/add-checkpoint", witness.body(self._old, hashes, signed))
            match status:
                case 200:
                    cosignatures = witness.cosigned(signed, body, [self.key])
                    self._old = ours.size
                    return cosignatures
                case 409 if (size := witness.size(body)) != self._old:
                    self._old = size
                case 422:
                    raise await self._fork(ours, own, f"says that {ours.size} entries do not continue the {self._old} that it has cosigned")
                case _:
                    raise Malformed("witness", f"{self.name} answers {status}")
        raise Unavailable(f"witness {self.name} (it sees other checkpoints in between)")

    async def _fork(self, ours: Checkpoint, own: VerifierKey, what: str) -> Fork:
        """Fetch the witness's newest checkpoint, to prove the fork.

        Its word is no proof, for anybody can answer 409; a checkpoint with our own signature is.
        """
        self._old = 0
        try:
            status, body = await self._send("GET", f"/checkpoint/{hashlib.sha256(ours.origin.encode()).hexdigest()}", b"")
            shown = checkpoint.verify(note.parse(body), [own])[0] if status == 200 else None
        except (Malformed, Unavailable):
            shown = None
        return Fork(self.name, what, shown)

    async def _send(self, method: str, path: str, body: bytes) -> tuple[int, bytes]:
        try:
            async with asyncio.timeout(TIMEOUT_S), self._client.stream(method, self._url + path, content=body) as answer:
                received = b""
                async for part in answer.aiter_raw():
                    received += part
                    if len(received) > MOST_BYTES:
                        raise Unproven("witness", f"{self.name} answers without end")
                return answer.status_code, received
        except (httpx.HTTPError, httpx.InvalidURL, OSError) as error:
            raise Unavailable(f"witness {self.name} ({type(error).__name__})", 1) from None
