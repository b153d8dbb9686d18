"""Settings of a watchman: its own variables, and those of its channels, which have names of their own so that no account is shared."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import urlsplit

from msgspec import Struct

from referral.errors import Rejected
from services.watchman import beat
from services.watchman.reach import Server

OWN, SHARED = "REFERRAL_WATCHMAN_", "REFERRAL_"


class Own(Struct, frozen=True, kw_only=True):
    """operators: file of the people to call. beats: addresses that take our beats. key: shared with the other watchmen; None: alone.

    expects: names of the watchmen whose silence is an alarm. trunks: those of the notifier, if this machine can reach them.
    """

    operators: Path
    beats: tuple[str, ...] = ()
    key: bytes | None = None
    expects: frozenset[str] = frozenset()
    trunks: tuple[Server, ...] = ()

    def __repr__(self) -> str:
        return "Own()"


def load(environment: Mapping[str, str]) -> Own:
    """Read REFERRAL_WATCHMAN_OPERATORS and the settings of beats. Rejected: missing or malformed."""
    file = environment.get("REFERRAL_WATCHMAN_OPERATORS")
    if not file:
        raise Rejected("missing", "REFERRAL_WATCHMAN_OPERATORS", "the file of the people to call; see docs/operators.md, A watchman")
    beats = _words(environment.get("REFERRAL_WATCHMAN_BEAT", ""))
    if any(urlsplit(url).scheme not in ("http", "https") or not urlsplit(url).hostname for url in beats):
        raise Rejected("malformed", "REFERRAL_WATCHMAN_BEAT", "addresses like https://host:port/beat, with commas between")
    secret, expects = environment.get("REFERRAL_WATCHMAN_BEAT_KEY_FILE"), _words(environment.get("REFERRAL_WATCHMAN_EXPECTS", ""))
    if (beats or expects) and not secret:
        raise Rejected("missing", "REFERRAL_WATCHMAN_BEAT_KEY_FILE", "the key that the watchmen share: openssl rand -hex 32")
    return Own(
        operators=Path(file),
        beats=beats,
        key=beat.key(Path(secret)) if secret else None,
        expects=frozenset(expects),
        trunks=tuple(_trunk(word) for word in _words(environment.get("REFERRAL_WATCHMAN_TRUNKS", ""))),
    )


def channels(environment: Mapping[str, str]) -> dict[str, str]:
    """Return the environment that the channels read: REFERRAL_WATCHMAN_SIP as REFERRAL_SIP, and so on.

    The notifier's own settings are left out, so that the watchman never calls through the trunk whose failure it reports."""
    kept = {name: value for name, value in environment.items() if not name.startswith(SHARED)}
    return kept | {SHARED + name.removeprefix(OWN): value for name, value in environment.items() if name.startswith(OWN)}


def named(error: Rejected) -> Rejected:
    """Return the error of a channel's setting with the names by which a watchman reads it."""
    own = re.compile(rf"\b{SHARED}(?!{OWN.removeprefix(SHARED)})")
    return Rejected(error.code, own.sub(OWN, error.where), own.sub(OWN, error.hint), status=error.status)


def _trunk(written: str) -> Server:
    way, _, place = written.partition(":")
    host, _, port = place.rpartition(":")
    if way not in ("tcp", "udp") or not host or not port.isdigit():
        raise Rejected("malformed", "REFERRAL_WATCHMAN_TRUNKS", "write tcp:host:port, or udp:host:port for SIP by UDP, with commas between")
    return Server(host.strip("[]"), int(port), udp=way == "udp")


def _words(written: str) -> tuple[str, ...]:
    return tuple(word.strip() for word in written.split(",") if word.strip())
