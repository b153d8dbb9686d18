"""Every route of every service and every command has an act, every act is done somewhere, and a route without one does not start."""

from __future__ import annotations

from typing import Any

import pytest
from starlette.applications import Starlette
from starlette.routing import BaseRoute, Route

from referral.cli.app import app
from referral.domain.authority.words import Act
from referral.errors import Misconfigured
from referral.runtime import authority
from services.intake.api import person_routes, routes
from services.watchman.alerts import Alerts
from services.watchman.beat import Beats
from tests.harness.need_to_know import routes as pages
from tests.harness.shipped import compiled

BY_WORK = {Act.FOLLOW_ROUTING, Act.HIDE_ERASED}
"""Acts that no door has: a service does them by itself."""
NOWHERE: Any = None


async def served() -> dict[str, list[BaseRoute]]:
    """Return service → its routes. Nothing is asked: the programs are built without a database."""
    intake = [*routes.routes(NOWHERE, b"k" * 32), *person_routes.routes(NOWHERE), *pages.intake(compiled())]
    watchman = (Beats("me", None, lambda: 0.0, lambda: 0), Alerts(lambda: 0.0))
    return {
        "intake": intake,
        "notifier": pages._notifier(),
        "audit": pages._audit(),
        "oversight": pages._oversight(compiled()),
        "watchman": [route for one in watchman for route in one.application().routes],
    }


async def test_every_route_has_an_act_and_every_act_of_a_door_a_route() -> None:
    for service, found in (await served()).items():
        assert set(authority.named(found)) == set(authority.acts(service)), service
        authority.checked(service, Starlette(routes=found))


@pytest.mark.parametrize("service", authority.DOORS)
async def test_a_route_without_an_act_does_not_start_and_says_so_in_one_line(service: str) -> None:
    new = Route("/v1/cases/{case_id}/everything", lambda _: None, methods=["POST"])
    with pytest.raises(Misconfigured, match=r"POST /v1/cases/\{case_id\}/everything") as found:
        authority.checked(service, Starlette(routes=[*(await served())[service], new]))
    assert "\n" not in str(found.value) and service in str(found.value)


def test_every_command_has_an_act() -> None:
    def below(command: Any, words: str) -> Any:
        for name, one in getattr(command, "commands", {}).items():
            yield from below(one, f"{words} {name}".strip())
        if not hasattr(command, "commands"):
            yield words

    assert [words for words in below(app, "") if not authority.of_command(words)] == []


def test_every_act_is_done_somewhere() -> None:
    done = {act for door in authority.DOORS.values() for act in door} | set(authority.COMMANDS)
    assert set(Act) - done == BY_WORK
