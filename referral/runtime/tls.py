"""Make TLS 1.3 contexts from an identity folder: who we are, whom we trust, and whom no longer. Contexts in use follow the folder.

The folder has three files, made by `referral ca install` and replaced whole, each by one rename (decision 0039): `identity.pem`, our
key with its certificates; `authority.pem`, the authorities that we trust; `revoked.pem`, their lists of revoked certificates.
"""

from __future__ import annotations

import asyncio
import ssl
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path

from referral.authorities import public, trusted
from referral.errors import Rejected

REFRESH_S = 10.0
"""Seconds (ours) between two looks at the folder: a renewed or revoked certificate counts after that."""
TRIES = 2
"""Reads of `identity.pem`: OpenSSL opens it once for the certificates and once for the key, and a renewal may come between."""
IDENTITY, AUTHORITY, REVOKED = "identity.pem", "authority.pem", "revoked.pem"


@dataclass(eq=False)
class _Followed:
    """A context, and the state of the three files when it last read them."""

    context: ssl.SSLContext
    folder: Path
    revoked: bool
    read: tuple[tuple[int, int], ...] = field(default=())

    def load(self) -> None:
        """Read the files if they have changed. OSError, ssl.SSLError: they cannot be read, or hold no such thing."""
        now = tuple(_stamp(self.folder / name) for name in (IDENTITY, AUTHORITY, REVOKED))
        if now == self.read:
            return
        for name in (AUTHORITY, REVOKED) if self.revoked else (AUTHORITY,):
            self.context.load_verify_locations(self.folder / name)
        for attempt in range(1, TRIES + 1):
            try:
                self.context.load_cert_chain(self.folder / IDENTITY)
                break
            except ssl.SSLError:
                if attempt == TRIES:
                    raise
        self.read = now


_followed: list[_Followed] = []


def _stamp(path: Path) -> tuple[int, int]:
    """Return what changes with each replacement of a file: its inode and its time in ns."""
    state = path.stat()
    return state.st_ino, state.st_mtime_ns


@lru_cache(maxsize=64)
def client(folder: Path) -> ssl.SSLContext:
    """Return the context with which we reach other programs of the line: they must have the name that we call, and be in force.

    folder: our identity. Rejected: it is not complete.
    """
    return _made(folder, ssl.PROTOCOL_TLS_CLIENT)


@lru_cache(maxsize=8)
def listener(folder: Path, *, asks: bool) -> ssl.SSLContext:
    """Return the context of a server of ours.

    asks: whoever connects must show a certificate in force. Otherwise one may: browsers have none, and one that is shown is verified all
    the same.
    """
    context = _made(folder, ssl.PROTOCOL_TLS_SERVER, verify=ssl.CERT_REQUIRED if asks else ssl.CERT_OPTIONAL)
    context.set_alpn_protocols(["http/1.1"])
    context.num_tickets = 0  # a resumed session shows no certificate again: one that was revoked would open the door for two more hours
    return context


@lru_cache(maxsize=8)
def outward(folder: Path | None) -> ssl.SSLContext:
    """Return the context for servers that are not all ours, such as other parties' witnesses: the public authorities are believed too.

    folder: our identity, which is shown to a server that asks; None: we have none.
    """
    if folder is None:
        return trusted()
    return _followed_in(folder, public(), revoked=False)


def within(folder: Path | None, url: str) -> ssl.SSLContext:
    """Return the context for another service of the line, which must show a certificate of our authority. Rejected: we have no identity."""
    return client(folder) if folder is not None and url.startswith("https:") else trusted()


def _made(folder: Path, protocol: int, verify: ssl.VerifyMode = ssl.CERT_REQUIRED) -> ssl.SSLContext:
    context = ssl.SSLContext(protocol)
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    context.verify_mode = verify
    context.verify_flags |= ssl.VERIFY_CRL_CHECK_CHAIN | ssl.VERIFY_X509_STRICT
    return _followed_in(folder, context)


def _followed_in(folder: Path, context: ssl.SSLContext, *, revoked: bool = True) -> ssl.SSLContext:
    followed = _Followed(context, folder, revoked)
    try:
        followed.load()
    except (OSError, ssl.SSLError) as error:
        why = f"{folder.name}: {error.strerror or type(error).__name__}; `referral ca install` makes it whole"
        raise Rejected("identity", "REFERRAL_TLS", why) from None
    _followed.append(followed)
    return context


def refresh() -> None:
    """Let every context in use read its folder again. A file that cannot be read leaves it as it was, and is said.

    Call it in the thread of the event loop: a handshake on another one could show the new certificate with the old key. It takes a
    millisecond, and only when something has changed.
    """
    for one in _followed:
        try:
            one.load()
        except (OSError, ssl.SSLError) as error:
            from referral.runtime.observe import log  # takes a tenth of a second to load, which a witness need not wait for

            log().error("identity cannot be read", reason=type(error).__name__, hint="`referral ca list` shows what is wrong with it")


async def follow() -> None:
    """Refresh every REFRESH_S, until cancelled."""
    while True:
        await asyncio.sleep(REFRESH_S)
        refresh()
