"""Every form's page can be asked for again: the address of the form is an address of a page too."""

from __future__ import annotations

from typing import Any, cast

from starlette.routing import Route

from services.intake.context import IntakeContext
from services.intake.pages import kept_page
from services.intake.pages import routes as pages
from services.intake.public import routes as public_door
from tests.unit.intake.test_pages import SHIPPED


def test_each_path_that_takes_a_form_answers_a_get() -> None:
    inbox = pages.made(cast(IntakeContext, None), lambda: SHIPPED, secure=False)
    methods: dict[str, set[str]] = {}
    for route in (*public_door.routes(inbox), *pages.routes(inbox)):
        found = cast(Route, route)
        methods.setdefault(found.path, set()).update(found.methods or ())
    takes = {path for path, known in methods.items() if "POST" in known}
    assert len(takes) > 40 and not [path for path in takes if "GET" not in methods[path]]


def test_what_staff_reads_is_shown_once_within_a_minute() -> None:
    kept: Any = kept_page.STAFF
    assert (kept.once, kept.for_us, kept.errors) == (True, 60_000_000, False)
