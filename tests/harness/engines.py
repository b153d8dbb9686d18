"""Database engines of tests, closed with their block: a connection that the garbage collector closes is a leak."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from referral.runtime.postgres import database
from referral.runtime.settings import Settings


@asynccontextmanager
async def connecting(engine: AsyncEngine) -> AsyncIterator[AsyncConnection]:
    """One connection of an engine that nobody else has; the engine's pool ends with the block."""
    try:
        async with engine.connect() as connection:
            yield connection
    finally:
        await engine.dispose()


@asynccontextmanager
async def beginning(engine: AsyncEngine) -> AsyncIterator[AsyncConnection]:
    """One transaction of such an engine, committed at the end."""
    async with connecting(engine) as connection, connection.begin():
        yield connection


@asynccontextmanager
async def by_hand(settings: Settings) -> AsyncIterator[AsyncConnection]:
    """One transaction of the administrator, committed at the end: somebody forges, loses or restores rows that no service may change."""
    async with beginning(database.admin(settings)) as tx:
        yield tx
