"""Each service's keys open what is its own, as a process with its environment alone shows."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from msgspec.structs import replace
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from referral.local.config import Addresses, StackConfig, environment
from referral.runtime.keys import case_keys, service_keys
from referral.runtime.keys.case_keys import Keys
from referral.runtime.keys.service_keys import INTAKE, readers
from referral.runtime.postgres import database
from referral.runtime.settings import CHECKOUT, SERVICES, Settings
from referral.wire import seal
from tests.harness.engines import beginning
from tests.harness.line import intake_stack

pytestmark = pytest.mark.servers
NONCE = bytes(12)
OPENS = {
    "intake": {"events", "file", *(f"keys for {reader}" for reader in readers()), "quarantine of intake"},
    "routing": {"events", "keys for routing", "quarantine of routing"},
    "notifier": {"events", "keys for notifier", "quarantine of notifier", "contact", "note"},
    "audit": {"events", "keys for audit", "quarantine of audit"},
    "oversight": {"events", "keys for oversight", "quarantine of oversight", "cut"},
    "eraser": {"quarantine of eraser"},
}
"""What each service opens, and nothing else."""


def of(settings: Settings, service: str) -> Settings:
    """The settings of a service: its own keys, and no master key."""
    assert settings.service_keys is not None
    return replace(settings, master_key_file=None, service_keys=None, service_key_file=settings.service_keys / service)


async def things(settings: Settings, tx: AsyncConnection, case_id: str) -> dict[str, tuple[bytes, bytes]]:
    """Name → (sealed, place) of one thing of each kind, as its owner sealed it."""
    everybody = case_keys.master(settings)
    operator = Keys(everybody)
    key = (await operator.load(tx, [case_id]))[case_id]
    sealed = (await tx.execute(text("SELECT sealed FROM intake.casefile WHERE case_id = :case"), {"case": case_id})).scalar_one()
    forms = (await tx.execute(text("SELECT reader, wrapped FROM keys.case_key WHERE case_id = :case"), {"case": case_id})).all()
    boxes = {"contact": "notifier-contact", "note": "notifier-note", "cut": "oversight-cut"}
    return {
        "events": (NONCE + seal.cipher(key).encrypt(NONCE, b"an event", b"place"), b"place"),
        "file": (bytes(sealed), f"{case_id}/standing".encode()),
        **{f"keys for {reader}": (bytes(wrapped), f"{case_id}/{reader}".encode()) for reader, wrapped in forms},
        **{name: (operator.box(purpose).seal(b"x", b"place"), b"place") for name, purpose in boxes.items()},
        **{
            f"quarantine of {service}": (
                NONCE + AESGCM(Keys(everybody.of(service)).hmac("quarantine")).encrypt(NONCE, b"x", b"place"),
                b"place",
            )
            for service in SERVICES
        },
    }


def opened(settings: Settings, service: str, case_id: str, sealed: dict[str, tuple[bytes, bytes]]) -> set[str]:
    """What a process opens that has the environment of one service, as the supervisor makes it, and no other variable."""
    none, folders = Path("/none"), {"passwords": settings.database_passwords, "service_keys": settings.service_keys}
    at = Addresses("", settings.database, "", "", "", *[none] * 7, **folders)
    asked = json.dumps({name: [value.hex(), place.hex()] for name, (value, place) in sealed.items()})
    command = [sys.executable, "-m", "tests.harness.opened", case_id]
    variables = {**environment(StackConfig(data=none), at, service), "PATH": os.environ["PATH"]}
    done = subprocess.run(command, env=variables, cwd=CHECKOUT, check=False, stdout=subprocess.PIPE, text=True, input=asked)
    return set(json.loads(done.stdout))


async def test_the_environment_of_a_service_opens_what_the_table_says_and_nothing_else(bare: Settings, tmp_path: Path) -> None:
    """An intake that was given its key file alone made the case; each of the others opens its events."""
    settings = replace(bare, service_keys=tmp_path / "services")
    service_keys.write(tmp_path / "services", case_keys.master(settings))
    async with intake_stack.stack(of(settings, INTAKE)) as intake:
        case_id = str((await intake.submit())["case_id"])
    async with beginning(database.admin(settings)) as tx:
        sealed = await things(settings, tx, case_id)
    found = {service: await asyncio.to_thread(opened, settings, service, case_id, sealed) for service in SERVICES}
    assert found == OPENS
    assert set().union(*found.values()) == set(sealed), "and somebody opens each"
