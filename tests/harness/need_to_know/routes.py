"""Find every page of every program from its own routes: the rows of the need-to-know matrix."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, cast

from starlette.routing import BaseRoute, Route

from referral.domain.policy import Policy
from referral.tlog.witness_policy import Policy as Witnesses
from referral.wire.signed.erasure_approval import Erasers
from services.audit import api as audit
from services.audit import pages as auditors
from services.intake.pages import routes as inbox
from services.intake.public import routes as public
from services.notifier import door
from services.oversight.pages import naming
from services.oversight.pages import routes as oversight

NO_PAGES = (".css", ".svg")
"""Ends of paths that are the same file for everybody."""
LOST = ["GET", "POST", "PUT", "PATCH", "DELETE"]
"""Methods of a route for all paths that no other has."""


def every(policy: Policy) -> set[str]:
    """Return METHOD and path of every page and form. Nothing is asked: the programs are built without a database."""
    return {found for routes in (intake(policy), _notifier(), _audit(), _oversight(policy)) for found in _named(routes)}


def _named(routes: Iterable[BaseRoute]) -> Iterator[str]:
    for route in routes:
        assert isinstance(route, Route), "pages are routes"
        if route.path.endswith(NO_PAGES):
            continue
        methods = sorted((route.methods or set()) - {"HEAD"})
        yield from [f"* {route.path}"] if methods == sorted(LOST) else (f"{method} {route.path}" for method in methods)


def intake(policy: Policy) -> list[BaseRoute]:
    """Return the routes of the staff pages and of the public door. The API of agencies' systems is no page: docs/agencies.md has it."""
    pages = inbox.made(_nothing(), lambda: policy, secure=True)
    return [*inbox.routes(pages), *public.routes(pages)]


def _notifier() -> list[BaseRoute]:
    return list(door.made(_nothing(), _nothing(), "secret").application().routes)


def _audit() -> list[BaseRoute]:
    shown = auditors.Pages(_nothing(), _nothing(), cast(Witnesses, None), Erasers(), drill=True, secure=True)
    return list(audit.application(_nothing(), _nothing(), shown.routes()).routes)


def _oversight(policy: Policy) -> list[BaseRoute]:
    return oversight.Pages(_nothing(), lambda: policy, naming.load(5), drill=True, secure=True).routes()


def _nothing() -> Any:
    return None
