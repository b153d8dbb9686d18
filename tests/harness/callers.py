"""Clients for the doors of a running stack: a browser shows no certificate, an operator theirs, an agency its own beside its token."""

from __future__ import annotations

import ssl
from typing import Any

import httpx

from referral.ca import identity
from referral.cli.stack import cast
from referral.local.stack import Stack
from referral.runtime import tls
from tests.harness.waiting import PATIENCE_S

BEARER = "Bearer "
LIMITS = httpx.Limits(max_connections=40)
"""Connections of one sender (ours): a load under which every request is answered."""


def browser(stack: Stack) -> ssl.SSLContext:
    """Return the context of somebody who believes the stack's root and shows nothing."""
    return ssl.create_default_context(cafile=stack.settings.identity() / identity.AUTHORITY)


def operator(stack: Stack) -> ssl.SSLContext:
    """Return the context of an operator, for the inner doors too."""
    return tls.client(stack.settings.identity())


def agency(stack: Stack, name: str) -> ssl.SSLContext:
    """Return the context of an agency's system."""
    return tls.client(stack.agency(name))


def metrics(stack: Stack, service: str) -> str:
    """Return the metrics of a service's first instance, as Prometheus reads them."""
    return httpx.get(f"{stack.inner(service)}/metrics", verify=operator(stack), timeout=PATIENCE_S, trust_env=False).text


class ByToken(httpx.AsyncBaseTransport):
    """Shows the certificate of the agency whose token a request carries, and an operator's beside any other request."""

    def __init__(self, stack: Stack) -> None:
        self._stack = stack
        self._agencies = {token: name for name, token in cast.load(stack.config.data).tokens.items()}
        self._lines: dict[str, httpx.AsyncHTTPTransport] = {}

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Send it on a connection of its sender."""
        who = self._agencies.get(request.headers.get("authorization", "").removeprefix(BEARER), "")
        if who not in self._lines:
            verify = agency(self._stack, who) if who else operator(self._stack)
            self._lines[who] = httpx.AsyncHTTPTransport(verify=verify, limits=LIMITS)
        return await self._lines[who].handle_async_request(request)

    async def aclose(self) -> None:
        """Close every connection."""
        for line in self._lines.values():
            await line.aclose()


def client(stack: Stack, **more: Any) -> httpx.AsyncClient:
    """Return a client for all agencies of a stack with a cast. more: as `httpx.AsyncClient` takes it."""
    return httpx.AsyncClient(transport=ByToken(stack), **more)
