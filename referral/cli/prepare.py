"""`referral prepare`: what the services need before they start."""

from __future__ import annotations

import asyncio

from referral.cli import show
from referral.errors import Unavailable
from referral.runtime import database, settings
from referral.runtime import prepare as runtime
from referral.runtime.settings import SERVICES
from referral.wire import topics


def prepare(as_json: show.Json = False) -> int:
    """Make roles, schemas, tables and topics. Repeating it is harmless; it never removes anything.

    `referral up` does this by itself. Exit 0: all is as it must be. 1: a topic or the database differs. 2: one of them is away.

    Example: referral prepare
    """
    found = settings.load()
    try:
        asyncio.run(runtime.prepare(found))
    except Exception as error:
        if not database.away(error):
            raise
        raise Unavailable("the database") from error
    names = [found.topic(name) for name in topics.load(found.schemas / "topics.yaml")]
    if as_json:
        show.document({"schemas": list(SERVICES), "topics": names})
    else:
        show.console.print(f"ready: schemas {', '.join(SERVICES)} · topics {', '.join(names)}", soft_wrap=True)
    return 0
