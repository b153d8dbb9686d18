"""Serve an application of Starlette in the loop of a test."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import uvicorn
from starlette.applications import Starlette

from referral.runtime import http_connection


@asynccontextmanager
async def served(app: Starlette) -> AsyncIterator[int]:
    """Serve an application in this loop; its port."""
    server = uvicorn.Server(http_connection.config(app, None, lifespan="off", timeout_graceful_shutdown=1))
    server.capture_signals = contextlib.nullcontext  # type: ignore[method-assign,assignment]
    bound = await asyncio.start_server(lambda reader, writer: None, "127.0.0.1", 0)
    listening = bound.sockets[0].dup()
    bound.close()
    running = asyncio.create_task(server.serve(sockets=[listening]))
    try:
        yield int(listening.getsockname()[1])
    finally:
        server.should_exit = True
        await running
