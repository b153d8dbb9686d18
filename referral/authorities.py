"""Trust the certificate authorities that httpx trusts."""

from __future__ import annotations

import ssl
from functools import cache

import httpx


@cache
def trusted() -> ssl.SSLContext:
    """Return the TLS context of the connections that this process opens. The authorities are read once: that takes 0.03 s, in which the
    event loop does nothing else, and the notifier has thirty lines to open."""
    return httpx.create_ssl_context()
