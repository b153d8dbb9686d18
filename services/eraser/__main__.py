"""Start the eraser process; the only wiring of this service. It has no door: its addresses answer how it is, and nothing else."""

from __future__ import annotations

from referral.runtime.keys import case_keys
from referral.runtime.observe import Health
from referral.runtime.postgres import database
from referral.runtime.process import stand, start
from referral.runtime.settings import Settings
from services.eraser.destroy import NAME, Eraser

CONNECTIONS = 2
"""Connections of its pool (ours): one works, one is spare for a server that has just moved."""


async def main(settings: Settings) -> None:
    engine = database.engine(settings, NAME, size=CONNECTIONS)
    eraser = Eraser(engine, case_keys.read(settings, NAME), settings)
    health = Health(eraser.not_ready)
    try:
        await stand(NAME, settings, health, None, lambda: eraser.run(health), eraser.end, [])
    finally:
        await database.close(engine)


if __name__ == "__main__":
    start(main)
