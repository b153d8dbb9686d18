"""The number of each agency's last signed record of `ingress.<agency>`. SQL of intake.numbered."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from services.intake.store import rows

_LAST = "SELECT agency, last FROM intake.numbered WHERE agency = ANY(CAST(:agencies AS text[]))"
_KEEP = text(
    "INSERT INTO intake.numbered (agency, last) SELECT * FROM unnest(CAST(:agency AS text[]), CAST(:last AS bigint[])) "
    "ON CONFLICT (agency) DO UPDATE SET last = greatest(numbered.last, excluded.last)"
)


async def last(tx: AsyncConnection, agencies: Iterable[str]) -> dict[str, int]:
    """Those that have signed a record. Who asks owns the agencies' topics, so nobody else writes them."""
    return {row.agency: row.last for row in await rows(tx, _LAST, {"agencies": list(agencies)})}


async def keep(tx: AsyncConnection, numbers: Mapping[str, int]) -> None:
    """The numbers reached; one that is behind what stands changes nothing."""
    if numbers:
        await tx.execute(_KEEP, {"agency": list(numbers), "last": list(numbers.values())})
