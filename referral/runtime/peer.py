"""Know who is at the other end of an HTTP connection: the holder that its certificate names, or nobody.

TLS has verified the certificate before a request is read. Each request has the peer in its state, put there by `http_connection`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from starlette.requests import Request

from referral.ca import leaf
from referral.ca.names import Name, Plane
from referral.errors import Malformed, Rejected, TooOften

STATE = "peer"
"""Name of the peer in a request's state."""
PLACE = "place"
"""Name of the connection's place at its listener (`http_listener.Place`) in a request's state."""


@dataclass(frozen=True, slots=True)
class Peer:
    """The other end. secure: the connection is TLS of ours, so a holder could have been shown. holder: None: no certificate was shown."""

    secure: bool
    holder: Name | None


NOBODY = Peer(False, None)
PROMETHEUS, ALERTMANAGER = "prometheus", "alertmanager"
"""Names of services that are not of the line: whose program reads metrics, and whose posts alerts."""
_PROMETHEUS = Name(Plane.SERVICES, PROMETHEUS)


def of(transport: asyncio.BaseTransport) -> Peer:
    """Return the peer of a connection."""
    tls = transport.get_extra_info("ssl_object")
    if tls is None:
        return NOBODY
    shown = tls.getpeercert(binary_form=True)
    try:
        return Peer(True, leaf.read(shown).name if shown else None)
    except Malformed:  # signed by our authority, and naming nobody: it proves nothing
        return Peer(True, None)


def shown(scope: Mapping[str, Any]) -> Peer:
    """Return the peer of a request's scope; NOBODY where another server than ours has read it."""
    found = scope.get("state", {}).get(STATE, NOBODY)
    return found if isinstance(found, Peer) else NOBODY


def count_for(scope: Mapping[str, Any], holder: str, session: str) -> None:
    """Count a request's connection for whoever has shown a session, no longer among the strangers of its network. session: names it, and is
    no secret. TooOften: it has asked for too many pages."""
    place = scope.get("state", {}).get(PLACE)
    if place is not None:
        place.show(holder)
        if wait := place.use(session):
            raise TooOften(wait)


def wait(scope: Mapping[str, Any]) -> float:
    """Count a request for its network or its agency. Return 0; or the seconds until it may ask again."""
    place = scope.get("state", {}).get(PLACE)
    return place.ask(scope["method"], scope["path"]) if place is not None else 0.0


def is_agency(request: Request, agency: str) -> None:
    """Check that an agency's system shows the certificate of the agency whose token it sends. Rejected 403: none, or another holder's.

    Behind a proxy that ends TLS nobody is shown. Whichever certificate that proxy saw, the token could be another agency's.
    """
    peer = shown(request.scope)
    if not peer.secure:
        hint = "a proxy ended TLS, so we saw no certificate: let TLS pass through it (docs/operators.md, REFERRAL_HTTP)"
        raise Rejected("certificate-unseen", "TLS", hint, status=403)
    if peer.holder is None:
        hint = "connect with your agency's certificate; an operator signs it: docs/agencies.md, Your certificate"
        raise Rejected("certificate-missing", "TLS", hint, status=403)
    if peer.holder != Name(Plane.AGENCIES, agency):
        raise Rejected("certificate-of-another", "TLS", "the certificate and the token name two different holders", status=403)


def is_ours(found: Peer) -> bool:
    """Return whether a service or an operator is at the other end; True without TLS of ours: then the address is all that protects it."""
    return not found.secure or (found.holder is not None and found.holder.plane in (Plane.SERVICES, Plane.OPERATORS))


def reads_metrics(found: Peer) -> bool:
    """Return whether an operator or Prometheus is at the other end; True without TLS of ours, as `is_ours`."""
    return not found.secure or (found.holder is not None and (found.holder.plane is Plane.OPERATORS or found.holder == _PROMETHEUS))


def is_service(request: Request, *names: str) -> bool:
    """Return whether one of these services asks, by its certificate; True without TLS of ours, where another proof must do."""
    peer = shown(request.scope)
    return not peer.secure or peer.holder in {Name(Plane.SERVICES, name) for name in names}
