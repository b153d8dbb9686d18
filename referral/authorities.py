"""Trust the certificate authorities that httpx trusts."""

from __future__ import annotations

import ssl
from functools import cache


def public() -> ssl.SSLContext:
    """Return a new TLS context that trusts them."""
    from httpx import create_ssl_context  # takes up to a tenth of a second to load, and most programs call nobody outside

    return create_ssl_context()


@cache
def trusted() -> ssl.SSLContext:
    """Return the TLS context of the connections that this process opens. The authorities are read once: that takes 0.03 s, in which the
    event loop does nothing else, and the notifier has thirty lines to open."""
    return public()
