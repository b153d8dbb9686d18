"""A process that tries to open everything with what one service has: `python -m tests.harness.opened CASE`.

Standard input: name → [sealed, the place that the seal covers], both hexadecimal. Standard output: the names of what opened. It holds the
service's environment and nothing else: somebody took the service over, and runs code of their own there. It tries each key that it finds
in its files, that these yield for any purpose and with any partner, and that the database gives it of the case.
"""

from __future__ import annotations

import asyncio
import hmac
import json
import os
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import asyncpg
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from sqlalchemy.engine import make_url

from referral.runtime.keys import service_keys
from referral.runtime.keys.case_keys import CaseKeys, Keys
from referral.runtime.keys.service_keys import BETWEEN, OWN, PURPOSES
from referral.runtime.settings import SERVICES

WORDS = (*PURPOSES, *BETWEEN, *OWN, "operator", "case-key", "case-file", *(f"case-key/{service}" for service in SERVICES))
NONCE = 12


def yielded(secrets: Iterable[bytes]) -> set[bytes]:
    """The secrets, and what each of them yields for every purpose."""
    found = set(secrets)
    keys = found | {service_keys.derived(secret, word) for secret in found for word in WORDS}
    return keys | {hmac.digest(key, b"", "sha256") for key in keys}  # as `Keys.hmac` of nothing, the key of the quarantine


def held(path: Path) -> set[bytes]:
    """Every key that a service's file has or yields."""
    keys = service_keys.read(path)
    shared = {service_keys._shared(keys.secret, public) for public in keys.partners.values()}
    return yielded({keys.secret, *keys.purposes.values(), *shared})


async def given(environment: Mapping[str, str], case_id: str) -> set[bytes]:
    """The keys of a case that the database gives this role and its file opens."""
    url = make_url(environment["REFERRAL_DATABASE"])
    password = Path(environment["REFERRAL_DATABASE_PASSWORD_FILE"]).read_text().strip()
    address: dict[str, Any] = {"host": url.host, "port": url.port, "database": url.database, **url.query}
    line = await asyncpg.connect(**{word: value for word, value in address.items() if value}, user=url.username, password=password)
    try:
        rows = await line.fetch("SELECT reader, wrapped FROM keys.wrapped(ARRAY[$1])", case_id)
    except asyncpg.InsufficientPrivilegeError:
        rows = []
    finally:
        await line.close()
    forms = {row["reader"]: row["wrapped"] for row in rows}
    opened = Keys(service_keys.read(Path(environment[service_keys.FILE]))).unwrap({case_id: forms})
    return yielded(key for found in opened.values() for key in (bytes(found), found.file if isinstance(found, CaseKeys) else None) if key)


def opens(keys: Iterable[bytes], sealed: bytes, place: bytes) -> bool:
    for key in keys:
        try:
            AESGCM(key).decrypt(sealed[:NONCE], sealed[NONCE:], place)
        except InvalidTag:
            continue
        return True
    return False


if __name__ == "__main__":
    here = dict(os.environ)
    keys = held(Path(here[service_keys.FILE])) | asyncio.run(given(here, sys.argv[1]))
    wanted = {name: (bytes.fromhex(sealed), bytes.fromhex(place)) for name, (sealed, place) in json.load(sys.stdin).items()}
    sys.stdout.write(json.dumps(sorted(name for name, (sealed, place) in wanted.items() if opens(keys, sealed, place))))
